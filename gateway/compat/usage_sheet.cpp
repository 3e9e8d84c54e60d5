#include "gateway/compat/usage_sheet.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "gateway/compat/go_text.hpp"

namespace keyportal::compat {

namespace {

constexpr std::size_t piece_bytes = 64 << 10;
constexpr std::int64_t day_seconds = 86'400;

/// Counts come from outside and may be anything: they wrap round, as CLIProxyAPI's do.
void add_to(std::int64_t& sum, std::int64_t n) {
  sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) + static_cast<std::uint64_t>(n));
}

std::int64_t floored(std::int64_t n, std::int64_t by) { return n / by - (n % by < 0 ? 1 : 0); }

std::string name_of_day(std::int64_t day) {
  std::string out;
  append_rfc3339(out, {day * day_seconds * 1'000'000'000, 0});
  return out.substr(0, 10);
}

} // namespace

std::uint32_t usage_sheet::texts::number_of(const std::string& text) {
  const auto [place, is_new] = numbers_.try_emplace(text, static_cast<std::uint32_t>(all_.size()));
  if (is_new)
    all_.push_back(place->first);
  return place->second;
}

void usage_sheet::add_entry(const std::string& client_key) { apis_[client_key]; }

void usage_sheet::add(const arrival& one) {
  const auto& r = one.record;
  auto& list = apis_[one.client_key.reveal()][r.model];
  list.rows.push_back({r.at.unix_ns, r.at.offset_minutes, r.failed, names_.number_of(one.source),
                       names_.number_of(r.auth_index), r.latency_ms, r.tokens});
  add_to(list.tokens, r.tokens.total);
  const auto tokens = std::max<std::int64_t>(r.tokens.total, 0); // less than nothing lowers its own list only
  add_to(tokens_, tokens);
  ++requests_;
  failed_ += r.failed ? 1 : 0;
  // The wall clock of the time stamp's own zone decides the day and the hour.
  const auto local = floored(r.at.unix_ns, 1'000'000'000) + r.at.offset_minutes * 60;
  const auto day = floored(local, day_seconds);
  for (auto* counted : {&days_[day], &hours_[static_cast<std::size_t>((local - day * day_seconds) / 3600)]}) {
    ++counted->requests;
    add_to(counted->tokens, tokens);
  }
}

void usage_sheet::append_row(std::string& out, const row& r) const {
  out += R"({"timestamp":")";
  append_rfc3339(out, {r.at_ns, r.offset_minutes});
  fmt::format_to(std::back_inserter(out), R"(","latency_ms":{},"source":)", r.latency_ms);
  append_go_string(out, names_[r.source]);
  out += R"(,"auth_index":)";
  append_go_string(out, names_[r.auth_index]);
  fmt::format_to(std::back_inserter(out),
                 R"(,"tokens":{{"input_tokens":{},"output_tokens":{},"reasoning_tokens":{},"cached_tokens":{},)"
                 R"("total_tokens":{}}},"failed":{}}})",
                 r.tokens.input, r.tokens.output, r.tokens.reasoning, r.tokens.cached, r.tokens.total, r.failed);
}

bool usage_sheet::write_usage(const text_sink& to) && {
  return write_snapshot(to, fmt::format(R"({{"failed_requests":{},)", failed_));
}

bool usage_sheet::write_export(moment exported_at, const text_sink& to) && {
  std::string begin = R"({"version":1,"exported_at":")";
  append_rfc3339(begin, {unix_ns(exported_at), 0});
  begin += "\",";
  return write_snapshot(to, std::move(begin));
}

bool usage_sheet::write_snapshot(const text_sink& to, std::string out) {
  const auto flush = [&](std::size_t above) {
    if (out.size() <= above)
      return true;
    const bool wanted = to(out);
    out.clear();
    return wanted;
  };
  fmt::format_to(std::back_inserter(out),
                 R"("usage":{{"total_requests":{},"success_count":{},"failure_count":{},"total_tokens":{},"apis":{{)",
                 requests_, requests_ - failed_, failed_, tokens_);
  const char* api_comma = "";
  for (auto& [api, models] : apis_) {
    std::int64_t requests = 0, tokens = 0;
    for (const auto& [model, list] : models) {
      requests += static_cast<std::int64_t>(list.rows.size());
      add_to(tokens, list.tokens);
    }
    out += std::exchange(api_comma, ",");
    append_go_string(out, api);
    fmt::format_to(std::back_inserter(out), R"(:{{"total_requests":{},"total_tokens":{},"models":{{)", requests,
                   tokens);
    const char* model_comma = "";
    for (auto& [model, list] : models) {
      out += std::exchange(model_comma, ",");
      append_go_string(out, model);
      fmt::format_to(std::back_inserter(out), R"(:{{"total_requests":{},"total_tokens":{},"details":[)",
                     list.rows.size(), list.tokens);
      const char* comma = "";
      for (; !list.rows.empty(); list.rows.pop_front()) { // what is written is not needed any more
        out += std::exchange(comma, ",");
        append_row(out, list.rows.front());
        if (!flush(piece_bytes))
          return false;
      }
      out += "]}";
    }
    out += "}}";
  }
  out += '}';
  const auto append_buckets = [&](std::string_view name, std::int64_t bucket::*count) {
    const auto to_out = std::back_inserter(out);
    const bool daily = name.ends_with("day");
    fmt::format_to(to_out, R"(,"{}":{{)", name);
    const char* comma = "";
    if (daily)
      for (const auto& [day, sums] : days_)
        fmt::format_to(to_out, R"({}"{}":{})", std::exchange(comma, ","), name_of_day(day), sums.*count);
    else
      for (std::size_t hour = 0; hour < hours_.size(); ++hour)
        if (hours_[hour].requests > 0)
          fmt::format_to(to_out, R"({}"{:02}":{})", std::exchange(comma, ","), hour, hours_[hour].*count);
    out += '}';
  };
  append_buckets("requests_by_day", &bucket::requests);
  append_buckets("requests_by_hour", &bucket::requests);
  append_buckets("tokens_by_day", &bucket::tokens);
  append_buckets("tokens_by_hour", &bucket::tokens);
  out += "}}";
  return flush(0);
}

} // namespace keyportal::compat
