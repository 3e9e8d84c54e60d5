#include <algorithm>

#include <catch2/catch_test_macros.hpp>

#include "actors/identity/text_codes.hpp"
#include "issuer.hpp"

using namespace keyportal;
using namespace keyportal::identity;
using namespace keyportal::identity::test;
using namespace std::chrono_literals;

namespace {

/// Sends the browser off, which brings the nonce to the issuer.
void go(browser& b, issuer& at, moment now = noon) {
  REQUIRE_FALSE(b.go(at, now));
  at.nonce = parameter(b.sent_to, "nonce");
}

} // namespace

TEST_CASE("somebody signs in with OpenID Connect") {
  issuer at;
  oidc_provider company(issuer::settings());
  browser b(company);
  go(b, at);
  // Off: a code, bound to state, nonce and PKCE.
  CHECK(b.sent_to.starts_with("https://id.example.com/authorize?theme=dark&response_type=code&"));
  CHECK(parameter(b.sent_to, "client_id") == "key portal:1");
  CHECK(parameter(b.sent_to, "redirect_uri") == issuer::redirect_uri);
  CHECK(parameter(b.sent_to, "scope") == "openid email profile");
  CHECK(parameter(b.sent_to, "state") == b.back.state);
  CHECK(parameter(b.sent_to, "nonce").size() == 43);
  CHECK(parameter(b.sent_to, "code_challenge").size() == 43);
  CHECK(parameter(b.sent_to, "code_challenge_method") == "S256");
  CHECK(b.sent_to.find("s3cret") == std::string::npos);
  // And back.
  const auto who = b.come_back(at);
  REQUIRE(who);
  CHECK(who->provider == "company");
  CHECK(who->issuer == "https://id.example.com");
  CHECK(who->subject == "user-1");
  CHECK(who->name == "Ada Lovelace");
  CHECK(who->email == "ada@example.com");
  CHECK(who->email_verified);
  const auto& asked = at.last_token_call;
  CHECK(asked.content_type == "application/x-www-form-urlencoded");
  CHECK(parameter(asked.body.reveal(), "grant_type") == "authorization_code");
  CHECK(parameter(asked.body.reveal(), "code") == "the-code");
  CHECK(parameter(asked.body.reveal(), "redirect_uri") == issuer::redirect_uri);
  CHECK(challenge_of(secret{parameter(asked.body.reveal(), "code_verifier")})
        == parameter(b.sent_to, "code_challenge"));
  CHECK(asked.authorization.reveal() == "Basic " + base64("key%20portal%3A1:s3cret%2B%2F%25%3Ax"));
  CHECK(parameter(asked.body.reveal(), "client_secret").empty());
  CHECK(at.asked == std::vector<std::string>{"/.well-known/openid-configuration", "/token", "/jwks"});
}

TEST_CASE("discovery and keys are asked for once an hour") {
  issuer at;
  oidc_provider company(issuer::settings());
  browser b(company);
  for (const auto when : {0min, 30min, 59min}) {
    go(b, at, noon + when);
    at.claims["iat"] = seconds_of(noon + when);
    at.claims["exp"] = seconds_of(noon + when) + 300;
    REQUIRE(b.come_back(at, noon + when));
  }
  CHECK(at.asked.size() == 5);
  go(b, at, noon + 60min);
  CHECK(at.asked.size() == 6);
}

TEST_CASE("the client secret goes the way that the issuer takes it") {
  for (const auto& [ways, in_body, taken] : {std::tuple{json{"client_secret_post"}, true, true},
                                             std::tuple{json{"client_secret_post", "client_secret_basic"}, false, true},
                                             std::tuple{json{"private_key_jwt", "tls_client_auth"}, false, false}}) {
    issuer at;
    at.discovery["token_endpoint_auth_methods_supported"] = ways;
    oidc_provider company(issuer::settings());
    browser b(company);
    if (!taken) {
      CHECK(code_of(b.go(at)) == errc::provider_answer_wrong);
      continue;
    }
    go(b, at);
    REQUIRE(b.come_back(at));
    CHECK(at.last_token_call.authorization.empty() == in_body);
    CHECK(parameter(at.last_token_call.body.reveal(), "client_secret") == (in_body ? "s3cret+/%:x" : ""));
    CHECK(parameter(at.last_token_call.body.reveal(), "client_id") == (in_body ? "key portal:1" : ""));
  }
}

TEST_CASE("every allowed algorithm signs somebody in") {
  for (const auto* name : {"PS256", "ES256", "ES384", "EdDSA"}) {
    INFO(name);
    issuer at;
    at.key = std::make_shared<signer>(name, "k");
    at.published = {at.key->jwk()};
    at.head = {{"alg", name}, {"kid", "k"}};
    oidc_provider company(issuer::settings());
    browser b(company);
    go(b, at);
    CHECK(b.come_back(at));
  }
}

TEST_CASE("clocks may be a minute apart, and no more") {
  const auto outcome = [](const char* claim, std::int64_t seconds) {
    issuer at;
    at.claims[claim] = seconds_of(noon) + seconds;
    oidc_provider company(issuer::settings());
    browser b(company);
    go(b, at);
    return b.come_back(at).operator bool();
  };
  CHECK(outcome("exp", -59));
  CHECK_FALSE(outcome("exp", -60));
  CHECK(outcome("iat", 60));
  CHECK_FALSE(outcome("iat", 61));
  CHECK(outcome("nbf", 60));
  CHECK_FALSE(outcome("nbf", 61));
}

TEST_CASE("a key that is new is fetched, once a sign-in and five times a minute") {
  issuer at;
  oidc_provider company(issuer::settings());
  browser b(company);
  go(b, at);
  REQUIRE(b.come_back(at));
  // The issuer signs with a new key, which it publishes.
  at.key = std::make_shared<signer>("ES256", "key-2");
  at.published.push_back(at.key->jwk());
  at.head = {{"alg", "ES256"}, {"kid", "key-2"}};
  at.asked.clear();
  go(b, at);
  REQUIRE(b.come_back(at));
  CHECK(at.asked == std::vector<std::string>{"/token", "/jwks"});
  // And with one that it does not publish.
  at.head["kid"] = "key-3";
  at.asked.clear();
  for (int i = 0; i < 20; ++i) {
    go(b, at);
    const auto who = b.come_back(at);
    REQUIRE_FALSE(who);
    CHECK(code_of(who.error()) == errc::provider_key_unknown);
  }
  CHECK(std::count(at.asked.begin(), at.asked.end(), "/jwks") == 4); // with the first five within this minute
  at.claims["exp"] = seconds_of(noon) + 1000;
  at.asked.clear();
  go(b, at, noon + 1min);
  CHECK_FALSE(b.come_back(at, noon + 1min));
  CHECK(std::count(at.asked.begin(), at.asked.end(), "/jwks") == 1);
}

TEST_CASE("only people with a verified address of an allowed domain sign in where domains are set") {
  const auto outcome = [](const json& changes, const json& person = nullptr) {
    issuer at;
    at.claims.update(changes);
    if (!person.is_null()) {
      at.discovery["userinfo_endpoint"] = "https://id.example.com/user";
      at.person = person;
    }
    auto s = issuer::settings();
    s.domains = {"example.com"};
    oidc_provider company(std::move(s));
    browser b(company);
    go(b, at);
    const auto who = b.come_back(at);
    return who ? errc::none : code_of(who.error());
  };
  CHECK(outcome(json::object()) == errc::none);
  CHECK(outcome({{"email_verified", false}}) == errc::identity_not_allowed);
  CHECK(outcome({{"email", "ada@evil.example"}}) == errc::identity_not_allowed);
  CHECK(outcome({{"email", "ada@sub.example.com"}}) == errc::identity_not_allowed);
  CHECK(outcome({{"email", "ada@notexample.com"}}) == errc::identity_not_allowed);
  CHECK(outcome({{"email", "ada@example.com@evil.example"}}) == errc::identity_not_allowed);
  CHECK(outcome({{"email", nullptr}}) == errc::identity_not_allowed);
  // Where the token has no address, the issuer is asked for it.
  const json person{{"sub", "user-1"}, {"email", "ada@example.com"}, {"email_verified", true}};
  CHECK(outcome({{"email", nullptr}}, person) == errc::none);
  CHECK(outcome({{"email_verified", false}}, {{"sub", "user-1"}, {"email", "ada@example.com"}})
        == errc::identity_not_allowed);
  auto another = person;
  another["sub"] = "user-2";
  CHECK(outcome({{"email", nullptr}}, another) == errc::id_token_refused);
}

TEST_CASE("who somebody is does not wait for user_info") {
  issuer at;
  at.claims.erase("email");
  at.discovery["userinfo_endpoint"] = "https://id.example.com/user";
  at.spoil = [](auto path, auto& answer) {
    if (path == "/user")
      answer = {502, "text/html", "<html>"};
  };
  oidc_provider company(issuer::settings());
  browser b(company);
  go(b, at);
  const auto who = b.come_back(at);
  REQUIRE(who);
  CHECK(who->subject == "user-1");
  CHECK(who->email.empty());
  CHECK_FALSE(who->email_verified);
}

TEST_CASE("what is configured takes the place of what discovery says") {
  issuer at;
  auto s = issuer::settings();
  s.authorize_url = "https://front.example.com/go";
  s.keys_url = "https://front.example.com/jwks";
  s.scopes = {"openid", "groups"};
  oidc_provider company(std::move(s));
  browser b(company);
  go(b, at);
  CHECK(b.sent_to.starts_with("https://front.example.com/go?"));
  CHECK(parameter(b.sent_to, "scope") == "openid groups");
  CHECK(b.come_back(at));
}

TEST_CASE("what the issuer says of a failure is told in our words") {
  const auto outcome = [](const callback& back) {
    issuer at;
    oidc_provider company(issuer::settings());
    browser b(company);
    go(b, at);
    b.back.code = back.code;
    b.back.error = back.error;
    const auto who = b.come_back(at);
    REQUIRE_FALSE(who);
    CHECK(about_of(who.error()).find("<") == std::string::npos);
    CHECK(at.asked.size() == 1); // no code was shown to anybody
    return code_of(who.error());
  };
  CHECK(outcome({{}, {}, "access_denied", {}}) == errc::sign_in_declined);
  CHECK(outcome({"code", {}, "access_denied", {}}) == errc::sign_in_declined);
  CHECK(outcome({{}, {}, "invalid_scope", {}}) == errc::provider_refuses_us);
  CHECK(outcome({{}, {}, "temporarily_unavailable", {}}) == errc::provider_failed);
  CHECK(outcome({{}, {}, "<script>", {}}) == errc::provider_failed);
  CHECK(outcome({}) == errc::provider_answer_wrong);
  CHECK(outcome({"code with blanks", {}, {}, {}}) == errc::provider_answer_wrong);
}
