// A log that several processes append to and follow: the port, and one in memory that tests use.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>

#include "messages/errors.hpp"

namespace keyportal::cluster {

/// Positions begin at 1 and have no holes.
using stream_position = std::uint64_t;

struct stream_entry {
  stream_position position = 0;
  std::string id; ///< as it was given to `append`
  std::string bytes;
  bool operator==(const stream_entry&) const = default;
};

struct append_result {
  enum class kind : std::uint8_t {
    done,     ///< it is in the log, at `position`, and will not go
    conflict, ///< the log has gone on beyond what was expected; it is not in it and will not be
    unknown,  ///< it may be in the log, now or later; appending the same again finds out
    failed,   ///< it is not in the log and will not be; `why` says what to do
  };
  kind what = kind::failed;
  stream_position position = 0; ///< done: the entry's; conflict: the log's end, as far as it is known
  caf::error why = {};          ///< unknown and failed
};

/// Gets what is in the log from a position on, in order, each once, until it is destroyed.
class stream_follower {
public:
  virtual ~stream_follower() = default;
};

struct follow_callbacks {
  std::function<void(std::vector<stream_entry>)> on_entries; ///< on a thread of the follower
  std::function<void(const caf::error&)> on_link = {};       ///< no error: it follows; else why it does not now
};

/// All may be called from any thread; each but `follow` blocks for two seconds at most, whatever the other side does.
class stream_log {
public:
  virtual ~stream_log() = default;

  /// Appends behind `expected`, or not at all. `id` is of this entry alone and of at most 128 letters, digits and "-_./". The
  /// same entry with the same expectation may be appended again: it is in the log once, and the answer is its position.
  virtual append_result append(stream_position expected, std::string_view id, std::string_view bytes) = 0;
  /// What the log's keeper says its end is. A keeper that was deposed and does not know it yet may say an older one: only
  /// `append` is proof.
  virtual caf::expected<stream_position> end() = 0;
  /// At most `limit` entries behind `after`; fewer only where the log ends or they are large.
  virtual caf::expected<std::vector<stream_entry>> read(stream_position after, std::size_t limit) = 0;
  virtual std::unique_ptr<stream_follower> follow(stream_position after, follow_callbacks told) = 0;
};

/// Longer entries are refused (`body_too_large`): they must fit a message.
inline constexpr std::size_t longest_stream_entry = 900 * 1024;
[[nodiscard]] bool is_entry_id(std::string_view id);
/// Why it cannot be appended anywhere; no error: it can.
[[nodiscard]] caf::error unfit(std::string_view id, std::string_view bytes);

/// Ends with its last owner; every log of one `memory_stream` is the same one.
class memory_stream;
[[nodiscard]] std::shared_ptr<memory_stream> make_memory_stream();
[[nodiscard]] std::unique_ptr<stream_log> open_log(std::shared_ptr<memory_stream> stream);

} // namespace keyportal::cluster
