// Answers as HTTP: what the actors said, turned into a response. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "gateway/routes.hpp"
#include "messages/actors.hpp"
#include "messages/json.hpp"

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
/// The overview; `publisher`: its state, or null with nobody to ask; `demo`: whether the numbers are made up.
http_response summary_answer(const overview& now, const std::optional<publisher_state>& publisher, bool demo);
http_response nodes_answer(const overview& now);
/// `node_unknown` when it is not there.
http_response node_answer(const overview& now, const node_name& node);
/// `snapshot_unknown` when it is not there.
http_response snapshot_answer(const std::vector<snapshot_info>& all, std::uint64_t id);
/// The file as a download; it holds client keys, so it is never stored on the way.
http_response export_answer(const export_file& file);
/// A file of the page by its path; 304 where the browser has it already; 404 if there is none.
http_response asset_answer(const question& asked);

} // namespace keyportal::gateway
