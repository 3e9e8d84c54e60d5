#include "messages/json.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "messages/subjects.hpp"

using namespace keyportal;
using nlohmann::json;

TEST_CASE("The quick body of a usage event says what the careful one says") {
  stored_record r;
  r.seq = 7;
  r.id.bytes[0] = 0xab;
  r.node = "shanghai";
  r.key = "kabc";
  r.model = "模型 \"x\"\n";
  r.auth_index = "00ff";
  r.at = *parse_rfc3339("2026-04-02T23:59:58.123456789+08:00");
  r.latency_ms = 12;
  r.tokens = {1, 2, 3, 4, 5};
  r.failed = true;
  r.parts = {1, 2, 3, 4, 5, 6};
  CHECK(json::parse(usage_body(r)) == to_json(r));
  CHECK_FALSE(json::parse(usage_body(r)).contains("provider"));
  r.facts =
    std::make_shared<attempt_facts>(attempt_facts{"codex", "team/\"x\"", "POST /v1/responses", 7, 200, "{}", {}, {}});
  CHECK(json::parse(usage_body(r)) == to_json(r));
  CHECK(json::parse(usage_body(r))["alias"] == "team/\"x\"");
  CHECK(json::parse(usage_body(r))["timestamp"] == "2026-04-02T23:59:58.123456789+08:00");
}

TEST_CASE("Broken UTF-8 is replaced and never thrown about") {
  std::string out;
  append_json_string(out, "a\xff\xfe");
  CHECK(json::accept(out));
  CHECK_NOTHROW(dump(json{{"x", "\xff"}}));
}

TEST_CASE("An error as JSON has code, message and what it is about") {
  const auto j = to_json(make_error(errc::node_unknown, "nowhere"));
  CHECK(j["code"] == "node_unknown");
  CHECK(j["about"] == "nowhere");
}

TEST_CASE("An incomplete event says of what: records that never came, or a restore") {
  incomplete_record records;
  records.node = "n1";
  records.credential = "00ff";
  records.missing_ok = 3;
  const auto of_records = json::parse(incomplete_body(records));
  CHECK(of_records["kind"] == "records");
  CHECK(of_records["credential"] == "00ff");
  CHECK(of_records["missing"] == 3);

  restart_record restart;
  restart.node = "n1";
  restart.state = restore_state::incomplete;
  restart.still_lacking = 5;
  const auto of_restore = json::parse(incomplete_body(restart));
  CHECK(of_restore["kind"] == "restore");
  CHECK(of_restore["restore"]["still_lacking"] == 5);
}

TEST_CASE("An overview adds its nodes up") {
  overview o;
  o.nodes.resize(2);
  o.nodes[0].sums.add({1, 2, 0, 0, 3}, {}, 5, false);
  o.nodes[1].sums.add({1, 2, 0, 0, 3}, {}, 5, true);
  const auto j = to_json(o);
  CHECK(j["totals"]["requests"] == 2);
  CHECK(j["totals"]["tokens"]["total"] == 6);
  CHECK(j["nodes"].size() == 2);
  CHECK(j["nodes"][0]["last_restart"].is_null());
}

TEST_CASE("Subjects hold a node and a key id and nothing else") {
  CHECK(subjects::usage("shanghai", "kabc") == "keyportal.v1.usage.shanghai.kabc");
  CHECK(subjects::of(event_kind::totals, "n1") == "keyportal.v1.totals.n1");
  CHECK(subjects::of(event_kind::restarted, "n1") == "keyportal.v1.node.n1.restarted");
  CHECK(subjects::type_of(event_kind::gap) == "io.keyportal.gap.v1");
}
