#include <random>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "actors/cluster/stream_log.hpp"
#include "actors/cluster/stream_wire.hpp"
#include "storage/packing.hpp"
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

usage_message usage_of(std::mt19937_64& random, std::size_t groups, std::size_t most) {
  usage_message out{"alpha", "m1", {}};
  for (std::size_t i = 0; i < groups; ++i) {
    record_group group{secret{fmt::format("sk-very-secret-{}", i)}, fmt::format("model-{}", random() % 4), {}};
    for (auto left = 1 + random() % most; left > 0; --left)
      group.details.push_back(detail_of(random));
    out.groups.push_back(std::move(group));
  }
  return out;
}

bool same(const detail& a, const detail& b) {
  return a.id == b.id && a.at == b.at && a.latency_ms == b.latency_ms && a.source == b.source
         && a.auth_index == b.auth_index && a.tokens == b.tokens && a.failed == b.failed && a.copied == b.copied
         && a.parts == b.parts && !a.facts == !b.facts && (!a.facts || *a.facts == *b.facts);
}

bool same(const usage_message& a, const usage_message& b) {
  if (a.node != b.node || a.from != b.from || a.groups.size() != b.groups.size())
    return false;
  for (std::size_t i = 0; i < a.groups.size(); ++i) {
    const auto& x = a.groups[i];
    const auto& y = b.groups[i];
    if (x.client_key != y.client_key || x.model != y.model || x.details.size() != y.details.size())
      return false;
    for (std::size_t j = 0; j < x.details.size(); ++j)
      if (!same(x.details[j], y.details[j]))
        return false;
  }
  return true;
}

registry_message entry_message() {
  registry_message out;
  out.entry.at = moment_of(1'767'225'600'000'000'000);
  out.entry.who = "admin";
  out.entry.command = "c-1";
  out.entry.what = "user.add";
  user person;
  person.id = "u1";
  person.email = "person@example.org";
  out.entry.users = {{std::nullopt, person}};
  out.entry.position = 99;
  out.entry.hash = {1, 2, 3};
  out.events = {{5, event_kind::user_registered, {}, out.entry.at, R"({"x":1})", "u1"},
                {6, event_kind::drift, "alpha", out.entry.at, "{}", ""}};
  return out;
}

} // namespace

TEST_CASE("A batch of records comes out as it went in, and says nothing on the way", "[wire]") {
  const auto seed = test::make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const test::temporary_folder folder;
  const auto seal = sealer_of(folder);
  for (int i = 0; i < 60; ++i) {
    const auto what = usage_of(random, random() % 8, 40);
    const auto bytes = encode(seal, what);
    REQUIRE(bytes);
    CHECK(bytes->find("secret") == std::string::npos);
    CHECK(bytes->find("example.org") == std::string::npos);
    const auto back = decode_usage(seal, *bytes);
    REQUIRE(back);
    CHECK(same(*back, what));
  }
}

TEST_CASE("An entry comes out as it went in, but only at its place", "[wire]") {
  const test::temporary_folder folder;
  const auto seal = sealer_of(folder);
  const auto what = entry_message();
  const auto bytes = encode(seal, what, 7);
  REQUIRE(bytes);
  CHECK(bytes->find("example.org") == std::string::npos);
  const auto back = decode_registry(seal, *bytes, 7);
  REQUIRE(back);
  CHECK(back->entry.position == 7);
  CHECK(back->entry.hash == std::array<std::uint8_t, 32>{});
  CHECK(back->entry.users == what.entry.users);
  CHECK(back->entry.command == what.entry.command);
  REQUIRE(back->events.size() == 2);
  CHECK(back->events[0].seq == 0);
  CHECK(back->events[0].kind == event_kind::user_registered);
  CHECK(back->events[1].node == "alpha");
  CHECK(back->events[0].data == what.events[0].data);
  const auto elsewhere = decode_registry(seal, *bytes, 8);
  REQUIRE_FALSE(elsewhere);
  CHECK(code_of(elsewhere.error()) == errc::seal_broken);
}

TEST_CASE("What another installation sealed, what was changed, cut or is of a later version is refused", "[wire]") {
  const auto seed = test::make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const test::temporary_folder folder;
  const test::temporary_folder other_folder;
  const auto seal = sealer_of(folder);
  const auto other = sealer_of(other_folder);
  const auto bytes = encode(seal, usage_of(random, 3, 5));
  REQUIRE(bytes);
  CHECK_FALSE(decode_usage(other, *bytes));
  CHECK_FALSE(decode_registry(seal, *bytes, 0));
  for (std::size_t size = 0; size < bytes->size(); size += 1 + random() % 5)
    CHECK_FALSE(decode_usage(seal, std::string_view(*bytes).substr(0, size)));
  for (int i = 0; i < 300; ++i) {
    auto changed = *bytes;
    changed[random() % changed.size()] ^= static_cast<char>(1 << random() % 8);
    CHECK_FALSE(decode_usage(seal, changed));
  }
  auto later = *bytes;
  later[1] = 2;
  CHECK(code_of(decode_usage(seal, later).error()) == errc::file_version);
  CHECK_FALSE(decode_usage(seal, std::string(longest_stream_entry + 1, 'u')));
}

TEST_CASE("Sealed nonsense is refused without much memory", "[wire]") {
  const auto seed = test::make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const test::temporary_folder folder;
  const auto seal = sealer_of(folder);
  const auto inner = [&] { // what stands behind the seal of a good one
    auto good = encode(seal, usage_of(random, 2, 3));
    REQUIRE(good);
    auto plain = storage::unpack(seal, std::string_view(*good).substr(2), "keyportal.stream.u.1.0");
    REQUIRE(plain);
    return *plain;
  }();
  for (int i = 0; i < 3000; ++i) {
    auto text = inner;
    for (auto changes = 1 + random() % 4; changes > 0; --changes)
      text[random() % text.size()] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    if (random() % 4 == 0)
      text.resize(random() % text.size());
    const auto packed = storage::pack(seal, text, "keyportal.stream.u.1.0");
    REQUIRE(packed);
    (void)decode_usage(seal, std::string("u\1", 2) + *packed); // sound or refused; the sanitizers look on
  }
  const auto huge = storage::pack(seal, std::string(longest_unpacked + 1, 'x'), "keyportal.stream.u.1.0");
  REQUIRE(huge);
  CHECK_FALSE(decode_usage(seal, std::string("u\1", 2) + *huge));
}

TEST_CASE("A large batch goes in parts that are it together", "[wire]") {
  std::mt19937_64 random{1};
  const auto what = usage_of(random, 7, 90);
  std::size_t all = 0;
  for (const auto& group : what.groups)
    all += group.details.size();
  const auto parts = in_parts(what, 50);
  CHECK(parts.size() == (all + 49) / 50);
  usage_message together{what.node, what.from, {}};
  for (const auto& part : parts)
    for (const auto& group : part.groups) {
      if (together.groups.empty() || together.groups.back().client_key != group.client_key)
        together.groups.push_back({group.client_key, group.model, {}});
      for (const auto& one : group.details)
        together.groups.back().details.push_back(one);
    }
  CHECK(same(together, what));
  CHECK(in_parts({"alpha", "m1", {}}, 10).empty());
}
