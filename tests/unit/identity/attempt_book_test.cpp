#include "actors/identity/attempt_book.hpp"

#include <set>

#include <catch2/catch_test_macros.hpp>

#include "issuer.hpp"

using namespace keyportal;
using namespace keyportal::identity;
using namespace keyportal::identity::test;
using namespace std::chrono_literals;

namespace {

attempt_book::wish wish(const std::string& return_to = "/keys", const std::string& origin = "192.0.2.1",
                        const std::string& its_cookie = cookie) {
  return {"company", return_to, {}, origin, secret{its_cookie}};
}

/// Random bytes of which each call's are others.
std::array<std::uint8_t, 96> fresh() {
  static std::uint64_t number = 0;
  auto out = bytes(7);
  ++number;
  for (std::size_t i = 0; i < 8; ++i)
    out[i] = out[32 + i] = out[64 + i] = static_cast<std::uint8_t>(number >> 8 * i);
  return out;
}

} // namespace

TEST_CASE("a sign-in comes back once, to the browser that began it, with what it was begun with") {
  attempt_book book;
  auto asked = wish("/keys?mine=1");
  asked.link_to = "user-7";
  const auto attempt = book.begin(asked, fresh(), noon);
  REQUIRE(attempt);
  const auto back = book.take("company", attempt->state.reveal(), cookie, noon + 9min);
  REQUIRE(back);
  CHECK(back->return_to == "/keys?mine=1");
  CHECK(back->link_to == "user-7");
  CHECK(back->nonce == attempt->nonce);
  CHECK(back->verifier == attempt->verifier);
  const auto again = book.take("company", attempt->state.reveal(), cookie, noon + 9min);
  REQUIRE_FALSE(again);
  CHECK(code_of(again.error()) == errc::sign_in_expired);
  CHECK(book.size() == 0);
}

TEST_CASE("state, nonce and verifier have 256 bits each and share none") {
  attempt_book book;
  std::set<std::string> seen;
  for (int i = 0; i < 20; ++i) {
    const auto attempt = book.begin(wish(), fresh(), noon);
    REQUIRE(attempt);
    for (const auto* text : {&attempt->state, &attempt->nonce, &attempt->verifier}) {
      CHECK(text->reveal().size() == 43); // what PKCE asks for, too
      seen.insert(text->reveal());
    }
  }
  CHECK(seen.size() == 60);
}

TEST_CASE(
  "a swapped or foreign state, another browser and another provider are all told the same, and use the state up") {
  attempt_book book;
  const auto mine = book.begin(wish(), fresh(), noon);
  const auto theirs = book.begin(wish("/keys", "192.0.2.1", std::string(40, 'd')), fresh(), noon);
  const auto other = book.begin(wish(), fresh(), noon);
  REQUIRE((mine && theirs && other));
  // Whoever has signed in with his own account sends somebody else his callback.
  CHECK_FALSE(book.take("company", theirs->state.reveal(), cookie, noon));
  CHECK_FALSE(book.take("company", theirs->state.reveal(), std::string(40, 'd'), noon)); // used up
  CHECK_FALSE(book.take("company", mine->state.reveal(), "", noon));
  CHECK_FALSE(book.take("another", other->state.reveal(), cookie, noon));
  CHECK_FALSE(book.take("company", "", cookie, noon));
  CHECK_FALSE(book.take("company", std::string(100'000, 'A'), cookie, noon));
  CHECK(book.size() == 0);
}

TEST_CASE("a sign-in ends after ten minutes, also when the clock was set back") {
  attempt_book book;
  const auto one = book.begin(wish(), fresh(), noon), two = book.begin(wish(), fresh(), noon);
  REQUIRE((one && two));
  CHECK(book.take("company", one->state.reveal(), cookie, noon + 10min - 1ns));
  CHECK_FALSE(book.take("company", two->state.reveal(), cookie, noon + 10min));
  const auto three = book.begin(wish(), fresh(), noon);
  REQUIRE(three);
  CHECK_FALSE(book.take("company", three->state.reveal(), cookie, noon - 11min));
}

TEST_CASE("who only begins sign-ins takes away his own and not those of others") {
  attempt_book book({100, 10, 10min});
  const auto victim = book.begin(wish("/", "198.51.100.7"), fresh(), noon);
  REQUIRE(victim);
  const auto first = book.begin(wish(), fresh(), noon);
  REQUIRE(first);
  for (int i = 0; i < 1000; ++i)
    CHECK(book.begin(wish(), fresh(), noon));
  CHECK(book.size() == 11);
  CHECK_FALSE(book.take("company", first->state.reveal(), cookie, noon));
  CHECK(book.take("company", victim->state.reveal(), cookie, noon));
}

TEST_CASE("however many places sign-ins are begun from, the book stays bounded and the newest have a place") {
  attempt_book book({100, 10, 10min});
  std::string last;
  for (int i = 0; i < 1000; ++i) {
    const auto attempt = book.begin(wish("/", "192.0.2." + std::to_string(i)), fresh(), noon);
    REQUIRE(attempt);
    last = attempt->state.reveal();
    CHECK(book.size() <= 100);
  }
  CHECK(book.take("company", last, cookie, noon));
}

TEST_CASE("a cookie that could be guessed is not taken") {
  attempt_book book;
  CHECK_FALSE(book.begin(wish("/", "a", ""), fresh(), noon));
  CHECK_FALSE(book.begin(wish("/", "a", std::string(21, 'x')), fresh(), noon));
  CHECK_FALSE(book.begin(wish("/", "a", std::string(1000, 'x')), fresh(), noon));
  const auto random = fresh();
  const auto made = prelogin_cookie(std::span(random).subspan<0, 32>());
  CHECK(made.reveal().size() == 43);
  CHECK(book.begin(wish("/", "a", made.reveal()), fresh(), noon));
}

TEST_CASE("after signing in one goes on to a page of ours, never to somebody else's") {
  for (const auto* path : {"/", "/keys", "/keys?tab=usage&from=2026-01-01", "/users/ada@example.com", "/a%20b",
                           "/keys/%C3%A4", "/x?next=a%3Ab", "/a.b/c..d", "/%E4%B8%AD"}) {
    INFO(path);
    CHECK(is_local_path(path));
  }
  for (const std::string path : {"",
                                 "keys",
                                 "//evil.example",
                                 "///evil.example",
                                 "/\\evil.example",
                                 "\\\\evil.example",
                                 "/\t/evil.example",
                                 "/\n/evil.example",
                                 "\t//evil.example",
                                 " /keys",
                                 "https://evil.example",
                                 "https:evil.example",
                                 "HTTPS:/evil.example",
                                 "javascript:alert(1)",
                                 "data:text/html,x",
                                 "/%2f/evil.example",
                                 "/%2F%2Fevil.example",
                                 "/%5cevil.example",
                                 "/%5C%5Cevil.example",
                                 "/.//evil.example",
                                 "/..//evil.example",
                                 "/a/..//evil.example",
                                 "/%2e%2e//evil.example",
                                 "/%2e/evil",
                                 "/a/../b",
                                 "/a/.",
                                 "/a/..",
                                 "/..",
                                 "/%252f/evil.example",
                                 "/%25",
                                 "/%",
                                 "/%4",
                                 "/%zz",
                                 "/a\r\nLocation: x",
                                 "/%0d%0aLocation:x",
                                 "/%00",
                                 "/a#b",
                                 "/a b",
                                 "/<script>",
                                 "/\"",
                                 "/a?x=//evil.example",
                                 "/a?/../b",
                                 "/\xe4\xb8\xad",
                                 "/\xc2\xa0/evil.example",
                                 "?x",
                                 "#x",
                                 ".",
                                 "..",
                                 "@evil.example",
                                 ":80/x"}) {
    INFO(path);
    CHECK_FALSE(is_local_path(path));
    attempt_book book;
    const auto attempt = book.begin(wish(path.empty() ? "x" : path), fresh(), noon);
    REQUIRE_FALSE(attempt);
    CHECK(code_of(attempt.error()) == errc::return_to_refused);
  }
  CHECK_FALSE(is_local_path(std::string("/\0", 2)));
  CHECK_FALSE(is_local_path("/" + std::string(1024, 'a')));
  attempt_book book;
  CHECK(book.begin(wish(""), fresh(), noon)->return_to == "/");
}
