#include <random>
#include <tuple>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "actors/cluster/shared_message.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;
using namespace keyportal::cluster;

namespace {

storage::sealer sealer_of(const test::temporary_folder& folder) {
  auto out = storage::sealer::load(folder.path() / "seal.key", true);
  REQUIRE(out);
  return *out;
}

detail detail_of(std::mt19937_64& random) {
  const auto amount = [&] {
    return static_cast<std::int64_t>(random() >> (random() % 64)) * (random() % 5 == 0 ? -1 : 1);
  };
  detail out;
  for (auto& byte : out.id.bytes)
    byte = static_cast<std::uint8_t>(random());
  out.at = {amount(), static_cast<std::int16_t>(random() % 1681 - 840)};
  out.latency_ms = amount();
  out.source = fmt::format("person-{}@example.org", random() % 9);
  out.auth_index = random() % 3 == 0 ? "" : "a1";
  out.tokens = {amount(), amount(), amount(), amount(), amount()};
  out.failed = random() % 4 == 0;
  out.copied = random() % 4 == 0;
  if (random() % 2 == 0) {
    out.parts = {amount(), amount(), amount(), amount(), amount(), amount()};
    out.facts = std::make_shared<const attempt_facts>(attempt_facts{
      "codex", "gpt", "POST /v1", amount(), static_cast<std::int32_t>(random()), R"({"a":1})", "no", "priority"});
  }
  return out;
}

std::vector<record_group> groups_of(std::mt19937_64& random, std::size_t groups, std::size_t most) {
  std::vector<record_group> out;
  for (std::size_t i = 0; i < groups; ++i) {
    record_group group{secret{fmt::format("sk-very-secret-{}", i)}, fmt::format("model-{}", random() % 4), {}};
    for (auto left = 1 + random() % most; left > 0; --left)
      group.details.push_back(detail_of(random));
    out.push_back(std::move(group));
  }
  return out;
}

bool same(const detail& a, const detail& b) {
  return a.id == b.id && a.at == b.at && a.latency_ms == b.latency_ms && a.source == b.source
         && a.auth_index == b.auth_index && a.tokens == b.tokens && a.failed == b.failed && a.copied == b.copied
         && a.parts == b.parts && !a.facts == !b.facts && (!a.facts || *a.facts == *b.facts);
}

/// All details with their key and model, in order: whatever groups they come in.
std::vector<std::tuple<std::string, std::string, detail>> flat(const std::vector<record_group>& groups) {
  std::vector<std::tuple<std::string, std::string, detail>> out;
  for (const auto& group : groups)
    for (const auto& one : group.details)
      out.emplace_back(group.client_key.reveal(), group.model, one);
  return out;
}

bool same(const std::vector<record_group>& a, const std::vector<record_group>& b) {
  const auto x = flat(a), y = flat(b);
  return x.size() == y.size() && std::equal(x.begin(), x.end(), y.begin(), [](const auto& one, const auto& other) {
           return std::get<0>(one) == std::get<0>(other) && std::get<1>(one) == std::get<1>(other)
                  && same(std::get<2>(one), std::get<2>(other));
         });
}

const auto noon = moment_of(1'767'268'800'000'000'000);

journal_entry facts_of(const node_name& node) {
  journal_entry out;
  out.events.push_back({0, event_kind::restarted, node, noon, R"({"node":"alpha"})", {}});
  restart_record restart;
  restart.node = node;
  restart.number = 3;
  restart.noticed_at = noon;
  restart.evidence = {"all lists are broken"};
  restart.before = {4, 3, 1, 900};
  out.restart = restart;
  gap_record gap;
  gap.node = node;
  gap.from = noon;
  gap.reason = "nobody saw it";
  out.gap = gap;
  incomplete_record lacking;
  lacking.node = node;
  lacking.number = 2;
  lacking.credential = "a1";
  lacking.missing_ok = 7;
  out.incompletes = {lacking};
  audit_memory audit;
  audit.node = node;
  audit.boot = 5;
  audit.version = "7.2.61";
  audit.credentials = {{"a1", 1, 2, 3, 4, 0, 0}};
  out.audit = audit;
  return out;
}

collection collection_of(std::mt19937_64& random, std::size_t groups = 3, std::size_t most = 20) {
  collection out;
  out.node = "alpha";
  out.seen_at = noon;
  out.groups = std::make_shared<const std::vector<record_group>>(groups_of(random, groups, most));
  out.forget_marks = true;
  out.counters = {10, 9, 1, 1234};
  list_mark mark;
  mark.client_key = secret{"sk-very-secret-1"};
  mark.model = "model-1";
  mark.count = 17;
  mark.raw_hash[3] = 9;
  out.marks = {mark};
  out.facts = facts_of("alpha");
  return out;
}

shared_message entry_of() {
  append_entry out;
  out.expected = 41;
  auto entry = std::make_shared<registry_entry>();
  entry->position = 42;
  entry->at = noon;
  entry->who = "admin";
  entry->what = "user.add";
  user added;
  added.id = "u1";
  added.email = "ada@example.org";
  entry->users.push_back({std::nullopt, added});
  out.entry = entry;
  out.events.push_back({0, event_kind::user_registered, {}, noon, "{}", "u1"});
  return {"m1", 7, "", 0, out};
}

caf::expected<shared_message> there_and_back(const storage::sealer& seal, const shared_message& what) {
  const auto bytes = encode(seal, what);
  REQUIRE(bytes);
  return decode(seal, *bytes);
}

} // namespace

TEST_CASE("what was collected comes out as it went in") {
  const test::temporary_folder folder;
  const auto seal = sealer_of(folder);
  std::mt19937_64 random{test::make_seed()};
  for (int round = 0; round < 50; ++round) {
    const auto what = collection_of(random);
    const auto back = there_and_back(seal, {"m1", 3, "node/alpha", 12, what});
    REQUIRE(back);
    CHECK(back->from == "m1");
    CHECK(back->number == 3);
    CHECK(back->duty == "node/alpha");
    CHECK(back->fence == 12);
    const auto& came = std::get<collection>(back->what);
    CHECK(same(*came.groups, *what.groups));
    CHECK(came.seen_at == what.seen_at);
    CHECK(came.forget_marks);
    CHECK(came.counters == what.counters);
    REQUIRE(came.marks.size() == 1);
    CHECK(came.marks[0].client_key.reveal() == "sk-very-secret-1");
    CHECK(came.marks[0].raw_hash == what.marks[0].raw_hash);
    REQUIRE(came.facts);
    CHECK(came.facts->restart->number == 3);
    CHECK(came.facts->restart->evidence == what.facts->restart->evidence);
    CHECK(came.facts->gap->reason == "nobody saw it");
    CHECK(came.facts->incompletes.at(0).missing_ok == 7);
    CHECK(came.facts->audit->credentials.at(0).base_failed == 4);
    CHECK(came.facts->events.at(0).data == R"({"node":"alpha"})");
  }
}

TEST_CASE("an entry of the registry comes out as it went in") {
  const test::temporary_folder folder;
  const auto seal = sealer_of(folder);
  const auto back = there_and_back(seal, entry_of());
  REQUIRE(back);
  const auto& came = std::get<append_entry>(back->what);
  CHECK(came.expected == 41);
  CHECK(came.entry->position == 42);
  CHECK(came.entry->users.at(0).after->email == "ada@example.org");
  CHECK(came.events.at(0).about == "u1");
}

TEST_CASE("acknowledgements, progress, rows and costs come out as they went in") {
  const test::temporary_folder folder;
  const auto seal = sealer_of(folder);
  const outbox_acked acked{{5, 6, 7, 1000, 3}};
  CHECK(std::get<outbox_acked>(there_and_back(seal, {"m", 1, "", 0, acked})->what).seqs == acked.seqs);
  const consumer_progress at{"tool", 99};
  CHECK(std::get<consumer_progress>(there_and_back(seal, {"m", 1, "", 0, at})->what).seq == 99);
  const storage::shared_rows rows{{{"k1", "v"}, {"k2", std::nullopt}}};
  CHECK(std::get<storage::shared_rows>(there_and_back(seal, {"m", 1, "", 0, rows})->what) == rows);
  reprice_prices costs;
  costs.to = noon;
  const auto back = there_and_back(seal, {"m", 1, "", 0, costs});
  CHECK(!std::get<reprice_prices>(back->what).from);
  CHECK(std::get<reprice_prices>(back->what).to == noon);
}

TEST_CASE("nobody without the installation's key reads or changes a message") {
  const test::temporary_folder folder, other;
  const auto seal = sealer_of(folder);
  std::mt19937_64 random{test::make_seed()};
  const auto bytes = encode(seal, {"m1", 1, "", 0, collection_of(random)});
  REQUIRE(bytes);
  for (const auto* text : {"very-secret", "model-", "example.org", "alpha"})
    CHECK(bytes->find(text) == std::string::npos);
  const auto foreign = decode(sealer_of(other), *bytes);
  REQUIRE(!foreign);
  CHECK(code_of(foreign.error()) == errc::seal_broken);
  for (int i = 0; i < 300; ++i) {
    auto changed = *bytes;
    changed[random() % changed.size()] ^= static_cast<char>(1 + random() % 255);
    CHECK(!decode(seal, changed));
  }
  auto later = *bytes;
  later[0] = 2;
  CHECK(code_of(decode(seal, later).error()) == errc::file_version);
  CHECK(code_of(decode(seal, "").error()) == errc::file_malformed);
}

TEST_CASE("a collection is cut without loss, and what is remembered comes last") {
  std::mt19937_64 random{test::make_seed()};
  for (int round = 0; round < 50; ++round) {
    const auto whole = collection_of(random, random() % 6, 40);
    const auto most = 1 + random() % 30;
    const auto parts = in_parts(whole, most);
    REQUIRE(!parts.empty());
    std::vector<record_group> all;
    for (const auto& part : parts) {
      std::size_t records = 0;
      for (const auto& group : *part.groups) {
        records += group.details.size();
        all.push_back(group);
      }
      CHECK(records <= most);
      const bool is_last = &part == &parts.back();
      CHECK(part.from_poll == is_last);
      CHECK(part.facts.has_value() == is_last);
      CHECK(part.marks.size() == (is_last ? 1 : 0));
    }
    CHECK(same(all, *whole.groups));
  }
}
