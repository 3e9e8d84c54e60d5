// The account client against the stand-in, as each era of CLIProxyAPI answers.
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include "actors/account_keeper/provider_table.hpp"
#include "actors/cpa/account_client.hpp"
#include "cpa_sim/server.hpp"
#include "messages/errors.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

struct stand {
  explicit stand(const std::string& version) : sim(with(version)), client({"n1", sim.url(), secret{"s"}}) {
    REQUIRE(sim.problem().empty());
  }
  static cpa_sim::options with(const std::string& version) {
    cpa_sim::options o;
    o.version = version;
    o.secret = "s";
    o.keys = {"k"};
    o.accounts = {{"claude", "a@example.com", "m", true}};
    return o;
  }
  cpa::login_said wait_end(const std::string& state) {
    for (int i = 0; i < 200; ++i) {
      const auto said = client.status(state);
      REQUIRE(said);
      if (said->is != cpa::login_word::wait)
        return *said;
      std::this_thread::sleep_for(20ms);
    }
    FAIL("the login does not end");
    return {};
  }
  cpa_sim::server sim;
  cpa::account_client client;
};

} // namespace

TEST_CASE("logins of every provider begin as their version has them", "[contract]") {
  for (const char* version : {"6.6.56", "6.9.49", "7.1.20", "7.2.64", "7.2.140"}) {
    stand s(version);
    for (const char* name : {"claude", "codex", "antigravity", "gemini-cli", "kimi", "xai"}) {
      CAPTURE(version, name);
      const auto* row = find_provider(name);
      const auto begun = s.client.start(std::string(row->route), "");
      CHECK(bool{begun} == offers_login(*row, version));
      if (!begun) {
        CHECK(code_of(begun.error()) == errc::account_provider_unknown);
        continue;
      }
      CHECK(begun->device == begun->ends_at.empty());
      if (!begun->device && !row->ends_at.empty())
        CHECK(begun->ends_at == row->ends_at);
      if (begun->device)
        CHECK_FALSE(begun->user_code.empty());
    }
  }
}

TEST_CASE("a code is handed in, exchanged, and the account is in the list", "[contract]") {
  for (const char* version : {"6.9.49", "7.2.140"}) {
    CAPTURE(version);
    stand s(version);
    const auto begun = s.client.start("anthropic", "");
    REQUIRE(begun);
    REQUIRE(s.client.hand_in("anthropic", begun->state, "code", ""));
    CHECK(s.wait_end(begun->state).is == cpa::login_word::ok);
    std::this_thread::sleep_for(100ms);
    const auto files = s.client.files();
    REQUIRE(files);
    CHECK(files->version == version);
    REQUIRE(files->files.size() == 2);
    const auto& mine = files->files[1];
    CHECK(mine.email == "person1@example.com");
    const auto times = s.client.times(mine.name);
    REQUIRE(times);
    CHECK(times->ends);
    CHECK(times->refreshed);
    CHECK(code_of(s.client.hand_in("anthropic", begun->state, "code", "").error())
          == (version[0] == '6' ? errc::account_login_over : errc::callback_used));
  }
}

TEST_CASE("what goes wrong with a login is told apart", "[contract]") {
  stand s("7.2.140");
  CHECK(code_of(s.client.hand_in("codex", "unknown", "x", "").error()) == errc::account_login_over);
  const auto begun = s.client.start("codex", "");
  REQUIRE(begun);
  CHECK(code_of(s.client.hand_in("anthropic", begun->state, "x", "").error()) == errc::callback_other_provider);
  REQUIRE(s.client.hand_in("codex", begun->state, "bad", ""));
  const auto said = s.wait_end(begun->state);
  CHECK(said.is == cpa::login_word::failed);
  CHECK(said.why == "Failed to exchange authorization code for tokens");
  CHECK(s.client.status("unknown")->is == cpa::login_word::unknown);
  CHECK(s.client.cancel("unknown"));
  const auto refused = s.client.start("codex", "");
  REQUIRE(s.client.hand_in("codex", refused->state, "", "access_denied"));
  CHECK(s.wait_end(refused->state).why == "Bad Request");
  stand old("6.9.49");
  CHECK(old.client.status("unknown")->is == cpa::login_word::ok); // which is why the list is the proof
  CHECK(old.client.cancel("unknown"));
}

TEST_CASE("an account is switched off and on and deleted; one that is not there is told", "[contract]") {
  stand s("7.2.140");
  const std::string name = "claude-a@example.com.json";
  REQUIRE(s.client.set_disabled(name, true));
  CHECK(s.client.files()->files[0].disabled);
  REQUIRE(s.client.set_disabled(name, false));
  CHECK_FALSE(s.client.files()->files[0].disabled);
  for (const char* wrong : {"nobody.json", "", "*", "a/b.json", "x&all=true"}) {
    CAPTURE(wrong);
    CHECK(code_of(s.client.remove(wrong).error()) == errc::account_unknown);
  }
  CHECK(s.client.files()->files.size() == 1); // and nothing else went
  CHECK(code_of(s.client.set_disabled("nobody.json", true).error()) == errc::account_unknown);
  CHECK(code_of(s.client.times("nobody.json").error()) == errc::account_unknown);
  REQUIRE(s.client.remove(name));
  CHECK(s.client.files()->files.empty());
  stand old("6.6.56");
  CHECK(code_of(old.client.set_disabled(name, true).error()) == errc::account_too_old);
}

TEST_CASE("a provider is asked through the node, and its answer is handed on as it is", "[contract]") {
  stand s("7.2.140");
  const auto* row = find_provider("claude");
  const auto index = s.client.files()->files[0].auth_index;
  cpa::provider_question what{index, std::string(row->method), std::string(row->url), std::string(row->headers), ""};
  auto said = s.client.ask(what);
  REQUIRE(said);
  CHECK(said->status == 200);
  CHECK(said->body.find("five_hour") != std::string::npos);
  what.url = "https://example.com/";
  CHECK(code_of(s.client.ask(what).error()) == errc::quota_unknown);
  what.auth_index = "nobody";
  CHECK(code_of(s.client.ask(what).error()) == errc::account_unknown);
  stand old("6.6.56");
  CHECK(code_of(old.client.ask(what).error()) == errc::account_too_old);
}

TEST_CASE("a node that answers something else is told with its name", "[contract]") {
  stand s("7.2.140");
  for (const auto& [fault, code] : {std::pair{"garbage", errc::node_answer_malformed},
                                    {"empty", errc::node_answer_malformed},
                                    {"truncate", errc::node_answer_truncated},
                                    {"http_status", errc::node_failed}}) {
    CAPTURE(fault);
    REQUIRE(s.sim.fault({fault, std::string_view{fault} == "truncate" ? "20" : "", 1, "/v0/management/auth-files"}));
    const auto got = s.client.files();
    REQUIRE_FALSE(got);
    CHECK(code_of(got.error()) == code);
    CHECK(about_of(got.error()).starts_with("n1"));
    s.sim.clear_faults();
  }
  s.client.stop();
  CHECK(code_of(s.client.files().error()) == errc::shutting_down);
}
