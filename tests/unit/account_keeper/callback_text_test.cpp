// What people paste after they signed in, and the table of providers that it is read with.
#include <catch2/catch_test_macros.hpp>

#include "actors/account_keeper/callback_text.hpp"
#include "actors/account_keeper/provider_table.hpp"
#include "messages/errors.hpp"

using namespace keyportal;

namespace {

errc refusal(std::string_view text) {
  const auto got = read_callback(text);
  return got ? errc::none : code_of(got.error());
}

} // namespace

TEST_CASE("a callback is read out of whatever way it was copied") {
  for (const char* text :
       {"http://localhost:54545/callback?code=abc&state=s1", "  http://localhost:54545/callback?code=abc&state=s1\n",
        "<http://localhost:54545/callback?state=s1&code=abc>", "\"http://localhost:54545/callback?code=abc&state=s1\"",
        "localhost:54545/callback?code=abc&state=s1", "http://localhost:54545/call\r\nback?code=abc&st ate=s1",
        "http://localhost:54545/callback?code=abc&state=s1#",
        "http://localhost:54545/callback?code=a%62c&state=s1&scope=x+y"}) {
    CAPTURE(text);
    const auto got = read_callback(text);
    REQUIRE(got);
    CHECK(got->code == "abc");
    CHECK(got->state == "s1");
    CHECK(got->provider == "claude");
    CHECK(got->refused.empty());
  }
}

TEST_CASE("only the query, or what a page shows, is enough") {
  for (const char* text : {"code=abc&state=s1", "?code=abc&state=s1", "abc#s1", "code=abc%23s1"}) {
    CAPTURE(text);
    const auto got = read_callback(text);
    REQUIRE(got);
    CHECK(got->code == "abc");
    CHECK(got->state == "s1");
    CHECK(got->provider.empty());
  }
}

TEST_CASE("the port and path of an address tell the provider, a host of the portal tells none") {
  CHECK(read_callback("http://localhost:1455/auth/callback?code=a&state=b")->provider == "codex");
  CHECK(read_callback("http://localhost:51121/oauth-callback?code=a&state=b")->provider == "antigravity");
  CHECK(read_callback("http://127.0.0.1:8085/oauth2callback?code=a&state=b")->provider == "gemini-cli");
  CHECK(read_callback("http://127.0.0.1:56121/callback?code=a&state=b")->provider == "xai");
  CHECK(read_callback("https://portal.example.com/callback?code=a&state=b")->provider.empty());
}

TEST_CASE("what is cut off is told apart from what is something else") {
  for (const char* text :
       {"http://localhost:54545/callback", "http://localhost:54545/callback?code=abc",
        "http://localhost:54545/callback?state=s1", "http://localhost:54545/callback?code=abc&state=",
        "http://localhost:54545/callback?code=abc%2", "http://localhost:54545/callback?code=abc&sta", "abc#"}) {
    CAPTURE(text);
    CHECK(refusal(text) == errc::callback_incomplete);
  }
  for (const char* text : {"", "   ", "hello", "https://claude.ai/", "http://localhost:54545/callback?foo=bar",
                           "http://localhost:54545/callback?code=a%zzb&state=s1", "code=a&state=a/b",
                           "http://localhost:54545/callback?code=a&state=..", "#x"}) {
    CAPTURE(text);
    CHECK((refusal(text) == errc::callback_unreadable || refusal(text) == errc::callback_incomplete));
  }
  CHECK(refusal("hello") == errc::callback_unreadable);
  CHECK(refusal(std::string(20'000, 'a')) == errc::callback_unreadable);
  CHECK(refusal("code=a&state=" + std::string(129, 'a')) == errc::callback_unreadable);
  // The address of the provider's page instead of the one after it.
  const auto page = read_callback("https://claude.ai/oauth/authorize?client_id=x&state=s1&code=true");
  REQUIRE_FALSE(page);
  CHECK(code_of(page.error()) == errc::callback_unreadable);
  CHECK(about_of(page.error()).find("sign in there") != std::string::npos);
}

TEST_CASE("a refusal of the provider is a callback too, and only its word is kept") {
  const auto got = read_callback("http://localhost:54545/callback?error=access_denied&error_description=x&state=s1");
  REQUIRE(got);
  CHECK(got->refused == "access_denied");
  CHECK(read_callback("error=%3Cscript%3E&state=s1")->refused == "refused");
  CHECK(refusal("error=access_denied") == errc::callback_incomplete); // whose it is nobody knows
}

TEST_CASE("providers are found by any of their names, and offered by the versions that have them") {
  CHECK(find_provider("Claude")->name == "claude");
  CHECK(find_provider("anthropic")->name == "claude");
  CHECK(find_provider("chatgpt")->name == "codex");
  CHECK(find_provider("grok")->name == "xai");
  CHECK(find_provider("gemini")->name == "gemini-cli");
  CHECK(find_provider("") == nullptr);
  CHECK(find_provider("claude codex") == nullptr);
  CHECK(version_number("7.2.64") == 7'002'064);
  CHECK(version_number("v6.9.49-fork") == 6'009'049);
  CHECK(version_number("dev") == 0);
  CHECK(version_number("7.2") == 0);
  CHECK(offers_login(*find_provider("gemini"), "6.9.49"));
  CHECK_FALSE(offers_login(*find_provider("gemini"), "7.2.20"));
  CHECK_FALSE(offers_login(*find_provider("kimi"), "6.6.56"));
  CHECK(offers_login(*find_provider("kimi"), "dev"));
  CHECK_FALSE(offers_login(*find_provider("vertex"), "7.2.140"));
  for (const auto& row : providers()) {
    CAPTURE(row.name);
    CHECK((row.url.empty() || row.url.starts_with("https://")));
    CHECK(find_provider(row.name) == &row);
  }
}
