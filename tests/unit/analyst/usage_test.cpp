// Reports against the same added up record by record.
#include <algorithm>
#include <cmath>

#include <catch2/catch_test_macros.hpp>

#include "world.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

moment at(const char* rfc3339) { return moment_of(parse_rfc3339(rfc3339).value().unix_ns); }

const char* const zones[] = {"UTC",          "Asia/Shanghai", "Europe/Berlin",       "America/New_York",
                             "Asia/Kolkata", "Africa/Cairo",  "Australia/Lord_Howe", "Pacific/Apia"};

/// A question's answer by going through all records; buckets are those of the report, which other tests look at.
struct reckoning {
  std::map<std::vector<std::string>, usage_sums> rows, before;
  std::map<std::vector<std::string>, std::vector<usage_sums>> series;
  usage_sums total, total_before;
  std::vector<usage_sums> total_series;
  std::map<std::vector<std::string>, std::vector<std::int64_t>> latencies;
};

reckoning reckon(const world& w, const usage_question& question, const usage_report& report) {
  reckoning out;
  out.total_series.resize(report.starts.size());
  const auto zone = question.zone.empty() ? std::string("UTC") : question.zone;
  for (const auto& one : w.attempts) {
    if (!w.fits(one, question.where, zone))
      continue;
    const auto t = moment_of(one.at.unix_ns);
    std::vector<std::string> of;
    for (const auto by : question.by)
      of.push_back(w.value_of(one, by, zone));
    if (t >= report.from && t < report.to) {
      out.rows[of].add(sums_of(one));
      out.total.add(sums_of(one));
      out.latencies[of].push_back(one.latency_ms);
      auto& series = out.series[of];
      series.resize(report.starts.size());
      if (!report.starts.empty()) {
        const auto bucket = std::upper_bound(report.starts.begin(), report.starts.end(), t) - report.starts.begin() - 1;
        series[static_cast<std::size_t>(bucket)].add(sums_of(one));
        out.total_series[static_cast<std::size_t>(bucket)].add(sums_of(one));
      }
    } else if (question.compare && t >= report.before_from && t < report.from) {
      out.before[of].add(sums_of(one));
      out.total_before.add(sums_of(one));
    }
  }
  return out;
}

void check_same(const usage_question& question, const usage_report& report, const reckoning& wanted) {
  CHECK(report.total.all.sums == wanted.total);
  REQUIRE(report.total.buckets.size() == report.starts.size());
  for (std::size_t i = 0; i < report.starts.size(); ++i)
    CHECK(report.total.buckets[i].sums == wanted.total_series[i]);
  usage_sums told, told_before;
  std::optional<std::int64_t> last;
  bool by_time = !question.by.empty();
  for (const auto by : question.by)
    by_time = by_time && (by == usage_by::weekday || by == usage_by::hour);
  std::int64_t least_told = INT64_MAX;
  std::set<std::vector<std::string>> seen;
  for (const auto& row : report.rows) {
    REQUIRE(row.of.size() == question.by.size());
    CHECK(seen.insert(row.of).second);
    const auto found = wanted.rows.find(row.of);
    REQUIRE(found != wanted.rows.end());
    CHECK(row.all.sums == found->second);
    REQUIRE(row.buckets.size() == report.starts.size());
    for (std::size_t i = 0; i < report.starts.size(); ++i)
      CHECK(row.buckets[i].sums == wanted.series.at(row.of)[i]);
    const auto amount = *amount_of(row.all.sums, question.order);
    if (last && !by_time)
      CHECK(*last >= amount);
    last = amount;
    least_told = std::min(least_told, amount);
    told.add(row.all.sums);
    if (question.compare) {
      const auto before = wanted.before.find(row.of);
      CHECK(row.before.value() == (before == wanted.before.end() ? usage_sums{} : before->second));
      told_before.add(*row.before);
    }
  }
  if (question.by.empty())
    return;
  const auto rows = wanted.rows.size();
  if (by_time)
    CHECK(report.rows.size() == rows);
  else
    CHECK(report.rows.size() == std::min<std::size_t>(rows, question.top));
  CHECK(report.others == rows - report.rows.size());
  CHECK(report.other.has_value() == (report.others > 0));
  if (report.other) {
    CHECK(report.other->of.empty());
    auto all = told;
    all.add(report.other->all.sums);
    CHECK(all == wanted.total);
    for (const auto& [of, sums] : wanted.rows)
      if (!seen.contains(of))
        CHECK(*amount_of(sums, question.order) <= least_told);
  } else {
    CHECK(told == wanted.total);
  }
  if (question.compare) {
    CHECK(report.total.before.value() == wanted.total_before);
    if (report.other) {
      told_before.add(report.other->before.value());
      CHECK(told_before == wanted.total_before);
    }
  }
}

/// At most 2 % off, or a millisecond, from a latency whose rank is right.
void check_percentile(std::vector<std::int64_t> all, double share, double told) {
  std::sort(all.begin(), all.end());
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(all.size())));
  const auto exact = static_cast<double>(all[rank - 1]);
  CHECK(std::abs(told - exact) <= 0.0201 * exact + 1);
}

void fill(world& w, const char* from, const char* to) {
  const auto begin = at(from), end = at(to);
  w.give(0, "u-ada", begin - std::chrono::hours{1'000});
  w.give(1, "u-ada", begin + (end - begin) / 3 + std::chrono::minutes{25});
  w.use(250, begin, end - (end - begin) / 4);
  w.give(2, "u-bob", begin + (end - begin) / 2);
  w.use(250, begin + (end - begin) / 2, end);
  w.use(50, begin, end); // late ones
  w.move_to("u-ada", {"team-b"}, begin + (end - begin) / 5 + std::chrono::minutes{10});
  w.move_to("u-ada", {"nobodys", "team-a"}, begin + (end - begin) * 3 / 5 + std::chrono::minutes{40});
  w.move_to("u-bob", {"team-a"}, begin + (end - begin) * 2 / 3);
}

usage_question random_question(world& w, const char* from, const char* to) {
  usage_question out;
  const auto span = static_cast<std::uint64_t>((unix_ns(at(to)) - unix_ns(at(from))) / 1'000'000'000);
  out.from = at(from) + std::chrono::seconds{w.random() % span} - std::chrono::hours{w.pick(60)};
  out.to = out.from + std::chrono::seconds{w.random() % span};
  if (w.pick(3) == 0) { // round times are what pages ask for
    out.from = std::chrono::floor<std::chrono::hours>(out.from);
    out.to = std::chrono::floor<std::chrono::hours>(out.to) + std::chrono::hours{1};
  }
  out.zone = zones[w.pick(std::size(zones))];
  out.step = static_cast<usage_step>(w.pick(8));
  if (out.step != usage_step::none && out.step < usage_step::hour) { // of the last two days
    out.to = w.now;
    out.from = w.now - std::chrono::minutes{60 + w.pick(2'000)};
  }
  out.weeks_begin_on_sunday = w.pick(2) == 0;
  for (auto left = w.pick(3); left-- > 0;) {
    const auto by = static_cast<usage_by>(w.pick(usage_by_count));
    if (out.by.empty() || out.by[0] != by)
      out.by.push_back(by);
  }
  for (auto left = w.pick(3); left-- > 0;) {
    const auto by = static_cast<usage_by>(w.pick(usage_by_count));
    auto& texts = out.where[by];
    for (auto several = 1 + w.pick(2); several-- > 0;)
      texts.push_back(w.value_of(w.attempts[w.pick(w.attempts.size())], by, out.zone));
  }
  out.top = static_cast<std::uint32_t>(1 + w.pick(w.pick(2) == 0 ? 4 : 40));
  const char* orders[] = {"requests", "ok", "failed", "tokens", "input", "output", "latency", "cost", "unpriced"};
  out.order = orders[w.pick(std::size(orders))];
  out.compare = w.pick(2) == 0;
  out.with_percentiles = w.pick(3) == 0;
  return out;
}

void ask_much(const char* from, const char* to) {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  world w{seed};
  fill(w, from, to);
  std::vector<usage_question> asked;
  for (int round = 0; round < 250; ++round) {
    if (round == 120) { // records that come late, into rows that were asked for before
      w.use(40, at(from), at(to));
      w.give(3, "u-bob", at(from) + (at(to) - at(from)) / 4);
      w.move_to("u-ada", {}, at(to) - std::chrono::minutes{90});
    }
    if (round % 30 == 29)
      w.use(1 + w.pick(3), at(from), at(to));
    // Some are asked again, also in another way: what was kept of them must be as good as new.
    auto question = random_question(w, from, to);
    if (!asked.empty() && w.pick(3) == 0) {
      const auto& again = asked[w.pick(asked.size())];
      question.from = again.from + std::chrono::hours{w.pick(2) * w.pick(30)};
      question.to = std::max(question.from, again.to);
      question.zone = again.zone;
      question.step = again.step;
      question.by = again.by;
      question.where = again.where;
    }
    asked.push_back(question);
    std::string told;
    for (const auto by : question.by)
      told += " by " + std::string(name_of(by));
    for (const auto& [by, texts] : question.where)
      told += " where " + std::string(name_of(by)) + "=" + texts[0];
    INFO(told << " in " << question.zone << " step " << name_of(question.step) << " from "
              << to_rfc3339_ms(question.from) << " to " << to_rfc3339_ms(question.to) << " top " << question.top
              << " order " << question.order);
    const auto answer = w.desk.answer(ask_usage{question, {}, {}}, w.now);
    if (!answer) {
      INFO(render(answer.error()));
      // Percentiles of very many buckets are too much; nothing else here is.
      CHECK(question.with_percentiles);
      CHECK(code_of(answer.error()) == errc::bad_request);
      continue;
    }
    const auto& report = *answer;
    CHECK(report.position == w.store->state().last);
    CHECK(report.from <= question.from);
    CHECK(report.to >= question.to);
    if (question.compare) {
      CHECK(report.before_from <= report.from - (report.to - report.from));
      CHECK(report.from - (report.to - report.from) - report.before_from < std::chrono::hours{1});
    }
    const auto wanted = reckon(w, question, report);
    check_same(question, report, wanted);
    if (!question.with_percentiles) {
      CHECK_FALSE(report.total.all.latency_ms);
      continue;
    }
    for (const auto& row : report.rows) {
      REQUIRE(row.all.latency_ms);
      check_percentile(wanted.latencies.at(row.of), 0.5, row.all.latency_ms->p50);
      check_percentile(wanted.latencies.at(row.of), 0.99, row.all.latency_ms->p99);
    }
    std::vector<std::int64_t> rest;
    for (const auto& [of, latencies] : wanted.latencies)
      if (std::none_of(report.rows.begin(), report.rows.end(), [&](const auto& row) { return row.of == of; }))
        rest.insert(rest.end(), latencies.begin(), latencies.end());
    if (report.other) {
      REQUIRE(report.other->all.latency_ms);
      check_percentile(rest, 0.9, report.other->all.latency_ms->p90);
    }
  }
  must(w.store->verify());
}

} // namespace

TEST_CASE("Any question is answered as if every record were gone through: over a change of clocks in spring") {
  ask_much("2026-03-22T05:00:00Z", "2026-04-06T09:30:00Z");
}
TEST_CASE("Any question is answered as if every record were gone through: over a change of clocks in autumn") {
  ask_much("2026-10-20T00:00:00Z", "2026-11-03T12:00:00Z");
}
TEST_CASE("Any question is answered as if every record were gone through: over the turn of the year") {
  ask_much("2025-12-25T00:00:00Z", "2026-01-04T00:00:00Z");
}

TEST_CASE("Buckets of days begin at midnight there") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  world w{seed};
  fill(w, "2026-03-22T05:00:00Z", "2026-04-06T09:30:00Z");
  for (const auto* zone : {"UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York"}) {
    usage_question question;
    question.from = at("2026-03-20T00:00:00Z");
    question.to = at("2026-04-10T00:00:00Z");
    question.zone = zone;
    question.step = usage_step::day;
    const auto report = w.ask(question);
    CHECK(report.exact);
    CHECK(report.starts.size() >= 21);
    for (std::size_t i = 1; i < report.starts.size(); ++i) {
      const auto wall = local(unix_ns(report.starts[i]), zone);
      CHECK(wall.hour == 0);
      CHECK(wall.minute == 0);
    }
  }
}

TEST_CASE("Borders within hours that are kept whole only are moved, and it is told") {
  world w{1};
  fill(w, "2026-03-22T05:00:00Z", "2026-04-06T09:30:00Z");
  usage_question question;
  question.from = at("2026-03-22T18:30:00Z");
  question.to = at("2026-03-30T18:30:00Z");
  question.zone = "Asia/Kolkata";
  question.step = usage_step::day;
  const auto report = w.ask(question);
  CHECK_FALSE(report.exact);
  CHECK(to_rfc3339_ms(report.from) == "2026-03-22T18:00:00.000Z");
  CHECK(to_rfc3339_ms(report.to) == "2026-03-30T19:00:00.000Z");
  CHECK(to_rfc3339_ms(report.starts.at(1)) == "2026-03-23T18:00:00.000Z");
  // Of the last two days there are minutes.
  question.from = at("2026-04-05T18:30:00Z");
  question.to = at("2026-04-06T09:30:00Z");
  const auto late = w.ask(question);
  CHECK(late.exact);
  CHECK(late.starts == std::vector<moment>{at("2026-04-05T18:30:00Z")});
}

TEST_CASE("Who owned the key when it was used is who used it") {
  world w{2};
  const auto begin = at("2026-03-22T00:00:00Z");
  w.give(0, "u-ada", begin + std::chrono::hours{36});
  w.use(300, begin, begin + std::chrono::hours{96});
  usage_question question;
  question.from = begin;
  question.to = begin + std::chrono::hours{96};
  question.by = {usage_by::user};
  question.where[usage_by::key] = {w.id_of(0)};
  auto report = w.ask(question);
  REQUIRE(report.rows.size() == 2);
  CHECK(report.names.at("u-ada") == "ada@example.com");
  question.to = begin + std::chrono::hours{36};
  report = w.ask(question);
  REQUIRE(report.rows.size() == 1);
  CHECK(report.rows[0].of == std::vector<std::string>{""});
  // The first of the person's groups that has a policy; who has none is under the default.
  question.to = begin + std::chrono::hours{96};
  question.by = {usage_by::group};
  question.where = {{usage_by::group, {"team-a"}}};
  report = w.ask(question);
  REQUIRE(report.rows.size() == 1);
  CHECK(report.rows[0].of == std::vector<std::string>{"team-a"});
}

TEST_CASE("The group that somebody was in when the key was used is what used it") {
  world w{5};
  const auto begin = at("2026-03-22T00:00:00Z");
  w.give(0, "u-bob", begin + std::chrono::hours{10});
  w.use(400, begin, begin + std::chrono::hours{96});
  usage_question question;
  question.from = begin;
  question.to = begin + std::chrono::hours{96};
  question.by = {usage_by::group};
  question.where[usage_by::key] = {w.id_of(0)};
  const auto of = [&](const std::string& group) {
    std::int64_t out = 0;
    for (const auto& row : w.ask(question).rows)
      if (row.of[0] == group)
        out = static_cast<std::int64_t>(row.all.sums.requests);
    return out;
  };
  const auto before = of("default"), nobodys = of("");
  CHECK(before > 0);
  w.move_to("u-bob", {"team-a"}, begin + std::chrono::hours{70} + std::chrono::minutes{20});
  const auto moved = of("team-a");
  CHECK(moved > 0);
  CHECK(of("default") == before - moved);
  w.move_to("u-bob", {}, begin + std::chrono::hours{96});
  CHECK(of("team-a") == moved);
  CHECK(of("default") == before - moved);
  CHECK(of("") == nobodys);
}

TEST_CASE("Keys that work and people who have one, but used nothing, are named") {
  world w{3};
  const auto begin = at("2026-03-22T00:00:00Z");
  w.use(200, begin, begin + std::chrono::hours{10});
  w.give(0, "u-ada", begin);
  w.give(50, "u-bob", begin);
  usage_question question;
  question.from = begin;
  question.to = begin + std::chrono::hours{10};
  question.by = {usage_by::key};
  question.top = 1; // what is below the top is used all the same
  question.with_unused = true;
  auto report = w.ask(question);
  CHECK(report.unused == std::vector<std::string>{w.id_of(50)});
  CHECK(report.unused_count == 1);
  CHECK(report.names.at(w.id_of(50)) == "key 50");
  question.by = {usage_by::user};
  report = w.ask(question);
  CHECK(report.unused == std::vector<std::string>{"u-bob"});
}

TEST_CASE("What is known to be missing is told with the answer") {
  world w{4};
  const auto begin = at("2026-03-22T00:00:00Z");
  w.use(20, begin, begin + std::chrono::hours{10});
  journal_entry facts;
  facts.gap = gap_record{"alpha", 0, begin + std::chrono::hours{2}, begin + std::chrono::hours{3}, 17, "it restarted"};
  facts.incompletes.push_back(
    {"beta", 0, "account-1", begin + std::chrono::hours{5}, begin + std::chrono::hours{6}, 2, 1, {}});
  facts.incompletes.push_back({"beta", 0, "account-2", begin + std::chrono::hours{5}, begin + std::chrono::hours{6}, 9,
                               9, begin + std::chrono::hours{7}});
  must(w.store->commit({facts}, w.now));
  usage_question question;
  question.from = begin;
  question.to = begin + std::chrono::hours{10};
  auto report = w.ask(question);
  REQUIRE(report.gaps.size() == 2); // one was explained by late records
  CHECK(report.gaps[0].node == "alpha");
  CHECK(report.gaps[0].records == 17);
  CHECK(report.gaps[1].records == 3);
  question.where[usage_by::node] = {"beta"};
  CHECK(w.ask(question).gaps.size() == 1);
  question.to = begin + std::chrono::hours{1};
  CHECK(w.ask(question).gaps.empty());
}

TEST_CASE("An empty ledger and an empty range have empty answers") {
  world w{5};
  usage_question question;
  question.from = at("2026-03-22T00:00:00Z");
  question.to = at("2026-03-24T00:00:00Z");
  question.step = usage_step::day;
  question.by = {usage_by::key, usage_by::model};
  question.with_percentiles = true;
  question.compare = true;
  auto report = w.ask(question);
  CHECK(report.rows.empty());
  CHECK_FALSE(report.other);
  CHECK(report.starts.size() == 2);
  CHECK(report.total.all.sums == usage_sums{});
  CHECK_FALSE(report.total.all.latency_ms);
  w.use(30, at("2026-03-22T00:00:00Z"), at("2026-03-24T00:00:00Z"));
  question.to = question.from;
  report = w.ask(question);
  CHECK(report.rows.empty());
  CHECK(report.starts.empty());
  CHECK(report.total.all.sums == usage_sums{});
}

TEST_CASE("Hostile questions are refused and break nothing") {
  world w{6};
  w.use(100, at("2026-03-22T00:00:00Z"), at("2026-03-24T00:00:00Z"));
  const auto refused = [&](const ask_usage& asked) {
    const auto answer = w.desk.answer(asked, w.now);
    return !answer && code_of(answer.error()) == errc::bad_request
           && render(answer.error()).size() < 500; // nothing of what was sent comes back
  };
  ask_usage asked;
  asked.from = "30d";
  asked.to = "now";
  CHECK(w.desk.answer(asked, w.now));
  auto bad = asked;
  bad.what.zone = std::string(10'000, 'Z');
  CHECK(refused(bad));
  bad = asked;
  bad.what.zone = "../../../etc/passwd";
  CHECK(refused(bad));
  bad = asked;
  bad.from = std::string(10'000, '9');
  CHECK(refused(bad));
  bad = asked;
  bad.from = "now";
  bad.to = "1d";
  CHECK(refused(bad));
  bad = asked;
  bad.from = "90000h";
  bad.what.step = usage_step::hour;
  CHECK(refused(bad));
  bad = asked;
  bad.what.where[usage_by::key] = {std::string(10'000, 'k')};
  CHECK(refused(bad));
  // Texts that nothing has are no error: nothing is found.
  asked.what.where[usage_by::status] = {"-1", "999999999999999999999", "\xff\xfe"};
  const auto none = must(w.desk.answer(asked, w.now));
  CHECK(none.total.all.sums == usage_sums{});
}
