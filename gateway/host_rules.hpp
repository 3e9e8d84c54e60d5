// Which Host and Origin headers are ours. Pure.
//
// A page of a foreign site can make a browser talk to 127.0.0.1 under that site's own name (DNS rebinding). The browser
// then still sends that name as Host, so a name that nobody gave us is refused, whatever address it came in by.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keyportal::gateway {

class host_rules {
public:
  /// Takes 127.0.0.1, localhost, [::1], the address listened on unless it is a wildcard, and `more`: names or
  /// addresses without port; a port given with one is ignored.
  host_rules(std::string_view listen_address, const std::vector<std::string>& more);

  /// Whether a Host header names us. The port is not compared: it may be forwarded from another one.
  [[nodiscard]] bool takes(std::string_view host_header) const;

private:
  std::vector<std::string> names_; ///< lower case, IPv6 in brackets
};

/// Whether an Origin header is that of a page from `host_header`, port included ("null" never is).
bool same_origin(std::string_view origin, std::string_view host_header);

} // namespace keyportal::gateway
