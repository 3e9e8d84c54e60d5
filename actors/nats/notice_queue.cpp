#include "actors/nats/notice_queue.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "actors/nats/handles.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/subjects.hpp"

namespace keyportal::nats {
namespace {

using namespace std::chrono_literals;

constexpr const char* stream_name = "KEYPORTAL_NOTICES";
constexpr const char* consumer_name = "keyportal-notices";
constexpr const char* subjects_all = "keyportal.v1.notice.>";
constexpr int stream_not_found = 10059;

class notice_queue : public delivery_queue {
public:
  notice_queue(notice_queue_settings how, callbacks told) : how_(std::move(how)), told_(std::move(told)) {
    thread_ = std::thread([this] { work(); });
  }
  ~notice_queue() override {
    {
      const std::lock_guard guard(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  caf::error put(const std::vector<order>& orders) override {
    const std::lock_guard guard(use_);
    if (!js_)
      return make_error(errc::nats_unavailable, "the queue of notices");
    for (const auto& one : orders) {
      const auto subject = fmt::format("{}.notice.{}", subjects::root, one.channel);
      const auto id = fmt::format("{}/{}", one.id, one.attempt);
      jsPubOptions options;
      jsPubOptions_Init(&options);
      options.MsgId = id.c_str();
      options.MaxWait = 2000;
      if (const auto status = js_Publish(nullptr, js_.get(), subject.c_str(), one.id.data(),
                                         static_cast<int>(one.id.size()), &options, nullptr);
          status != NATS_OK)
        return to_error(status, "putting notices into the queue");
    }
    return {};
  }

  void done(const std::string& lease) override {
    const std::lock_guard in_use(use_); // a message must not outlive its subscription
    raw_message message;
    {
      const std::lock_guard guard(mutex_);
      const auto found = held_.find(lease);
      if (found == held_.end())
        return;
      message = std::move(found->second);
      held_.erase(found);
    }
    natsMsg_Ack(message.get(), nullptr); // where it is lost the order comes again, and is found to be done
  }

private:
  [[nodiscard]] bool stopped() {
    const std::lock_guard guard(mutex_);
    return stopped_;
  }

  caf::error open() {
    auto options = make_options(how_.server);
    if (!options)
      return options.error();
    natsOptions_SetAllowReconnect(options->get(), false); // it is connected anew, consumer and all
    natsOptions_SetTimeout(options->get(), 3000);
    connection fresh;
    if (const auto status = natsConnection_Connect(out(fresh), options->get()); status != NATS_OK)
      return to_error(status, "connecting for the queue of notices");
    jsOptions js_options;
    jsOptions_Init(&js_options);
    js_options.Wait = 3000;
    context js;
    if (const auto status = natsConnection_JetStream(out(js), fresh.get(), &js_options); status != NATS_OK)
      return to_error(status, "asking for JetStream");
    if (auto failed = ensure(js.get()))
      return failed;
    jsSubOptions wanted;
    jsSubOptions_Init(&wanted);
    wanted.Stream = stream_name;
    wanted.ManualAck = true;
    wanted.Config.AckPolicy = js_AckExplicit;
    wanted.Config.AckWait = std::chrono::nanoseconds{lease_time}.count();
    wanted.Config.MaxAckPending = 1000;
    subscription taken;
    auto code = jsErrCode{};
    if (const auto status =
          js_PullSubscribe(out(taken), js.get(), subjects_all, consumer_name, nullptr, &wanted, &code);
        status != NATS_OK)
      return to_error(status, fmt::format("taking from {}", stream_name));
    const std::lock_guard guard(use_);
    link_ = std::move(fresh);
    js_ = std::move(js);
    orders_ = std::move(taken);
    return {};
  }

  caf::error ensure(jsCtx* js) const {
    stream_info info;
    auto code = jsErrCode{};
    auto status = js_GetStreamInfo(out(info), js, stream_name, nullptr, &code);
    if (status == NATS_OK)
      return info->Config->Retention == js_WorkQueuePolicy
               ? caf::error{}
               : make_error(errc::nats_refused,
                            fmt::format("the stream {} is there and is no work queue", stream_name));
    if (status != NATS_NOT_FOUND && static_cast<int>(code) != stream_not_found)
      return to_error(status, fmt::format("looking at {}", stream_name));
    const char* subjects[] = {subjects_all};
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = stream_name;
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.Retention = js_WorkQueuePolicy;
    config.Discard = js_DiscardOld; // an order that is gone is put in again by who decides
    config.MaxBytes = how_.max_bytes;
    config.MaxAge = std::chrono::nanoseconds{24h}.count();
    config.Duplicates = std::chrono::nanoseconds{2min}.count();
    config.Replicas = how_.replicas;
    status = js_AddStream(nullptr, js, &config, nullptr, &code);
    return status == NATS_OK ? caf::error{} : to_error(status, fmt::format("making {}", stream_name));
  }

  void close() {
    const std::lock_guard in_use(use_);
    {
      const std::lock_guard guard(mutex_);
      held_.clear();
    }
    orders_.reset();
    js_.reset();
    link_.reset();
  }

  void work() {
    std::string said = "-";
    while (!stopped()) {
      if (auto failed = open()) {
        auto text = render(failed);
        if (text != said) {
          log::warn("notices", "queue", "{}", text);
          told_.on_change({false, text});
          said = std::move(text);
        }
        close();
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, 1s, [this] { return stopped_; });
        continue;
      }
      said.clear();
      told_.on_change({true, {}});
      take();
      close();
    }
  }

  /// Until the connection breaks.
  void take() {
    while (!stopped()) {
      natsMsgList list{};
      auto code = jsErrCode{};
      const auto status = natsSubscription_Fetch(&list, orders_.get(), 16, 500, &code);
      if (status == NATS_TIMEOUT) {
        if (natsConnection_IsClosed(link_.get()))
          return;
        continue;
      }
      if (status != NATS_OK)
        return;
      for (int i = 0; i < list.Count; ++i) {
        raw_message message(std::exchange(list.Msgs[i], nullptr));
        order_taken fresh{
          std::string(natsMsg_GetData(message.get()), static_cast<std::size_t>(natsMsg_GetDataLength(message.get()))),
          std::to_string(++last_)};
        {
          const std::lock_guard guard(mutex_);
          held_.emplace(fresh.lease, std::move(message));
        }
        told_.on_order(std::move(fresh));
      }
      natsMsgList_Destroy(&list);
    }
  }

  notice_queue_settings how_;
  callbacks told_;
  std::mutex use_; // whoever puts, against who connects anew
  connection link_;
  context js_;
  subscription orders_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, raw_message> held_;
  std::uint64_t last_ = 0;
  bool stopped_ = false;
  std::thread thread_;
};

} // namespace

std::unique_ptr<delivery_queue> make_notice_queue(notice_queue_settings how, delivery_queue::callbacks told) {
  return std::make_unique<notice_queue>(std::move(how), std::move(told));
}

} // namespace keyportal::nats
