// A request and its answer, with the few liberties that faults need.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keyportal::cpa_sim {

struct request {
  std::string method;
  std::string path;                                         ///< as sent, without query
  std::string query;                                        ///< as sent, without '?'
  std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case, values trimmed
  std::string body;
  std::string peer; ///< address of the other end

  /// First header of that (lower-case) name, null when absent.
  [[nodiscard]] const std::string* header(std::string_view name) const;
  /// First query parameter of that name, decoded.
  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
};

/// How an answer leaves the server. The default is: at once and whole.
struct delivery {
  std::chrono::milliseconds delay{0};
  std::size_t bytes_per_second = 0;     ///< 0: as fast as it goes
  std::optional<std::size_t> cut_after; ///< close after so many bytes of the body
  std::size_t padding = 0;              ///< so many blanks before the body, sent chunked
  bool never = false;                   ///< say nothing, keep the connection open
  bool close_silently = false;          ///< the work is done, the answer is lost
};

struct answer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers; ///< sent in alphabetic order, as Go does
  std::string body;
  std::vector<std::string> chunks; ///< when not empty: a stream, each its own chunk
  bool length = true;              ///< false: neither Content-Length nor a body
  delivery how;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> popped; ///< records the queue gave away for this answer
};

/// `K` of `Bearer K` (any case, one blank); nothing for another form.
std::optional<std::string> bearer_value(std::string_view authorization);

/// The parameter decoded: `+` and %XX.
std::string url_decoded(std::string_view text);

/// Reason phrase of a status.
std::string_view reason(int status);

/// The bytes of status line and headers for `a`, in the order and spelling of Go's server.
/// `framing` says whether the body is announced by its length or chunked.
enum class framing { length, chunked, none };
std::string head_of(const answer& a, framing f, std::size_t length, bool close, std::string_view date);

/// Now, as the Date header writes it.
std::string http_date();

} // namespace keyportal::cpa_sim
