#include <random>

#include <catch2/catch_test_macros.hpp>

#include "gateway/target.hpp"
#include "tests/support/seed.hpp"

using keyportal::http_request;
using keyportal::gateway::read_target;

TEST_CASE("a target is split into a decoded path and decoded parameters") {
  http_request out;
  REQUIRE(read_target("/a%20b/c?x=1&name=%C3%A4+b&flag&=&y=a=b", out));
  CHECK(out.path == "/a b/c");
  REQUIRE(out.query.size() == 5);
  CHECK(out.query[0] == std::pair<std::string, std::string>("x", "1"));
  CHECK(out.query[1] == std::pair<std::string, std::string>("name", "\xc3\xa4 b"));
  CHECK(out.query[2].first == "flag");
  CHECK(out.query[4] == std::pair<std::string, std::string>("y", "a=b"));
}

TEST_CASE("a plus sign in a path stays a plus sign") {
  http_request out;
  REQUIRE(read_target("/a+b", out));
  CHECK(out.path == "/a+b");
}

TEST_CASE("an escaped slash belongs to its segment and is told apart from those that part the path") {
  http_request out;
  REQUIRE(read_target("/users/a%2Fb%2fc@example.com/state", out));
  CHECK(out.path
        == "/users/a\x1f"
           "b\x1f"
           "c@example.com/state");
  CHECK_FALSE(read_target("/a%1fb", out)); // what stands for it cannot be sent
}

TEST_CASE("targets that are not plain are refused") {
  http_request out;
  for (const char* bad : {"", "*", "a", "http://127.0.0.1/", "/%", "/%1", "/%zz", "/a%00b", "/a\\b", "/%5c",
                          "/%0d%0aX:1", "/?x=%", "/?%g0=1"}) {
    CAPTURE(bad);
    CHECK_FALSE(read_target(bad, out));
  }
}

TEST_CASE("more than 64 parameters are refused") {
  std::string many = "/?";
  for (int i = 0; i < 64; ++i)
    many += "a=1&";
  http_request out;
  CHECK(read_target(many, out));
  CHECK_FALSE(read_target(many + "a=1", out));
}

TEST_CASE("no random target breaks the reader, and what it takes holds no control character") {
  std::mt19937_64 random(keyportal::test::make_seed());
  constexpr std::string_view letters = "/%?&=+#.0aF2fz\\\x01\r\n\x7f\xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = "/";
    for (auto n = random() % 24; n > 0; --n)
      text.push_back(letters[random() % letters.size()]);
    http_request out;
    if (!read_target(text, out))
      continue;
    REQUIRE(out.path.front() == '/');
    for (const char c : out.path)
      REQUIRE(((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == keyportal::escaped_slash));
  }
}
