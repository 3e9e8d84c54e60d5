// Answers as HTTP: what the actors said, turned into a response. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "gateway/routes.hpp"
#include "messages/actors.hpp"
#include "messages/json.hpp"
#include "messages/store_care.hpp"

namespace keyportal::gateway {

http_response json_answer(const nlohmann::json& body, int status = 200);

/// {"items":[…]}
template <class T>
http_response list_answer(const std::vector<T>& values) {
  auto items = nlohmann::json::array();
  for (const auto& value : values)
    items.push_back(to_json(value));
  return json_answer({{"items", std::move(items)}});
}

http_response health_answer();
http_response ready_answer(const ledger_state& ledger);
http_response metrics_answer(std::string text);
/// What the summary is made of. Not set: nobody to ask, or no answer; shown as null.
struct summary_parts {
  overview now;
  std::optional<publisher_state> publisher;
  std::optional<ledger_state> ledger;
  bool demo = false; ///< the numbers are made up
  std::string currency = "USD", currency_rate = "1";
  std::optional<backup_state> backups = {};
  std::optional<retention_state> retention = {};
};
http_response summary_answer(const summary_parts& all);
http_response nodes_answer(const overview& now);
/// `node_unknown` when it is not there.
http_response node_answer(const overview& now, const node_name& node);
/// `snapshot_unknown` when it is not there.
http_response snapshot_answer(const std::vector<snapshot_info>& all, std::uint64_t id);
/// The file as a download; it holds client keys, so it is never stored on the way.
http_response export_answer(const export_file& file);
/// The payload as it came. It holds a client key, so it is never stored on the way. `dead_letter_unknown` when that
/// letter is not among them.
http_response letter_answer(const std::vector<dead_letter>& found, std::uint64_t number);
/// What a replay is asked for: all of the node (no body), or `{"numbers":[…]}` with at least one. `bad_request`.
caf::expected<replay_letters> read_replay(std::string_view body);
/// A file of the page by its path; 304 where the browser has it already; 404 if there is none.
http_response asset_answer(const question& asked);

} // namespace keyportal::gateway
