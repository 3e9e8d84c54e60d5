#include <random>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "actors/access/rate_book.hpp"
#include "actors/access/throttle_book.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/access/bits.hpp"

using namespace keyportal;
using namespace keyportal::test;
using std::chrono::seconds;

namespace {

constexpr throttle_limits few{.account_free = 3,
                              .address_free = 6,
                              .known_free = 2,
                              .first = seconds{1},
                              .longest = seconds{60},
                              .forget = std::chrono::hours{24},
                              .entries = 100};

throttle_book book_of(throttle_limits limits = few) { return {limits, bits_of(1)}; }

/// Tries as fast as it is let, wrongly, for so long; how many tries that gave.
int guess(throttle_book& book, const std::string& account, const std::string& address, std::int64_t from,
          std::int64_t to) {
  int tries = 0;
  for (auto now = from; now < to;) {
    const auto wait = book.begin(account, address, at(now));
    tries += wait.count() == 0 ? 1 : 0;
    now += wait.count();
  }
  return tries;
}

} // namespace

// --- guessing --------------------------------------------------------------------

TEST_CASE("After the free tries each wrong one doubles the wait, up to the longest") {
  auto book = book_of();
  for (int n = 0; n < 3; ++n)
    CHECK(book.begin("ada", "203.0.113.1", at(0)) == seconds{0});
  std::int64_t now = 0;
  for (const int wait : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
    CHECK(book.begin("ada", "203.0.113.1", at(now)) == seconds{wait});
    CHECK(book.wait("ada", "203.0.113.1", at(now)) == seconds{wait});
    now += wait;
    CHECK(book.begin("ada", "203.0.113.1", at(now)) == seconds{0});
  }
}

TEST_CASE("A thousand tries begun at once are not a thousand free tries") {
  auto book = book_of();
  int begun = 0;
  for (int n = 0; n < 1000; ++n)
    begun += book.begin("ada", fmt::format("198.51.{}.{}", n / 250, n % 250), at(0)).count() == 0 ? 1 : 0;
  CHECK(begun == 3);
}

TEST_CASE("A thousand addresses guess no faster at an account than one, in a day") {
  auto one = book_of({}), many = book_of({});
  const int alone = guess(one, "ada", "203.0.113.1", 0, 86'400);
  int together = 0;
  for (std::int64_t now = 0; now < 86'400; now += 10)
    together +=
      many.begin("ada", fmt::format("198.{}.{}.1", now / 10 / 250 % 250, now / 10 % 250), at(now)).count() == 0 ? 1 : 0;
  CHECK(alone < 130);
  CHECK(together <= alone);
}

TEST_CASE("One address guesses no faster at a thousand accounts than at a few") {
  auto book = book_of();
  int begun = 0;
  for (int n = 0; n < 1000; ++n)
    begun += book.begin(fmt::format("user{}", n), "203.0.113.1", at(0)).count() == 0 ? 1 : 0;
  CHECK(begun == 6);
  CHECK(book.begin("user7777", "203.0.113.2", at(0)) == seconds{0}); // others are let in
}

TEST_CASE("However many strangers guess, the owner signs in from where he did before") {
  const auto seed = make_seed();
  std::mt19937_64 random{seed};
  auto book = book_of();
  REQUIRE(book.begin("ada", "192.0.2.7", at(0)) == seconds{0});
  book.succeeded("ada", "192.0.2.7", at(0));
  for (std::int64_t now = 1; now < 5000; ++now) {
    (void)book.begin("ada", fmt::format("198.51.{}.{}", random() % 256, random() % 256), at(now));
    (void)book.begin(fmt::format("other{}", random()), fmt::format("198.52.{}.{}", random() % 256, random() % 256),
                     at(now));
    if (now % 1000 == 0) {
      CHECK(book.begin("ada", "192.0.2.7", at(now)) == seconds{0});
      book.succeeded("ada", "192.0.2.7", at(now));
    }
  }
  CHECK(book.wait("ada", "192.0.2.8", at(5000)) > seconds{0}); // from anywhere else there is a wait
}

TEST_CASE("Whoever guesses from the owner's own network has that small allowance and no more") {
  auto book = book_of();
  book.remember("ada", "192.0.2.7", at(0));
  CHECK(book.begin("ada", "192.0.2.7", at(1)) == seconds{0});
  CHECK(book.begin("ada", "192.0.2.7", at(1)) == seconds{0});
  CHECK(book.begin("ada", "192.0.2.7", at(1)) == seconds{1});
  CHECK(guess(book, "ada", "192.0.2.7", 2, 3602) < 70); // a minute each in the end
  // and the owner who waits as long as he is told is let in
  const auto wait = book.wait("ada", "192.0.2.7", at(3602));
  CHECK(wait <= seconds{60});
  CHECK(book.begin("ada", "192.0.2.7", at(3602) + wait) == seconds{0});
  book.succeeded("ada", "192.0.2.7", at(3700));
  CHECK(book.wait("ada", "192.0.2.7", at(3700)) == seconds{0});
}

TEST_CASE("Signing in with an account of one's own gives no more tries at others") {
  auto book = book_of();
  int begun = 0;
  for (int n = 0; n < 100; ++n) {
    begun += book.begin(fmt::format("victim{}", n), "203.0.113.1", at(n / 10)).count() == 0 ? 1 : 0;
    if (book.begin("eve", "203.0.113.1", at(n / 10)).count() == 0)
      book.succeeded("eve", "203.0.113.1", at(n / 10));
  }
  CHECK(begun < 12);
}

TEST_CASE("A right password costs nothing, nor does a try that was not looked at") {
  auto book = book_of();
  for (int n = 0; n < 100; ++n) {
    REQUIRE(book.begin(fmt::format("user{}", n), "203.0.113.1", at(0)) == seconds{0});
    book.succeeded(fmt::format("user{}", n), "203.0.113.1", at(0));
    REQUIRE(book.begin("ada", "203.0.113.9", at(0)) == seconds{0});
    book.undone("ada", "203.0.113.9", at(0));
  }
  CHECK(book.wait("ada", "203.0.113.1", at(0)) == seconds{0});
}

TEST_CASE("An admin's unlocking, or a day of peace, ends the wait") {
  auto book = book_of();
  (void)guess(book, "ada", "203.0.113.1", 0, 1000);
  book.clear("ada");
  CHECK(book.wait("ada", "192.0.2.9", at(1000)) == seconds{0});
  CHECK(book.wait("ada", "203.0.113.1", at(1000)) > seconds{0}); // the address is still slow
  (void)guess(book, "bob", "203.0.113.1", 1000, 2000);
  CHECK(book.wait("bob", "203.0.113.1", at(2000) + std::chrono::hours{25}) == seconds{0});
  for (int n = 0; n < 3; ++n)
    CHECK(book.begin("bob", "203.0.113.1", at(2000) + std::chrono::hours{25}) == seconds{0});
}

TEST_CASE("An account that does not exist is slowed like one that does") {
  auto book = book_of();
  book.remember("ada", "192.0.2.7", at(0));
  for (int n = 0; n < 10; ++n)
    CHECK(book.begin("ada", "203.0.113.1", at(n)) == book.begin("nobody", "203.0.113.2", at(n)));
}

TEST_CASE("Whatever strangers send, the book stays as large as it is allowed to be") {
  const auto seed = make_seed();
  std::mt19937_64 random{seed};
  auto book = book_of();
  for (int n = 0; n < 5000; ++n) {
    const auto account = fmt::format("user{}", random());
    const auto address = fmt::format("2001:db8:{:x}:{:x}::1", random() % 65536, random() % 65536);
    (void)book.begin(account, address, at(n));
    if (n % 3 == 0)
      book.succeeded(account, address, at(n));
  }
  CHECK(book.size() <= 300);
  (void)book.begin(std::string(1'000'000, 'x'), std::string(1'000'000, 'y'), at(30'000));
}

TEST_CASE("Places of an account are bounded, and the one used least lately goes") {
  auto book = book_of();
  for (int n = 0; n < 9; ++n)
    book.remember("ada", fmt::format("192.0.2.{}", n), at(n));
  (void)guess(book, "ada", "203.0.113.1", 10, 100);
  CHECK(book.wait("ada", "192.0.2.0", at(100)) > seconds{0});
  for (int n = 1; n < 9; ++n)
    CHECK(book.wait("ada", fmt::format("192.0.2.{}", n), at(100)) == seconds{0});
}

TEST_CASE("A clock that is set back makes nobody wait longer than the longest") {
  auto book = book_of();
  (void)guess(book, "ada", "203.0.113.1", 100'000, 101'000);
  CHECK(book.wait("ada", "203.0.113.1", at(0)) <= seconds{60});
}

TEST_CASE("Addresses that one may choose among are one address") {
  CHECK(network_of("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64");
  CHECK(network_of("2001:DB8:1:2::ffff") == "2001:db8:1:2::/64");
  CHECK(network_of("2001:db8:1:3::ffff") != "2001:db8:1:2::/64");
  CHECK(network_of("::ffff:192.0.2.7") == "192.0.2.7");
  CHECK(network_of("192.0.2.7") == "192.0.2.7");
  CHECK(network_of("fe80::1%eth0") == "fe80::/64");
  CHECK(network_of("no address") == "no address");
  CHECK(network_of("").empty());
  CHECK(network_of(std::string("::1\0x", 5)).size() > 0);
}

// --- rates -----------------------------------------------------------------------

TEST_CASE("So many are allowed at once, then as many as come back in time") {
  rate_book book{{10, seconds{60}}, 100, bits_of(1)};
  for (std::uint32_t n = 0; n < 10; ++n) {
    const auto answer = book.take("ada", at(0));
    CHECK(answer.allowed);
    CHECK(answer.limit == 10);
    CHECK(answer.remaining == 9 - n);
    CHECK(answer.reset == seconds{6 * (n + 1)});
    CHECK(answer.retry_after == seconds{0});
  }
  const auto refused = book.take("ada", at(0));
  CHECK_FALSE(refused.allowed);
  CHECK(refused.remaining == 0);
  CHECK(refused.retry_after == seconds{6});
  CHECK_FALSE(book.take("ada", at(5)).allowed);
  CHECK(book.take("ada", at(6)).allowed);
  CHECK_FALSE(book.take("ada", at(6)).allowed);
  CHECK(book.take("bob", at(6)).remaining == 9);
  CHECK(book.take("ada", at(10'000)).remaining == 9);
}

TEST_CASE("A caller who waits as long as he is told is let in, and in no hour has more than twice the allowance") {
  const auto seed = make_seed();
  std::mt19937_64 random{seed};
  for (int round = 0; round < 20; ++round) {
    const rate limit{static_cast<std::uint32_t>(1 + random() % 50), seconds{1 + random() % 3600}};
    rate_book book{limit, 4, bits_of(1)};
    std::vector<moment> taken;
    moment now = at(0);
    for (int n = 0; n < 500; ++n) {
      const auto answer = book.take("ada", now);
      CHECK(answer.remaining <= limit.amount);
      if (answer.allowed) {
        taken.push_back(now);
        now += seconds{random() % 3};
      } else {
        REQUIRE(answer.retry_after > seconds{0});
        REQUIRE(book.ask("ada", now + answer.retry_after).allowed);
        now += random() % 2 == 0 ? answer.retry_after : seconds{1};
      }
    }
    for (std::size_t first = 0; first < taken.size(); ++first) {
      std::size_t within = 0;
      while (first + within < taken.size() && taken[first + within] - taken[first] < limit.per)
        ++within;
      CHECK(within <= 2 * limit.amount);
    }
  }
}

TEST_CASE("Asking takes nothing, a dear call takes more, and an allowance of nothing allows nothing") {
  rate_book book{{10, seconds{60}}, 100, bits_of(1)};
  for (int n = 0; n < 100; ++n)
    CHECK(book.ask("ada", at(0)).allowed);
  CHECK(book.take("ada", at(0), 7).remaining == 3);
  CHECK_FALSE(book.take("ada", at(0), 4).allowed);
  CHECK(book.take("ada", at(0), 3).allowed);
  CHECK_FALSE(book.take("bob", at(0), 11).allowed);
  book.set({0, seconds{60}});
  CHECK_FALSE(book.take("eve", at(0)).allowed);
}

TEST_CASE("A registration counts for its address, its domain and all, or for none of them") {
  rate_book addresses{{3, seconds{3600}}, 100, bits_of(1)}, domains{{5, seconds{3600}}, 100, bits_of(1)},
    all{{8, seconds{3600}}, 1, bits_of(1)};
  const auto ask = [&](std::string_view address, std::string_view domain) {
    return take_all({{addresses, address}, {domains, domain}, {all, "all"}}, at(0));
  };
  for (int n = 0; n < 3; ++n)
    CHECK(ask("192.0.2.1", "example.com").allowed);
  CHECK_FALSE(ask("192.0.2.1", "example.com").allowed);
  CHECK(domains.ask("example.com", at(0)).remaining == 1); // one more would be left after it: nothing was taken
  CHECK(ask("192.0.2.2", "example.com").allowed);
  CHECK(ask("192.0.2.2", "example.com").remaining == 0); // the tightest
  CHECK_FALSE(ask("192.0.2.3", "example.com").allowed);
  for (int n = 0; n < 3; ++n)
    CHECK(ask(fmt::format("192.0.3.{}", n), "example.org").allowed);
  const auto last = ask("192.0.4.1", "example.net");
  CHECK_FALSE(last.allowed);
  CHECK(last.retry_after > seconds{0});
}

TEST_CASE("Callers are bounded, and a clock that is set back locks nobody out") {
  rate_book book{{1, seconds{10}}, 50, bits_of(1)};
  for (int n = 0; n < 5000; ++n)
    (void)book.take(fmt::format("caller{}", n), at(1'000'000));
  CHECK(book.size() == 50);
  CHECK(book.take("caller4999", at(0)).retry_after <= seconds{10});
}
