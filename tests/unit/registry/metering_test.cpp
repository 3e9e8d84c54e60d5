// How metering went wrong elsewhere: each of these failures of other tools, tried here on the real ledger. Budgets are
// counted from what the ledger says is new, and at a start from its roll-ups.
#include <cstdlib>
#include <ctime>

#include <catch2/catch_test_macros.hpp>

#include "actors/key_registry/budget_book.hpp"
#include "actors/key_registry/registry_start.hpp"
#include "messages/timestamp.hpp"
#include "tests/unit/registry/world.hpp"
#include "tests/unit/storage/sample.hpp"

using namespace keyportal;
using namespace keyportal::test;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t tokens_each = 10;
const std::string text = "sk-of-somebody-1";

moment at(const char* when) { return moment{std::chrono::nanoseconds{parse_rfc3339(when)->unix_ns}}; }

/// A ledger, and someone whose key has a budget: what is used is heard from commits, as the registry hears it.
struct meter {
  explicit meter(budget limit)
    : books(storage::test::must_open(storage::test::small_settings(folder.path()))),
      registry(toy_rules(), toy_vault()) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    key.id = books->id_of_key(text);
    key.state = key_state::live;
    key.budgets = {limit};
    registry_image image;
    image.keys.push_back(key);
    registry.load(image);
    counted = std::make_unique<budget_book>(registry);
  }
  detail record(std::uint64_t number, moment when) const {
    auto out = storage::test::numbered_detail("alpha", text, "gpt-5", number);
    out.at.unix_ns = unix_ns(when) + static_cast<std::int64_t>(number); // two at one moment would be one record
    out.tokens = {};
    out.tokens.input = out.tokens.total = tokens_each;
    out.id = make_record_id("alpha", text, "gpt-5", out);
    return out;
  }
  /// From one more source that may say again what others said.
  void hear(const std::vector<detail>& details, const node_name& node = "alpha") {
    const auto done =
      storage::test::must_commit(*books, storage::test::polled(node, {{secret{text}, "gpt-5", details}}));
    for (const auto& one : *done.records)
      counted->add(one.key, moment_of(one.at.unix_ns), 1, one.tokens.total, now);
  }
  std::int64_t used() { return counted->uses_of(key.id, now).at(0).used; }
  /// As it would be after a start: read from the ledger.
  std::int64_t used_after_a_start() {
    budget_book fresh{registry};
    for (const auto& one : storage::test::must(registry_start(*books, {"alpha"}, now)).used)
      fresh.add(one.key, one.from, one.requests, one.tokens, now);
    return fresh.uses_of(key.id, now).at(0).used;
  }

  moment now = at("2026-11-23T10:30:00Z");
  storage::test::scratch_folder folder;
  std::unique_ptr<storage::ledger> books;
  registry_book registry;
  client_key key;
  std::unique_ptr<budget_book> counted;
};

budget tokens(budget_window window, std::int64_t most) { return {budget_unit::tokens, window, most}; }

} // namespace

TEST_CASE("Two readers of one node do not add up: what both saw counts once") {
  meter m{tokens(budget_window::month, 1'000'000)};
  std::vector<detail> first, second;
  for (std::uint64_t i = 0; i < 60; ++i)
    (i < 40 ? first : second).push_back(m.record(i, m.now - 1min));
  for (std::uint64_t i = 20; i < 40; ++i)
    second.push_back(m.record(i, m.now - 1min));
  m.hear(first);
  m.hear(second);
  CHECK(m.used() == 60 * tokens_each);
  CHECK(m.used_after_a_start() == m.used());
}

TEST_CASE("A start does not count what is there once more, however often it happens") {
  meter m{tokens(budget_window::month, 1'000'000)};
  m.hear({m.record(1, m.now - 1h), m.record(2, m.now - 2h)});
  for (int start = 0; start < 5; ++start)
    CHECK(m.used_after_a_start() == 2 * tokens_each);
}

TEST_CASE("What is tried again after an unknown outcome is not added again") {
  meter m{tokens(budget_window::day, 1'000'000)};
  const std::vector<detail> batch{m.record(1, m.now), m.record(2, m.now), m.record(3, m.now)};
  for (int i = 0; i < 4; ++i)
    m.hear(batch);
  CHECK(m.used() == 3 * tokens_each);
  CHECK(m.used_after_a_start() == m.used());
}

TEST_CASE("Nothing is set aside for what never comes: only records count") {
  meter m{tokens(budget_window::day, 100)};
  m.hear({m.record(1, m.now)});
  CHECK(m.used() == tokens_each);
  CHECK(m.counted->judge(m.now).suspend.empty());
}

TEST_CASE("A window that turns while records come is turned once, and loses none of them") {
  meter m{tokens(budget_window::hour, 1'000'000)};
  const auto turn = at("2026-11-23T11:00:00Z");
  m.now = turn - 1s;
  m.hear({m.record(1, turn - 2s)});
  m.now = turn;
  m.hear({m.record(2, turn)});
  m.hear({m.record(3, turn - 1s)}); // of the window before, and late
  m.hear({m.record(4, turn)});
  CHECK(m.used() == 2 * tokens_each);
  CHECK(m.used_after_a_start() == m.used());
}

TEST_CASE("A window that has turned begins at nothing, on any clock that asks") {
  meter m{tokens(budget_window::day, 50)};
  m.hear({m.record(1, m.now), m.record(2, m.now), m.record(3, m.now)});
  m.now = next_window_start(budget_window::day, m.now);
  CHECK(m.used() == 0);
  CHECK(m.used_after_a_start() == 0);
}

TEST_CASE("After a start what was used is known before anything is let pass") {
  meter m{tokens(budget_window::day, 30)};
  m.hear({m.record(1, m.now), m.record(2, m.now), m.record(3, m.now)});
  budget_book fresh{m.registry};
  for (const auto& one : storage::test::must(registry_start(*m.books, {"alpha"}, m.now)).used)
    fresh.add(one.key, one.from, one.requests, one.tokens, m.now);
  CHECK(fresh.judge(m.now).suspend == std::vector<key_id>{m.key.id});
}

TEST_CASE("A burst is stopped by its first records that are known, and all of it is counted") {
  meter m{tokens(budget_window::day, 100)};
  std::vector<detail> burst;
  for (std::uint64_t i = 0; i < 500; ++i)
    burst.push_back(m.record(i, m.now));
  m.hear({burst.begin(), burst.begin() + 10});
  CHECK(m.counted->judge(m.now).suspend == std::vector<key_id>{m.key.id});
  m.hear({burst.begin() + 10, burst.end()}); // what was under way: over the budget, and told
  CHECK(m.used() == 500 * tokens_each);
}

TEST_CASE("Weeks begin on Monday, for counting as for what is told") {
  meter m{tokens(budget_window::week, 1'000'000)};
  m.now = at("2026-11-22T23:59:59Z"); // a Sunday
  m.hear({m.record(1, m.now)});
  CHECK(m.used() == tokens_each);
  m.now = at("2026-11-23T00:00:00Z");
  CHECK(m.used() == 0);
  m.hear({m.record(2, m.now)});
  CHECK(m.used() == tokens_each);
  CHECK(m.used_after_a_start() == m.used());
}
