#include "actors/cpa/config_text.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace keyportal;
using strings = std::vector<std::string>;

namespace {
const secret sentinel{"sk-sentinel-0123456789"};
const std::string good = "# a comment\n"
                         "host: \"\"\n"
                         "port: 8317\n"
                         "remote-management:\n"
                         "  allow-remote: true\n"
                         "  secret-key: $2a$10$abcdefghijklmnopqrstuv\n"
                         "api-keys:\n"
                         "  - \"sk-one\" # of Alice\n"
                         "  - 'sk-two'\n"
                         "  # nobody's\n"
                         "  - sk-sentinel-0123456789\n"
                         "openai-compatibility:\n"
                         "  - name: fake\n"
                         "    api-key-entries:\n"
                         "      - api-key: up\n";
std::string without(std::string text, const std::string& part, const std::string& instead = {}) {
  const auto at = text.find(part);
  REQUIRE(at != std::string::npos);
  return text.replace(at, part.size(), instead);
}
} // namespace

TEST_CASE("The keys of a config.yaml are found in every spelling that CLIProxyAPI and people use") {
  CHECK(cpa::read_config_text(good)->api_keys == strings{"sk-one", "sk-two", "sk-sentinel-0123456789"});
  CHECK(cpa::read_config_text("api-keys:\n- a\n-   b\nport: 1\n")->api_keys == strings{"a", "b"});
  CHECK(cpa::read_config_text("api-keys:\r\n    - a\r\n")->api_keys == strings{"a"});
  CHECK(cpa::read_config_text("api-keys: [\"a, b\", 'it''s', c] # three\n")->api_keys == strings{"a, b", "it's", "c"});
  CHECK(cpa::read_config_text("api-keys: []\n")->api_keys.empty());
  CHECK(cpa::read_config_text("port: 1\n")->api_keys.empty());
  CHECK(cpa::read_config_text("---\nother:\n- x: |\n    api-keys:\nport: 1")->api_keys.empty());
}

TEST_CASE("What is not understood is not taken for a config.yaml") {
  for (const auto* text : {"",
                           "\n\n",
                           "# only words\n",
                           "just text\n",
                           "\tapi-keys:\n",
                           "<html>\n",
                           "{}\n",
                           "[]\n",
                           "api-keys:\n  - a\napi-keys:\n  - b\n", // twice
                           "api-keys:\n  - \"a\n",                 // never ends
                           "api-keys: &anchor\n  - a\n",
                           "api-keys: *alias\n",
                           "api-keys: a\n",
                           "api-keys:\n  - &x a\n",
                           "api-keys:\n  - {a: b}\n",
                           "api-keys:\n  - a: b\n",
                           "api-keys: [a\n",
                           "api-keys: [a b]]\n",
                           "api-keys:\n  a: b\n",
                           "api-keys:\n  - \"\\u0061\"\n",
                           "remote-management: {secret-key: x}\n",
                           "remote-management:\n  secret-key: |\n    x\n",
                           "a: 1\n...\n",
                           "a: 1\n---\nb: 2\n",
                           "? api-keys\n",
                           "\"api-keys\":\n  - a\n"}) {
    INFO(text);
    CHECK_FALSE(cpa::read_config_text(text));
  }
}

TEST_CASE("The keys of a config.yaml are replaced, and every other line stays") {
  const std::vector<secret> keys{secret{"sk-new"}, secret{"sk-\"quoted\""}};
  const auto out = cpa::with_keys(good, keys);
  REQUIRE(out);
  CHECK(cpa::read_config_text(*out)->api_keys == strings{"sk-new", "sk-\"quoted\""});
  CHECK(out->starts_with(good.substr(0, good.find("api-keys:"))));
  CHECK(out->ends_with(good.substr(good.find("openai-compatibility:"))));
  CHECK(*cpa::with_keys("api-keys: [a, b]\nport: 1", keys)
        == "api-keys:\n  - \"sk-new\"\n  - \"sk-\\\"quoted\\\"\"\nport: 1\n");
  CHECK(*cpa::with_keys("api-keys:\n- a\n\n# b\n- c\nport: 1\n", {secret{"x"}})
        == "api-keys:\n  - \"x\"\n\n# b\nport: 1\n");
  CHECK(*cpa::with_keys("port: 1\n", {secret{"x"}}) == "port: 1\napi-keys:\n  - \"x\"\n");
  CHECK_FALSE(cpa::with_keys("", keys));
  CHECK_FALSE(cpa::with_keys("<html>", keys));
}

TEST_CASE("A config.yaml that would lock us out or open the node is told apart") {
  CHECK(cpa::config_danger(good, sentinel).empty());
  CHECK(cpa::config_danger(good, {}).empty());
  CHECK(cpa::config_danger("", sentinel) == "it is empty");
  CHECK(cpa::config_danger(" \n\n", sentinel) == "it is empty");
  CHECK(cpa::config_danger("<html>", sentinel) == "it is not understood");
  CHECK(cpa::config_danger(without(good, "  secret-key: $2a$10$abcdefghijklmnopqrstuv\n"), sentinel).find("secret-key")
        != std::string::npos);
  CHECK(cpa::config_danger(without(good, "$2a$10$abcdefghijklmnopqrstuv", "\"\""), sentinel).find("secret-key")
        != std::string::npos);
  CHECK(cpa::config_danger(without(good, "sk-sentinel-0123456789", "sk-three"), sentinel).find("sentinel")
        != std::string::npos);
  CHECK(cpa::config_danger(without(good, "sk-two", " your-api-key-3 "), sentinel).find("example") != std::string::npos);
  CHECK(cpa::config_danger("remote-management:\n  secret-key: x\napi-keys: []\n", {}) == "it has no api-keys");
  CHECK(cpa::config_danger("remote-management:\n  secret-key: x\napi-keys: ['', \" \"]\n", {}) == "it has no api-keys");
  CHECK(cpa::config_danger("remote-management:\n  secret-key: x\n", {}) == "it has no api-keys");
  // Cut anywhere, it is never taken for whole and safe without the sentinel.
  for (std::size_t n = 0; n < good.find(sentinel.reveal()) + sentinel.reveal().size(); ++n)
    CHECK_FALSE(cpa::config_danger(good.substr(0, n), sentinel).empty());
}

TEST_CASE("Only what a header can carry is a usable key") {
  CHECK(cpa::is_usable_key("sk-portal-a_B9~!"));
  for (const auto* text : {"", " ", "a b", "a\n", "\x7f", "schl\xc3\xbcssel", "your-api-key-1"})
    CHECK_FALSE(cpa::is_usable_key(text));
  CHECK_FALSE(cpa::is_usable_key(std::string(513, 'a')));
}
