#include "actors/nats/event_reader.hpp"

#include <charconv>
#include <condition_variable>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "messages/subjects.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::nats {
namespace {

struct starting_point {
  jsDeliverPolicy policy = js_DeliverNew;
  std::int64_t unix_ns = 0;
  sequence least = 0; // of the ledger's order
};

std::optional<sequence> to_number(std::string_view text) {
  sequence number = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::optional<starting_point> parse_from(const std::string& from) {
  if (from.empty() || from == "new")
    return starting_point{};
  if (from == "all")
    return starting_point{js_DeliverAll, 0, 0};
  if (auto number = to_number(from))
    return starting_point{js_DeliverAll, 0, *number};
  if (auto time = parse_rfc3339(from))
    return starting_point{js_DeliverByStartTime, time->unix_ns, 0};
  return std::nullopt;
}

/// Whether some subject matches both patterns.
bool overlap(std::string_view a, std::string_view b) {
  auto next = [](std::string_view& rest) {
    auto dot = rest.find('.');
    auto token = rest.substr(0, dot);
    rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
    return token;
  };
  while (!a.empty() && !b.empty()) {
    auto x = next(a);
    auto y = next(b);
    if (x == ">" || y == ">")
      return true;
    if (x != y && x != "*" && y != "*")
      return false;
  }
  return a.empty() && b.empty();
}

std::string header(natsMsg* msg, const char* name) {
  const char* value = nullptr;
  return natsMsgHeader_Get(msg, name, &value) == NATS_OK && value != nullptr ? value : "";
}

struct reading {
  const std::function<bool(const tail_event&)>* on_event;
  sequence least = 0;
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  int open = 0; // subscriptions whose callbacks may still come

  static void on_message(natsConnection*, natsSubscription*, natsMsg* raw, void* closure) {
    raw_message owner(raw);
    auto& self = *static_cast<reading*>(closure);
    tail_event event;
    metadata meta;
    if (natsMsg_GetMetaData(out(meta), raw) == NATS_OK) {
      event.stream = meta->Stream;
      event.stream_sequence = meta->Sequence.Stream;
    }
    event.seq = to_number(header(raw, "ce-sequence")).value_or(0);
    event.subject = natsMsg_GetSubject(raw);
    event.id = header(raw, "ce-id");
    event.type = header(raw, "ce-type");
    event.time = header(raw, "ce-time");
    event.body.assign(natsMsg_GetData(raw), static_cast<std::size_t>(natsMsg_GetDataLength(raw)));
    std::lock_guard lock(self.mutex);
    if (self.done || event.seq < self.least || (*self.on_event)(event))
      return;
    self.done = true;
    self.changed.notify_all();
  }

  static void on_complete(void* closure) {
    auto& self = *static_cast<reading*>(closure);
    std::lock_guard lock(self.mutex);
    --self.open;
    self.changed.notify_all();
  }
};

} // namespace

caf::error tail_events(const tail_settings& settings, const std::function<bool(const tail_event&)>& on_event,
                       const std::atomic<bool>* stop, const std::function<void()>& on_ready) {
  auto from = parse_from(settings.from);
  if (!from)
    return make_error(errc::bad_request, "--from takes all, new, a number or an RFC 3339 time");
  auto opts = make_options(settings.server);
  if (!opts)
    return opts.error();
  natsOptions_SetMaxReconnect(opts->get(), -1);
  natsOptions_SetReconnectWait(opts->get(), 200);
  connection link;
  if (auto status = natsConnection_Connect(out(link), opts->get()); status != NATS_OK)
    return to_error(status, "connecting to " + without_credentials(settings.server.url.reveal()));
  context js;
  if (auto status = natsConnection_JetStream(out(js), link.get(), nullptr); status != NATS_OK)
    return to_error(status, "JetStream");

  auto filter = settings.subject.empty() ? std::string(subjects::root) + ".>" : settings.subject;
  std::vector<std::string> streams;
  if (overlap(filter, subjects::usage_all))
    streams.emplace_back(subjects::usage_stream);
  for (auto subject : subjects::events_all)
    if (overlap(filter, subject)) {
      streams.emplace_back(subjects::events_stream);
      break;
    }
  if (streams.empty())
    return make_error(errc::bad_request, fmt::format("no event has a subject like {}", filter));

  reading state;
  state.on_event = &on_event;
  state.least = from->least;
  caf::error problem;
  {
    std::vector<subscription> subscriptions;
    for (const auto& stream : streams) {
      jsSubOptions request;
      jsSubOptions_Init(&request);
      request.Stream = stream.c_str();
      request.Ordered = true; // the library asks again for what a lost connection or a restarted server left out
      request.Config.DeliverPolicy = from->policy;
      request.Config.OptStartTime = from->unix_ns;
      subscription sub;
      auto code = jsErrCode{};
      auto status =
        js_Subscribe(out(sub), js.get(), filter.c_str(), &reading::on_message, &state, nullptr, &request, &code);
      if (status != NATS_OK) {
        problem = to_error(status, fmt::format("reading stream {}", stream));
        break;
      }
      std::lock_guard lock(state.mutex);
      if (natsSubscription_SetOnCompleteCB(sub.get(), &reading::on_complete, &state) == NATS_OK)
        ++state.open;
      subscriptions.push_back(std::move(sub));
    }
    if (!problem && on_ready)
      on_ready();
    std::unique_lock lock(state.mutex);
    while (!problem && !state.done && !(stop != nullptr && stop->load()))
      state.changed.wait_for(lock, std::chrono::milliseconds{250});
    state.done = true;
  }
  // The subscriptions are destroyed; their threads may still be in a callback.
  std::unique_lock lock(state.mutex);
  state.changed.wait_for(lock, std::chrono::seconds{10}, [&] { return state.open == 0; });
  return problem;
}

} // namespace keyportal::nats
