// How an account is: the first rule that fits.
#include <catch2/catch_test_macros.hpp>

#include "actors/account_keeper/account_fold.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

const moment t0 = moment_of(1'800'000'000'000'000'000);

struct world {
  cpa::auth_file file;
  account_facts facts;
  world() {
    file.name = "claude-a.json";
    file.provider = "claude";
    file.status = "active";
    facts.provider = find_provider("claude");
    facts.version = "7.2.140";
    facts.token_ends = t0 + 8h;
  }
  account_condition condition() {
    facts.file = &file;
    return fold_account(facts, t0).condition;
  }
};

} // namespace

TEST_CASE("an account that is active and whose token is young works") {
  world w;
  CHECK(w.condition() == account_condition::fine);
}

TEST_CASE("what an admin switched off is off, whatever else is wrong") {
  world w;
  w.file.disabled = true;
  w.file.status = "error";
  w.file.message = "unauthorized";
  CHECK(w.condition() == account_condition::off);
}

TEST_CASE("a login is needed when node or provider say so, or the token ended") {
  for (const char* message :
       {"unauthorized", "invalid_grant", R"({"error":{"code":"token_expired"}})", "status 401: no"}) {
    CAPTURE(message);
    world w;
    w.file.status = "error";
    w.file.message = message;
    CHECK(w.condition() == account_condition::login_needed);
  }
  world refused, unpaid, ended, just, old_version;
  refused.facts.provider_status = 401;
  CHECK(refused.condition() == account_condition::login_needed);
  unpaid.facts.provider_status = 402;
  CHECK(unpaid.condition() == account_condition::login_needed);
  ended.facts.token_ends = t0 - 11min;
  CHECK(ended.condition() == account_condition::login_needed);
  just.facts.token_ends = t0 - 5min; // it may be renewed this very moment
  CHECK(just.condition() == account_condition::not_renewed);
  old_version.facts.version = "6.6.56"; // did not write every renewal to the file
  old_version.facts.token_ends = t0 - 24h;
  CHECK(old_version.condition() == account_condition::fine);
}

TEST_CASE("a token that should have been renewed is told before it ends, where there is time for it") {
  world w;
  w.facts.token_ends = t0 + 3h + 46min;
  CHECK(w.condition() == account_condition::fine);
  w.facts.token_ends = t0 + 3h + 44min;
  CHECK(w.condition() == account_condition::not_renewed);
  w.facts.provider = find_provider("kimi"); // renewed five minutes before: no warning fits
  w.facts.token_ends = t0 + 2min;
  CHECK(w.condition() == account_condition::fine);
  w.facts.provider = nullptr;
  w.facts.token_ends = t0 - 24h;
  CHECK(w.condition() == account_condition::fine);
}

TEST_CASE("an account rests until a moment that is still to come; a past one is over") {
  world w;
  w.file.status = "error";
  w.file.message = "usage_limit_reached";
  w.file.unavailable = true;
  w.file.rests_until = t0 + 1h;
  w.facts.file = &w.file;
  const auto found = fold_account(w.facts, t0);
  CHECK(found.condition == account_condition::resting);
  CHECK(found.why == "its quota is used up");
  CHECK(found.rests_until == t0 + 1h);
  w.file.rests_until = t0 - 1s; // the node says so until the next request
  CHECK(w.condition() == account_condition::degraded);
}

TEST_CASE("what the provider said is shown short, on one line, and without anything that may be a token") {
  CHECK(shown_error("quota\nused") == "quota used");
  CHECK(shown_error(std::string(1000, ' ')).size() == 300);
  const auto shown = shown_error("bad token sk-ant-" + std::string(60, 'a') + " given");
  CHECK(shown.find("sk-ant") == std::string::npos);
  CHECK(shown.find("given") != std::string::npos);
}
