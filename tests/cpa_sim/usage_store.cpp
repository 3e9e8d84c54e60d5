#include "usage_store.hpp"

#include "json.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace keyportal::cpa_sim {
namespace {

std::string short_key(const std::string& api, const std::string& model, const detail& d) {
  const std::string text = dedup_key(api, model, d);
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return {reinterpret_cast<const char*>(&hash), sizeof hash};
}

std::string trimmed(const std::string& text) {
  constexpr const char* blanks = " \t\n\v\f\r";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string::npos)
    return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

void append_buckets(std::string& out, const char* name, const std::map<std::string, std::int64_t>& buckets) {
  out += ",\"";
  out += name;
  out += "\":{";
  bool first = true;
  for (const auto& [bucket, count] : buckets) {
    if (!first)
      out += ',';
    first = false;
    out += '"' + bucket + "\":" + std::to_string(count);
  }
  out += '}';
}

/// Adds as Go does, which wraps.
void add(std::int64_t& to, std::int64_t what) {
  to = static_cast<std::int64_t>(static_cast<std::uint64_t>(to) + static_cast<std::uint64_t>(what));
}

} // namespace

void usage_store::append(api_entry& api, const std::string& model, const detail& d, std::string key) {
  model_entry& list = api.models[model];
  if (!list.json.empty())
    list.json += ',';
  const std::size_t before = list.json.size();
  append_detail(list.json, d, with_latency_);
  list.order.push_back({key, list.json.size() - before});
  seen_.insert(std::move(key));
  while (newest_ != 0 && list.order.size() > newest_) {
    list.json.erase(0, list.order.front().length + 1);
    seen_.erase(seen_.find(list.order.front().key));
    list.order.pop_front();
  }
  add(totals_.requests, 1);
  if (d.failed)
    add(totals_.failed, 1);
  // A negative total lowers the sums of its api and model, but neither the grand total nor the buckets.
  const std::int64_t tokens = std::max<std::int64_t>(d.tokens.total, 0);
  add(totals_.tokens, tokens);
  add(api.requests, 1);
  add(api.tokens, d.tokens.total);
  add(list.requests, 1);
  add(list.tokens, d.tokens.total);
  const std::string day = day_of(d.timestamp);
  const int h = hour_of(d.timestamp);
  const std::string hour{static_cast<char>('0' + h / 10), static_cast<char>('0' + h % 10)};
  add(requests_by_day_[day], 1);
  add(tokens_by_day_[day], tokens);
  add(requests_by_hour_[hour], 1);
  add(tokens_by_hour_[hour], tokens);
}

void usage_store::record(const std::string& api, const std::string& model, detail d, const instant& now) {
  normalise(d, now);
  const std::string api_name = api.empty() ? "unknown" : api;
  const std::string model_name = model.empty() ? "unknown" : model;
  append(apis_[api_name], model_name, d, short_key(api_name, model_name, d));
}

usage_store::merged usage_store::merge(const snapshot& in, const instant& now) {
  merged result;
  for (const auto& [api_text, models] : in) {
    const std::string api = trimmed(api_text);
    if (api.empty())
      continue;
    api_entry& entry = apis_[api];
    for (const auto& [model_text, details] : models) {
      std::string model = trimmed(model_text);
      if (model.empty())
        model = "unknown";
      for (detail d : details) {
        normalise(d, now);
        std::string key = short_key(api, model, d);
        if (seen_.contains(key)) {
          ++result.skipped;
          continue;
        }
        append(entry, model, d, std::move(key));
        ++result.added;
      }
    }
  }
  return result;
}

std::size_t usage_store::details_held() const { return seen_.size(); }

std::size_t usage_store::bytes() const {
  std::size_t size = 1024;
  for (const auto& [name, api] : apis_) {
    size += name.size() + 80;
    for (const auto& [model, list] : api.models)
      size += model.size() + list.json.size() + 80;
  }
  return size;
}

void usage_store::append_snapshot(std::string& out) const {
  const auto entry = [&out](std::int64_t requests, std::int64_t tokens) {
    out += ":{\"total_requests\":" + std::to_string(requests) + ",\"total_tokens\":" + std::to_string(tokens);
  };
  out += "\"usage\":{\"total_requests\":" + std::to_string(totals_.requests);
  out += ",\"success_count\":" + std::to_string(totals_.requests - totals_.failed);
  out += ",\"failure_count\":" + std::to_string(totals_.failed);
  out += ",\"total_tokens\":" + std::to_string(totals_.tokens);
  out += ",\"apis\":{";
  bool first_api = true;
  for (const auto& [name, api] : apis_) {
    if (!first_api)
      out += ',';
    first_api = false;
    append_json_text(out, name);
    entry(api.requests, api.tokens);
    out += ",\"models\":{";
    bool first_model = true;
    for (const auto& [model, list] : api.models) {
      if (!first_model)
        out += ',';
      first_model = false;
      append_json_text(out, model);
      entry(list.requests, list.tokens);
      out += ",\"details\":[";
      out += list.json;
      out += "]}";
    }
    out += "}}";
  }
  out += '}';
  append_buckets(out, "requests_by_day", requests_by_day_);
  append_buckets(out, "requests_by_hour", requests_by_hour_);
  append_buckets(out, "tokens_by_day", tokens_by_day_);
  append_buckets(out, "tokens_by_hour", tokens_by_hour_);
  out += '}';
}

std::string usage_store::usage_json() const {
  std::string out;
  out.reserve(bytes());
  out += "{\"failed_requests\":" + std::to_string(totals_.failed) + ',';
  append_snapshot(out);
  out += '}';
  return out;
}

std::string usage_store::export_json(const instant& now) const {
  std::string out;
  out.reserve(bytes());
  out += "{\"version\":1,\"exported_at\":\"";
  append_instant(out, now.in_utc());
  out += "\",";
  append_snapshot(out);
  out += '}';
  return out;
}

} // namespace keyportal::cpa_sim
