// What members say to each other, as bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "messages/events.hpp"
#include "messages/http.hpp"

namespace keyportal {

struct forwarded {
  http_request request;
  bool by_control = false;
};
std::string encode(const forwarded& what);
bool decode(std::string_view in, forwarded& out);

/// Without `pieces`.
std::string encode(const http_response& what);
bool decode(std::string_view in, http_response& out);

std::string encode(const node_condition& what);
bool decode(std::string_view in, node_condition& out);

} // namespace keyportal
