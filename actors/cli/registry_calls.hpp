// Asking the service about people and keys, and telling it what to do: what all those commands share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/cli/answers.hpp"

namespace keyportal::cli {

/// As one segment of a path or one value of a query.
std::string escaped(std::string_view text);

/// A name that no other command has.
std::string fresh_word();

/// As `fetch`, with the control token.
caf::expected<nlohmann::json> look(const service& portal, const std::string& path);
/// Page by page, until there is no more or `most` (0: all) are there. `path` has its '?' already.
caf::expected<std::vector<nlohmann::json>> look_at_all(const service& portal, const std::string& path,
                                                       std::uint64_t most);
/// A command: under the name that was given, else under a fresh one.
caf::expected<nlohmann::json> order(const context& here, const service& portal, const std::string& method,
                                    const std::string& path, const std::string& doing,
                                    const nlohmann::json& body = nullptr);

/// The key of that id, or the only one whose id begins so.
caf::expected<nlohmann::json> chosen_key(const service& portal, const std::string& id);
/// The path of a key that `chosen_key` gave.
std::string path_of_key(const nlohmann::json& key);
/// The path of a person named by e-mail address or id.
std::string path_of_person(const std::string& person);

/// "90d" as seconds, "never" as 0. `bad_request` with the option's name.
caf::expected<std::int64_t> seconds_of(const std::string& option, const std::string& text);
/// "tokens/month=1000000", "cost/month=25.50" (US dollars) and the like; "none" alone is an empty list. `bad_request`.
caf::expected<nlohmann::json> budgets_of(const std::string& option, const std::vector<std::string>& texts);
/// What was given, where `nothing` alone stands for an empty list.
std::vector<std::string> list_of(const std::vector<std::string>& given, std::string_view nothing);

/// An amount of a budget, by its field: "1,000,000", "25.5 USD".
std::string budget_amount(const nlohmann::json& budget, const char* name);
/// For people: "tokens/month 1,000,000"
std::string budgets_text(const nlohmann::json& budgets);
std::string joined(const nlohmann::json& texts);
/// "90 d", "for ever"
std::string lifetime_text(std::int64_t seconds);

} // namespace keyportal::cli
