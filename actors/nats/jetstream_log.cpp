#include "actors/nats/jetstream_log.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "actors/nats/exact_publish.hpp"

namespace keyportal::nats {
namespace {

using namespace std::chrono_literals;
using namespace cluster;

constexpr int stream_not_found = 10059;
constexpr int stream_name_in_use = 10058;
constexpr int no_suitable_peers = 10005;
constexpr int not_enough_peers = 10074; // more replicas than servers
constexpr auto known_again = 10min;
constexpr std::size_t most_at_once = 256;

caf::error api_error(natsStatus status, jsErrCode code, const std::string& doing) {
  if (static_cast<int>(code) == 0)
    return to_error(status, doing);
  const auto* text = nats_GetLastError(nullptr);
  return make_error(errc::nats_refused,
                    fmt::format("{}: {}", doing, text != nullptr ? text : natsStatus_GetText(status)));
}

/// Where a stream of other rules stands in the log's place.
std::string objection(const jsStreamConfig& config, const log_settings& how) {
  if (config.SubjectsLen != 1 || config.Subjects[0] != how.subject)
    return "it takes other subjects";
  if (config.MaxAge > 0 || config.MaxMsgs > 0 || config.MaxBytes > 0 || config.MaxMsgsPerSubject > 0)
    return "its limits let messages go";
  if (config.Retention != js_LimitsPolicy || config.Storage != js_FileStorage)
    return "it does not keep its messages in files";
  return {};
}

caf::error make_log(jsCtx* js, const log_settings& how, int replicas, jsErrCode& code) {
  const char* subjects[] = {how.subject.c_str()};
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = how.stream.c_str();
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Storage = js_FileStorage;
  config.Retention = js_LimitsPolicy;
  config.Discard = js_DiscardNew;
  config.Duplicates = std::chrono::nanoseconds{known_again}.count();
  config.DenyDelete = true;
  config.Replicas = replicas;
  code = {};
  const auto status = js_AddStream(nullptr, js, &config, nullptr, &code);
  return status == NATS_OK ? caf::error{} : api_error(status, code, "making the stream " + how.stream);
}

caf::error ensure_log(jsCtx* js, const log_settings& how, log_reach& reach) {
  for (int attempt = 0;; ++attempt) {
    stream_info info;
    auto code = jsErrCode{};
    const auto status = js_GetStreamInfo(out(info), js, how.stream.c_str(), nullptr, &code);
    if (status == NATS_OK) {
      const auto wrong = objection(*info->Config, how);
      if (!wrong.empty())
        return make_error(errc::nats_refused, fmt::format("the stream {} cannot be a log: {}", how.stream, wrong));
      reach = {info->State.LastSeq == 0 ? 0 : info->State.FirstSeq, info->State.LastSeq};
      return {};
    }
    if (status != NATS_NOT_FOUND && static_cast<int>(code) != stream_not_found)
      return api_error(status, code, "looking at the stream " + how.stream);
    auto failed = make_log(js, how, how.replicas == 0 ? 3 : how.replicas, code);
    if (failed && how.replicas == 0
        && (static_cast<int>(code) == not_enough_peers || static_cast<int>(code) == no_suitable_peers))
      failed = make_log(js, how, 1, code);
    if (failed
        && (static_cast<int>(code) != stream_name_in_use || attempt == 2)) // another process was faster: look again
      return failed;
  }
}

class jetstream_log : public shared_log {
public:
  jetstream_log(log_settings how, std::uint64_t after, log_callbacks told)
    : how_(std::move(how)), after_(after), told_(std::move(told)), thread_([this] { work(); }) {}
  ~jetstream_log() override {
    {
      const std::lock_guard guard(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void publish(const std::string& id, const std::string& bytes) override {
    raw_message message;
    auto status =
      natsMsg_Create(out(message), how_.subject.c_str(), nullptr, bytes.data(), static_cast<int>(bytes.size()));
    if (status == NATS_OK)
      status = natsMsgHeader_Set(message.get(), "Nats-Msg-Id", id.c_str());
    if (status == NATS_OK)
      status = natsMsgHeader_Set(message.get(), "Nats-Expected-Stream", how_.stream.c_str());
    const std::lock_guard guard(use_);
    if (status == NATS_OK && sending_.is_open())
      natsConnection_PublishMsg(sending_.link.get(), message.get()); // lost or not: it comes back, or is sent again
  }

private:
  bool rested(std::chrono::milliseconds span) { // false: stopped
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, span, [this] { return stopped_; });
  }

  bool can_send() {
    const std::lock_guard guard(use_);
    return sending_.is_open();
  }

  void work() {
    do {
      session over;
      auto problem = follow(over);
      {
        const std::lock_guard guard(use_);
        sending_.close();
      }
      from_.reset();
      over.close();
      if (problem)
        told_.on_link(problem, 0);
    } while (rested(200ms));
  }

  caf::error follow(session& over) {
    log_reach reach;
    if (auto failed = open_session(over, how_.server, 700ms))
      return failed;
    if (auto failed = ensure_log(over.js.get(), how_, reach))
      return failed;
    if (reach.last < after_)
      return make_error(errc::cluster_foreign, fmt::format("the stream {} ends at {}, before what was read of it ({})",
                                                           how_.stream, reach.last, after_));
    if (reach.first > after_ + 1)
      return make_error(errc::cluster_trimmed, fmt::format("the stream {} begins at {}", how_.stream, reach.first));
    if (auto failed = begin_reading(over))
      return failed;
    {
      session fresh;
      if (auto failed = open_session(fresh, how_.server, 700ms))
        return failed;
      const std::lock_guard guard(use_);
      sending_ = std::move(fresh);
    }
    told_.on_link({}, reach.last);
    return read_on(over);
  }

  caf::error begin_reading(session& over) {
    jsSubOptions wanted;
    jsSubOptions_Init(&wanted);
    wanted.Stream = how_.stream.c_str();
    wanted.Config.DeliverPolicy = js_DeliverByStartSequence;
    wanted.Config.OptStartSeq = after_ + 1;
    wanted.Config.AckPolicy = js_AckNone;
    wanted.Config.MaxDeliver = 1;
    wanted.Config.MemoryStorage = true;
    wanted.Config.Replicas = 1;
    wanted.Config.FlowControl = true;
    wanted.Config.Heartbeat = std::chrono::nanoseconds{500ms}.count();
    auto code = jsErrCode{};
    const auto status = js_SubscribeSync(out(from_), over.js.get(), how_.subject.c_str(), nullptr, &wanted, &code);
    told_here_ = 0;
    return status == NATS_OK ? caf::error{} : api_error(status, code, "reading the stream " + how_.stream);
  }

  /// A reader of the server counts what it sends: what is missing is seen by that, for the log has holes of its own.
  caf::error take(natsMsg* message, std::vector<log_message>& page) {
    metadata meta;
    const auto told = natsMsg_GetMetaData(out(meta), message);
    if (told != NATS_OK || meta->Sequence.Consumer != ++told_here_ || meta->Sequence.Stream <= after_)
      return make_error(errc::nats_unavailable, "a message of the log was lost on its way");
    const char* id = nullptr;
    if (natsMsgHeader_Get(message, "Nats-Msg-Id", &id) != NATS_OK || id == nullptr)
      id = "";
    after_ = meta->Sequence.Stream;
    page.push_back(
      {after_, id, std::string(natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message)))});
    return {};
  }

  caf::error read_on(session& over) {
    int quiet = 0;
    while (rested(0ms)) {
      std::vector<log_message> page;
      caf::error problem;
      auto status = NATS_OK;
      do {
        raw_message message;
        status = natsSubscription_NextMsg(out(message), from_.get(), page.empty() ? 250 : 0);
        if (status == NATS_OK)
          problem = take(message.get(), page);
      } while (status == NATS_OK && !problem && page.size() < most_at_once);
      if (!page.empty()) {
        quiet = 0;
        told_.on_messages(std::move(page));
      }
      if (problem)
        return problem;
      if (status != NATS_OK && status != NATS_TIMEOUT)
        return to_error(status, "reading the log");
      if (!over.is_open() || !can_send())
        return make_error(errc::nats_unavailable, "the connection was closed");
      if (status == NATS_TIMEOUT && ++quiet % 4 == 0)
        if (auto failed = look(over))
          return failed;
    }
    return {};
  }

  /// Where nothing comes, whether there is anything, and whether the log has a majority of its servers.
  caf::error look(session& over) {
    stream_info info;
    auto code = jsErrCode{};
    const auto asked = js_GetStreamInfo(out(info), over.js.get(), how_.stream.c_str(), nullptr, &code);
    if (asked != NATS_OK)
      return api_error(asked, code, "looking at the stream " + how_.stream);
    if (info->State.LastSeq < after_) // told, not hidden: what was followed is not in the stream any more
      return make_error(errc::cluster_foreign, fmt::format("the stream {} ends at {}, before what was read of it ({})",
                                                           how_.stream, info->State.LastSeq, after_));
    std::uint64_t waiting = 0;
    int messages = 0;
    if (natsSubscription_GetPending(from_.get(), &messages, nullptr) == NATS_OK)
      waiting = static_cast<std::uint64_t>(messages);
    if (info->State.LastSeq > after_ && waiting == 0)
      return make_error(errc::nats_unavailable, "the reader at the server is gone");
    return {};
  }

  log_settings how_;
  std::uint64_t after_;
  log_callbacks told_;
  subscription from_;
  std::uint64_t told_here_ = 0;
  std::mutex use_; ///< who publishes, against who connects anew
  session sending_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;
};

caf::error with_stream(const log_settings& how, session& over, log_reach& reach) {
  if (auto failed = open_session(over, how.server, 1500ms))
    return failed;
  return ensure_log(over.js.get(), how, reach);
}

} // namespace

std::unique_ptr<shared_log> make_jetstream_log(log_settings how, std::uint64_t after, log_callbacks told) {
  return std::make_unique<jetstream_log>(std::move(how), after, std::move(told));
}

caf::expected<log_reach> reach_of_log(const log_settings& how) {
  session over;
  log_reach reach;
  if (auto failed = with_stream(how, over, reach))
    return failed;
  return reach;
}

caf::error trim_log(const log_settings& how, std::uint64_t first) {
  session over;
  log_reach reach;
  if (auto failed = with_stream(how, over, reach))
    return failed;
  if (first <= reach.first)
    return {};
  jsOptions options;
  jsOptions_Init(&options);
  options.Wait = 5000;
  options.Stream.Purge.Sequence = first;
  auto code = jsErrCode{};
  const auto status = js_PurgeStream(over.js.get(), how.stream.c_str(), &options, &code);
  return status == NATS_OK ? caf::error{} : api_error(status, code, "trimming the stream " + how.stream);
}

} // namespace keyportal::nats
