// Records that come in order of time and are wanted by list: written to a file as they come, then sorted there, so that
// neither their number nor that of their lists takes memory worth mentioning. Each is read from the ledger once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include <caf/expected.hpp>

#include "actors/exporter/scratch_file.hpp"
#include "messages/records.hpp"
#include "storage/values.hpp"

namespace keyportal {

/// What a document says of a record within its list.
struct listed_record {
  std::int64_t at_ns = 0;
  std::int64_t latency_ms = 0;
  token_counts tokens;
  storage::name_number source = 0, auth_index = 0;
  std::int16_t offset_minutes = 0;
  bool failed = false;
};

/// First `add` all, then `sort`, then `read`. One thread.
class listed_records {
public:
  /// `held`: so many are in memory at a time, at least one. `folder`: of the files, see scratch_file.
  listed_records(std::filesystem::path folder, std::uint64_t held);
  ~listed_records();

  [[nodiscard]] caf::error add(std::uint32_t list, const listed_record& record);
  /// `place_of`: of each list, by its number, the place it shall have. `sizes`: of each place how many there are.
  [[nodiscard]] caf::error sort(const std::vector<std::uint32_t>& place_of, const std::vector<std::uint64_t>& sizes);
  /// The record at `part` of the list at that place, in the order in which they were added. Neighbours cost next to
  /// nothing. Valid until the next call.
  [[nodiscard]] caf::expected<const listed_record*> read(std::uint64_t place, std::uint64_t part);

private:
  struct row;
  /// Places that lie together in the file; more than one only where all of them can be held.
  struct bunch {
    std::uint64_t first_place = 0, places = 0;
    std::uint64_t begin = 0, records = 0; ///< in the file, in rows
  };
  [[nodiscard]] caf::error flush();
  [[nodiscard]] row row_of(std::uint32_t list, const listed_record& record);
  void take(const row& from, listed_record& to) const;
  [[nodiscard]] caf::error hold(std::size_t which, std::uint64_t part);

  std::filesystem::path folder_;
  std::uint64_t most_held_;
  scratch_file file_; ///< as they came, then by place
  std::uint64_t written_ = 0;
  std::vector<row> rows_;              ///< being written, or read
  std::vector<listed_record> odd_; ///< those that do not fit a row
  std::vector<bunch> bunches_;
  std::vector<std::uint64_t> begins_; ///< of each place, in rows
  std::vector<std::uint64_t> sizes_;
  std::vector<listed_record> held_; ///< rows of the file from `held_from_` on, by place
  std::uint64_t held_from_ = 0;
};

} // namespace keyportal
