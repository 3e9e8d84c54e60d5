// Prices as facts of the registry: set, replaced, dropped, asked for twice; and budgets in money.
#include <catch2/catch_test_macros.hpp>

#include "actors/key_registry/budget_book.hpp"
#include "actors/prices/price_rules.hpp"
#include "world.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

price of(const std::string& model, std::int64_t rate = 5) {
  price out;
  out.model = model;
  out.rates = {.input = rate, .output = rate};
  return out;
}

} // namespace

TEST_CASE("prices are set in one entry, in their form, and the same again is no change") {
  world w;
  const auto set = w.ask(put_prices{{of("GPT-5"), of("claude-*")}});
  REQUIRE(set);
  REQUIRE(set->entry);
  CHECK(set->entry->what == "price.put");
  CHECK(set->entry->prices.size() == 2);
  CHECK(set->done.prices == 2);
  REQUIRE(w.book.prices().size() == 2);
  CHECK(w.book.prices().contains("by_hand///gpt-5"));
  CHECK(w.book.prices().at("by_hand///gpt-5").set_at == w.now);
  w.now += std::chrono::hours{1};
  const auto again = w.ask(put_prices{{of("gpt-5")}});
  REQUIRE(again);
  CHECK_FALSE(again->entry);
  const auto other = w.ask(put_prices{{of("gpt-5", 7)}});
  REQUIRE(other->entry);
  REQUIRE(other->entry->prices.size() == 1);
  CHECK(other->entry->prices[0].before->rates.input == 5);
  CHECK(other->entry->prices[0].after->rates.input == 7);
}

TEST_CASE("one wrong price, or one that is there twice, refuses all of them") {
  world w;
  CHECK(w.refusal(put_prices{{of("gpt-5"), of("")}}) == errc::bad_request);
  CHECK(w.refusal(put_prices{{of("gpt-5"), of("GPT-5", 6)}}) == errc::bad_request);
  CHECK(w.book.prices().empty());
}

TEST_CASE("prices are dropped; those that are not there are no error") {
  world w;
  (void)w.ask(put_prices{{of("a"), of("b")}});
  const auto gone = w.ask(drop_prices{{"by_hand///a", "by_hand///nobody"}});
  REQUIRE(gone);
  CHECK(gone->done.prices == 1);
  CHECK(w.book.prices().size() == 1);
  const auto nothing = w.ask(drop_prices{{"by_hand///a"}});
  REQUIRE(nothing);
  CHECK_FALSE(nothing->entry);
}

TEST_CASE("a list of prices under a used idempotency key is known again, another list is refused") {
  world w;
  const registry_command first{{"cli", "local", "once"}, put_prices{{of("a"), of("b")}}};
  (void)w.ask(first.what, "cli", "once");
  REQUIRE(w.book.position_of("once") == 1);
  CHECK(w.book.answers(*w.log[0], first));
  CHECK(w.book.answer_again(*w.log[0])->prices == 2);
  CHECK_FALSE(w.book.answers(*w.log[0], {first.by, put_prices{{of("a"), of("c")}}}));
  CHECK_FALSE(w.book.answers(*w.log[0], {first.by, put_prices{{of("a"), of("b", 6)}}}));
  CHECK_FALSE(w.book.answers(*w.log[0], {first.by, put_prices{{of("a")}}}));
  CHECK_FALSE(w.book.answers(*w.log[0], {first.by, drop_prices{{"by_hand///a"}}}));
}

TEST_CASE("prices are listed page by page, and found by a part of their names") {
  world w;
  put_prices all;
  for (int i = 0; i < 25; ++i)
    all.prices.push_back(of("model-" + std::to_string(100 + i)));
  (void)w.ask(std::move(all));
  list_prices which;
  which.limit = 10;
  std::size_t seen = 0;
  for (bool more = true; more;) {
    const auto page = w.book.prices(which);
    seen += page.prices.size();
    more = page.more;
    which.after = page.prices.back().id;
  }
  CHECK(seen == 25);
  which = {};
  which.text = "-11";
  CHECK(w.book.prices(which).prices.size() == 10);
}

TEST_CASE("prices come back from the image") {
  world w, other;
  (void)w.ask(put_prices{{of("a")}});
  registry_image image;
  image.position = w.book.position();
  for (const auto& [id, one] : w.book.prices())
    image.prices.push_back(one);
  other.book.load(std::move(image));
  CHECK(other.book.prices() == w.book.prices());
}

TEST_CASE("a budget in money is used up by what records cost, and by what a reprice adds or takes away") {
  world w;
  w.fill(1);
  const auto owner = w.person();
  const auto& key = w.assigned(owner);
  const auto id = key.id;
  const budget money{budget_unit::cost, budget_window::month, 1'000'000'000};
  change_key change;
  change.key = id;
  change.budgets = std::vector{money};
  (void)w.ask(change);
  budget_book book{w.book};
  book.add(id, w.now, 1, 5'000'000, w.now, 790'000'000);
  CHECK(book.judge(w.now).keys.empty());
  book.add(id, w.now, 1, 10, w.now, 20'000'000);
  const auto near = book.judge(w.now);
  REQUIRE(near.keys.size() == 1);
  CHECK(near.keys[0].second.percent == 80);
  book.add(id, w.now, 1, 10, w.now); // without a price: of requests and tokens only
  CHECK(book.judge(w.now).suspend.empty());
  book.add(id, w.now, 0, 0, w.now, 190'000'000);
  CHECK(book.judge(w.now).suspend == std::vector{id});
  for (const auto& use : book.uses_of(id, w.now))
    CHECK(use.used == 1'000'000'000);
  book.add(id, w.now, 0, 0, w.now, -500'000'000);
  CHECK(book.judge(w.now).suspend.empty());
}
