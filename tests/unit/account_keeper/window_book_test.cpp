// How windows of quota went, and when they are used up.
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "actors/account_keeper/window_book.hpp"

using namespace keyportal;
using namespace std::chrono_literals;
using Catch::Approx;

namespace {

const moment t0 = moment_of(1'800'000'000'000'000'000);

std::vector<quota_window> told(double used, std::optional<moment> anew) {
  quota_window w;
  w.name = "5h";
  w.used = used;
  w.spans_s = 5 * 3600;
  w.begins_anew = anew;
  return {w};
}

} // namespace

TEST_CASE("a window that fills steadily is used up where its line says") {
  std::vector<std::pair<moment, double>> samples;
  for (int i = 0; i <= 12; ++i)
    samples.emplace_back(t0 + i * 5min, 10 + i * 2.5); // 30 % an hour
  const auto now = t0 + 60min;
  const auto got = forecast(samples, t0 + 5h, now);
  REQUIRE(got.at);
  CHECK(got.sure);
  CHECK(std::chrono::duration<double>(*got.at - now).count() == Approx(2 * 3600).epsilon(0.01)); // 60 % are left
  CHECK(got.words == "at this pace it is used up in 2 h 0 min");
}

TEST_CASE("one that begins anew before it is full is told so") {
  std::vector<std::pair<moment, double>> samples;
  for (int i = 0; i <= 12; ++i)
    samples.emplace_back(t0 + i * 5min, 10 + i * 0.5);
  const auto got = forecast(samples, t0 + 2h, t0 + 60min);
  CHECK_FALSE(got.at);
  CHECK(got.sure);
  CHECK(got.words == "it begins anew before it is used up, at 22 %");
}

TEST_CASE("what little was seen, or jumps about, is told as not sure") {
  CHECK(forecast({}, {}, t0).words == "too little was seen of this window to say");
  CHECK(forecast({{t0, 1}, {t0 + 1min, 2}, {t0 + 2min, 3}}, {}, t0 + 2min).words
        == "too little was seen of this window to say");
  const auto jumps = forecast({{t0, 10}, {t0 + 20min, 40}, {t0 + 40min, 12}, {t0 + 60min, 45}}, {}, t0 + 60min);
  CHECK_FALSE(jumps.sure);
  CHECK(jumps.words.find("perhaps") != std::string::npos);
  const auto still = forecast({{t0, 10}, {t0 + 20min, 10}, {t0 + 40min, 10}, {t0 + 60min, 10}}, {}, t0 + 60min);
  CHECK_FALSE(still.at);
  CHECK(still.words == "it does not fill up at present");
  CHECK(forecast({{t0, 100}}, {}, t0).words == "it is used up");
}

TEST_CASE("80, 95 and 100 percent are told once a window, the highest only") {
  window_book book;
  const auto reached = [&](double used, moment at, moment anew) {
    auto windows = told(used, anew);
    const auto marks = book.take(windows, at);
    return marks.empty() ? 0 : marks.front().percent;
  };
  const auto anew = t0 + 5h;
  CHECK(reached(79, t0, anew) == 0);
  CHECK(reached(81, t0 + 5min, anew) == 80);
  CHECK(reached(82, t0 + 10min, anew) == 0);
  CHECK(reached(100, t0 + 15min, anew) == 100);
  CHECK(reached(100, t0 + 20min, anew) == 0);
  CHECK(reached(90, t0 + 5h + 1min, t0 + 10h) == 80); // another window
}

TEST_CASE("a window that ended is history, with how full it became") {
  window_book book;
  auto first = told(40, t0 + 5h);
  (void)book.take(first, t0);
  auto more = told(70, t0 + 5h);
  (void)book.take(more, t0 + 1h);
  auto next = told(3, t0 + 10h);
  (void)book.take(next, t0 + 5h + 2min);
  const auto all = book.history();
  REQUIRE(all.size() == 1);
  REQUIRE(all[0].ended.size() == 1);
  CHECK(all[0].ended[0].ended == t0 + 5h);
  CHECK(all[0].ended[0].most == 70);
  CHECK(all[0].samples.size() == 1);
}

TEST_CASE("what is over is not shown as now") {
  window_book book;
  auto w = told(40, t0 + 5h);
  (void)book.take(w, t0);
  CHECK(book.last(t0 + 1h).size() == 1);
  CHECK(book.last(t0 + 5h).empty());
}

TEST_CASE("a book is the same after it was kept, and never grows without end") {
  window_book book;
  for (int i = 0; i < 5000; ++i) {
    auto w = told(std::min(i % 300 * 0.3, 99.0), t0 + (i / 300 + 1) * 25h);
    (void)book.take(w, t0 + i * 5min);
  }
  const auto all = book.history();
  CHECK(all[0].samples.size() <= window_book::most_samples);
  CHECK(all[0].ended.size() <= window_book::most_ended);
  CHECK(all[0].ended.size() >= 15);
  CHECK(book.write().size() < 16'000);
  window_book back;
  REQUIRE(back.read(book.write()));
  CHECK(back.write() == book.write());
  for (const char* text : {"", "[]", "{}", R"({"windows":[5]})", R"({"windows":[{"name":5,"used":1}]})"})
    CHECK_FALSE(back.read(text));
}
