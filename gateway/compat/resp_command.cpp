#include "gateway/compat/resp_command.hpp"

#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace keyportal::compat {

namespace {

constexpr std::int64_t most_words = 64;
constexpr std::int64_t longest_word = 64 << 10;
constexpr std::size_t longest_line = longest_word + 2;

struct line {
  command_state state = command_state::more;
  std::string_view text;
};

/// The line that begins at `at`, which moves behind it.
line line_at(std::string_view bytes, std::size_t& at) {
  const auto end = bytes.find('\n', at);
  if (end == std::string_view::npos)
    return {bytes.size() - at > longest_line ? command_state::malformed : command_state::more, {}};
  auto text = bytes.substr(at, end - at);
  if (text.size() > longest_line)
    return {command_state::malformed, {}};
  if (text.ends_with('\r'))
    text.remove_suffix(1);
  at = end + 1;
  return {command_state::whole, text};
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t n = 0;
  if (text.starts_with('+'))
    text.remove_prefix(1);
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (failed != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return n;
}

} // namespace

bool begins_resp(char first) { return std::string_view("*$+-:").find(first) != std::string_view::npos; }

command_state read_command(std::string_view bytes, std::vector<std::string>& words, std::size_t& used) {
  words.clear();
  used = 0;
  if (bytes.empty())
    return command_state::more;
  if (bytes.front() != '*')
    return command_state::malformed;
  std::size_t at = 0;
  const auto head = line_at(bytes, at);
  if (head.state != command_state::whole)
    return head.state;
  const auto count = number(head.text.substr(1));
  if (!count || *count < 0 || *count > most_words)
    return command_state::malformed;
  for (std::int64_t i = 0; i < *count; ++i) {
    if (at == bytes.size())
      return command_state::more;
    const char kind = bytes[at];
    if (kind != '$' && kind != '+' && kind != ':')
      return command_state::malformed;
    const auto text = line_at(bytes, at);
    if (text.state != command_state::whole)
      return text.state;
    if (kind != '$') {
      words.emplace_back(text.text.substr(1));
      continue;
    }
    const auto length = number(text.text.substr(1));
    if (!length || *length > longest_word)
      return command_state::malformed;
    if (*length < 0) { // null
      words.emplace_back();
      continue;
    }
    const auto size = static_cast<std::size_t>(*length);
    if (bytes.size() - at < size + 2)
      return command_state::more;
    if (bytes.substr(at + size, 2) != "\r\n")
      return command_state::malformed;
    words.emplace_back(bytes.substr(at, size));
    at += size + 2;
  }
  used = at;
  return command_state::whole;
}

std::string resp_error(std::string_view text) { return fmt::format("-ERR {}\r\n", text); }

void append_bulk(std::string& out, std::string_view text) {
  fmt::format_to(std::back_inserter(out), "${}\r\n", text.size());
  out += text;
  out += "\r\n";
}

void append_message(std::string& out, std::string_view channel, std::string_view payload) {
  out += "*3\r\n$7\r\nmessage\r\n";
  append_bulk(out, channel);
  append_bulk(out, payload);
}

} // namespace keyportal::compat
