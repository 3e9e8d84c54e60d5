// What another tool had kept, read out of JSON bodies and told again: records, and days that it had added up. Pure.
#pragma once

#include <string>
#include <string_view>

#include <caf/expected.hpp>

#include "gateway/routes.hpp"
#include "messages/actors.hpp"

namespace keyportal::gateway {

/// Most records, or days, of one request: a piece that is answered soon.
inline constexpr std::size_t most_copied = 1000;

/// {"dry_run":false,"records":[{"at","key" or "key_sha256","model","tokens":{…},…}]}; `bad_request` names the field and
/// the number of the record, and repeats nothing of what is in it.
caf::expected<copy_records> read_copies(std::string_view body, const node_name& node);
/// {"dry_run":false,"source":"usage-db","days":[{"date","requests",…}]}; likewise.
caf::expected<keep_history> read_days(std::string_view body, const node_name& node);
/// node=, from=, to= (days), after=, limit=100. `bad_request`.
caf::expected<read_history> read_history_query(const question& asked, const http_request& request);

http_response copy_answer(const copy_report& report);
http_response kept_answer(const history_report& report);
http_response history_answer(const history_page& page);

} // namespace keyportal::gateway
