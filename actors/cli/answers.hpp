// Asking the service and reading what it says, whatever its version.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "actors/cli/client.hpp"
#include "actors/cli/commands.hpp"

namespace keyportal::cli {

/// A value below `from`, or null: what another version leaves out is shown as nothing, never a crash.
const nlohmann::json& at(const nlohmann::json& from, std::initializer_list<const char*> path);
/// Empty for what is no text.
std::string text(const nlohmann::json& from, std::initializer_list<const char*> path);
/// 0 for what is no whole number.
std::int64_t integer(const nlohmann::json& from, std::initializer_list<const char*> path);
/// As one reads it: "4,124,185".
std::string number(const nlohmann::json& from, std::initializer_list<const char*> path);
/// The entries of {"items":[…]}; none of anything else.
const nlohmann::json& items_of(const nlohmann::json& list);

/// The answer as JSON; `service_unreachable` when it is none.
caf::expected<nlohmann::json> fetch(const service& portal, const std::string& path);
/// Calls with the token, showing how long it takes as `doing`; the answer as JSON.
caf::expected<nlohmann::json> change(const context& here, const service& portal, const std::string& method,
                                     const std::string& path, const std::string& doing, std::string body = {},
                                     std::string idempotency_key = {});
/// The node that was named, else all of them.
caf::expected<std::vector<node_name>> chosen_nodes(const context& here, const service& portal);

void print(const context& here, const nlohmann::json& value);

/// Finds the service and hands it to `then`; says so when it cannot.
template <typename Then>
int with_service(const context& here, Then then) {
  auto portal = service::find(here.values, here.asked.url);
  return portal ? then(*portal) : fail(here, portal.error());
}

} // namespace keyportal::cli
