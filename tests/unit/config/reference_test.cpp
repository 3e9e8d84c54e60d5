#include <catch2/catch_test_macros.hpp>

#include <nlohmann/json.hpp>
#include <sstream>

#include "config/options.hpp"
#include "config/reference.hpp"
#include "sample.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

std::string read(const std::string& name) {
  std::ifstream stream(std::string(KEYPORTAL_SOURCE_DIR) + "/config/" + name);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// The example with every option switched on.
std::string switched_on(const std::string& example) {
  std::istringstream lines(example);
  std::string out;
  for (std::string line; std::getline(lines, line);)
    out += (line.starts_with("#") && !line.starts_with("# ") ? line.substr(1) : line) + "\n";
  return out;
}

} // namespace

TEST_CASE("the reference is the one of this table: else run keyportal config reference > config/reference.md") {
  CHECK(read("reference.md") == reference_markdown());
  for (const auto& row : options())
    CHECK(reference_markdown().find(environment_name(row.key)) != std::string::npos);
}

TEST_CASE("the example is the one of this table: else run keyportal config reference --example > "
          "config/keyportal.example.toml") {
  CHECK(read("keyportal.example.toml") == example_toml());
}

TEST_CASE("the example loads as it is and with every option switched on, and says the defaults") {
  config_folder folder;
  folder.write("cpa.key", "a-management-key");
  folder.write("keeper.key", "a-key-of-ours-for-keeper");
  folder.write("company.secret", "a-client-secret");
  folder.write("mail.secret", "a-mail-secret");
  auto sources = bare();
  const auto defaults = load_settings(sources);
  sources.file = folder.write("as_it_is.toml", example_toml());
  CHECK(load_settings(sources).errors.empty());
  sources.file = folder.write("all.toml", switched_on(example_toml()));
  const auto all = load_settings(sources);
  INFO(all_of_it(all.errors));
  REQUIRE(all.errors.empty());
  REQUIRE(all.values.nodes.size() == 1);
  for (const auto& row : options()) {
    INFO(row.key);
    CHECK(all.origins.contains(std::string(row.key)));
    auto a = defaults.values, b = all.values;
    CHECK(show(row.place(a)) == show(row.place(b)));
  }
}

TEST_CASE("what is in force is printed with its origin, as a file that loads again, and without secrets") {
  config_folder folder;
  auto sources = bare();
  sources.environment["KEYPORTAL_CPA_URL"] = "http://127.0.0.1:8317";
  sources.environment["KEYPORTAL_CPA_KEY"] = "hunter2hunter2";
  sources.environment["KEYPORTAL_NATS_URL"] = "nats://127.0.0.1:4222";
  sources.environment["KEYPORTAL_NATS_TOKEN"] = "token-token-token";
  sources.overrides = {{"poll.interval", "7s"}};
  const auto loaded = load_settings(sources);
  REQUIRE(loaded.errors.empty());
  const auto toml = print_toml(loaded), json = print_json(loaded);
  for (const auto& text : {toml, json}) {
    CHECK(text.find("7s") != std::string::npos);
    CHECK(text.find("command line") != std::string::npos);
    CHECK(text.find("hunter2") == std::string::npos);
    CHECK(text.find("token-token") == std::string::npos);
  }
  const auto parsed = nlohmann::json::parse(json);
  CHECK(parsed["settings"]["poll.interval"] == "7s");
  CHECK(parsed["settings"]["nats.token"] == true);
  CHECK(parsed["nodes"][0]["url"] == "http://127.0.0.1:8317");
  auto again = bare();
  again.file = folder.write("printed.toml", toml);
  const auto reloaded = load_settings(again);
  INFO(all_of_it(reloaded.errors));
  CHECK(reloaded.errors.empty());
  CHECK(reloaded.values.poll.interval == std::chrono::seconds{7});
}
