#include "actors/feed/own_usage.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "actors/feed/job_board.hpp"

using namespace keyportal;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const moment midnight{1'000'000h}, now = midnight + 9h;

struct bench {
  own_usage it;
  sequence last = 10;

  own_usage::news use(const key_id& key, std::int64_t tokens, moment at = now, moment day = midnight) {
    stored_record r;
    r.seq = ++last;
    r.key = key;
    r.at.unix_ns = unix_ns(at);
    r.tokens.total = tokens;
    committed m;
    m.last = last;
    m.records = std::make_shared<const std::vector<stored_record>>(1, r);
    m.events = std::make_shared<const std::vector<node_event>>();
    return it.on(m, day, at);
  }
  static usage_report report(sequence position, const std::string& key, std::int64_t requests, std::int64_t tokens) {
    usage_report out;
    out.position = position;
    usage_row row;
    row.of = {key};
    row.all.sums.requests = requests;
    row.all.sums.tokens.total = tokens;
    out.rows.push_back(row);
    return out;
  }
};

live_person ann() { return {"ann", {}, {live_topic::own}, true, {}}; }

json told(const own_usage::news& news) { return json::parse(news.frames.at(0).second->text); }

} // namespace

TEST_CASE("What a key used today is asked once, and what comes meanwhile is neither lost nor counted twice") {
  bench b;
  b.it.listen(ann());
  b.it.learn("ann", {"k1"});
  auto news = b.use("k1", 5); // 11
  REQUIRE(news.questions.size() == 1);
  CHECK(news.frames.empty());
  CHECK(news.questions[0].first == "ann");
  const auto question = news.questions[0].second;
  CHECK(question.from == midnight);
  CHECK(question.where.at(usage_by::user) == std::vector<std::string>{"ann"});
  CHECK(b.use("k1", 7).questions.empty());         // 12
  CHECK(b.use("k1", 100).frames.empty());          // 13
  const auto had = bench::report(12, "k1", 4, 50); // the first two are in it
  news = b.it.answer("ann", question.from, &had, now);
  REQUIRE(news.frames.size() == 1);
  CHECK(news.frames[0].first == "ann");
  CHECK(told(news)["type"] == "own_usage");
  CHECK(told(news)["key"] == "k1");
  CHECK(told(news)["today"]["requests"] == 5);
  CHECK(told(news)["today"]["tokens"]["total"] == 150);
  CHECK(told(news)["position"] == 13);
  CHECK(told(b.use("k1", 1))["today"]["tokens"]["total"] == 151);
}

TEST_CASE("Of keys of nobody who listens nothing is told or kept") {
  bench b;
  b.it.listen(ann());
  b.it.learn("ann", {"k1"});
  b.it.learn("bob", {"k2"});
  auto news = b.use("k2", 5);
  CHECK(news.frames.empty());
  CHECK(news.questions.empty());
  b.it.leave("ann");
  CHECK(b.use("k1", 5).questions.empty());
  CHECK(b.it.size() == 0);
}

TEST_CASE("A key that somebody was just given is his own, and one key is told to its owner and to who sees it") {
  bench b;
  b.it.listen(ann());
  node_event e;
  e.kind = event_kind::key_assigned;
  e.about = "k3";
  e.data = R"({"owner":"ann"})";
  b.it.learn({e});
  b.it.listen({{}, "k3", {live_topic::own}, false, {}});
  const auto news = b.use("k3", 5);
  REQUIRE(news.questions.size() == 2);
  CHECK(news.questions[1].second.where.at(usage_by::key) == std::vector<std::string>{"k3"});
}

TEST_CASE("A new day is asked about anew, and an answer about the day before is not taken for it") {
  bench b;
  b.it.listen(ann());
  b.it.learn("ann", {"k1"});
  b.use("k1", 5);
  const auto next = midnight + 24h;
  auto news = b.use("k1", 3, next + 1h, next);
  REQUIRE(news.questions.size() == 1);
  const auto old = bench::report(12, "k1", 100, 100), fresh = bench::report(12, "k1", 1, 3);
  CHECK(b.it.answer("ann", midnight, &old, now).frames.empty());
  CHECK(told(b.it.answer("ann", next, &fresh, now))["today"]["requests"] == 1);
  CHECK(b.use("k1", 3, next - 1h, next).frames.empty()); // a late one of yesterday
}

TEST_CASE("Without an answer it is asked again with the next record") {
  bench b;
  b.it.listen(ann());
  b.it.learn("ann", {"k1"});
  const auto question = b.use("k1", 5).questions.at(0).second;
  CHECK(b.it.answer("ann", question.from, nullptr, now).frames.empty());
  CHECK(b.use("k1", 5).questions.size() == 1);
}

TEST_CASE("Long work is told while it is under way, when something changed, and once when it has ended") {
  job_board b;
  CHECK_FALSE(b.on("backup", false, {{"done", 0}}));
  CHECK(b.on("backup", true, {{"done", 1}}));
  CHECK_FALSE(b.on("backup", true, {{"done", 1}}));
  CHECK(b.on("backup", true, {{"done", 2}}));
  const auto end = b.on("backup", false, {{"done", 2}});
  REQUIRE(end);
  CHECK(json::parse(end->text)
        == json{{"type", "job"}, {"job", "backup"}, {"running", false}, {"state", {{"done", 2}}}});
  CHECK_FALSE(b.on("backup", false, {{"done", 3}}));
}
