#include <catch2/catch_test_macros.hpp>

#include "actors/identity/feishu_provider.hpp"
#include "issuer.hpp"

using namespace keyportal;
using namespace keyportal::identity;
using namespace keyportal::identity::test;

namespace {

provider_settings feishu(const std::string& kind = "feishu") {
  provider_settings s;
  s.name = "lark-office";
  s.kind = kind;
  s.client_id = "cli_a1";
  s.client_secret = secret{"app-s3cret"};
  s.tenants = {"tenant-1", "tenant-2"};
  return s;
}

/// Answers as Feishu does.
struct office {
  http_answer tokens{200, "application/json; charset=utf-8",
                     R"({"code":0,"access_token":"u-token","expires_in":7200,"token_type":"Bearer","scope":""})"};
  json data{{"name", "Ada"},          {"en_name", "Ada L"},       {"open_id", "ou_1"},        {"union_id", "on_1"},
            {"email", "a@b.example"}, {"tenant_key", "tenant-1"}, {"avatar_url", "https://x"}};
  std::optional<http_answer> person;
  std::vector<http_call> asked;

  http_answer answer(const http_call& call) {
    asked.push_back(call);
    if (call.url.ends_with("/token"))
      return tokens;
    return person.value_or(http_answer{200, "application/json; charset=utf-8",
                                       json{{"code", 0}, {"msg", "success"}, {"data", data}}.dump()});
  }
};

caf::expected<external_identity> signed_in(office& at, const provider_settings& s = feishu()) {
  const auto provider = make_provider(s);
  browser b(*provider);
  REQUIRE_FALSE(b.go(at));
  return b.come_back(at);
}

} // namespace

TEST_CASE("somebody signs in with Feishu, over v3 and a form") {
  office at;
  const auto provider = make_provider(feishu());
  browser b(*provider);
  REQUIRE_FALSE(b.go(at));
  CHECK(b.sent_to.starts_with("https://accounts.feishu.cn/open-apis/authen/v1/authorize?"));
  CHECK(parameter(b.sent_to, "client_id") == "cli_a1");
  CHECK(parameter(b.sent_to, "response_type") == "code");
  CHECK(parameter(b.sent_to, "redirect_uri") == issuer::redirect_uri);
  CHECK(parameter(b.sent_to, "state") == b.back.state);
  CHECK(parameter(b.sent_to, "code_challenge_method") == "S256");
  CHECK(b.sent_to.find("scope=") == std::string::npos);
  CHECK(b.sent_to.find("s3cret") == std::string::npos);
  const auto who = b.come_back(at);
  REQUIRE(who);
  CHECK(who->issuer == "feishu");
  CHECK(who->subject == "on_1");
  CHECK(who->tenant == "tenant-1");
  CHECK(who->name == "Ada");
  CHECK(who->email == "a@b.example");
  CHECK_FALSE(who->email_verified); // it is for display only
  REQUIRE(at.asked.size() == 2);
  CHECK(at.asked[0].url == "https://accounts.feishu.cn/oauth/v3/token");
  CHECK(at.asked[0].content_type == "application/x-www-form-urlencoded");
  const auto form = at.asked[0].body.reveal();
  CHECK(parameter(form, "grant_type") == "authorization_code");
  CHECK(parameter(form, "client_secret") == "app-s3cret");
  CHECK(parameter(form, "code") == "the-code");
  CHECK(parameter(form, "redirect_uri") == issuer::redirect_uri);
  CHECK(challenge_of(secret{parameter(form, "code_verifier")}) == parameter(b.sent_to, "code_challenge"));
  CHECK(at.asked[1].url == "https://open.feishu.cn/open-apis/authen/v1/user_info");
  CHECK(at.asked[1].authorization.reveal() == "Bearer u-token");
  CHECK(at.asked[1].content_type.empty());
}

TEST_CASE("somebody signs in with Lark, over v2 and JSON") {
  office at;
  auto s = feishu("lark");
  s.scopes = {"contact:user.email:readonly", "offline_access"};
  const auto provider = make_provider(s);
  browser b(*provider);
  REQUIRE_FALSE(b.go(at));
  CHECK(b.sent_to.starts_with("https://accounts.larksuite.com/open-apis/authen/v1/authorize?"));
  CHECK(parameter(b.sent_to, "scope") == "contact:user.email:readonly offline_access");
  const auto who = b.come_back(at);
  REQUIRE(who);
  CHECK(who->issuer == "lark"); // not the person of that id at Feishu
  CHECK(at.asked[0].url == "https://open.larksuite.com/open-apis/authen/v2/oauth/token");
  CHECK(at.asked[0].content_type == "application/json; charset=utf-8");
  const auto body = json::parse(at.asked[0].body.reveal());
  CHECK(body["client_id"] == "cli_a1");
  CHECK(body["code"] == "the-code");
  CHECK(body["code_verifier"].get<std::string>().size() == 43);
  CHECK(at.asked[1].url == "https://open.larksuite.com/open-apis/authen/v1/user_info");
}

TEST_CASE("addresses and encoding are configured where they differ") {
  office at;
  auto s = feishu();
  s.authorize_url = "https://proxy.example.com/authorize";
  s.token_url = "https://proxy.example.com/token";
  s.user_info_url = "https://proxy.example.com/me";
  s.token_encoding = "json";
  REQUIRE(signed_in(at, s));
  CHECK(at.asked[0].url == "https://proxy.example.com/token");
  CHECK(json::parse(at.asked[0].body.reveal())["grant_type"] == "authorization_code");
  CHECK(at.asked[1].url == "https://proxy.example.com/me");
}

TEST_CASE("who somebody is at Feishu is the union_id, else the open_id, and never an address") {
  office at;
  at.data.erase("union_id");
  CHECK(signed_in(at)->subject == "ou_1");
  at.data.erase("open_id");
  const auto nobody = signed_in(at);
  REQUIRE_FALSE(nobody);
  CHECK(code_of(nobody.error()) == errc::provider_answer_wrong);
}

TEST_CASE("people of other organisations are not let in from Feishu") {
  for (const json& tenant : std::vector<json>{"tenant-3", "", nullptr, "TENANT-1", "tenant-1 ", 7}) {
    office at;
    at.data["tenant_key"] = tenant;
    const auto who = signed_in(at);
    REQUIRE_FALSE(who);
    CHECK(code_of(who.error()) == errc::identity_not_allowed);
  }
}

TEST_CASE("Feishu's errors are told in our words, in both of their styles") {
  const std::pair<int, errc> codes[] = {
    {20002, errc::provider_refuses_us},  {20003, errc::sign_in_code_refused}, {20065, errc::sign_in_code_refused},
    {20004, errc::sign_in_code_refused}, {20010, errc::identity_not_allowed}, {20024, errc::sign_in_code_refused},
    {20027, errc::provider_refuses_us},  {20049, errc::sign_in_code_refused}, {20050, errc::provider_failed},
    {20072, errc::provider_failed},      {20063, errc::provider_refuses_us},  {20067, errc::provider_refuses_us},
    {20068, errc::provider_refuses_us},  {20070, errc::provider_refuses_us},  {20071, errc::provider_refuses_us},
    {12345, errc::provider_failed}};
  for (const auto& [code, says] : codes)
    for (const long status : {400L, 200L}) {
      INFO(code << " with status " << status);
      office at;
      at.tokens = {
        status, "application/json",
        json{{"code", code}, {"error", "invalid_grant"}, {"error_description", "of the-code"}, {"access_token", "t"}}
          .dump()};
      const auto who = signed_in(at);
      REQUIRE_FALSE(who);
      CHECK(row_of(code_of(who.error())).name == row_of(says).name);
      CHECK(about_of(who.error()).find("the-code") == std::string::npos);
      CHECK(at.asked.size() == 1);
    }
  // Without a code of its own, OAuth's word counts; without either, the status.
  office at;
  at.tokens = {400, "application/json", R"({"error":"invalid_grant"})"};
  CHECK(code_of(signed_in(at).error()) == errc::sign_in_code_refused);
  at.tokens = {500, "application/json", "{}"};
  CHECK(code_of(signed_in(at).error()) == errc::provider_failed);
}

TEST_CASE("answers of Feishu that are none are told as such") {
  const std::pair<http_answer, errc> answers[] = {
    {{404, "text/plain", "404 page not found"}, errc::provider_answer_wrong},
    {{502, "text/html", "<html>"}, errc::provider_failed},
    {{302, "text/html", ""}, errc::provider_answer_wrong},
    {{200, "text/html", "{}"}, errc::provider_answer_wrong},
    {{200, "application/json", R"({"code":0,"access_tok)"}, errc::provider_answer_wrong},
    {{200, "application/json", R"({"code":0})"}, errc::provider_answer_wrong},
    {{200, "application/json", R"({"code":0,"access_token":"a\nb"})"}, errc::provider_answer_wrong},
    {{200, "application/json", R"({"code":0,"access_token":7})"}, errc::provider_answer_wrong},
  };
  for (const auto& [answer, says] : answers) {
    INFO(answer.status << " " << answer.body);
    office at;
    at.tokens = answer;
    const auto who = signed_in(at);
    REQUIRE_FALSE(who);
    CHECK(row_of(code_of(who.error())).name == row_of(says).name);
  }
  for (const auto* body : {R"({"code":0})", R"({"code":0,"data":[]})", R"({"code":0,"data":{}})"}) {
    office at;
    at.person = http_answer{200, "application/json", body};
    CHECK(code_of(signed_in(at).error()) == errc::provider_answer_wrong);
  }
  office at;
  at.person = http_answer{400, "application/json", R"({"code":99991679,"msg":"scope"})"};
  CHECK(code_of(signed_in(at).error()) == errc::provider_refuses_us);
}

TEST_CASE("who declines at Feishu is told so, and nobody is asked") {
  office at;
  const auto provider = make_provider(feishu());
  browser b(*provider);
  REQUIRE_FALSE(b.go(at));
  b.back.code.clear();
  b.back.error = "access_denied";
  const auto who = b.come_back(at);
  REQUIRE_FALSE(who);
  CHECK(code_of(who.error()) == errc::sign_in_declined);
  CHECK(at.asked.empty());
}
