#include "actors/access/session_book.hpp"

#include <algorithm>
#include <map>
#include <random>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "tests/support/seed.hpp"
#include "tests/unit/access/bits.hpp"

using namespace keyportal;
using namespace keyportal::test;
using std::chrono::seconds;

namespace {

constexpr std::int64_t minute = 60, hour = 3600;

session_start start_of(std::string subject, user_role role = user_role::user,
                       second_factor factor = second_factor::not_asked) {
  return {session_kind::person, std::move(subject), role, factor, "192.0.2.7", "Firefox"};
}

} // namespace

TEST_CASE("A session is found by what the browser holds, which is kept nowhere") {
  session_book book;
  const auto opened = book.open(start_of("u1", user_role::auditor), bits_of(1), at(0));
  const auto& text = opened.id_text.reveal();
  CHECK(text.size() == 52);
  const auto* found = book.find(text, at(1));
  REQUIRE(found != nullptr);
  CHECK(found->subject == "u1");
  CHECK(found->role == user_role::auditor);
  CHECK(found->address == "192.0.2.7");
  CHECK(found->agent == "Firefox");
  CHECK(*found == opened.what);
  const std::string kept(opened.what.id.begin(), opened.what.id.end());
  CHECK(kept.find(text.substr(0, 8)) == kept.npos);
  CHECK(text.find(opened.what.name.substr(0, 8)) == text.npos);
}

TEST_CASE("Nothing but the whole id finds a session") {
  session_book book;
  const auto opened = book.open(start_of("u1"), bits_of(1), at(0));
  const auto text = opened.id_text.reveal();
  auto upper = text;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
  for (const std::string& other :
       {std::string{}, text.substr(1), text + "a", upper, opened.what.name, std::string(52, 'a'), std::string(52, '\0'),
        std::string(10'000'000, 'a'), std::string(opened.what.id.begin(), opened.what.id.end())})
    CHECK(book.find(other, at(1)) == nullptr);
}

TEST_CASE("A session ends half an hour after it was used last, and eight hours after it began whatever is done") {
  session_book book;
  const auto opened = book.open(start_of("u1"), bits_of(1), at(0));
  const auto& text = opened.id_text.reveal();
  CHECK(book.find(text, at(30 * minute - 1)) != nullptr);
  CHECK(book.find(text, at(30 * minute)) == nullptr);
  CHECK_FALSE(book.touch(opened.what.id, at(30 * minute))); // too late

  const auto busy = book.open(start_of("u2"), bits_of(2), at(0));
  for (std::int64_t now = 0; now < 8 * hour; now += 29 * minute) {
    CHECK(book.find(busy.id_text.reveal(), at(now)) != nullptr);
    (void)book.touch(busy.what.id, at(now));
  }
  CHECK(book.find(busy.id_text.reveal(), at(8 * hour - 1)) != nullptr);
  (void)book.touch(busy.what.id, at(8 * hour - 1));
  CHECK(book.find(busy.id_text.reveal(), at(8 * hour)) == nullptr);
}

TEST_CASE("What a session does is stored once a minute at most") {
  session_book book;
  const auto opened = book.open(start_of("u1"), bits_of(1), at(0));
  int stored = 0;
  for (std::int64_t now = 0; now < 600; ++now)
    stored += book.touch(opened.what.id, at(now)) ? 1 : 0;
  CHECK(stored == 9);
  CHECK(book.find(opened.id_text.reveal(), at(600))->last_seen == at(599));
}

TEST_CASE("Sessions that are due come out once, and the others stay") {
  session_book book;
  const auto idle = book.open(start_of("u1"), bits_of(1), at(0));
  const auto busy = book.open(start_of("u2"), bits_of(2), at(0));
  (void)book.touch(busy.what.id, at(20 * minute));
  REQUIRE(book.next_due());
  CHECK(*book.next_due() <= at(30 * minute));
  CHECK(book.expire(at(30 * minute - 1)).empty());
  auto ended = book.expire(at(30 * minute));
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].id == idle.what.id);
  CHECK(book.expire(at(30 * minute)).empty());
  CHECK(book.size() == 1);
  CHECK(book.expire(at(50 * minute)).size() == 1);
  CHECK_FALSE(book.next_due());
}

TEST_CASE("Until the second factor is right a session has no rights, and then it has a new id") {
  session_book book;
  const auto half = book.open(start_of("u1", user_role::admin, second_factor::pending), bits_of(1), at(0));
  CHECK(rights_of(half.what).empty());
  const auto full = book.renew(half.what.id, second_factor::done, bits_of(2), at(60));
  REQUIRE(full);
  CHECK(rights_of(full->what) == right_set::all());
  CHECK(full->id_text.reveal() != half.id_text.reveal());
  CHECK(book.find(half.id_text.reveal(), at(61)) == nullptr);
  CHECK(book.find(full->id_text.reveal(), at(61)) != nullptr);
  REQUIRE(full->ended.size() == 1);
  CHECK(full->ended[0].id == half.what.id);
  CHECK(full->what.until == at(60 + 8 * hour));
  CHECK_FALSE(book.renew(half.what.id, second_factor::done, bits_of(3), at(62)));
}

TEST_CASE("Whoever does not give the second factor is out after ten minutes") {
  session_book book;
  const auto half = book.open(start_of("u1", user_role::user, second_factor::pending), bits_of(1), at(0));
  for (std::int64_t now = 0; now < 600; now += 60)
    (void)book.touch(half.what.id, at(now));
  CHECK(book.find(half.id_text.reveal(), at(599)) != nullptr);
  CHECK(book.find(half.id_text.reveal(), at(600)) == nullptr);
  CHECK_FALSE(book.renew(half.what.id, second_factor::done, bits_of(2), at(600)));
}

TEST_CASE("A new id does not make a session last longer") {
  session_book book;
  const auto opened = book.open(start_of("u1"), bits_of(1), at(0));
  const auto again = book.renew(opened.what.id, second_factor::done, bits_of(2), at(29 * minute));
  REQUIRE(again);
  CHECK(again->what.until == opened.what.until);
  CHECK(again->what.created == at(0));
}

TEST_CASE("Who signed in with a key reads that key's usage and nothing else, whatever role is written there") {
  session_book book;
  const auto view =
    book.open({session_kind::key_view, "kabc", user_role::admin, second_factor::not_asked, "", ""}, bits_of(1), at(0));
  CHECK(rights_of(view.what) == right_set{right::own_usage});
}

TEST_CASE("A person sees the sessions that are his, and ends one by its name, but nobody else's") {
  session_book book;
  const auto first = book.open(start_of("u1"), bits_of(1), at(0));
  const auto second = book.open(start_of("u1"), bits_of(2), at(10));
  const auto other = book.open(start_of("u2"), bits_of(3), at(20));
  auto mine = book.of_subject("u1", at(30));
  REQUIRE(mine.size() == 2);
  CHECK(mine[0].id == second.what.id);
  CHECK(mine[1].id == first.what.id);
  CHECK_FALSE(book.end("u1", other.what.name));
  CHECK_FALSE(book.end("u1", "no such name"));
  CHECK_FALSE(book.end("nobody", other.what.name));
  auto ended = book.end("u1", first.what.name);
  REQUIRE(ended);
  CHECK(ended->id == first.what.id);
  CHECK(book.find(first.id_text.reveal(), at(31)) == nullptr);
  CHECK(book.find(other.id_text.reveal(), at(31)) != nullptr);
  CHECK(book.of_subject("u1", at(2 * hour)).empty()); // due ones are not shown
}

TEST_CASE("All sessions of a person end at once, but for the one that asked if it is to stay") {
  session_book book;
  for (std::uint8_t n = 1; n <= 5; ++n)
    (void)book.open(start_of("u1"), bits_of(n), at(n));
  const auto own = book.open(start_of("u1"), bits_of(6), at(6));
  const auto other = book.open(start_of("u2"), bits_of(7), at(7));
  CHECK(book.end_all("u1", &own.what.id).size() == 5);
  CHECK(book.find(own.id_text.reveal(), at(8)) != nullptr);
  CHECK(book.end_all("u1").size() == 1);
  CHECK(book.end_all("u1").empty());
  CHECK(book.find(other.id_text.reveal(), at(8)) != nullptr);
  CHECK(book.end_everything().size() == 1);
  CHECK(book.size() == 0);
}

TEST_CASE("One session more than a person may have ends the oldest") {
  session_book book{{.of_subject = 3}};
  std::vector<session_book::opened> all;
  for (std::uint8_t n = 0; n < 5; ++n) {
    all.push_back(book.open(start_of("u1"), bits_of(n), at(n)));
    CHECK(all.back().ended.size() == (n < 3 ? 0u : 1u));
  }
  CHECK(all[3].ended[0].id == all[0].what.id);
  CHECK(all[4].ended[0].id == all[1].what.id);
  CHECK(book.size() == 3);
  session_book one{{.of_subject = 1}};
  (void)one.open(start_of("u1"), bits_of(1), at(0));
  CHECK(one.open(start_of("u1"), bits_of(2), at(1)).ended.size() == 1);
  CHECK(one.size() == 1);
}

TEST_CASE("However many sign in, the book stays as large as it is allowed to be") {
  const auto seed = make_seed();
  std::mt19937_64 random{seed};
  session_book book{{.in_all = 100}};
  std::size_t ended = 0;
  for (int n = 0; n < 1000; ++n)
    ended += book.open(start_of(fmt::format("u{}", n)), draw(random), at(n)).ended.size();
  CHECK(book.size() == 100);
  CHECK(ended == 900);
}

TEST_CASE("After a restart sessions are as they were, in any order, but for those that were due meanwhile") {
  session_book before;
  std::vector<session> kept;
  for (std::uint8_t n = 1; n <= 4; ++n)
    kept.push_back(before.open(start_of("u1"), bits_of(n), at(n * 100)).what);
  std::swap(kept[0], kept[3]);
  session_book book{{.of_subject = 4}};
  for (const auto& one : kept)
    CHECK(book.restore(one, at(1000)));
  CHECK_FALSE(book.restore(kept[1], at(1000))); // there already
  CHECK(book.of_subject("u1", at(1000)) == before.of_subject("u1", at(1000)));
  const auto next = book.open(start_of("u1"), bits_of(9), at(1001));
  REQUIRE(next.ended.size() == 1);
  CHECK(next.ended[0].created == at(100));
  session_book late;
  CHECK_FALSE(late.restore(kept[0], at(10 * hour)));
  CHECK(late.size() == 0);
}

TEST_CASE("A CSRF token is good for its session only") {
  session_book book;
  const auto key = bits_of(9);
  const auto mine = book.open(start_of("u1"), bits_of(1), at(0)).what;
  const auto other = book.open(start_of("u1"), bits_of(2), at(0)).what;
  const auto token = csrf_token(key, mine);
  CHECK(check_csrf(key, mine, token));
  CHECK_FALSE(check_csrf(key, other, token));
  CHECK_FALSE(check_csrf(bits_of(8), mine, token));
  for (const std::string& wrong :
       {std::string{}, token.substr(1), token + "a", std::string(token.size(), 'a'), mine.name})
    CHECK_FALSE(check_csrf(key, mine, wrong));
  // before the sign-in: bound to a cookie
  CHECK(check_csrf(key, "random text of a cookie", csrf_token(key, "random text of a cookie")));
  CHECK_FALSE(check_csrf(key, "another cookie", csrf_token(key, "random text of a cookie")));
  CHECK_FALSE(check_csrf(key, "", csrf_token(key, "")));
}

TEST_CASE("What a browser says of itself is cut at a whole character and has no control characters") {
  CHECK(shortened_agent("Mozilla/5.0\r\nSet-Cookie: x\x1b[31m\x7f") == "Mozilla/5.0Set-Cookie: x[31m");
  std::string text(119, 'a');
  CHECK(shortened_agent(text + "é") == text);
  CHECK(shortened_agent(std::string(118, 'a') + "é") == std::string(118, 'a') + "é");
  CHECK(shortened_agent(std::string(1'000'000, 'x')).size() == 120);
  CHECK(shortened_agent(std::string(1'000, '\x80')).empty());
}

TEST_CASE("Over a long random life the book agrees with a plain list of sessions") {
  const auto seed = make_seed();
  std::mt19937_64 random{seed};
  session_book book{{.idle = seconds{100}, .absolute = seconds{400}, .of_subject = 5}};
  std::map<digest, session> plain;
  const auto alive = [](const session& s, std::int64_t now) {
    return at(now) < std::min(s.last_seen + seconds{100}, s.until);
  };
  const auto drop = [&](const auto& ended) {
    for (const session& one : ended)
      REQUIRE(plain.erase(one.id) == 1);
  };
  std::int64_t now = 0;
  for (int n = 0; n < 20'000; ++n) {
    now += static_cast<std::int64_t>(random() % 4);
    auto some = plain.begin();
    if (!plain.empty())
      std::advance(some, static_cast<std::ptrdiff_t>(random() % plain.size()));
    switch (random() % 8) {
      case 0:
      case 1: {
        auto opened = book.open(start_of(fmt::format("u{}", random() % 8)), draw(random), at(now));
        drop(opened.ended);
        plain[opened.what.id] = opened.what;
        CHECK(book.of_subject(opened.what.subject, at(now)).size() <= 5);
        break;
      }
      case 2:
      case 3:
      case 4:
        if (some != plain.end()) {
          (void)book.touch(some->first, at(now));
          if (alive(some->second, now))
            some->second.last_seen = at(now);
        }
        break;
      case 5:
        if (some != plain.end()) {
          auto again = book.renew(some->first, second_factor::done, draw(random), at(now));
          REQUIRE(again.has_value() == alive(some->second, now));
          if (again) {
            drop(again->ended);
            plain[again->what.id] = again->what;
          }
        }
        break;
      case 6: {
        const auto ended = book.expire(at(now));
        drop(ended);
        for (const auto& [id, one] : plain)
          REQUIRE(alive(one, now));
        break;
      }
      case 7:
        if (random() % 10 == 0)
          drop(book.end_all(fmt::format("u{}", random() % 8)));
        else if (some != plain.end())
          drop(std::vector{*book.end(digest{some->first})});
        break;
    }
    REQUIRE(book.size() == plain.size());
    for (const auto& [id, one] : plain)
      REQUIRE((book.find(id, at(now)) != nullptr) == alive(one, now));
  }
}
