#include "gateway/host_rules.hpp"

#include <algorithm>
#include <optional>

namespace keyportal::gateway {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return out;
}

struct authority {
  std::string name; ///< lower case
  std::string port; ///< empty if none was given
};

/// "name", "name:port", "[v6]" or "[v6]:port"; nothing for anything else.
std::optional<authority> read_authority(std::string_view text) {
  if (text.empty() || text.size() > 300)
    return std::nullopt;
  std::size_t end = 0;
  if (text.front() == '[') {
    end = text.find(']');
    if (end == std::string_view::npos)
      return std::nullopt;
    ++end;
  } else {
    end = std::min(text.find(':'), text.size());
  }
  authority out{lower(text.substr(0, end)), {}};
  if (out.name.empty() || out.name.find_first_of(" \t/\\@?#%") != std::string::npos)
    return std::nullopt;
  if (end == text.size())
    return out;
  const auto port = text.substr(end);
  if (port.front() != ':' || port.size() < 2 || port.size() > 6
      || port.find_first_not_of("0123456789", 1) != std::string_view::npos)
    return std::nullopt;
  out.port = std::string(port.substr(1));
  return out;
}

} // namespace

host_rules::host_rules(std::string_view listen_address, const std::vector<std::string>& more)
  : names_{"127.0.0.1", "localhost", "[::1]"} {
  const auto add = [this](std::string_view text) {
    const bool bare_v6 = std::count(text.begin(), text.end(), ':') > 1 && text.front() != '[';
    const auto read = read_authority(bare_v6 ? "[" + std::string(text) + "]" : std::string(text));
    if (read)
      names_.push_back(read->name);
  };
  if (listen_address != "0.0.0.0" && listen_address != "::")
    add(listen_address);
  for (const auto& name : more)
    add(name);
}

bool host_rules::takes(std::string_view host_header) const {
  const auto host = read_authority(host_header);
  return host && std::find(names_.begin(), names_.end(), host->name) != names_.end();
}

bool same_origin(std::string_view origin, std::string_view host_header) {
  const bool tls = origin.starts_with("https://");
  if (!tls && !origin.starts_with("http://"))
    return false;
  const auto default_port = tls ? "443" : "80";
  auto from = read_authority(origin.substr(tls ? 8 : 7));
  auto to = read_authority(host_header);
  if (!from || !to)
    return false;
  if (from->port.empty())
    from->port = default_port;
  if (to->port.empty())
    to->port = default_port;
  return from->name == to->name && from->port == to->port;
}

} // namespace keyportal::gateway
