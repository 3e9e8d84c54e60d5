// The ledger's actor on threads of its own: what comes together is committed together, reads do not hold it up.
#include <algorithm>
#include <set>

#include <caf/all.hpp>
#include <catch2/catch_test_macros.hpp>

#include "actors/ledger/ledger.hpp"
#include "actors/prices/price_book.hpp"
#include "actors/prices/price_rules.hpp"
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
    d.facts =
      std::make_shared<const attempt_facts>(attempt_facts{"codex", "a", "POST /", 1, 200, R"({"x":1})", {}, {}});
    group.details.push_back(std::move(d));
  }
  collection out;
  out.node = "alpha";
  out.from_poll = false;
  out.groups = std::make_shared<const std::vector<record_group>>(std::vector{std::move(group)});
  return out;
}

} // namespace

TEST_CASE("Costs are worked out anew in pieces while records come; listeners hear what changed, nothing is missed") {
  ledger_world world;
  CHECK(world.ask<committed>(records(1, 12'000)).records->size() == 12'000);
  const auto refused = [&](const reprice_prices& what) {
    errc code = errc::none;
    world.self->request(world.books, 30s, what)
      .receive([](const reprice_state&) {}, [&](const caf::error& error) { code = code_of(error); });
    return code;
  };
  CHECK(refused({}) == errc::shutting_down); // nobody has said what anything costs
  price one;
  one.model = "gpt-5";
  one.rates = {.request = 5};
  const auto use = [&](std::int64_t nano) {
    one.rates.request = nano;
    auto entry = std::make_shared<registry_entry>();
    const auto tidy = tidy_price(one);
    REQUIRE(tidy);
    const auto position = world.ask<std::vector<registry_entry>>(read_entries{}).size();
    entry->prices = {{std::nullopt, *tidy}};
    entry->prices[0].after->id += std::to_string(position);
    world.ask<appended>(append_entry{position, entry, {}, std::make_shared<price_book>(std::vector{*tidy})});
  };
  use(5);
  CHECK(refused({moment{2s}, moment{1s}, false}) == errc::bad_request);

  std::int64_t told = 0;
  world.self->send(world.books,
                   add_listener{caf::actor_cast<listener_actor>(caf::strong_actor_ptr{world.self->ctrl()})});
  const auto finish = [&] {
    for (;;) {
      const auto now = world.ask<reprice_state>(read_reprice{});
      if (!now.running)
        return now;
    }
  };
  const auto hear = [&] {
    bool more = true;
    while (more)
      world.self->receive(
        [&](const committed& m) {
          if (m.repriced)
            for (const auto& change : *m.repriced)
              told += change.by_nano;
        },
        caf::after(200ms) >> [&] { more = false; });
  };
  CHECK(world.ask<reprice_state>(reprice_prices{}).running);
  CHECK(refused({}) == errc::reprice_running);
  CHECK(world.ask<committed>(records(20'001, 100)).records->front().cost_nano == 5); // in between
  auto done = finish();
  CHECK(done.records >= 12'000);
  CHECK(done.changed == 12'000);
  CHECK(done.unpriced_before == 12'000);
  CHECK(done.unpriced_after == 0);
  CHECK(done.problem.empty());
  hear();
  CHECK(told == 60'000);
  CHECK(world.ask<std::vector<unpriced_model>>(list_unpriced{}).empty());

  use(7);
  CHECK(world.ask<reprice_state>(reprice_prices{{}, {}, true}).what.dry_run);
  done = finish();
  CHECK(done.changed == 12'100);
  CHECK(done.cost_after - done.cost_before == 24'200);
  CHECK(world.ask<reprice_state>(reprice_prices{moment{101ns}, moment{201ns}, false}).running);
  done = finish();
  CHECK(done.records == 100);
  CHECK(done.changed == 100);
  CHECK(world.store->verify() == caf::error{});
}

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

TEST_CASE(
  "An entry of the registry is answered with its place, and its events are told; one too late is told to nobody") {
  ledger_world world;
  const auto me = caf::actor_cast<caf::strong_actor_ptr>(world.self.ptr());
  world.self->send(world.books, add_listener{caf::actor_cast<listener_actor>(me)});
  user person;
  person.id = "u1";
  registry_entry entry;
  entry.command = "add-1";
  entry.users = {{std::nullopt, person}};
  const auto append = [&](log_position expected) {
    return append_entry{expected,
                        std::make_shared<const registry_entry>(entry),
                        {{0, event_kind::user_registered, {}, moment{}, "{}", person.id}}};
  };
  int conflicts = 0;
  for (const log_position expected : {0, 0, 2})
    world.self->request(world.books, 30s, append(expected))
      .receive([&](const appended& done) { CHECK(done.position == 1); },
               [&](const caf::error& error) { conflicts += code_of(error) == errc::registry_conflict ? 1 : 0; });
  CHECK(conflicts == 2);
  world.ask<committed>(payload(1)); // a commit behind them
  int told = 0;
  bool more = true;
  while (more)
    world.self->receive(
      [&](const committed& m) {
        ++told;
        REQUIRE(m.events->size() == 1);
        CHECK(m.events->front().about == "u1");
        CHECK(m.events->front().seq == 1);
      },
      caf::after(0s) >> [&] { more = false; });
  CHECK(told == 1);
  CHECK(world.ask<std::vector<registry_entry>>(read_entries{0, 10}).size() == 1);
  const auto image = world.ask<std::shared_ptr<const registry_image>>(load_registry{});
  REQUIRE(image);
  CHECK(image->position == 1);
  CHECK(image->users == std::deque{person});
  CHECK(image->commands.size() == 1);
}

TEST_CASE("A node's config is kept, listed and read over messages") {
  ledger_world world;
  const auto text = std::make_shared<const std::string>("port: 8317\n");
  CHECK(world.ask<config_info>(keep_config{"alpha", moment{}, text}).number == 1);
  CHECK(world.ask<std::vector<config_info>>(list_configs{"alpha"}).size() == 1);
  CHECK(*world.ask<std::shared_ptr<const std::string>>(read_config{"alpha", 1}) == *text);
  errc code = errc::none;
  world.self->request(world.books, 30s, read_config{"alpha", 2})
    .receive([](const std::shared_ptr<const std::string>&) {}, [&](const caf::error& error) { code = code_of(error); });
  CHECK(code == errc::config_unknown);
}
