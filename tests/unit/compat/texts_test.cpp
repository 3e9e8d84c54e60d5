#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "fake_backend.hpp"
#include "gateway/compat/go_text.hpp"
#include "gateway/compat/queue_text.hpp"
#include "gateway/compat/usage_sheet.hpp"

using namespace keyportal;
using namespace keyportal::compat;
using nlohmann::json;

namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_go_string(out, text);
  return out;
}

arrival sample() {
  arrival one;
  one.record.seq = 7;
  one.record.node = "one";
  one.record.model = "gpt-5.4";
  one.record.auth_index = "a35e8f28ad4fc014";
  one.record.at = *parse_rfc3339("2026-04-02T23:59:58.123456789+08:00");
  one.record.latency_ms = 4210;
  one.record.tokens = {1200, 330, 128, 512, 1530};
  one.client_key = secret{"sk-portal-alice-0001"};
  one.source = "alice@example.com";
  return one;
}

std::vector<std::string> names_of(const nlohmann::ordered_json& object) {
  std::vector<std::string> out;
  for (const auto& [name, value] : object.items())
    out.push_back(name);
  return out;
}

nlohmann::ordered_json queue_record(const arrival& one) {
  std::string out;
  append_queue_record(out, one);
  return nlohmann::ordered_json::parse(out);
}

std::string usage_of(usage_sheet sheet) {
  std::string out;
  std::move(sheet).write_usage([&](std::string_view text) {
    out += text;
    return true;
  });
  return out;
}

} // namespace

TEST_CASE("Strings are escaped as Go escapes them") {
  CHECK(quoted("sk-plain") == R"("sk-plain")");
  CHECK(quoted("<a>&\"\\") == R"("\u003ca\u003e\u0026\"\\")");
  CHECK(quoted("\n\r\t\b\f\x01") == R"("\n\r\t\b\f\u0001")");
  CHECK(quoted("名\xe2\x80\xa8\xf0\x9f\x98\x80") == "\"名\\u2028\xf0\x9f\x98\x80\"");
  CHECK(quoted("a\xff\xc0\x80\xed\xa0\x80z") == R"("a\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdz")");
}

TEST_CASE("Durations are written as Go writes them") {
  using namespace std::chrono_literals;
  CHECK(go_duration(30min) == "30m0s");
  CHECK(go_duration(29min + 57s + 600ms) == "29m58s");
  CHECK(go_duration(4min + 5s) == "4m5s");
  CHECK(go_duration(59s) == "59s");
  CHECK(go_duration(0ms) == "0s");
  CHECK(go_duration(2h) == "2h0m0s");
}

TEST_CASE("A count is taken as Go's Atoi takes it") {
  CHECK(positive_number(" 2 ") == 2);
  CHECK(positive_number("+2") == 2);
  CHECK(positive_number("9223372036854775807") == INT64_MAX);
  for (const auto* wrong : {"", "0", "-1", "abc", "1.5", "1e3", "0x2", "99999999999999999999", "+", "+-2", "2 3"})
    CHECK(positive_number(wrong) == 0);
}

TEST_CASE("An empty sheet is CLIProxyAPI's empty answer, byte by byte") {
  CHECK(
    usage_of({})
    == R"({"failed_requests":0,"usage":{"total_requests":0,"success_count":0,"failure_count":0,"total_tokens":0,"apis":{},"requests_by_day":{},"requests_by_hour":{},"tokens_by_day":{},"tokens_by_hour":{}}})");
  std::string exported;
  usage_sheet{}.write_export(moment_of(1'795'000'067'389'950'188), [&](std::string_view text) {
    exported += text;
    return true;
  });
  CHECK(
    exported
    == R"({"version":1,"exported_at":"2026-11-18T11:07:47.389950188Z","usage":{"total_requests":0,"success_count":0,"failure_count":0,"total_tokens":0,"apis":{},"requests_by_day":{},"requests_by_hour":{},"tokens_by_day":{},"tokens_by_hour":{}}})");
}

TEST_CASE("A sheet shows each record once, under its key and model, by the clock of its own zone") {
  usage_sheet sheet;
  auto one = sample();
  sheet.add(one);
  one.record.at = *parse_rfc3339("2026-04-03T00:00:03.5+08:00");
  one.record.latency_ms = 310;
  one.record.tokens = {};
  one.record.failed = true;
  sheet.add(one);
  sheet.add_entry("portal-boot-1");
  CHECK(
    usage_of(std::move(sheet))
    == R"({"failed_requests":1,"usage":{"total_requests":2,"success_count":1,"failure_count":1,"total_tokens":1530,"apis":{"portal-boot-1":{"total_requests":0,"total_tokens":0,"models":{}},"sk-portal-alice-0001":{"total_requests":2,"total_tokens":1530,"models":{"gpt-5.4":{"total_requests":2,"total_tokens":1530,"details":[{"timestamp":"2026-04-02T23:59:58.123456789+08:00","latency_ms":4210,"source":"alice@example.com","auth_index":"a35e8f28ad4fc014","tokens":{"input_tokens":1200,"output_tokens":330,"reasoning_tokens":128,"cached_tokens":512,"total_tokens":1530},"failed":false},{"timestamp":"2026-04-03T00:00:03.5+08:00","latency_ms":310,"source":"alice@example.com","auth_index":"a35e8f28ad4fc014","tokens":{"input_tokens":0,"output_tokens":0,"reasoning_tokens":0,"cached_tokens":0,"total_tokens":0},"failed":true}]}}}},"requests_by_day":{"2026-04-02":1,"2026-04-03":1},"requests_by_hour":{"00":1,"23":1},"tokens_by_day":{"2026-04-02":1530,"2026-04-03":0},"tokens_by_hour":{"00":0,"23":1530}}})");
}

TEST_CASE("A record with less than no tokens lowers the sum of its list, and no other") {
  usage_sheet sheet;
  auto one = sample();
  sheet.add(one);
  one.record.tokens.total = -5;
  sheet.add(one);
  const auto usage = json::parse(usage_of(std::move(sheet)))["usage"];
  CHECK(usage["total_tokens"] == 1530);
  CHECK(usage["tokens_by_day"]["2026-04-02"] == 1530);
  CHECK(usage["tokens_by_hour"]["23"] == 1530);
  CHECK(usage["apis"]["sk-portal-alice-0001"]["total_tokens"] == 1525);
  CHECK(usage["apis"]["sk-portal-alice-0001"]["models"]["gpt-5.4"]["total_tokens"] == 1525);
}

TEST_CASE("Absurd numbers wrap round instead of ending the program") {
  usage_sheet sheet;
  auto one = sample();
  one.record.tokens.total = INT64_MAX;
  sheet.add(one);
  sheet.add(one);
  one.record.at = {INT64_MIN, -720};
  sheet.add(one);
  CHECK(json::parse(usage_of(std::move(sheet)))["usage"]["total_requests"] == 3);
}

TEST_CASE("A reader that has enough ends the writing of a sheet") {
  usage_sheet sheet;
  for (int i = 0; i < 10'000; ++i)
    sheet.add(sample());
  int pieces = 0;
  CHECK_FALSE(std::move(sheet).write_usage([&](std::string_view) { return ++pieces < 3; }));
  CHECK(pieces == 3);
}

TEST_CASE("A record of the queue has the fields and the order of version 7.2.140") {
  auto one = sample();
  auto facts = std::make_shared<attempt_facts>();
  facts->provider = "codex";
  facts->alias = "team/gpt-5.4(high)";
  facts->endpoint = "POST /v1/responses";
  facts->ttft_ms = 640;
  facts->status_code = 200;
  one.record.facts = facts;
  one.extra =
    R"x({"access_token_sha256":"5b","accounting_version":2,"alias":"team/gpt-5.4(high)","auth_type":"oauth","client_ip":"172.18.0.1","endpoint":"POST /v1/responses","executor_type":"CodexExecutor","fail":{"body":"a \"b\" {","status_code":200},"generate":true,"keyportal_dropped":1,"new_field":[1,{"x":"]}"}],"provider":"codex","reasoning_effort":"high","request_id":"9f3c01ab","response_headers":{"X-Codex-Primary-Used-Percent":["12"]},"response_service_tier":"default","service_tier":"auto","token_breakdown":{"quality":"complete"},"tokens":{"cache_creation_tokens":0,"cache_read_tokens":512,"cache_read_tokens_present":true},"ttft_ms":640,"user_agent":"codex","x_forwarded_for":"203.0.113.7"})x";
  const auto record = queue_record(one);
  CHECK(names_of(record)
        == std::vector<std::string>{"timestamp",
                                    "latency_ms",
                                    "ttft_ms",
                                    "source",
                                    "auth_index",
                                    "access_token_sha256",
                                    "client_ip",
                                    "x_forwarded_for",
                                    "user_agent",
                                    "tokens",
                                    "failed",
                                    "generate",
                                    "fail",
                                    "response_headers",
                                    "accounting_version",
                                    "token_breakdown",
                                    "provider",
                                    "executor_type",
                                    "model",
                                    "alias",
                                    "endpoint",
                                    "auth_type",
                                    "api_key",
                                    "request_id",
                                    "reasoning_effort",
                                    "service_tier",
                                    "response_service_tier",
                                    "new_field"});
  CHECK(
    record["tokens"]
    == nlohmann::ordered_json::parse(
      R"({"input_tokens":1200,"output_tokens":330,"reasoning_tokens":128,"cached_tokens":512,"cache_creation_tokens":0,"cache_read_tokens":512,"cache_read_tokens_present":true,"total_tokens":1530})"));
  CHECK(record["api_key"] == "sk-portal-alice-0001");
  CHECK(record["timestamp"] == "2026-04-02T23:59:58.123456789+08:00");
  CHECK(record["fail"]["body"] == "a \"b\" {");
  CHECK(record["new_field"] == nlohmann::ordered_json::parse(R"([1,{"x":"]}"}])"));
}

TEST_CASE("A record of /usage has in the queue what is known of it, and an id of its own") {
  auto one = sample();
  one.record.id.bytes = {0x9f, 0x3c, 0x01, 0xab};
  const auto record = queue_record(one);
  CHECK(names_of(record)
        == std::vector<std::string>{"timestamp", "latency_ms", "source", "auth_index", "tokens", "failed", "provider",
                                    "model", "alias", "endpoint", "auth_type", "api_key", "request_id"});
  CHECK(record["alias"] == "gpt-5.4");
  CHECK(record["provider"] == "unknown");
  CHECK(record["request_id"] == "9f3c01ab");
  CHECK(record["endpoint"] == "");
}

TEST_CASE("A request that came without a key has none in the queue") {
  auto one = sample();
  one.client_key = secret{"POST /v1beta/models/*action"};
  CHECK(queue_record(one)["api_key"] == "");
  CHECK(queue_record(one)["endpoint"] == "POST /v1beta/models/*action");
  auto facts = std::make_shared<attempt_facts>();
  facts->provider = "codex";
  one.record.facts = facts;
  one.client_key = secret{"codex"};
  CHECK(queue_record(one)["api_key"] == "");
  one.client_key = secret{"POST it"}; // an odd key is still a key
  CHECK(queue_record(one)["api_key"] == "POST it");
}

TEST_CASE("Facts without their rest give a whole record as well; a broken rest is left out") {
  auto one = sample();
  auto facts = std::make_shared<attempt_facts>();
  facts->provider = "claude";
  facts->alias = "fast";
  facts->status_code = 429;
  one.record.facts = facts;
  one.record.failed = true;
  for (const auto* extra : {"", "{}", "{\"a\":", "[]", "{\"a\":\"", "{\"a"}) {
    one.extra = extra;
    const auto record = queue_record(one);
    CHECK(record["fail"] == nlohmann::ordered_json::parse(R"({"status_code":429,"body":""})"));
    CHECK(record["alias"] == "fast");
  }
}
