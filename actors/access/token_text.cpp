#include "actors/access/token_text.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>

namespace keyportal {

namespace {

constexpr std::array<std::string_view, 3> heads{"kpt_", "kpi_", "kpb_"};
constexpr std::size_t random_size = 52, check_size = 7;

std::string_view head_of(token_kind kind) { return heads[static_cast<std::size_t>(kind)]; }

std::string check_digits(std::string_view text) { return to_base32(sha256(text)).substr(0, check_size); }

} // namespace

secret write_token(token_kind kind, const random_bits& bits) {
  std::string text;
  text.reserve(head_of(kind).size() + random_size + check_size);
  auto random = to_base32(bits);
  text.append(head_of(kind)).append(random);
  text += check_digits(text);
  wipe(random);
  return secret{std::move(text)};
}

caf::error check_token_text(token_kind kind, std::string_view text) {
  const auto head = head_of(kind);
  if (!text.starts_with(head))
    return make_error(errc::token_refused);
  const auto body = text.substr(head.size());
  const bool plain =
    std::all_of(body.begin(), body.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
  constexpr std::size_t size = random_size + check_size;
  if (!plain || body.size() + 4 < size || body.size() > size + 4)
    return make_error(errc::token_refused);
  if (body.size() != size || check_digits(text.substr(0, text.size() - check_size)) != body.substr(random_size))
    return make_error(errc::token_mistyped);
  return caf::none;
}

std::optional<token_kind> kind_of_token(std::string_view text) {
  for (std::size_t at = 0; at < heads.size(); ++at)
    if (text.starts_with(heads[at]))
      return static_cast<token_kind>(at);
  return std::nullopt;
}

digest token_hash(const random_bits& key, token_kind kind, std::string_view text) {
  return keyed_hash(key, {"token", head_of(kind), text});
}

} // namespace keyportal
