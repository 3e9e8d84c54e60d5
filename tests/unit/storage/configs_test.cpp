// What nodes' configs were.
#include <catch2/catch_test_macros.hpp>

#include "sample.hpp"

namespace keyportal::storage::test {
namespace {

keep_config config_of(const node_name& node, const std::string& text, std::int64_t second = 0) {
  return {node, at_seconds(second), std::make_shared<const std::string>(text)};
}

} // namespace

TEST_CASE("The newest twenty configs of a node are kept and come back byte for byte") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  const auto text = [](int i) {
    return "port: " + std::to_string(i) + std::string(5000, '#') + std::string("\0\r\n", 3);
  };
  {
    const auto books = must_open(how);
    CHECK(must(books->configs("alpha")).empty());
    for (int i = 1; i <= 25; ++i) {
      const auto info = must(books->keep_config(config_of("alpha", text(i), i)));
      CHECK(info.number == static_cast<std::uint64_t>(i));
      CHECK(info.node == "alpha");
      CHECK(info.bytes == text(i).size());
      CHECK(info.sha256.size() == 64);
    }
    CHECK(must(books->keep_config(config_of("alphabet", "other"))).number == 1);
  }
  const auto books = must_open(how);
  const auto kept = must(books->configs("alpha"));
  REQUIRE(kept.size() == 20);
  for (int i = 0; i < 20; ++i) {
    const auto& info = kept[static_cast<std::size_t>(i)];
    CHECK(info.number == static_cast<std::uint64_t>(25 - i));
    CHECK(info.at == at_seconds(25 - i));
    CHECK(must(books->read_config("alpha", info.number)) == text(25 - i));
  }
  for (const std::uint64_t unknown : {0, 1, 5, 26})
    CHECK(code_of(books->read_config("alpha", unknown).error()) == errc::config_unknown);
  CHECK(code_of(books->read_config("beta", 1).error()) == errc::config_unknown);
  CHECK(must(books->read_config("alphabet", 1)) == "other");
  CHECK(must(books->configs("alphabet")).size() == 1);
}

TEST_CASE("A config that is as it was is not kept again, one that is as it was before the last is") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must(books->keep_config(config_of("alpha", "a", 1)));
  const auto again = must(books->keep_config(config_of("alpha", "a", 2)));
  CHECK(again.number == 1);
  CHECK(again.at == at_seconds(1));
  CHECK(must(books->keep_config(config_of("alpha", "", 3))).number == 2);
  CHECK(must(books->keep_config(config_of("alpha", "a", 4))).number == 3);
  CHECK(must(books->configs("alpha")).size() == 3);
  CHECK(must(books->read_config("alpha", 2)).empty());
}

TEST_CASE("A config without a node or a text is refused") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  for (const auto& bad : {config_of("", "a"), config_of(std::string(256, 'a'), "a"), keep_config{"alpha", {}, nullptr}})
    CHECK(code_of(books->keep_config(bad).error()) == errc::bad_request);
}

} // namespace keyportal::storage::test
