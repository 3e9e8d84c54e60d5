// What is known of dead letters and missing records, for other commands.
#pragma once

#include "actors/cli/answers.hpp"

namespace keyportal::cli {

/// Adds to each node of a summary how many `dead_letters` of it wait and, where JSON is asked for, its `incompletes`;
/// null where the service does not say. Asks for letters only where the summary says that there are some.
void add_to_nodes(const context& here, const service& portal, nlohmann::json& summary);

} // namespace keyportal::cli
