#include "actors/cpa/queue_record.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "actors/collector/unpack.hpp"
#include "actors/cpa/error_line.hpp"
#include "actors/cpa/usage_document.hpp"
#include "messages/errors.hpp"
#include "tests/unit/queue/sample.hpp"

using namespace keyportal;
using namespace keyportal::cpa;
using nlohmann::json;

namespace {

const decode_rule as_queue{"shanghai", decode_rule::identity::as_queue_record};
const decode_rule as_detail{"shanghai", decode_rule::identity::as_detail};

queue_record decoded_text(std::string_view text, const decode_rule& rule = as_queue) {
  auto item = decode_queue_record(text, rule);
  INFO(text.substr(0, 2000));
  INFO((item ? std::string{} : render(item.error())));
  REQUIRE(item);
  REQUIRE(std::holds_alternative<queue_record>(*item));
  return std::get<queue_record>(*item);
}

queue_record decoded(const json& value, const decode_rule& rule = as_queue) { return decoded_text(value.dump(), rule); }

std::string refused(std::string_view text) {
  const auto item = decode_queue_record(text, as_queue);
  REQUIRE(!item);
  CHECK(code_of(item.error()) == errc::record_malformed);
  return about_of(item.error());
}

/// As 6.10.8 writes it, with all optional fields of the core.
json small() {
  return json::parse(
    R"({"timestamp":"2026-05-06T10:00:00.123456789+08:00","latency_ms":1834,"source":"alice@example.com",)"
    R"("auth_index":"a35e8f28ad4fc014","tokens":{"input_tokens":900,"output_tokens":120,"reasoning_tokens":20,)"
    R"("cached_tokens":100,"total_tokens":1020},"failed":false,"provider":"codex","model":"gpt-5.4",)"
    R"("alias":"gpt-5.4-fast","endpoint":"POST /v1/chat/completions","auth_type":"oauth",)"
    R"("api_key":"sk-portal-alice-0001","request_id":"9f3c01ab"})");
}

json full() { return json::parse(test::sample_record(123)); }

} // namespace

TEST_CASE("A record of the queue becomes a detail") {
  const auto r = decoded(small());
  CHECK(r.client_key.reveal() == "sk-portal-alice-0001");
  CHECK(r.model == "gpt-5.4");
  CHECK(r.what.facts->provider == "codex");
  CHECK(to_rfc3339(r.what.at) == "2026-05-06T10:00:00.123456789+08:00");
  CHECK(r.what.latency_ms == 1834);
  CHECK(r.what.source == "alice@example.com");
  CHECK(r.what.auth_index == "a35e8f28ad4fc014");
  CHECK(r.what.tokens == token_counts{900, 120, 20, 100, 1020});
  CHECK(r.what.parts == token_parts{800, 100, 0, 100, 20, 0});
  CHECK(!r.what.failed);
  CHECK(json::parse(r.what.facts->extra)
        == json{{"provider", "codex"},
                {"alias", "gpt-5.4-fast"},
                {"endpoint", "POST /v1/chat/completions"},
                {"auth_type", "oauth"},
                {"request_id", "9f3c01ab"}});
}

TEST_CASE("Every field of 7.2.140 is kept") {
  auto record = full();
  record["access_token_sha256"] = std::string(64, 'a');
  record["response_service_tier"] = "default";
  record["failed"] = true;
  record["fail"] = {{"status_code", 429}, {"body", "usage limit reached"}};
  const auto r = decoded(record);
  CHECK(r.what.failed);
  auto expected = record;
  for (const char* core : {"timestamp", "latency_ms", "source", "auth_index", "failed", "model", "api_key"})
    expected.erase(core);
  for (const char* core : {"input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "total_tokens"})
    expected["tokens"].erase(core);
  for (const char* header : {"Connection", "Content-Type", "Date", "Set-Cookie"})
    expected["response_headers"].erase(header);
  CHECK(json::parse(r.what.facts->extra) == expected);
  CHECK(expected["response_headers"].size() == 2);
}

TEST_CASE("Of headers, limits and request ids are kept and credentials are not") {
  auto record = small();
  auto& headers = record["response_headers"];
  const std::vector<std::string> kept = {"X-Codex-Primary-Used-Percent",
                                         "Anthropic-Ratelimit-Unified-5h-Reset",
                                         "X-Ratelimit-Limit-Tokens",
                                         "Retry-After",
                                         "Request-Id",
                                         "X-Oneapi-Request-Id"};
  for (const auto& name : kept)
    headers[name] = {"7", "8"};
  for (const char* name : {"Set-Cookie", "Cookie", "Authorization", "Proxy-Authorization", "X-Api-Key", "Cf-Ray",
                           "Location", "X-Request-Id-Token"})
    headers[name] = {"secret-of-somebody"};
  const auto extra = decoded(record).what.facts->extra;
  CHECK(extra.find("secret-of-somebody") == std::string::npos);
  const auto got = json::parse(extra)["response_headers"];
  CHECK(got.size() == kept.size());
  for (const auto& name : kept)
    CHECK(got[name] == json{"7", "8"});
}

TEST_CASE("Optional fields may be missing or null") {
  const auto r = decoded_text(R"({"timestamp":"2026-05-06T10:00:00Z","tokens":{},"model":"m"})");
  CHECK(r.client_key.reveal() == "unknown");
  CHECK(r.what.facts->extra == "{}");
  CHECK(r.what.tokens == token_counts{});
  auto record = full();
  for (const char* name : {"latency_ms", "source", "auth_index", "failed", "provider", "fail", "response_headers",
                           "token_breakdown", "api_key", "endpoint"})
    record[name] = nullptr;
  record["tokens"]["cached_tokens"] = nullptr;
  CHECK(decoded(record).what.source.empty());
}

TEST_CASE("A field that is not what it must be is named") {
  struct row {
    const char* name;
    json value;
    std::string says;
  };
  const row rows[] = {
    {"timestamp", 5, "timestamp is not a string"},
    {"timestamp", nullptr, "timestamp is missing"},
    {"timestamp", "yesterday", "timestamp is not an RFC 3339 time of the years 1678 to 2261"},
    {"timestamp", "0001-01-01T00:00:00Z", "timestamp is not an RFC 3339 time of the years 1678 to 2261"},
    {"tokens", nullptr, "tokens is missing"},
    {"tokens", "12", "tokens is not an object"},
    {"tokens", json::array(), "tokens is not an object"},
    {"model", 5, "model is not a string"},
    {"model", nullptr, "model is missing"},
    {"model", std::string(9000, 'm'), "model is longer than 8192 bytes"},
    {"auth_index", 123456789, "auth_index is not a string"},
    {"api_key", 5, "api_key is not a string"},
    {"source", true, "source is not a string"},
    {"provider", 5, "provider is not a string"},
    {"failed", "false", "failed is not a boolean"},
    {"latency_ms", "12", "latency_ms is not an integer of 64 bits"},
    {"latency_ms", 1.5, "latency_ms is not an integer of 64 bits"},
    {"latency_ms", 18446744073709551615ULL, "latency_ms is not an integer of 64 bits"},
  };
  for (const auto& r : rows) {
    auto record = small();
    record[r.name] = r.value;
    INFO(r.name << " = " << r.value.dump().substr(0, 50));
    CHECK(refused(record.dump()) == "shanghai: " + r.says);
  }
  auto record = small();
  record["tokens"]["output_tokens"] = "many";
  CHECK(refused(record.dump()) == "shanghai: tokens.output_tokens is not an integer of 64 bits");
  for (const std::string no_record : {"", "null", "[]", "17", "\"text\"", "{", "{}", R"({"a":1})", "not json"})
    CHECK(!refused(no_record).empty());
}

TEST_CASE("An error quotes nothing of the record") {
  auto record = small();
  record["api_key"] = "sk-very-secret";
  record["timestamp"] = "sk-very-secret";
  CHECK(refused(record.dump()).find("sk-very-secret") == std::string::npos);
  CHECK(refused(R"({"api_key":"sk-very-secret")").find("sk-very-secret") == std::string::npos);
}

TEST_CASE("Control objects are told from records") {
  const auto control = [](std::string_view text) {
    const auto item = decode_queue_record(text, as_queue);
    REQUIRE(item);
    return std::get<queue_control>(*item);
  };
  CHECK(control(R"({"support_refresh":true})") == queue_control::support_refresh);
  CHECK(control(R"({"refresh":true})") == queue_control::refresh);
  CHECK(control(R"({"refresh":true,"more":1})") == queue_control::refresh);
  auto record = small();
  record["refresh"] = true; // a field that a later version might have
  CHECK(decoded(record).model == "gpt-5.4");
}

TEST_CASE("Where CPA is open to anyone, the route stands for the key, as in /usage") {
  auto record = small();
  record["api_key"] = "";
  CHECK(decoded(record).client_key.reveal() == "POST /v1/chat/completions");
  record["endpoint"] = "";
  CHECK(decoded(record).client_key.reveal() == "codex");
  record["api_key"] = " sk-x ";
  CHECK(decoded(record).client_key.reveal() == "sk-x");
}

TEST_CASE("A record that /usage gives too has the same id both ways") {
  const auto from_queue = decoded(small(), as_detail);
  const auto groups = read_export(
    "shanghai",
    R"({"version":1,"usage":{"apis":{"sk-portal-alice-0001":{"models":{"gpt-5.4":{"details":[)"
    R"({"timestamp":"2026-05-06T10:00:00.123456789+08:00","latency_ms":1834,"source":"alice@example.com",)"
    R"("auth_index":"a35e8f28ad4fc014","tokens":{"input_tokens":900,"output_tokens":120,"reasoning_tokens":20,)"
    R"("cached_tokens":100,"total_tokens":1020},"failed":false}]}}}}}})");
  REQUIRE(groups);
  CHECK(from_queue.what.id == groups->at(0).details.at(0).id);
  // The other rule begins alike, so that records can still be found among imports.
  const auto other = decoded(small(), as_queue);
  CHECK(other.what.id != from_queue.what.id);
  CHECK(std::equal(other.what.id.bytes.begin(), other.what.id.bytes.begin() + 8, from_queue.what.id.bytes.begin()));
}

TEST_CASE("What is unpacked beside /usage has the id that /usage gives it, else that of the queue") {
  payload_batch one;
  one.add(small().dump());
  for (const auto channel : {inbox_channel::beside_usage, inbox_channel::resp_pop, inbox_channel::subscribe}) {
    unpacked out;
    unpack("shanghai", {}, channel, one, out);
    REQUIRE(out.groups.size() == 1);
    const auto& rule = channel == inbox_channel::beside_usage ? as_detail : as_queue;
    CHECK(out.groups[0].details.at(0).id == decoded(small(), rule).what.id);
  }
}

TEST_CASE("A record from before what is kept becomes a dead letter; beside /usage it is left to that to say") {
  payload_batch one;
  one.add(small().dump());
  const auto at = decoded(small()).what.at.unix_ns;
  unpacked in_time, late, beside;
  unpack("shanghai", {}, inbox_channel::subscribe, one, in_time, at);
  CHECK(in_time.records == 1);
  unpack("shanghai", {}, inbox_channel::subscribe, one, late, at + 1);
  CHECK(late.records == 0);
  REQUIRE(late.dead.size() == 1);
  CHECK(late.dead[0].payload.reveal() == small().dump());
  CHECK_FALSE(late.dead[0].reason.empty());
  unpack("shanghai", {}, inbox_channel::beside_usage, one, beside, at + 1);
  CHECK(beside.records == 1);
}

TEST_CASE("The id of a queue record follows its content and not its spelling") {
  const auto record = full();
  const auto id = decoded(record).what.id;
  CHECK(decoded_text(record.dump(2)).what.id == id);
  CHECK(decoded_text(test::sample_record(123)).what.id == id);
  // Any difference makes another record, also one in a field that the ledger does not count by.
  for (const auto& [name, value] : record.items()) {
    if (name == "timestamp" || name == "tokens" || name == "model")
      continue;
    auto other = record;
    other.erase(name);
    INFO(name);
    CHECK(decoded(other).what.id != id);
  }
  auto retry = record;
  retry["request_id"] = "00000000";
  CHECK(decoded(retry).what.id != id);
  auto header = record;
  header["response_headers"]["Date"] = {"Sun, 22 Nov 2026 20:39:09 GMT"}; // not kept, but tells attempts apart
  CHECK(decoded(header).what.id != id);
  CHECK(decoded(record, {"other-node", as_queue.how}).what.id != id);
}

TEST_CASE("The id is the same on every machine and in every version of Key Portal") {
  CHECK(to_string(decoded(small()).what.id) == "b6cf097cbbc97e1c5552abdf8540fe88");
  CHECK(to_string(decoded(small(), as_detail).what.id) == "b6cf097cbbc97e1cd9d269c4821ed767");
}

TEST_CASE("CPA's own division of tokens is used where it is sound") {
  auto record = full();
  record["token_breakdown"] = json::parse(
    R"({"schema_version":2,"quality":"complete","total_tokens":21,"input":{"uncached_tokens":1,"cache_read_tokens":2,)"
    R"("cache_write_tokens":3},"output":{"non_reasoning_tokens":4,"reasoning_tokens":5},"unclassified_tokens":6})");
  CHECK(decoded(record).what.parts == token_parts{1, 2, 3, 4, 5, 6});
  record["token_breakdown"]["quality"] = "inconsistent";
  CHECK(decoded(record).what.parts == token_parts{1, 2, 3, 4, 5, 6});
  const auto by_rules = [&] {
    auto without = record;
    without.erase("token_breakdown");
    return decoded(without).what.parts;
  }();
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, json>>{
         {"schema_version", 3}, {"quality", "wonderful"}, {"input", 5}, {"output", nullptr}}) {
    auto odd = record;
    odd["token_breakdown"][name] = value;
    INFO(name);
    CHECK(decoded(odd).what.parts == by_rules);
  }
}

TEST_CASE("The form of a detail is CPA's own: no zero total, no negative latency") {
  auto record = small();
  record["tokens"]["total_tokens"] = 0;
  record["latency_ms"] = -5;
  const auto r = decoded(record);
  CHECK(r.what.tokens.total == 1040);
  CHECK(r.what.latency_ms == 0);
  record["tokens"] = {{"input_tokens", -7}};
  CHECK(decoded(record).what.tokens.input == -7);
}

TEST_CASE("What one record may make us keep is bounded") {
  auto record = full();
  record["fail"] = {{"status_code", 500}, {"body", std::string(100'000, 'b') + "é"}};
  record["user_agent"] = std::string(50'000, '\x01');
  record["token_breakdown"]["more"] = std::string(50'000, 't');
  for (int i = 0; i < 100; ++i) {
    record["unknown_" + std::to_string(i)] = std::string(1000, 'u');
    record["response_headers"]["X-Ratelimit-" + std::to_string(i)] = {std::string(1000, 'h')};
    record["tokens"]["more_" + std::to_string(i)] = std::string(1000, 't');
  }
  const auto text = decoded(record).what.facts->extra;
  CHECK(text.size() < 64U << 10);
  const auto extra = json::parse(text);
  CHECK(extra["fail"]["body"].get<std::string>().size() == 4096);
  CHECK(extra["fail"]["body_bytes"] == 100'002);
  CHECK(extra["fail"]["status_code"] == 500);
  CHECK(extra["user_agent"].get<std::string>().size() == 1024);
  CHECK(extra["keyportal_dropped"].get<int>() > 200);
  CHECK(extra["alias"] == "team-model");
}

TEST_CASE("Unknown fields are kept as they are") {
  auto record = full();
  record["new_thing"] = {{"nested", {1, 2.5, nullptr, "x"}}, {"flag", true}};
  record["fail"]["detail"] = "why";
  record["tokens"]["audio_tokens"] = 5;
  const auto extra = json::parse(decoded(record).what.facts->extra);
  CHECK(extra["new_thing"] == record["new_thing"]);
  CHECK(extra["fail"]["detail"] == "why");
  CHECK(extra["tokens"]["audio_tokens"] == 5);
}

TEST_CASE("Errors of accounts are decoded") {
  const auto text =
    R"({"timestamp":"2026-08-22T09:15:02.5+08:00","provider":"codex","model":"gpt-5.4","auth_id":"codex-alice.json",)"
    R"("auth_index":"bcbfc1668ad1d751","status_code":429,"body":"usage limit reached","code":"rate_limited",)"
    R"("retryable":true,"auth_status":{"status":"error"}})";
  const auto e = decode_account_error(text, "shanghai");
  REQUIRE(e);
  CHECK(to_rfc3339(e->at) == "2026-08-22T09:15:02.5+08:00");
  CHECK(e->provider == "codex");
  CHECK(e->model == "gpt-5.4");
  CHECK(e->auth_id == "codex-alice.json");
  CHECK(e->auth_index == "bcbfc1668ad1d751");
  CHECK(e->status_code == 429);
  CHECK(e->code == "rate_limited");
  CHECK(e->retryable);
  CHECK(e->body == "usage limit reached");

  payload_batch one;
  one.add(text);
  unpacked out;
  unpack("shanghai", {}, inbox_channel::errors, one, out);
  REQUIRE(out.events.size() == 1); // without what the upstream said
  CHECK(out.events[0].kind == event_kind::account_failed);
  CHECK(out.events[0].node == "shanghai");
  const auto told = json::parse(out.events[0].data);
  CHECK(told["auth_index"] == "bcbfc1668ad1d751");
  CHECK(told["status_code"] == 429);
  CHECK(out.events[0].data.find("usage limit") == std::string::npos);

  auto least = json{{"timestamp", "2026-08-22T09:15:02Z"}, {"status_code", 500}, {"body", std::string(9000, 'x')}};
  const auto l = decode_account_error(least.dump(), "shanghai");
  REQUIRE(l);
  CHECK(!l->retryable);
  CHECK(l->body.size() == 4096);

  const auto because = [](const json& value) {
    const auto bad = decode_account_error(value.dump(), "shanghai");
    REQUIRE(!bad);
    return about_of(bad.error());
  };
  least["status_code"] = "500";
  CHECK(because(least) == "shanghai: status_code is not an integer of 64 bits");
  least["status_code"] = 500;
  least["auth_index"] = 7;
  CHECK(because(least) == "shanghai: auth_index is not a string");
  CHECK(because({{"refresh", true}}) == "shanghai: timestamp is missing");
}

TEST_CASE("What an upstream said when it refused is one short line, the same for the same refusal") {
  CHECK(error_line("") == "");
  CHECK(error_line("usage limit reached") == "usage limit reached");
  CHECK(error_line("\nfirst\nsecond") == "first");
  CHECK(error_line(R"({"error":{"type":"overloaded_error","message":"Overloaded"}})") == "Overloaded");
  CHECK(error_line(R"({"detail":"no such model"})") == "no such model");
  CHECK(error_line(R"({"error":"quota"})") == "quota");
  CHECK(error_line(R"({"cut off)") == R"({"cut off)");
  CHECK(error_line("request req_011CQabcdEFGH4321 of 2026-11-23 failed, try in 5 s")
        == "request … of … failed, try in 5 s");
  const auto line = error_line(std::string(1000, 'x') + "ü");
  CHECK(line.size() == longest_error_line);
  std::string wide;
  for (int i = 0; i < 300; ++i)
    wide += "额";
  CHECK(error_line(wide).size() == 198); // whole characters only
  CHECK(error_line(std::string("a\x1b[31mb\0c", 9)).find('\x1b') == std::string::npos);
}

TEST_CASE("A failed record says why and by which tier it was served") {
  auto record = small();
  record["failed"] = true;
  record["fail"] = {{"status_code", 429}, {"body", R"({"error":{"message":"usage limit reached"}})"}};
  record["service_tier"] = "priority";
  const auto r = decoded(record);
  CHECK(r.what.facts->error == "usage limit reached");
  CHECK(r.what.facts->service_tier == "priority");
}
