#include "actors/publisher/delivery_window.hpp"

#include <algorithm>
#include <random>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "tests/support/seed.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

const delivery_window::time start = delivery_window::time{} + 1h;

sink::message item(sequence seq) {
  sink::message result;
  result.seq = seq;
  result.id = "id-" + std::to_string(seq);
  return result;
}

std::vector<sequence> seqs_of(const std::vector<sink::message>& messages) {
  std::vector<sequence> result;
  for (const auto& message : messages)
    result.push_back(message.seq);
  return result;
}

delivery_window connected_window(delivery_limits limits = {}) {
  delivery_window window(limits);
  window.link(true, start);
  window.tail({});
  return window;
}

} // namespace

TEST_CASE("Nothing is sent before the end of the stream was read") {
  delivery_window window(delivery_limits{});
  CHECK_FALSE(window.wants_tail(start));
  CHECK_FALSE(window.wants_page());
  window.link(true, start);
  CHECK(window.wants_tail(start));
  CHECK_FALSE(window.wants_page());
  CHECK(window.take(10).empty());
  window.tail({});
  CHECK_FALSE(window.wants_tail(start));
  CHECK(window.wants_page() == sequence{0});
  CHECK_FALSE(window.wants_page());
}

TEST_CASE("Only what follows on what was read to the end is taken without reading it back") {
  auto window = connected_window();
  REQUIRE(window.wants_page());
  CHECK_FALSE(window.can_add(1, 1)); // being read
  window.page({});
  CHECK(window.can_add(1, 1));
  CHECK_FALSE(window.can_add(2, 1)); // lacks one
  window.added({item(1)});
  CHECK_FALSE(window.can_add(1, 1)); // has it
  CHECK(window.can_add(2, 1));
  window.link(false, start);
  CHECK_FALSE(window.can_add(2, 1)); // the stream must be read first, and then all that waits
}

TEST_CASE("Items that are in the stream already are forgotten without being sent") {
  delivery_window window(delivery_limits{});
  window.link(true, start);
  window.tail({"id-2", "id-4"});
  REQUIRE(window.wants_page());
  window.page({item(1), item(2)});
  CHECK(window.take_stored() == std::vector<sequence>{2});
  REQUIRE(window.wants_page() == sequence{2});
  window.page({item(3), item(4), item(5)});
  CHECK(window.take_stored() == std::vector<sequence>{4});
  CHECK(seqs_of(window.take(10)) == std::vector<sequence>{1, 3, 5});
}

TEST_CASE("No more than the limit is in flight") {
  auto window = connected_window({.in_flight = 2, .page = 4});
  REQUIRE(window.wants_page());
  window.page({item(1), item(2), item(3), item(4)});
  CHECK(seqs_of(window.take(10)) == std::vector<sequence>{1, 2});
  CHECK(window.take(10).empty());
  window.stored({1});
  CHECK(seqs_of(window.take(10)) == std::vector<sequence>{3});
}

TEST_CASE("After a failure all that follows waits, the stream is read, and the outbox is read from its beginning") {
  auto window = connected_window();
  REQUIRE(window.wants_page());
  window.page({item(1), item(2), item(3), item(4)});
  REQUIRE(window.take(3).size() == 3);
  window.failed({1}, start);
  CHECK(window.take(10).empty());
  CHECK_FALSE(window.wants_tail(start + 1h)); // 2 and 3 have no answer yet
  window.stored({3});
  window.failed({2}, start);
  CHECK_FALSE(window.wants_tail(start));
  REQUIRE(window.wake_at() == start + 100ms);
  CHECK(window.wants_tail(start + 100ms));
  window.tail({"id-3"});
  CHECK(window.take_stored() == std::vector<sequence>{3});
  REQUIRE(window.wants_page() == sequence{0});
  window.page({item(1), item(2), item(4)});
  CHECK(seqs_of(window.take(10)) == std::vector<sequence>{1, 2, 4});
}

TEST_CASE("Pauses grow while everything fails and are short again after a success") {
  auto window = connected_window({.first_pause = 100ms, .longest_pause = 400ms});
  auto fail_once = [&] {
    REQUIRE(window.wants_page());
    window.page({item(1), item(2)});
    REQUIRE(window.take(1).size() == 1);
    window.failed({1}, start);
    auto pause = *window.wake_at() - start;
    window.tail({});
    return pause;
  };
  CHECK(fail_once() == 100ms);
  CHECK(fail_once() == 200ms);
  CHECK(fail_once() == 400ms);
  CHECK(fail_once() == 400ms);
  REQUIRE(window.wants_page());
  window.page({item(1), item(2)});
  REQUIRE(window.take(1).size() == 1);
  window.stored({1});
  CHECK(window.take(1).size() == 1);
  window.failed({2}, start);
  CHECK(*window.wake_at() - start == 100ms);
}

TEST_CASE("A page that was asked for before a failure is not used after it") {
  auto window = connected_window();
  REQUIRE(window.wants_page());
  window.page({item(1)});
  REQUIRE(window.take(1).size() == 1);
  REQUIRE(window.wants_page() == sequence{1});
  window.failed({1}, start);
  window.tail({});
  window.page({item(2)}); // the late answer
  CHECK(window.take(10).empty());
  CHECK(window.wants_page() == sequence{0});
}

TEST_CASE("The window is idle when the outbox is read to its end and all is stored") {
  auto window = connected_window();
  CHECK_FALSE(window.idle());
  REQUIRE(window.wants_page());
  window.page({item(7)});
  REQUIRE(window.take(1).size() == 1);
  CHECK(window.shipped() == 6);
  window.stored({7});
  CHECK(window.shipped() == 7);
  REQUIRE(window.wants_page() == sequence{7});
  window.page({});
  CHECK(window.idle());
  CHECK_FALSE(window.wants_page());
  window.more();
  CHECK_FALSE(window.idle());
  CHECK(window.wants_page() == sequence{7});
}

TEST_CASE("An empty page is not the end when something was added while it was read") {
  auto window = connected_window();
  REQUIRE(window.wants_page());
  window.more();
  window.page({});
  CHECK_FALSE(window.idle());
  CHECK(window.wants_page());
}

TEST_CASE("Outcomes of messages that are not in flight change nothing") {
  auto window = connected_window();
  window.stored({99});
  window.failed({98}, start);
  CHECK(window.take_stored().empty());
  CHECK(window.wants_page());
}

TEST_CASE("Whatever is lost, doubled or delayed, the stream gets every item once and in order after each loss") {
  auto seed = test::make_seed();
  std::mt19937_64 random(seed);
  auto chance = [&](double p) { return std::uniform_real_distribution<>{}(random) < p; };
  for (int round = 0; round < 300; ++round) {
    INFO("seed " << seed << " round " << round);
    delivery_limits limits{.in_flight = 1 + random() % 40, .page = 1 + random() % 20};
    delivery_window window(limits);
    auto now = start;
    std::set<sequence> outbox;
    sequence last = 0;
    std::vector<std::string> stream;   // without any dedup of its own
    std::vector<sequence> on_the_wire; // sent in this session, not yet arrived
    std::vector<sequence> answers;     // stored, the answer is under way
    bool page_asked = false;
    sequence page_after = 0;
    bool link = false;
    const sequence all = 200;
    auto broken = [&] { // the session ends: what is on the wire is lost, and so are the answers
      std::vector<sequence> lost = on_the_wire;
      lost.insert(lost.end(), answers.begin(), answers.end());
      on_the_wire.clear();
      answers.clear();
      link = false;
      window.failed(lost, now);
      window.link(false, now);
    };
    for (int step = 0; step < 100000 && !(last == all && outbox.empty()); ++step) {
      bool calm = step > 20000; // in the end the world is good, so it must finish
      now += 1ms * (random() % 20);
      if (last < all && chance(0.3)) {
        outbox.insert(++last);
        window.more();
      }
      if (!link && chance(0.3)) {
        link = true;
        window.link(true, now);
      }
      if (link && !calm && chance(0.01))
        broken();
      if (page_asked && chance(0.7)) {
        std::vector<sink::message> items;
        for (auto it = outbox.upper_bound(page_after); it != outbox.end() && items.size() < limits.page; ++it)
          items.push_back(item(*it));
        page_asked = false;
        if (!calm && chance(0.02))
          window.page_failed(now);
        else
          window.page(std::move(items));
      }
      if (link && window.wants_tail(now)) {
        if (!calm && chance(0.1))
          window.tail_failed(now);
        else
          window.tail(
            {stream.end() - static_cast<long>(std::min<std::size_t>(stream.size(), limits.in_flight)), stream.end()});
      }
      if (link)
        for (auto& message : window.take(1 + random() % 10))
          on_the_wire.push_back(message.seq);
      if (!on_the_wire.empty() && chance(0.6)) { // arrives in order; now and then the server refuses one
        auto seq = on_the_wire.front();
        on_the_wire.erase(on_the_wire.begin());
        if (!calm && chance(0.01)) {
          window.failed({seq}, now);
        } else {
          stream.push_back(item(seq).id);
          answers.push_back(seq);
        }
      }
      if (!answers.empty() && chance(0.6)) { // answers may overtake each other, come twice, or never (time out)
        auto which = random() % answers.size();
        auto seq = answers[which];
        answers.erase(answers.begin() + static_cast<long>(which));
        if (!calm && chance(0.01))
          window.failed({seq}, now);
        else
          window.stored(chance(0.1) ? std::vector<sequence>{seq, seq} : std::vector<sequence>{seq});
      }
      for (auto seq : window.take_stored()) {
        REQUIRE(std::find(stream.begin(), stream.end(), item(seq).id) != stream.end());
        outbox.erase(seq);
      }
      if (!page_asked)
        if (auto after = window.wants_page()) {
          page_asked = true;
          page_after = *after;
        }
      REQUIRE(window.in_flight() <= limits.in_flight);
    }
    REQUIRE(outbox.empty());
    std::set<std::string> once(stream.begin(), stream.end());
    REQUIRE(once.size() == all);
    REQUIRE(stream.size() == all);
  }
}
