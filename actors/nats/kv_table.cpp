#include "actors/nats/kv_table.hpp"

#include <fmt/format.h>

namespace keyportal::nats {
namespace {

using namespace std::chrono_literals;
using cluster::lease_row;
using cluster::write_outcome;

constexpr int stream_not_found = 10059;
constexpr int stream_name_in_use = 10058;
constexpr int message_not_found = 10037;
constexpr int no_suitable_peers = 10005;
constexpr int not_enough_peers = 10074;

caf::error refused(natsStatus status, jsErrCode code, const std::string& doing) {
  if (static_cast<int>(code) == 0)
    return to_error(status, doing);
  const auto* text = nats_GetLastError(nullptr);
  return make_error(errc::nats_refused,
                    fmt::format("{}: {}", doing, text != nullptr ? text : natsStatus_GetText(status)));
}

} // namespace

caf::error kv_table::ensure() {
  const auto stream = "KV_" + how_.bucket;
  for (int attempt = 0;; ++attempt) {
    stream_info info;
    auto code = jsErrCode{};
    auto status = js_GetStreamInfo(out(info), over_.js.get(), stream.c_str(), nullptr, &code);
    if (status == NATS_OK)
      return {};
    if (status != NATS_NOT_FOUND && static_cast<int>(code) != stream_not_found)
      return refused(status, code, "looking at the bucket " + how_.bucket);
    const auto all = subject(">");
    const char* subjects[] = {all.c_str()};
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = stream.c_str();
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.MaxMsgsPerSubject = 1;
    config.Discard = js_DiscardNew;
    config.AllowRollup = true;
    config.DenyDelete = true;
    config.AllowDirect = false; // what a replica says may be old
    for (const int replicas : {how_.replicas == 0 ? 3 : how_.replicas, 1}) {
      config.Replicas = replicas;
      code = {};
      status = js_AddStream(nullptr, over_.js.get(), &config, nullptr, &code);
      const bool too_many = static_cast<int>(code) == not_enough_peers || static_cast<int>(code) == no_suitable_peers;
      if (status == NATS_OK)
        return {};
      if (how_.replicas != 0 || !too_many)
        break;
    }
    if (static_cast<int>(code) != stream_name_in_use || attempt == 2)
      return refused(status, code, "making the bucket " + how_.bucket);
  }
}

caf::error kv_table::open() {
  close();
  if (auto failed = open_session(over_, how_.server, 700ms))
    return failed;
  if (auto failed = ensure())
    return failed;
  jsSubOptions wanted;
  jsSubOptions_Init(&wanted);
  const auto stream = "KV_" + how_.bucket;
  wanted.Stream = stream.c_str();
  wanted.Config.DeliverPolicy = js_DeliverLastPerSubject;
  wanted.Config.AckPolicy = js_AckNone;
  wanted.Config.MaxDeliver = 1;
  wanted.Config.MemoryStorage = true;
  wanted.Config.Replicas = 1;
  wanted.Config.FlowControl = true;
  wanted.Config.Heartbeat = std::chrono::nanoseconds{500ms}.count();
  auto code = jsErrCode{};
  const auto status = js_SubscribeSync(out(watch_), over_.js.get(), subject(">").c_str(), nullptr, &wanted, &code);
  told_here_ = 0;
  return status == NATS_OK ? caf::error{} : refused(status, code, "watching the bucket " + how_.bucket);
}

void kv_table::close() {
  watch_.reset();
  over_.close();
}

lease_row kv_table::row_of(natsMsg* message, std::string key, std::uint64_t revision) {
  const char* operation = nullptr;
  const bool is_gone = natsMsgHeader_Get(message, "KV-Operation", &operation) == NATS_OK && operation != nullptr;
  lease_row out{std::move(key), {}, revision};
  if (is_gone)
    gone_[out.key] = revision;
  else {
    gone_.erase(out.key);
    out.value.assign(natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message)));
  }
  return out;
}

kv_table::written kv_table::put(const std::string& key, std::string_view value, std::uint64_t expected) {
  if (expected == 0)
    if (const auto gone = gone_.find(key); gone != gone_.end())
      expected = gone->second; // what is left of a row that was taken away
  std::vector<std::pair<std::string, std::string>> headers{
    {"Nats-Expected-Last-Subject-Sequence", std::to_string(expected)}};
  if (value.empty())
    headers.emplace_back("KV-Operation", "DEL");
  const auto got = publish_exactly(over_.link.get(), subject(key), value, headers, 900ms);
  switch (got.what) {
    case publish_answer::kind::stored:
      if (value.empty())
        gone_[key] = got.sequence;
      else
        gone_.erase(key);
      return {write_outcome::done, got.sequence};
    case publish_answer::kind::unexpected: return {write_outcome::conflict, 0};
    default: return {write_outcome::unknown, 0};
  }
}

caf::expected<lease_row> kv_table::look(const std::string& key) {
  raw_message there;
  auto code = jsErrCode{};
  const auto stream = "KV_" + how_.bucket;
  const auto status = js_GetLastMsg(out(there), over_.js.get(), stream.c_str(), subject(key).c_str(), nullptr, &code);
  if (status == NATS_NOT_FOUND || static_cast<int>(code) == message_not_found)
    return lease_row{key, {}, 0};
  if (status != NATS_OK)
    return refused(status, code, "reading the bucket " + how_.bucket);
  return row_of(there.get(), key, natsMsg_GetSequence(there.get()));
}

caf::expected<std::vector<lease_row>> kv_table::changes(std::chrono::milliseconds within) {
  std::vector<lease_row> out_rows;
  const auto prefix = subject("").size();
  for (;;) {
    raw_message message;
    const auto status = natsSubscription_NextMsg(out(message), watch_.get(), out_rows.empty() ? within.count() : 0);
    if (status == NATS_TIMEOUT)
      break;
    if (status != NATS_OK)
      return to_error(status, "watching the bucket " + how_.bucket);
    metadata meta;
    const auto told = natsMsg_GetMetaData(out(meta), message.get());
    if (told != NATS_OK || meta->Sequence.Consumer != ++told_here_)
      return make_error(errc::nats_unavailable, "a change of the bucket was lost on its way");
    const std::string_view where = natsMsg_GetSubject(message.get());
    if (where.size() > prefix)
      out_rows.push_back(row_of(message.get(), std::string(where.substr(prefix)), meta->Sequence.Stream));
  }
  if (!over_.is_open())
    return make_error(errc::nats_unavailable, "the connection was closed");
  return out_rows;
}

} // namespace keyportal::nats
