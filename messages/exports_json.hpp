// Questions for exports as they come.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/expected.hpp>
#include <nlohmann/json_fwd.hpp>

#include "messages/exports.hpp"

namespace keyportal {

/// {what, format, from, to, zone, where{…}, text, step, week, by[], bom}. `bad_request` names the field.
caf::expected<export_question> read_export_question(std::string_view body);
/// The same out of the query of an address; what is exported is part of the path.
caf::expected<export_question> read_export_question(export_what what,
                                                    const std::vector<std::pair<std::string, std::string>>& query);
/// id, position, content_type, file_name, path
nlohmann::json to_json(const opened_export& o);

} // namespace keyportal
