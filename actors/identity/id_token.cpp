#include "actors/identity/id_token.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "actors/identity/text_codes.hpp"
#include "actors/key_registry/registry_text.hpp"
#include "messages/errors.hpp"

namespace keyportal::identity {

namespace {

using nlohmann::json;

constexpr std::size_t token_limit = std::size_t{64} << 10;

caf::error refused(const char* why) { return make_error(errc::id_token_refused, why); }

const json* member(const json& of, const char* name) {
  const auto found = of.find(name);
  return found == of.end() ? nullptr : &*found;
}

bool is_text(const json* value, std::string_view text) {
  return value && value->is_string() && value->get_ref<const std::string&>() == text;
}

/// Seconds since 1970, where it is a number that can be such.
std::optional<std::int64_t> seconds_at(const json& of, const char* name) {
  const auto* value = member(of, name);
  if (!value || !value->is_number())
    return std::nullopt;
  const auto number = value->get<double>();
  constexpr double far = 1e11; // beyond the year 5000
  return std::isfinite(number) && number > -far && number < far ? std::optional(static_cast<std::int64_t>(number))
                                                                : std::nullopt;
}

caf::error check_audience(const json& claims, const std::string& client_id) {
  const auto* audience = member(claims, "aud");
  const auto* party = member(claims, "azp");
  bool ours = is_text(audience, client_id);
  if (audience && audience->is_array()) {
    ours = std::any_of(audience->begin(), audience->end(), [&](const auto& one) { return is_text(&one, client_id); });
    if (audience->size() > 1 && !party)
      return refused("for several parties, without saying for which");
  }
  if (!ours)
    return refused("for another party");
  if (party && !is_text(party, client_id))
    return refused("given to another party");
  return {};
}

caf::error check_times(const json& claims, moment now) {
  const auto at = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const auto skew = clock_skew.count();
  const auto end = seconds_at(claims, "exp"), made = seconds_at(claims, "iat");
  if (!end || !made)
    return refused("without its times");
  if (at >= *end + skew)
    return refused("expired; if it always is, a clock is wrong");
  if (*made > at + skew)
    return refused("of the future; if it always is, a clock is wrong");
  if (member(claims, "nbf")) {
    const auto begin = seconds_at(claims, "nbf");
    if (!begin || *begin > at + skew)
      return refused("of the future; if it always is, a clock is wrong");
  }
  return {};
}

caf::expected<person_claims> person_of(const json& claims) {
  person_claims out;
  const auto* subject = member(claims, "sub");
  if (subject && subject->is_string())
    out.subject = subject->get<std::string>();
  if (out.subject.empty() || out.subject.size() > 255
      || !std::all_of(out.subject.begin(), out.subject.end(), [](char c) { return c >= 0x20 && c < 0x7f; }))
    return refused("without a proper subject");
  for (const auto* name : {"name", "preferred_username"})
    if (const auto* value = member(claims, name); value && value->is_string() && out.name.empty())
      if (auto tidy = tidy_name("name", value->get_ref<const std::string&>(), false))
        out.name = std::move(*tidy);
  const auto* verified = member(claims, "email_verified"); // some issuers write it as a text
  const auto* email = member(claims, "email");
  if (email && email->is_string() && verified && (*verified == true || is_text(verified, "true")))
    if (auto tidy = tidy_email(email->get_ref<const std::string&>()))
      out.email = std::move(*tidy);
  return out;
}

} // namespace

caf::expected<person_claims> read_id_token(std::string_view token, const signing_keys& keys, const token_terms& terms) {
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (token.size() > token_limit || second == std::string_view::npos
      || token.find('.', second + 1) != std::string_view::npos)
    return refused("no signed token");
  const auto head_text = from_base64url(token.substr(0, first));
  const auto claims_text = from_base64url(token.substr(first + 1, second - first - 1));
  const auto signature = from_base64url(token.substr(second + 1));
  if (!head_text || !claims_text || !signature)
    return refused("no signed token");

  const auto head = json::parse(*head_text, nullptr, false);
  if (!head.is_object())
    return refused("no signed token");
  const auto* algorithm = member(head, "alg");
  if (!algorithm || !algorithm->is_string() || !is_allowed_algorithm(algorithm->get_ref<const std::string&>()))
    return refused("signed in a way that is not taken");
  if (member(head, "crit")) // "refuse it unless you understand this", and we do not
    return refused("with extensions that are not understood");
  std::optional<std::string> name;
  if (const auto* kid = member(head, "kid")) {
    if (!kid->is_string())
      return refused("no signed token");
    name = kid->get<std::string>();
  }
  // Keys come from the issuer's own address only: "jwk", "jku" and "x5u" of the token are not looked at.
  switch (keys.check(algorithm->get_ref<const std::string&>(), name, token.substr(0, second), *signature)) {
    case signing_keys::verdict::genuine: break;
    case signing_keys::verdict::no_such_key: return make_error(errc::provider_key_unknown);
    case signing_keys::verdict::forged: return refused("its signature is wrong");
  }

  const auto claims = json::parse(*claims_text, nullptr, false);
  if (!claims.is_object())
    return refused("no signed token");
  if (!is_text(member(claims, "iss"), terms.issuer))
    return refused("of another issuer");
  if (auto wrong = check_audience(claims, terms.client_id))
    return wrong;
  if (auto wrong = check_times(claims, terms.now))
    return wrong;
  const auto* nonce = member(claims, "nonce");
  if (terms.nonce.empty() || !nonce || !nonce->is_string()
      || !same_text(nonce->get_ref<const std::string&>(), terms.nonce))
    return refused("of another sign-in");
  return person_of(claims);
}

caf::expected<person_claims> read_person(std::string_view text) {
  const auto claims = json::parse(text, nullptr, false);
  if (!claims.is_object())
    return refused("without a proper subject");
  return person_of(claims);
}

} // namespace keyportal::identity
