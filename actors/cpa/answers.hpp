// What CPA's answers mean. Pure; texts and statuses are those of its management API.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <caf/expected.hpp>

#include "messages/actors.hpp"

namespace keyportal::cpa {

/// No error for 200; else the error that a management answer of this status and body stands for. The body is quoted
/// only where it is one of CPA's known sentences: anything else may hold what it should not.
caf::error judge_management_answer(const std::string& node, long status, std::string_view body);

/// How long the ban in a node_banned error lasts ("Try again in 29m58s"); 30 minutes when it does not say.
std::chrono::seconds ban_left(const caf::error& banned);

/// Decodes `{"added":…,"skipped":…,"total_requests":…,"failed_requests":…}`.
caf::expected<import_answer> read_import_answer(const std::string& node, std::string_view body);

/// Takes from `GET /config` what concerns the queue. Anything else in it, and it is full of keys, is left alone.
void read_config(std::string_view body, era_answer& into);

/// `yaml` with the retention of the queue at `seconds`: the one top-level line is changed, or added at the end; every
/// other byte stays. Nothing when the file is empty or has no `api-keys` and `remote-management`: writing such a file
/// back would leave the node open or out of reach.
std::optional<std::string> with_retention(std::string_view yaml, std::int64_t seconds);

} // namespace keyportal::cpa
