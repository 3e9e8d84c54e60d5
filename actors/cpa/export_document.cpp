#include "actors/cpa/export_document.hpp"

#include <fmt/format.h>

#include "messages/json.hpp"

namespace keyportal::cpa {

void append_detail(std::string& out, const detail& d) {
  out += R"({"timestamp":")";
  append_rfc3339(out, d.at);
  fmt::format_to(std::back_inserter(out), R"(","latency_ms":{},"source":)", d.latency_ms);
  append_json_string(out, d.source);
  out += R"(,"auth_index":)";
  append_json_string(out, d.auth_index);
  fmt::format_to(std::back_inserter(out),
                 R"(,"tokens":{{"input_tokens":{},"output_tokens":{},"reasoning_tokens":{},"cached_tokens":{},)"
                 R"("total_tokens":{}}},"failed":{}}})",
                 d.tokens.input, d.tokens.output, d.tokens.reasoning, d.tokens.cached, d.tokens.total, d.failed);
}

namespace {

template <class Map, class Count>
void append_counts(std::string& out, std::string_view name, const Map& all, Count count) {
  fmt::format_to(std::back_inserter(out), R"(,"{}":{{)", name);
  const char* comma = "";
  for (const auto& [bucket, amounts] : all) {
    fmt::format_to(std::back_inserter(out), R"({}"{}":{})", comma, bucket, amounts.*count);
    comma = ",";
  }
  out += '}';
}

} // namespace

void bucket_counts::add(const stamped_time& at, std::int64_t tokens) {
  // Records mostly come in order of time: then the texts are those of the one before.
  constexpr std::int64_t second_ns = 1'000'000'000;
  const auto seconds = at.unix_ns / second_ns - (at.unix_ns % second_ns < 0 ? 1 : 0) + std::int64_t{at.offset_minutes} * 60;
  const auto hour = seconds / 3600 - (seconds % 3600 < 0 ? 1 : 0);
  if (day_ == nullptr || hour != last_hour_) {
    std::string text;
    append_rfc3339(text, at);
    day_ = &days_[text.substr(0, 10)];
    hour_of_day_ = &hours_[text.substr(11, 2)];
    last_hour_ = hour;
  }
  for (auto* to : {day_, hour_of_day_}) {
    ++to->requests;
    to->tokens += tokens;
  }
}

void bucket_counts::append(std::string& out) const {
  append_counts(out, "requests_by_day", days_, &amounts::requests);
  append_counts(out, "requests_by_hour", hours_, &amounts::requests);
  append_counts(out, "tokens_by_day", days_, &amounts::tokens);
  append_counts(out, "tokens_by_hour", hours_, &amounts::tokens);
}

void export_writer::add(const std::vector<record_group>& groups) {
  for (const auto& group : groups) {
    auto& target = apis_[group.client_key.reveal()][group.model];
    for (const auto& d : group.details) {
      if (!target.details.empty())
        target.details += ',';
      append_detail(target.details, d);
      ++target.requests;
      target.tokens += d.tokens.total;
      sums_.add(d.tokens, d.parts, d.latency_ms, d.failed);
      buckets_.add(d.at, d.tokens.total);
    }
  }
}

void export_writer::append_apis(std::string& out) const {
  out += R"("apis":{)";
  const char* api_comma = "";
  for (const auto& [api, models] : apis_) {
    std::int64_t requests = 0, tokens = 0;
    for (const auto& [model, list] : models) {
      requests += list.requests;
      tokens += list.tokens;
    }
    out += api_comma;
    api_comma = ",";
    append_json_string(out, api);
    fmt::format_to(std::back_inserter(out), R"(:{{"total_requests":{},"total_tokens":{},"models":{{)", requests,
                   tokens);
    const char* model_comma = "";
    for (const auto& [model, list] : models) {
      out += model_comma;
      model_comma = ",";
      append_json_string(out, model);
      fmt::format_to(std::back_inserter(out), R"(:{{"total_requests":{},"total_tokens":{},"details":[)", list.requests,
                     list.tokens);
      out += list.details;
      out += "]}";
    }
    out += "}}";
  }
  out += '}';
}

std::string export_writer::piece(const std::vector<record_group>& groups) {
  export_writer writer;
  writer.add(groups);
  std::string out = R"({"version":1,"usage":{)";
  writer.append_apis(out);
  out += "}}";
  return out;
}

std::string export_writer::finish(moment exported_at) && {
  std::string out;
  std::size_t size = 1024;
  for (const auto& [api, models] : apis_)
    for (const auto& [model, list] : models)
      size += list.details.size() + api.size() + model.size() + 128;
  out.reserve(size);
  out += R"({"version":1,"exported_at":")";
  append_rfc3339(out, {unix_ns(exported_at), 0});
  fmt::format_to(std::back_inserter(out),
                 R"(","usage":{{"total_requests":{},"success_count":{},"failure_count":{},"total_tokens":{},)",
                 sums_.requests, sums_.ok, sums_.failed, sums_.tokens.total);
  append_apis(out);
  buckets_.append(out);
  out += "}}";
  apis_.clear();
  return out;
}

} // namespace keyportal::cpa
