#include "actors/authenticator/first_admin.hpp"

#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <sys/stat.h>

#include "tests/support/temporary_folder.hpp"
#include "tests/unit/access/bits.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {
constexpr std::int64_t day = 86'400;
std::string token_in(const std::filesystem::path& file) {
  std::ifstream in{file};
  std::string text;
  in >> text;
  return text;
}
} // namespace

TEST_CASE("The first admin's token lies in a file for its owner only, for a week and over a new start") {
  temporary_folder folder;
  const auto file = folder.path() / "first-admin.token";
  first_admin_token token{file, bits_of(7)};
  CHECK(code_of(token.check("kpb_anything", at(0))) == errc::invitation_refused);
  REQUIRE_FALSE(token.offer(bits_of(1), at(0)));
  struct stat kept {};
  REQUIRE(stat(file.c_str(), &kept) == 0);
  CHECK((kept.st_mode & 0777) == 0600);
  const auto text = token_in(file);
  CHECK(text.size() == 63);
  CHECK_FALSE(token.check(text, at(7 * day - 1)));
  CHECK(code_of(token.check(text, at(7 * day))) == errc::invitation_refused);

  first_admin_token again{file, bits_of(7)}; // the process was started anew
  REQUIRE_FALSE(again.offer(bits_of(2), at(day)));
  CHECK(token_in(file) == text);
  CHECK_FALSE(again.check(text, at(day)));

  first_admin_token late{file, bits_of(7)};
  REQUIRE_FALSE(late.offer(bits_of(3), at(8 * day)));
  CHECK(token_in(file) != text);
  CHECK(code_of(late.check(text, at(8 * day))) == errc::invitation_refused);

  late.withdraw();
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK(code_of(late.check(text, at(8 * day))) == errc::invitation_refused);
}

TEST_CASE("A file with something else in it is no token") {
  temporary_folder folder;
  const auto file = folder.path() / "first-admin.token";
  for (const auto* content : {"", "kpb_short 0\n", "\n\n\n", "kpb_ 99999999999999999999\n"}) {
    std::ofstream{file} << content;
    first_admin_token token{file, bits_of(7)};
    REQUIRE_FALSE(token.offer(bits_of(1), at(0)));
    CHECK_FALSE(token.check(token_in(file), at(0)));
  }
}
