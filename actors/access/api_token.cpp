#include "actors/access/api_token.hpp"

namespace keyportal {

caf::expected<fresh_token> make_api_token(const random_bits& key, const random_bits& bits, const random_bits& id_bits,
                                          user_id owner, user_role role, scope_set scopes, std::string label,
                                          moment now, moment until) {
  if (scopes.bits == 0 || !scopes_fit(role, scopes) || until <= now || until > now + longest_token_life)
    return make_error(errc::scope_refused);
  auto text = write_token(token_kind::api, bits);
  api_token kept;
  kept.id = "t" + to_base32(std::span{id_bits}.first<16>());
  kept.hash = token_hash(key, token_kind::api, text.reveal());
  kept.owner = std::move(owner);
  kept.label = std::move(label);
  kept.scopes = scopes;
  kept.created = now;
  kept.until = until;
  return fresh_token{std::move(text), std::move(kept)};
}

caf::expected<right_set> rights_of_token(const api_token& kept, const random_bits& key, std::string_view text,
                                         user_role owner_role, user_state owner_state, moment now) {
  if (auto wrong = check_token_text(token_kind::api, text))
    return wrong;
  const bool same = same_secret(token_hash(key, token_kind::api, text), kept.hash);
  if (!same || kept.revoked || now >= kept.until || owner_state != user_state::active)
    return make_error(errc::token_refused);
  return rights_of(owner_role, kept.scopes);
}

bool touch_token(api_token& kept, moment now) {
  if (now < kept.last_used + std::chrono::hours{1})
    return false;
  kept.last_used = now;
  return true;
}

} // namespace keyportal
