// All accounts together: what is told of them, once, and whose they are.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "actors/account_keeper/account_book.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

const moment t0 = moment_of(1'800'000'000'000'000'000);

std::string id_of(const std::string& text) { return "a-" + text.substr(text.find('\n') + 1); }

account_book make() { return account_book(id_of, {72h, 24h, 2h}); }

cpa::auth_file file(const std::string& mail = "a@example.com", const std::string& status = "active",
                    const std::string& message = "") {
  cpa::auth_file f;
  f.name = "claude-" + mail + ".json";
  f.provider = "claude";
  f.email = mail;
  f.auth_index = "index-" + mail;
  f.status = status;
  f.message = message;
  f.changed_at = t0;
  f.size = 100;
  return f;
}

std::string kinds(const std::vector<node_event>& events) {
  std::string out;
  for (const auto& e : events)
    out += (out.empty() ? "" : " ") + std::to_string(static_cast<int>(e.kind));
  return out;
}

std::string kind(event_kind k) { return std::to_string(static_cast<int>(k)); }

const std::string id = "a-claude-a@example.com.json";

} // namespace

TEST_CASE("what an account is, is told when it changes, and once") {
  auto book = make();
  CHECK(book.seen("n1", "7.2.140", {file()}, t0).empty());
  CHECK(kinds(book.seen("n1", "7.2.140", {file("a@example.com", "error", "unauthorized")}, t0 + 1min))
        == kind(event_kind::account_login_needed));
  CHECK(book.seen("n1", "7.2.140", {file("a@example.com", "error", "unauthorized")}, t0 + 2min).empty());
  CHECK(kinds(book.seen("n1", "7.2.140", {file()}, t0 + 3min)) == kind(event_kind::account_recovered));
  auto resting = file("a@example.com", "error", "quota exhausted");
  resting.unavailable = true;
  resting.rests_until = t0 + 1h;
  CHECK(kinds(book.seen("n1", "7.2.140", {resting}, t0 + 4min)) == kind(event_kind::account_limited));
  CHECK(book.pass_time(t0 + 30min).empty());
  CHECK(kinds(book.pass_time(t0 + 1h)) == kind(event_kind::account_limited)); // its time came without another look
  CHECK(kinds(book.seen("n1", "7.2.140", {}, t0 + 2h)) == kind(event_kind::account_removed));
  CHECK(book.seen("n1", "7.2.140", {}, t0 + 3h).empty());
}

TEST_CASE("an account is told about by its id, without address or file, and what is told survives a restart") {
  auto book = make();
  (void)book.seen("n1", "7.2.140", {file()}, t0);
  REQUIRE(book.contributed(id, "u-alice", "Alice", t0));
  const auto events = book.seen("n1", "7.2.140", {file("a@example.com", "error", "invalid_grant")}, t0 + 1min);
  REQUIRE(events.size() == 1);
  CHECK(events[0].about == id);
  const auto data = nlohmann::json::parse(events[0].data);
  CHECK(data["owner"] == "u-alice");
  CHECK(data["provider"] == "claude");
  CHECK_FALSE(data.contains("email"));
  CHECK_FALSE(data.contains("file"));
  auto again = make();
  REQUIRE(again.load_account(account_book::write_account(*book.find(id))));
  CHECK(again.view(*again.find(id), t0).condition == account_condition::login_needed); // until the node was asked
  CHECK(again.seen("n1", "7.2.140", {file("a@example.com", "error", "invalid_grant")}, t0 + 2min).empty());
  CHECK(again.find(id)->owner == "u-alice");
  CHECK_FALSE(again.load_account("{}"));
  CHECK_FALSE(again.load_account("nonsense"));
}

TEST_CASE("who gave an account first keeps it") {
  auto book = make();
  (void)book.seen("n1", "7.2.140", {file()}, t0);
  CHECK(book.contributed(id, "u-alice", "Alice", t0));
  CHECK(book.contributed(id, "u-alice", "Alice", t0 + 1h));
  CHECK_FALSE(book.contributed(id, "u-bob", "Bob", t0 + 2h));
  CHECK(book.find(id)->owner_name == "Alice");
  CHECK(book.map_owner("A@Example.com", "carol@corp", "Carol", "u-carol") == 1); // a list knows it less well
  CHECK(book.find(id)->owner_name == "Alice");
}

TEST_CASE("a mapping says whose accounts are, also of those that come later") {
  auto book = make();
  (void)book.seen("n1", "7.2.140", {file()}, t0);
  CHECK(book.map_owner("a@example.com", "Alice@Corp", "Alice", "u-alice") == 1);
  CHECK(book.map_owner("b@example.com", "bob@corp", "Bob", "") == 0);
  (void)book.seen("n1", "7.2.140", {file(), file("b@example.com")}, t0 + 1min);
  CHECK(book.find(id)->owner == "u-alice");
  CHECK(book.find("n1", "claude-b@example.com.json")->owner_name == "Bob");
  auto again = make();
  for (const auto& [row, text] : book.mapping_rows())
    again.load_mapping(text);
  (void)again.seen("n2", "", {file("B@example.com")}, t0);
  CHECK(again.find("n2", "claude-B@example.com.json")->owner_email == "bob@corp");
}

TEST_CASE("a token that is not renewed is told at each time before its end, the last one only") {
  auto book = make();
  (void)book.seen("n1", "7.2.140", {file()}, t0);
  CHECK(book.token_seen(id, {t0 + 10h, {}, ""}, t0).empty()); // it will be renewed four hours before
  CHECK(kinds(book.pass_time(t0 + 6h + 16min))
        == kind(event_kind::account_login_due)); // three days and one day at once
  CHECK(book.pass_time(t0 + 7h).empty());
  CHECK(kinds(book.pass_time(t0 + 8h)) == kind(event_kind::account_login_due));
  CHECK(book.pass_time(t0 + 9h).empty());
  CHECK(kinds(book.pass_time(t0 + 10h + 11min)) == kind(event_kind::account_login_needed));
}

TEST_CASE("a refusal by the provider counts until the file changes") {
  auto book = make();
  (void)book.seen("n1", "7.2.140", {file()}, t0);
  CHECK(kinds(book.provider_said(id, 401, "{}", t0)) == kind(event_kind::account_login_needed));
  CHECK(book.seen("n1", "7.2.140", {file()}, t0 + 1min).empty());
  auto fresh = file();
  fresh.changed_at = t0 + 2min;
  CHECK(kinds(book.seen("n1", "7.2.140", {fresh}, t0 + 2min)) == kind(event_kind::account_recovered));
}

TEST_CASE("quota that runs out is told, and what is not understood is a sentence at the account") {
  auto book = make();
  (void)book.seen("n1", "7.2.140", {file()}, t0);
  const auto events =
    book.provider_said(id, 200, R"({"five_hour":{"utilization":96,"resets_at":"2027-01-15T13:00:00Z"}})", t0);
  REQUIRE(events.size() == 1);
  const auto data = nlohmann::json::parse(events[0].data);
  CHECK(data["window"] == "5h");
  CHECK(data["percent"] == 95);
  CHECK(book.provider_said(id, 200, "<html>", t0 + 5min).empty());
  const auto view = book.view(*book.find(id), t0 + 5min);
  CHECK(view.quota_problem.find("no JSON object") != std::string::npos);
  CHECK(view.quota.size() == 1); // as it was told last
  CHECK(book.provider_said("nobody", 200, "{}", t0).empty());
}

TEST_CASE("entries of single projects are no accounts of their own") {
  auto book = make();
  auto project = file();
  project.runtime_only = true;
  CHECK(book.seen("n1", "6.9.49", {project}, t0).empty());
  CHECK(book.views(t0).empty());
}
