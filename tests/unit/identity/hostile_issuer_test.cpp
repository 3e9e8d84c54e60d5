// An issuer, or somebody between it and us, who does everything wrong that can be done: nobody is signed in, and the error says
// which thing it was.
#include <catch2/catch_test_macros.hpp>

#include "actors/identity/text_codes.hpp"
#include "issuer.hpp"

using namespace keyportal;
using namespace keyportal::identity;
using namespace keyportal::identity::test;

namespace {

struct fault {
  const char* statement; ///< of what must hold
  errc says;
  const char* about;                           ///< a part of what the error is about
  std::function<void(issuer&, browser&)> made; ///< between the browser's leaving and its return
};

std::string encoded(const json& value) { return base64url(value.dump()); }

json full(const issuer& at) {
  auto claims = at.claims;
  claims["nonce"] = at.nonce;
  return claims;
}

void claim(issuer& at, const char* name, json value) { at.claims[name] = std::move(value); }

void spoil(issuer& at, std::string path, std::function<void(http_answer&)> how) {
  at.spoil = [path = std::move(path), how = std::move(how)](std::string_view asked, http_answer& answer) {
    if (asked == path)
      how(answer);
  };
}

const std::vector<fault>& token_faults() {
  static const std::vector<fault> all = {
    {"the token is of this issuer", errc::id_token_refused, "another issuer",
     [](auto& at, auto&) { claim(at, "iss", "https://evil.example"); }},
    {"the issuer is compared byte for byte", errc::id_token_refused, "another issuer",
     [](auto& at, auto&) { claim(at, "iss", "https://id.example.com/"); }},
    {"there is an issuer", errc::id_token_refused, "another issuer", [](auto& at, auto&) { at.claims.erase("iss"); }},
    {"the issuer is a text", errc::id_token_refused, "another issuer",
     [](auto& at, auto&) { claim(at, "iss", json::array({"https://id.example.com"})); }},
    {"the token is for us", errc::id_token_refused, "another party",
     [](auto& at, auto&) { claim(at, "aud", "another"); }},
    {"the token is for us, not for who is called alike", errc::id_token_refused, "another party",
     [](auto& at, auto&) { claim(at, "aud", "key portal:10"); }},
    {"the token is for somebody", errc::id_token_refused, "another party",
     [](auto& at, auto&) { at.claims.erase("aud"); }},
    {"an empty list is nobody", errc::id_token_refused, "another party",
     [](auto& at, auto&) { claim(at, "aud", json::array()); }},
    {"a list of others is not us", errc::id_token_refused, "another party",
     [](auto& at, auto&) {
       claim(at, "aud", json::array({"another", 7, nullptr}));
       claim(at, "azp", "key portal:1");
     }},
    {"for several, it says for whom it was made", errc::id_token_refused, "several",
     [](auto& at, auto&) {
       claim(at, "aud", json::array({"key portal:1", "another"}));
     }},
    {"for several, it was made for us", errc::id_token_refused, "given to another",
     [](auto& at, auto&) {
       claim(at, "aud", json::array({"key portal:1", "another"}));
       claim(at, "azp", "another");
     }},
    {"azp is us also where aud is us alone", errc::id_token_refused, "given to another",
     [](auto& at, auto&) { claim(at, "azp", "another"); }},
    {"the nonce is of this sign-in", errc::id_token_refused, "another sign-in",
     [](auto& at, auto&) { claim(at, "nonce", std::string(43, 'A')); }},
    {"the nonce is whole", errc::id_token_refused, "another sign-in",
     [](auto& at, auto&) { claim(at, "nonce", at.nonce.substr(0, 42)); }},
    {"there is a nonce", errc::id_token_refused, "another sign-in",
     [](auto& at, auto&) { claim(at, "nonce", nullptr); }},
    {"a nonce of before is not taken again", errc::id_token_refused, "another sign-in",
     [](auto& at, auto& b) { // a proof that was stolen is put under a sign-in of today
       const auto former = at.nonce;
       REQUIRE_FALSE(b.go(at));
       at.nonce = former;
     }},
    {"the token has not expired", errc::id_token_refused, "expired",
     [](auto& at, auto&) { claim(at, "exp", seconds_of(noon) - 3600); }},
    {"the token expires some time", errc::id_token_refused, "times", [](auto& at, auto&) { at.claims.erase("exp"); }},
    {"times are numbers", errc::id_token_refused, "times", [](auto& at, auto&) { claim(at, "exp", "2100-01-01"); }},
    {"times are possible", errc::id_token_refused, "times", [](auto& at, auto&) { claim(at, "exp", 1e300); }},
    {"the token is not of the future", errc::id_token_refused, "future",
     [](auto& at, auto&) { claim(at, "iat", seconds_of(noon) + 3600); }},
    {"the token says when it was made", errc::id_token_refused, "times",
     [](auto& at, auto&) { at.claims.erase("iat"); }},
    {"the token is valid already", errc::id_token_refused, "future",
     [](auto& at, auto&) { claim(at, "nbf", seconds_of(noon) + 3600); }},
    {"somebody is meant", errc::id_token_refused, "subject", [](auto& at, auto&) { at.claims.erase("sub"); }},
    {"somebody has a name of letters", errc::id_token_refused, "subject",
     [](auto& at, auto&) { claim(at, "sub", 42); }},

    {"alg none is not taken", errc::id_token_refused, "in a way",
     [](auto& at, auto&) { at.token = [&at] {
                             return encoded({{"alg", "none"}}) + "." + encoded(full(at)) + ".";
                           }; }},
    {"alg none is not taken however it is spelt, with any signature", errc::id_token_refused, "in a way",
     [](auto& at, auto&) { at.head["alg"] = "nOnE"; }},
    {"HS256 with the public key as its secret is not taken (PEM)", errc::id_token_refused, "in a way",
     [](auto& at, auto&) {
       at.token = [&at] {
         return token_of({{"alg", "HS256"}, {"kid", "key-1"}}, full(at),
                         [&](auto text) { return hmac_sha256(at.key->pem(), text); });
       };
     }},
    {"HS256 with the public key as its secret is not taken (modulus)", errc::id_token_refused, "in a way",
     [](auto& at, auto&) {
       at.token = [&at] {
         return token_of({{"alg", "HS256"}, {"kid", "key-1"}}, full(at), [&](auto text) {
           return hmac_sha256(*from_base64url(at.key->jwk()["n"].template get<std::string>()), text);
         });
       };
     }},
    {"HS256 with the client secret is not taken", errc::id_token_refused, "in a way",
     [](auto& at, auto&) {
       at.token = [&at] {
         return token_of({{"alg", "HS256"}}, full(at), [](auto text) { return hmac_sha256("s3cret+/%:x", text); });
       };
     }},
    {"algorithms beyond the list are not taken", errc::id_token_refused, "in a way",
     [](auto& at, auto&) { at.head["alg"] = "RS512"; }},
    {"an algorithm is said", errc::id_token_refused, "in a way", [](auto& at, auto&) { at.head.erase("alg"); }},
    {"an algorithm is a text", errc::id_token_refused, "in a way",
     [](auto& at, auto&) { at.head["alg"] = json::array({"RS256"}); }},
    {"a key is not used for another algorithm than its own", errc::provider_key_unknown, "",
     [](auto& at, auto&) { at.head["alg"] = "PS256"; }},
    {"the signature is of a published key", errc::id_token_refused, "signature",
     [](auto& at, auto&) { at.key = std::make_shared<signer>("RS256", "key-1", 2048, 1); }},
    {"a key that the token brings along is not used", errc::id_token_refused, "signature",
     [](auto& at, auto&) {
       at.key = std::make_shared<signer>("RS256", "key-1", 2048, 1);
       at.head["jwk"] = at.key->jwk();
       at.head["jku"] = "https://evil.example/jwks";
     }},
    {"the claims are those that were signed", errc::id_token_refused, "signature",
     [](auto& at, auto&) {
       at.token = [&at] {
         auto text = token_of(at.head, full(at), [&](auto t) { return at.key->sign(t); });
         auto other = full(at);
         other["sub"] = "admin";
         const auto first = text.find('.'), second = text.find('.', first + 1);
         return text.substr(0, first + 1) + encoded(other) + text.substr(second);
       };
     }},
    {"there is a signature", errc::id_token_refused, "signature",
     [](auto& at, auto&) { at.token = [&at] { return encoded(at.head) + "." + encoded(full(at)) + "."; }; }},
    {"extensions that are not understood are refused", errc::id_token_refused, "extensions",
     [](auto& at, auto&) { at.head["crit"] = json::array({"b64"}); }},
    {"a key that is not published is not known", errc::provider_key_unknown, "",
     [](auto& at, auto&) { at.head["kid"] = "key-9"; }},
    {"the name of a key is a text", errc::id_token_refused, "no signed token",
     [](auto& at, auto&) { at.head["kid"] = 1; }},
    {"a token has three parts", errc::id_token_refused, "no signed token",
     [](auto& at, auto&) { at.token = [&at] { return encoded(at.head) + "." + encoded(full(at)); }; }},
    {"an encrypted token is no signed one", errc::id_token_refused, "no signed token",
     [](auto& at, auto&) { at.token = [] { return std::string("a.b.c.d.e"); }; }},
    {"a token has one spelling", errc::id_token_refused, "no signed token",
     [](auto& at, auto&) {
       at.token = [&at] { return token_of(at.head, full(at), [&](auto t) { return at.key->sign(t); }) + "="; };
     }},
    {"a token is of a size that can be", errc::id_token_refused, "no signed token",
     [](auto& at, auto&) { claim(at, "groups", std::string(70'000, 'g')); }},
    {"claims are an object", errc::id_token_refused, "no signed token",
     [](auto& at, auto&) {
       at.token = [&at] { return token_of(at.head, json::array({1}), [&](auto t) { return at.key->sign(t); }); };
     }},
  };
  return all;
}

const std::vector<fault>& other_faults() {
  static const std::vector<fault> all = {
    {"a code is taken once", errc::sign_in_code_refused, "invalid_grant",
     [](auto& at, auto&) {
       spoil(at, "/token", [](auto& a) { a = {400, "application/json", R"({"error":"invalid_grant"})"}; });
     }},
    {"an error with status 200 is one, too", errc::sign_in_code_refused, "invalid_grant",
     [](auto& at, auto&) {
       spoil(at, "/token", [](auto& a) {
         a = {200, "application/json", R"({"error":"invalid_grant","id_token":"x.y.z"})"};
       });
     }},
    {"who refuses our secret is told from who refuses a code", errc::provider_refuses_us, "invalid_client",
     [](auto& at, auto&) {
       spoil(at, "/token", [](auto& a) { a = {401, "application/json", R"({"error":"invalid_client"})"}; });
     }},
    {"tokens come with a token of identity", errc::provider_answer_wrong, "no id_token",
     [](auto& at, auto&) {
       spoil(at, "/token", [](auto& a) { a.body = R"({"access_token":"a","token_type":"Bearer"})"; });
     }},
    {"half an answer is none", errc::provider_answer_wrong, "no JSON",
     [](auto& at, auto&) { spoil(at, "/token", [](auto& a) { a.body.resize(a.body.size() / 2); }); }},
    {"an answer in another type is none", errc::provider_answer_wrong, "no JSON",
     [](auto& at, auto&) { spoil(at, "/token", [](auto& a) { a.content_type = "text/html"; }); }},
    {"a page of an error is none", errc::provider_failed, "502",
     [](auto& at, auto&) { spoil(at, "/token", [](auto& a) {
                             a = {502, "text/html", "<html>Bad Gateway</html>"};
                           }); }},
    {"nobody sends us elsewhere", errc::provider_answer_wrong, "elsewhere",
     [](auto& at, auto&) { spoil(at, "/token", [](auto& a) { a.status = 307; }); }},
    {"a list is no answer", errc::provider_answer_wrong, "no JSON object",
     [](auto& at, auto&) { spoil(at, "/token", [](auto& a) { a.body = "[]"; }); }},
    {"however deep an answer is, it is only wrong", errc::provider_answer_wrong, "no JSON",
     [](auto& at, auto&) { spoil(at, "/token", [](auto& a) { a.body = std::string(1 << 20, '['); }); }},
    {"no keys, no identity", errc::provider_answer_wrong, "keys",
     [](auto& at, auto&) { spoil(at, "/jwks", [](auto& a) { a.body = "{}"; }); }},
    {"keys come with status 200", errc::provider_answer_wrong, "404",
     [](auto& at, auto&) { spoil(at, "/jwks", [](auto& a) { a.status = 404; }); }},
    {"an empty set of keys signs nothing", errc::provider_key_unknown, "",
     [](auto& at, auto&) { at.published.clear(); }},
    {"a secret among the keys is no key", errc::provider_key_unknown, "",
     [](auto& at, auto&) {
       at.published = {{{"kty", "oct"}, {"kid", "key-1"}, {"k", "c2VjcmV0"}}};
     }},
    {"a browser that comes back from another issuer is not listened to", errc::provider_issuer_wrong, "another issuer",
     [](auto&, auto& b) { b.back.issuer = "https://evil.example"; }},
    {"also not when it brings an error", errc::provider_issuer_wrong, "another issuer",
     [](auto&, auto& b) {
       b.back.issuer = "https://evil.example";
       b.back.error = "access_denied";
     }},
    {"a swapped state is nobody's", errc::sign_in_expired, "",
     [](auto&, auto& b) { b.back.state = std::string(43, 'A'); }},
    {"the state of a sign-in that is over is nobody's", errc::sign_in_expired, "",
     [](auto& at, auto& b) {
       REQUIRE(b.come_back(at));
       at.asked.clear();
     }},
  };
  return all;
}

void all_refused(const std::vector<fault>& faults) {
  for (const auto& one : faults) {
    INFO(one.statement);
    issuer at;
    oidc_provider company(issuer::settings());
    browser b(company);
    REQUIRE_FALSE(b.go(at));
    at.nonce = parameter(b.sent_to, "nonce");
    one.made(at, b);
    const auto who = b.come_back(at);
    REQUIRE_FALSE(who);
    CHECK(row_of(code_of(who.error())).name == row_of(one.says).name);
    const auto told = render(who.error());
    INFO(told);
    CHECK(told.find(one.about) != std::string::npos);
    for (const auto* kept : {"s3cret", "the-code", "the-access-token", "eyJ"})
      CHECK(told.find(kept) == std::string::npos);
  }
}

} // namespace

TEST_CASE("a hostile issuer: no token that is wrong in any point signs anybody in") { all_refused(token_faults()); }

TEST_CASE("a hostile issuer: no answer and no callback that is wrong signs anybody in") { all_refused(other_faults()); }

TEST_CASE("a hostile issuer: discovery that is wrong sends no browser anywhere") {
  struct row {
    const char* statement;
    errc says;
    std::function<void(issuer&)> made;
  };
  const auto set = [](const char* name, json value) {
    return [name, value](issuer& at) { at.discovery[name] = value; };
  };
  const row rows[] = {
    {"discovery is of this issuer", errc::provider_issuer_wrong, set("issuer", "https://evil.example")},
    {"byte for byte", errc::provider_issuer_wrong, set("issuer", "https://id.example.com/")},
    {"in the same case", errc::provider_issuer_wrong, set("issuer", "https://ID.example.com")},
    {"and says so", errc::provider_issuer_wrong, set("issuer", nullptr)},
    {"browsers go to https", errc::provider_answer_wrong,
     set("authorization_endpoint", "http://id.example.com/authorize")},
    {"and to no script", errc::provider_answer_wrong, set("authorization_endpoint", "javascript:alert(1)")},
    {"secrets go to https", errc::provider_answer_wrong, set("token_endpoint", "http://id.example.com/token")},
    {"not to this machine", errc::provider_answer_wrong, set("token_endpoint", "http://127.0.0.1:8392/metrics")},
    {"nor over https", errc::provider_answer_wrong, set("token_endpoint", "https://localhost/")},
    {"nor to [::1]", errc::provider_answer_wrong, set("userinfo_endpoint", "http://[::1]/")},
    {"keys come over https", errc::provider_answer_wrong, set("jwks_uri", "http://keys.example.net/jwks")},
    {"not from a file", errc::provider_answer_wrong, set("jwks_uri", "file:///etc/passwd")},
    {"there are keys", errc::provider_answer_wrong, set("jwks_uri", nullptr)},
    {"addresses are texts", errc::provider_answer_wrong, set("token_endpoint", 7)},
    {"it is JSON", errc::provider_answer_wrong,
     [](issuer& at) { at.spoil = [](auto, auto& a) { a.body = "<html>"; }; }},
    {"it says so", errc::provider_answer_wrong,
     [](issuer& at) { at.spoil = [](auto, auto& a) { a.content_type.clear(); }; }},
    {"it is there", errc::provider_answer_wrong, [](issuer& at) { at.spoil = [](auto, auto& a) { a.status = 404; }; }},
    {"it is here", errc::provider_answer_wrong, [](issuer& at) { at.spoil = [](auto, auto& a) { a.status = 302; }; }},
    {"it works", errc::provider_failed,
     [](issuer& at) { at.spoil = [](auto, auto& a) {
                        a = {503, "text/plain", "later"};
                      }; }},
  };
  for (const auto& one : rows) {
    INFO(one.statement);
    issuer at;
    oidc_provider company(issuer::settings());
    browser b(company);
    one.made(at);
    const auto error = b.go(at);
    CHECK(row_of(code_of(error)).name == row_of(one.says).name);
    CHECK(render(error).find("company") != std::string::npos);
    CHECK(b.sent_to.empty());
    // What was wrong is not remembered.
    issuer good;
    CHECK_FALSE(b.go(good));
  }
}

TEST_CASE("an issuer that says it names itself in callbacks must do so") {
  for (const auto& [said, taken] :
       {std::pair{"https://id.example.com", true}, std::pair{"", false}, std::pair{"https://id.example.com/", false}}) {
    issuer at;
    at.discovery["authorization_response_iss_parameter_supported"] = true;
    oidc_provider company(issuer::settings());
    browser b(company);
    REQUIRE_FALSE(b.go(at));
    at.nonce = parameter(b.sent_to, "nonce");
    b.back.issuer = said;
    const auto who = b.come_back(at);
    CHECK(who.operator bool() == taken);
    if (!taken)
      CHECK(code_of(who.error()) == errc::provider_issuer_wrong);
  }
}

TEST_CASE("an issuer that does not answer is told with its name") {
  struct silent {
    caf::expected<http_answer> answer(const http_call&) {
      return make_error(errc::provider_unreachable, "id.example.com: timeout");
    }
  } nobody;
  oidc_provider company(issuer::settings());
  browser b(company);
  const auto error = b.go(nobody);
  CHECK(code_of(error) == errc::provider_unreachable);
  CHECK(about_of(error) == "company: id.example.com: timeout");
}
