#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "actors/cli/usage_sources.hpp"
#include "bench.hpp"
#include "usage_databases.hpp"

using namespace keyportal;
using namespace keyportal::test;
using nlohmann::json;

namespace {

const std::string hash_of_a_key(64, 'a');

struct usage : bench {
  usage() {
    server.answer("POST /api/v1/nodes/default/records", R"({"records":2,"added":1})");
    server.answer("POST /api/v1/nodes/default/history", R"({"added":1,"changed":1,"known":0})");
    server.answer("GET /api/v1/users/ada@example.com", R"({"code":"user_unknown"})", 404);
    server.answer("GET /api/v1/users/a%2Fb@example.com", R"({"id":"uslash"})");
    server.answer("POST /api/v1/users", R"({"position":1})", 201);
    server.answer("GET /api/v1/prices?text=&limit=1000", R"({"items":[],"more":false})");
    server.answer("POST /api/v1/prices", R"({"changed":1})");
  }
  test_database make(const std::string& name) const { return test_database(folder.path() / name); }
  json report() const { return json::parse(out.str()); }
  /// What was sent to a path, all pieces together.
  json sent(const std::string& list) const {
    auto all = json::array();
    for (const auto& asked : server.asked())
      if (asked.line.starts_with(list == "prices" ? "POST /api/v1/prices" : "POST /api/v1/nodes/")) {
        const auto body = json::parse(asked.body);
        all.insert(all.end(), body[list].begin(), body[list].end());
      }
    return all;
  }
  /// Where something was refused, and why.
  std::map<std::string, std::string> refusals() const {
    std::map<std::string, std::string> why;
    const auto told = report();
    for (const auto& one : told["refused"])
      why[one["where"]] = one["reason"];
    return why;
  }
  bool asked_to_change() const {
    for (const auto& asked : server.asked())
      if (!asked.line.starts_with("GET "))
        return true;
    return false;
  }
  std::set<std::string> files() const {
    std::set<std::string> out_names;
    for (const auto& one : std::filesystem::directory_iterator(folder.path()))
      out_names.insert(one.path().filename());
    return out_names;
  }
  /// A late database of cpa-usage-keeper with these rows besides a good one.
  void keeper_with(const std::string& rows) { make("app.db").run(keeper_late).run(good_row(1)).run(rows); }
  static std::string good_row(int number) {
    return "INSERT INTO usage_events(id,api_group_key,provider,endpoint,model,timestamp,source,auth_index,failed,"
           "latency_ms,input_tokens,output_tokens,reasoning_tokens,cached_tokens,cache_read_tokens,total_tokens) "
           "VALUES("
           + std::to_string(number) + ",'sk-secret-one','claude','POST /v1/messages','claude-x','2026-09-01T10:20:"
           + std::to_string(10 + number % 50) + "." + std::to_string(100'000'000 + number)
           + "+08:00','ada@example.com','0123abcd',0,250,1100,20,0,100,100,1120);";
  }
};

} // namespace

TEST_CASE_METHOD(usage, "records of the first cpa-usage-keeper are taken as they stand") {
  make("app.db")
    .run(keeper_first)
    .run("INSERT INTO usage_events VALUES(7,1,'hash','sk-secret-one',' gpt-5 ','2026-04-20 10:20:30.123456789+00:00',"
         "'ada@example.com','0123',1,-5,10,5,1,2,16,'2026-04-20 10:20:31+00:00');"
         "INSERT INTO model_price_settings VALUES(1,'gpt-5',1.25,10,0.125,'','');");
  REQUIRE(run({"import", "cpa-usage-keeper", file("app.db"), "--json"}) == exit_done);
  const auto records = sent("records");
  REQUIRE(records.size() == 1);
  CHECK(records[0]["at"] == "2026-04-20T10:20:30.123456789+00:00");
  CHECK(records[0]["key"] == "sk-secret-one");
  CHECK(records[0]["model"] == "gpt-5");
  CHECK(records[0]["failed"] == true);
  CHECK(records[0]["latency_ms"] == 0);
  CHECK(records[0]["tokens"]["total"] == 16);
  CHECK_FALSE(records[0].contains("tokens_as")); // as CLIProxyAPI counts
  CHECK(report()["prices"]["added"] == 1);
  CHECK(sent("prices")[0]["rates"]
        == json{{"input", 1'250'000'000}, {"output", 10'000'000'000}, {"cache_read", 125'000'000}});
  CHECK_FALSE(has(out, "sk-secret-one"));
}

TEST_CASE_METHOD(usage, "records of a late cpa-usage-keeper keep what the queue told, and its archive is read too") {
  make("app.db")
    .run(keeper_late)
    .run(good_row(1))
    .run("INSERT INTO usage_events_archive SELECT * FROM usage_events; UPDATE usage_events_archive SET id=0, "
         "timestamp='2026-01-01T00:00:00Z', api_group_key='claude';"
         "INSERT INTO cpa_api_keys(api_key,key_alias) VALUES('sk-secret-one','Ada'),('sk-two','');"
         "INSERT INTO model_price_settings(model,service_tier,prompt_price_per1_m,completion_price_per1_m,"
         "cache_price_per1_m) VALUES('m','priority',1,2,0.1),('n','',-1,2,0.1);");
  REQUIRE(run({"import", "cpa-usage-keeper", file("app.db"), "--json"}) == exit_done);
  const auto records = sent("records");
  REQUIRE(records.size() == 2);
  CHECK(records[0]["tokens_as"] == "openai"); // input holds the cache, whoever the provider was
  CHECK(records[0]["provider"] == "claude");
  CHECK(records[0]["tokens"]["cache_read"] == 100);
  CHECK(records[1]["key"] == "POST /v1/messages"); // no key: CLIProxyAPI counts by the endpoint
  CHECK(report()["records"]["read"] == 2);
  CHECK(report()["prices"]["refused"] == 1); // a tier of a model that has no price
  CHECK(report()["not_taken"] == json{{"aliases", 1}});
}

TEST_CASE_METHOD(usage, "records of CPA-Manager-Plus carry the hash of the key and the model that was reached") {
  auto db = make("usage.sqlite");
  db.run(manager_first)
    .run("INSERT INTO usage_events(event_hash,timestamp_ms,timestamp,model,endpoint,api_key_hash,source,auth_index,"
         "input_tokens,output_tokens,total_tokens,created_at_ms) VALUES"
         "('h1',1,'2026-05-05T00:00:00.000000001Z','gpt-5','POST /v1/responses',upper('"
         + hash_of_a_key
         + "'),'ada***@example.com','01',1,2,3,1),"
           "('h2',2,'2026-05-05T00:00:00.000000002Z','-','-',NULL,NULL,NULL,1,2,3,1);"
           "INSERT INTO api_key_aliases VALUES('"
         + hash_of_a_key + "','Ada',1);");
  REQUIRE(run({"import", "cpa-manager-plus", file("usage.sqlite"), "--json"}) == exit_done);
  auto records = sent("records");
  REQUIRE(records.size() == 2);
  CHECK(records[0]["key_sha256"] == hash_of_a_key);
  CHECK_FALSE(records[0].contains("key"));
  CHECK(records[1]["key"] == "unknown");
  CHECK(records[1]["model"] == "");
  CHECK(report()["not_taken"]["aliases"] == 1);

  db.run(manager_late)
    .run("INSERT INTO usage_events(event_hash,timestamp_ms,timestamp,model,requested_model,resolved_model,api_key_hash,"
         "created_at_ms) VALUES('h3',3,'2026-05-05T00:00:01Z','team/gpt','team/gpt','gpt-5','"
         + hash_of_a_key + "',1);" + "INSERT INTO model_prices VALUES('gpt-5',1,2,0.5,'manual','','',1,1,0.25,0);"
         + "INSERT INTO model_price_service_tiers(model,mode,service_tier) VALUES('gpt-5','','flex');");
  REQUIRE(run({"import", "cpa-manager-plus", file("usage.sqlite"), "--json"}) == exit_done);
  CHECK(report()["records"]["read"] == 3);
  CHECK(report()["prices"]["added"] == 1);
  CHECK(report()["prices"]["refused"] == 1); // a tier without prices
  CHECK(sent("records").back()["model"] == "gpt-5");
  CHECK(sent("records").back()["alias"] == "team/gpt");
}

TEST_CASE_METHOD(usage, "prices and names of keys are read as they stand, bad ones are left out") {
  make("usage.sqlite")
    .run(manager_first)
    .run(manager_late)
    .run(
      "INSERT INTO model_prices VALUES('gpt-5',1,2,0.5,'manual','','',1,1,0.25,1.5),('bad','x',2,0,'','','',1,1,0,0);"
      "INSERT INTO api_key_aliases VALUES('"
      + hash_of_a_key + "','Ada',1);");
  const auto source = cli::open_manager_plus(file("usage.sqlite"));
  REQUIRE(source);
  const auto prices = (*source)->prices();
  REQUIRE(prices);
  REQUIRE(prices->size() == 1);
  const auto& one = prices->front();
  CHECK(one.model == "gpt-5");
  CHECK(one.source == "manual");
  CHECK(one.input == 1);
  CHECK(one.output == 2);
  CHECK(one.cache_read == 0.25);
  CHECK(one.cache_write == 1.5);
  REQUIRE((*source)->aliases());
  CHECK((*source)->aliases()->front().alias == "Ada");
}

TEST_CASE_METHOD(usage, "rows that are no records are refused with their row and the reason, the others are taken") {
  keeper_with(R"(
    INSERT INTO usage_events(id,api_group_key,model,timestamp,failed) VALUES
      (2,'sk-secret-two','m','2026-09-01 10:20:30',0),
      (3,'sk-secret-two','m','yesterday',0),
      (4,'sk-secret-two',zeroblob(300000),'2026-09-01T10:20:33Z',0),
      (5,'sk-secret-two',printf('%.10000c','x'),'2026-09-01T10:20:34Z',0),
      (6,'sk-secret-two','m','2026-09-01T10:20:35Z','perhaps'),
      (7,'sk-secret-two',CAST(x'ff' AS TEXT),'2026-09-01T10:20:36Z',0),
      (8,'sk-secret-two','m',NULL,0);
    UPDATE usage_events SET input_tokens='many' WHERE id=1;)");
  CHECK(run({"import", "cpa-usage-keeper", file("app.db"), "--json"}) == exit_failed);
  CHECK(report()["records"]["read"] == 8);
  CHECK(report()["records"]["refused"] == 8);
  auto why = refusals();
  CHECK(why["usage_events, row 1"] == "input_tokens is no whole number");
  CHECK(why["usage_events, row 2"] == "timestamp is no moment with a time zone");
  CHECK(why["usage_events, row 3"] == "timestamp is no moment with a time zone");
  CHECK(why["usage_events, row 4"] == "model is no text");
  CHECK(why["usage_events, row 5"] == "model is longer than 8192 bytes");
  CHECK(why["usage_events, row 6"] == "failed is neither true nor false");
  CHECK(why["usage_events, row 7"] == "model is no UTF-8");
  CHECK(why["usage_events, row 8"] == "timestamp is no moment with a time zone");
  CHECK_FALSE(asked_to_change()); // none was good
  CHECK_FALSE(has(out, "sk-secret-two"));
}

TEST_CASE_METHOD(usage, "one record that stands twice in a file is sent once, in pieces of 500") {
  auto db = make("app.db");
  db.run(keeper_late).run("BEGIN");
  for (int i = 1; i <= 1100; ++i)
    db.run(good_row(i));
  db.run(
    "COMMIT; INSERT INTO usage_events SELECT 5000,event_key,api_group_key,provider,endpoint,auth_type,request_id,"
    "session_id,parent_session_id,client_ip,x_forwarded_for,user_agent,model,model_alias,response_model,"
    "reasoning_effort,service_tier,response_service_tier,executor_type,timestamp,source,auth_index,failed,status_code,"
    "generate,stream,latency_ms,ttft_ms,input_tokens,output_tokens,reasoning_tokens,cached_tokens,cache_read_tokens,"
    "cache_creation_tokens,total_tokens,cost_usd,cost_available,created_at FROM usage_events WHERE id=600");
  server.answer("POST /api/v1/nodes/default/records", R"({"records":500,"added":0})");
  REQUIRE(run({"import", "cpa-usage-keeper", file("app.db"), "--json"}) == exit_done);
  CHECK(sent("records").size() == 1100);
  CHECK(report()["records"] == json{{"read", 1101}, {"added", 0}, {"known", 1101}, {"refused", 0}, {"too_old", 0}});
  std::set<std::size_t> pieces;
  for (const auto& asked : server.asked())
    if (asked.line.ends_with("/records"))
      pieces.insert(json::parse(asked.body)["records"].size());
  CHECK(pieces == std::set<std::size_t>{500, 100});
}

TEST_CASE_METHOD(usage, "a dry run says so to the service, and nobody is added") {
  make("usage.db")
    .run(original_portal)
    .run("INSERT INTO user_usage VALUES('2025-11-03','ada@example.com','usr_pool_1',3,2,1,40,30,10,'','');");
  REQUIRE(run({"import", "usage-db", file("usage.db"), "--dry-run"}) == exit_done);
  CHECK(has(out, "nothing is"));
  CHECK(has(out, "people: 1 added"));
  for (const auto& asked : server.asked())
    if (!asked.line.starts_with("GET "))
      CHECK(json::parse(asked.body)["dry_run"] == true);
}

TEST_CASE_METHOD(usage, "days of the original portal go in as days, its people into the registry") {
  make("usage.db")
    .run(original_portal)
    .run("INSERT INTO daily_usage VALUES('2025-11-03',9,9,0,900,0,0,'',''),('03.11.2025',1,1,0,1,0,0,'',''),"
         "('2025-02-30',1,1,0,1,0,0,'',''),('2025-11-04',-1,0,0,0,0,0,'','');"
         "INSERT INTO user_usage VALUES('2025-11-03','Ada@Example.com','usr_pool_1',3,2,1,40,30,10,'',''),"
         "('2025-11-03','a/b@example.com','usr_pool_3',1,1,0,4,3,1,'',''),"
         "('2025-11-03','unknown','usr_pool_2',6,6,0,60,40,20,'',''),('2025-11-03','x','',6,6,0,60,40,20,'','');");
  CHECK(run({"import", "usage-db", file("usage.db"), "--json"}) == exit_failed);
  CHECK(report()["days"]["read"] == 8);
  CHECK(report()["days"]["refused"] == 4);
  CHECK(report()["people"] == json{{"added", 1}, {"known", 1}}); // one has a slash in the address
  const auto days = sent("days");
  REQUIRE(days.size() == 4);
  CHECK(days[0]
        == json{{"date", "2025-11-03"},
                {"requests", 9},
                {"ok", 9},
                {"failed", 0},
                {"tokens", 900},
                {"input_tokens", 0},
                {"output_tokens", 0}});
  for (const auto& day : days)
    if (day.value("key", "") == "usr_pool_2")
      CHECK_FALSE(day.contains("owner"));
  CHECK_FALSE(has(out, "usr_pool"));
}

TEST_CASE_METHOD(usage, "usage_history.csv is taken line by line") {
  const std::string head =
    "\xef\xbb\xbf"
    "date,total_requests,success_count,failure_count,total_tokens,input_tokens,output_tokens\r\n";
  write("h.csv",
        head
          + "2025-11-03,5,5,0,100,0,0\r\n\r\n2025-11-04,5,5,0,x,0,0\r\n2025-11-05,1,1\r\n"
            "2025-11-03,6,6,0,100,0,0\r\n2025-11-06,-5,5,0,1,0,0\n2025-11-07,2,2,0,99999999999999999999,0,0\n");
  CHECK(run({"import", "usage-history", file("h.csv"), "--json"}) == exit_failed);
  auto why = refusals();
  CHECK(why
        == std::map<std::string, std::string>{{"line 4", "total_tokens is no whole number"},
                                              {"line 5", "has 3 values, not 7"},
                                              {"line 6", "is of a day that stands further up already"},
                                              {"line 7", "total_requests is negative"},
                                              {"line 8", "total_tokens is no whole number"}});
  CHECK(sent("days").size() == 1);
  CHECK(json::parse(server.asked().back().body)["source"] == "usage-history");

  write("bad.csv", "day,requests\n2025-11-03,5\n");
  CHECK(run({"import", "usage-history", file("bad.csv")}) == exit_failed);
  CHECK(has(err, "line 1 does not name the column date"));
}

TEST_CASE_METHOD(usage, "what is no such database is refused before anything is asked, and told what it is") {
  write("text.db",
        "this is a text, and a long one, so that there is something to read in it; it goes on and on and on");
  write("empty.db", "");
  make("app.db").run(keeper_late).run(good_row(1));
  make("usage.sqlite").run(manager_first);
  make("usage.db").run(original_portal);
  make("columns.db").run("CREATE TABLE usage_events(id,api_group_key,model)");
  make("view.db").run("CREATE TABLE t(id,api_group_key,model,timestamp,input_tokens,output_tokens,reasoning_tokens,"
                      "cached_tokens,total_tokens); CREATE VIEW usage_events AS SELECT * FROM t");
  std::filesystem::copy_file(folder.path() / "app.db", folder.path() / "half.db");
  std::filesystem::resize_file(folder.path() / "half.db", std::filesystem::file_size(folder.path() / "half.db") / 2);
  for (const auto& [command, name, said] : {std::tuple{"cpa-usage-keeper", "text.db", "no SQLite database"},
                                            {"cpa-usage-keeper", "empty.db", "no table"},
                                            {"cpa-usage-keeper", "half.db", "damaged"},
                                            {"cpa-usage-keeper", "usage.sqlite", "import cpa-manager-plus"},
                                            {"cpa-manager-plus", "app.db", "import cpa-usage-keeper"},
                                            {"cpa-manager-plus", "usage.db", "no table"},
                                            {"usage-db", "app.db", "neither daily_usage"},
                                            {"cpa-usage-keeper", "columns.db", "no column"},
                                            {"cpa-usage-keeper", "view.db", "no table"},
                                            {"cpa-usage-keeper", "none.db", "none.db"},
                                            {"cpa-usage-keeper", ".", "no file"}}) {
    CAPTURE(command, name);
    CHECK(run({"import", command, file(name), "--yes"}) == exit_failed);
    CHECK(has(err, said));
  }
  CHECK(server.asked().empty());
}

TEST_CASE_METHOD(usage, "a damaged page is noticed before anything is asked, and a huge row too") {
  auto db = make("app.db");
  db.run(keeper_late).run("BEGIN");
  for (int i = 1; i <= 500; ++i)
    db.run(good_row(i));
  db.run("COMMIT");
  std::filesystem::copy_file(folder.path() / "app.db", folder.path() / "bad.db");
  {
    std::fstream bytes(folder.path() / "bad.db", std::ios::in | std::ios::out | std::ios::binary);
    const auto size = std::filesystem::file_size(folder.path() / "bad.db");
    for (std::uintmax_t page = 8192; page + 4096 < size; page += 4096) {
      bytes.seekp(static_cast<std::streamoff>(page));
      bytes << std::string(64, '\xee');
    }
  }
  CHECK(run({"import", "cpa-usage-keeper", file("bad.db")}) == exit_failed);
  CHECK(has(err, "damaged"));
  db.run("UPDATE usage_events SET model=zeroblob(20000000) WHERE id=250");
  CHECK(run({"import", "cpa-usage-keeper", file("app.db")}) == exit_failed);
  CHECK(has(err, "larger than 16 MiB"));
  CHECK(server.asked().empty());
}

TEST_CASE_METHOD(usage, "nothing is written beside a database, also when its last changes are in a write-ahead log") {
  auto db = make("app.db");
  db.run("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0").run(keeper_late).run(good_row(1)).run(good_row(2));
  const auto before = files();
  REQUIRE(before.contains("app.db-wal"));
  const auto written = std::filesystem::last_write_time(folder.path() / "app.db");
  REQUIRE(run({"import", "cpa-usage-keeper", file("app.db"), "--json"}) == exit_done);
  CHECK(report()["records"]["read"] == 2);
  CHECK(files() == before);
  CHECK(std::filesystem::last_write_time(folder.path() / "app.db") == written);
  make("plain.db").run(keeper_late).run(good_row(1));
  const auto then = files();
  std::filesystem::permissions(folder.path() / "plain.db", std::filesystem::perms::owner_read);
  REQUIRE(run({"import", "cpa-usage-keeper", file("plain.db")}) == exit_done);
  CHECK(files() == then);
}

TEST_CASE_METHOD(usage, "an import that breaks off says how far it came") {
  make("app.db").run(keeper_late).run(good_row(1));
  server.answer("POST /api/v1/nodes/default/records", R"({"code":"storage_full"})", 507);
  CHECK(run({"import", "cpa-usage-keeper", file("app.db")}) == exit_failed);
  CHECK(has(out, "1 records read, 0 added"));
  CHECK(has(err, "run it again"));
}

TEST_CASE_METHOD(usage, "a person is asked before anything goes in") {
  make("app.db").run(keeper_late).run(good_row(1));
  at_terminal = true;
  in.str("n\n");
  CHECK(run({"import", "cpa-usage-keeper", file("app.db")}) == exit_failed);
  CHECK(has(err, "Import 1 records"));
  CHECK_FALSE(asked_to_change());
}

TEST_CASE_METHOD(usage, "history is read to its end and shown") {
  server.answer("GET /api/v1/history?limit=1000&from=2025-11-01",
                R"({"items":[{"date":"2025-11-03","node":"default","source":"usage-db","key":null,"owner":null,
                    "requests":5,"ok":5,"failed":0,"tokens":{"total":100},"records":2}],"more":true,"next":"ab"})");
  server.answer("GET /api/v1/history?limit=1000&from=2025-11-01&after=ab",
                R"({"items":[{"date":"2025-11-04","key":"k1"}],"more":false,"next":null})");
  REQUIRE(run({"history", "--from", "2025-11-01"}) == exit_done);
  CHECK(has(out, "2025-11-04"));
  CHECK(has(out, "all"));
  REQUIRE(run({"history", "--from", "2025-11-01", "--json"}) == exit_done);
  CHECK(report()["items"].size() == 2);
}

TEST_CASE("moments as Go's drivers for SQLite write them are understood, and none without a zone") {
  using cli::moment_of_go;
  CHECK(moment_of_go("2026-05-04 10:20:30.123456789+08:00") == "2026-05-04T10:20:30.123456789+08:00");
  CHECK(moment_of_go("2026-05-04T10:20:30.1Z") == "2026-05-04T10:20:30.1Z");
  CHECK(moment_of_go("2026-05-04 10:20:30 +0800 CST m=+0.5") == "2026-05-04T10:20:30+08:00");
  CHECK(moment_of_go("2026-05-04 10:20:30.5 +0000 UTC") == "2026-05-04T10:20:30.5+00:00");
  for (const char* bad : {"", "2026-05-04", "2026-05-04 10:20:30", "2026-05-04 10:20:30.", "2026-05-04 10:20:30.5 ",
                          "2026-13-04 10:20:30Z", "now", "2026-05-04 10:20:30+99:00"})
    CHECK(moment_of_go(bad).empty());
}
