// The ledger's actor on threads of its own: what comes together is committed together, reads do not hold it up.
#include <algorithm>
#include <set>

#include <caf/all.hpp>
#include <catch2/catch_test_macros.hpp>

#include "actors/ledger/ledger.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<storage::ledger> open_in(const std::filesystem::path& folder) {
  auto opened = storage::ledger::open({.folder = folder});
  REQUIRE(opened);
  return std::move(*opened);
}

struct ledger_world {
  test::temporary_folder folder;
  std::shared_ptr<storage::ledger> store = open_in(folder.path());
  metrics numbers;
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  ledger_actor books = spawn_ledger(
    system, true, store, [] { return moment{}; }, numbers);

  ~ledger_world() {
    self->send_exit(books, caf::exit_reason::user_shutdown);
    books = nullptr; // the system waits for its actors: for the reader beside the ledger too
  }

  template <class Answer, class Question>
  Answer ask(const Question& what) {
    Answer out;
    self->request(books, 30s, what)
      .receive([&](Answer& answer) { out = std::move(answer); }, [](const caf::error& error) { FAIL(render(error)); });
    return out;
  }
};

received payload(std::size_t number) {
  auto batch = std::make_shared<payload_batch>();
  batch->add(std::to_string(number));
  return {"alpha", moment{}, inbox_channel::subscribe, std::move(batch)};
}

collection records(std::uint64_t first, std::uint64_t count) {
  record_group group{secret{"sk-1"}, "gpt-5", {}};
  for (auto number = first; number < first + count; ++number) {
    detail d;
    d.at = {static_cast<std::int64_t>(number), 0};
    d.id = make_record_id("alpha", "sk-1", "gpt-5", d);
    d.facts = std::make_shared<const attempt_facts>(attempt_facts{"codex", "a", "POST /", 1, 200, R"({"x":1})"});
    group.details.push_back(std::move(d));
  }
  collection out;
  out.node = "alpha";
  out.from_poll = false;
  out.groups = std::make_shared<const std::vector<record_group>>(std::vector{std::move(group)});
  return out;
}

} // namespace

TEST_CASE("All that is received is answered once it is on disk, many messages with one commit") {
  ledger_world world;
  constexpr std::size_t count = 300;
  std::set<std::uint64_t> numbers;
  std::size_t answered = 0;
  for (std::size_t i = 0; i < count; ++i)
    world.self->send(world.books, payload(i));
  world.self->receive_for(answered, count)([&](const committed& m) { numbers.insert(m.inbox_number); });
  CHECK(numbers.size() == count);
  CHECK(*numbers.begin() == 1);
  CHECK(*numbers.rbegin() == count);
  CHECK(world.ask<std::vector<inbox_entry>>(read_inbox{"alpha", 0, 1000}).size() == count);
  CHECK(world.ask<ledger_state>(read_ledger_state{}).inbox == count);

  auto done = records(1, 10);
  done.inbox_done.assign(numbers.begin(), numbers.end());
  done.dead.push_back({0, "", moment{}, inbox_channel::subscribe, "no JSON", secret{"{"}, 0});
  done.facts = journal_entry{};
  done.facts->incompletes.push_back({"alpha", 0, "cred", {}, {}, 1, 0, {}});
  const auto result = world.ask<committed>(done);
  CHECK(result.records->size() == 10);
  CHECK(result.incomplete_numbers == std::vector<std::uint64_t>{1});
  CHECK(world.ask<ledger_state>(read_ledger_state{}).inbox == 0);
  CHECK(world.ask<std::vector<dead_letter>>(list_dead_letters{0, 10, true}).front().payload.reveal() == "{");
  CHECK(world.ask<std::vector<incomplete_record>>(list_incompletes{"alpha", 10}).size() == 1);
  const auto arrivals = world.ask<std::vector<arrival>>(read_arrivals{4, 100, {}, true, true});
  REQUIRE(arrivals.size() == 6);
  CHECK(arrivals[0].extra == R"({"x":1})");
  CHECK(arrivals[0].client_key.reveal() == "sk-1");
  world.ask<committed>(consumer_progress{"tool", 4});
  CHECK(world.ask<std::vector<consumer_progress>>(list_consumers{}).front().seq == 4);
  CHECK(world.ask<audit_memory>(recall_audit{"alpha"}).credentials.front().held_ok == 10);
}

TEST_CASE("A commit does not wait for long reads that were asked for before") {
  ledger_world world;
  for (std::uint64_t i = 0; i < 2; ++i)
    world.ask<committed>(records(1 + i * 10'000, 10'000));
  constexpr int reads = 30;
  for (int i = 0; i < reads; ++i)
    world.self->send(world.books, read_arrivals{0, 10'000, {}, true, true});
  world.self->send(world.books, payload(1));
  int read = 0;
  int read_before = -1;
  for (int answers = 0; answers <= reads; ++answers)
    world.self->receive(
      [&](const std::vector<arrival>& m) {
        CHECK(m.size() == 10'000);
        ++read;
      },
      [&](const committed& m) {
        CHECK(m.inbox_number == 1);
        read_before = read;
      });
  CHECK(read == reads);
  CHECK(read_before < reads);
}
