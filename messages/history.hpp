// Days that another tool had added up before Key Portal was there: kept and shown apart from the records, since nobody
// can tell which of them are in both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/ids.hpp"
#include "messages/secret.hpp"

namespace keyportal {

/// Where a day comes from; the numbers are on disk. Days of different sources are told side by side, never added.
enum class history_source : std::uint8_t {
  usage_db = 1,     ///< the original portal's usage.db
  usage_history = 2 ///< its usage_history.csv
};
/// "usage-db", "usage-history"
std::string_view to_string(history_source source);
std::optional<history_source> history_source_of(std::string_view text);

/// Days since 1970 of "2026-04-02"; none for what is no day of the years 1970 to 9999.
std::optional<std::int32_t> day_of_text(std::string_view text);
std::string text_of_day(std::int32_t day);

/// What was used on one day, as the source counted days; by one key of one owner, or by all together.
struct history_day {
  node_name node;
  std::int32_t day = 0;
  history_source source = history_source::usage_db;
  key_id key;        ///< empty: all keys together
  std::string owner; ///< e-mail address; empty: not told
  std::int64_t requests = 0;
  std::int64_t ok = 0;
  std::int64_t failed = 0;
  std::int64_t tokens = 0;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  bool operator==(const history_day&) const = default;
};

/// To the ledger: keep these days, each with its key's text (empty: all keys together) in place of the id.
struct keep_history {
  struct one {
    history_day day;
    secret key_text;
  };
  std::vector<one> days;
  bool dry_run = false;
};
struct history_report {
  std::uint64_t added = 0;
  std::uint64_t changed = 0; ///< were there with other sums
  std::uint64_t known = 0;
};
struct read_history {
  node_name node;        ///< empty: of all nodes
  std::int32_t from = 0; ///< the first day
  std::int32_t to = INT32_MAX;
  std::string after; ///< `next` of the page before; empty: from the first
  std::uint32_t limit = 100;
};
struct history_page {
  struct one {
    history_day day;
    std::int64_t records = 0; ///< that the ledger itself has of that UTC day, node and key; may be the same usage
  };
  std::vector<one> days; ///< by node, day, source, key and owner
  std::string next;      ///< empty: there are no more
};

} // namespace keyportal
