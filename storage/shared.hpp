// What is written because several processes share a log: see docs/scale.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace keyportal::storage {

/// How far this ledger has followed the log that it shares with others; durable with the writes it came with.
struct shared_progress {
  std::uint64_t sequence = 0; ///< of the last message that was followed; ascending, with holes
  std::string cluster;        ///< whose log it is
  std::vector<std::pair<std::string, std::uint64_t>> fences; ///< of each duty the highest one seen, by name
  bool operator==(const shared_progress&) const = default;
};
/// Rows of notices and accounts as they are, written elsewhere with the same installation's key.
struct shared_rows {
  struct row {
    std::string key;
    std::optional<std::string> value; ///< not set: the row goes
    bool operator==(const row&) const = default;
  };
  std::vector<row> rows;
  bool operator==(const shared_rows&) const = default;
};

} // namespace keyportal::storage
