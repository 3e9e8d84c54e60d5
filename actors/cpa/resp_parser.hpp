// Reads RESP2 replies (Redis's protocol, in which CPA serves its usage queue) out of bytes as they arrive. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <caf/error.hpp>

namespace keyportal::cpa {

/// What a peer may make us hold. Whatever is announced beyond them is refused before room is made for it.
struct resp_limits {
  std::size_t max_depth = 4;                          ///< arrays within arrays; CPA has one level
  std::size_t max_elements = 2'000'000;               ///< of one reply, all levels together
  std::size_t max_bulk_bytes = 16U << 20;             ///< of one string
  std::size_t max_reply_bytes = std::size_t{1} << 30; ///< of one whole reply
};

/// One value. An array is followed by its elements; arrays among these by theirs.
struct resp_value {
  enum class type : std::uint8_t { status, error, integer, bulk, null, array };
  type kind = type::null;
  std::string_view text;   ///< of status, error and bulk; lies in the parser's buffer
  std::int64_t number = 0; ///< the integer; of an array: how many elements it has
  bool operator==(const resp_value&) const = default;
};

/// Incremental parser over a buffer it owns; nothing is copied out of it. No threads.
/// Receive into `room(…)`, say `received(n)`, then call `next()` until it says `incomplete`.
class resp_parser {
public:
  enum class step : std::uint8_t { reply, incomplete, refused };

  explicit resp_parser(resp_limits limits = {});

  /// Where the next bytes go: at least `size` of them. Ends the life of all views given out so far.
  std::span<char> room(std::size_t size);
  /// The first `size` bytes of the last `room` are filled.
  void received(std::size_t size);
  /// Both in one, for bytes that are somewhere else. Ends the life of all views given out so far.
  void feed(std::string_view bytes);

  /// Goes on to the next whole reply. Once `refused` it stays so until `reset`. The same bytes give the same replies
  /// and the same refusal however they are cut into pieces.
  step next();
  /// After `reply`: the value and everything in it, in the order of the wire. The span lives until the next call of
  /// `next`; the texts in it until the next `room` or `feed`.
  [[nodiscard]] std::span<const resp_value> reply() const { return values_; }
  /// After `incomplete`: the values of the unfinished reply that are whole. What a peer took out of its queue before
  /// it went away is in them.
  [[nodiscard]] std::span<const resp_value> unfinished() const { return done_ ? decltype(reply()){} : reply(); }
  /// After `refused`: node_answer_malformed or node_answer_too_large, with the reason and nothing of the peer's text.
  [[nodiscard]] const caf::error& problem() const { return problem_; }

  /// Bytes that belong to no finished reply yet.
  [[nodiscard]] std::string_view waiting() const {
    return {data_.get() + start_of_waiting(), end_ - start_of_waiting()};
  }
  /// Forgets everything, for a new connection.
  void reset();

private:
  step refuse(bool too_large, const char* reason);
  bool push_message();
  step line();
  step bulk();
  step begin(char type, std::int64_t number);
  void add(resp_value::type kind, std::string_view text = {}, std::int64_t number = 0);
  void move_to(char* data);
  [[nodiscard]] std::size_t start_of_waiting() const { return done_ ? at_ : start_; }

  resp_limits limits_;
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t start_ = 0; ///< of the reply under way
  std::size_t at_ = 0;    ///< where reading goes on
  std::size_t end_ = 0;   ///< of what was received
  std::vector<resp_value> values_;
  std::vector<std::int64_t> open_; ///< elements that each open array still lacks, outermost first
  std::size_t announced_ = 0;      ///< elements of the reply under way
  std::int64_t bulk_ = -1;         ///< size of the string under way; -1: none
  bool done_ = true;               ///< `values_` is a whole reply, or nothing was begun
  caf::error problem_;
};

/// The payload of `message <channel> <payload>`, which subscribers are sent.
struct resp_message {
  std::string_view channel;
  std::string_view payload;
};
/// Whether a reply is such a message, and which.
bool read_message(std::span<const resp_value> reply, resp_message& into);

} // namespace keyportal::cpa
