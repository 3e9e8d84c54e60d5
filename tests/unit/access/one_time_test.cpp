#include "actors/access/one_time.hpp"

#include <cctype>
#include <random>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "actors/access/api_token.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/access/bits.hpp"

using namespace keyportal;
using namespace keyportal::test;
using std::chrono::minutes, std::chrono::hours, std::chrono::seconds, std::chrono::nanoseconds;

namespace {

const auto key = bits_of(0x42);

recovery_bits recovery_of(std::uint64_t seed) {
  std::mt19937_64 random{seed};
  recovery_bits out;
  for (auto& one : out)
    for (auto& byte : one)
      byte = static_cast<std::uint8_t>(random());
  return out;
}

std::string upper(std::string text) {
  for (auto& c : text)
    c = static_cast<char>(std::toupper(c));
  return text;
}

fresh_code mailed(code_purpose purpose = code_purpose::new_password, std::string_view to = "ada@example.com") {
  return make_mailed_code(key, purpose, to, bits_of(0x5a), at(0));
}

} // namespace

// --- recovery codes ------------------------------------------------------------

TEST_CASE("Ten recovery codes are shown in groups of four, all different, and none of their text is kept") {
  const auto codes = make_recovery_codes(key, "u1", recovery_of(1));
  REQUIRE(codes.shown.size() == 10);
  REQUIRE(codes.kept.size() == 10);
  std::set<std::string> all;
  for (const auto& one : codes.shown) {
    const auto& text = one.reveal();
    CHECK(text.size() == 6 * 4 + 5);
    for (std::size_t place = 0; place < text.size(); ++place)
      CHECK((text[place] == '-') == (place % 5 == 4));
    CHECK(text.find_first_of("ilouILOU") == text.npos);
    all.insert(text);
  }
  CHECK(all.size() == 10);
}

TEST_CASE("A recovery code is found however it is typed, once it is taken out it is not") {
  auto codes = make_recovery_codes(key, "u1", recovery_of(2));
  for (std::size_t place = 0; place < 10; ++place) {
    const auto text = codes.shown[place].reveal();
    CHECK(find_recovery_code(key, "u1", codes.kept, text) == place);
    CHECK(find_recovery_code(key, "u1", codes.kept, " " + upper(text) + " ") == place);
    auto read_aloud = text;
    std::erase(read_aloud, '-');
    for (auto& c : read_aloud)
      c = c == '0' ? 'O' : c == '1' ? 'l' : c;
    CHECK(find_recovery_code(key, "u1", codes.kept, read_aloud) == place);
  }
  codes.kept.erase(codes.kept.begin() + 3);
  CHECK_FALSE(find_recovery_code(key, "u1", codes.kept, codes.shown[3].reveal()));
  CHECK(find_recovery_code(key, "u1", codes.kept, codes.shown[4].reveal()) == 3);
}

TEST_CASE("A recovery code is good for its owner only, and nothing else is one") {
  const auto codes = make_recovery_codes(key, "u1", recovery_of(3));
  const auto text = codes.shown[0].reveal();
  CHECK_FALSE(find_recovery_code(key, "u2", codes.kept, text)); // also when the row was copied to somebody else
  CHECK_FALSE(find_recovery_code(bits_of(1), "u1", codes.kept, text));
  for (const std::string& wrong : {std::string{}, text.substr(1), text + "0", std::string(1'000'000, '-'),
                                   std::string(1'000'000, 'a'), std::string(24, '\0')})
    CHECK_FALSE(find_recovery_code(key, "u1", codes.kept, wrong));
  CHECK_FALSE(find_recovery_code(key, "u1", {}, text));
}

// --- codes by mail ---------------------------------------------------------------

TEST_CASE("A mailed code is good once, within ten minutes, with or without its blank") {
  auto code = mailed();
  CHECK(code.shown.reveal().size() == 9);
  auto kept = code.kept;
  CHECK_FALSE(try_mailed_code(kept, key, code_purpose::new_password, "ada@example.com", code.shown.reveal(), at(599)));
  CHECK(code_of(try_mailed_code(kept, key, code_purpose::new_password, "ada@example.com", code.shown.reveal(), at(599)))
        == errc::code_over);
  kept = code.kept;
  auto plain = code.shown.reveal();
  std::erase(plain, ' ');
  CHECK_FALSE(try_mailed_code(kept, key, code_purpose::new_password, "ada@example.com", plain, at(0)));
  kept = code.kept;
  CHECK(code_of(try_mailed_code(kept, key, code_purpose::new_password, "ada@example.com", plain, at(600)))
        == errc::code_over);
}

TEST_CASE("After five wrong tries the right mailed code is worth nothing") {
  const auto code = mailed();
  auto kept = code.kept;
  const auto attempt = [&](std::string_view typed) {
    return code_of(try_mailed_code(kept, key, code_purpose::new_password, "ada@example.com", typed, at(1)));
  };
  const auto wrong = code.shown.reveal() == "0000 0000" ? "11111111" : "00000000";
  for (int n = 0; n < 4; ++n)
    CHECK(attempt(wrong) == errc::code_wrong);
  CHECK(attempt(wrong) == errc::code_over);
  CHECK(attempt(code.shown.reveal()) == errc::code_over);
  // but after four it is still good
  kept = code.kept;
  for (int n = 0; n < 4; ++n)
    (void)attempt("");
  CHECK(attempt(code.shown.reveal()) == errc::none);
}

TEST_CASE("A mailed code is for one purpose and one address") {
  const auto code = mailed();
  auto kept = code.kept;
  const auto text = code.shown.reveal();
  CHECK(code_of(try_mailed_code(kept, key, code_purpose::confirm_address, "ada@example.com", text, at(1)))
        == errc::code_wrong);
  CHECK(code_of(try_mailed_code(kept, key, code_purpose::new_password, "eve@example.com", text, at(1)))
        == errc::code_wrong);
  CHECK(code_of(
          try_mailed_code(kept, key, code_purpose::new_password, "ada@example.com", std::string(1'000'000, '1'), at(1)))
        == errc::code_wrong);
  CHECK_FALSE(try_mailed_code(kept, key, code_purpose::new_password, "ada@example.com", text, at(1)));
}

TEST_CASE("Mailed codes are spread over all of eight digits") {
  const auto seed = make_seed();
  std::mt19937_64 random{seed};
  std::set<std::string> all, first;
  for (int n = 0; n < 2000; ++n) {
    const auto text = make_mailed_code(key, code_purpose::new_password, "a", draw(random), at(0)).shown.reveal();
    all.insert(text);
    first.insert(text.substr(0, 1));
  }
  CHECK(all.size() >= 1998);
  CHECK(first.size() == 10);
}

// --- tokens ------------------------------------------------------------------------

TEST_CASE("A token tells its kind and whether it was copied whole") {
  for (const auto& [kind, head] : {std::pair<token_kind, std::string_view>{token_kind::api, "kpt_"},
                                   {token_kind::invitation, "kpi_"},
                                   {token_kind::bootstrap, "kpb_"}}) {
    const auto text = write_token(kind, bits_of(0x3c)).reveal();
    CHECK(text.starts_with(head));
    CHECK(text.size() == 4 + 52 + 7);
    CHECK(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567_") == text.npos);
    CHECK_FALSE(check_token_text(kind, text));
    CHECK(kind_of_token(text) == kind);
  }
  CHECK_FALSE(kind_of_token("sk-kp-1abc"));
  CHECK(code_of(check_token_text(token_kind::api, write_token(token_kind::invitation, bits_of(1)).reveal()))
        == errc::token_refused);
}

TEST_CASE("Every single letter of a token that is changed, lost or swapped is seen") {
  const auto text = write_token(token_kind::api, bits_of(0x77)).reveal();
  for (std::size_t place = 4; place < text.size(); ++place) {
    auto changed = text;
    changed[place] = changed[place] == 'x' ? 'y' : 'x';
    CHECK(code_of(check_token_text(token_kind::api, changed)) == errc::token_mistyped);
    auto shorter = text;
    shorter.erase(place, 1);
    CHECK(code_of(check_token_text(token_kind::api, shorter)) == errc::token_mistyped);
    if (place + 1 < text.size() && text[place] != text[place + 1]) {
      auto swapped = text;
      std::swap(swapped[place], swapped[place + 1]);
      CHECK(code_of(check_token_text(token_kind::api, swapped)) == errc::token_mistyped);
    }
  }
  for (const std::string& foreign :
       {std::string{}, std::string{"kpt_"}, std::string{"kpt_short"}, "kpt_" + std::string(100'000, 'a'),
        text + " and more", text.substr(0, 30) + "\n" + text.substr(31), "KPT_" + text.substr(4)})
    CHECK(code_of(check_token_text(token_kind::api, foreign)) == errc::token_refused);
}

TEST_CASE("An invitation is good once, in time, and for its address") {
  const auto made = make_invitation(key, token_kind::invitation, bits_of(3), at(0), hours{48}, "ada@example.com");
  const auto& text = made.shown.reveal();
  const auto asked = [&](const invitation& kept, std::string_view email, moment now) {
    return code_of(check_invitation(kept, key, token_kind::invitation, text, email, now));
  };
  CHECK(asked(made.kept, "ada@example.com", at(0)) == errc::none);
  CHECK(asked(made.kept, "eve@example.com", at(0)) == errc::invitation_refused);
  CHECK(asked(made.kept, "", at(0)) == errc::invitation_refused);
  CHECK(asked(made.kept, "ada@example.com", at(48 * 3600)) == errc::invitation_refused);
  auto used = made.kept;
  used.uses_left = 0;
  CHECK(asked(used, "ada@example.com", at(0)) == errc::invitation_refused);
  const auto open = make_invitation(key, token_kind::invitation, bits_of(3), at(0), hours{48});
  CHECK(asked(open.kept, "anybody@example.com", at(0)) == errc::none);
}

TEST_CASE("Another invitation, and the first admin's token, are not taken for this one") {
  const auto made = make_invitation(key, token_kind::bootstrap, bits_of(3), at(0), hours{1});
  const auto other = write_token(token_kind::bootstrap, bits_of(4)).reveal();
  const auto invited = write_token(token_kind::invitation, bits_of(3)).reveal();
  CHECK_FALSE(check_invitation(made.kept, key, token_kind::bootstrap, made.shown.reveal(), "", at(1)));
  for (const auto& text : {other, invited, std::string{}})
    CHECK(code_of(check_invitation(made.kept, key, token_kind::bootstrap, text, "", at(1)))
          == errc::invitation_refused);
  CHECK(code_of(check_invitation(made.kept, key, token_kind::bootstrap, made.shown.reveal().substr(1), "", at(1)))
        == errc::invitation_refused);
  auto mistyped = made.shown.reveal();
  mistyped.back() = mistyped.back() == 'a' ? 'b' : 'a';
  CHECK(code_of(check_invitation(made.kept, key, token_kind::bootstrap, mistyped, "", at(1))) == errc::token_mistyped);
}

// --- API tokens ----------------------------------------------------------------------

TEST_CASE("An API token may what its scopes say, until it ends or is revoked") {
  std::mt19937_64 random{5};
  auto made = make_api_token(key, draw(random), draw(random), "u1", user_role::admin,
                             {token_scope::read_usage, token_scope::write_keys}, "ci", at(0), at(1000));
  REQUIRE(made);
  const auto& text = made->shown.reveal();
  const auto now_may = [&](const api_token& kept, user_role role, moment now) {
    return rights_of_token(kept, key, text, role, user_state::active, now);
  };
  auto may = now_may(made->kept, user_role::admin, at(999));
  REQUIRE(may);
  CHECK(may->has(right::write_keys));
  CHECK(may->has(right::read_usage));
  CHECK_FALSE(may->has(right::write_people));
  // The owner is no admin any more: neither is the token.
  may = now_may(made->kept, user_role::user, at(1));
  REQUIRE(may);
  CHECK_FALSE(may->has(right::write_keys));
  CHECK_FALSE(may->has(right::read_usage));
  CHECK(may->has(right::own_keys_write));

  const auto refused = [](const caf::expected<right_set>& out) { return out ? errc::none : code_of(out.error()); };
  CHECK(refused(now_may(made->kept, user_role::admin, at(1000))) == errc::token_refused);
  auto revoked = made->kept;
  revoked.revoked = true;
  CHECK(refused(now_may(revoked, user_role::admin, at(1))) == errc::token_refused);
  for (const auto state : {user_state::pending, user_state::suspended, user_state::deleted})
    CHECK(refused(rights_of_token(made->kept, key, text, user_role::admin, state, at(1))) == errc::token_refused);
  CHECK(refused(rights_of_token(made->kept, key, write_token(token_kind::api, bits_of(9)).reveal(), user_role::admin,
                                user_state::active, at(1)))
        == errc::token_refused);
  CHECK(refused(rights_of_token(made->kept, key, text.substr(0, text.size() - 1), user_role::admin, user_state::active,
                                at(1)))
        == errc::token_mistyped);
  CHECK(made->kept.id.size() == 27);
  CHECK(text.find(made->kept.id.substr(1, 10)) == text.npos);
}

TEST_CASE("Nobody makes a token that lasts for ever, does nothing, or may more than himself") {
  const auto made = [&](user_role role, scope_set scopes, moment until) {
    auto out = make_api_token(key, bits_of(1), bits_of(2), "u1", role, scopes, "", at(0), until);
    return out ? errc::none : code_of(out.error());
  };
  CHECK(made(user_role::user, {token_scope::read_usage}, at(1)) == errc::none);
  CHECK(made(user_role::user, {}, at(1)) == errc::scope_refused);
  CHECK(made(user_role::user, {token_scope::read_usage}, at(0)) == errc::scope_refused);
  CHECK(made(user_role::user, {token_scope::read_usage}, at(0) + longest_token_life) == errc::none);
  CHECK(made(user_role::user, {token_scope::read_usage}, at(0) + longest_token_life + nanoseconds{1})
        == errc::scope_refused);
  CHECK(made(user_role::user, {token_scope::read_usage, token_scope::write_people}, at(1)) == errc::scope_refused);
  CHECK(made(user_role::auditor, {token_scope::read_all}, at(1)) == errc::none);
  CHECK(made(user_role::auditor, {token_scope::write_nodes, token_scope::read_all}, at(1)) == errc::scope_refused);
  CHECK(made(user_role::user, {token_scope::write_keys}, at(1)) == errc::none); // his own
  CHECK(made(user_role::admin, {token_scope::admin}, at(1)) == errc::none);
}

TEST_CASE("When a token was used is stored once an hour") {
  api_token token;
  CHECK(touch_token(token, at(0)));
  CHECK_FALSE(touch_token(token, at(3599)));
  CHECK(touch_token(token, at(3600)));
}
