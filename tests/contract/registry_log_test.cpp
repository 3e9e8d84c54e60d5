// What every log of the registry promises to whoever appends to it and follows it, told in messages only. Held against
// the one in the ledger; another one joins by a world of its own.
#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <caf/all.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "actors/ledger/ledger.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/storage/faulty_files.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

using registry_log_actor = caf::typed_actor<caf::replies_to<append_entry>::with<appended>,
                                            caf::replies_to<read_entries>::with<std::vector<registry_entry>>>;

/// A world has `system`, `open()`, `close()` in good order, `crash()`, after which what was not on disk is gone, and
/// `prove()`, which looks at the log from inside. After `close` and `crash` it can be opened again.
class ledger_world {
public:
  ~ledger_world() { close(); }
  caf::actor_system& system() { return system_; }

  registry_log_actor open() {
    storage::settings how{.folder = folder_.path()};
    how.env = files_.env();
    how.write_buffer_bytes = std::size_t{256} << 10; // so that it is flushed and merged too
    auto opened = storage::ledger::open(how);
    if (!opened)
      throw std::runtime_error(render(opened.error()));
    store_ = std::move(*opened);
    books_ = spawn_ledger(
      system_, true, store_, [] { return moment{}; }, numbers_);
    return books_;
  }
  void close() {
    if (!books_)
      return;
    caf::scoped_actor self{system_};
    self->request(books_, caf::infinite, drain{}).receive([](drained) {}, [](const caf::error&) {});
    stop(caf::exit_reason::user_shutdown);
  }
  void crash() {
    stop(caf::exit_reason::kill);
    files_.cut_power();
  }
  caf::error prove() const { return store_->verify(); }

private:
  void stop(caf::exit_reason why) {
    caf::scoped_actor self{system_};
    self->send_exit(books_, why);
    self->wait_for(books_);
    books_ = nullptr;
    if (!test::eventually([this] { return store_.use_count() == 1; })) // the reader beside it ends by itself
      throw std::runtime_error("the ledger is still open");
    store_.reset();
  }

  test::temporary_folder folder_;
  storage::test::faulty_files files_;
  metrics numbers_;
  caf::actor_system_config config_;
  caf::actor_system system_{config_};
  std::shared_ptr<storage::ledger> store_;
  ledger_actor books_;
};

// --- asking -----------------------------------------------------------------------------

using answer = std::variant<log_position, caf::error>;

answer append(caf::scoped_actor& self, const registry_log_actor& log, append_entry what) {
  answer out;
  self->request(log, 60s, std::move(what))
    .receive([&](appended done) { out = done.position; }, [&](caf::error& error) { out = std::move(error); });
  return out;
}

bool is_conflict(const answer& got) {
  const auto* error = std::get_if<caf::error>(&got);
  return error != nullptr && code_of(*error) == errc::registry_conflict;
}

std::vector<registry_entry> read(caf::scoped_actor& self, const registry_log_actor& log, log_position after,
                                 std::uint32_t limit) {
  std::vector<registry_entry> out;
  self->request(log, 60s, read_entries{after, limit})
    .receive([&](std::vector<registry_entry>& page) { out = std::move(page); },
             [](const caf::error& error) { throw std::runtime_error(render(error)); });
  return out;
}

/// All behind `after`, page by page.
std::vector<registry_entry> follow(caf::scoped_actor& self, const registry_log_actor& log, log_position after,
                                   std::uint32_t limit = 7) {
  std::vector<registry_entry> out;
  for (;;) {
    auto page = read(self, log, out.empty() ? after : out.back().position, limit);
    if (page.empty())
      return out;
    std::move(page.begin(), page.end(), std::back_inserter(out));
  }
}

// --- entries ----------------------------------------------------------------------------

user person(const std::string& id, std::uint64_t form) {
  user out;
  out.id = id;
  out.email = id + "@example.org";
  out.label = fmt::format("form {}", form);
  out.groups = {"default"};
  return out;
}

/// One that brings a person, told apart by its name.
registry_entry entry_for(const std::string& name) {
  registry_entry out;
  out.at = moment_of(1'767'225'600'000'000'000);
  out.who = "cli";
  out.from = "local";
  out.command = name;
  out.what = "user.add";
  out.users = {{std::nullopt, person("u-" + name, 0)}};
  return out;
}

append_entry appending(log_position expected, registry_entry entry) {
  std::vector<node_event> events{{0, event_kind::user_registered, {}, entry.at, "{}", "u-" + entry.command}};
  return {expected, std::make_shared<const registry_entry>(std::move(entry)), std::move(events)};
}

/// But for position and hash, which the log gives.
bool same(const registry_entry& a, const registry_entry& b) {
  return a.at == b.at && a.who == b.who && a.from == b.from && a.command == b.command && a.what == b.what
         && a.users == b.users && a.keys == b.keys && a.policies == b.policies;
}

template <class Log>
void check_log(const Log& got, const std::vector<registry_entry>& expected, log_position after = 0) {
  REQUIRE(got.size() == expected.size() - after);
  std::set<std::array<std::uint8_t, 32>> hashes;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].position != after + i + 1 || !same(got[i], expected[after + i]))
      FAIL("position " << after + i + 1 << " has entry " << got[i].position << ", " << got[i].command);
    hashes.insert(got[i].hash);
  }
  CHECK(hashes.size() == got.size());
}

std::vector<registry_entry> fill(caf::scoped_actor& self, const registry_log_actor& log, std::size_t count,
                                 std::vector<registry_entry> before = {}) {
  for (std::size_t i = 0; i < count; ++i) {
    before.push_back(entry_for(fmt::format("entry-{}", before.size())));
    REQUIRE(append(self, log, appending(before.size() - 1, before.back())) == answer{log_position{before.size()}});
  }
  return before;
}

} // namespace

#define REGISTRY_LOG_TEST(name) TEMPLATE_TEST_CASE(name, "", ledger_world)

REGISTRY_LOG_TEST("An entry gets the position behind the one it expects and is read as it was given") {
  TestType world;
  const auto log = world.open();
  caf::scoped_actor self{world.system()};
  CHECK(follow(self, log, 0).empty());
  auto expected = fill(self, log, 3);
  auto rich = entry_for("rich");
  client_key key;
  key.id = "k-1";
  key.sealed = std::string("\0\1\xff", 3);
  key.shown = "sk-…1234";
  key.nodes = {"alpha"};
  key.told = {{{budget_unit::cost, budget_window::week, 5}, rich.at, 80}};
  policy rules;
  rules.name = "default";
  rules.models = {"gpt-5"};
  rich.keys = {{std::nullopt, key}};
  rich.policies = {{std::nullopt, rules}};
  rich.users.push_back({person("u-entry-1", 0), std::nullopt});
  rich.position = 77; // is the log's to give
  rich.hash = {1, 2, 3};
  CHECK(append(self, log, appending(3, rich)) == answer{log_position{4}});
  expected.push_back(rich);
  check_log(follow(self, log, 0), expected);
  CHECK_FALSE(world.prove());
}

REGISTRY_LOG_TEST("An entry that expects another position than the last is refused and changes nothing") {
  TestType world;
  const auto log = world.open();
  caf::scoped_actor self{world.system()};
  CHECK(is_conflict(append(self, log, appending(1, entry_for("early")))));
  CHECK(follow(self, log, 0).empty());
  const auto expected = fill(self, log, 5);
  for (const log_position wrong : {0, 1, 4, 6, 1'000'000})
    CHECK(is_conflict(append(self, log, appending(wrong, entry_for("late")))));
  check_log(follow(self, log, 0), expected);
  CHECK_FALSE(world.prove());
  fill(self, log, 1, expected); // and the next one finds its place
}

REGISTRY_LOG_TEST("Of those who append at the same time one wins each position, and all come through by trying again") {
  TestType world;
  const auto log = world.open();
  constexpr int each = 60;
  constexpr int appenders = 2;
  std::map<log_position, std::string> won[appenders];
  std::atomic<int> conflicts{0};
  std::vector<std::thread> threads;
  for (int who = 0; who < appenders; ++who)
    threads.emplace_back([&, who] {
      caf::scoped_actor self{world.system()};
      log_position last = 0;
      for (int i = 0; i < each;) {
        const auto name = fmt::format("appender-{}-{}", who, i);
        const auto got = append(self, log, appending(last, entry_for(name)));
        if (const auto* position = std::get_if<log_position>(&got)) {
          won[who][last = *position] = name;
          ++i;
          continue;
        }
        if (!is_conflict(got))
          return; // the counts below tell
        ++conflicts;
        for (const auto& entry : follow(self, log, last))
          last = entry.position;
      }
    });
  for (auto& thread : threads)
    thread.join();
  caf::scoped_actor self{world.system()};
  const auto all = follow(self, log, 0);
  CHECK(all.size() == std::size_t{each} * appenders);
  std::map<log_position, std::string> together;
  for (const auto& one : won) {
    CHECK(one.size() == std::size_t{each});
    together.insert(one.begin(), one.end());
  }
  CHECK(together.size() == all.size());
  for (const auto& entry : all)
    CHECK(together[entry.position] == entry.command);
  CHECK_FALSE(world.prove());
}

REGISTRY_LOG_TEST("Appended one behind the other without waiting, entries keep their order") {
  TestType world;
  const auto log = world.open();
  caf::scoped_actor self{world.system()};
  std::vector<registry_entry> expected;
  constexpr std::size_t count = 200;
  for (std::size_t i = 0; i < count; ++i) {
    expected.push_back(entry_for(fmt::format("entry-{}", i)));
    self->send(log, appending(i, expected.back()));
  }
  std::size_t answered = 0;
  std::vector<log_position> positions;
  self->receive_for(answered, count)([&](const appended& done) { positions.push_back(done.position); });
  for (std::size_t i = 0; i < count; ++i)
    CHECK(positions[i] == i + 1);
  check_log(follow(self, log, 0, 1000), expected);
}

REGISTRY_LOG_TEST("Whoever follows from any position sees every entry behind it, once and in order") {
  TestType world;
  const auto log = world.open();
  caf::scoped_actor self{world.system()};
  const auto expected = fill(self, log, 40);
  for (log_position after = 0; after <= 40; ++after)
    for (const std::uint32_t limit : {1, 3, 40, 1000})
      check_log(follow(self, log, after, limit), expected, after);
  for (const log_position beyond : {log_position{41}, log_position{1'000'000}, log_position{UINT64_MAX}})
    CHECK(follow(self, log, beyond).empty());
  CHECK(read(self, log, 0, 0).empty());
  CHECK(read(self, log, 10, 5).size() == 5);
}

REGISTRY_LOG_TEST("Who follows while others append misses nothing and sees nothing twice") {
  TestType world;
  const auto log = world.open();
  constexpr log_position count = 150;
  std::vector<registry_entry> seen;
  std::thread follower{[&] {
    caf::scoped_actor self{world.system()};
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    while (seen.size() < count && std::chrono::steady_clock::now() < give_up)
      for (auto& entry : read(self, log, seen.empty() ? 0 : seen.back().position, 5))
        seen.push_back(std::move(entry));
  }};
  std::vector<registry_entry> expected;
  {
    caf::scoped_actor self{world.system()};
    for (log_position i = 0; i < count; ++i) {
      expected.push_back(entry_for(fmt::format("entry-{}", i)));
      (void)append(self, log, appending(i, expected.back()));
    }
  }
  follower.join();
  check_log(seen, expected);
}

REGISTRY_LOG_TEST("Opened again, the log has all it had and goes on behind it") {
  TestType world;
  std::vector<registry_entry> expected;
  std::vector<registry_entry> before;
  for (int round = 0; round < 3; ++round) {
    const auto log = world.open();
    caf::scoped_actor self{world.system()};
    const auto found = follow(self, log, 0);
    check_log(found, expected);
    for (std::size_t i = 0; i < before.size(); ++i)
      CHECK(found[i].hash == before[i].hash);
    expected = fill(self, log, 20, expected);
    before = follow(self, log, 0);
    CHECK_FALSE(world.prove());
    world.close();
  }
}

REGISTRY_LOG_TEST("After a crash the log is a beginning of what was appended, with all that was acknowledged") {
  TestType world;
  const auto seed = test::make_seed();
  std::mt19937_64 random{seed};
  INFO("seed " << seed);
  std::vector<registry_entry> expected;
  for (int round = 0; round < 8; ++round) {
    const auto log = world.open();
    caf::scoped_actor self{world.system()};
    const auto found = follow(self, log, 0, 1000);
    REQUIRE(found.size() <= expected.size());
    expected.resize(found.size());
    check_log(found, expected);
    CHECK_FALSE(world.prove());
    // Many are under way; the crash comes when some are acknowledged.
    const auto sent = random() % 100;
    for (std::uint64_t i = 0; i < sent; ++i) {
      expected.push_back(entry_for(fmt::format("round-{}-{}", round, i)));
      self->send(log, appending(found.size() + i, expected.back()));
    }
    log_position acknowledged = found.size();
    for (auto waited = sent == 0 ? 0 : random() % sent; waited > 0; --waited)
      self->receive([&](const appended& done) { acknowledged = done.position; });
    world.crash();
    bool more = true; // what had been answered by then
    while (more)
      self->receive([&](const appended& done) { acknowledged = done.position; },
                    caf::others >> [](caf::message_view&) -> caf::result<caf::message> { return caf::message{}; },
                    caf::after(0s) >> [&] { more = false; });
    const auto again = world.open();
    CHECK(follow(self, again, 0, 1000).size() >= acknowledged);
    world.close();
  }
}

REGISTRY_LOG_TEST("A random walk finds the log as the plainest one would be") {
  TestType world;
  const auto seed = test::make_seed();
  std::mt19937_64 random{seed};
  INFO("seed " << seed);
  std::vector<registry_entry> model;
  std::map<std::string, user> people; // what comes of it
  auto log = world.open();
  for (int step = 0; step < 400; ++step) {
    caf::scoped_actor self{world.system()};
    switch (random() % 10) {
      case 0: {
        const auto after = random() % (model.size() + 2);
        const auto limit = static_cast<std::uint32_t>(1 + random() % 20);
        const auto page = read(self, log, after, limit);
        REQUIRE(page.size() == std::min<std::size_t>(limit, model.size() - std::min<std::size_t>(after, model.size())));
        for (std::size_t i = 0; i < page.size(); ++i)
          REQUIRE((page[i].position == after + i + 1 && same(page[i], model[after + i])));
        break;
      }
      case 1:
        if (random() % 8 != 0)
          break;
        random() % 2 == 0 ? world.close() : world.crash();
        log = world.open();
        break;
      default: {
        auto entry = entry_for(random() % 5 == 0 ? "" : fmt::format("step-{}", step));
        entry.users.clear();
        auto after = people;
        for (auto changes = random() % 4; changes > 0; --changes) {
          const auto id = fmt::format("u-{}", random() % 12);
          change_of<user> change;
          if (const auto there = after.find(id); there != after.end())
            change.before = there->second;
          if (!change.before || random() % 3 != 0)
            change.after = after[id] = person(id, static_cast<std::uint64_t>(step));
          else
            after.erase(id);
          entry.users.push_back(std::move(change));
        }
        const bool late = random() % 4 == 0;
        const auto expected = late ? model.size() + 1 + random() % 3 - 2 * (random() % 2) : model.size();
        const auto got = append(self, log, appending(expected, entry));
        if (expected != model.size()) {
          REQUIRE(is_conflict(got));
          break;
        }
        model.push_back(entry);
        people = std::move(after);
        REQUIRE(got == answer{log_position{model.size()}});
      }
    }
  }
  caf::scoped_actor self{world.system()};
  check_log(follow(self, log, 0, 1000), model);
  CHECK_FALSE(world.prove());
}
