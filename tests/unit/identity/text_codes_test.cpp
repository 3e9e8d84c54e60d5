#include "actors/identity/text_codes.hpp"

#include <catch2/catch_test_macros.hpp>

#include "actors/identity/attempt_book.hpp"
#include "actors/identity/provider.hpp"
#include "messages/errors.hpp"

using namespace keyportal;
using namespace keyportal::identity;

TEST_CASE("base64url has one spelling of everything, and only that is read") {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\xff\xfe\xfd", "\xfb\xff"}) {
    CHECK(from_base64url(base64url(text)) == text);
  }
  CHECK(base64url("\xfb\xff\xfe") == "-__-");
  CHECK(base64("\xfb\xff\xfe\x01") == "+//+AQ==");
  for (const auto* wrong : {"A", "AB", "AAB", "Zg==", "+//+", "Zm 9v", "Zm9v\n", "Zm9vA", "=", "Zg="}) {
    INFO(wrong);
    CHECK_FALSE(from_base64url(wrong));
  }
}

TEST_CASE("PKCE's challenge is that of RFC 7636, appendix B") {
  CHECK(challenge_of(secret{"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"})
        == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST_CASE("parameters stay parameters, whatever is in them") {
  CHECK(form_of({{"a", "x&b=y"}, {"empty", ""}, {"c", "1 + 1 = 2 \xc3\xa4%"}})
        == "a=x%26b%3Dy&c=1%20%2B%201%20%3D%202%20%C3%A4%25");
  CHECK(with_query("https://a/b", {{"c", "d"}}) == "https://a/b?c=d");
  CHECK(with_query("https://a/b?x=y", {{"c", "d"}}) == "https://a/b?x=y&c=d");
  CHECK(with_query("https://a/b?", {{"c", "d"}}) == "https://a/b?c=d");
}

TEST_CASE("a callback with a parameter twice, one that is too long, or without state is not understood") {
  const auto read = [](std::vector<std::pair<std::string, std::string>> query) { return read_callback(query); };
  const auto good = read({{"code", "c"}, {"state", "s"}, {"iss", "https://i"}, {"session_state", "x"}});
  REQUIRE(good);
  CHECK(good->code == "c");
  CHECK(good->issuer == "https://i");
  CHECK_FALSE(read({{"code", "c"}, {"state", "s"}, {"code", "d"}}));
  CHECK_FALSE(read({{"code", "c"}, {"state", "s"}, {"state", "s"}}));
  CHECK_FALSE(read({{"state", "s"}, {"iss", "a"}, {"iss", "b"}}));
  CHECK_FALSE(read({{"code", std::string(5000, 'c')}, {"state", "s"}}));
  CHECK_FALSE(read({{"code", "c"}, {"state", ""}}));
  CHECK_FALSE(read({}));
}
