#include "actors/key_registry/key_text.hpp"

#include <set>

#include <catch2/catch_test_macros.hpp>

using namespace keyportal;

namespace {

key_bits bits_of(std::uint8_t fill) {
  key_bits bits;
  bits.fill(fill);
  return bits;
}

} // namespace

TEST_CASE("A key that we make tells its prefix, its version and whether it was copied whole") {
  const auto text = write_key("sk-kp", bits_of(0x5a)).reveal();
  CHECK(text.starts_with("sk-kp-1"));
  CHECK(text.size() == 7 + 43 + 6);
  CHECK(judge_key("sk-kp", text) == key_writing::ours);
  CHECK(can_be_key(text));
  CHECK(write_key("sk-kp", bits_of(0)).reveal().substr(7, 43) == std::string(43, '0'));
  CHECK(write_key("sk-kp", bits_of(0xff)).reveal() != write_key("sk-kp", bits_of(0xfe)).reveal());
}

TEST_CASE("Every single letter that is changed, lost or swapped is told apart from an unknown key") {
  const auto text = write_key("sk-kp", bits_of(0x3c)).reveal();
  for (std::size_t at = 7; at < text.size(); ++at) {
    auto changed = text;
    changed[at] = changed[at] == 'x' ? 'y' : 'x';
    CHECK(judge_key("sk-kp", changed) == key_writing::mistyped);
    auto shorter = text;
    shorter.erase(at, 1);
    CHECK(judge_key("sk-kp", shorter) == key_writing::mistyped);
    if (at + 1 < text.size() && text[at] != text[at + 1]) {
      auto swapped = text;
      std::swap(swapped[at], swapped[at + 1]);
      CHECK(judge_key("sk-kp", swapped) == key_writing::mistyped);
    }
  }
  for (const auto* foreign : {"", "sk-kp", "sk-kp-1", "sk-kp-1short", "usr_pool_0001_a1b2c3d4e5f6", "sk-ant-api03-abc"})
    CHECK(judge_key("sk-kp", foreign) == key_writing::foreign);
}

TEST_CASE("What CLIProxyAPI cannot be given as a key is refused") {
  CHECK(can_be_key("usr_pool_0001_a1b2c3d4e5f6"));
  for (const auto* text :
       {"", "short", "with a blank in it", "your-api-key-1", "your-api-key-3", "tab\tinside-of-it", "schlüssel-zwölf"})
    CHECK_FALSE(can_be_key(text));
  CHECK_FALSE(can_be_key(std::string(513, 'a')));
}

TEST_CASE("People see only the ends of a key") {
  const auto text = write_key("sk-kp", bits_of(0x77)).reveal();
  CHECK(shown_key("sk-kp", text) == "sk-kp-…" + text.substr(text.size() - 4));
  CHECK(shown_key("sk-kp", "usr_pool_0001_a1b2c3d4e5f6") == "usr…e5f6");
  CHECK(shown_key("sk-kp", "12345678") == "…");
}

TEST_CASE("Keys of elsewhere that could be guessed are told from those that could not") {
  for (const char* text :
       {"usr_pool_0001_a1b2c3d4e5f6", "alice-2024-secret", "password123", "00000000-0000-0000-0000-000000000000",
        "sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "team-key-20240101", "0123456789abcdef"}) {
    CAPTURE(text);
    CHECK(is_guessable(text));
  }
  for (const char* text : {"sk-proj-8fK2mQ9xT4vB7nR1wE6yU3iO5pA0sDfGhJkLzXcVbNm", "sk-4f9a1c0e7b2d8a6f3e5c9b1d7a0f2e4c",
                           "3q2n8v5c7x1z9l4k6j0h2g8f5d3s7a1p"}) {
    CAPTURE(text);
    CHECK_FALSE(is_guessable(text));
  }
  CHECK_FALSE(is_guessable(write_key("kp", {1, 2, 3, 250, 9}).reveal()));
}
