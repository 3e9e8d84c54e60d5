// What other tools kept of usage, row by row: the original portal's usage.db and usage_history.csv, the databases of
// cpa-usage-keeper and CPA-Manager-Plus. Files in, rows out; asks and changes nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "messages/errors.hpp"

namespace keyportal::cli {

/// A row, or why it is refused.
struct source_row {
  std::string where;    ///< "usage_events, row 17", "line 3"
  nlohmann::json what;  ///< as the service takes it
  std::string refusal;  ///< empty: it is fine; never holds what is in the row
  std::string order;    ///< rows that may be the same one lie together: their order is the same
  std::string identity; ///< the same for two rows of one order that are the same record, or the same day
};

/// A model's price for a million tokens, as a tool had it.
struct peer_price {
  std::string model;
  std::string service_tier; ///< empty: for all
  std::string source;       ///< who said so: "manual", "litellm", …; empty: not told
  double input = 0, output = 0, cache_read = 0, cache_write = 0;
};
/// What a tool called a client key.
struct peer_alias {
  std::string key;        ///< its text, or
  std::string key_sha256; ///< in hexadecimal digits
  std::string alias;
};

/// One file. May be walked through as often as wanted and gives the same each time.
class usage_source {
public:
  virtual ~usage_source() = default;
  /// Whether rows are days that were added up, else they are records.
  [[nodiscard]] virtual bool has_days() const = 0;
  /// "usage-db", "usage-history" where it has days.
  [[nodiscard]] virtual std::string name() const = 0;
  /// Until `take` gives an error, which is returned. Rows never all lie in memory.
  [[nodiscard]] virtual caf::error each(const std::function<caf::error(source_row)>& take) const = 0;
  /// That what was given belongs together: nobody has changed the file meanwhile.
  [[nodiscard]] virtual caf::error unchanged() const { return {}; }
  /// Bad rows are left out of these.
  [[nodiscard]] virtual caf::expected<std::vector<peer_price>> prices() const { return std::vector<peer_price>{}; }
  [[nodiscard]] virtual caf::expected<std::vector<peer_alias>> aliases() const { return std::vector<peer_alias>{}; }
};

/// Each refuses what is another file with `file_malformed` or `file_unreadable` before a row is read.
caf::expected<std::unique_ptr<usage_source>> open_usage_db(const std::filesystem::path& file);
caf::expected<std::unique_ptr<usage_source>> open_keeper(const std::filesystem::path& file);
caf::expected<std::unique_ptr<usage_source>> open_manager_plus(const std::filesystem::path& file);
/// The whole text: it is small.
caf::expected<std::unique_ptr<usage_source>> open_usage_history(std::string csv);

/// "2026-05-04 10:20:30.123456789+08:00" and what else Go's SQLite drivers write, as RFC 3339; empty when it is no
/// moment or names no time zone.
std::string moment_of_go(const std::string& text);

} // namespace keyportal::cli
