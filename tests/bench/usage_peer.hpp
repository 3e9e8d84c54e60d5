// The same records and questions in SQLite: events with sensible indexes and hourly sums, as the best of today's tools
// keep them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "messages/records.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace keyportal::bench {

class usage_peer {
public:
  explicit usage_peer(const std::filesystem::path& file);
  ~usage_peer();
  usage_peer(const usage_peer&) = delete;
  usage_peer& operator=(const usage_peer&) = delete;

  void insert(const std::string& node, const std::vector<record_group>& groups); ///< in one transaction
  void finish();                                                                 ///< makes indexes and hourly sums
  /// How many rows the answer has. `?1` and `?2` are `from` and `to` in nanoseconds.
  std::size_t ask(const char* question, std::int64_t from_ns, std::int64_t to_ns);

private:
  void run(const char* sql);
  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

} // namespace keyportal::bench
