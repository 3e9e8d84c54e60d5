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
using clock = std::chrono::steady_clock;

constexpr int stream_not_found = 10059;
constexpr int stream_name_in_use = 10058;
constexpr auto most_waited = 1900ms;

std::chrono::milliseconds left_until(clock::time_point end) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(end - clock::now());
}

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
  if (!config.DenyDelete || !config.DenyPurge || config.AllowRollup)
    return "messages can be deleted from it";
  if (config.MaxAge > 0 || config.MaxMsgs > 0 || config.MaxBytes > 0 || config.MaxMsgsPerSubject > 0)
    return "its limits let messages go";
  if (config.Retention != js_LimitsPolicy || config.Storage != js_FileStorage)
    return "it does not keep its messages in files";
  return {};
}

caf::error ensure_log(jsCtx* js, const log_settings& how) {
  for (int attempt = 0;; ++attempt) {
    stream_info info;
    auto code = jsErrCode{};
    auto status = js_GetStreamInfo(out(info), js, how.stream.c_str(), nullptr, &code);
    if (status == NATS_OK) {
      const auto wrong = objection(*info->Config, how);
      return wrong.empty()
               ? caf::error{}
               : make_error(errc::nats_refused, fmt::format("the stream {} cannot be a log: {}", how.stream, wrong));
    }
    if (status != NATS_NOT_FOUND && static_cast<int>(code) != stream_not_found)
      return api_error(status, code, "looking at the stream " + how.stream);
    const char* subjects[] = {how.subject.c_str()};
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = how.stream.c_str();
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.Retention = js_LimitsPolicy;
    config.Discard = js_DiscardNew;
    config.Duplicates = std::chrono::nanoseconds{2min}.count();
    config.DenyDelete = true;
    config.DenyPurge = true;
    config.Replicas = how.replicas;
    code = {};
    status = js_AddStream(nullptr, js, &config, nullptr, &code);
    if (status == NATS_OK)
      return {};
    if (static_cast<int>(code) != stream_name_in_use || attempt == 2) // another process was faster: look again
      return api_error(status, code, "making the stream " + how.stream);
  }
}

/// Reads on from a position, page by page.
class cursor {
public:
  caf::error open(session& over, const log_settings& how, stream_position after) {
    jsSubOptions wanted;
    jsSubOptions_Init(&wanted);
    wanted.Stream = how.stream.c_str();
    wanted.Config.DeliverPolicy = js_DeliverByStartSequence;
    wanted.Config.OptStartSeq = after + 1;
    wanted.Config.AckPolicy = js_AckNone;
    wanted.Config.MemoryStorage = true;
    wanted.Config.Replicas = 1;
    wanted.Config.InactiveThreshold = std::chrono::nanoseconds{30s}.count();
    auto code = jsErrCode{};
    last_ = after;
    const auto status =
      js_PullSubscribe(out(from_), over.js.get(), how.subject.c_str(), nullptr, nullptr, &wanted, &code);
    return status == NATS_OK ? caf::error{} : api_error(status, code, "reading the stream " + how.stream);
  }
  void close() { from_.reset(); }

  /// NATS_TIMEOUT where nothing came in time. An entry that is not the next one is an error: the log has a hole.
  caf::error next(std::size_t most, std::chrono::milliseconds within, std::vector<stream_entry>& page,
                  natsStatus& how) {
    natsMsgList list{};
    auto code = jsErrCode{};
    how = natsSubscription_Fetch(&list, from_.get(), static_cast<int>(most), within.count(), &code);
    if (how == NATS_TIMEOUT)
      return {};
    if (how != NATS_OK)
      return api_error(how, code, "reading the log");
    caf::error problem;
    for (int i = 0; i < list.Count && !problem; ++i) {
      metadata meta;
      const auto told = natsMsg_GetMetaData(out(meta), list.Msgs[i]);
      if (told != NATS_OK || meta->Sequence.Stream != last_ + 1) {
        problem =
          make_error(errc::nats_unavailable, fmt::format("the log has no entry {} where one was due", last_ + 1));
        break;
      }
      const char* id = nullptr;
      if (natsMsgHeader_Get(list.Msgs[i], "Nats-Msg-Id", &id) != NATS_OK || id == nullptr)
        id = "";
      page.push_back(
        {++last_, id,
         std::string(natsMsg_GetData(list.Msgs[i]), static_cast<std::size_t>(natsMsg_GetDataLength(list.Msgs[i])))});
      pending_ = meta->NumPending;
    }
    natsMsgList_Destroy(&list);
    return problem;
  }
  [[nodiscard]] stream_position last() const { return last_; }
  [[nodiscard]] std::uint64_t pending() const { return pending_; }

private:
  subscription from_;
  stream_position last_ = 0;
  std::uint64_t pending_ = 0;
};

class follower : public stream_follower {
public:
  follower(log_settings how, stream_position after, follow_callbacks told)
    : how_(std::move(how)), after_(after), told_(std::move(told)), thread_([this] { work(); }) {}
  ~follower() override {
    {
      const std::lock_guard guard(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

private:
  bool rested(std::chrono::milliseconds span) { // false: stopped
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, span, [this] { return stopped_; });
  }

  void work() {
    session over;
    cursor from;
    do {
      auto problem = open_session(over, how_.server, 500ms);
      if (!problem)
        problem = ensure_log(over.js.get(), how_);
      if (!problem)
        problem = from.open(over, how_, after_);
      if (!problem) {
        if (told_.on_link)
          told_.on_link({});
        problem = read_on(over, from);
      }
      if (problem && told_.on_link)
        told_.on_link(problem);
      from.close();
      over.close();
    } while (rested(200ms));
  }

  caf::error read_on(session& over, cursor& from) {
    // Whether our reader still lives at the server is asked for where nothing comes: it may have died with its server.
    while (rested(0ms)) {
      std::vector<stream_entry> page;
      natsStatus status = NATS_OK;
      auto problem = from.next(1024, 500ms, page, status);
      if (!page.empty()) {
        after_ = page.back().position;
        told_.on_entries(std::move(page));
        quiet_ = 0;
      }
      if (problem)
        return problem;
      if (!over.is_open())
        return make_error(errc::nats_unavailable, "the connection was closed");
      if (status == NATS_TIMEOUT && ++quiet_ % 2 == 0) {
        stream_info info;
        auto code = jsErrCode{};
        const auto asked = js_GetStreamInfo(out(info), over.js.get(), how_.stream.c_str(), nullptr, &code);
        if (asked != NATS_OK)
          return api_error(asked, code, "looking at the stream " + how_.stream);
        if (info->State.LastSeq > after_)
          return make_error(errc::nats_unavailable, "the reader at the server is gone");
        if (info->State.LastSeq < after_) // told, not hidden: what was followed is not in the stream any more
          return make_error(errc::nats_refused, fmt::format("the stream {} ends at {}, before what was read of it ({})",
                                                            how_.stream, info->State.LastSeq, after_));
      }
    }
    return {};
  }

  log_settings how_;
  stream_position after_;
  follow_callbacks told_;
  int quiet_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;
};

class jetstream_log : public stream_log {
public:
  explicit jetstream_log(log_settings how) : how_(std::move(how)) {}

  append_result append(stream_position expected, std::string_view id, std::string_view bytes) override {
    if (auto wrong = unfit(id, bytes))
      return {append_result::kind::failed, 0, std::move(wrong)};
    const auto end = clock::now() + most_waited;
    const std::lock_guard guard(use_);
    for (;;) {
      if (auto failed = ready())
        return {append_result::kind::failed, 0, std::move(failed)};
      const auto got = publish_exactly(over_.link.get(), how_.subject, bytes,
                                       {{"Nats-Msg-Id", std::string(id)},
                                        {"Nats-Expected-Last-Sequence", std::to_string(expected)},
                                        {"Nats-Expected-Stream", how_.stream}},
                                       std::max(200ms, left_until(end)));
      switch (got.what) {
        case publish_answer::kind::stored: return {append_result::kind::done, got.sequence};
        case publish_answer::kind::unexpected: return after_conflict(expected, id);
        case publish_answer::kind::refused:
          return {append_result::kind::failed, 0, make_error(errc::nats_refused, how_.stream + ": " + got.text)};
        case publish_answer::kind::unknown:
          over_.close(); // a late answer or a late message of it would be a puzzle
          return {append_result::kind::unknown, 0, make_error(errc::nats_unavailable, how_.stream + ": " + got.text)};
        case publish_answer::kind::absent: // a new leader is being found
          if (left_until(end) < 300ms)
            return {append_result::kind::failed, 0, make_error(errc::nats_unavailable, how_.stream + ": " + got.text)};
          std::this_thread::sleep_for(100ms);
      }
    }
  }

  caf::expected<stream_position> end() override {
    const std::lock_guard guard(use_);
    if (auto failed = ready())
      return failed;
    return end_now();
  }

  caf::expected<std::vector<stream_entry>> read(stream_position after, std::size_t limit) override {
    const auto until = clock::now() + most_waited;
    const std::lock_guard guard(use_);
    if (auto failed = ready())
      return failed;
    const auto last = end_now();
    if (!last)
      return last.error();
    std::vector<stream_entry> out;
    if (limit == 0 || after >= *last)
      return out;
    cursor from;
    if (auto failed = from.open(over_, how_, after))
      return failed;
    limit = static_cast<std::size_t>(std::min<std::uint64_t>(limit, *last - after));
    while (out.size() < limit && left_until(until) > 0ms) {
      auto status = NATS_OK;
      if (auto failed = from.next(std::min<std::size_t>(1024, limit - out.size()), left_until(until), out, status))
        return failed;
    }
    if (out.empty())
      return make_error(errc::nats_unavailable, "nothing of the log came in time");
    return out;
  }

  std::unique_ptr<stream_follower> follow(stream_position after, follow_callbacks told) override {
    return std::make_unique<follower>(how_, after, std::move(told));
  }

private:
  caf::error ready() {
    if (over_.is_open())
      return {};
    if (auto failed = open_session(over_, how_.server, 500ms))
      return failed;
    if (ensured_)
      return {};
    if (auto failed = ensure_log(over_.js.get(), how_)) {
      over_.close();
      return failed;
    }
    ensured_ = true;
    return {};
  }

  caf::expected<stream_position> end_now() {
    stream_info info;
    auto code = jsErrCode{};
    const auto status = js_GetStreamInfo(out(info), over_.js.get(), how_.stream.c_str(), nullptr, &code);
    if (status != NATS_OK)
      return api_error(status, code, "looking at the stream " + how_.stream);
    return stream_position{info->State.LastSeq};
  }

  /// Our own entry may be what is in the way, appended by an attempt whose answer was lost.
  append_result after_conflict(stream_position expected, std::string_view id) {
    raw_message there;
    auto code = jsErrCode{};
    const auto status = js_GetMsg(out(there), over_.js.get(), how_.stream.c_str(), expected + 1, nullptr, &code);
    const char* whose = nullptr;
    if (status == NATS_OK && natsMsgHeader_Get(there.get(), "Nats-Msg-Id", &whose) == NATS_OK && whose != nullptr
        && id == whose)
      return {append_result::kind::done, expected + 1};
    const auto last = end_now();
    if (status != NATS_OK && (!last || *last > expected)) // there is one, and we could not see whose
      return {append_result::kind::unknown, 0, api_error(status, code, "looking for what is in the log")};
    return {append_result::kind::conflict, last ? *last : 0};
  }

  log_settings how_;
  std::mutex use_;
  session over_;
  bool ensured_ = false;
};

} // namespace

std::unique_ptr<stream_log> make_jetstream_log(log_settings how) {
  return std::make_unique<jetstream_log>(std::move(how));
}

} // namespace keyportal::nats
