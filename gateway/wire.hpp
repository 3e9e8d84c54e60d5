// The bytes before a body: status line and headers, with the strict ones that every answer has. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "messages/http.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::gateway {

/// On every answer, whatever it is: what a browser may do with it.
std::span<const std::pair<std::string_view, std::string_view>> strict_headers();

/// The Content-Security-Policy of a page that pages of these origins may show in a frame; for an answer's own headers, where
/// it takes the place of the strict one.
std::string policy_with_frames(std::span<const std::string> origins);

/// Status line and headers up to and with the empty line. Headers of the answer whose name or value could break out of
/// its line are left out. A body in pieces is chunked. `Cache-Control: no-store` unless the answer has its own.
std::string response_head(const http_response& answer, bool keep_alive, bool http_1_0, moment now);

/// Whether an answer of that status has a body at all (1xx, 204 and 304 have none).
bool has_body(int status);

} // namespace keyportal::gateway
