#include "gateway/target.hpp"

#include <optional>

namespace keyportal::gateway {

namespace {

constexpr std::size_t max_parameters = 64;

int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out.push_back(' ');
    } else if (text[i] == '%') {
      if (i + 2 >= text.size())
        return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0)
        return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// As `decoded`, where an escaped slash stays apart from those that part the path.
std::optional<std::string> decoded_path(std::string_view text) {
  std::string out;
  for (;;) {
    const auto slash = text.find('/');
    auto segment = decoded(text.substr(0, slash), false);
    if (!segment)
      return std::nullopt;
    for (char& c : *segment) {
      if (is_control(c) || c == '\\')
        return std::nullopt;
      c = c == '/' ? escaped_slash : c;
    }
    out += *segment;
    if (slash == std::string_view::npos)
      return out;
    out += '/';
    text.remove_prefix(slash + 1);
  }
}

} // namespace

bool read_target(std::string_view target, http_request& into) {
  if (target.empty() || target.front() != '/')
    return false;
  target = target.substr(0, target.find('#'));
  const auto question = target.find('?');
  auto path = decoded_path(target.substr(0, question));
  if (!path)
    return false;
  into.path = std::move(*path);
  into.query.clear();
  if (question == std::string_view::npos)
    return true;
  auto rest = target.substr(question + 1);
  while (!rest.empty()) {
    const auto end = rest.find('&');
    const auto pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (pair.empty())
      continue;
    if (into.query.size() == max_parameters)
      return false;
    const auto equals = pair.find('=');
    auto name = decoded(pair.substr(0, equals), true);
    auto value = decoded(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
    if (!name || !value)
      return false;
    into.query.emplace_back(std::move(*name), std::move(*value));
  }
  return true;
}

} // namespace keyportal::gateway
