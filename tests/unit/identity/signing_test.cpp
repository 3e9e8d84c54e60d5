#include <catch2/catch_test_macros.hpp>

#include <random>

#include "actors/identity/id_token.hpp"
#include "actors/identity/text_codes.hpp"
#include "issuer.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal;
using namespace keyportal::identity;
using namespace keyportal::identity::test;
using verdict = signing_keys::verdict;

namespace {

signing_keys keys_of(const std::vector<json>& all) {
  auto out = signing_keys::read(json{{"keys", all}}.dump());
  REQUIRE(out);
  return *out;
}

} // namespace

TEST_CASE("every allowed algorithm is checked, and one changed bit of text or signature is noticed") {
  for (const auto* name : {"RS256", "PS256", "ES256", "ES384", "EdDSA"}) {
    INFO(name);
    const signer one(name, "k");
    const auto keys = keys_of({one.jwk()});
    REQUIRE(keys.size() == 1);
    const std::string text = "head.claims";
    const auto signature = one.sign(text);
    CHECK(keys.check(name, "k", text, signature) == verdict::genuine);
    CHECK(keys.check(name, std::nullopt, text, signature) == verdict::genuine);
    CHECK(keys.check(name, "l", text, signature) == verdict::no_such_key);
    CHECK(keys.check(name, "k", "head.claimt", signature) == verdict::forged);
    for (const std::size_t at : {std::size_t{0}, signature.size() / 2, signature.size() - 1}) {
      auto changed = signature;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      CHECK(keys.check(name, "k", text, changed) == verdict::forged);
    }
    for (const auto& wrong : {std::string{}, std::string(signature.size(), '\0'), signature + "x", signature.substr(1),
                              std::string(10'000, 'x')})
      CHECK(keys.check(name, "k", text, wrong) == verdict::forged);
    for (const auto* other : {"none", "None", "HS256", "RS512", "RS1", "", "ES512"})
      CHECK(keys.check(other, "k", text, signature) == verdict::forged);
  }
}

TEST_CASE("the token and key of RFC 8037, appendix A, are genuine") {
  const auto keys =
    keys_of({{{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}});
  CHECK(keys.check("EdDSA", std::nullopt, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                   *from_base64url("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_"
                                   "MuM0KAg"))
        == verdict::genuine);
}

TEST_CASE("a key is used only for what it is for") {
  const signer rsa("RS256", "a"), curve("ES256", "b");
  auto for_pss = rsa.jwk();
  for_pss["alg"] = "PS256";
  CHECK(keys_of({for_pss}).check("RS256", "a", "t", rsa.sign("t")) == verdict::no_such_key);
  CHECK(keys_of({curve.jwk()}).check("RS256", "b", "t", rsa.sign("t")) == verdict::no_such_key);
  auto for_encryption = rsa.jwk();
  for_encryption["use"] = "enc";
  CHECK(keys_of({for_encryption}).size() == 0);
  // Without a name there must be no choice.
  const signer other("RS256", "c");
  CHECK(keys_of({rsa.jwk(), other.jwk()}).check("RS256", std::nullopt, "t", rsa.sign("t")) == verdict::no_such_key);
  CHECK(keys_of({rsa.jwk(), curve.jwk()}).check("RS256", std::nullopt, "t", rsa.sign("t")) == verdict::genuine);
}

TEST_CASE("keys that are weak, broken or unknown are passed over, and the others are used") {
  const signer good("ES256", "good"), weak("RS256", "weak", 1024);
  auto beside = good.jwk(); // a point that is not on the curve
  beside["y"] = beside["x"];
  auto even = signer("RS256", "even").jwk();
  even["e"] = "Ag";
  auto one = even;
  one["e"] = "AQ";
  auto short_x = good.jwk();
  short_x["x"] = "AAAA";
  const auto keys = keys_of({weak.jwk(),
                             beside,
                             even,
                             one,
                             short_x,
                             {{"kty", "oct"}, {"k", "c2VjcmV0"}, {"kid", "good"}},
                             {{"kty", "RSA"}},
                             {{"kty", 7}},
                             "text",
                             nullptr,
                             {{"kty", "EC"}, {"crv", "P-521"}},
                             good.jwk()});
  CHECK(keys.size() == 1);
  CHECK(keys.check("ES256", "good", "t", good.sign("t")) == verdict::genuine);
  for (const auto* wrong : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[)", "null"})
    CHECK_FALSE(signing_keys::read(wrong));
  CHECK_FALSE(signing_keys::read(json{{"keys", std::vector<json>(101, good.jwk())}}.dump()));
}

TEST_CASE("an e-mail address is known only when the issuer has verified it, and a name only when it can be shown") {
  const auto of = [](json claims) {
    claims["sub"] = "s";
    return read_person(claims.dump());
  };
  CHECK(of({{"email", "A@Example.com"}, {"email_verified", true}})->email == "a@example.com");
  CHECK(of({{"email", "a@example.com"}, {"email_verified", "true"}})->email == "a@example.com");
  for (const auto& verified :
       std::vector<json>{json(false), json("false"), json(1), json("yes"), json(nullptr), json::array({true})})
    CHECK(of({{"email", "a@example.com"}, {"email_verified", verified}})->email.empty());
  CHECK(of({{"email", "a@example.com"}})->email.empty());
  for (const auto* email :
       {"a@example.com@evil.example", "a", "a@b", "a b@example.com", "<a@example.com>", "a\n@example.com"})
    CHECK(of({{"email", email}, {"email_verified", true}})->email.empty());
  CHECK(of({{"name", "Ada"}})->name == "Ada");
  CHECK(of({{"name", "<script>"}, {"preferred_username", "ada"}})->name == "ada");
  CHECK(of({{"name", "=cmd()"}})->name.empty());
  CHECK(of({{"name", 7}})->name.empty());
  for (const auto& subject : std::vector<json>{json(""), json(7), json(std::string(256, 'x')), json("a\nb"),
                                               json("\xc3\xa4"), json(nullptr)}) {
    const auto person = read_person(json{{"sub", subject}}.dump());
    REQUIRE_FALSE(person);
    CHECK(code_of(person.error()) == errc::id_token_refused);
  }
}

TEST_CASE("a token that was changed anywhere is refused, whatever was changed") {
  const signer key("ES256", "k");
  const auto keys = keys_of({key.jwk()});
  const auto now = seconds_of(noon);
  const auto token =
    token_of({{"alg", "ES256"}, {"kid", "k"}},
             {{"iss", "https://i"}, {"sub", "s"}, {"aud", "c"}, {"exp", now + 60}, {"iat", now}, {"nonce", "n"}},
             [&](auto text) { return key.sign(text); });
  const token_terms terms{"https://i", "c", "n", noon};
  REQUIRE(read_id_token(token, keys, terms));
  std::mt19937_64 random(keyportal::test::make_seed());
  for (int i = 0; i < 5'000; ++i) {
    auto changed = token;
    for (auto times = 1 + random() % 3; times > 0; --times) {
      const auto at = random() % changed.size();
      switch (random() % 4) {
        case 0: changed[at] = static_cast<char>(random()); break;
        case 1: changed.erase(at, 1 + random() % 8); break;
        case 2: changed.insert(at, 1, "A.-=\n\0{\""[random() % 8]); break;
        default: changed.insert(at, token.substr(random() % token.size(), random() % 40)); break;
      }
      if (changed.empty())
        changed = "x";
    }
    if (changed != token) {
      INFO(changed);
      CHECK_FALSE(read_id_token(changed, keys, terms));
    }
  }
}
