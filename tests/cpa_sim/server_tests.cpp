// Restarts, faults, the oracle and the control port.
#include "json.hpp"
#include "server.hpp"
#include "test_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace keyportal::cpa_sim {
namespace {

using namespace test;
using std::chrono::milliseconds;

options usual() {
  options o;
  o.secret = "s";
  o.keys = {"sk-alice"};
  return o;
}

int models(const server& s, const std::string& key) {
  return call(s.port(), "GET", "/v1/models", {{"Authorization", "Bearer " + key}}).status;
}

std::size_t lines_in(const std::string& path) { return read_oracle(read_file(path).value_or("")).size(); }

TEST_CASE("a restart forgets usage and keeps port, keys and oracle", "[contract]") {
  const folder f;
  options o = usual();
  o.state_file = f.file("config.yaml");
  o.oracle_file = f.file("oracle");
  server s{o};
  REQUIRE(s.problem().empty());
  const auto port = s.port();
  manage(port, "PUT", "api-keys", R"(["sk-alice","sk-new"])");
  s.record(25);
  CHECK(s.numbers().requests == 25);
  s.restart();
  CHECK(s.port() == port);
  CHECK(s.numbers().requests == 0);
  CHECK(models(s, "sk-new") == 200);
  CHECK(s.oracle_records().size() == 25);
  s.record(5);
  CHECK(lines_in(o.oracle_file) == 30);
}

TEST_CASE("while it is down connections are refused and nothing is recorded", "[contract]") {
  server s{usual()};
  const connection open(s.port());
  open.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  bool closed = false;
  CHECK(open.read(200, &closed).find("200 OK") != std::string::npos);
  CHECK_FALSE(closed); // kept alive
  REQUIRE(s.fault({"restart", "100000", 0, ""}));
  CHECK(open.read(5000, &closed).empty());
  CHECK(closed);
  CHECK(eventually([&] { return !connection(s.port()).connected(); }));
  CHECK(s.record(3) == 0);
  CHECK(call(s.control_port(), "GET", "/state").body.find("\"down\":true") != std::string::npos);
}

TEST_CASE("a key is enforced a moment after its write, and GET shows it at once", "[contract]") {
  api_keys keys({"a"}, milliseconds(150), milliseconds(10));
  const steady_time start{};
  keys.show({"a", " b "});
  keys.save(start);
  CHECK(keys.shown().size() == 2);
  keys.advance(start + milliseconds(149));
  CHECK_FALSE(keys.match({"b"}));
  keys.advance(start + milliseconds(150));
  CHECK(keys.match({"b"}) == "b");
  CHECK(keys.shown()[1] == " b ");
  // The reload runs: a write now would be lost.
  CHECK(keys.reloading(start + milliseconds(155)));
  CHECK_FALSE(keys.reloading(start + milliseconds(160)));
}

TEST_CASE("a second write puts the reload off", "[contract]") {
  api_keys keys({"a"}, milliseconds(150), milliseconds(10));
  const steady_time start{};
  keys.show({"b"});
  keys.save(start);
  keys.show({"c"});
  keys.save(start + milliseconds(100));
  keys.advance(start + milliseconds(160));
  CHECK(keys.match({"a"}));
  keys.advance(start + milliseconds(250));
  CHECK(keys.match({"c"}));
  CHECK_FALSE(keys.match({"b"}));
}

TEST_CASE("a ban ends after half an hour", "[contract]") {
  management_auth auth("s", false);
  const steady_time start{std::chrono::hours(1)};
  for (int i = 0; i < 5; ++i)
    CHECK(auth.check("127.0.0.1", "x", start).status == 401);
  CHECK(auth.check("127.0.0.1", "s", start + std::chrono::minutes(5)).error
        == "IP banned due to too many failed attempts. Try again in 25m0s");
  CHECK(auth.check("127.0.0.1", "s", start + std::chrono::seconds(1741)).error.ends_with("in 59s"));
  CHECK(auth.banned(start) == 1);
  CHECK(auth.check("127.0.0.1", "s", start + std::chrono::minutes(30)).status == 0);
}

TEST_CASE("one silent connection keeps everybody out until it speaks or goes", "[contract]") {
  const server s{usual()};
  {
    const connection silent(s.port());
    CHECK(call(s.port(), "GET", "/healthz", {}, {}, 150).status == 0);
  }
  CHECK(call(s.port(), "GET", "/healthz").status == 200);
  options o = usual();
  o.silent_socket_blocks = false;
  const server patient{o};
  const connection silent(patient.port());
  CHECK(call(patient.port(), "GET", "/healthz").status == 200);
}

TEST_CASE("what is neither RESP nor HTTP gets 400", "[contract]") {
  const server s{usual()};
  bool closed = false;
  const connection inline_command(s.port());
  inline_command.send("PING\r\n");
  CHECK(inline_command.read(2000, &closed).starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(closed);
}

TEST_CASE("requests follow each other on one connection, large bodies after 100 Continue", "[contract]") {
  const server s{usual()};
  const connection c(s.port());
  const std::string body(200'000, ' ');
  c.send("POST /v0/management/usage/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s\r\nExpect: 100-continue\r\n"
         "Content-Length: 200002\r\n\r\n");
  CHECK(c.read(300) == "HTTP/1.1 100 Continue\r\n\r\n");
  c.send(body + "{}GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string both = c.read(5000);
  CHECK(both.find("\"added\":0") != std::string::npos);
  CHECK(both.ends_with("{\"status\":\"ok\"}"));
}

TEST_CASE("each fault does what it says, so often and where it is told to", "[contract]") {
  server s{usual()};
  s.record(30);
  const auto usage = [&] { return manage(s.port(), "GET", "usage"); };
  const reply whole = usage();
  const auto one = [&](const std::string& name, const std::string& value = "") {
    REQUIRE(s.fault({name, value, 1, "/v0/management/usage"}));
    CHECK(call(s.port(), "GET", "/healthz").status == 200); // another path, not counted
    return usage();
  };
  CHECK(one("garbage").body.starts_with("<html>"));
  const reply empty = one("empty");
  CHECK(empty.status == 200);
  CHECK(empty.body.empty());
  CHECK(one("http_status", "502").status == 502);
  CHECK(one("ban").body.find("IP banned") != std::string::npos);
  CHECK(one("wrong_key").body == R"({"error":"invalid management key"})");
  CHECK(one("wrong_type").body.find("\"total_requests\":\"30\"") != std::string::npos);
  const reply numeric = one("numeric_auth_index");
  CHECK(numeric.body.find("\"auth_index\":\"") == std::string::npos);
  json_reader still_json(numeric.body);
  still_json.skip();
  CHECK(still_json.finish());
  CHECK_FALSE(one("truncate").complete);
  const reply cut = one("truncate", "100");
  CHECK_FALSE(cut.complete);
  CHECK(cut.body == whole.body.substr(0, 100));
  const reply half = one("truncate_json");
  CHECK(half.complete);
  CHECK(half.body == whole.body.substr(0, whole.body.size() / 2));
  const reply huge = one("gigantic", "3");
  CHECK(huge.complete);
  CHECK(huge.body.size() == whole.body.size() + (3u << 20));
  CHECK(one("response_lost").status == 0);
  const auto begin = std::chrono::steady_clock::now();
  CHECK(one("slow", "60").body == whole.body);
  CHECK(std::chrono::steady_clock::now() - begin >= milliseconds(60));
  CHECK(one("slow", "50000B/s").body == whole.body);
  REQUIRE(s.fault({"hang", "", 1, "/v0/management/usage"}));
  CHECK(call(s.port(), "GET", "/v0/management/usage", {}, {}, 100).status == 0);
  CHECK(usage().body == whole.body); // all over
  CHECK_FALSE(s.fault({"no such", "", 0, ""}));
  CHECK_FALSE(s.fault({"tz", "No/Where", 0, ""}));
}

TEST_CASE("an import whose answer is lost has been done", "[contract]") {
  server s{usual()};
  s.record(10);
  const std::string exported = manage(s.port(), "GET", "usage/export").body;
  s.restart();
  s.fault({"response_lost", "", 1, "/v0/management/usage/import"});
  CHECK(manage(s.port(), "POST", "usage/import", exported).status == 0);
  CHECK(s.numbers().requests == 10);
}

TEST_CASE("a restart can come after the work of a request and before its answer", "[contract]") {
  server s{usual()};
  s.record(4);
  s.fault({"restart", "", 1, "/v0/management/usage"});
  CHECK(manage(s.port(), "GET", "usage").status == 0);
  CHECK(eventually(
    [&] { return manage(s.port(), "GET", "usage").body.find("\"total_requests\":0") != std::string::npos; }));
}

TEST_CASE("frozen, it accepts nobody until it thaws", "[contract]") {
  server s{usual()};
  REQUIRE(s.fault({"frozen", "", 0, ""}));
  CHECK(call(s.port(), "GET", "/healthz", {}, {}, 100).status == 0);
  s.clear_faults();
  CHECK(call(s.port(), "GET", "/healthz").status == 200);
  REQUIRE(s.fault({"frozen", "80", 0, ""}));
  CHECK(eventually([&] { return call(s.port(), "GET", "/healthz", {}, {}, 300).status == 200; }));
}

TEST_CASE("key writes fail, are lost, or find the config file empty", "[contract]") {
  const folder f;
  options o = usual();
  o.state_file = f.file("config.yaml");
  o.reload_delay = milliseconds(1);
  o.reload_run = milliseconds(0);
  server s{o};
  const std::string keys = "/v0/management/api-keys";
  s.fault({"save_fails", "", 1, keys});
  const reply failed = manage(s.port(), "PATCH", "api-keys", R"({"old":"ro","new":"ro"})");
  CHECK(failed.status == 500);
  CHECK(failed.body.starts_with("{\"error\":\"failed to save config: open "));
  CHECK(manage(s.port(), "GET", "api-keys").body == R"({"api-keys":["sk-alice","ro"]})"); // shown
  CHECK(models(s, "ro") == 401);                                                          // not enforced
  s.fault({"lost_write", "", 1, keys});
  CHECK(manage(s.port(), "PATCH", "api-keys", R"({"old":"lost","new":"lost"})").status == 200);
  CHECK(manage(s.port(), "GET", "api-keys").body.find("lost") == std::string::npos);
  // The next good write of anything stores and enforces what was shown.
  CHECK(manage(s.port(), "PUT", "debug", R"({"value":false})").status == 200);
  CHECK(eventually([&] { return models(s, "ro") == 200; }));
  REQUIRE(s.fault({"empty_config", "", 0, ""}));
  CHECK(manage(s.port(), "PATCH", "api-keys", R"({"old":"x","new":"x"})").body
        == R"({"error":"failed to save config: invalid yaml document structure"})");
  CHECK(models(s, "ro") == 200); // the old keys stay enforced
  s.restart();
  CHECK(s.ended());
  CHECK_FALSE(connection(s.port()).connected());
}

TEST_CASE("an empty PUT of the config is accepted and locks the management out", "[contract]") {
  server s{usual()};
  CHECK(manage(s.port(), "PUT", "config.yaml").body == R"({"changed":["config"],"ok":true})");
  const reply r = manage(s.port(), "GET", "api-keys");
  CHECK(r.status == 403);
  CHECK(r.body == R"({"error":"remote management key not set"})");
  CHECK(models(s, "sk-alice") == 200);
}

TEST_CASE("clients get 502 for a moment after a start", "[contract]") {
  options o = usual();
  o.starting_up = std::chrono::minutes(10);
  server s{o};
  const auto chat = [&] {
    return call(s.port(), "POST", "/v1/chat/completions", {{"X-Api-Key", "sk-alice"}}, R"({"model":"team-model"})")
      .status;
  };
  CHECK(chat() == 502);
  CHECK(s.oracle_records().empty());
  s.clear_faults(); // the moment is over
  CHECK(chat() == 200);
}

TEST_CASE("the zone of the next life can be another", "[contract]") {
  options o = usual();
  o.time_zone = "UTC";
  server s{o};
  s.record(1);
  CHECK(to_text(s.oracle_records().back().what.what.timestamp).ends_with("Z"));
  REQUIRE(s.fault({"tz", "+05:30", 0, ""}));
  s.restart();
  s.record(1);
  CHECK(to_text(s.oracle_records().back().what.what.timestamp).ends_with("+05:30"));
}

TEST_CASE("switched off, nothing is recorded, and what is there stays", "[contract]") {
  server s{usual()};
  s.record(2);
  manage(s.port(), "PUT", "usage-statistics-enabled", R"({"value":false})");
  CHECK(s.record(2) == 0);
  CHECK(s.numbers().requests == 2);
  CHECK(s.oracle_records().size() == 2);
}

TEST_CASE("the control port commands and reports", "[contract]") {
  server s{usual()};
  const auto control = [&](const char* method, const char* target, const char* body = "") {
    return call(s.control_port(), method, target, {}, body);
  };
  CHECK(control("POST", "/records?count=12").body == R"({"recorded":12})");
  CHECK(control("GET", "/state").body.find("\"requests\":12,") != std::string::npos);
  CHECK(control("POST", "/fault", R"({"name":"http_status","value":503,"count":1,"path":"/healthz"})").status == 200);
  CHECK(call(s.port(), "GET", "/healthz").status == 503);
  CHECK(control("POST", "/fault", R"({"name":"hang"})").status == 200);
  CHECK(control("POST", "/fault/clear").status == 200);
  CHECK(control("POST", "/fault", R"({"name":"nonsense"})").status == 400);
  CHECK(control("POST", "/fault", "{bad").status == 400);
  CHECK(control("POST", "/records?count=-1").status == 400);
  CHECK(control("POST", "/restart?down_ms=1").status == 200);
  CHECK(control("GET", "/state").body.find("\"requests\":0,") != std::string::npos);
  CHECK(control("POST", "/rate?value=2000").status == 200);
  CHECK(eventually([&] { return s.numbers().requests > 20; }));
  CHECK(control("GET", "/nonsense").status == 404);
}

TEST_CASE("traffic of one seed is the same but for its moments", "[contract]") {
  const traits t = traits_of("6.9.49");
  const auto all = credentials_of(usual(), t);
  traffic a(7, all, t), b(7, all, t), c(8, all, t);
  bool differs = false;
  int failed = 0;
  for (int i = 0; i < 2000; ++i) {
    record x = record_of(a.next(1'000'000'000'000'000'000 + i, {}), t);
    record y = record_of(b.next(1'700'000'000'000'000'000, {}), t);
    const record z = record_of(c.next(1'000'000'000'000'000'000 + i, {}), t);
    differs = differs || x.api != z.api;
    CHECK(x.what.timestamp != y.what.timestamp);
    y.what.timestamp = x.what.timestamp;
    CHECK(x == y);
    failed += x.what.failed ? 1 : 0;
    if (x.what.failed)
      CHECK(x.what.tokens == token_counts{});
  }
  CHECK(differs);
  CHECK(failed > 200);
  CHECK(failed < 400);
}

TEST_CASE("a last line without end is cut off when the oracle is opened", "[contract]") {
  const folder f;
  const std::string path = f.file("oracle");
  const traits t = traits_of("6.9.37");
  traffic invented(1, credentials_of(usual(), t), t);
  const auto lines = [&](std::initializer_list<std::int64_t> moments, std::int64_t at) {
    std::string text;
    for (const auto m : moments)
      append_line(text, at, invented.next(m, {}), t, {}, {});
    return text;
  };
  oracle(path).write(lines({1, 2}, 5), 2);
  const std::string whole = *read_file(path);
  REQUIRE(write_in_place(path, whole + whole.substr(0, 40)).empty());
  oracle again(path);
  CHECK(again.size() == 2);
  again.write(lines({3}, 6), 1);
  const auto records = again.records();
  REQUIRE(records.size() == 3);
  CHECK(records[2].recorded_at_ms == 6);
}

/// Runs a stand-in in a process of its own, which is killed while it records as fast as it can. What it ever showed
/// (the last `/usage` that came through) must be in the oracle.
TEST_CASE("whatever was shown before a kill is in the oracle", "[contract]") {
  const folder f;
  for (int round = 0; round < 3; ++round) {
    options o = usual();
    o.oracle_file = f.file("oracle");
    o.rate = 200'000;
    const auto before = static_cast<std::int64_t>(lines_in(o.oracle_file));
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      server s{o};
      const std::uint16_t port = s.port();
      if (::write(ready[1], &port, sizeof port) != sizeof port)
        ::_exit(1);
      for (;;)
        ::pause();
    }
    REQUIRE(child > 0);
    std::uint16_t port = 0;
    REQUIRE(::read(ready[0], &port, sizeof port) == sizeof port);
    std::int64_t shown = 0;
    REQUIRE(eventually([&] {
      const std::string body = manage(port, "GET", "usage").body;
      const auto at = body.find("\"total_requests\":");
      if (at != std::string::npos)
        shown = std::atoll(body.c_str() + at + 17);
      return shown > 2000;
    }));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);
    CHECK(static_cast<std::int64_t>(lines_in(o.oracle_file)) - before >= shown);
  }
}

} // namespace
} // namespace keyportal::cpa_sim
