// EXPORTER and what is asked of it: everything of one kind, as text, in pieces, from one consistent state of the ledger.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/actors.hpp"

namespace keyportal {

enum class export_what : std::uint8_t { records, rollups, users, keys, audit };
enum class export_format : std::uint8_t {
  csv,   ///< RFC 4180, UTF-8, safe for spreadsheets
  jsonl, ///< an object a line
  cpa    ///< of records only: a usage export as CLIProxyAPI's import takes it; holds client keys and sources in clear
};
std::string_view name_of(export_what what);
std::string_view name_of(export_format format);
std::optional<export_what> export_what_of(std::string_view name);
std::optional<export_format> export_format_of(std::string_view name);

struct export_question {
  export_what what = export_what::records;
  export_format format = export_format::csv;
  std::string from, to;              ///< words as in a question about usage; empty: from the first, to the last
  std::string zone;                  ///< of moments that are shown, of words and of days; empty: UTC
  usage_filter where;                ///< of records and roll-ups
  std::string text;                  ///< of records, as in a record_question
  usage_step step = usage_step::day; ///< of roll-ups: hour, day, week or month
  std::vector<usage_by> by;          ///< of roll-ups
  bool weeks_begin_on_sunday = false;
  bool byte_order_mark = false; ///< of CSV: some programs take it as UTF-8 then only
};

// --- messages ---

/// Begins an export: what the ledger has now is what all of its pieces tell.
struct open_export {
  export_question what;
};
struct opened_export {
  std::string id; ///< 32 hexadecimal digits, drawn at random
  sequence position = 0;
  std::string content_type;
  std::string file_name;
};
/// About a megabyte from that byte on: where one piece ended the next begins. The same bytes whenever they are asked for.
struct read_export {
  std::string id;
  std::uint64_t offset = 0; ///< at most what was given out so far
};
struct export_piece {
  std::shared_ptr<const std::string> text; ///< may be empty before the last one: nothing was found for long
  std::uint64_t offset = 0;
  bool last = false;
  std::string content_type;
  std::string file_name;
};
/// The same, for who is no actor.
struct pull_export {
  read_export which;
  std::function<void(caf::expected<export_piece>)> give;
};
/// Ends it before its time; one that is not there is no error.
struct close_export {
  std::string id;
};

/// An export that nobody reads of for ten minutes ends by itself, and so do all with the process.
// clang-format off
using exporter_actor = caf::typed_actor<
  caf::replies_to<open_export>::with<opened_export>,
  caf::replies_to<read_export>::with<export_piece>,
  caf::reacts_to<pull_export>,
  caf::reacts_to<close_export>>;
// clang-format on

} // namespace keyportal

#define KEYPORTAL_MESSAGE(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::type)
KEYPORTAL_MESSAGE(open_export)
KEYPORTAL_MESSAGE(opened_export)
KEYPORTAL_MESSAGE(read_export)
KEYPORTAL_MESSAGE(export_piece)
KEYPORTAL_MESSAGE(pull_export)
KEYPORTAL_MESSAGE(close_export)
#undef KEYPORTAL_MESSAGE
