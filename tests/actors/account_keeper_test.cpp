// The account keeper with a node, a ledger and a disk that do what a test wants, and time that stands still.
#include "actors/account_keeper/account_keeper.hpp"

#include <algorithm>
#include <map>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "messages/errors.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/fixture.hpp"

using namespace keyportal;
using namespace std::chrono_literals;
using storage::account_row_kind;

namespace {

/// What the actors of a test share; all of them run on one thread.
struct surroundings {
  std::vector<cpa::auth_file> files;
  bool node_works = true, ledger_works = true, ledger_answers = true, disk_works = true, login_begins = true;
  std::size_t looks = 0, questions = 0, logins = 0, ended_logins = 0;
  std::vector<node_event> told;
  std::map<std::pair<account_row_kind, std::string>, std::string> rows;

  [[nodiscard]] std::size_t rows_of(account_row_kind kind) const {
    std::size_t out = 0;
    for (const auto& [key, text] : rows)
      out += key.first == kind ? 1 : 0;
    return out;
  }
  [[nodiscard]] std::size_t told_of(event_kind kind) const {
    std::size_t out = 0;
    for (const auto& one : told)
      out += one.kind == kind ? 1 : 0;
    return out;
  }
};
using shared = std::shared_ptr<surroundings>;

account_upstream_actor::behavior_type upstream(account_upstream_actor::pointer, shared here) {
  return test::answers<account_upstream_actor>(test::overloaded{
    [here](const fetch_auth_files&) -> caf::result<cpa::auth_files_answer> {
      ++here->looks;
      if (!here->node_works)
        return make_error(errc::node_unreachable, "alpha");
      return cpa::auth_files_answer{here->files, "7.2.140"};
    },
    [here](const start_login&) -> caf::result<cpa::login_started> {
      if (!here->login_begins)
        return make_error(errc::node_unreachable, "alpha");
      cpa::login_started out;
      out.state = fmt::format("state-{:032}", ++here->logins);
      out.url = "https://provider.example/authorize?state=" + out.state;
      out.ends_at = "http://localhost:54545/callback";
      return out;
    },
    [here](const end_login&) -> caf::result<cpa::login_said> {
      ++here->ended_logins;
      return cpa::login_said{};
    },
    [here](const cpa::provider_question&) -> caf::result<cpa::provider_said> {
      ++here->questions;
      return make_error(errc::node_unreachable, "alpha");
    },
  });
}

ledger_actor::behavior_type ledger(ledger_actor::pointer, shared here) {
  return test::answers<ledger_actor>(test::overloaded{
    [here](const journal_entry& m) -> caf::result<committed> {
      if (!here->ledger_works)
        return make_error(errc::storage_failed, "no room");
      here->told.insert(here->told.end(), m.events.begin(), m.events.end());
      if (!here->ledger_answers)
        return make_error(errc::storage_failed, "nobody heard the answer");
      return committed{};
    },
  });
}

struct house : test::fixture {
  house() {
    node = spawn(upstream, here);
    book = spawn(ledger, here);
    start();
  }
  ~house() { stop(); }

  void start() {
    account_keeper_settings s;
    s.refresh_interval = 1s;
    s.quota_interval = 0ms;
    s.now = [this] { return at; };
    s.draw = [n = std::make_shared<int>(0)] { return fmt::format("login-{}", ++*n); };
    s.id_of = [](const std::string& text) { return fmt::format("a{:026x}", std::hash<std::string>{}(text)); };
    s.is_kept = [h = here](const node_event& wanted) {
      return std::any_of(h->told.begin(), h->told.end(), [&](const node_event& one) {
        return one.kind == wanted.kind && one.about == wanted.about && one.at == wanted.at && one.data == wanted.data;
      });
    };
    s.keep = [h = here](const storage::account_rows_change& what) -> caf::error {
      if (!h->disk_works)
        return make_error(errc::storage_failed, "no room");
      for (const auto& row : what.put)
        h->rows[{row.kind, row.id}] = row.text;
      for (const auto& row : what.drop)
        h->rows.erase({row.kind, row.id});
      return {};
    };
    s.kept = [h = here](account_row_kind kind) -> caf::expected<std::vector<storage::account_row>> {
      std::vector<storage::account_row> out;
      for (const auto& [key, text] : h->rows)
        if (key.first == kind)
          out.push_back({kind, key.second, text});
      return out;
    };
    account_keeper_peers p;
    p.nodes.push_back({"alpha", node, node});
    p.ledger = book;
    keeper = spawn_account_keeper(system(), false, std::move(s), std::move(p), numbers);
    settle();
  }
  void stop() {
    caf::anon_send_exit(keeper, caf::exit_reason::kill);
    settle();
    keeper = nullptr;
  }
  /// A second at a time, as the keeper's own clock goes.
  void pass(std::chrono::seconds most) {
    for (auto gone = 0s; gone < most; gone += 1s) {
      at += 1s;
      advance(1s);
    }
  }
  [[nodiscard]] std::vector<account_view> accounts() {
    auto list = ask<account_list_ptr>(keeper, list_accounts{});
    REQUIRE(list);
    return (*list)->accounts;
  }
  caf::expected<account_login> begin(const std::string& who) {
    return ask<account_login>(keeper, begin_account_login{who, who, "claude"});
  }
  static cpa::auth_file file(const std::string& name) {
    cpa::auth_file out;
    out.name = name + ".json";
    out.provider = "claude";
    out.email = name + "@example.com";
    out.auth_index = "index-of-" + name;
    out.status = "active";
    return out;
  }

  moment at = moment_of(1'775'000'000'000'000'000);
  shared here = std::make_shared<surroundings>();
  metrics numbers;
  account_upstream_actor node;
  ledger_actor book;
  account_keeper_actor keeper;
};

} // namespace

TEST_CASE("an account keeper tells what the ledger refused again, until it has it, once") {
  house h;
  h.here->files = {house::file("ann")};
  h.pass(2s);
  REQUIRE(h.accounts().size() == 1);
  h.here->ledger_works = false;
  h.here->files[0].status = "error";
  h.here->files[0].message = "unauthorized";
  h.here->files[0].unavailable = true;
  h.pass(3s);
  CHECK(h.accounts()[0].condition == account_condition::login_needed);
  CHECK(h.here->told_of(event_kind::account_login_needed) == 0);
  CHECK(h.here->rows_of(account_row_kind::event) == 1);
  h.here->ledger_works = true;
  h.pass(5s);
  CHECK(h.here->told_of(event_kind::account_login_needed) == 1);
  CHECK(h.here->rows_of(account_row_kind::event) == 0);
}

TEST_CASE("an account keeper that is killed with something to tell tells it in its next life, and nothing twice") {
  house h;
  h.here->files = {house::file("ann")};
  h.pass(2s);
  h.here->ledger_works = false;
  h.here->files[0].status = "error";
  h.here->files[0].message = "unauthorized";
  h.here->files[0].unavailable = true;
  h.pass(3s);
  h.stop();
  h.here->ledger_works = true;
  h.start();
  h.pass(5s);
  CHECK(h.here->told_of(event_kind::account_login_needed) == 1);
  CHECK(h.here->rows_of(account_row_kind::event) == 0);
  h.stop();
  h.start();
  h.pass(5s);
  CHECK(h.here->told_of(event_kind::account_login_needed) == 1);
}

TEST_CASE("an account keeper tells nothing twice whose answer it did not hear, in this life and in the next") {
  for (const bool killed : {false, true}) {
    house h;
    h.here->files = {house::file("ann")};
    h.pass(2s);
    h.here->ledger_answers = false;
    h.here->files[0].status = "error";
    h.here->files[0].message = "unauthorized";
    h.here->files[0].unavailable = true;
    h.pass(2s);
    REQUIRE(h.here->told_of(event_kind::account_login_needed) == 1);
    h.here->ledger_answers = true;
    if (killed) {
      h.stop();
      h.start();
    }
    h.pass(5s);
    CHECK(h.here->told_of(event_kind::account_login_needed) == 1);
    CHECK(h.here->rows_of(account_row_kind::event) == 0);
  }
}

TEST_CASE("an account keeper whose node does not answer says so, keeps what it knew, and looks again") {
  house h;
  h.here->files = {house::file("ann"), house::file("bob")};
  h.pass(2s);
  h.here->node_works = false;
  const auto looks = h.here->looks;
  h.pass(5s);
  CHECK(h.here->looks > looks);
  CHECK(h.accounts().size() == 2);
  auto list = h.ask<account_list_ptr>(h.keeper, list_accounts{});
  REQUIRE(list);
  CHECK_FALSE((*list)->nodes[0].problem.empty());
  CHECK(h.here->told_of(event_kind::account_removed) == 0);
  h.here->node_works = true;
  h.here->files.pop_back();
  h.pass(3s);
  CHECK(h.accounts().size() == 1);
  CHECK(h.here->told_of(event_kind::account_removed) == 1);
}

TEST_CASE("a login that its node refuses to begin leaves nothing that stands in somebody's way") {
  house h;
  h.pass(2s);
  h.here->login_begins = false;
  auto refused = h.begin("ann");
  REQUIRE_FALSE(refused);
  CHECK(code_of(refused.error()) == errc::node_unreachable);
  h.here->login_begins = true;
  REQUIRE(h.begin("bob"));
  auto busy = h.begin("ann");
  REQUIRE_FALSE(busy);
  CHECK(code_of(busy.error()) == errc::account_login_busy);
  CHECK(h.begin("bob")); // one's own waiting one is replaced, and ended at the node
  h.settle();
  CHECK(h.here->ended_logins == 1);
}

TEST_CASE("a login goes on in the next life of an account keeper, and is nobody else's") {
  house h;
  h.pass(2s);
  const auto login = h.begin("ann");
  REQUIRE(login);
  CHECK(h.here->rows_of(account_row_kind::login) == 1);
  h.stop();
  h.start();
  const auto again = h.ask<account_login>(h.keeper, read_account_login{"ann", login->id});
  REQUIRE(again);
  CHECK(again->stage == login_stage::waiting);
  const auto other = h.ask<account_login>(h.keeper, read_account_login{"bob", login->id});
  REQUIRE_FALSE(other);
  CHECK(code_of(other.error()) == errc::account_login_unknown);
}

TEST_CASE("however many ask at once, an account's provider is asked once a second") {
  house h;
  h.here->files = {house::file("ann")};
  h.pass(2s);
  const auto id = h.accounts().at(0).id;
  for (int second = 0; second < 3; ++second) {
    const auto before = h.here->questions;
    for (int i = 0; i < 5; ++i)
      (void)h.ask<account_view>(h.keeper, change_account{change_account::deed::test, "root", id});
    CHECK(h.here->questions - before <= 1);
    h.pass(2s);
  }
  CHECK(h.here->questions >= 2);
}

TEST_CASE("a mapping that cannot be kept is refused, and a keeper that stops takes nothing more") {
  house h;
  h.pass(2s);
  h.here->disk_works = false;
  auto lost = h.ask<mapping_report>(h.keeper, put_account_mapping{"root", {{"a@example.com", "", "Ann"}}});
  REQUIRE_FALSE(lost);
  CHECK(code_of(lost.error()) == errc::storage_failed);
  h.here->disk_works = true;
  REQUIRE(h.ask<drained>(h.keeper, drain{}));
  auto late = h.begin("ann");
  REQUIRE_FALSE(late);
  CHECK(code_of(late.error()) == errc::shutting_down);
}
