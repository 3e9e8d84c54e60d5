// What an import does with each kind of body: made in order, since each leaves something behind.
#include "server.hpp"
#include "test_client.hpp"
#include "usage_store.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace keyportal::cpa_sim {
namespace {

using namespace test;

/// A detail with one part replaced.
std::string detail_json(const std::string& part = "", const std::string& by = "") {
  std::string text = R"({"timestamp":"2026-04-02T23:59:58.123456789+08:00","latency_ms":10,"source":"a@x",)"
                     R"("auth_index":"a35e8f28ad4fc014","tokens":{"input_tokens":100,"output_tokens":20,)"
                     R"("reasoning_tokens":3,"cached_tokens":4,"total_tokens":120},"failed":false})";
  if (const auto at = text.find(part); !part.empty()) {
    REQUIRE(at != std::string::npos);
    text.replace(at, part.size(), by);
  }
  return text;
}

std::string body_of(const std::string& details, const std::string& api = "k1", const std::string& model = "m1") {
  return R"({"version":1,"usage":{"apis":{")" + api + R"(":{"models":{")" + model + R"(":{"details":[)" + details
         + "]}}}}}}";
}

struct row {
  const char* what;
  std::string body;
  int status;
  int added = 0;
  int skipped = 0;
  const char* error = "invalid json";
};

TEST_CASE("an import merges, compares by ten fields and refuses as a whole", "[contract]") {
  options o;
  o.secret = "s";
  const server s{o};
  const std::string moment = "2026-04-02T23:59:58.123456789+08:00";
  const std::vector<row> rows{
    {"boot marker", R"({"usage":{"apis":{"portal-boot":{}}}})", 200},
    {"empty body", "", 400},
    {"object", "{}", 200},
    {"null", "null", 200},
    {"array", "[]", 400},
    {"no usage", R"({"usage":null})", 200},
    {"no apis", R"({"usage":{"apis":null}})", 200},
    {"broken", "{bad", 400},
    {"trailing", "{} x", 400},
    {"two documents", "{}{}", 400},
    {"comma at the end", R"({"version":1,})", 400},
    {"version 2", R"({"version":2})", 400, 0, 0, "unsupported version"},
    {"version as text", R"({"version":"1"})", 400},
    {"version 0", R"({"version":0})", 200},
    {"version 1.0", R"({"version":1.0})", 400},
    {"version -1", R"({"version":-1})", 400, 0, 0, "unsupported version"},
    {"numeric auth_index", body_of(detail_json() + "," + detail_json("\"a35e8f28ad4fc014\"", "12345")), 400},
    {"no moment", body_of(detail_json() + "," + detail_json(moment, "yesterday")), 400},
    {"fraction of a token", body_of(detail_json("100", "1.5")), 400},
    {"total of another type", R"({"usage":{"total_requests":"2"}})", 400},
    {"bucket of another type", R"({"usage":{"requests_by_day":{"2026-01-01":"2"}}})", 400},
    {"one", body_of(detail_json()), 200, 1},
    {"again", body_of(detail_json()), 200, 0, 1},
    {"other latency", body_of(detail_json(":10,", ":999,")), 200, 0, 1},
    {"same instant in UTC", body_of(detail_json(moment, "2026-04-02T15:59:58.123456789Z")), 200, 0, 1},
    {"fewer digits", body_of(detail_json("456789+", "456+")), 200, 1},
    {"other outcome", body_of(detail_json("\"failed\":false", "\"failed\":true")), 200, 1},
    {"other source", body_of(detail_json("a@x", "b@x")), 200, 1},
    {"total 0", body_of(detail_json("\"total_tokens\":120", "\"total_tokens\":0")), 200, 1},
    {"other model", body_of(detail_json(), "k1", "m2"), 200, 1},
    {"twice the same", body_of(detail_json() + "," + detail_json(), "twice"), 200, 1, 1},
    {"blank model", body_of(detail_json(), "  spaced  ", "   "), 200, 1},
    {"blank api", body_of(detail_json(), "   "), 200},
    {"odd zone", body_of(detail_json(moment, "2026-01-01T05:00:00-09:30"), "tz"), 200, 1},
    {"names in other case", R"({"USAGE":{"APIS":{"ci":{"Models":{"m":{"Details":[)" + detail_json() + "]}}}}}}", 200,
     1},
    {"no details", R"({"usage":{"apis":{"k9":{"models":{"m":{"details":null}}}}}})", 200},
    {"nulls", R"({"usage":{"apis":{"k10":null,"k11":{"models":null},"k12":{"models":{"m":null}}}}})", 200},
    {"unknown fields", R"({"junk":[1,{"x":null}],"exported_at":7,"usage":{"more":true}})", 200},
    {"no moment at all", body_of(detail_json("\"timestamp\":\"" + moment + "\",", ""), "nots"), 200, 1},
    {"no moment again", body_of(detail_json("\"timestamp\":\"" + moment + "\",", ""), "nots"), 200, 1},
    {"Go's zero moment", body_of(detail_json(moment, "0001-01-01T00:00:00Z"), "nots"), 200, 1},
  };
  int total = 0;
  for (const auto& x : rows) {
    INFO(x.what);
    const reply r = manage(s.port(), "POST", "usage/import", x.body);
    CHECK(r.status == x.status);
    total += x.added;
    if (x.status == 200) {
      const int failed = total >= 3 ? 1 : 0; // the third that is added
      CHECK(r.body
            == "{\"added\":" + std::to_string(x.added) + ",\"failed_requests\":" + std::to_string(failed)
                 + ",\"skipped\":" + std::to_string(x.skipped) + ",\"total_requests\":" + std::to_string(total) + "}");
    } else {
      CHECK(r.body == std::string("{\"error\":\"") + x.error + "\"}");
    }
  }
  const std::string usage = manage(s.port(), "GET", "usage").body;
  CHECK(usage.find(R"("portal-boot":{"total_requests":0,"total_tokens":0,"models":{}})") != std::string::npos);
  CHECK(usage.find(R"("k12":{"total_requests":0,"total_tokens":0,"models":{}})") != std::string::npos);
  CHECK(usage.find(R"("spaced":{"total_requests":1,"total_tokens":120,"models":{"unknown":{)") != std::string::npos);
  CHECK(usage.find(R"("total_tokens":123},"failed":false})") != std::string::npos); // the total of 0, recomputed
  CHECK(usage.find("2026-01-01T05:00:00-09:30") != std::string::npos);              // its zone is kept
  CHECK(s.oracle_records().empty());

  // What it exports, it takes back.
  const std::string own = manage(s.port(), "GET", "usage/export").body;
  CHECK(manage(s.port(), "POST", "usage/import", own).body
        == "{\"added\":0,\"failed_requests\":1,\"skipped\":" + std::to_string(total)
             + ",\"total_requests\":" + std::to_string(total) + "}");
  CHECK(manage(s.port(), "POST", "usage/import", usage).body.starts_with("{\"added\":0,"));
}

TEST_CASE("an export taken before a restart restores everything after it", "[contract]") {
  options o;
  o.secret = "s";
  server s{o};
  s.record(500);
  const std::string before = manage(s.port(), "GET", "usage").body;
  const std::string exported = manage(s.port(), "GET", "usage/export").body;
  s.restart();
  CHECK(s.numbers().requests == 0);
  s.record(7);
  CHECK(manage(s.port(), "POST", "usage/import", exported).body.starts_with("{\"added\":500,"));
  CHECK(s.numbers().requests == 507);
  s.restart();
  manage(s.port(), "POST", "usage/import", exported);
  CHECK(manage(s.port(), "GET", "usage").body == before);
}

TEST_CASE("a live record equal to one in the import is not added a second time", "[contract]") {
  options o;
  o.secret = "s";
  server s{o};
  s.record(3);
  const std::string exported = manage(s.port(), "GET", "usage/export").body;
  CHECK(manage(s.port(), "POST", "usage/import", exported).body.starts_with("{\"added\":0,"));
}

TEST_CASE("negative tokens lower the sums of their key and model, not the grand total", "[contract]") {
  usage_store store;
  detail d;
  d.timestamp = *parse_instant("2026-04-03T00:00:03+08:00");
  d.tokens = {-5, 0, 0, 0, -5};
  d.latency_ms = -7;
  CHECK(store.merge({{"k", {{"m", {d}}}}}, d.timestamp).added == 1);
  CHECK(store.usage_json().find(R"("k":{"total_requests":1,"total_tokens":-5)") != std::string::npos);
  CHECK(store.usage_json().find(R"("latency_ms":0)") != std::string::npos);
  CHECK(store.usage_json().find(R"("tokens_by_day":{"2026-04-03":0})") != std::string::npos);
  CHECK(store.totals().tokens == 0);
}

TEST_CASE("6.6.96 keeps the newest details of each list while the totals count on", "[contract]") {
  usage_store store;
  store.keep_newest(3);
  detail d;
  for (int i = 0; i < 10; ++i) {
    d.timestamp = {1'775'145'600 + i, 0, 0};
    store.record("k", "m", d, d.timestamp);
  }
  CHECK(store.totals().requests == 10);
  CHECK(store.details_held() == 3);
  CHECK(store.usage_json().find("\"details\":[{\"timestamp\":\"2026-04-02T16:00:07Z\"") != std::string::npos);
  d.timestamp = {1'775'145'600, 0, 0}; // what fell out is not remembered
  CHECK(store.merge({{"k", {{"m", {d}}}}}, d.timestamp).added == 1);
}

TEST_CASE("moments are read as strictly as Go reads them and written back the same", "[contract]") {
  for (const char* text : {"2026-04-02T23:59:58.123456789+08:00", "2026-04-02T23:59:58Z", "2026-01-01T05:00:00-09:30",
                           "2024-02-29T00:00:00.5Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"}) {
    INFO(text);
    const auto t = parse_instant(text);
    REQUIRE(t);
    CHECK(to_text(*t) == text);
  }
  CHECK(to_text(*parse_instant("2026-04-02T23:59:58.120000000+00:00")) == "2026-04-02T23:59:58.12Z");
  CHECK(to_text(*parse_instant("2026-04-02T23:59:58.1234567899Z")) == "2026-04-02T23:59:58.123456789Z");
  for (const char* text :
       {"", "yesterday", "2026-04-02", "2026-04-02T23:59:58", "2026-04-02t23:59:58Z", "2026-04-02T23:59:58z",
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-04-02T24:00:00Z", "2026-04-02T23:59:60Z",
        "2026-04-02T23:59:58,5Z", "2026-04-02T23:59:58.Z", "2026-04-02T23:59:58+24:00", "2026-04-02T23:59:58+0800",
        "2026-04-02T23:59:58Zx", "2026-04-02 23:59:58Z", "-026-04-02T23:59:58Z"}) {
    INFO(text);
    CHECK_FALSE(parse_instant(text));
  }
  CHECK(zone::named("Asia/Shanghai")->offset_at(0) == 8 * 3600);
  CHECK(zone::named("-09:30")->offset_at(0) == -(9 * 3600 + 1800));
  CHECK_FALSE(zone::named("No/Where"));
  CHECK_FALSE(zone::named("../etc/passwd"));
}

} // namespace
} // namespace keyportal::cpa_sim
