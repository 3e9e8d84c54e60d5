#include "actors/nats/nats_sink.hpp"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/telemetry/log.hpp"

namespace keyportal::nats {
namespace {

using clock = std::chrono::steady_clock;

struct answer {
  bool stored = false;
  std::string problem;
};

/// The server's answer to one publish.
answer read_answer(natsMsg* msg) {
  if (natsMsg_IsNoResponders(msg))
    return {false, "no stream takes the subject"};
  std::string_view text(natsMsg_GetData(msg), static_cast<std::size_t>(natsMsg_GetDataLength(msg)));
  // All answers but those that refuse; read_answer is called for each record.
  if (text.starts_with(R"({"stream":)") && text.find(R"("seq":)") != text.npos && text.find(R"("error")") == text.npos)
    return {true, {}};
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object())
    return {false, "the server's answer is not understood"};
  if (auto error = json.find("error"); error != json.end())
    return {false, error->is_object() ? error->value("description", std::string("refused")) : "refused"};
  return {json.contains("seq"), {}};
}

} // namespace

/// What the keeper's, the caller's and the library's threads share. The library's callbacks find it by a number, so
/// that a late one finds nothing instead of something freed.
class nats_sink::session_book {
public:
  explicit session_book(callbacks whom) : told(std::move(whom)) {}

  static std::uintptr_t enter(const std::shared_ptr<session_book>& book) {
    std::lock_guard lock(directory_mutex);
    directory.emplace(++last_number, book);
    return last_number;
  }
  static void leave(std::uintptr_t number) {
    std::lock_guard lock(directory_mutex);
    directory.erase(number);
  }
  static std::shared_ptr<session_book> find(void* number) {
    std::lock_guard lock(directory_mutex);
    auto found = directory.find(reinterpret_cast<std::uintptr_t>(number));
    return found == directory.end() ? nullptr : found->second.lock();
  }

  static void on_closed(natsConnection* which, void* number) {
    if (auto book = find(number)) {
      std::lock_guard lock(book->mutex);
      if (book->link.get() == which)
        book->closed = true;
      book->changed.notify_all();
    }
  }

  static void on_answer(natsConnection*, natsSubscription*, natsMsg* raw, void* number) {
    raw_message owner(raw);
    auto book = find(number);
    if (!book)
      return;
    std::string_view subject = natsMsg_GetSubject(raw);
    sequence seq = 0;
    auto digits = subject.substr(subject.rfind('.') + 1);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), seq).ec != std::errc{})
      return;
    auto said = read_answer(raw);
    std::vector<sequence> stored;
    {
      std::lock_guard lock(book->mutex);
      if (book->in_flight.erase(seq) == 0)
        return;
      if (said.stored)
        book->stored.push_back(seq);
      // In groups, for each costs its receiver a message; but never held back when nothing more will come.
      if (!said.stored || book->stored.size() >= 128 || book->in_flight.empty())
        stored.swap(book->stored);
    }
    if (!said.stored) {
      book->told.on_link({true, said.problem});
      book->told.on_outcome({std::move(stored), {seq}});
    } else if (!stored.empty()) {
      book->told.on_outcome({std::move(stored), {}});
    }
  }

  /// Messages whose time is up, or all of them; `stored` gets what was not yet reported.
  std::vector<sequence> give_up(clock::time_point now, bool all, std::vector<sequence>& stored_now) {
    std::lock_guard lock(mutex);
    std::vector<sequence> late;
    for (auto it = in_flight.begin(); it != in_flight.end();) {
      if (all || it->second <= now) {
        late.push_back(it->first);
        it = in_flight.erase(it);
      } else {
        ++it;
      }
    }
    stored_now.swap(stored);
    std::sort(late.begin(), late.end());
    return late;
  }

  void report(std::vector<sequence> stored_now, std::vector<sequence> failed) {
    if (!stored_now.empty() || !failed.empty())
      told.on_outcome({std::move(stored_now), std::move(failed)});
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<natsConnection> link; // set while the session takes messages
  std::string inbox;                    // replies come to <inbox>.<sequence>
  std::unordered_map<sequence, clock::time_point> in_flight;
  std::vector<sequence> stored; // not yet reported
  bool closed = false;
  bool stopping = false;

  callbacks told;

private:
  inline static std::mutex directory_mutex;
  inline static std::unordered_map<std::uintptr_t, std::weak_ptr<session_book>> directory;
  inline static std::uintptr_t last_number = 0;
};

struct nats_sink::keeper {
  std::uintptr_t number = 0;
  std::thread thread;
};

nats_sink::nats_sink(sink_settings settings, callbacks told)
  : book_(std::make_shared<session_book>(std::move(told))), settings_(std::move(settings)),
    keeper_(std::make_unique<keeper>()) {
  keeper_->number = session_book::enter(book_);
  keeper_->thread = std::thread([this] { keep_connected(); });
}

nats_sink::~nats_sink() {
  session_book::leave(keeper_->number);
  {
    std::lock_guard lock(book_->mutex);
    book_->stopping = true;
  }
  book_->changed.notify_all();
  keeper_->thread.join();
}

void nats_sink::keep_connected() {
  auto pause = std::chrono::milliseconds{100};
  std::string last_problem;
  for (;;) {
    auto began = clock::now();
    auto problem = run_session();
    std::unique_lock lock(book_->mutex);
    if (book_->stopping)
      return;
    lock.unlock();
    if (problem != last_problem)
      log::warn("nats", "link-down", "{}", problem);
    book_->told.on_link({false, problem});
    last_problem = problem;
    if (clock::now() - began > std::chrono::seconds{10})
      pause = std::chrono::milliseconds{100};
    lock.lock();
    if (book_->changed.wait_for(lock, pause, [&] { return book_->stopping; }))
      return;
    pause = std::min(pause * 2, std::chrono::milliseconds{2000});
  }
}

/// One connection from its making to its end. Returns why it ended.
std::string nats_sink::run_session() {
  auto opts = make_options(settings_.server);
  if (!opts)
    return render(opts.error());
  auto* number = reinterpret_cast<void*>(keeper_->number);
  natsOptions_SetAllowReconnect(opts->get(), false);
  natsOptions_SetWriteDeadline(opts->get(), 5000);
  natsOptions_SetClosedCB(opts->get(), &session_book::on_closed, number);
  connection fresh;
  if (auto status = natsConnection_Connect(out(fresh), opts->get()); status != NATS_OK)
    return render(to_error(status, "connecting to " + without_credentials(settings_.server.url.reveal())));
  std::shared_ptr<natsConnection> link = std::move(fresh);

  context js;
  jsOptions js_options;
  jsOptions_Init(&js_options);
  js_options.Wait = 3000;
  if (auto status = natsConnection_JetStream(out(js), link.get(), &js_options); status != NATS_OK)
    return render(to_error(status, "JetStream"));
  for (const auto& stream : settings_.streams) {
    std::string note;
    if (auto error = ensure_stream(js.get(), stream, note))
      return render(error);
    if (!note.empty())
      log::warn("nats", "stream-kept", "{}", note);
  }

  natsInbox* inbox = nullptr;
  if (auto status = natsInbox_Create(&inbox); status != NATS_OK)
    return render(to_error(status, "inbox"));
  std::string prefix = inbox;
  natsInbox_Destroy(inbox);
  subscription answers;
  auto status =
    natsConnection_Subscribe(out(answers), link.get(), (prefix + ".*").c_str(), &session_book::on_answer, number);
  if (status != NATS_OK)
    return render(to_error(status, "subscribing to answers"));
  natsSubscription_SetPendingLimits(answers.get(), -1, -1); // bounded by what is in flight

  std::unique_lock lock(book_->mutex);
  book_->link = link;
  book_->inbox = prefix;
  book_->closed = natsConnection_IsClosed(link.get());
  lock.unlock();
  log::info("nats", "link-up", "{}", without_credentials(settings_.server.url.reveal()));
  book_->told.on_link({true, {}});

  lock.lock();
  while (!book_->closed && !book_->stopping) {
    book_->changed.wait_for(lock, std::chrono::milliseconds{book_->in_flight.empty() ? 5000 : 500});
    lock.unlock();
    std::vector<sequence> stored;
    auto late = book_->give_up(clock::now(), false, stored);
    book_->report(std::move(stored), std::move(late));
    lock.lock();
  }
  book_->link.reset();
  auto stopping = book_->stopping;
  lock.unlock();

  answers.reset(); // no answer of this session is heard from now on
  std::vector<sequence> stored;
  auto lost = book_->give_up(clock::now(), true, stored);
  if (!stopping)
    book_->report(std::move(stored), std::move(lost));
  const char* text = nullptr;
  if (natsConnection_GetLastError(link.get(), &text) == NATS_OK || text == nullptr || *text == '\0')
    return "the connection was closed";
  return fmt::format("the connection was closed: {}", text);
}

caf::error nats_sink::publish(std::vector<message> messages) {
  std::shared_ptr<natsConnection> link;
  std::string inbox;
  {
    std::lock_guard lock(book_->mutex);
    if (!book_->link || book_->closed)
      return make_error(errc::nats_unavailable, "not connected");
    if (book_->in_flight.size() + messages.size() > settings_.most_in_flight)
      return make_error(errc::nats_unavailable, "too many messages wait for an answer");
    auto deadline = clock::now() + settings_.answer_within;
    for (const auto& item : messages)
      book_->in_flight.emplace(item.seq, deadline);
    link = book_->link;
    inbox = book_->inbox;
  }
  auto send = [&](const message& item) {
    raw_message msg;
    auto status = natsMsg_Create(out(msg), item.subject.c_str(), fmt::format("{}.{}", inbox, item.seq).c_str(),
                                 item.body.data(), static_cast<int>(item.body.size()));
    for (const auto& [name, value] : item.headers)
      if (status == NATS_OK)
        status = natsMsgHeader_Set(msg.get(), name.c_str(), value.c_str());
    return status == NATS_OK ? natsConnection_PublishMsg(link.get(), msg.get()) : status;
  };
  auto unsent = std::find_if(messages.begin(), messages.end(), [&](const auto& m) { return send(m) != NATS_OK; });
  if (unsent == messages.end())
    return {};
  // The rest failed. Its deadline is now, so that its outcomes come from our own thread like all others.
  std::lock_guard lock(book_->mutex);
  for (; unsent != messages.end(); ++unsent)
    if (auto found = book_->in_flight.find(unsent->seq); found != book_->in_flight.end())
      found->second = clock::time_point{};
  book_->changed.notify_all();
  return {};
}

caf::expected<std::unordered_set<std::string>> nats_sink::stored_tail(std::size_t n) {
  std::shared_ptr<natsConnection> link;
  {
    std::lock_guard lock(book_->mutex);
    link = book_->link;
  }
  if (!link)
    return make_error(errc::nats_unavailable, "not connected");
  context js;
  jsOptions js_options;
  jsOptions_Init(&js_options);
  js_options.Wait = 3000;
  if (auto status = natsConnection_JetStream(out(js), link.get(), &js_options); status != NATS_OK)
    return to_error(status, "JetStream");
  std::unordered_set<std::string> ids;
  for (const auto& stream : settings_.streams)
    if (auto error = read_tail(js.get(), stream.name, n, ids))
      return error;
  return ids;
}

} // namespace keyportal::nats
