#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

#include "actors/cli/files.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;
using namespace keyportal::cli;

namespace {

std::string content(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

const std::string original = R"({"version":1,"exported_at":"2026-04-03T01:02:03Z","usage":{"total_requests":3,
  "apis":{"sk-a":{"total_requests":2,"models":{"m":{"details":[{"timestamp":"2026-04-01T00:00:00Z","tokens":{"total_tokens":1}},
  {"timestamp":"2026-04-01T00:00:01Z","tokens":{}}]}}},"sk-b":{"models":{"n":{"details":[{}]},"empty":{"details":[]}}}},
  "requests_by_day":{"2026-04-01":3}}})";

} // namespace

TEST_CASE("a written file is whole, its owner's alone, and leaves nothing beside it") {
  test::temporary_folder folder;
  const auto file = folder.path() / "usage.json";
  REQUIRE_FALSE(write_file(file, "first"));
  std::ifstream reader(file); // whoever reads meanwhile has the old file, whole
  REQUIRE_FALSE(write_file(file, "second, and longer"));
  std::string seen;
  std::getline(reader, seen);
  CHECK(seen == "first");
  CHECK(content(file) == "second, and longer");
  struct stat info {};
  REQUIRE(stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("when writing fails, what was there stays and nothing is left beside it") {
  test::temporary_folder folder;
  CHECK(code_of(write_file(folder.path() / "none" / "usage.json", "x")) == errc::file_unreadable);
  std::filesystem::create_directories(folder.path() / "taken" / "inside");
  CHECK(code_of(write_file(folder.path() / "taken", "x")) == errc::file_unreadable); // a folder has the name
  CHECK(std::filesystem::is_directory(folder.path() / "taken"));
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("files are read whole, from standard input too, and what is none is refused") {
  test::temporary_folder folder;
  std::istringstream in("from standard input");
  CHECK(*read_file("-", in) == "from standard input");
  const std::string large(3'000'000, 'a');
  REQUIRE_FALSE(write_file(folder.path() / "large", large));
  CHECK(*read_file(folder.path() / "large", in) == large);
  CHECK(code_of(read_file(folder.path() / "none", in).error()) == errc::file_unreadable);
  CHECK(code_of(read_file(folder.path(), in).error()) == errc::file_unreadable);
}

TEST_CASE("an export is counted: keys, and details wherever they stand") {
  const auto found = look_into(original);
  REQUIRE(found);
  CHECK(found->records == 3);
  CHECK(found->keys == 2);
  CHECK(look_into(R"({"usage":{}})")->records == 0);
  CHECK(look_into(R"({"version":0,"usage":{"apis":{}}})")->records == 0);
}

TEST_CASE("what is no export is refused by its reason") {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("null"), std::string("[]"), std::string("{}"), std::string("1"),
        std::string(R"({"usage":[]})"), std::string(R"({"usage":{}} trailing)"), std::string(R"({"version":1})"),
        original.substr(0, original.size() / 2), std::string(1'000'000, '[')}) {
    INFO(text.substr(0, 60));
    const auto found = look_into(text);
    REQUIRE_FALSE(found);
    CHECK(code_of(found.error()) == errc::file_malformed);
  }
  for (const char* text :
       {R"({"version":2,"usage":{}})", R"({"version":"1","usage":{}})", R"({"version":1.5,"usage":{}})"}) {
    const auto found = look_into(text);
    REQUIRE_FALSE(found);
    CHECK(code_of(found.error()) == errc::file_version);
  }
}
