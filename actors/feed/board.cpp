#include "actors/feed/board.hpp"

#include <ctime>

#include <nlohmann/json.hpp>

#include "messages/json.hpp"

namespace keyportal {

using nlohmann::json;

namespace {

json frame(std::string_view type, json content) {
  content["type"] = type;
  return content;
}

live_frame_ptr node_frame(const node_overview& n) {
  return make_frame(frame("node", to_json(n)), 0, "node " + n.condition.node);
}

} // namespace

board::board(std::vector<node_overview> start, std::function<moment(moment)> midnight, sums_since_fn sums_since,
             moment now)
  : midnight_(std::move(midnight)), sums_since_(std::move(sums_since)) {
  overview_.nodes = std::move(start);
  roll_day(now);
}

node_overview* board::find(const node_name& node) {
  for (auto& n : overview_.nodes)
    if (n.condition.node == node)
      return &n;
  return nullptr;
}

void board::roll_day(moment now) {
  const auto day = midnight_(now);
  overview_.at = now;
  if (day == day_)
    return;
  day_ = day;
  for (auto& n : overview_.nodes)
    n.today = sums_since_(n.condition.node, day_);
}

live_frame_ptr board::usage_frame(const node_overview& node, moment now) const {
  totals all, today;
  for (const auto& n : overview_.nodes) {
    all.add(n.sums);
    today.add(n.today);
  }
  return make_frame(frame("usage_update", {{"node", node.condition.node},
                                           {"totals", to_json(node.sums)},
                                           {"today", to_json(node.today)},
                                           {"position", overview_.position},
                                           {"at", to_rfc3339_ms(now)},
                                           // all nodes together, under the names that pages of the original portal know
                                           {"total_tokens", all.tokens.total},
                                           {"total_requests", all.requests},
                                           {"today_tokens", today.tokens.total},
                                           {"today_requests", today.requests},
                                           {"success_count", all.ok},
                                           {"failure_count", all.failed},
                                           {"timestamp", to_rfc3339_ms(now)}}),
                    overview_.position, "usage_update " + node.condition.node);
}

std::vector<live_frame_ptr> board::on(const committed& m, moment now) {
  std::vector<live_frame_ptr> frames;
  const auto day = day_;
  roll_day(now); // reads this commit too, so it is added below only when the day went on
  overview_.position = m.last;
  for (const auto& r : *m.records)
    if (auto* n = find(r.node); n && day == day_ && r.at.unix_ns >= unix_ns(day_))
      n->today.add(r.tokens, r.parts, r.latency_ms, r.failed);
  for (const auto& [node, sums] : m.sums) {
    auto* n = find(node);
    if (!n || n->sums == sums)
      continue;
    n->sums = sums;
    frames.push_back(usage_frame(*n, now));
  }
  return frames;
}

std::vector<live_frame_ptr> board::on(const node_condition& m, moment now) {
  overview_.at = now;
  auto* n = find(m.node);
  if (!n)
    return {};
  const bool news = n->condition.state != m.state || n->condition.problem != m.problem
                    || n->condition.version != m.version || n->condition.counters != m.counters
                    || n->condition.collecting != m.collecting || n->condition.missing != m.missing;
  n->condition = m;
  return news ? std::vector<live_frame_ptr>{node_frame(*n)} : std::vector<live_frame_ptr>{};
}

std::vector<live_frame_ptr> board::on(const restart_noticed& m, moment now) {
  overview_.at = now;
  auto* n = find(m.restart.node);
  if (!n)
    return {};
  if (!n->last_restart || m.restart.number >= n->last_restart->number)
    n->last_restart = m.restart;
  n->restarts = std::max(n->restarts, m.restart.number);
  return {node_frame(*n)};
}

std::vector<live_frame_ptr> board::on(const snapshot_made& m, moment now) {
  overview_.at = now;
  auto* n = find(m.info.node);
  if (!n)
    return {};
  n->last_snapshot = m.info;
  ++n->snapshots;
  return {node_frame(*n)};
}

const overview& board::now_is(moment now) {
  roll_day(now);
  return overview_;
}

live_frame_ptr board::greeting(moment now) {
  return make_frame(frame("overview", to_json(now_is(now))), overview_.position);
}

moment local_midnight(moment t) {
  const std::time_t seconds =
    std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(t));
  std::tm parts{};
  localtime_r(&seconds, &parts);
  parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
  parts.tm_isdst = -1; // midnight may lie on the other side of a change
  return moment{std::chrono::seconds{std::mktime(&parts)}};
}

} // namespace keyportal
