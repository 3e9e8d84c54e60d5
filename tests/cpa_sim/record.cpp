#include "record.hpp"

#include "json.hpp"

#include <charconv>

namespace keyportal::cpa_sim {
namespace {

void append_number(std::string& out, std::int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

/// Adds as Go does, which wraps.
std::int64_t sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// A Go time value reads the raw text between the quotes, so a backslash in it is no escape.
void read_timestamp(json_reader& in, instant& out) {
  if (in.null())
    return;
  if (in.peek() != '"')
    return in.fail();
  std::string text;
  in.string(text);
  if (!in.ok())
    return;
  const auto parsed = parse_instant(text);
  if (!parsed)
    return in.fail();
  out = *parsed;
}

void read_tokens(json_reader& in, token_counts& t) {
  in.object([&](std::string_view name) {
    if (same_name(name, "input_tokens"))
      return in.integer(t.input);
    if (same_name(name, "output_tokens"))
      return in.integer(t.output);
    if (same_name(name, "reasoning_tokens"))
      return in.integer(t.reasoning);
    if (same_name(name, "cached_tokens"))
      return in.integer(t.cached);
    if (same_name(name, "total_tokens"))
      return in.integer(t.total);
    in.skip();
  });
}

void ignored_number(json_reader& in) {
  std::int64_t ignored = 0;
  in.integer(ignored);
}

/// Totals are recomputed, yet a wrong type in them refuses the body.
void ignored_numbers(json_reader& in) {
  in.object([&](std::string_view) { ignored_number(in); });
}

bool is_total(std::string_view name) { return same_name(name, "total_requests") || same_name(name, "total_tokens"); }

using models_map = std::map<std::string, std::vector<detail>>;

void read_models(json_reader& in, models_map& models) {
  in.object([&](std::string_view model_name) {
    std::vector<detail> details;
    const std::string model(model_name);
    in.object([&](std::string_view name) {
      if (is_total(name))
        return ignored_number(in);
      if (!same_name(name, "details"))
        return in.skip();
      details.clear();
      in.array([&] { read_detail(in, details.emplace_back()); });
    });
    models[model] = std::move(details);
  });
}

void read_apis(json_reader& in, snapshot& apis) {
  in.object([&](std::string_view api_name) {
    models_map models;
    const std::string api(api_name);
    in.object([&](std::string_view name) {
      if (is_total(name))
        return ignored_number(in);
      if (same_name(name, "models"))
        return read_models(in, models);
      in.skip();
    });
    apis[api] = std::move(models);
  });
}

void read_usage(json_reader& in, snapshot& apis) {
  in.object([&](std::string_view name) {
    if (same_name(name, "apis"))
      return read_apis(in, apis);
    if (is_total(name) || same_name(name, "success_count") || same_name(name, "failure_count")) {
      return ignored_number(in);
    }
    for (const char* buckets : {"requests_by_day", "requests_by_hour", "tokens_by_day", "tokens_by_hour"}) {
      if (same_name(name, buckets))
        return ignored_numbers(in);
    }
    in.skip();
  });
}

} // namespace

std::string dedup_key(const std::string& api, const std::string& model, const detail& d) {
  std::string key;
  key.reserve(160);
  key += api;
  key += '|';
  key += model;
  key += '|';
  append_instant(key, d.timestamp.in_utc());
  key += '|';
  key += d.source;
  key += '|';
  key += d.auth_index;
  key += d.failed ? "|true" : "|false";
  for (const auto count : {d.tokens.input, d.tokens.output, d.tokens.reasoning, d.tokens.cached, d.tokens.total}) {
    key += '|';
    append_number(key, count);
  }
  return key;
}

void normalise(detail& d, const instant& now) {
  auto& t = d.tokens;
  if (t.total == 0)
    t.total = sum(sum(t.input, t.output), t.reasoning);
  if (t.total == 0)
    t.total = t.cached;
  if (d.latency_ms < 0)
    d.latency_ms = 0;
  if (d.timestamp.is_zero())
    d.timestamp = now;
}

void append_detail(std::string& out, const detail& d, bool with_latency) {
  out += "{\"timestamp\":\"";
  append_instant(out, d.timestamp);
  out += '"';
  if (with_latency) {
    out += ",\"latency_ms\":";
    append_number(out, d.latency_ms);
  }
  out += ",\"source\":";
  append_json_text(out, d.source);
  out += ",\"auth_index\":";
  append_json_text(out, d.auth_index);
  out += ",\"tokens\":{\"input_tokens\":";
  append_number(out, d.tokens.input);
  out += ",\"output_tokens\":";
  append_number(out, d.tokens.output);
  out += ",\"reasoning_tokens\":";
  append_number(out, d.tokens.reasoning);
  out += ",\"cached_tokens\":";
  append_number(out, d.tokens.cached);
  out += ",\"total_tokens\":";
  append_number(out, d.tokens.total);
  out += d.failed ? "},\"failed\":true}" : "},\"failed\":false}";
}

void read_detail(json_reader& in, detail& d) {
  in.object([&](std::string_view name) {
    if (same_name(name, "timestamp"))
      return read_timestamp(in, d.timestamp);
    if (same_name(name, "latency_ms"))
      return in.integer(d.latency_ms);
    if (same_name(name, "source"))
      return in.string(d.source);
    if (same_name(name, "auth_index"))
      return in.string(d.auth_index);
    if (same_name(name, "tokens"))
      return read_tokens(in, d.tokens);
    if (same_name(name, "failed"))
      return in.boolean(d.failed);
    in.skip();
  });
}

bool read_import(std::string_view body, std::int64_t& version, snapshot& out) {
  json_reader in(body);
  version = 0;
  in.object([&](std::string_view name) {
    if (same_name(name, "version"))
      return in.integer(version);
    if (same_name(name, "usage"))
      return read_usage(in, out);
    in.skip();
  });
  return in.finish();
}

} // namespace keyportal::cpa_sim
