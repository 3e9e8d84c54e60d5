#include "actors/access/password.hpp"

#include <random>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "tests/support/seed.hpp"

using namespace keyportal;

namespace {

constexpr password_cost cheap{64, 1, 1};
constexpr password_salt salt{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

std::string hash_of(std::string_view password, password_cost cost = cheap) {
  auto out = hash_password(password, salt, cost);
  REQUIRE(out);
  return *out;
}

bool opens(std::string_view password, std::string_view phc) {
  auto out = verify_password(password, phc);
  REQUIRE(out);
  return *out;
}

errc judged(std::string_view password, std::vector<std::string_view> personal = {}) {
  return code_of(check_new_password(password, personal));
}

} // namespace

TEST_CASE("A password is kept as argon2id with 19 MiB and two passes, and opens with itself only") {
  const auto kept = hash_of("correct horse battery staple", {});
  CHECK(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  CHECK(opens("correct horse battery staple", kept));
  CHECK_FALSE(opens("correct horse battery staplf", kept));
  CHECK_FALSE(opens("", kept));
  CHECK_FALSE(needs_rehash(kept));
  CHECK(kept.find("correct") == kept.npos);
}

TEST_CASE("A hash from the tests of the reference implementation opens") {
  CHECK(opens("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"));
  CHECK_FALSE(
    opens("passwore", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"));
}

TEST_CASE("A password of a thousand bytes counts to its last byte, whatever the bytes are") {
  auto seed = test::make_seed();
  std::mt19937_64 random{seed};
  for (int round = 0; round < 30; ++round) {
    std::string text(1 + random() % 1024, '\0');
    for (auto& c : text)
      c = static_cast<char>(random());
    const auto kept = hash_of(text);
    CHECK(opens(text, kept));
    auto other = text;
    other.back() = static_cast<char>(other.back() ^ 1);
    CHECK_FALSE(opens(other, kept));
    CHECK_FALSE(opens(text + '\0', kept));
    CHECK_FALSE(opens(std::string_view{text}.substr(0, text.size() - 1), kept));
  }
}

TEST_CASE("A hash with other costs than now's is to be made anew") {
  CHECK(needs_rehash(hash_of("some long password")));
  CHECK(needs_rehash(hash_of("some long password", {12288, 3, 1})));
  CHECK_FALSE(needs_rehash(hash_of("some long password"), cheap));
  CHECK(needs_rehash("no hash at all"));
}

TEST_CASE("The hash for nobody costs as much as a real one and no password has it") {
  CHECK_FALSE(needs_rehash(dummy_password_hash()));
  CHECK_FALSE(opens("", dummy_password_hash(cheap)));
  CHECK_FALSE(opens("password", dummy_password_hash(cheap)));
}

TEST_CASE("A stored text that is no hash, or one that costs too much, is refused before anything is worked out") {
  const auto kept = hash_of("some long password");
  for (const std::string& text :
       std::vector<std::string>{"",
                                "$",
                                "password",
                                "$2b$12$abcdefghijklmnopqrstuv",
                                "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
                                "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
                                "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
                                "$argon2id$v=19$m=99999999999999999999,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
                                "$argon2id$v=19$m=65537,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
                                "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
                                "$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
                                "$argon2id$v=19$m=64,t=1,p=255$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
                                "$argon2id$v=19$m=-64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
                                "$argon2id$v=19$m=64,t=1,p=1$$CTFhFdXPJO1aFaMaO6Mm5Q",
                                "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$",
                                "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFh",
                                "$argon2id$v=19$m=64,t=1,p=1$c29t*XNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
                                kept + "!",
                                kept + "$more",
                                kept + std::string(1, '\0'),
                                kept + std::string(100'000, 'A')}) {
    auto out = verify_password("some long password", text);
    INFO(text.substr(0, 100));
    REQUIRE_FALSE(out);
    CHECK(code_of(out.error()) == errc::hash_unreadable);
  }
  CHECK(code_of(hash_password("some long password", salt, {1 << 20, 1, 1}).error()) == errc::bad_request);
}

TEST_CASE("Every cut or changed hash is refused or opens with nothing") {
  auto seed = test::make_seed();
  std::mt19937_64 random{seed};
  const auto kept = hash_of("some long password");
  for (std::size_t size = 0; size < kept.size(); ++size) {
    auto out = verify_password("some long password", std::string_view{kept}.substr(0, size));
    CHECK((!out || !*out));
  }
  for (int round = 0; round < 300; ++round) {
    auto text = kept;
    text[random() % text.size()] = static_cast<char>(random());
    auto out = verify_password("some long password", text);
    CHECK((out && *out) == (text == kept));
  }
}

TEST_CASE("Any text of 8 characters to 1024 bytes may be a password") {
  for (const std::string& text : std::vector<std::string>{
         "gq7-mlz2", "a b c d e f", "пароль-моего-кота", "密码很长而且安全吗", "🦀🦀🦆🦆🐙🐙🐝🐞",
         std::string("nul\0inside-it", 13), "Zwölf Boxkämpfer jagen", std::string(1024, 'x')})
    CHECK(judged(text) == errc::none);
}

TEST_CASE("What is too short, too long or no text at all is refused") {
  CHECK(judged("") == errc::password_length);
  CHECK(judged("gq7-mlz") == errc::password_length);
  CHECK(judged("密码很长吗") == errc::password_length); // 15 bytes, 5 characters
  CHECK(judged("🦀🦀🦀🦀🦀🦀🦀") == errc::password_length);
  CHECK(judged(std::string(1025, 'x')) == errc::password_length);
  for (const auto* text :
       {"cut off at its end \xe5\xaf", "overlong \xc0\xaf form", "half of \xed\xa0\x80 a pair",
        "too large \xf4\x90\x80\x80", "not a beginning \x80 here", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8",
        "overlong \xe0\x80\xaf three", "overlong \xf0\x80\x80\xaf four", "ends early \xf0\x9f\xa6"})
    CHECK(judged(text) == errc::password_length);
}

TEST_CASE("Common passwords are refused in any case of letters") {
  for (const auto* text : {"password", "Password", "PASSWORD1", "12345678", "qwertyuiop", "iloveyou1", "sunshine1",
                           "11111111", "1q2w3e4r", "football1"})
    CHECK(judged(text) == errc::password_common);
  CHECK(judged("password\n12345678") == errc::none); // two lines of the list are none of its passwords
  CHECK(judged("passwordpasswordpassword-7q") == errc::none);
}

TEST_CASE("A password is not its owner's name or address, nor this service's name") {
  const std::vector<std::string_view> ada{"ada.lovelace@example.com", "Ada Lovelace", "Li", ""};
  for (const auto* text : {"ada.lovelace@example.com", "ADA.lovelace@EXAMPLE.com", "adalovelace", "Ada Lovelace",
                           "AdaLovelace1!", "ecalevol-ada", "keyportal", "KeyPortal1", "key-portal-26"})
    CHECK(judged(text, ada) == errc::password_personal);
  for (const auto* text : {"the enchantress of numbers", "adalovelace wrote the first program", "Li-Li-Li-Li"})
    CHECK(judged(text, ada) == errc::none);
}
