#include "actors/key_registry/registry_text.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "messages/errors.hpp"
#include "messages/records.hpp"

namespace keyportal {

namespace {

constexpr std::size_t longest_name = 200;
constexpr std::size_t longest_email = 254; // RFC 5321

caf::error refused(std::string_view what, std::string_view why) {
  return make_error(errc::name_refused, fmt::format("{} {}", what, why)); // never the text itself
}

/// The next code point; nothing for what is no UTF-8.
std::optional<char32_t> next_code_point(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
  if (size == 0 || text.size() < size)
    return std::nullopt;
  char32_t out = size == 1 ? lead : lead & (0xFF >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >> 6 != 2)
      return std::nullopt;
    out = out << 6 | (byte & 0x3F);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (out < least[size] || out > 0x10FFFF || (out >= 0xD800 && out <= 0xDFFF))
    return std::nullopt;
  text.remove_prefix(size);
  return out;
}

/// Invisible characters, and those that make text show otherwise than it is (UAX 9).
bool misleads(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || (c >= 0x200B && c <= 0x200F)
         || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF0 && c <= 0xFFFB)
         || (c >= 0xE0000 && c <= 0xE0FFF);
}

} // namespace

caf::expected<std::string> tidy_name(std::string_view what, std::string_view text, bool may_be_empty) {
  text = trimmed(text);
  if (text.empty())
    return may_be_empty ? caf::expected<std::string>{std::string{}} : refused(what, "is empty");
  if (text.size() > longest_name)
    return refused(what, fmt::format("is longer than {} bytes", longest_name));
  if (std::string_view{"=+-@"}.find(text[0]) != std::string_view::npos)
    return refused(what, "begins as a formula does");
  for (auto rest = text; !rest.empty();) {
    const auto c = next_code_point(rest);
    if (!c)
      return refused(what, "is no UTF-8");
    if (misleads(*c))
      return refused(what, "has characters that cannot be seen or turn the direction of writing");
    if (*c == '<' || *c == '>')
      return refused(what, "has angle brackets");
  }
  return std::string{text};
}

caf::expected<std::string> tidy_email(std::string_view text) {
  std::string out{trimmed(text)};
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  const auto at = out.find('@');
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
           || std::string_view{".!#$%&'*+/=?^_`{|}~-"}.find(c) != std::string_view::npos;
  };
  const std::string_view view{out};
  const auto local = view.substr(0, std::min(at, view.size()));
  const auto domain = at == out.npos ? std::string_view{} : view.substr(at + 1);
  const bool whole =
    !local.empty() && local.size() <= 64 && std::string_view{"=+-@"}.find(local[0]) == std::string_view::npos
    && std::all_of(local.begin(), local.end(), fits) && out.size() <= longest_email && domain.find('.') != domain.npos
    && !domain.starts_with('.') && !domain.ends_with('.') && domain.find("..") == domain.npos
    && std::all_of(domain.begin(), domain.end(),
                   [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'; });
  if (!whole)
    return refused("the e-mail address", "is none");
  return out;
}

caf::expected<std::string> tidy_group(std::string_view text) {
  if (text.empty() || text.size() > 32 || !std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      }))
    return refused("a group", "is not 1 to 32 of a-z, 0-9 and -");
  return std::string{text};
}

} // namespace keyportal
