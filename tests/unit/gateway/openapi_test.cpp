#include <fstream>
#include <map>
#include <set>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "gateway/access_answers.hpp"
#include "gateway/account_answers.hpp"
#include "gateway/assets.hpp"
#include "gateway/handlers.hpp"
#include "gateway/routes.hpp"
#include "messages/errors.hpp"
#include "messages/exports_json.hpp"
#include "messages/price_json.hpp"
#include "messages/registry_json.hpp"

using namespace keyportal;
using namespace keyportal::gateway;

namespace {

/// "GET /path" of every operation in openapi.yaml, which keeps paths at two spaces and methods at four.
std::set<std::string> described() {
  std::ifstream file(KEYPORTAL_SOURCE_DIR "/gateway/openapi.yaml");
  REQUIRE(file);
  std::set<std::string> out;
  std::string line, path;
  bool in_paths = false;
  while (std::getline(file, line)) {
    if (!line.empty() && line[0] != ' ' && line[0] != '#')
      in_paths = line == "paths:";
    if (!in_paths)
      continue;
    if (line.starts_with("  /"))
      path = line.substr(2, line.rfind(':') - 2);
    else if (line == "    get:")
      out.insert("GET " + path);
    else if (line == "    post:")
      out.insert("POST " + path);
    else if (line == "    delete:")
      out.insert("DELETE " + path);
    else if (line == "    patch:")
      out.insert("PATCH " + path);
    else if (line == "    put:")
      out.insert("PUT " + path);
  }
  return out;
}

/// What is served at /openapi.json.
const nlohmann::json& document() {
  static const auto read = [] {
    for (const auto& one : assets())
      if (one.path == "/openapi.json")
        return nlohmann::json::parse(one.text);
    return nlohmann::json();
  }();
  return read;
}

std::set<std::string> keys_of(const nlohmann::json& value) {
  std::set<std::string> out;
  for (const auto& [key, unused] : value.items())
    out.insert(key);
  return out;
}

std::set<std::string> properties_of(const std::string& schema) {
  return keys_of(document().at("components").at("schemas").at(schema).at("properties"));
}

} // namespace

TEST_CASE("openapi.yaml describes every route and no other") {
  std::set<std::string> table;
  for (const auto& row : routes())
    if (row.about != topic::asset && row.about != topic::page)
      table.insert(std::string(row.method) + " " + std::string(row.pattern));
  CHECK(described() == table);
}

TEST_CASE("openapi.yaml has every error of the list with its sentence, and no other") {
  std::map<std::string, std::string> told, listed;
  for (const auto& one : document().at("components").at("schemas").at("error_code").at("oneOf"))
    told[one.at("const").get<std::string>()] = one.at("description").get<std::string>();
  for (const auto* row = error_rows_begin(); row != error_rows_end(); ++row)
    if (row->code != errc::none)
      listed[std::string(row->name)] = fmt::format("{}: {}", row->http_status, row->sentence);
  CHECK(told == listed);
}

TEST_CASE("openapi.yaml says of each operation which right it needs, and whether a sign-in") {
  for (const auto& row : routes()) {
    if (row.about == topic::asset || row.about == topic::page)
      continue;
    CAPTURE(row.method, row.pattern);
    auto method = std::string(row.method);
    for (char& c : method)
      c = static_cast<char>(c - 'A' + 'a');
    const auto& operation = document().at("paths").at(std::string(row.pattern)).at(method);
    const bool by_right = row.needs.how == access::with_right;
    CHECK(operation.value("x-right", "") == (by_right ? to_text(row.needs.what) : ""));
    // What anybody may be let see needs none.
    const bool signs_in = row.needs.how == access::session || (by_right && row.needs.what != right::read_nodes);
    CHECK(operation.contains("security") == signs_in);
    CHECK((!signs_in || operation.at("responses").contains("401")));
    CHECK(operation.contains("operationId"));
  }
}

TEST_CASE("the schemas of openapi.yaml have the fields that are sent") {
  CHECK(properties_of("tokens") == keys_of(to_json(token_counts{})));
  CHECK(properties_of("token_parts") == keys_of(to_json(token_parts{})));
  CHECK(properties_of("totals") == keys_of(to_json(totals{})));
  CHECK(properties_of("counters") == keys_of(to_json(node_counters{})));
  CHECK(properties_of("condition") == keys_of(to_json(node_condition{})));
  CHECK(properties_of("restart") == keys_of(to_json(restart_record{})));
  CHECK(properties_of("gap") == keys_of(to_json(gap_record{})));
  CHECK(properties_of("incomplete") == keys_of(to_json(incomplete_record{})));
  CHECK(properties_of("queue") == keys_of(to_json(queue_state{})));
  CHECK(properties_of("dead_letter") == keys_of(to_json(dead_letter{})));
  CHECK(properties_of("replay") == keys_of(to_json(replay_report{})));
  CHECK(properties_of("snapshot") == keys_of(to_json(snapshot_info{})));
  CHECK(properties_of("budget") == keys_of(to_json(budget{})));
  CHECK(properties_of("user") == keys_of(to_json(user{})));
  CHECK(properties_of("key") == keys_of(to_json(client_key{})));
  CHECK(properties_of("policy") == keys_of(to_json(policy{})));
  CHECK(properties_of("registry") == keys_of(to_json(registry_state{})));
  CHECK(properties_of("entry") == keys_of(to_json(registry_entry{})));
  CHECK(properties_of("node_keys") == keys_of(to_json(node_keys{})));
  CHECK(properties_of("price") == keys_of(to_json(price{})));
  CHECK(properties_of("rates") == keys_of(to_json(price_rates{0, 0, 0, 0, 0, 0, 0})));
  CHECK(properties_of("unpriced") == keys_of(to_json(unpriced_model{})));
  CHECK(properties_of("reprice") == keys_of(to_json(reprice_state{})));
  CHECK(properties_of("export") == keys_of(to_json(opened_export{})));
  CHECK(properties_of("config") == keys_of(to_json(config_info{})));
  CHECK(properties_of("node") == keys_of(to_json(node_overview{})));
  auto one_session = keys_of(to_json(session{}));
  one_session.insert("current");
  CHECK(properties_of("session") == one_session);
  CHECK(properties_of("token") == keys_of(to_json(token_info{})));
  CHECK(properties_of("invitation") == keys_of(to_json(invitation_info{})));
  CHECK(properties_of("identity") == keys_of(to_json(identity_info{})));
  CHECK(properties_of("account") == keys_of(to_json(account_info{})));
  CHECK(properties_of("provider_account") == keys_of(to_full_json(account_view{}, "")));
  CHECK(properties_of("account_login") == keys_of(to_json(account_login{})));
  CHECK(properties_of("account_offer") == keys_of(to_json(account_offer{})));
  CHECK(properties_of("provider") == keys_of(to_json(provider_info{})));
  CHECK(properties_of("signed_in") == keys_of(nlohmann::json::parse(*session_answer({}, nullptr, "").body)));
  CHECK(properties_of("entered") == keys_of(nlohmann::json::parse(*entered_answer({}, "", {}).body)));
  CHECK(properties_of("summary") == keys_of(nlohmann::json::parse(*summary_answer({}).body)));
}
