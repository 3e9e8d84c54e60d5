#include "actors/notifier/pace_book.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace keyportal;
using namespace std::chrono_literals;

TEST_CASE("a channel is used no faster than it may be, in any second and any minute") {
  for (const char* kind : {"feishu", "feishu_bot", "dingtalk", "wecom", "telegram", "mail", "webhook"}) {
    CAPTURE(kind);
    const auto most = published_limits(kind);
    pace_book book{most};
    moment now{1h};
    std::vector<moment> begun;
    while (now < moment{1h} + 3min && begun.size() < 3000) {
      now = std::max(now, book.next("somebody", now));
      book.took("somebody", now);
      begun.push_back(now);
    }
    for (std::size_t i = 0; i < begun.size(); ++i) {
      const auto ends = [&](auto window) {
        std::size_t j = i;
        while (j < begun.size() && begun[j] < begun[i] + window)
          ++j;
        return static_cast<int>(j - i);
      };
      REQUIRE((most.per_second == 0 || ends(1s) <= most.per_second));
      REQUIRE((most.per_minute == 0 || ends(60s) <= most.per_minute));
      REQUIRE((most.per_second_each == 0 || ends(1s) <= most.per_second_each));
    }
  }
}

TEST_CASE("one person's pace does not hold up the others") {
  pace_book book{{40, 800, 4}};
  const moment now{1h};
  for (int i = 0; i < 4; ++i)
    book.took("a", now);
  CHECK(book.next("a", now) == now + 1s);
  CHECK(book.next("b", now) == now);
}

TEST_CASE("pauses double, end at a quarter of an hour, and are spread by a quarter either way") {
  CHECK(backoff(1, 0.5) == 2s);
  CHECK(backoff(2, 0.5) == 4s);
  CHECK(backoff(1, 0) == 1500ms);
  CHECK(backoff(1, 1) == 2500ms);
  CHECK(backoff(50, 0.5) == 15min);
}
