#include "actors/access/access_rules.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "actors/access/access_events.hpp"
#include "actors/access/registration_rules.hpp"

using namespace keyportal;

namespace {

std::vector<right> all_rights() {
  std::vector<right> out;
  for (std::size_t n = 0; n < right_count; ++n)
    out.push_back(static_cast<right>(n));
  return out;
}

bool starts(right one, std::string_view head) { return to_text(one).starts_with(head); }

} // namespace

// --- roles and scopes --------------------------------------------------------------

TEST_CASE("A user has his own, an auditor reads everything, an admin has all") {
  for (const auto one : all_rights()) {
    INFO(to_text(one));
    CHECK(rights_of(user_role::user).has(one) == (starts(one, "own.") || one == right::read_nodes));
    CHECK(rights_of(user_role::auditor).has(one)
          == (starts(one, "own.") || (starts(one, "read.") && one != right::read_secrets)));
    CHECK(rights_of(user_role::admin).has(one));
    CHECK(rights_of_key_view().has(one) == (one == right::own_usage));
  }
  CHECK(rights_of(static_cast<user_role>(77)).empty());
  CHECK(code_of(need(rights_of(user_role::user), right::read_audit)) == errc::right_missing);
  CHECK_FALSE(need(rights_of(user_role::auditor), right::read_audit));
}

TEST_CASE("Every right has a name of its own") {
  std::set<std::string_view> names;
  for (const auto one : all_rights())
    CHECK((!to_text(one).empty() && names.insert(to_text(one)).second));
  CHECK(to_text(right::read_secrets) == "read.secrets");
  CHECK(to_text(right::write_roles) == "write.roles");
}

TEST_CASE("Whatever its scopes, a token never may more than its owner, and never makes tokens or changes passwords") {
  for (unsigned bits = 0; bits < 128; ++bits) {
    scope_set scopes;
    scopes.bits = static_cast<std::uint16_t>(bits);
    for (const auto role : {user_role::user, user_role::auditor, user_role::admin}) {
      const auto may = rights_of(role, scopes);
      CHECK(may.without(rights_of(role)).empty());
      CHECK_FALSE(may.has(right::own_tokens));
      CHECK_FALSE(may.has(right::own_account));
      if (!scopes.has(token_scope::admin)) {
        CHECK_FALSE(may.has(right::write_roles));
        CHECK_FALSE(may.has(right::read_secrets));
        CHECK_FALSE(may.has(right::write_settings));
      }
    }
  }
  CHECK(rights_of(user_role::admin, scope_set{}).empty());
}

TEST_CASE("Scopes are read as they are written") {
  CHECK(scopes_of("read:usage") == scope_set{token_scope::read_usage});
  CHECK(scopes_of(" write:keys, read:usage read:usage ")
        == scope_set{token_scope::read_usage, token_scope::write_keys});
  for (const auto* text :
       {"", " , ", "read", "READ:usage", "read:usage write:everything", "read:usage;admin", "admin\n"})
    CHECK_FALSE(scopes_of(text));
  for (unsigned bits = 1; bits < 128; ++bits) {
    scope_set scopes;
    scopes.bits = static_cast<std::uint16_t>(bits);
    CHECK(scopes_of(to_text(scopes)) == scopes);
  }
}

TEST_CASE("Only active people sign in") {
  CHECK_FALSE(may_sign_in(user_state::active));
  CHECK(code_of(may_sign_in(user_state::pending)) == errc::account_waits);
  CHECK(code_of(may_sign_in(user_state::suspended)) == errc::account_suspended);
  CHECK(code_of(may_sign_in(user_state::deleted)) == errc::sign_in_refused);
  CHECK(code_of(may_sign_in(static_cast<user_state>(99))) == errc::sign_in_refused);
}

// --- changes to people ---------------------------------------------------------------

TEST_CASE("Who takes away his own rights is asked first") {
  const auto admin = rights_of(user_role::admin);
  person_change change{user_role::admin, user_role::auditor, user_state::active, user_state::active, true, false};
  CHECK(code_of(judge_person_change(admin, change)) == errc::confirmation_needed);
  change.confirmed = true;
  CHECK_FALSE(judge_person_change(admin, change));
  CHECK_FALSE(judge_person_change(
    admin, {user_role::admin, user_role::admin, user_state::active, user_state::active, true, false}));
}

TEST_CASE("Without the right for roles nobody makes an admin, nor touches one") {
  const auto helper = rights_of(user_role::admin, {token_scope::write_people});
  REQUIRE(helper.has(right::write_people));
  CHECK_FALSE(judge_person_change(
    helper, {user_role::user, user_role::user, user_state::active, user_state::suspended, false, false}));
  CHECK(code_of(judge_person_change(
          helper, {user_role::user, user_role::admin, user_state::active, user_state::active, false, false}))
        == errc::right_missing);
  CHECK(code_of(judge_person_change(
          helper, {user_role::user, user_role::auditor, user_state::active, user_state::active, false, false}))
        == errc::right_missing);
  CHECK(code_of(judge_person_change(
          helper, {user_role::admin, user_role::admin, user_state::active, user_state::suspended, false, false}))
        == errc::right_missing);
  for (const auto role : {user_role::user, user_role::auditor})
    CHECK(code_of(judge_person_change(rights_of(role), {})) == errc::right_missing);
}

// --- registration ----------------------------------------------------------------------

namespace {

struct outcome {
  errc refused = errc::none;
  registration_outcome what = registration_outcome::wait;
  bool operator==(const outcome&) const = default;
};
outcome judged(const registration_rules& rules, const registration_ask& ask) {
  auto out = judge_registration(rules, ask);
  return out ? outcome{errc::none, *out} : outcome{code_of(out.error())};
}
constexpr outcome admitted{errc::none, registration_outcome::admit};
constexpr outcome must_prove{errc::none, registration_outcome::prove_address};
constexpr outcome waits{errc::none, registration_outcome::wait};

registration_ask from(std::string email, bool proven = true, bool invited = false, std::string reason = {}) {
  return {std::move(email), proven, invited, std::move(reason)};
}

} // namespace

TEST_CASE("Each mode of registration lets in whom it says") {
  registration_rules rules;
  CHECK(judged(rules, from("ada@example.com")).refused == errc::registration_closed);
  CHECK(judged(rules, from("ada@example.com", true, true)).refused == errc::registration_closed);

  rules.mode = registration_mode::open;
  CHECK(judged(rules, from("ada@example.com", false)) == must_prove);
  CHECK(judged(rules, from("ada@example.com")) == admitted);
  rules.prove_address = false;
  CHECK(judged(rules, from("ada@example.com", false)) == admitted);

  rules.mode = registration_mode::domain;
  rules.domains = {"example.com", "*.example.org"};
  CHECK(judged(rules, from("ada@example.com", false)) == must_prove); // always: the address is all there is
  CHECK(judged(rules, from("ada@example.com")) == admitted);
  CHECK(judged(rules, from("ada@evil.com")).refused == errc::registration_domain);
  CHECK(judged(rules, from("ada@evil.com", false)).refused == errc::registration_domain);
  CHECK(judged(rules, from("ada@evil.com", true, true)) == admitted); // invited

  rules = {registration_mode::invitation, {}, true};
  CHECK(judged(rules, from("ada@example.com")).refused == errc::invitation_refused);
  CHECK(judged(rules, from("ada@example.com", true, true)) == admitted);
  CHECK(judged(rules, from("ada@example.com", false, true)) == must_prove);

  rules = {registration_mode::approval, {}, true};
  CHECK(judged(rules, from("ada@example.com")).refused == errc::reason_needed);
  CHECK(judged(rules, from("ada@example.com", true, false, std::string(501, 'x'))).refused == errc::reason_needed);
  CHECK(judged(rules, from("ada@example.com", true, false, "I work on the engine")) == waits);
  CHECK(judged(rules, from("ada@example.com", false, false, "I work on the engine")) == must_prove);
  CHECK(judged(rules, from("ada@example.com", true, true)) == admitted);
  rules.domains = {"example.com"};
  CHECK(judged(rules, from("ada@evil.com", true, false, "let me in")).refused == errc::registration_domain);
  CHECK(judged({static_cast<registration_mode>(0), {}, false}, from("ada@example.com")).refused
        == errc::registration_closed);
}

TEST_CASE("Addresses that only look like one of the domain are not of it") {
  const std::vector<std::string> domains{"example.com", "*.example.org", ""};
  for (const auto* email : {"ada@example.com", "ADA@EXAMPLE.COM", "a@b.example.org", "a@c.b.example.org"})
    CHECK(is_of_domains(email, domains));
  for (const auto* email :
       {"", "@", "example.com", "@example.com", "ada@", "ada@notexample.com", "ada@example.com.evil.com",
        "ada@evil.com@example.com", "ada@example.com@evil.com", "\"ada@evil.com\"@example.com", "ada@example.com ",
        "ada@example.com.", "ada@example.com\n", "ada@example.org", "ada@.example.org", "ada@evilexample.org",
        "ada@exаmple.com", "ada@sub.example.com"})
    CHECK_FALSE(is_of_domains(email, domains));
  CHECK_FALSE(is_of_domains("ada@example.com", {}));
  CHECK(judged({registration_mode::open, {}, false}, from("no address")).refused == errc::name_refused);
}

TEST_CASE("Modes of registration are read as they are written") {
  for (const auto mode : {registration_mode::closed, registration_mode::open, registration_mode::domain,
                          registration_mode::invitation, registration_mode::approval})
    CHECK(registration_mode_of(to_text(mode)) == mode);
  CHECK_FALSE(registration_mode_of("Open"));
}

// --- events ------------------------------------------------------------------------------

TEST_CASE("Every event has a name of its own") {
  std::set<std::string_view> names;
  for (std::size_t n = 0; n < access_event_count; ++n) {
    const auto& row = row_of(static_cast<access_event>(n));
    CHECK(row.event == static_cast<access_event>(n));
    CHECK(names.insert(row.name).second);
  }
}

TEST_CASE("An event says when, who, from where, for which request and what came of it") {
  const moment when{std::chrono::seconds{1'767'323'045} + std::chrono::milliseconds{678}};
  CHECK(line_of({access_event::sign_in_wrong, when, "", "192.0.2.7", "r1", "sign_in_refused", "ada@example.com"})
        == "2026-01-02T03:04:05.678Z warning authn_login_fail actor=- ip=192.0.2.7 request=r1 result=sign_in_refused "
           "about=ada@example.com");
}

TEST_CASE("No name forges an entry, a field or a terminal's colours") {
  const auto line = line_of({access_event::sign_in_wrong,
                             {},
                             "eve\n2026-01-02 info authn_login_success actor=admin",
                             "1\r2",
                             "a b",
                             "\x1b[2J\x7f",
                             "\xe2\x80\xae" + std::string(100'000, 'x')});
  CHECK(line.find_first_of("\n\r\x1b\x7f") == line.npos);
  CHECK(line.find("actor=admin") == line.npos);
  CHECK(line.find("\xe2\x80\xae") == line.npos);
  CHECK(std::count(line.begin(), line.end(), ' ') == 7);
  CHECK(line.size() < 1500);
}
