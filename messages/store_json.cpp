#include "messages/store_json.hpp"

#include "messages/json.hpp"

namespace keyportal {

using nlohmann::json;

namespace {
json when(const std::optional<moment>& at) { return at ? json(to_rfc3339_ms(*at)) : json(nullptr); }
} // namespace

json to_json(const backup_info& i) {
  if (!i.problem.empty())
    return {{"id", i.id}, {"problem", i.problem}};
  return {{"id", i.id},
          {"made_at", to_rfc3339_ms(i.made_at)},
          {"position", i.position},
          {"records", i.records},
          {"files", i.files},
          {"bytes", i.bytes},
          {"new_bytes", i.new_bytes}};
}

json to_json(const backup_state& s) {
  json out = {{"configured", s.configured}};
  if (!s.configured)
    return out;
  out["folder"] = s.folder;
  out["doing"] = s.doing.empty() ? json(nullptr) : json(s.doing);
  if (!s.doing.empty()) {
    out["began"] = when(s.began);
    out["done_bytes"] = s.done_bytes;
  }
  out["jobs"] = s.jobs;
  out["last"] = s.did.empty() ? json(nullptr)
                              : json{{"did", s.did},
                                     {"ok", s.problem.empty()},
                                     {"text", s.problem.empty() ? s.result : s.problem},
                                     {"took_ms", s.took_ms}};
  out["newest"] = s.newest ? to_json(*s.newest) : json(nullptr);
  out["due"] = when(s.due);
  out["alarm"] = s.alarm.empty() ? json(nullptr) : json(s.alarm);
  out["stored_bytes"] = s.stored_bytes;
  return out;
}

json to_json(const retention_state& s) {
  json out = {{"keep_s", s.keep_s},       {"limit_bytes", s.limit},
              {"bytes", s.size},          {"free_bytes", s.free},
              {"running", s.running},     {"ran_at", when(s.ran_at)},
              {"days", s.days},           {"records", s.records},
              {"held_back", s.held_back}, {"alarm", s.alarm.empty() ? json(nullptr) : json(s.alarm)}};
  auto nodes = json::array();
  for (const auto& one : s.nodes) {
    json n = {{"node", one.name},
              {"first", when(one.first)},
              {"records", one.records},
              {"gone", one.gone},
              {"refused", one.refused}};
    if (one.refused > 0) {
      n["refused_from"] = when(one.refused_from);
      n["refused_to"] = when(one.refused_to);
    }
    nodes.push_back(std::move(n));
  }
  out["nodes"] = std::move(nodes);
  return out;
}

json alarms_of(const backup_state* backups, const retention_state* retention) {
  auto out = json::array();
  if (backups != nullptr && !backups->alarm.empty())
    out.push_back(backups->alarm);
  if (retention != nullptr && !retention->alarm.empty())
    out.push_back(retention->alarm);
  if (retention != nullptr)
    for (const auto& one : retention->held_back)
      out.push_back("single records that should have gone: " + one);
  return out;
}

} // namespace keyportal
