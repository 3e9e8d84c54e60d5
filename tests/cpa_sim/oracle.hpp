// The stand-in's own memory of everything it ever recorded, which outlives kills and restarts.
#pragma once

#include "record.hpp"

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace keyportal::cpa_sim {

/// A record and the wall-clock millisecond it was recorded at (not when the attempt started).
struct remembered {
  std::int64_t recorded_at_ms = 0;
  record what;
};

/// Append-only list, one JSON object a line:
/// {"recorded_at":MS,"api":…,"model":…,"timestamp":…,"latency_ms":…,"source":…,"auth_index":…,"tokens":{…},"failed":…}
/// A batch is in the file, by one write(2), before `append` returns; the caller shows records only after that.
/// So a record in `/usage` is in the file whatever happens to the process. Thread-safe.
class oracle {
public:
  /// Opens or makes the file and cuts off a last line without end: that one was never shown. Empty path: memory only.
  explicit oracle(std::string path);
  ~oracle();
  oracle(const oracle&) = delete;
  oracle& operator=(const oracle&) = delete;

  [[nodiscard]] const std::string& problem() const { return problem_; } ///< empty: usable
  bool append(const std::vector<record>& records, std::int64_t recorded_at_ms);
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::vector<remembered> records() const;

private:
  std::string path_;
  std::string problem_;
  int fd_ = -1;
  mutable std::mutex lock_; // guards what follows
  std::size_t size_ = 0;
  std::string memory_;
};

/// Reads the text of an oracle file; a torn last line and lines that are no record are left out.
std::vector<remembered> read_oracle(std::string_view text);

} // namespace keyportal::cpa_sim
