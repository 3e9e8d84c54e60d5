#include "actors/access/registration_rules.hpp"

#include <array>

namespace keyportal {

namespace {

constexpr std::array<std::string_view, 5> names{"closed", "open", "domain", "invitation", "approval"};

/// What is behind the only @; empty when there is none or more.
std::string_view domain_of(std::string_view email) {
  const auto at = email.find('@');
  if (at == email.npos || at == 0 || email.find('@', at + 1) != email.npos)
    return {};
  return email.substr(at + 1);
}

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (a.size() != b.size())
    return false;
  for (std::size_t at = 0; at < a.size(); ++at)
    if (lower(a[at]) != lower(b[at]))
      return false;
  return true;
}

} // namespace

std::string_view to_text(registration_mode mode) { return names[static_cast<std::size_t>(mode)]; }

std::optional<registration_mode> registration_mode_of(std::string_view text) {
  for (std::size_t at = 0; at < names.size(); ++at)
    if (names[at] == text)
      return static_cast<registration_mode>(at);
  return std::nullopt;
}

bool is_of_domains(std::string_view email, const std::vector<std::string>& domains) {
  const auto domain = domain_of(email);
  if (domain.empty())
    return false;
  for (const std::string_view allowed : domains) {
    if (allowed.starts_with("*.")) {
      const auto below = allowed.substr(1); // with the dot, so that notexample.com is not below example.com
      if (domain.size() > below.size() && same_letters(domain.substr(domain.size() - below.size()), below))
        return true;
    } else if (!allowed.empty() && same_letters(domain, allowed)) {
      return true;
    }
  }
  return false;
}

caf::expected<registration_outcome> judge_registration(const registration_rules& rules, const registration_ask& ask) {
  if (rules.mode == registration_mode::closed)
    return make_error(errc::registration_closed);
  if (domain_of(ask.email).empty())
    return make_error(errc::name_refused, "e-mail address");
  const bool by_domain = rules.mode == registration_mode::domain;
  if (!ask.invited) {
    if (rules.mode == registration_mode::invitation)
      return make_error(errc::invitation_refused);
    if ((by_domain || !rules.domains.empty()) && !is_of_domains(ask.email, rules.domains))
      return make_error(errc::registration_domain);
    if (rules.mode == registration_mode::approval && (ask.reason.size() < 3 || ask.reason.size() > 500))
      return make_error(errc::reason_needed);
  }
  // An address that nobody proved says nothing about its domain.
  if (!ask.address_proven && (rules.prove_address || by_domain))
    return registration_outcome::prove_address;
  return rules.mode == registration_mode::approval && !ask.invited ? registration_outcome::wait
                                                                   : registration_outcome::admit;
}

} // namespace keyportal
