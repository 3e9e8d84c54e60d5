// Reads what is posted to CLIProxyAPI's import, as it reads it, piece by piece. Pure.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "messages/records.hpp"

namespace keyportal::compat {

enum class import_outcome : std::uint8_t { done, malformed, unknown_version, stopped };

struct import_settings {
  node_name node; ///< whose records they become: it is part of their ids
  moment now{};   ///< for details without a time
  /// Records that are handed on together.
  std::size_t piece_records = 50'000;
};

/// Reads one document from `in` to its end. `on_piece` gets records, normalised and with their ids, and says whether to
/// go on. `entries` gets the client keys named, also those without records. Names of fields match in any case; fields
/// that are not known are passed over; null is as good as nothing; all else must have its type.
import_outcome read_import(std::istream& in, const import_settings& how,
                           const std::function<bool(std::vector<record_group>)>& on_piece,
                           std::vector<std::string>& entries);

/// Reads a list of records as the usage queue gives them out (a JSON array of objects) and hands on the text of each.
/// `on_record` says whether it was one; false refuses the list. At most 1 MiB each. An empty list is malformed, as every
/// list is to CLIProxyAPI.
import_outcome read_record_list(std::istream& in, const std::function<bool(std::string_view)>& on_record);

} // namespace keyportal::compat
