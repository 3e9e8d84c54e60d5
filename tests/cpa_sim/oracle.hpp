// The stand-in's own memory of everything it ever recorded and of what became of it; it outlives kills and restarts.
#pragma once

#include "attempt.hpp"
#include "usage_queue.hpp"

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace keyportal::cpa_sim {

/// A record and the wall-clock millisecond it was recorded at (not when the attempt started).
struct remembered {
  std::int64_t recorded_at_ms = 0;
  record what;
  std::uint64_t number = 0; ///< 0: of a version without a queue
  std::uint64_t boot = 0;
  std::string fate;              ///< at birth: `queued`, `pushed`, `lost`, `none`
  std::vector<std::uint64_t> to; ///< subscribers it was given to
  std::string payload;           ///< the JSON of the queue, empty in brief lines
};

/// Two append-only files. FILE: one JSON object a record,
/// {"recorded_at":MS,"api":…,"model":…,"timestamp":…,"latency_ms":…,"source":…,"auth_index":…,"tokens":{…},"failed":…}
/// and from versions with a queue before the last brace ,"n":N,"boot":B,"fate":…,"to":[…],"payload":{…}.
/// FILE.fates: what happened to numbers later; see README.md. A line is in its file, by one write(2), before the
/// call returns; the caller shows records only after that. Thread-safe.
class oracle {
public:
  /// Opens or makes the files and cuts off a last line without end: that one was never shown. Empty path: files
  /// without a name, gone with the object.
  explicit oracle(std::string path);
  ~oracle();
  oracle(const oracle&) = delete;
  oracle& operator=(const oracle&) = delete;

  [[nodiscard]] const std::string& problem() const { return problem_; } ///< empty: usable
  /// Writes whole lines, one for each of `records` records.
  bool write(std::string_view lines, std::size_t records);
  /// A line of the fates; `fields` without braces. The wall clock is added.
  bool note(const std::string& fields, std::int64_t at_ms);
  /// The next free number of a record; taken by `write`.
  [[nodiscard]] std::uint64_t next_number() const;
  /// A new life begins; its number.
  std::uint64_t boot(const std::string& version, std::int64_t at_ms);

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::vector<remembered> records() const;
  [[nodiscard]] std::string fates() const; ///< text of the second file

private:
  int open_file(const std::string& path, std::string& text);

  std::string path_;
  std::string problem_;
  int records_fd_ = -1;
  int fates_fd_ = -1;
  mutable std::mutex lock_; // guards what follows
  std::size_t size_ = 0;
  std::uint64_t last_number_ = 0;
  std::uint64_t boots_ = 0;
};

/// Where a line of the oracle says a record went.
struct birth {
  std::string_view fate;
  std::string to;           ///< `[1,2]`, empty: nobody
  std::uint64_t number = 0; ///< 0: no queue in this version
  std::uint64_t boot = 0;
};
/// Appends the line of an attempt; an empty payload is left out.
void append_line(std::string& out, std::int64_t recorded_at_ms, const attempt& a, const traits& t, const birth& b,
                 std::string_view payload);

/// `[[1,4],[6,6]]`
std::string to_text(const record_ranges& ranges);

/// Reads the text of an oracle file; a torn last line and lines that are no record are left out.
std::vector<remembered> read_oracle(std::string_view text);

/// What became of a record in the end.
struct fate {
  std::string last; ///< `queued` (still there), `pushed`, `popped`, `unanswered`, `expired`, `lost`, `cleared`, `none`
  std::string by;   ///< who popped it: `http`, `resp`, `rival`
  std::vector<std::uint64_t> to;          ///< subscribers it was given to
  std::vector<std::uint64_t> undelivered; ///< of them, those whose socket never took it whole
};
/// By number of the record. Queued records of an ended life that nobody popped are `lost`.
std::map<std::uint64_t, fate> read_fates(const std::vector<remembered>& records, std::string_view fates);

} // namespace keyportal::cpa_sim
