// Logins under way: whose, until when, and what a pasted address means for them.
#include <catch2/catch_test_macros.hpp>

#include "actors/account_keeper/login_book.hpp"
#include "messages/errors.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

const moment t0 = moment_of(1'800'000'000'000'000'000);

login_entry entry(const std::string& id, const std::string& who, const std::string& state,
                  const std::string& provider = "claude") {
  login_entry out;
  out.shown.id = id;
  out.shown.provider = provider;
  out.shown.node = "n1";
  out.shown.begun_at = t0;
  out.shown.ends = t0 + login_book::browser_time;
  out.who = who;
  out.state = state;
  return out;
}

callback pasted(const std::string& state, const std::string& provider = "") { return {state, "code", "", provider}; }

errc judged(login_book& book, const std::string& who, const std::string& id, const callback& what,
            moment now = t0 + 1min, const std::string& provider = "") {
  const auto got = book.judge(who, id, what, provider, now);
  return got ? errc::none : code_of(got.error());
}

} // namespace

TEST_CASE("an address ends the login whose state it has, by its id or without") {
  login_book book;
  book.begin(entry("l1", "alice", "state-one"));
  CHECK(judged(book, "alice", "l1", pasted("state-one")) == errc::none);
  CHECK(judged(book, "alice", "", pasted("state-one")) == errc::none);
  CHECK(judged(book, "alice", "", pasted("state-one", "claude"), t0 + 1min, "anthropic") == errc::none);
}

TEST_CASE("somebody else's login is answered like one that is not there") {
  login_book book;
  book.begin(entry("l1", "alice", "state-one"));
  CHECK(judged(book, "bob", "l1", pasted("state-one")) == errc::account_login_unknown);
  CHECK(judged(book, "bob", "", pasted("state-one")) == errc::callback_foreign);
  CHECK(judged(book, "alice", "l9", pasted("state-one")) == errc::account_login_unknown);
}

TEST_CASE("a foreign state, a state that was cut, another provider, and time that is over are told apart") {
  login_book book;
  book.begin(entry("l1", "alice", "state-one"));
  CHECK(judged(book, "alice", "l1", pasted("other")) == errc::callback_foreign);
  CHECK(judged(book, "alice", "", pasted("other")) == errc::callback_foreign);
  CHECK(judged(book, "alice", "l1", pasted("state-")) == errc::callback_incomplete);
  CHECK(judged(book, "alice", "", pasted("state-")) == errc::callback_incomplete);
  CHECK(judged(book, "alice", "l1", pasted("state-one", "codex")) == errc::callback_other_provider);
  CHECK(judged(book, "alice", "l1", pasted("state-one"), t0 + 1min, "codex") == errc::callback_other_provider);
  CHECK(judged(book, "alice", "l1", pasted("state-one"), t0 + 290s) == errc::account_login_over);
}

TEST_CASE("an address that was handed in already is told as that, also when all is done") {
  login_book book;
  auto& one = book.begin(entry("l1", "alice", "state-one"));
  one.handed_in = true;
  CHECK(judged(book, "alice", "l1", pasted("state-one")) == errc::callback_used);
  book.end(one, login_stage::done, errc::none, "thank you", t0 + 1min);
  CHECK(judged(book, "alice", "l1", pasted("state-one")) == errc::callback_used);
  CHECK(judged(book, "alice", "", pasted("state-one")) == errc::callback_used);
  auto& other = book.begin(entry("l2", "alice", "state-two"));
  book.end(other, login_stage::failed, errc::account_login_failed, "no", t0 + 1min);
  CHECK(judged(book, "alice", "l2", pasted("state-two")) == errc::account_login_over);
  CHECK(other.state.empty()); // nothing of it is kept
}

TEST_CASE("a login by a code wants no address") {
  login_book book;
  auto device = entry("l1", "alice", "kmi-1", "kimi");
  device.shown.way = login_way::device;
  book.begin(device);
  CHECK(judged(book, "alice", "l1", pasted("kmi-1")) == errc::callback_other_provider);
}

TEST_CASE("one login with a provider at a node at a time; one's own waiting one is replaced") {
  login_book book;
  CHECK(book.may_begin("alice", "claude", "n1", t0)->empty());
  auto& one = book.begin(entry("l1", "alice", "s"));
  CHECK(*book.may_begin("alice", "claude", "n1", t0) == "l1");
  CHECK(code_of(book.may_begin("bob", "claude", "n1", t0).error()) == errc::account_login_busy);
  CHECK(book.may_begin("bob", "claude", "n2", t0)->empty());
  CHECK(book.may_begin("bob", "codex", "n1", t0)->empty());
  one.shown.stage = login_stage::finishing; // its code is being exchanged: it cannot be replaced
  CHECK(code_of(book.may_begin("alice", "claude", "n1", t0).error()) == errc::account_login_busy);
  CHECK(book.may_begin("bob", "claude", "n1", t0 + 1h)->empty()); // a forgotten one holds nobody up
}

TEST_CASE("nobody has more than five logins under way") {
  login_book book;
  for (int i = 0; i < 5; ++i) {
    auto one = entry("l" + std::to_string(i), "alice", "s" + std::to_string(i));
    one.shown.node = "n" + std::to_string(i);
    book.begin(one);
  }
  CHECK(code_of(book.may_begin("alice", "codex", "n1", t0).error()) == errc::account_login_busy);
  CHECK(book.may_begin("bob", "codex", "n1", t0));
}

TEST_CASE("logins end with their time and are forgotten an hour later") {
  login_book book;
  auto& one = book.begin(entry("l1", "alice", "s"));
  CHECK(book.expired(t0 + 289s).empty());
  REQUIRE(book.expired(t0 + 290s).size() == 1);
  one.shown.stage = login_stage::finishing; // the node gets a minute more for what was handed in
  CHECK(book.expired(t0 + 290s).empty());
  CHECK(book.expired(t0 + 350s).size() == 1);
  book.end(one, login_stage::failed, errc::account_login_over, "over", t0 + 350s);
  CHECK(book.expired(t0 + 1h).empty());
  CHECK(book.forget(t0 + 1h).empty());
  CHECK(book.forget(t0 + 350s + 1h) == std::vector<std::string>{"l1"});
  CHECK(book.all().empty());
}

TEST_CASE("a login is the same after it was kept") {
  auto one = entry("l1", "alice", "state-one");
  one.name = "Alice";
  one.shown.url = "https://x/";
  one.shown.user_code = "AB-CD";
  one.shown.stage = login_stage::finishing;
  one.before = {{"a.json", 7, 9}};
  one.handed_in = true;
  one.said_done = t0 + 1s;
  login_entry back;
  REQUIRE(read_login(write_login(one), back));
  CHECK(write_login(back) == write_login(one));
  CHECK(back.before == one.before);
  CHECK(back.shown.ends == one.shown.ends);
  CHECK_FALSE(read_login("", back));
  CHECK_FALSE(read_login("{}", back));
  CHECK_FALSE(read_login("[1]", back));
}

TEST_CASE("the account of a login is the file that is new, else the one that was written again") {
  const std::vector<file_mark> before{{"a", 5, 1}, {"b", 5, 1}};
  CHECK(new_file(before, before).empty());
  CHECK(new_file(before, {{"a", 5, 1}, {"b", 5, 1}, {"c", 1, 1}}) == "c");
  CHECK(new_file(before, {{"a", 5, 1}, {"b", 6, 1}}) == "b");
  CHECK(new_file(before, {{"a", 6, 1}, {"b", 5, 1}, {"c", 1, 1}}) == "c"); // the other was renewed meanwhile
  CHECK(new_file(before, {{"a", 5, 1}}).empty());
}
