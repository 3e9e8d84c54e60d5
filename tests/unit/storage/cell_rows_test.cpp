// Cells as they lie in rows: what goes in comes out, and damage is told.
#include <limits>
#include <map>
#include <random>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "storage/bits.hpp"
#include "storage/cells.hpp"

namespace keyportal::storage::test {
namespace {

constexpr cell_view all_views[] = {cell_view::kinds, cell_view::keys,       cell_view::accounts,      cell_view::all,
                                   cell_view::total, cell_view::key_totals, cell_view::account_totals};

/// Mostly of everyday size, sometimes at the ends of what is possible.
std::int64_t amount(std::mt19937_64& random) {
  switch (random() % 8) {
    case 0: return 0;
    case 1: return -static_cast<std::int64_t>(random() % 1000);
    case 2: return random() % 20 == 0 ? std::numeric_limits<std::int64_t>::min() : 1;
    case 3: return random() % 20 == 0 ? std::numeric_limits<std::int64_t>::max() : 7;
    default: return static_cast<std::int64_t>(random() % 1'000'000);
  }
}

template <class Amounts, class Make>
std::vector<std::pair<cell_id, Amounts>> random_row(std::mt19937_64& random, cell_view view, std::size_t cells,
                                                    Make make) {
  std::map<cell_id, Amounts> all;
  for (std::size_t i = 0; i < cells; ++i) {
    cell_id id;
    id.client_key = static_cast<name_number>(random() % 40);
    id.account = static_cast<name_number>(random() % 5);
    id.model = static_cast<name_number>(random() % 6);
    id.provider = id.model % 2;
    id.status = random() % 3 == 0 ? 429 : 200;
    id.failed = random() % 4 == 0;
    all[id.in(view)] = make();
  }
  return {all.begin(), all.end()};
}

cell_sums random_sums(std::mt19937_64& random) {
  cell_sums out;
  for (auto* to :
       {&out.requests, &out.tokens.input, &out.tokens.output, &out.tokens.total, &out.parts.uncached_input,
        &out.parts.cache_read, &out.parts.output, &out.latency_ms, &out.ttft_ms, &out.cost_nano, &out.unpriced})
    *to = amount(random);
  return out;
}

cell_distributions random_distributions(std::mt19937_64& random) {
  cell_distributions out;
  for (auto n = 1 + random() % 20; n > 0; --n) // a row has no empty cells
    add(out.latency, static_cast<std::uint16_t>(random() % 500), static_cast<std::int64_t>(1 + random() % 9));
  for (auto n = random() % 3; n > 0; --n)
    add(out.ttft, static_cast<std::uint16_t>(random() % 500), static_cast<std::int64_t>(1 + random() % 9));
  return out;
}

} // namespace

TEST_CASE("Packed numbers come back, of every width and count") {
  std::mt19937_64 random{std::random_device{}()};
  for (unsigned width = 0; width <= 64; ++width) {
    if (width > 56 && width < 64)
      continue;
    const auto mask = width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
    for (const std::size_t count : {0u, 1u, 7u, 8u, 9u, 128u}) {
      std::vector<std::uint64_t> numbers(count), back(count, 1);
      for (auto& one : numbers)
        one = random() & mask;
      std::string bytes;
      put_packed(bytes, numbers.data(), count, width);
      CHECK(bytes.size() == packed_bytes(count, width));
      for (const std::string& behind : {std::string(), std::string("what follows it")}) {
        const auto whole = bytes + behind;
        std::string_view in = whole;
        REQUIRE(get_packed(in, back.data(), count, width));
        CHECK(back == numbers);
        CHECK(in == behind);
      }
      if (!bytes.empty()) {
        std::string_view shorter{bytes.data(), bytes.size() - 1};
        CHECK_FALSE(get_packed(shorter, back.data(), count, width));
      }
    }
  }
}

TEST_CASE("Rows of cells come back as they were, and only the leads and kinds that are wanted") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  for (const auto view : all_views)
    for (const std::size_t cells : {0u, 1u, 5u, 127u, 400u, 1500u}) {
      const auto sums = random_row<cell_sums>(random, view, cells, [&] { return random_sums(random); });
      const auto distributions =
        random_row<cell_distributions>(random, view, cells, [&] { return random_distributions(random); });
      for (int round = 0; round < 6; ++round) {
        std::set<name_number> leads;
        for (name_number lead = 0; lead < 40; ++lead)
          if (random() % 3 == 0)
            leads.insert(lead);
        const lead_filter filter = [&](name_number lead) { return leads.contains(lead); };
        const auto* wanted = round < 2 ? nullptr : &filter;
        const auto model = static_cast<name_number>(random() % 6);
        const kind_filter one_kind = [&](const cell_id& id) { return id.model == model || id.failed; };
        const auto* kinds = round % 2 == 1 ? &one_kind : nullptr;
        const auto is_wanted = [&](const cell_id& id) {
          return (round < 2 || leads.contains(lead_of(id, view))) && (round % 2 == 0 || one_kind(id));
        };
        sums_row found, expected;
        REQUIRE(each_cell(
          encode(sums, view), view, wanted,
          [&](const cell_id& id, const cell_sums& what) { found.emplace_back(id, what); }, kinds));
        std::copy_if(sums.begin(), sums.end(), std::back_inserter(expected),
                     [&](const auto& one) { return is_wanted(one.first); });
        CHECK(found == expected);
        distributions_row met, meant;
        REQUIRE(each_cell(
          encode(distributions, view), view, wanted,
          [&](const cell_id& id, cell_distributions&& what) { met.emplace_back(id, std::move(what)); }, kinds));
        std::copy_if(distributions.begin(), distributions.end(), std::back_inserter(meant),
                     [&](const auto& one) { return is_wanted(one.first); });
        CHECK(met == meant);
      }
    }
}

TEST_CASE("A row that was cut or changed is damaged, or other cells: never more than that") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  for (const auto view : all_views) {
    const auto sums = encode(random_row<cell_sums>(random, view, 300, [&] { return random_sums(random); }), view);
    const auto distributions =
      encode(random_row<cell_distributions>(random, view, 60, [&] { return random_distributions(random); }), view);
    const auto read_sums = [&](std::string_view bytes) {
      return each_cell(bytes, view, nullptr, [](const cell_id&, const cell_sums&) {});
    };
    const auto read_distributions = [&](std::string_view bytes) {
      return each_cell(bytes, view, nullptr, [](const cell_id&, cell_distributions&&) {});
    };
    for (std::size_t size = 0; size < sums.size(); ++size)
      CHECK_FALSE(read_sums(std::string_view{sums}.substr(0, size)));
    for (std::size_t size = 0; size < distributions.size(); ++size)
      CHECK_FALSE(read_distributions(std::string_view{distributions}.substr(0, size)));
    for (int round = 0; round < 2000; ++round) {
      auto other = round % 2 == 0 ? sums : distributions;
      for (auto changes = 1 + random() % 4; changes > 0; --changes)
        other[random() % std::min<std::size_t>(other.size(), 1 + random() % other.size())] =
          static_cast<char>(random());
      static_cast<void>(round % 2 == 0 ? read_sums(other) : read_distributions(other)); // sanitizers look on
    }
  }
}

} // namespace keyportal::storage::test
