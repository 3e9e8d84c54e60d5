#include "actors/prices/price_preview.hpp"

#include <nlohmann/json.hpp>

#include "messages/price_json.hpp"

namespace keyportal {

using nlohmann::json;

namespace {

json list_of(const std::vector<price>& prices) {
  auto out = json::array();
  for (const auto& one : prices)
    out.push_back(to_json(one));
  return out;
}

} // namespace

json json_of(const price_list& list, const price_changes& changes) {
  auto changed = json::array();
  for (const auto& [before, after] : changes.changed)
    changed.push_back({{"before", to_json(before)}, {"after", to_json(after)}});
  return {{"new", list_of(changes.added)},       {"changed", changed},   {"dropped", list_of(changes.dropped)},
          {"by_hand", list_of(changes.by_hand)}, {"same", changes.same}, {"without_price", list.without_price},
          {"not_understood", list.refused_count}};
}

caf::expected<std::string> preview_prices(const std::vector<price>& there, std::string_view format,
                                          std::string_view list, const std::string& only, moment now) {
  const bool litellm = format == "litellm";
  const auto read = litellm ? read_litellm(list) : read_models_dev(list);
  if (!read)
    return read.error();
  const auto changes =
    compare_prices(there, read->prices, litellm ? price_source::litellm : price_source::models_dev, only, now);
  auto out = json_of(*read, changes);
  out["puts"] = list_of(changes.puts);
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace keyportal
