// Pages of records against the plain list.
#include <algorithm>

#include <catch2/catch_test_macros.hpp>

#include "actors/analyst/record_cursor.hpp"
#include "world.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

moment at(const char* rfc3339) { return moment_of(parse_rfc3339(rfc3339).value().unix_ns); }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool has_text(const attempt& one, const std::string& text) {
  const auto wanted = lower(text);
  const auto facts = one.facts.value_or(attempt_facts{});
  for (const auto& name : {one.model, facts.alias, one.account, one.source, facts.error})
    if (lower(name).find(wanted) != std::string::npos)
      return true;
  return false;
}

/// Ids in the order in which they are to come. `rounds`: of the commits until then.
std::vector<record_id> wanted(const world& w, const record_question& question, std::uint64_t rounds) {
  std::vector<const attempt*> found;
  for (const auto& one : w.attempts)
    if (one.round <= rounds && one.at.unix_ns >= unix_ns(question.from) && one.at.unix_ns < unix_ns(question.to)
        && w.fits(one, question.where, "UTC") && (question.text.empty() || has_text(one, question.text)))
      found.push_back(&one);
  std::sort(found.begin(), found.end(), [&](const attempt* a, const attempt* b) {
    const auto left = std::tie(a->at.unix_ns, a->node, a->id), right = std::tie(b->at.unix_ns, b->node, b->id);
    return question.newest_first ? right < left : left < right;
  });
  std::vector<record_id> out;
  for (const auto* one : found)
    out.push_back(one->id);
  return out;
}

std::vector<record_id> ids(const record_page& page) {
  std::vector<record_id> out;
  for (const auto& one : page.records)
    out.push_back(one.id);
  return out;
}

record_question random_question(world& w) {
  record_question out;
  out.from = at("2026-03-20T00:00:00Z") + std::chrono::seconds{w.random() % (5 * 86'400)};
  out.to = out.from + std::chrono::nanoseconds{(std::uint64_t{w.random()} << 20) % (6ULL * 86'400'000'000'000)};
  if (w.pick(3) == 0) {
    out.from = at("2026-03-01T00:00:00Z");
    out.to = at("2026-05-01T00:00:00Z");
  }
  if (w.pick(8) == 0) { // borders fall onto a record
    const auto& one = w.attempts[w.pick(w.attempts.size())];
    (w.pick(2) == 0 ? out.from : out.to) = moment_of(one.at.unix_ns);
    if (out.from > out.to)
      std::swap(out.from, out.to);
  }
  for (auto left = w.pick(4); left-- > 0;) {
    const auto by = static_cast<usage_by>(w.pick(static_cast<std::size_t>(usage_by::weekday)));
    auto& texts = out.where[by];
    for (auto several = 1 + w.pick(2); several-- > 0;)
      texts.push_back(w.value_of(w.attempts[w.pick(w.attempts.size())], by, "UTC"));
  }
  const char* texts[] = {"model-1", "ALIAS model-2", "account-3",     "person-ACCOUNT-1",
                         "limit",   "upstream",      "nothing has it"};
  if (w.pick(3) == 0)
    out.text = texts[w.pick(std::size(texts))];
  out.newest_first = w.pick(2) == 0;
  out.limit = static_cast<std::uint32_t>(1 + w.pick(w.pick(2) == 0 ? 5 : 80));
  return out;
}

void fill(world& w) {
  const auto begin = at("2026-03-21T00:00:00Z"), end = at("2026-03-25T00:00:00Z");
  w.give(0, "u-ada", begin - std::chrono::hours{1'000});
  w.give(1, "u-bob", begin + std::chrono::hours{50} + std::chrono::minutes{20});
  w.use(200, begin, end);
  w.use(30, end - std::chrono::milliseconds{3}, end); // very close together
  w.use(100, begin, end);
  w.move_to("u-ada", {"team-b"}, begin + std::chrono::hours{30});
  w.move_to("u-bob", {"team-a"}, begin + std::chrono::hours{60} + std::chrono::minutes{5});
}

} // namespace

TEST_CASE("Every page of any question has what going through all records finds, both ways, while records arrive") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  world w{seed};
  fill(w);
  for (int round = 0; round < 150; ++round) {
    auto question = random_question(w);
    std::string told;
    for (const auto& [by, texts] : question.where)
      told += " where " + std::string(name_of(by)) + "=" + texts[0];
    INFO(told << " text " << question.text << " from " << to_rfc3339_ms(question.from) << " to "
              << to_rfc3339_ms(question.to) << " limit " << question.limit << " newest " << question.newest_first);
    const auto all = wanted(w, question, w.rounds);
    auto page = w.ask(question);
    CHECK(page.position == w.store->state().last);
    const auto position = page.position;
    CHECK(page.previous.empty());
    std::vector<record_id> seen = ids(page);
    std::vector<record_page> pages{page};
    for (int steps = 0; !page.next.empty(); ++steps) {
      REQUIRE(steps < static_cast<int>(all.size()));
      if (w.pick(round < 30 ? 4 : 40) == 0) // what comes now stays out
        w.use(5, at("2026-03-21T00:00:00Z"), at("2026-03-25T00:00:00Z"));
      CHECK(page.records.size() == question.limit);
      question.cursor = page.next;
      page = w.ask(question);
      CHECK(page.position == position);
      const auto more = ids(page);
      seen.insert(seen.end(), more.begin(), more.end());
      pages.push_back(page);
    }
    CHECK(seen == all);
    // Back to the beginning, by the same pages.
    for (auto i = pages.size(); i-- > 1;) {
      question.cursor = page.previous;
      REQUIRE_FALSE(question.cursor.empty());
      page = w.ask(question);
      CHECK(ids(page) == ids(pages[i - 1]));
      CHECK_FALSE(page.next.empty());
    }
    CHECK(page.previous.empty());
  }
}

TEST_CASE("A record on a page is told whole") {
  world w{1};
  fill(w);
  record_question question;
  question.from = at("2026-03-20T00:00:00Z");
  question.to = at("2026-03-26T00:00:00Z");
  question.limit = 1'000;
  const auto page = w.ask(question);
  REQUIRE(page.records.size() == w.attempts.size());
  for (const auto& record : page.records) {
    const auto one =
      std::find_if(w.attempts.begin(), w.attempts.end(), [&](const auto& a) { return a.id == record.id; });
    REQUIRE(one != w.attempts.end());
    CHECK(record.node == one->node);
    CHECK(record.key == one->key);
    CHECK(record.model == one->model);
    CHECK(record.auth_index == one->account);
    CHECK(record.at == one->at);
    CHECK(record.tokens == one->tokens);
    CHECK(record.parts == one->parts);
    CHECK(record.cost_nano == one->cost_nano);
    CHECK((record.facts ? record.facts->error : "") == (one->facts ? one->facts->error : ""));
  }
  CHECK(page.names.at(w.id_of(0)) == "key 0");
}

TEST_CASE("A cursor is of its question, and garbage is refused") {
  world w{2};
  fill(w);
  record_question question;
  question.from = at("2026-03-20T00:00:00Z");
  question.to = at("2026-03-26T00:00:00Z");
  question.limit = 10;
  const auto cursor = w.ask(question).next;
  const auto refused = [&](const record_question& asked) {
    const auto answer = w.desk.answer(ask_records{asked, {}, {}, {}}, w.now);
    return !answer && code_of(answer.error()) == errc::bad_request;
  };
  question.cursor = cursor;
  CHECK_FALSE(refused(question));
  question.newest_first = false;
  CHECK(refused(question));
  question.newest_first = true;
  for (std::string bad : {std::string("x"), cursor + "00", cursor.substr(2), std::string(10'000, 'a'),
                          std::string("zz") + cursor.substr(2), cursor.substr(0, cursor.size() - 2)}) {
    question.cursor = bad;
    CHECK(refused(question));
  }
  for (int i = 0; i < 2'000; ++i) { // any change is another cursor or none, never worse
    auto bent = cursor;
    bent[w.pick(bent.size())] = "0123456789abcdef"[w.pick(16)];
    question.cursor = bent;
    (void)w.desk.answer(ask_records{question, {}, {}, {}}, w.now);
  }
  question.cursor.clear();
  question.limit = 1'001;
  CHECK(refused(question));
  question.limit = 0;
  CHECK(refused(question));
  question.limit = 10;
  question.text = std::string(10'000, 't');
  CHECK(refused(question));
  question.text.clear();
  question.where[usage_by::hour] = {"3"};
  CHECK(refused(question));
  question.where.clear();
  std::swap(question.from, question.to);
  CHECK(refused(question));
}

TEST_CASE("Cursors are read as they were written") {
  const record_cursor one{
    true, false, 99, at("2026-03-20T00:00:00Z"), at("2026-03-21T00:00:00Z"), {-5, "node-1", record_id{{1, 2, 3}}}};
  CHECK(cursor_of(to_text(one)) == one);
}
