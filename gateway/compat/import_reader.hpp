// Reads what is posted to CLIProxyAPI's import, as it reads it, piece by piece. Pure.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
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

} // namespace keyportal::compat
