#include <catch2/catch_test_macros.hpp>

#include "config/reference.hpp"
#include "sample.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal;
using namespace keyportal::test;
using namespace std::chrono_literals;

TEST_CASE("with nothing configured the defaults are in force and the missing node is only a warning") {
  const auto loaded = load_settings(bare());
  INFO(all_of_it(loaded.errors));
  REQUIRE(loaded.errors.empty());
  CHECK(loaded.values.poll.interval == 3s);
  CHECK(loaded.values.poll.probe_interval == 500ms);
  CHECK(loaded.values.poll.max_answer_bytes == 256ull << 20);
  CHECK(loaded.values.snapshot.interval == 5min);
  CHECK(loaded.values.snapshot.kept == 12);
  CHECK(loaded.values.restore.enabled);
  CHECK_FALSE(loaded.values.restore.boot_marker);
  CHECK(loaded.values.gateway.address == "127.0.0.1");
  CHECK(loaded.values.gateway.port == 8390);
  CHECK(loaded.values.nats.url.empty());
  CHECK(loaded.values.data_dir == "/home/somebody/.local/share/keyportal");
  CHECK(loaded.values.nodes.empty());
  CHECK(mentions(loaded.warnings, "no node is configured"));
}

TEST_CASE("the command line wins over the environment, that over the file, that over the default") {
  config_folder folder;
  auto sources = bare();
  sources.file = folder.write("a.toml", "[poll]\ninterval = \"4s\"\ntimeout = \"4s\"\nslack_factor = 4\n");
  sources.environment["KEYPORTAL_POLL_INTERVAL"] = "5s";
  sources.environment["KEYPORTAL_POLL_TIMEOUT"] = "5s";
  sources.overrides = {{"poll.interval", "6s"}};
  const auto loaded = load_settings(sources);
  INFO(all_of_it(loaded.errors));
  REQUIRE(loaded.errors.empty());
  CHECK(loaded.values.poll.interval == 6s);
  CHECK(loaded.values.poll.timeout == 5s);
  CHECK(loaded.values.poll.slack_factor == 4);
  CHECK(loaded.values.poll.probe_interval == 500ms);
  CHECK(loaded.origins.at("poll.interval") == "command line");
  CHECK(loaded.origins.at("poll.timeout") == "environment KEYPORTAL_POLL_TIMEOUT");
  CHECK(loaded.origins.at("poll.slack_factor") == sources.file->string() + ":4");
}

TEST_CASE("every error is said at once, with the line it stands in") {
  config_folder folder;
  auto sources = bare();
  sources.file = folder.write("a.toml", "dataa_dir = \"/x\"\n" // 1: unknown
                                        "[poll]\n"
                                        "interval = 3\n"          // 3: no unit
                                        "timeout = \"1ms\"\n"     // 4: too short
                                        "slack_factor = \"10\"\n" // 5: a text
                                        "intervall = \"3s\"\n"    // 6: misspelled
                                        "[restore]\n"
                                        "enabled = \"yes\"\n" // 8: not true or false
                                        "[gateway]\n"
                                        "listen = \"everywhere\"\n" // 10
                                        "hosts = [1, 2]\n"          // 11
                                        "[[node]]\n"
                                        "name = \"Bad Name\"\n"                // 13
                                        "url = \"http://u:p@host\"\n"          // 14
                                        "managment_key = \"hunter2hunter2\"\n" // 15
                                        "[log]\n"
                                        "level = \"loud\"\n"); // 17
  sources.overrides = {{"nats.password", "geheimgeheim"}, {"no.such", "1"}};
  const auto loaded = load_settings(sources);
  const auto text = all_of_it(loaded.errors);
  INFO(text);
  for (const auto& [line, word] : std::vector<std::pair<int, std::string>>{{1, "data_dir"},
                                                                           {3, "duration"},
                                                                           {4, "from 1s"},
                                                                           {5, "whole number"},
                                                                           {6, "poll.interval?"},
                                                                           {8, "true or false"},
                                                                           {10, "address:port"},
                                                                           {11, "list"},
                                                                           {13, "32"},
                                                                           {14, "credentials"},
                                                                           {15, "management_key?"},
                                                                           {17, "debug"}}) {
    INFO("line " << line);
    const auto at = text.find("a.toml:" + std::to_string(line) + ":");
    REQUIRE(at != std::string::npos);
    CHECK(text.substr(at, text.find('\n', at) - at).find(word) != std::string::npos);
  }
  CHECK(text.find("no secret is taken from it; use nats.password_file") != std::string::npos);
  CHECK(text.find("no.such: there is no such option") != std::string::npos);
  CHECK(text.find("hunter2") == std::string::npos);
  CHECK(text.find("geheim") == std::string::npos);
}

TEST_CASE("the two short variables make a node named default") {
  auto sources = bare();
  sources.environment["KEYPORTAL_CPA_URL"] = "http://127.0.0.1:8317/";
  sources.environment["KEYPORTAL_CPA_KEY"] = "a-management-key";
  const auto loaded = load_settings(sources);
  INFO(all_of_it(loaded.errors));
  REQUIRE(loaded.errors.empty());
  REQUIRE(loaded.values.nodes.size() == 1);
  CHECK(loaded.values.nodes[0].name == "default");
  CHECK(loaded.values.nodes[0].url == "http://127.0.0.1:8317");
  CHECK(loaded.values.nodes[0].management_key.reveal() == "a-management-key");
}

TEST_CASE("nodes keep the order of the file and take secrets from files beside it") {
  config_folder folder;
  folder.write("b.key", "key-of-b-node\n");
  auto sources = bare();
  sources.file =
    folder.write("a.toml", "[[node]]\nname = \"b\"\nurl = \"http://b:1\"\nmanagement_key_file = \"b.key\"\n"
                           "[[node]]\nname = \"a\"\nurl = \"https://a\"\nmanagement_key = \"key-of-a-node\"\n");
  sources.overrides = {{"node.a.url", "https://other"}};
  const auto loaded = load_settings(sources);
  INFO(all_of_it(loaded.errors));
  REQUIRE(loaded.errors.empty());
  REQUIRE(loaded.values.nodes.size() == 2);
  CHECK(loaded.values.nodes[0].name == "b");
  CHECK(loaded.values.nodes[0].management_key.reveal() == "key-of-b-node");
  CHECK(loaded.values.nodes[1].url == "https://other");
  CHECK(mentions(loaded.warnings, "unencrypted")); // http://b is another host
}

TEST_CASE("what would go to another host unencrypted is told; on this machine it is nobody's business") {
  const auto told = [](std::string nats) {
    auto sources = bare();
    sources.overrides = {{"nats.url", std::move(nats)}};
    return mentions(load_settings(sources).warnings, "unencrypted");
  };
  CHECK(told("nats://10.0.0.7:4222"));
  CHECK(told("tls://a.example:4222,nats://b.example:4222"));
  CHECK_FALSE(told("tls://a.example:4222"));
  CHECK_FALSE(told("nats://127.0.0.1:4222,nats://localhost:4223"));
}

TEST_CASE(
  "pages may be below a path of a proxy's and in frames of named origins, and nothing else is taken for either") {
  const auto refused = [](const char* name, std::string value) {
    auto sources = bare();
    sources.overrides = {{name, std::move(value)}};
    return mentions(load_settings(sources).errors, "");
  };
  for (const char* good : {"", "/keys", "/team/keys", "/a-b_c.d"})
    CHECK_FALSE(refused("gateway.base_path", good));
  for (const char* bad :
       {"keys", "/", "/keys/", "/a//b", "/../a", "/api", "/assets/x", "/admin", "/a b", "/a?b", "/a\"b"}) {
    CAPTURE(bad);
    CHECK(refused("gateway.base_path", bad));
  }
  CHECK_FALSE(refused("gateway.frame_ancestors", "https://intranet.example.com,http://10.0.0.7:8080"));
  for (const char* bad :
       {"*", "https://", "https://a/b", "intranet.example.com", "https://a; script-src *", "'self'"}) {
    CAPTURE(bad);
    CHECK(refused("gateway.frame_ancestors", bad));
  }
}

TEST_CASE("two nodes may have neither the same name nor the same url") {
  config_folder folder;
  auto sources = bare();
  sources.file =
    folder.write("a.toml", "[[node]]\nname = \"a\"\nurl = \"http://localhost:1\"\nmanagement_key = \"k\"\n"
                           "[[node]]\nname = \"a\"\nurl = \"http://localhost:1/\"\nmanagement_key = \"k\"\n");
  const auto loaded = load_settings(sources);
  CHECK(mentions(loaded.errors, "two nodes have this name"));
  CHECK(mentions(loaded.errors, "counted twice"));
}

TEST_CASE("a secret given as value and as file in one place is refused, in two places the stronger one wins") {
  config_folder folder;
  folder.write("k", "from-the-file");
  auto sources = bare();
  sources.file =
    folder.write("a.toml", "[[node]]\nname = \"default\"\nurl = \"http://localhost:1\"\nmanagement_key_file = \"k\"\n");
  sources.environment["KEYPORTAL_CPA_KEY"] = "from-the-environment";
  auto loaded = load_settings(sources);
  REQUIRE(loaded.errors.empty());
  CHECK(loaded.values.nodes[0].management_key.reveal() == "from-the-environment");
  sources.environment["KEYPORTAL_CPA_KEY_FILE"] = (folder.path() / "k").string();
  loaded = load_settings(sources);
  CHECK(mentions(loaded.errors, "keep one"));
}

TEST_CASE("files of secrets that are missing, empty or of several lines are refused, open ones warned about") {
  config_folder folder;
  auto sources = bare();
  sources.environment["KEYPORTAL_CPA_URL"] = "http://localhost:1";
  const auto with = [&](const std::filesystem::path& file) {
    sources.environment["KEYPORTAL_CPA_KEY_FILE"] = file.string();
    return load_settings(sources);
  };
  CHECK(mentions(with(folder.path() / "none").errors, "there is no file"));
  CHECK(mentions(with(folder.path()).errors, "there is no file"));
  CHECK(mentions(with(folder.write("empty", "\n")).errors, "on one line"));
  CHECK(mentions(with(folder.write("two", "a\nb\n")).errors, "on one line"));
  CHECK(mentions(with(folder.write("big", std::string(5000, 'a'))).errors, "on one line"));
  CHECK(mentions(with(folder.write("open", "secret", 0644)).warnings, "chmod 600"));
  CHECK(with(folder.write("good", "secret\r\n")).errors.empty());
}

TEST_CASE("a file that cannot be read or is not TOML is an error that shows nothing of its text") {
  config_folder folder;
  auto sources = bare();
  sources.file = folder.path() / "missing.toml";
  CHECK(mentions(load_settings(sources).errors, "cannot be read"));
  sources.file = folder.write("broken.toml", "[[node]]\nmanagement_key = \"hunter2hunter2\nurl = 1\n");
  const auto loaded = load_settings(sources);
  INFO(all_of_it(loaded.errors));
  CHECK(mentions(loaded.errors, "broken.toml:2"));
  CHECK_FALSE(mentions(loaded.errors, "hunter2"));
  for (const std::string& text :
       {std::string(200'000, '['), std::string("a = ") + std::string(100'000, '{'), std::string(2 << 20, 'a'),
        std::string("a = \"\0\"", 7), std::string("\xff\xfe\x00", 3), std::string("[node]\nurl = 1"),
        std::string("node = [1]")}) {
    sources.file = folder.write("hostile.toml", text);
    CHECK_FALSE(load_settings(sources).errors.empty());
  }
}

TEST_CASE("no mangled configuration makes loading fail otherwise than with errors") {
  const auto seed = make_seed();
  std::mt19937_64 random{seed};
  config_folder folder;
  const auto example = example_toml();
  auto sources = bare();
  for (int i = 0; i < 60; ++i) {
    auto text = example;
    text.erase(std::remove(text.begin(), text.end(), '#'), text.end());
    text = text.substr(random() % text.size(), random() % 2000);
    for (int n = 0; n < 5 && !text.empty(); ++n)
      text[random() % text.size()] = static_cast<char>(random());
    sources.file = folder.write("mangled.toml", text);
    load_settings(sources); // must come back
  }
  SUCCEED();
}

TEST_CASE("empty variables are as if unset and unknown ones are warned about, Kubernetes' own aside") {
  auto sources = bare();
  sources.environment["KEYPORTAL_POLL_INTERVAL"] = "";
  sources.environment["KEYPORTAL_POL_INTERVAL"] = "4s";
  sources.environment["KEYPORTAL_SERVICE_HOST"] = "10.0.0.1";
  sources.environment["KEYPORTAL_PORT_8390_TCP"] = "tcp://10.0.0.1:8390";
  const auto loaded = load_settings(sources);
  CHECK(loaded.errors.empty());
  CHECK(loaded.values.poll.interval == 3s);
  CHECK(mentions(loaded.warnings, "KEYPORTAL_POL_INTERVAL"));
  CHECK_FALSE(mentions(loaded.warnings, "KEYPORTAL_SERVICE_HOST"));
  CHECK_FALSE(mentions(loaded.warnings, "KEYPORTAL_PORT"));
}

TEST_CASE("the data folder is systemd's, root's or the person's") {
  auto sources = bare();
  CHECK(load_settings(sources).values.data_dir == "/home/somebody/.local/share/keyportal");
  sources.environment["XDG_DATA_HOME"] = "/data";
  CHECK(load_settings(sources).values.data_dir == "/data/keyportal");
  sources.is_root = true;
  CHECK(load_settings(sources).values.data_dir == "/var/lib/keyportal");
  sources.environment["STATE_DIRECTORY"] = "/var/lib/a:/var/lib/b";
  CHECK(load_settings(sources).values.data_dir == "/var/lib/a");
  sources.overrides = {{"data_dir", "/chosen"}};
  CHECK(load_settings(sources).values.data_dir == "/chosen");
  CHECK(mentions(load_settings(setting_sources{}).errors, "data_dir"));
}

TEST_CASE("a listen address that others reach is warned about, not refused") {
  auto sources = bare();
  sources.overrides = {{"gateway.listen", "0.0.0.0:8390"}};
  const auto loaded = load_settings(sources);
  CHECK(loaded.errors.empty());
  CHECK(mentions(loaded.warnings, "without TLS"));
}

TEST_CASE("NATS credentials need a server outside, and only one way of signing in") {
  auto sources = bare();
  sources.environment["KEYPORTAL_NATS_TOKEN"] = "tttttttttttttt";
  CHECK(mentions(load_settings(sources).errors, "nats.url"));
  sources.environment["KEYPORTAL_NATS_URL"] = "tls://a:4222,tls://b:4222";
  CHECK(load_settings(sources).errors.empty());
  sources.environment["KEYPORTAL_NATS_USER"] = "u";
  const auto loaded = load_settings(sources);
  CHECK(mentions(loaded.errors, "go together"));
  CHECK(mentions(loaded.errors, "several ways"));
  CHECK_FALSE(mentions(loaded.errors, "tttt"));
  sources.environment["KEYPORTAL_NATS_URL"] = "nats://user:pass@host";
  CHECK(mentions(load_settings(sources).errors, "credentials do not belong"));
}

TEST_CASE("other tools get keys of their own, each with a name, from the file or from files of their own") {
  config_folder folder;
  folder.write("keeper.key", "keeper-key-0001\n");
  folder.write("late.key", "late-key-00001\n");
  auto sources = bare();
  sources.file = folder.write("a.toml", "[compat]\n"
                                        "listen = \"127.0.0.1:0\"\n"
                                        "management_key = \"plain-key-00001\"\n"
                                        "[[compat.consumer]]\n"
                                        "name = \"keeper\"\n"
                                        "key_file = \"keeper.key\"\n"
                                        "node = \"eu\"\n"
                                        "from = \"beginning\"\n"
                                        "[[compat.consumer]]\n"
                                        "key = \"other-key-00001\"\n"
                                        "name = \"other\"\n"
                                        "[[node]]\n"
                                        "name = \"eu\"\n"
                                        "url = \"http://127.0.0.1:8317\"\n"
                                        "management_key = \"cpa-key-000001\"\n");
  sources.overrides = {{"compat.consumer.late.key_file", folder.path() / "late.key"}};
  const auto loaded = load_settings(sources);
  INFO(all_of_it(loaded.errors));
  REQUIRE(loaded.errors.empty());
  const auto& compat = loaded.values.compat;
  CHECK(compat.management_key.reveal() == "plain-key-00001");
  REQUIRE(compat.consumers.size() == 3);
  CHECK(compat.consumers[0].name == "keeper");
  CHECK(compat.consumers[0].key.reveal() == "keeper-key-0001");
  CHECK(compat.consumers[0].node == "eu");
  CHECK(compat.consumers[0].from == "beginning");
  CHECK(compat.consumers[1].key.reveal() == "other-key-00001");
  CHECK(compat.consumers[2].key.reveal() == "late-key-00001");
  CHECK(loaded.origins.at("compat.consumer.keeper.node") == sources.file->string() + ":7");
  for (const auto& text : {print_toml(loaded), print_json(loaded)}) {
    CHECK(text.find("keeper") != std::string::npos);
    for (const auto* key : {"keeper-key", "other-key", "plain-key", "late-key"})
      CHECK(text.find(key) == std::string::npos);
  }
}

TEST_CASE("keys of other tools that could not be told apart, or are a node's, are refused") {
  config_folder folder;
  const auto with = [&](const std::string& lines) {
    auto sources = bare();
    sources.environment["KEYPORTAL_CPA_URL"] = "http://127.0.0.1:8317";
    sources.environment["KEYPORTAL_CPA_KEY"] = "cpa-key-000001";
    sources.file = folder.write("a.toml", "[compat]\nlisten = \"127.0.0.1:8391\"\n" + lines);
    return load_settings(sources).errors;
  };
  const std::string consumer = "[[compat.consumer]]\nname = \"a\"\nkey = \"same-key-0001\"\n";
  CHECK(with(consumer).empty());
  CHECK(mentions(with(""), "compat.management_key: the listener needs it"));
  CHECK(mentions(with("management_key = \"cpa-key-000001\"\n"), "the management key of a node"));
  CHECK(mentions(with("management_key = \"same-key-0001\"\n" + consumer),
                 "a.toml:6: compat.consumer.a.key: two consumers"));
  CHECK(mentions(with(consumer + consumer), "compat.consumer.a.name: two consumers have this name"));
  CHECK(mentions(with("[[compat.consumer]]\nname = \"default\"\nkey = \"k\"\n"), "or it is default"));
  CHECK(mentions(with("[[compat.consumer]]\nkey = \"k\"\n"), "compat.consumer.1.name"));
  CHECK(mentions(with(consumer + "node = \"nowhere\"\n"), "compat.consumer.a.node: no node has this name"));
  CHECK(mentions(with(consumer + "from = \"now\"\n"), "compat.consumer.a.from"));
  CHECK(mentions(with(consumer + "key_fil = \"x\"\n"), "did you mean key_file?"));
  CHECK(mentions(with("[compat.consumer]\nname = \"a\"\n"), "[[compat.consumer]]"));
  CHECK(mentions(with("consumer = [1]\n"), "[[compat.consumer]]"));
  auto sources = bare();
  sources.overrides = {{"compat.consumer.a.key", "secret-on-the-line"},
                       {"compat.management_key", "secret-on-the-line"}};
  const auto loaded = load_settings(sources);
  CHECK(loaded.errors.size() == 2);
  CHECK_FALSE(mentions(loaded.errors, "secret-on-the-line"));
}
