#include "messages/json.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace keyportal {

using nlohmann::json;

namespace {

json moment_or_null(moment t) { return t == moment{} ? json(nullptr) : json(to_rfc3339_ms(t)); }

} // namespace

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

void append_json_string(std::string& out, std::string_view text) {
  // Ids and names are plain ASCII nearly always; the rest goes the slow, right way.
  for (const unsigned char c : text) {
    if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
      out.append(json(text).dump(-1, ' ', false, json::error_handler_t::replace));
      return;
    }
  }
  out.push_back('"');
  out.append(text);
  out.push_back('"');
}

json to_json(const token_counts& t) {
  return {
    {"input", t.input}, {"output", t.output}, {"reasoning", t.reasoning}, {"cached", t.cached}, {"total", t.total}};
}

json to_json(const token_parts& p) {
  return {{"uncached_input", p.uncached_input}, {"cache_read", p.cache_read},
          {"cache_write", p.cache_write},       {"output", p.output},
          {"reasoning", p.reasoning},           {"unclassified", p.unclassified}};
}

json to_json(const totals& t) {
  return {{"requests", t.requests},
          {"ok", t.ok},
          {"failed", t.failed},
          {"tokens", to_json(t.tokens)},
          {"token_parts", to_json(t.parts)},
          {"latency_ms_sum", t.latency_ms_sum}};
}

json to_json(const node_counters& c) {
  return {{"requests", c.requests}, {"ok", c.ok}, {"failed", c.failed}, {"tokens", c.tokens}};
}

// By hand, since it is written for every record; the order is that of to_json, which a test compares it with.
std::string usage_body(const stored_record& r) {
  std::string out;
  out.reserve(700);
  const auto text = [&](std::string_view name, std::string_view value) {
    out.append(name);
    append_json_string(out, value);
  };
  out.push_back('{');
  if (r.facts) {
    text(R"("alias":)", r.facts->alias);
    out.push_back(',');
  }
  text(R"("auth_index":)", r.auth_index);
  if (r.facts)
    text(R"(,"endpoint":)", r.facts->endpoint);
  fmt::format_to(std::back_inserter(out), R"(,"failed":{},"id":"{}","key_id":"{}","latency_ms":{},"model":)", r.failed,
                 to_string(r.id), r.key, r.latency_ms);
  append_json_string(out, r.model);
  fmt::format_to(std::back_inserter(out), R"(,"node":"{}")", r.node);
  if (r.facts)
    text(R"(,"provider":)", r.facts->provider);
  fmt::format_to(std::back_inserter(out), R"(,"seq":{})", r.seq);
  if (r.facts)
    fmt::format_to(std::back_inserter(out), R"(,"status_code":{})", r.facts->status_code);
  out.append(R"(,"timestamp":")");
  append_rfc3339(out, r.at);
  fmt::format_to(
    std::back_inserter(out),
    R"(","token_parts":{{"cache_read":{},"cache_write":{},"output":{},"reasoning":{},"uncached_input":{},"unclassified":{}}})",
    r.parts.cache_read, r.parts.cache_write, r.parts.output, r.parts.reasoning, r.parts.uncached_input,
    r.parts.unclassified);
  fmt::format_to(std::back_inserter(out),
                 R"(,"tokens":{{"cached":{},"input":{},"output":{},"reasoning":{},"total":{}}})", r.tokens.cached,
                 r.tokens.input, r.tokens.output, r.tokens.reasoning, r.tokens.total);
  if (r.facts)
    fmt::format_to(std::back_inserter(out), R"(,"ttft_ms":{})", r.facts->ttft_ms);
  out.push_back('}');
  return out;
}

json to_json(const stored_record& r) {
  json out = {{"seq", r.seq},
              {"id", to_string(r.id)},
              {"node", r.node},
              {"key_id", r.key},
              {"model", r.model},
              {"auth_index", r.auth_index},
              {"timestamp", to_rfc3339(r.at)},
              {"latency_ms", r.latency_ms},
              {"failed", r.failed},
              {"tokens", to_json(r.tokens)},
              {"token_parts", to_json(r.parts)}};
  if (r.facts) {
    out["alias"] = r.facts->alias;
    out["provider"] = r.facts->provider;
    out["endpoint"] = r.facts->endpoint;
    out["ttft_ms"] = r.facts->ttft_ms;
    out["status_code"] = r.facts->status_code;
  }
  return out;
}

json to_json(const restart_record& r) {
  return {{"node", r.node},
          {"number", r.number},
          {"noticed_at", moment_or_null(r.noticed_at)},
          {"last_seen_at", moment_or_null(r.last_seen_at)},
          {"evidence", r.evidence},
          {"before", to_json(r.before)},
          {"after", to_json(r.after)},
          {"lost",
           {{"from", moment_or_null(r.last_seen_at)},
            {"to", moment_or_null(r.noticed_at)},
            {"expected_records", r.expected_loss}}},
          {"restore",
           {{"state", name_of(r.state)},
            {"at", r.restored_at ? moment_or_null(*r.restored_at) : json(nullptr)},
            {"imported", r.records_imported},
            {"still_lacking", r.still_lacking},
            {"counters", to_json(r.restored)}}}};
}

json to_json(const gap_record& g) {
  return {{"node", g.node},
          {"number", g.number},
          {"from", moment_or_null(g.from)},
          {"to", moment_or_null(g.to)},
          {"expected_records", g.expected_records},
          {"reason", g.reason}};
}

json to_json(const incomplete_record& i) {
  return {{"node", i.node},
          {"number", i.number},
          {"credential", i.credential},
          {"from", moment_or_null(i.from)},
          {"to", moment_or_null(i.to)},
          {"missing", i.missing_ok + i.missing_failed},
          {"missing_ok", i.missing_ok},
          {"missing_failed", i.missing_failed},
          {"closed_at", i.closed_at ? moment_or_null(*i.closed_at) : json(nullptr)}};
}

std::string incomplete_body(const incomplete_record& i) {
  auto out = to_json(i);
  out["kind"] = "records";
  return dump(out);
}

std::string incomplete_body(const restart_record& r) {
  auto out = to_json(r);
  out["kind"] = "restore";
  return dump(out);
}

json to_json(const dead_letter& d) {
  json out = {{"number", d.number}, {"node", d.node},  {"at", moment_or_null(d.at)}, {"channel", name_of(d.channel)},
              {"reason", d.reason}, {"bytes", d.bytes}};
  return out;
}

json to_json(const snapshot_info& s) {
  return {{"id", s.id},
          {"node", s.node},
          {"made_at", moment_or_null(s.made_at)},
          {"reason", s.reason},
          {"position", s.position},
          {"totals", to_json(s.sums)},
          {"json_bytes", s.json_bytes},
          {"stored_bytes", s.stored_bytes},
          {"sha256", s.sha256}};
}

json to_json(const node_condition& c) {
  return {{"node", c.node},
          {"url", c.url},
          {"state", name_of(c.state)},
          {"since", moment_or_null(c.since)},
          {"version", c.version},
          {"problem", c.problem},
          {"last_poll", moment_or_null(c.last_poll)},
          {"poll_ms", c.poll_ms},
          {"answer_bytes", c.answer_bytes},
          {"counters", to_json(c.counters)},
          {"collecting", c.collecting},
          {"missing", c.missing}};
}

json to_json(const node_overview& n) {
  return {{"node", n.condition.node},
          {"condition", to_json(n.condition)},
          {"totals", to_json(n.sums)},
          {"today", to_json(n.today)},
          {"restarts", n.restarts},
          {"snapshots", n.snapshots},
          {"last_restart", n.last_restart ? to_json(*n.last_restart) : json(nullptr)},
          {"last_snapshot", n.last_snapshot ? to_json(*n.last_snapshot) : json(nullptr)}};
}

json to_json(const overview& o) {
  totals all, today;
  json nodes = json::array();
  for (const auto& n : o.nodes) {
    all.add(n.sums);
    today.add(n.today);
    nodes.push_back(to_json(n));
  }
  return {{"at", moment_or_null(o.at)},
          {"position", o.position},
          {"totals", to_json(all)},
          {"today", to_json(today)},
          {"nodes", std::move(nodes)}};
}

json to_json(const queue_state& q) {
  const auto opened_at = q.connected && !q.connections.empty() ? q.connections.back().opened_at : moment{};
  return {{"mode", name_of(q.mode)},
          {"connected", q.connected},
          {"problem", q.problem},
          {"waiting", q.waiting},
          {"connected_at", moment_or_null(opened_at)}};
}

json to_json(const replay_report& r) {
  return {{"replayed", r.replayed}, {"added", r.added}, {"still_dead", r.still_dead}};
}

json to_json(const import_report& r) { return {{"records", r.records}, {"added", r.added}, {"refused", r.refused}}; }

json to_json(const restore_report& r) {
  return {{"lacking", r.lacking}, {"imported", r.imported}, {"still_lacking", r.still_lacking}, {"took_ms", r.took_ms}};
}

json to_json(const publisher_state& p) {
  return {{"connected", p.connected},
          {"url", p.url},
          {"problem", p.problem},
          {"shipped", p.shipped},
          {"in_flight", p.in_flight}};
}

json to_json(const caf::error& error) {
  const auto& row = row_of(code_of(error));
  json out = {{"code", row.name}, {"message", row.sentence}};
  auto about = about_of(error);
  if (!about.empty())
    out["about"] = std::move(about);
  return out;
}

std::string_view name_of(node_condition::light state) {
  switch (state) {
    case node_condition::light::starting: return "starting";
    case node_condition::light::up: return "up";
    case node_condition::light::down: return "down";
    case node_condition::light::refused: return "refused";
  }
  return "unknown";
}

std::string_view name_of(inbox_channel channel) {
  switch (channel) {
    case inbox_channel::subscribe: return "subscribe";
    case inbox_channel::resp_pop: return "resp_pop";
    case inbox_channel::http_pop: return "http_pop";
    case inbox_channel::errors: return "errors";
    case inbox_channel::beside_usage: return "beside_usage";
  }
  return "subscribe";
}

std::string_view name_of(queue_mode mode) {
  switch (mode) {
    case queue_mode::off: return "off";
    case queue_mode::subscribe: return "subscribe";
    case queue_mode::resp_pop: return "resp_pop";
    case queue_mode::http_pop: return "http_pop";
  }
  return "off";
}

std::string_view name_of(restore_state state) {
  switch (state) {
    case restore_state::pending: return "pending";
    case restore_state::complete: return "complete";
    case restore_state::incomplete: return "incomplete";
    case restore_state::impossible: return "impossible";
  }
  return "unknown";
}

} // namespace keyportal
