#include "actors/access/totp.hpp"

#include <random>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "actors/access/secret_bytes.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/access/bits.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

constexpr std::string_view rfc_key = "12345678901234567890";
moment second(std::int64_t s) { return moment{std::chrono::seconds{s}}; }

} // namespace

TEST_CASE("Codes are those of RFC 6238 and RFC 4226") {
  // The vectors of RFC 6238 have eight digits; these are their last six.
  for (const auto& [time, code] : {std::pair<std::int64_t, std::string_view>{59, "287082"},
                                   {1111111109, "081804"},
                                   {1111111111, "050471"},
                                   {1234567890, "005924"},
                                   {2000000000, "279037"}})
    CHECK(totp_code(rfc_key, totp_step(second(time))) == code);
  CHECK(totp_code(rfc_key, 20000000000 / 30) == "353130"); // a year that no moment reaches
  std::int64_t counter = 0;
  for (const auto* code :
       {"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"})
    CHECK(totp_code(rfc_key, counter++) == code);
}

TEST_CASE("A code is taken half a minute early or late, and no more") {
  const auto now = second(1'780'000'015);
  const auto step = totp_step(now);
  for (const int off : {-1, 0, 1})
    CHECK(accept_totp(rfc_key, totp_code(rfc_key, step + off), now, -1) == step + off);
  for (const int off : {-3, -2, 2, 3, 1000})
    CHECK_FALSE(accept_totp(rfc_key, totp_code(rfc_key, step + off), now, -1));
}

TEST_CASE("No code is good twice, nor one from before the last that was used") {
  const auto now = second(1'780'000'015);
  const auto code = totp_code(rfc_key, totp_step(now));
  const auto used = accept_totp(rfc_key, code, now, -1);
  REQUIRE(used);
  CHECK_FALSE(accept_totp(rfc_key, code, now, *used));
  CHECK_FALSE(accept_totp(rfc_key, code, now + std::chrono::seconds{30}, *used));
  CHECK_FALSE(accept_totp(rfc_key, totp_code(rfc_key, *used - 1), now, *used));
  CHECK(accept_totp(rfc_key, totp_code(rfc_key, *used + 1), now + std::chrono::seconds{30}, *used) == *used + 1);
}

TEST_CASE("A code may be typed with a blank, and nothing that is no code is taken") {
  const auto now = second(1'780'000'015);
  const auto code = totp_code(rfc_key, totp_step(now));
  CHECK(accept_totp(rfc_key, code.substr(0, 3) + " " + code.substr(3), now, -1));
  for (const std::string& text :
       {std::string{}, code.substr(0, 5), code + "0", "0" + code, code + std::string(100'000, '0'),
        std::string(6, '\0'), std::string("abcdef"), "+" + code.substr(1)})
    CHECK_FALSE(accept_totp(rfc_key, text, now, -1));
}

TEST_CASE("Guessing codes for a key at random finds hardly any") {
  const auto seed = make_seed();
  std::mt19937_64 random{seed};
  const auto bits = draw(random);
  const std::string_view key{reinterpret_cast<const char*>(bits.data()), 20};
  std::set<std::string> good;
  for (const int off : {-1, 0, 1})
    good.insert(totp_code(key, totp_step(at(0)) + off));
  int taken = 0;
  for (int guess = 0; guess < 1'000'000; guess += 997) {
    const auto text = std::to_string(1'000'000 + guess).substr(1);
    const bool right = accept_totp(key, text, at(0), -1).has_value();
    CHECK(right == good.contains(text));
    taken += right ? 1 : 0;
  }
  CHECK(taken <= 3);
}

TEST_CASE("The address for the QR code holds the key, and hostile names stay inside their place") {
  const totp_key key{'H', 'e', 'l', 'l', 'o', '!', 0xde, 0xad, 0xbe, 0xef};
  CHECK(totp_uri("Key Portal", "ada@example.com", key)
        == "otpauth://totp/Key%20Portal:ada%40example.com?secret=JBSWY3DPEHPK3PXPAAAAAAAAAAAAAAAA&issuer=Key%20Portal"
           "&algorithm=SHA1&digits=6&period=30");
  const auto hostile = totp_uri("Evil&secret=AAAA#", "x?secret=BBBB/:", key);
  CHECK(hostile.find("secret=AAAA") == hostile.npos);
  CHECK(hostile.find("secret=BBBB") == hostile.npos);
  CHECK(hostile.find('#') == hostile.npos);
  CHECK(totp_key_text(key) == "jbsw y3dp ehpk 3pxp aaaa aaaa aaaa aaaa");
  CHECK(from_base32(totp_key_text(key)) == std::string(key.begin(), key.end()));
}

TEST_CASE("Base32 is that of RFC 4648, in either case, and every text of bytes comes back") {
  const auto bytes = [](std::string_view text) {
    return std::span{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  };
  CHECK(to_base32(bytes("foobar")) == "mzxw6ytboi");
  CHECK(to_base32(bytes("")).empty());
  CHECK(from_base32("MZXW6YTBOI======") == "foobar");
  CHECK(from_base32("mzxw 6ytb-oi") == "foobar");
  for (const auto* text : {"a", "abc", "abcdef", "mzxw1", "mzxw=6ytb", "m!", "ма"})
    CHECK_FALSE(from_base32(text));
  const auto seed = make_seed();
  std::mt19937_64 random{seed};
  for (int round = 0; round < 200; ++round) {
    std::string text(random() % 70, '\0');
    for (auto& c : text)
      c = static_cast<char>(random());
    CHECK(from_base32(to_base32(bytes(text))) == text);
  }
}

TEST_CASE("A wiped text is gone, and hashes under a key tell their texts apart") {
  std::string text = "a secret that is long enough to lie outside of the object";
  const auto* memory = text.data();
  wipe(text);
  CHECK(text.empty());
  CHECK(std::string_view{memory, 8} == std::string_view{"\0\0\0\0\0\0\0\0", 8}); // still the string's own memory
  wiped_text first{"short"};
  wiped_text second_{std::move(first)};
  CHECK(second_.reveal() == "short");

  const auto key = bits_of(7);
  CHECK(keyed_hash(key, {"ab", "c"}) != keyed_hash(key, {"a", "bc"}));
  CHECK(keyed_hash(key, {"ab", "c"}) != keyed_hash(key, {"ab", "c", ""}));
  CHECK(keyed_hash(key, {"ab", "c"}) != keyed_hash(bits_of(8), {"ab", "c"}));
  CHECK(keyed_hash(key, {"ab", "c"}) == keyed_hash(key, {"ab", "c"}));
  CHECK(same_secret("equal", "equal"));
  CHECK_FALSE(same_secret("equal", "equaL"));
  CHECK_FALSE(same_secret("equal", "equal "));
}
