#include "actors/account_keeper/account_fold.hpp"

#include <algorithm>
#include <array>

namespace keyportal {

namespace {

using namespace std::chrono_literals;

bool says_login(std::string_view message) {
  static constexpr std::array words{"unauthorized",         "invalid_grant",        "401",          "token_expired",
                                    "refresh_token_reused", "authentication_error", "token_revoked"};
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return message.find(word) != std::string_view::npos; });
}

bool says_quota(std::string_view message) {
  static constexpr std::array words{"quota", "usage_limit", "429", "rate_limit", "RESOURCE_EXHAUSTED"};
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return message.find(word) != std::string_view::npos; });
}

bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'
         || c == '+' || c == '/' || c == '=';
}

} // namespace

account_finding fold_account(const account_facts& facts, moment now) {
  const auto& f = *facts.file;
  const auto lead = facts.provider != nullptr ? facts.provider->lead : 0s;
  if (f.disabled)
    return {account_condition::off, "an admin switched it off", {}};
  if (f.status == "error" && says_login(f.message))
    return {account_condition::login_needed, "the provider does not accept it any more; its owner signs in anew", {}};
  if (facts.provider_status == 401)
    return {account_condition::login_needed, "the provider refused it when it was asked; its owner signs in anew", {}};
  if (facts.provider_status == 402)
    return {account_condition::login_needed, "the provider says that it is not paid for any more", {}};
  // Before 6.7.25 a token that was renewed was not always written to the file, whose date then says nothing.
  const auto version = version_number(facts.version);
  const bool dates_count = (version == 0 || version >= 6'007'025) && lead > 0s;
  if (dates_count && facts.token_ends && *facts.token_ends + 10min < now)
    return {account_condition::login_needed, "its token ended and was not renewed; its owner signs in anew", {}};
  // What renews a few minutes before the end gives no warning: it is over before it can be told.
  if (dates_count && lead > 15min && facts.token_ends && *facts.token_ends - now < lead - 15min)
    return {account_condition::not_renewed,
            "its token should have been renewed by now; when it ends its owner has to sign in anew",
            {}};
  if (f.unavailable && f.rests_until && *f.rests_until > now)
    return {account_condition::resting,
            says_quota(f.message) ? "its quota is used up" : "the provider asked it to wait", f.rests_until};
  if (f.status == "error")
    return {account_condition::degraded, "its last request for some model failed; others may work", {}};
  return {account_condition::fine, "it works", {}};
}

std::string shown_error(std::string_view message) {
  constexpr std::size_t longest = 300, longest_word = 40;
  std::string out;
  for (std::size_t i = 0; i < message.size() && out.size() < longest;) {
    auto end = i;
    while (end < message.size() && is_token_character(message[end]))
      ++end;
    if (end - i > longest_word) // may be a token or a key
      out += "[…]";
    else
      out.append(message.substr(i, std::max<std::size_t>(end - i, 1)));
    i = std::max(end, i + 1);
  }
  for (auto& c : out)
    if (static_cast<unsigned char>(c) < 0x20)
      c = ' ';
  return out;
}

} // namespace keyportal
