#include "actors/cluster_member/comparison.hpp"

#include <array>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "messages/timestamp.hpp"

namespace keyportal {

using nlohmann::json;

caf::expected<json> summary_of(const storage::ledger& store) {
  struct day_sum {
    std::uint64_t records = 0;
    std::array<std::uint64_t, 2> ids{};
    std::int64_t requests = 0, tokens = 0, cost_nano = 0;
  };
  const auto books = store.read();
  std::map<std::pair<std::string, std::int32_t>, day_sum> days;
  constexpr std::int64_t day_ns = 86'400'000'000'000;
  storage::ledger::reading::record_walk all;
  all.nodes = books->nodes();
  all.newest_first = false;
  if (auto failed = books->each_record(
        all, [&](const node_name& node, const storage::record_key& key, const storage::record_value&) {
          const auto day = key.at_ns / day_ns - (key.at_ns % day_ns < 0 ? 1 : 0);
          auto& sum = days[{node, static_cast<std::int32_t>(day)}];
          ++sum.records;
          std::array<std::uint64_t, 2> id{};
          std::memcpy(id.data(), key.id.bytes.data(), sizeof id);
          sum.ids[0] += id[0]; // ids are hashes: sums of them differ where the sets do
          sum.ids[1] += id[1];
          return true;
        }))
    return failed;
  for (const auto& node : all.nodes) {
    storage::ledger::cell_question what;
    what.by = storage::granularity::day;
    what.view = storage::cell_view::key_totals;
    what.first = INT32_MIN;
    what.end = INT32_MAX;
    if (auto failed =
          books->sums(node, what, [&](std::int32_t start, const storage::cell_id&, const storage::cell_sums& cell) {
            auto& sum = days[{node, start}];
            sum.requests += cell.requests;
            sum.tokens += cell.tokens.total;
            sum.cost_nano += cell.cost_nano;
          }))
      return failed;
  }
  json out{{"position", books->position()}, {"registry", store.registry_position()}, {"days", json::array()}};
  for (const auto& [where, sum] : days)
    out["days"].push_back({{"node", where.first},
                           {"day", to_rfc3339_ms(moment_of(where.second * day_ns)).substr(0, 10)},
                           {"records", sum.records},
                           {"ids", fmt::format("{:016x}{:016x}", sum.ids[0], sum.ids[1])},
                           {"requests", sum.requests},
                           {"tokens", sum.tokens},
                           {"cost_nano", sum.cost_nano}});
  return out;
}

std::vector<std::string> differences(const std::vector<std::pair<std::string, json>>& all) {
  std::vector<std::string> out;
  if (all.size() < 2)
    return out;
  const auto& [first, there] = all.front();
  const auto by_day = [](const json& one) {
    std::map<std::pair<std::string, std::string>, json> days;
    for (const auto& day : one.at("days"))
      days[{day.at("node"), day.at("day")}] = day;
    return days;
  };
  const auto known = by_day(there);
  for (std::size_t i = 1; i < all.size(); ++i) {
    const auto& [name, other] = all[i];
    for (const auto* what : {"position", "registry"})
      if (there.at(what) != other.at(what))
        out.push_back(fmt::format("{}: {} is at {} and {} at {}",
                                  std::strcmp(what, "position") == 0 ? "the ledger" : "the registry", first,
                                  there.at(what).dump(), name, other.at(what).dump()));
    auto days = by_day(other);
    for (const auto& [where, sum] : known) {
      const auto found = days.find(where);
      if (found == days.end())
        out.push_back(fmt::format("{} on {}: {} has nothing of it", where.first, where.second, name));
      else if (found->second != sum)
        out.push_back(fmt::format("{} on {}: {} has {} and {} has {}", where.first, where.second, first, sum.dump(),
                                  name, found->second.dump()));
      if (found != days.end())
        days.erase(found);
    }
    for (const auto& [where, sum] : days)
      out.push_back(fmt::format("{} on {}: {} has nothing of it", where.first, where.second, first));
  }
  return out;
}

} // namespace keyportal
