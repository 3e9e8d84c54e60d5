#include <catch2/catch_test_macros.hpp>

#include "actors/cli/files.hpp"
#include "bench.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

const std::string usage = R"({"version":1,"usage":{"apis":{"sk-a":{"models":{"m":{"details":[{},{}]}}}}}})";

} // namespace

TEST_CASE("status shows every node, what is wrong with it and its last restart") {
  bench b;
  b.server.answer("GET /api/v1/summary",
                  R"({"totals":{"requests":5360},"publisher":{"connected":true,"url":"nats://h:1"},
    "nodes":[{"node":"default","condition":{"state":"down","version":"6.9.49","problem":"it \u001b[31msleeps",
    "collecting":"subscribe","missing":1234},
    "totals":{"requests":5360,"failed":794,"tokens":{"total":4124185}},"today":{"requests":7},"restarts":2,"snapshots":12,
    "last_restart":{"number":2,"noticed_at":"2026-04-02T00:00:00.000Z","lost":{"expected_records":3},
    "restore":{"state":"complete","imported":5360,"still_lacking":0}}}]})");
  REQUIRE(b.run({"status"}) == exit_done);
  for (const char* text :
       {"default", "down", "6.9.49", "5,360", "794", "4,124,185", "sleeps", "NATS connected nats://h:1", "Restart 2",
        "pushed", "1,234 records that it counted", "restore complete", "5,360 records put back", "about 3 not seen"})
    CHECK(has(b.out, text));
  CHECK_FALSE(has(b.out, "\x1b"));
  CHECK(b.last_head().find("Authorization") == std::string::npos); // reading needs no token
  REQUIRE(b.run({"status", "--json"}) == exit_done);
  CHECK(nlohmann::json::parse(b.out.str())["totals"]["requests"] == 5360);
}

TEST_CASE("status tells how many dead letters wait of which node, and as JSON also what is missing") {
  bench b;
  b.server.answer(
    "GET /api/v1/summary",
    R"({"ledger":{"dead_letters":3},"nodes":[{"node":"a","condition":{"collecting":"usage"}},{"node":"b"}]})");
  b.server.answer("GET /api/v1/deadletters?after=0&limit=1000", R"({"items":[{"number":4,"node":"b"}]})");
  b.server.answer("GET /api/v1/deadletters?after=4&limit=1000",
                  R"({"items":[{"number":7,"node":"b"},{"number":9,"node":"gone"}]})");
  b.server.answer("GET /api/v1/deadletters?after=9&limit=1000", R"({"items":[]})");
  b.server.answer("GET /api/v1/nodes/a/incompletes", R"({"items":[{"number":1,"missing":5}]})");
  REQUIRE(b.run({"status"}) == exit_done);
  CHECK(has(b.out, "usage list"));
  CHECK(has(b.out, "3 dead letters wait"));
  REQUIRE(b.run({"status", "--json"}) == exit_done);
  const auto nodes = nlohmann::json::parse(b.out.str())["nodes"];
  CHECK(nodes[0]["dead_letters"] == 0);
  CHECK(nodes[1]["dead_letters"] == 2);
  CHECK(nodes[0]["incompletes"][0]["missing"] == 5);
  CHECK(nodes[1]["incompletes"].is_null()); // the service did not say
}

TEST_CASE("a restart of a node that takes nothing back is told as what it is") {
  bench b;
  b.server.answer("GET /api/v1/summary",
                  R"({"nodes":[{"node":"a","last_restart":{"number":2,"restore":{"state":"impossible"}}}]})");
  REQUIRE(b.run({"status"}) == exit_done);
  CHECK(has(b.out, "takes nothing back"));
  CHECK_FALSE(has(b.out, "impossible"));
}

TEST_CASE("what nodes counted and the ledger lacks is listed, of all nodes or of one") {
  bench b;
  b.server.answer("GET /api/v1/nodes", R"({"items":[{"node":"a"},{"node":"b"}]})");
  b.server.answer("GET /api/v1/nodes/a/incompletes?limit=1000", R"({"items":[]})");
  REQUIRE(b.run({"incompletes", "--node", "a"}) == exit_done);
  CHECK(has(b.out, "nothing"));
  b.server.answer("GET /api/v1/nodes/b/incompletes?limit=1000",
                  R"({"items":[{"node":"b","number":2,"credential":"deadbeef","missing":1234,"closed_at":null}]})");
  REQUIRE(b.run({"incompletes"}) == exit_done);
  for (const char* text : {"deadbeef", "1,234", "CREDENTIAL"})
    CHECK(has(b.out, text));
  REQUIRE(b.run({"incompletes", "--json"}) == exit_done);
  CHECK(nlohmann::json::parse(b.out.str())["items"].size() == 1);
  CHECK(b.run({"incompletes", "--node", "../x"}) == exit_failed);
}

namespace {

/// Letters 3 and 5 of a, and 8 of b.
void answer_letters(bench& b) {
  const std::string three = R"({"number":3,"node":"a","bytes":17,"channel":"resp_pop","reason":"model is no text"})";
  const std::string five = R"({"number":5,"node":"a","reason":"ends \u001b[31mearly"})";
  const std::string eight = R"({"number":8,"node":"b"})";
  const auto list = [&](const std::string& query, const std::string& items) {
    b.server.answer("GET /api/v1/deadletters?" + query, "{\"items\":[" + items + "]}");
  };
  list("after=0&limit=1000", three + "," + five);
  list("after=5&limit=1000", eight);
  list("after=8&limit=1000", "");
  list("after=2&limit=1", three);
  list("after=3&limit=1", five);
  list("after=4&limit=1", five);
  list("after=7&limit=1", eight);
  list("after=8&limit=1", "");
}

} // namespace

TEST_CASE("dead letters are listed with their reasons, of all nodes or of one") {
  bench b;
  answer_letters(b);
  REQUIRE(b.run({"deadletters", "list"}) == exit_done);
  for (const char* text : {"model is no text", "resp_pop", "early", "b"})
    CHECK(has(b.out, text));
  CHECK_FALSE(has(b.out, "\x1b"));
  CHECK(b.last_head().find("Authorization") == std::string::npos);
  REQUIRE(b.run({"deadletters", "list", "--node", "b", "--json"}) == exit_done);
  const auto items = nlohmann::json::parse(b.out.str())["items"];
  REQUIRE(items.size() == 1);
  CHECK(items[0]["number"] == 8);
  REQUIRE(b.run({"deadletters", "list", "--node", "c"}) == exit_done);
  CHECK(has(b.out, "no dead letter"));
}

TEST_CASE("a list of dead letters that does not go on is not read for ever") {
  bench b;
  b.server.answer("GET /api/v1/deadletters?after=0&limit=1000", R"({"items":[{"number":0},{"number":-1},5]})");
  CHECK(b.run({"deadletters", "list"}) == exit_done);
  CHECK(b.server.asked().size() == 1);
}

TEST_CASE("a dead letter is printed as it came, but a terminal gets nothing that it would obey") {
  bench b;
  answer_letters(b);
  const std::string payload = "{\"api_key\":\"sk\x1b[31m\xff\n";
  b.server.answer("GET /api/v1/deadletters/3", payload);
  REQUIRE(b.run({"deadletters", "show", "3"}) == exit_done);
  CHECK(b.out.str() == payload);
  CHECK(has(b.err, "client key"));
  CHECK(b.last_head().find(std::string("Authorization: Bearer ") + token) != std::string::npos);
  b.out_at_terminal = true;
  REQUIRE(b.run({"deadletters", "show", "3"}) == exit_done);
  CHECK_FALSE(has(b.out, "\x1b"));
  CHECK(has(b.out, "model is no text"));
  CHECK(has(b.out, "api_key"));
  REQUIRE(b.run({"deadletters", "show", "3", "--raw"}) == exit_done);
  CHECK(b.out.str() == payload);
  REQUIRE(b.run({"deadletters", "show", "3", "--json"}) == exit_done);
  CHECK(nlohmann::json::parse(b.out.str())["reason"] == "model is no text");
  CHECK(b.run({"deadletters", "show", "4"}) == exit_failed); // and not the next one
  CHECK(has(b.err, "no dead letter of that number"));
}

TEST_CASE("dead letters are replayed at their nodes, all or those that are named") {
  bench b;
  answer_letters(b);
  b.server.answer("POST /api/v1/nodes/a/deadletters/replay", R"({"replayed":2,"added":1,"still_dead":0})");
  b.server.answer("POST /api/v1/nodes/b/deadletters/replay", R"({"replayed":0,"added":0,"still_dead":1})");
  CHECK(b.run({"deadletters", "replay", "--json"}) == exit_failed); // one is left
  CHECK(nlohmann::json::parse(b.out.str()) == nlohmann::json{{"replayed", 2}, {"added", 1}, {"still_dead", 1}});
  CHECK(b.server.asked().back().body.empty());
  CHECK(b.last_head().find(std::string("Authorization: Bearer ") + token) != std::string::npos);
  REQUIRE(b.run({"deadletters", "replay", "5", "3", "5"}) == exit_done);
  CHECK(b.server.asked().back().body == R"({"numbers":[3,5]})");
  CHECK(has(b.out, "2 replayed, 1 records were new"));
  const auto before = b.server.asked().size();
  CHECK(b.run({"deadletters", "replay", "3", "--node", "b"}) == exit_wrong_usage);
  CHECK(b.run({"deadletters", "replay", "3", "9"}) == exit_failed); // 9 is not there: nothing is replayed
  for (auto i = before; i < b.server.asked().size(); ++i)
    CHECK(b.server.asked()[i].line.starts_with("GET "));
  REQUIRE(b.run({"deadletters", "replay", "--node", "c"}) == exit_done);
  CHECK(has(b.out, "no dead letter"));
}

TEST_CASE("dead letters are dropped after asking a person, all that were named or none") {
  bench b;
  answer_letters(b);
  b.server.answer("DELETE /api/v1/deadletters/3", R"({"number":3})");
  b.server.answer("DELETE /api/v1/deadletters/8", R"({"number":8})");
  b.at_terminal = true;
  b.in.str("n\n");
  CHECK(b.run({"deadletters", "drop", "3", "8"}) == exit_failed);
  CHECK(has(b.err, "Drop these 2"));
  CHECK(has(b.err, "model is no text"));
  CHECK(b.run({"deadletters", "drop", "3", "9", "--yes"}) == exit_failed);
  for (const auto& asked : b.server.asked())
    CHECK(asked.line.starts_with("GET "));
  REQUIRE(b.run({"deadletters", "drop", "8", "3", "--yes", "--json"}) == exit_done);
  CHECK(nlohmann::json::parse(b.out.str())["dropped"].size() == 2);
  CHECK(b.server.asked().back().line == "DELETE /api/v1/deadletters/8");
  CHECK(b.last_head().find(std::string("Authorization: Bearer ") + token) != std::string::npos);
}

TEST_CASE("an answer of another shape than expected is shown as far as it goes") {
  bench b;
  for (const char* body :
       {"{}", R"({"nodes":[1,null,{"node":5,"condition":[],"totals":{"requests":"many"}}]})", "[]", "7"}) {
    b.server.answer("GET /api/v1/summary", body);
    CHECK(b.run({"status"}) == exit_done);
  }
  b.server.answer("GET /api/v1/summary", "<html>");
  CHECK(b.run({"status"}) == exit_not_reachable);
}

TEST_CASE("a service that is not there is said to be so, with 3") {
  bench b;
  std::string dead;
  { dead = canned_server().url(); }
  CHECK(b.run({"status", "--url", dead}) == exit_not_reachable);
  CHECK(has(b.err, "keyportal serve"));
  CHECK(b.run({"status", "--url", "ftp://x"}) == exit_wrong_usage);
}

TEST_CASE("an error of the service is told in its words, with 1") {
  bench b;
  b.server.answer("GET /api/v1/nodes/other/snapshots", R"({"code":"node_unknown","title":"x","detail":"other"})", 404);
  CHECK(b.run({"snapshot", "list", "--node", "other"}) == exit_failed);
  CHECK(has(b.err, "other: there is no node of that name"));
  CHECK(b.run({"--json", "snapshot", "list", "--node", "other"}) == exit_failed);
  CHECK(nlohmann::json::parse(b.out.str())["error"]["code"] == "node_unknown");
}

TEST_CASE("snapshots of all nodes are listed, newest first, and one is shown") {
  bench b;
  b.server.answer("GET /api/v1/nodes", R"({"items":[{"node":"a"},{"node":"b"}]})");
  b.server.answer("GET /api/v1/nodes/a/snapshots",
                  R"({"items":[{"id":3,"node":"a","reason":"interval"},{"id":1,"node":"a"}]})");
  b.server.answer("GET /api/v1/nodes/b/snapshots",
                  R"({"items":[{"id":2,"node":"b","json_bytes":2621440,"sha256":"beef"}]})");
  REQUIRE(b.run({"snapshot", "list", "--json"}) == exit_done);
  const auto items = nlohmann::json::parse(b.out.str())["items"];
  REQUIRE(items.size() == 3);
  CHECK(items[0]["id"] == 3);
  CHECK(items[1]["id"] == 2);
  REQUIRE(b.run({"snapshot", "list"}) == exit_done);
  CHECK(has(b.out, "2.5 MiB"));
  REQUIRE(b.run({"snapshot", "show", "2"}) == exit_done);
  CHECK(has(b.out, "beef"));
  CHECK(b.run({"snapshot", "show", "9"}) == exit_failed);
}

TEST_CASE("with several nodes the one that is meant must be said") {
  bench b;
  b.server.answer("GET /api/v1/nodes", R"({"items":[{"node":"a"},{"node":"b"}]})");
  CHECK(b.run({"snapshot", "make"}) == exit_wrong_usage);
  CHECK(has(b.err, "a, b"));
  CHECK(b.run({"snapshot", "restore", "--node", "../x"}) == exit_failed);
  CHECK(b.server.asked().size() == 1); // a name that is none is not sent
}

TEST_CASE("commands that change something carry the token, and say what to do without it") {
  bench b;
  b.server.answer("POST /api/v1/nodes/default/restore", R"({"lacking":5,"imported":5,"still_lacking":0,"took_ms":12})");
  REQUIRE(b.run({"snapshot", "restore"}) == exit_done);
  CHECK(has(b.out, "5 put back"));
  CHECK(b.last_head().find(std::string("Authorization: Bearer ") + token) != std::string::npos);
  b.server.answer("POST /api/v1/nodes/default/restore", R"({"lacking":5,"imported":4,"still_lacking":1})");
  CHECK(b.run({"snapshot", "restore"}) == exit_failed);
  std::filesystem::remove(b.file("control.token"));
  CHECK(b.run({"snapshot", "restore"}) == exit_failed);
  CHECK(has(b.err, "control.token"));
  b.write("control.token", std::string(token));
  b.run({"snapshot", "make", "--node", "a", "--url", "http://192.0.2.1:1"}); // not this machine and not https
  CHECK(has(b.err, "https only"));
}

TEST_CASE("usage is exported from the service into a file or to standard output") {
  bench b;
  b.server.answer("GET /api/v1/nodes/default/snapshots/now/export", usage);
  REQUIRE(b.run({"snapshot", "export", b.file("out.json")}) == exit_done);
  CHECK(has(b.out, "2 records"));
  std::ostringstream written;
  written << std::ifstream(b.file("out.json")).rdbuf();
  CHECK(written.str() == usage);
  b.server.answer("GET /api/v1/nodes/default/snapshots/7/export", usage);
  REQUIRE(b.run({"snapshot", "export", "-", "--id", "7"}) == exit_done);
  CHECK(b.out.str() == usage);
}

TEST_CASE("an export that came broken is not kept") {
  bench b;
  b.write("out.json", "the one from before");
  b.server.answer("GET /api/v1/nodes/default/snapshots/now/export", usage.substr(0, 40));
  CHECK(b.run({"snapshot", "export", b.file("out.json")}) == exit_failed);
  std::ostringstream kept;
  kept << std::ifstream(b.file("out.json")).rdbuf();
  CHECK(kept.str() == "the one from before");
}

TEST_CASE("usage is imported as it is in the file, after asking a person") {
  bench b;
  b.write("in.json", usage);
  b.server.answer("POST /api/v1/nodes/default/import", R"({"records":2,"added":1})");
  REQUIRE(b.run({"snapshot", "import", b.file("in.json")}) == exit_done);
  CHECK(has(b.out, "1 added, 1 known already"));
  CHECK(b.server.asked().back().body == usage);

  b.at_terminal = true;
  const auto before = b.server.asked().size();
  b.in.str("n\n");
  CHECK(b.run({"snapshot", "import", b.file("in.json")}) == exit_failed);
  CHECK(has(b.err, "Import 2 records of 1 keys"));
  CHECK(b.server.asked().size() == before + 1); // only which node it is
  b.in.clear();
  b.in.str("y\n");
  CHECK(b.run({"snapshot", "import", b.file("in.json")}) == exit_done);
  CHECK(b.run({"snapshot", "import", b.file("in.json"), "--yes"}) == exit_done);
}

TEST_CASE("a file that is no export is sent nowhere") {
  bench b;
  b.write("in.json", "not json");
  CHECK(b.run({"snapshot", "import", b.file("in.json")}) == exit_failed);
  CHECK(b.run({"snapshot", "import", b.file("in.json"), "--cpa", b.server.url(), "--key-file", b.file("cpa.key")})
        == exit_failed);
  CHECK(b.run({"snapshot", "import", b.file("none.json")}) == exit_failed);
  CHECK(b.server.asked().empty());
}

TEST_CASE("usage goes straight to a CLIProxyAPI and from it, with its key") {
  bench b;
  b.server.answer("GET /v0/management/usage/export", usage);
  REQUIRE(b.run({"snapshot", "export", b.file("out.json"), "--cpa", b.server.url(), "--key-file", b.file("cpa.key")})
          == exit_done);
  CHECK(b.last_head().find(std::string("Authorization: Bearer ") + management_key) != std::string::npos);
  b.server.answer("POST /v0/management/usage/import",
                  R"({"added":2,"skipped":3,"total_requests":5,"failed_requests":1})");
  REQUIRE(b.run({"snapshot", "import", b.file("out.json"), "--cpa", b.server.url(), "--key-file", b.file("cpa.key")})
          == exit_done);
  CHECK(has(b.out, "2 added, 3 skipped"));
  CHECK(b.server.asked().back().body == usage);
}

TEST_CASE("what a CLIProxyAPI refuses is told by its cause") {
  bench b;
  const std::vector<std::string> ask = {"snapshot",   "export",         "-", "--cpa", b.server.url(),
                                        "--key-file", b.file("cpa.key")};
  const std::string line = "GET /v0/management/usage/export";
  b.server.answer(line, R"({"error":"invalid management key"})", 401);
  CHECK(b.run(ask) == exit_failed);
  CHECK(has(b.err, "refuses the management key"));
  b.server.answer(line, R"({"error":"IP banned due to too many failed attempts. Try again in 29m58s"})", 403);
  CHECK(b.run(ask) == exit_failed);
  CHECK(has(b.err, "29m58s"));
  b.server.answer(line, R"({"error":"remote management disabled"})", 403);
  CHECK(b.run(ask) == exit_failed);
  CHECK(has(b.err, "allow-remote"));
  b.server.answer(line, "404 page not found", 404);
  CHECK(b.run(ask) == exit_failed);
  CHECK(has(b.err, "neither /usage"));
  std::string dead;
  { dead = canned_server().url(); }
  CHECK(b.run({"snapshot", "export", "-", "--cpa", dead, "--key-file", b.file("cpa.key")}) == exit_not_reachable);
  CHECK(b.run({"snapshot", "export", "-", "--cpa", dead}) == exit_wrong_usage); // no key
}

TEST_CASE("a redirect is not followed, so that the key goes where it was meant to go only") {
  bench b;
  b.server.answer("GET /v0/management/usage/export", "", 302);
  CHECK(b.run({"snapshot", "export", "-", "--cpa", b.server.url(), "--key-file", b.file("cpa.key")}) == exit_failed);
  CHECK(b.server.asked().size() == 1);
}

TEST_CASE("events are printed until there are enough") {
  bench b;
  b.write("cpa.key", "k");
  std::filesystem::create_directory(b.folder.path() / "nats");
  b.write("nats/nats.url", "nats://127.0.0.1:1");
  cli::tail_request seen;
  b.hooks.tail = [&](const cli::tail_request& request, const std::function<bool(const cli::tailed_event&)>& on_event) {
    seen = request;
    for (sequence n = 1; n < 100; ++n)
      if (!on_event({n, "2026-04-02T00:00:00Z", "keyportal.v1.node.default.up", "up-default-1", "t", "{\"a\":1}\x1b"}))
        break;
    return caf::error{};
  };
  REQUIRE(b.run({"events", "tail", "--count", "3", "--from", "all", "--subject", "s"}) == exit_done);
  CHECK(seen.url == "nats://127.0.0.1:1");
  CHECK_FALSE(seen.ours);
  CHECK(seen.from == "all");
  CHECK(seen.subject == "s");
  const auto text = b.out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  CHECK_FALSE(has(b.out, "\x1b"));
  REQUIRE(b.run({"events", "tail", "--count", "1", "--json"}) == exit_done);
  CHECK(nlohmann::json::parse(b.out.str())["subject"] == "keyportal.v1.node.default.up");
  b.hooks.tail = [](const auto&, const auto&) { return make_error(errc::nats_unavailable); };
  CHECK(b.run({"events", "tail"}) == exit_not_reachable);
}

TEST_CASE("a wrong configuration is said and ends every command that needs it, check aside") {
  bench b;
  CHECK(b.run({"status", "--set", "poll.interval=never"}) == exit_failed);
  CHECK(has(b.err, "poll.interval"));
  CHECK(b.run({"config", "check", "--set", "poll.interval=never"}) == exit_failed);
  CHECK(has(b.err, "poll.interval"));
  CHECK(b.run({"config", "check"}) == exit_done);
  CHECK(has(b.out, "fine"));
  CHECK(b.run({"config", "print"}) == exit_done);
  CHECK(has(b.out, "[gateway]"));
  CHECK(b.run({"config", "reference"}) == exit_done);
  CHECK(b.run({"completion", "bash"}) == exit_done);
}
