#include "actors/access/one_time.hpp"

#include <fmt/format.h>

namespace keyportal {

namespace {

constexpr std::chrono::minutes code_life{10};
constexpr std::uint8_t code_tries = 5;

digest recovery_hash(const random_bits& key, std::string_view user, std::string_view typed) {
  return keyed_hash(key, {"recovery", user, typed});
}

digest code_hash(const random_bits& key, code_purpose purpose, std::string_view subject, std::string_view digits) {
  return keyed_hash(key, {"mailed", std::to_string(static_cast<int>(purpose)), subject, digits});
}

} // namespace

recovery_codes make_recovery_codes(const random_bits& key, std::string_view user, const recovery_bits& bits) {
  recovery_codes out;
  for (const auto& one : bits) {
    auto text = to_spoken(one);
    out.kept.push_back(recovery_hash(key, user, from_spoken(text)));
    out.shown.emplace_back(std::move(text));
  }
  return out;
}

std::optional<std::size_t> find_recovery_code(const random_bits& key, std::string_view user,
                                              const std::vector<digest>& kept, std::string_view typed) {
  auto text = from_spoken(typed);
  const auto hash = recovery_hash(key, user, text);
  wipe(text);
  std::optional<std::size_t> found;
  for (std::size_t at = 0; at < kept.size(); ++at)
    if (same_secret(kept[at], hash))
      found = at;
  return found;
}

fresh_code make_mailed_code(const random_bits& key, code_purpose purpose, std::string_view subject,
                            const random_bits& bits, moment now) {
  std::uint64_t number = 0; // of 64 bits 10^8 numbers are as good as equally likely
  for (std::size_t at = 0; at < 8; ++at)
    number = number << 8 | bits[at];
  const auto digits = fmt::format("{:08}", number % 100'000'000);
  return {secret{digits.substr(0, 4) + " " + digits.substr(4)},
          {code_hash(key, purpose, subject, digits), now + code_life, code_tries}};
}

caf::error try_mailed_code(mailed_code& kept, const random_bits& key, code_purpose purpose, std::string_view subject,
                           std::string_view typed, moment now) {
  if (kept.tries_left == 0 || now >= kept.until)
    return make_error(errc::code_over);
  auto digits = from_spoken(typed, 16);
  const bool same = same_secret(code_hash(key, purpose, subject, digits), kept.hash);
  wipe(digits);
  if (same) {
    kept.tries_left = 0;
    return caf::none;
  }
  --kept.tries_left;
  return make_error(kept.tries_left == 0 ? errc::code_over : errc::code_wrong);
}

fresh_invitation make_invitation(const random_bits& key, token_kind kind, const random_bits& bits, moment now,
                                 std::chrono::seconds lifetime, std::string email, std::uint32_t uses) {
  auto text = write_token(kind, bits);
  const auto hash = token_hash(key, kind, text.reveal());
  return {std::move(text), {hash, now + lifetime, std::move(email), uses}};
}

caf::error check_invitation(const invitation& kept, const random_bits& key, token_kind kind, std::string_view text,
                            std::string_view email, moment now) {
  if (auto wrong = check_token_text(kind, text))
    return code_of(wrong) == errc::token_mistyped ? wrong : make_error(errc::invitation_refused);
  const bool same = same_secret(token_hash(key, kind, text), kept.hash);
  if (!same || kept.uses_left == 0 || now >= kept.until || (!kept.email.empty() && kept.email != email))
    return make_error(errc::invitation_refused);
  return caf::none;
}

} // namespace keyportal
