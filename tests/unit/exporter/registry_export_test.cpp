#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "sample.hpp"
#include "table.hpp"

using namespace keyportal;
using namespace keyportal::test;
using storage::test::must;

namespace {

const moment now = moment_of(storage::test::new_year_ns);

struct office {
  storage::test::scratch_folder folder;
  std::shared_ptr<storage::ledger> store{storage::test::must_open(storage::test::small_settings(folder.path()))};
  log_position log = 0;

  void add(registry_entry entry) {
    entry.position = log + 1;
    must(store->commit({storage::test::entry_of(log, std::move(entry))}, now));
    ++log;
  }
};

} // namespace

TEST_CASE("people are exported as they are, whatever they call themselves", "[exporter]") {
  office o;
  registry_entry entry;
  entry.what = "user.add";
  for (int i = 0; i < 30; ++i) {
    user who;
    who.id = "u" + std::string(2, static_cast<char>('a' + i % 26)) + std::to_string(10 + i);
    who.email = "person" + std::to_string(i) + "@example.com";
    who.name = i % 3 == 0 ? "=cmd|'/C calc'!A0" : i % 3 == 1 ? "O'Neil, \"Ann\"\r\nII" : "漢字";
    who.state = user_state::active;
    who.groups = {"one", "two"};
    who.budgets = {{budget_unit::cost, budget_window::month, 25'500'000'000},
                   {budget_unit::tokens, budget_window::day, 7}};
    who.created_at = now;
    entry.users.push_back({{}, who});
  }
  const auto people = entry.users;
  o.add(std::move(entry));
  for (const auto format : {export_format::csv, export_format::jsonl})
    for (const std::size_t piece : {1, 200, 1'000'000}) {
      export_limits limits;
      limits.piece_bytes = piece;
      export_desk desk{o.store, limits};
      export_question asked;
      asked.what = export_what::users;
      asked.format = format;
      asked.zone = "Asia/Shanghai";
      const auto rows = rows_of(export_now(desk, asked, now), format);
      REQUIRE(rows.size() == people.size());
      for (const auto& change : people) {
        const auto found =
          std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.at("id") == change.after->id; });
        REQUIRE(found != rows.end());
        CHECK(found->at("email") == change.after->email);
        CHECK(found->at("name") == change.after->name);
        CHECK(found->at("state") == "active");
        CHECK(found->at("created_at") == "2026-01-01T08:00:00+08:00");
        CHECK(found->at("groups") == (format == export_format::csv ? "one;two" : R"(["one","two"])"));
        CHECK(
          found->at("budgets")
          == (format == export_format::csv ? "cost/month=25.5;tokens/day=7" : R"(["cost/month=25.5","tokens/day=7"])"));
      }
    }
}

TEST_CASE("no export but CLIProxyAPI's format has the text of a key or of a source", "[exporter]") {
  office o;
  registry_entry entry;
  entry.what = "key.assign";
  entry.who = "cli";
  for (std::uint64_t i = 0; i < 5; ++i)
    entry.keys.push_back({{}, storage::test::numbered_key(*o.store, i)});
  o.add(std::move(entry));
  storage::test::must_commit(*o.store,
                             storage::test::decoded("default", storage::test::numbered_groups("default", 0, 200)));
  const auto groups = storage::test::all_records(*o.store, "default");
  export_desk desk{o.store};
  for (const auto what :
       {export_what::records, export_what::rollups, export_what::users, export_what::keys, export_what::audit})
    for (const auto format : {export_format::csv, export_format::jsonl}) {
      export_question asked;
      asked.what = what;
      asked.format = format;
      if (what == export_what::rollups)
        asked.by = {usage_by::key, usage_by::account};
      const auto text = export_now(desk, asked, now);
      INFO(name_of(what));
      CHECK(text.find("sk-registry-secret") == std::string::npos);
      for (const auto& group : groups) {
        REQUIRE(text.find(group.client_key.reveal()) == std::string::npos);
        for (const auto& d : group.details)
          REQUIRE((d.source.empty() || text.find(d.source) == std::string::npos));
      }
      if (what == export_what::keys)
        CHECK(rows_of(text, format).size() == 5);
    }
}

TEST_CASE("the audit log is exported entry by entry, with what changed as JSON", "[exporter]") {
  office o;
  for (int i = 0; i < 20; ++i) {
    registry_entry entry;
    entry.what = "user.add";
    entry.who = "cli";
    entry.from = "local";
    entry.at = now + std::chrono::hours{i};
    user who;
    who.id = "u-" + std::to_string(100 + i);
    who.email = "e" + std::to_string(i) + "@example.com";
    entry.users.push_back({{}, who});
    o.add(std::move(entry));
  }
  export_limits limits;
  limits.piece_bytes = 700;
  export_desk desk{o.store, limits};
  export_question asked;
  asked.what = export_what::audit;
  for (const auto format : {export_format::csv, export_format::jsonl}) {
    asked.format = format;
    asked.from.clear();
    const auto rows = rows_of(export_now(desk, asked, now), format);
    REQUIRE(rows.size() == 20);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      CHECK(rows[i].at("position") == std::to_string(i + 1));
      CHECK(rows[i].at("what") == "user.add");
      CHECK(rows[i].at("hash").size() == 64);
      const auto users = nlohmann::json::parse(rows[i].at("users"));
      CHECK(users[0]["id"] == "u-" + std::to_string(100 + i));
      CHECK(users[0]["after"]["email"] == "e" + std::to_string(i) + "@example.com");
    }
    asked.from = "2026-01-01T15:00:00Z";
    CHECK(rows_of(export_now(desk, asked, now + std::chrono::hours{48}), format).size() == 5);
  }
}
