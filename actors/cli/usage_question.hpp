// Questions about usage as the service takes them: what `usage`, `records` and `export` share.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "actors/cli/client.hpp"

namespace keyportal::cli {

/// Of "model=gpt-5" and the like. E-mail addresses stand for people's ids. `bad_request` for what is no filter.
caf::expected<nlohmann::json> usage_filters(const service& portal, const std::vector<std::string>& where);

/// Puts a question to the service, with the control token.
caf::expected<nlohmann::json> ask(const service& portal, const std::string& path, const nlohmann::json& question);

/// Unless it is empty.
void put_if(nlohmann::json& to, const char* name, const std::string& value);

} // namespace keyportal::cli
