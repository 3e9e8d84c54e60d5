#include "messages/ledger_check.hpp"

#include <nlohmann/json.hpp>

namespace keyportal {

nlohmann::json to_json(const ledger_check& c) {
  auto wrong = nlohmann::json::array();
  for (const auto& one : c.wrong)
    wrong.push_back({{"node", one.node}, {"day", one.day}, {"rows", one.rows}});
  return {{"mends", c.mends},
          {"running", c.running},
          {"days", c.days},
          {"days_done", c.days_done},
          {"days_wrong", c.days_wrong},
          {"rows_wrong", c.rows_wrong},
          {"rows_mended", c.rows_mended},
          {"wrong", std::move(wrong)},
          {"problem", c.problem}};
}

} // namespace keyportal
