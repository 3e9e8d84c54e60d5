// Where a page of records begins, as text: what a client hands back to go on. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "messages/usage.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

struct record_cursor {
  bool back = false; ///< towards the beginning of the list
  bool newest_first = true;
  sequence position = 0; ///< of the first page: what came later stays out
  moment from{}, to{};   ///< of the first page: words such as "now" mean the same on all
  storage::ledger::reading::record_place place;
  bool operator==(const record_cursor&) const = default;
};

std::string to_text(const record_cursor& cursor);
/// Nothing for what is no cursor.
std::optional<record_cursor> cursor_of(std::string_view text);

} // namespace keyportal
