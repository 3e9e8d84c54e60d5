// Prices at the command line.
#include "bench.hpp"

#include "config/command_line.hpp"

using namespace keyportal;
using namespace keyportal::test;
using nlohmann::json;

namespace {

struct shop : bench {
  shop() {
    there({});
    server.answer("POST /api/v1/prices", R"({"position":7,"changed":1})");
    server.answer("POST /api/v1/prices/drop", R"({"position":8,"changed":1})");
  }
  void there(const std::vector<json>& prices) {
    server.answer("GET /api/v1/prices?text=&limit=1000", json{{"items", prices}, {"more", false}}.dump());
  }
  json sent() const { return json::parse(server.asked().back().body); }
  bool asked_to_change() const {
    for (const auto& asked : server.asked())
      if (!asked.line.starts_with("GET "))
        return true;
    return false;
  }
};

json price_of(const std::string& model, std::int64_t dollars, const std::string& source = "litellm") {
  return {{"id", source + "///" + model},
          {"model", model},
          {"provider", ""},
          {"from", nullptr},
          {"until", nullptr},
          {"source", source},
          {"rates", {{"input", dollars * 1'000'000'000}, {"output", dollars * 5'000'000'000}}},
          {"steps", json::array()},
          {"set_at", "2026-04-02T00:00:00.000Z"}};
}

constexpr const char* list = R"({
  "kept": {"input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06},
  "dearer": {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05},
  "mine": {"input_cost_per_token": 9e-06, "output_cost_per_token": 9e-06},
  "fresh": {"input_cost_per_token": 2e-06, "output_cost_per_token": 1e-05},
  "nothing": {"mode": "chat"}})";

} // namespace

TEST_CASE_METHOD(shop, "a price is set in dollars and sent to the last digit") {
  REQUIRE(run({"prices", "set", "GPT-5*", "--provider", "codex", "--input", "1.25", "--output", "10", "--cache-read",
               "0.125", "--multiplier", "1.1", "--step", "tier=flex,multiplier=0.5", "--step",
               "above=272000,input=2.5,output=15", "--from", "2026-04-02"})
          == exit_done);
  const auto one = sent()["prices"][0];
  CHECK(one["model"] == "gpt-5*");
  CHECK(one["provider"] == "codex");
  CHECK(one["from"] == "2026-04-02T00:00:00.000Z");
  CHECK(one["rates"]
        == json{{"input", 1'250'000'000},
                {"output", 10'000'000'000},
                {"cache_read", 125'000'000},
                {"multiplier_ppm", 1'100'000}});
  REQUIRE(one["steps"].size() == 2);
  CHECK(one["steps"][0] == json{{"tier", "flex"}, {"above", 0}, {"rates", {{"multiplier_ppm", 500'000}}}});
  CHECK(one["steps"][1]["rates"] == json{{"input", 2'500'000'000}, {"output", 15'000'000'000}});
  CHECK(last_head().find("Idempotency-Key: cli-") != std::string::npos);
  CHECK(has(out, "reprice"));
}

TEST_CASE_METHOD(shop, "a price that makes no sense is not sent") {
  for (const auto& words : std::vector<std::vector<std::string>>{
         {"--input", "1"},
         {"--input", "-1", "--output", "1"},
         {"--input", "a", "--output", "1"},
         {"--input", "1", "--output", "1", "--from", "tomorrow"},
         {"--input", "1", "--output", "1", "--step", "tier"},
         {"--input", "1", "--output", "1", "--step", "input=5"},
         {"--input", "1", "--output", "1", "--step", "above=x,input=5"},
         {"--input", "1", "--output", "1", "--multiplier", "0.0000001"},
         {"--input", "1", "--output", "1", "--from", "2026-04-02", "--to", "2026-04-02"}}) {
    std::vector<std::string> all{"prices", "set", "m"};
    all.insert(all.end(), words.begin(), words.end());
    CHECK(run(all) == exit_wrong_usage);
  }
  CHECK_FALSE(asked_to_change());
}

TEST_CASE_METHOD(shop, "an import shows what it would change and changes nothing before it is asked to") {
  there({price_of("kept", 1), price_of("dearer", 2), price_of("gone", 1), price_of("mine", 4, "by_hand")});
  write("prices.json", list);
  REQUIRE(run({"prices", "import", "litellm", file("prices.json"), "--dry-run"}) == exit_done);
  CHECK(has(out, "dearer: input 2 → 3, output 10 → 15"));
  CHECK(has(out, "fresh: input 2, output 10"));
  CHECK(has(out, "1 dropped"));
  CHECK(has(out, "untouched, since set by hand"));
  CHECK(has(out, "1 as they are, 1 without a price"));
  CHECK_FALSE(asked_to_change());
  REQUIRE(run({"prices", "import", "litellm", file("prices.json"), "--json"}) == exit_done);
  const auto report = json::parse(out.str());
  CHECK(report["new"].size() == 1);
  CHECK(report["changed"].size() == 1);
  CHECK(report["dropped"][0]["model"] == "gone");
  CHECK(report["by_hand"][0]["model"] == "mine");
  CHECK(report["position"] == 7);
  CHECK(sent()["prices"].size() == 4); // the old one's end, the new one, the one that is gone, the fresh one
  at_terminal = true;
  in.str("n\n");
  CHECK(run({"prices", "import", "litellm", file("prices.json")}) == exit_failed);
}

TEST_CASE_METHOD(shop, "what is no price list changes nothing") {
  there({price_of("kept", 1)});
  for (const char* bad : {"", "{}", "<html>", "[1]"}) {
    write("prices.json", bad);
    CHECK(run({"prices", "import", "models-dev", file("prices.json")}) == exit_failed);
  }
  CHECK(run({"prices", "import", "litellm", file("missing.json")}) == exit_failed);
  CHECK_FALSE(asked_to_change());
}

TEST_CASE_METHOD(shop, "an address is fetched over https from the internet only, unless it may be private") {
  server.answer("GET /prices.json", list);
  const auto address = server.url() + "/prices.json";
  CHECK(run({"prices", "import", "litellm", address}) != exit_done);
  for (const char* host :
       {"https://127.0.0.1:1/p", "https://[::1]:1/p", "https://10.0.0.1:1/p", "https://169.254.169.254/p",
        "https://[::ffff:127.0.0.1]:1/p", "https://localhost:1/p", "file:///etc/passwd"})
    CHECK(run({"prices", "import", "litellm", host, "--dry-run"}) != exit_done);
  CHECK_FALSE(asked_to_change());
  REQUIRE(run({"prices", "import", "litellm", address, "--private-address"}) == exit_done);
  CHECK(asked_to_change());
  server.answer("GET /prices.json", "moved", 302);
  CHECK(run({"prices", "import", "litellm", address, "--private-address"}) == exit_failed);
}

TEST_CASE_METHOD(shop, "prices are listed and shown with the one that counts") {
  auto pattern = price_of("gpt-*", 1, "by_hand"), exact = price_of("gpt-5", 3), ended = price_of("old", 1);
  ended["until"] = "2026-01-01T00:00:00.000Z";
  there({pattern, exact, ended});
  REQUIRE(run({"prices", "list"}) == exit_done);
  CHECK(has(out, "gpt-*"));
  CHECK_FALSE(has(out, "old"));
  REQUIRE(run({"prices", "list", "--all", "--source", "litellm"}) == exit_done);
  CHECK(has(out, "old"));
  CHECK_FALSE(has(out, "gpt-*"));
  REQUIRE(run({"prices", "show", "GPT-5"}) == exit_done);
  CHECK(has(out, "that of by_hand counts"));
  REQUIRE(run({"prices", "show", "gpt-5", "--json"}) == exit_done);
  CHECK(json::parse(out.str())["counts"] == "by_hand///gpt-*");
  CHECK(json::parse(out.str())["items"].size() == 2);
  CHECK(run({"prices", "show", "claude"}) == exit_failed);
  CHECK(has(out, "no price counts for claude"));
}

TEST_CASE_METHOD(shop, "dropping is of what was set by hand, unless another source is named") {
  there({price_of("m", 1, "by_hand"), price_of("m", 2)});
  REQUIRE(run({"prices", "drop", "M"}) == exit_done);
  CHECK(sent()["ids"] == json{"by_hand///m"});
  REQUIRE(run({"prices", "drop", "m", "--source", "litellm"}) == exit_done);
  CHECK(sent()["ids"] == json{"litellm///m"});
  CHECK(run({"prices", "drop", "other"}) == exit_wrong_usage);
}

TEST_CASE_METHOD(shop, "a reprice is waited for and told in the currency that is shown") {
  server.answer("POST /api/v1/prices/reprice", R"({"running":true})", 202);
  server.answer("GET /api/v1/prices/reprice",
                R"({"running":false,"dry_run":true,"records":1200,"changed":3,"cost_before":2000000000,
                    "cost_after":2500000000,"unpriced_before":5,"unpriced_after":0,"problem":""})");
  REQUIRE(run({"--set", "prices.currency=EUR", "--set", "prices.rate=0.5", "prices", "reprice", "--from", "2026-04-02",
               "--dry-run"})
          == exit_done);
  CHECK(has(out, "1,200 records, 3 would change; cost 1.00 EUR → 1.25 EUR; without a price 5 → 0"));
  CHECK(server.asked()[server.asked().size() - 2].body
        == json{{"dry_run", true}, {"from", "2026-04-02T00:00:00.000Z"}}.dump());
  server.answer("GET /api/v1/prices/reprice", R"({"running":false,"problem":"the disk is full"})");
  CHECK(run({"prices", "reprice", "--show"}) == exit_failed);
  CHECK(has(err, "the disk is full"));
  server.answer("POST /api/v1/prices/reprice", R"({"code":"reprice_running"})", 409);
  CHECK(run({"prices", "reprice"}) == exit_failed);
}

TEST_CASE_METHOD(shop, "models without a price are listed") {
  server.answer(
    "GET /api/v1/prices/unpriced?from=2026-04-02T00%3A00%3A00.000Z",
    R"({"items":[{"model":"new-model","provider":"codex","requests":1234,"tokens":5,"first_day":"2026-04-02",
                    "last_day":"2026-04-03"}]})");
  const auto outcome = run({"prices", "unpriced", "--from", "2026-04-02"});
  CAPTURE(out, err, server.asked().back().line);
  REQUIRE(outcome == exit_done);
  CHECK(has(out, "new-model"));
  CHECK(has(out, "1,234"));
}
