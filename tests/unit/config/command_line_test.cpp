#include <catch2/catch_test_macros.hpp>

#include "config/command_line.hpp"

using namespace keyportal;

namespace {

invocation parse(std::vector<const char*> words) {
  words.insert(words.begin(), "keyportal");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

using overrides = std::vector<std::pair<std::string, std::string>>;

} // namespace

TEST_CASE("every command is found by its words") {
  const std::vector<std::pair<std::vector<const char*>, command>> cases = {
    {{"serve"}, command::serve},
    {{"status"}, command::status},
    {{"snapshot", "list"}, command::snapshot_list},
    {{"snapshot", "show", "3"}, command::snapshot_show},
    {{"snapshot", "make"}, command::snapshot_make},
    {{"snapshot", "export", "a.json"}, command::snapshot_export},
    {{"snapshot", "import", "a.json"}, command::snapshot_import},
    {{"snapshot", "restore"}, command::snapshot_restore},
    {{"incompletes"}, command::incompletes},
    {{"deadletters", "list"}, command::deadletters_list},
    {{"deadletters", "show", "3"}, command::deadletters_show},
    {{"deadletters", "replay"}, command::deadletters_replay},
    {{"deadletters", "drop", "3"}, command::deadletters_drop},
    {{"users", "list"}, command::users_list},
    {{"users", "show", "a@b.c"}, command::users_show},
    {{"users", "add", "a@b.c"}, command::users_add},
    {{"users", "change", "a@b.c"}, command::users_change},
    {{"users", "approve", "a@b.c"}, command::users_state},
    {{"users", "delete", "a@b.c"}, command::users_state},
    {{"keys", "list"}, command::keys_list},
    {{"keys", "show", "k1"}, command::keys_show},
    {{"keys", "assign", "a@b.c"}, command::keys_assign},
    {{"keys", "renew", "k1"}, command::keys_renew},
    {{"keys", "rotate", "k1"}, command::keys_rotate},
    {{"keys", "revoke", "k1"}, command::keys_step},
    {{"keys", "adopt", "k1", "a@b.c"}, command::keys_adopt},
    {{"keys", "find"}, command::keys_find},
    {{"keys", "label", "k1", "desk"}, command::keys_change},
    {{"keys", "change", "k1"}, command::keys_change},
    {{"pool", "show"}, command::pool_show},
    {{"pool", "fill", "3"}, command::pool_fill},
    {{"policies", "list"}, command::policies_list},
    {{"policies", "show", "eu"}, command::policies_show},
    {{"policies", "set", "eu"}, command::policies_set},
    {{"policies", "drop", "eu"}, command::policies_drop},
    {{"audit", "list"}, command::audit_list},
    {{"audit", "verify"}, command::audit_verify},
    {{"node", "keys", "a"}, command::node_keys},
    {{"node", "config", "list", "a"}, command::node_config_list},
    {{"node", "config", "show", "a"}, command::node_config_show},
    {{"node", "config", "diff", "a", "1", "2"}, command::node_config_diff},
    {{"node", "config", "restore", "a", "2"}, command::node_config_restore},
    {{"import", "user-keys", "f"}, command::import_user_keys},
    {{"import", "key-pool", "f"}, command::import_key_pool},
    {{"import", "user-mapping", "f"}, command::import_user_mapping},
    {{"import", "usage-db", "f"}, command::import_usage_db},
    {{"import", "usage-history", "f"}, command::import_usage_history},
    {{"import", "cpa-usage-keeper", "f"}, command::import_keeper},
    {{"import", "cpa-manager-plus", "f"}, command::import_manager_plus},
    {{"history"}, command::history},
    {{"import", "snapshot", "f"}, command::snapshot_import},
    {{"events", "tail"}, command::events_tail},
    {{"config", "check"}, command::config_check},
    {{"config", "print"}, command::config_print},
    {{"config", "reference"}, command::config_reference},
    {{"completion", "bash"}, command::completion},
  };
  for (const auto& [words, expected] : cases) {
    const auto parsed = parse(words);
    INFO(words[0] << " " << parsed.text);
    CHECK(parsed.what == expected);
  }
}

TEST_CASE("options for every command may stand before and behind it") {
  for (const auto& words :
       std::vector<std::vector<const char*>>{{"--json", "--yes", "--config", "f.toml", "--data-dir", "/d", "--url",
                                              "http://x", "--set", "a.b=c=d", "--set", "e=", "status"},
                                             {"status", "--json", "-y", "--config=f.toml", "--data-dir=/d",
                                              "--url=http://x", "--set=a.b=c=d", "--set", "e="}}) {
    const auto parsed = parse(words);
    INFO(parsed.text);
    CHECK(parsed.what == command::status);
    CHECK(parsed.json);
    CHECK(parsed.yes);
    CHECK(parsed.config_file == "f.toml");
    CHECK(parsed.url == "http://x");
    CHECK(parsed.overrides == overrides{{"data_dir", "/d"}, {"a.b", "c=d"}, {"e", ""}});
  }
}

TEST_CASE("the address and the demo of serve are settings like others") {
  CHECK(parse({"serve", "--listen", "127.0.0.1:0", "--demo"}).overrides
        == overrides{{"gateway.listen", "127.0.0.1:0"}, {"demo", "true"}});
}

TEST_CASE("what is said about people and keys is taken as it was said") {
  auto parsed = parse({"users", "change", "a@b.c", "--group", "eu,staff", "--group", "x", "--budget", "none", "--label",
                       "", "--command", "once"})
                  .registry;
  CHECK(parsed.person == "a@b.c");
  CHECK(parsed.groups == std::vector<std::string>{"eu", "staff", "x"});
  CHECK(parsed.budgets == std::vector<std::string>{"none"});
  CHECK(parsed.label == "");
  CHECK_FALSE(parsed.name);
  CHECK(parsed.word == "once");
  CHECK(parse({"users", "suspend", "a@b.c"}).registry.to == "suspended");
  CHECK(parse({"users", "approve", "a@b.c"}).registry.to == "active");
  CHECK(parse({"keys", "revoke", "k1"}).registry.to == "revoke");
  CHECK(parse({"keys", "assign", "--node", "a", "u1", "--lifetime", "90d"}).registry.person == "u1");
  CHECK(parse({"node", "config", "diff", "a", "1", "2"}).registry.numbers == std::vector<std::uint64_t>{1, 2});
  CHECK(parse({"import", "user-keys", "f", "--dry-run"}).registry.dry_run);
  CHECK(parse({"import", "usage-db", "f", "--dry-run", "--node", "n"}).node == "n");
  CHECK(parse({"history", "--from", "2025-11-01"}).from_day == "2025-11-01");
  for (const auto& wrong : std::vector<std::vector<const char*>>{{"users", "add"},
                                                                 {"users", "list", "--state", "asleep"},
                                                                 {"keys", "find", "sk-secret"},
                                                                 {"pool", "fill", "0"},
                                                                 {"pool", "fill", "10001"},
                                                                 {"node", "config", "show", "a", "0"},
                                                                 {"import"},
                                                                 {"import", "everything", "f"}})
    CHECK(parse(wrong).exit_code == exit_wrong_usage);
}

TEST_CASE("export and import take a file and either a node or a CLIProxyAPI") {
  auto parsed = parse({"snapshot", "export", "a.json", "--node", "eu", "--id", "7"});
  CHECK(parsed.file == "a.json");
  CHECK(parsed.node == "eu");
  CHECK(parsed.snapshot_id == 7);
  parsed = parse({"snapshot", "import", "-", "--cpa", "http://h:1", "--key-file", "k"});
  CHECK(parsed.file == "-");
  CHECK(parsed.cpa_url == "http://h:1");
  CHECK(parsed.cpa_key_file == "k");
  CHECK(parse({"snapshot", "import", "a", "--key-file", "k"}).exit_code == exit_wrong_usage);
  CHECK(parse({"snapshot", "import", "a", "--cpa", "http://h", "--node", "n"}).exit_code == exit_wrong_usage);
}

TEST_CASE("dead letters are named by their numbers, and by nothing else") {
  const auto parsed = parse({"deadletters", "replay", "3", "1", "18446744073709551615", "--node", "eu"});
  CHECK(parsed.letters == std::vector<std::uint64_t>{3, 1, ~std::uint64_t{0}});
  CHECK(parsed.node == "eu");
  CHECK(parse({"deadletters", "replay"}).letters.empty());
  CHECK(parse({"deadletters", "show", "3", "--raw"}).raw);
  for (const auto& words : std::vector<std::vector<const char*>>{{"deadletters"},
                                                                 {"deadletters", "show"},
                                                                 {"deadletters", "show", "1", "2"},
                                                                 {"deadletters", "show", "1", "--raw", "--json"},
                                                                 {"deadletters", "show", "1", "--node", "eu"},
                                                                 {"deadletters", "replay", "0"},
                                                                 {"deadletters", "drop"},
                                                                 {"deadletters", "drop", "1", "x"},
                                                                 {"deadletters", "drop", "-1"},
                                                                 {"deadletters", "drop", "1.5"}}) {
    INFO(words.size() << " " << words.back());
    CHECK(parse(words).exit_code == exit_wrong_usage);
  }
}

TEST_CASE("events are tailed from now on unless said otherwise") {
  CHECK(parse({"events", "tail"}).from == "new");
  const auto parsed = parse(
    {"events", "tail", "--from", "all", "--subject", "keyportal.v1.node.>", "--count", "5", "--nats", "nats://h"});
  CHECK(parsed.from == "all");
  CHECK(parsed.subject == "keyportal.v1.node.>");
  CHECK(parsed.count == 5);
  CHECK(parsed.nats_url == "nats://h");
}

TEST_CASE("wrong usage says what is wrong and leaves with 2") {
  for (const auto& words : std::vector<std::vector<const char*>>{{},
                                                                 {"no-such"},
                                                                 {"snapshot"},
                                                                 {"snapshot", "export"},
                                                                 {"snapshot", "show"},
                                                                 {"snapshot", "show", "x"},
                                                                 {"snapshot", "show", "-1"},
                                                                 {"serve", "--no-such"},
                                                                 {"status", "--set", "novalue"},
                                                                 {"status", "extra"},
                                                                 {"completion", "tcsh"},
                                                                 {"events", "tail", "--count", "many"}}) {
    const auto parsed = parse(words);
    CHECK(parsed.what == command::print_text);
    CHECK(parsed.exit_code == exit_wrong_usage);
    CHECK_FALSE(parsed.text.empty());
  }
}

TEST_CASE("help and version are printed and leave with 0") {
  const auto version = parse({"--version"});
  CHECK(version.exit_code == exit_done);
  CHECK(version.text.starts_with("keyportal 0."));
  const auto help = parse({"--help"});
  CHECK(help.exit_code == exit_done);
  for (const char* word : {"serve", "status", "snapshot", "events", "config", "completion", "--json", "Exit codes"})
    CHECK(help.text.find(word) != std::string::npos);
  CHECK(parse({"snapshot", "export", "--help"}).text.find("--cpa") != std::string::npos);
}

TEST_CASE("completion scripts name every command and option") {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_script(shell);
    for (const char* word : {"serve", "snapshot", "export", "restore", "tail", "reference", "deadletters", "replay",
                             "raw", "incompletes", "key-file", "data-dir"})
      CHECK(script.find(word) != std::string::npos);
  }
  CHECK(completion_script("tcsh").empty());
}
