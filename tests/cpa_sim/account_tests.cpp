// Logins with providers, the folder of accounts, and what providers say of quota: as the real server answers.
#include "queue_test_tools.hpp"

#include <catch2/catch_test_macros.hpp>

namespace keyportal::cpa_sim {
namespace {

using namespace test;

std::string state_of(const reply& r) { return member(r.body, "state"); }

std::string status_of(const server& s, const std::string& state) {
  const auto r = manage(s.port(), "GET", "get-auth-status?state=" + state);
  return member(r.body, "status") + (member(r.body, "error").empty() ? "" : ": " + member(r.body, "error"));
}

reply hand_in(const server& s, const std::string& provider, const std::string& state, const std::string& code) {
  return manage(s.port(), "POST", "oauth-callback",
                "{\"provider\":\"" + provider + "\",\"redirect_url\":\"http://localhost:54545/callback?code=" + code
                  + "&state=" + state + "\"}");
}

TEST_CASE("a login brings an account that the list shows a moment later", "[contract]") {
  for (const char* version : {"6.9.49", "7.2.140"}) {
    INFO(version);
    server s{of(version)};
    CHECK(manage(s.port(), "GET", "auth-files").body == R"({"files":[]})");
    const auto begun = manage(s.port(), "GET", "anthropic-auth-url");
    REQUIRE(begun.status == 200);
    const auto state = state_of(begun);
    CHECK(state.size() == 32);
    CHECK(member(begun.body, "url").find("state=" + state) != std::string::npos);
    CHECK(status_of(s, state) == "wait");
    CHECK(hand_in(s, "anthropic", state, "one").body == R"({"status":"ok"})");
    CHECK(eventually([&] { return status_of(s, state) == "ok"; }));
    CHECK(eventually([&] {
      return manage(s.port(), "GET", "auth-files").body.find("claude-person1@example.com.json") != std::string::npos;
    }));
    const auto again = hand_in(s, "anthropic", state, "one");
    CHECK(again.status == (version[0] == '6' ? 404 : 409));
  }
}

TEST_CASE("what is wrong with a callback is said as the version says it", "[contract]") {
  server s{of("7.2.140")};
  const auto state = state_of(manage(s.port(), "GET", "codex-auth-url"));
  CHECK(member(hand_in(s, "codex", "unknown", "x").body, "error") == "unknown or expired state");
  CHECK(member(hand_in(s, "claude", state, "x").body, "error") == "provider does not match state");
  CHECK(member(hand_in(s, "codex", "a%20b", "x").body, "error") == "invalid state");
  CHECK(member(hand_in(s, "codex", state, "").body, "error") == "code or error is required");
  CHECK(member(manage(s.port(), "POST", "oauth-callback", "{").body, "error") == "invalid body");
  CHECK(hand_in(s, "codex", state, "bad").status == 200);
  CHECK(eventually([&] { return status_of(s, state) == "error: Failed to exchange authorization code for tokens"; }));
  CHECK(member(hand_in(s, "codex", state, "x").body, "error") == "Failed to exchange authorization code for tokens");
  // The same code a second time.
  server old{of("6.9.49")};
  CHECK(status_of(old, "nobody-knows") == "ok");
  CHECK(manage(old.port(), "DELETE", "oauth-session?state=x").status == 404);
}

TEST_CASE("a device login ends when a person typed the code", "[contract]") {
  server s{of("7.2.140")};
  for (const char* decision : {"approve", "deny"}) {
    const auto begun = manage(s.port(), "GET", "kimi-auth-url");
    const auto state = state_of(begun);
    CHECK(state.starts_with("kmi-"));
    CHECK(member(begun.body, "flow") == "device");
    CHECK(member(begun.body, "user_code").starts_with("WXYZ-"));
    CHECK(status_of(s, state) == "wait");
    s.accounts().decide_device(state, decision);
    CHECK(status_of(s, state).starts_with(*decision == 'a' ? "ok" : "error: Authentication failed"));
  }
  const auto cancelled = state_of(manage(s.port(), "GET", "xai-auth-url"));
  CHECK(member(manage(s.port(), "DELETE", "oauth-session?state=" + cancelled).body, "cancelled") == "true");
  CHECK(status_of(s, cancelled) == "error: unknown or expired state");
}

TEST_CASE("an account is switched off, downloaded and deleted", "[contract]") {
  auto with = of("7.2.140");
  with.accounts = {{"claude", "a@example.com", "claude-x", true}};
  server s{with};
  const std::string name = "claude-a@example.com.json";
  CHECK(manage(s.port(), "PATCH", "auth-files/status", R"({"name":")" + name + R"(","disabled":true})").body
        == R"({"disabled":true,"status":"ok"})");
  CHECK(member(manage(s.port(), "GET", "auth-files").body, "status") == "disabled");
  const auto file = manage(s.port(), "GET", "auth-files/download?name=" + name);
  CHECK(member(file.body, "expired").size() > 20);
  CHECK(manage(s.port(), "GET", "auth-files/download?name=x.txt").status == 400);
  CHECK(manage(s.port(), "DELETE", "auth-files?name=" + name).status == 200);
  CHECK(manage(s.port(), "DELETE", "auth-files?name=" + name).status == 404);
}

TEST_CASE("a provider is asked for quota through the node, and every question is remembered", "[contract]") {
  auto with = of("7.2.140");
  with.accounts = {{"claude", "a@example.com", "claude-x", true}};
  server s{with};
  const auto index = member(manage(s.port(), "GET", "auth-files").body, "auth_index");
  const auto ask = [&](const std::string& url) {
    return manage(s.port(), "POST", "api-call",
                  R"({"auth_index":")" + index + R"(","method":"GET","url":")" + url
                    + R"(","header":{"Authorization":"Bearer $TOKEN$"}})");
  };
  CHECK(ask("https://api.anthropic.com/api/oauth/usage").body.find("five_hour") != std::string::npos);
  CHECK(ask("https://example.com/").status == 502);
  CHECK(member(manage(s.port(), "POST", "api-call", "{}").body, "error") == "missing method");
  CHECK(s.accounts().record_json().find("api/oauth/usage") != std::string::npos);
}

} // namespace
} // namespace keyportal::cpa_sim
