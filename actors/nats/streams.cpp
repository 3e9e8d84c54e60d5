#include "actors/nats/streams.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "messages/subjects.hpp"

namespace keyportal::nats {
namespace {

// The server's own numbers for these answers (the client's header names no constants for all of them).
constexpr int stream_not_found = 10059;

std::int64_t nanoseconds(std::chrono::nanoseconds span) { return span.count(); }

/// Whether subjects with wildcards `pattern` cover all of `subject`; both may end in ">".
bool covers(std::string_view pattern, std::string_view subject) {
  if (pattern == subject || pattern == ">")
    return true;
  if (!pattern.ends_with(".>"))
    return false;
  return subject.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool covered(const jsStreamConfig& config, const std::string& subject) {
  return std::any_of(config.Subjects, config.Subjects + config.SubjectsLen,
                     [&](const char* pattern) { return covers(pattern, subject); });
}

caf::error api_error(natsStatus status, int code, const std::string& stream, std::string_view doing) {
  if (code == 0)
    return to_error(status, fmt::format("{} stream {}", doing, stream));
  const auto* text = nats_GetLastError(nullptr);
  return make_error(errc::nats_refused,
                    fmt::format("{} stream {}: {} ({})", doing, stream, text != nullptr ? text : "", code));
}

caf::error create(jsCtx* js, const stream_settings& settings) {
  std::vector<const char*> subjects;
  for (const auto& subject : settings.subjects)
    subjects.push_back(subject.c_str());
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = settings.name.c_str();
  config.Subjects = subjects.data();
  config.SubjectsLen = static_cast<int>(subjects.size());
  config.Storage = js_FileStorage;
  config.Retention = js_LimitsPolicy;
  config.Discard = js_DiscardOld;
  config.MaxAge = nanoseconds(settings.max_age);
  config.MaxBytes = settings.max_bytes;
  config.Duplicates = nanoseconds(settings.duplicates);
  config.Replicas = settings.replicas;
  auto code = jsErrCode{};
  auto status = js_AddStream(nullptr, js, &config, nullptr, &code);
  return status == NATS_OK ? caf::error{} : api_error(status, code, settings.name, "creating");
}

caf::error adopt(jsCtx* js, const stream_settings& settings, const jsStreamConfig& found, std::string& note) {
  std::vector<const char*> subjects(found.Subjects, found.Subjects + found.SubjectsLen);
  for (const auto& subject : settings.subjects)
    if (!covered(found, subject))
      subjects.push_back(subject.c_str());
  auto wanted = found;
  wanted.Subjects = subjects.data();
  wanted.SubjectsLen = static_cast<int>(subjects.size());
  wanted.MaxAge = nanoseconds(settings.max_age);
  wanted.MaxBytes = settings.max_bytes;
  wanted.Duplicates = nanoseconds(settings.duplicates);
  auto all_covered = wanted.SubjectsLen == found.SubjectsLen;
  if (all_covered && wanted.MaxAge == found.MaxAge && wanted.MaxBytes == found.MaxBytes
      && wanted.Duplicates == found.Duplicates)
    return {};
  auto code = jsErrCode{};
  auto status = js_UpdateStream(nullptr, js, &wanted, nullptr, &code);
  if (status == NATS_OK)
    return {};
  auto error = api_error(status, code, settings.name, "changing");
  if (!all_covered)
    return error;
  note = render(error);
  return {};
}

} // namespace

std::vector<stream_settings> default_streams() {
  stream_settings usage;
  usage.name = subjects::usage_stream;
  usage.subjects = {std::string(subjects::usage_all)};
  stream_settings events;
  events.name = subjects::events_stream;
  for (auto subject : subjects::events_all)
    events.subjects.emplace_back(subject);
  return {usage, events};
}

caf::error ensure_stream(jsCtx* js, const stream_settings& settings, std::string& note) {
  stream_info info;
  auto code = jsErrCode{};
  auto status = js_GetStreamInfo(out(info), js, settings.name.c_str(), nullptr, &code);
  if (status == NATS_OK)
    return adopt(js, settings, *info->Config, note);
  if (status == NATS_NOT_FOUND || static_cast<int>(code) == stream_not_found)
    return create(js, settings);
  return api_error(status, code, settings.name, "looking at");
}

caf::error read_tail(jsCtx* js, const std::string& stream, std::size_t n, std::unordered_set<std::string>& ids) {
  stream_info info;
  auto code = jsErrCode{};
  if (auto status = js_GetStreamInfo(out(info), js, stream.c_str(), nullptr, &code); status != NATS_OK)
    return api_error(status, code, stream, "looking at");
  auto last = info->State.LastSeq;
  if (info->State.Msgs == 0 || n == 0)
    return {};
  jsSubOptions request;
  jsSubOptions_Init(&request);
  request.Stream = stream.c_str();
  request.Config.DeliverPolicy = js_DeliverByStartSequence;
  request.Config.OptStartSeq = std::max(info->State.FirstSeq, last >= n ? last - n + 1 : 1);
  request.Config.AckPolicy = js_AckNone;
  request.Config.HeadersOnly = true;
  request.Config.InactiveThreshold = nanoseconds(std::chrono::seconds{10});
  subscription sub;
  if (auto status = js_PullSubscribe(out(sub), js, ">", nullptr, nullptr, &request, &code); status != NATS_OK)
    return api_error(status, code, stream, "reading");
  for (std::uint64_t seen = 0; seen < last;) {
    natsMsgList list{};
    auto status = natsSubscription_Fetch(&list, sub.get(), 1024, 3000, &code);
    if (status != NATS_OK)
      return api_error(status, code, stream, "reading");
    for (int i = 0; i < list.Count; ++i) {
      const char* id = nullptr;
      if (natsMsgHeader_Get(list.Msgs[i], "Nats-Msg-Id", &id) == NATS_OK && id != nullptr)
        ids.emplace(id);
    }
    metadata meta;
    if (list.Count > 0 && natsMsg_GetMetaData(out(meta), list.Msgs[list.Count - 1]) == NATS_OK)
      seen = meta->NumPending == 0 ? last : meta->Sequence.Stream;
    natsMsgList_Destroy(&list);
  }
  return {};
}

} // namespace keyportal::nats
