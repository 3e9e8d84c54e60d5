// Exported records against the plain list.
#include <algorithm>

#include <catch2/catch_test_macros.hpp>

#include "table.hpp"
#include "tests/support/seed.hpp"
#include "world.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

moment at(const char* rfc3339) { return moment_of(parse_rfc3339(rfc3339).value().unix_ns); }

std::string hex(const record_id& id) { return to_string(id); }

/// What the ledger shows of a text that is not there and of a number that is not known.
std::string number(std::int64_t value) { return std::to_string(value); }
std::string known(std::int64_t value) { return value == 0 ? "" : std::to_string(value); }

std::string dollars(const std::optional<std::int64_t>& nano) {
  if (!nano)
    return "";
  auto digits = std::to_string(*nano % 1'000'000'000);
  auto out = std::to_string(*nano / 1'000'000'000) + "." + std::string(9 - digits.size(), '0') + digits;
  while (out.back() == '0')
    out.pop_back();
  return out.back() == '.' ? out.substr(0, out.size() - 1) : out;
}

table_row plain_row(const world& w, const attempt& one) {
  const auto facts = one.facts.value_or(attempt_facts{});
  return {{"timestamp", to_rfc3339({one.at.unix_ns, 0})},
          {"node", one.node},
          {"key_id", one.key},
          {"user_id", w.value_of(one, usage_by::user, "UTC")},
          {"model", one.model},
          {"alias", facts.alias},
          {"provider", facts.provider},
          {"account", one.account},
          {"endpoint", facts.endpoint},
          {"outcome", one.failed ? "failed" : "ok"},
          {"status_code", known(facts.status_code)},
          {"latency_ms", number(one.latency_ms)},
          {"ttft_ms", known(facts.ttft_ms)},
          {"input_tokens", number(one.tokens.input)},
          {"output_tokens", number(one.tokens.output)},
          {"reasoning_tokens", number(one.tokens.reasoning)},
          {"cached_tokens", number(one.tokens.cached)},
          {"total_tokens", number(one.tokens.total)},
          {"part_uncached_input", number(one.parts.uncached_input)},
          {"part_cache_read", number(one.parts.cache_read)},
          {"part_cache_write", number(one.parts.cache_write)},
          {"part_output", number(one.parts.output)},
          {"part_reasoning", number(one.parts.reasoning)},
          {"part_unclassified", number(one.parts.unclassified)},
          {"service_tier", ""},
          {"cost_usd", dollars(one.cost_nano)},
          {"error", facts.error},
          {"id", hex(one.id)}};
}

std::vector<table_row> plain_rows(const world& w, const usage_filter& where, std::int64_t from, std::int64_t to) {
  std::vector<const attempt*> found;
  for (const auto& one : w.attempts)
    if (one.at.unix_ns >= from && one.at.unix_ns < to && w.fits(one, where, "UTC"))
      found.push_back(&one);
  std::sort(found.begin(), found.end(), [](const attempt* a, const attempt* b) {
    return std::tie(a->at.unix_ns, a->node, a->id) < std::tie(b->at.unix_ns, b->node, b->id);
  });
  std::vector<table_row> out;
  for (const auto* one : found)
    out.push_back(plain_row(w, *one));
  return out;
}

/// Only the columns that the plain rows have.
void check_rows(std::vector<table_row> rows, const std::vector<table_row>& wanted) {
  REQUIRE(rows.size() == wanted.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (const auto& [name, value] : wanted[i]) {
      INFO("row " << i << ", " << name);
      REQUIRE(rows[i].at(name) == value);
    }
}

} // namespace

TEST_CASE("an export of records is what the plain list says, whatever is asked", "[exporter]") {
  const auto seed = make_seed();
  world w{static_cast<std::uint32_t>(seed)};
  w.use(400, at("2026-03-20T00:00:00Z"), at("2026-03-26T00:00:00Z"));
  w.give(0, "u-ada", at("2026-03-22T10:20:00Z"));
  w.give(1, "u-bob", at("2026-03-21T00:00:00Z"));
  w.use(300, at("2026-03-22T00:00:00Z"), at("2026-03-29T00:00:00Z"));
  for (int round = 0; round < 60; ++round) {
    export_limits limits;
    limits.piece_bytes = 1 + w.pick(w.pick(2) == 0 ? 20'000 : 400);
    export_desk desk{w.store, limits};
    export_question asked;
    asked.format = w.pick(2) == 0 ? export_format::csv : export_format::jsonl;
    for (auto left = w.pick(3); left-- > 0;) {
      const auto by = static_cast<usage_by>(w.pick(static_cast<std::size_t>(usage_by::weekday)));
      for (auto several = 1 + w.pick(2); several-- > 0;)
        asked.where[by].push_back(w.value_of(w.attempts[w.pick(w.attempts.size())], by, "UTC"));
    }
    auto from = INT64_MIN, to = INT64_MAX;
    if (w.pick(2) == 0) {
      from = w.attempts[w.pick(w.attempts.size())].at.unix_ns;
      asked.from = to_rfc3339({from, 0});
    }
    if (w.pick(2) == 0) {
      to = std::max(from, w.attempts[w.pick(w.attempts.size())].at.unix_ns);
      asked.to = to_rfc3339({to, 0});
    }
    check_rows(rows_of(export_now(desk, asked, w.now), asked.format), plain_rows(w, asked.where, from, to));
  }
}

TEST_CASE("an export goes on at any byte, and all of it is the same each time", "[exporter]") {
  const auto seed = make_seed();
  world w{static_cast<std::uint32_t>(seed)};
  w.use(300, at("2026-03-20T00:00:00Z"), at("2026-03-26T00:00:00Z"));
  export_limits limits;
  limits.piece_bytes = 2'000;
  export_desk desk{w.store, limits};
  export_question asked;
  if (w.pick(2) == 0)
    asked.where[usage_by::outcome] = {"ok"};
  const auto opened = must(desk.open(asked, w.now));
  const auto whole = read_all(desk, opened.id, w.now);
  for (int round = 0; round < 300; ++round) {
    const auto offset = w.pick(whole.size() + 1);
    const auto piece = must(desk.read({opened.id, offset}, w.now));
    REQUIRE(*piece.text == whole.substr(offset, piece.text->size()));
    REQUIRE(piece.last == (offset + piece.text->size() == whole.size()));
    REQUIRE((piece.last || !piece.text->empty()));
  }
  CHECK(must(desk.read({opened.id, whole.size()}, w.now)).last);
  CHECK(code_of(desk.read({opened.id, whole.size() + 1}, w.now).error()) == errc::bad_request);
  // A connection that breaks now and then, anywhere.
  std::string got;
  while (got.size() < whole.size()) {
    const auto piece = must(desk.read({opened.id, got.size()}, w.now));
    got += piece.text->substr(0, 1 + w.pick(piece.text->size()));
  }
  CHECK(got == whole);
}

TEST_CASE("an export tells the state of when it was begun", "[exporter]") {
  const auto seed = make_seed();
  world w{static_cast<std::uint32_t>(seed)};
  w.use(300, at("2026-03-20T00:00:00Z"), at("2026-03-26T00:00:00Z"));
  w.give(0, "u-ada", at("2026-03-22T10:20:00Z"));
  export_limits limits;
  limits.piece_bytes = 150;
  export_desk desk{w.store, limits};
  int given = 0;
  for (const auto what :
       {export_what::records, export_what::rollups, export_what::users, export_what::keys, export_what::audit}) {
    INFO(name_of(what));
    export_question asked;
    asked.what = what;
    if (what == export_what::rollups)
      asked.by = {usage_by::key, usage_by::user, usage_by::model};
    const auto first = must(desk.open(asked, w.now)), second = must(desk.open(asked, w.now));
    const auto before = read_all(desk, first.id, w.now);
    std::string after;
    for (int round = 0;; ++round) {
      const auto piece = must(desk.read({second.id, after.size()}, w.now));
      after += *piece.text;
      if (piece.last)
        break;
      if (round < 3) {
        // Records between and behind those that are there, other prices for what was, another owner.
        w.use(20, at("2026-03-19T00:00:00Z"), at("2026-03-29T00:00:00Z"));
        struct dear : pricing {
          std::optional<std::int64_t> cost_of(const priced_attempt&) const override { return 77; }
        };
        storage::ledger::reprice_step step;
        step.node = "alpha";
        step.with = std::make_shared<const dear>();
        step.most = 100'000;
        (void)must(w.store->reprice(step));
        w.give(2 + round, "u-bob", at("2026-03-20T00:00:00Z") + std::chrono::hours{++given});
      }
    }
    CHECK(after == before);
    CHECK(before.size() > 100);
    if (what != export_what::users)
      CHECK(export_now(desk, asked, w.now) != before);
  }
}

TEST_CASE("an export of nothing has its head only", "[exporter]") {
  world w{1};
  export_desk desk{w.store};
  export_question asked;
  CHECK(rows_of(export_now(desk, asked, w.now), asked.format).empty());
  asked.byte_order_mark = true;
  CHECK(export_now(desk, asked, w.now).starts_with("\xef\xbb\xbftimestamp,"));
  asked.byte_order_mark = false;
  asked.format = export_format::jsonl;
  CHECK(export_now(desk, asked, w.now).empty());
  w.use(50, at("2026-03-20T00:00:00Z"), at("2026-03-26T00:00:00Z"));
  asked.text = "nothing has it";
  CHECK(export_now(desk, asked, w.now).empty());
}
