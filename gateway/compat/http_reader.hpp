// Reads HTTP/1.x requests from a connection. The server library stays behind this header.
#pragma once

#include <memory>
#include <optional>
#include <streambuf>
#include <string>
#include <vector>

#include "gateway/compat/line.hpp"
#include "messages/http.hpp"

namespace keyportal::compat {

/// Requests of one connection, one after the other: `head`, then `body` until it gives nothing more.
class http_reader {
public:
  /// `first`: what was read from the connection already.
  http_reader(line& from, std::string first);
  ~http_reader();

  enum class outcome : std::uint8_t {
    request,
    end,       ///< the other end is gone, or was silent for too long
    malformed, ///< no HTTP, or nothing that may be answered but with 400
    too_large, ///< its head
  };
  /// The next request, without its body. What was left of the body before is passed over; `end` when that is much.
  outcome head(http_request& into);
  /// As it stood in the request line.
  [[nodiscard]] const std::string& target() const;
  [[nodiscard]] bool keep_alive() const;
  [[nodiscard]] bool http_1_0() const;
  [[nodiscard]] bool expects_continue() const;

  enum class piece : std::uint8_t { bytes, end, broken, too_large };
  /// More of the body. At most `limit` bytes of it in all.
  piece body(char* to, std::size_t most, std::size_t& n);
  void limit_body(std::uint64_t bytes);
  /// Whether all of the body was read.
  [[nodiscard]] bool body_read() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// A body as a stream; `how` says afterwards how it ended.
class body_stream : public std::streambuf {
public:
  explicit body_stream(http_reader& from) : from_(from), block_(64 << 10) {}
  [[nodiscard]] http_reader::piece how() const { return how_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

protected:
  int_type underflow() override;

private:
  http_reader& from_;
  std::vector<char> block_;
  http_reader::piece how_ = http_reader::piece::bytes;
  std::uint64_t bytes_ = 0;
};

} // namespace keyportal::compat
