// Cells as they lie in rows: what goes in comes out, and damage is told.
#include <limits>
#include <map>
#include <random>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "storage/bits.hpp"
#include "storage/cell_sums.hpp"
#include "storage/cells.hpp"

namespace keyportal::storage::test {
namespace {

constexpr cell_view all_views[] = {
  cell_view::kinds, cell_view::keys,       cell_view::accounts,       cell_view::all,
  cell_view::total, cell_view::key_totals, cell_view::account_totals, cell_view::key_hours};

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
  switch (random() % 6) { // each has a form of its own
    case 0: add(out.latency, static_cast<std::uint16_t>(random() % 600), 1); return out;
    case 1:
      add(out.latency, static_cast<std::uint16_t>(random() % 600), static_cast<std::int64_t>(random() % 9000));
      break;
    case 2:
      for (std::uint16_t bin = 100; bin < 200; ++bin)
        add(out.latency, bin, static_cast<std::int64_t>(1 + random() % 30));
      return out;
    case 3: add(out.ttft, static_cast<std::uint16_t>(random() % 60'000), -amount(random) - 1); break;
    case 4: add(out.ttft, static_cast<std::uint16_t>(5000 + random() % 60'000), amount(random) | 1); break;
    default: break;
  }
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

/// Some of the cells, where it says.
class some_places : public cell_places {
public:
  some_places(cell_view view, std::function<std::int32_t(const cell_id&)> place)
    : view_(view), place_(std::move(place)) {}
  void begin_row(std::span<const cell_id> kinds) override { kinds_.assign(kinds.begin(), kinds.end()); }
  std::int32_t place_of(name_number lead, name_number second, std::uint32_t kind) override {
    auto id = kinds_.at(kind);
    (has_keys(view_) ? id.client_key : id.account) = lead;
    if (has_second(view_))
      id.account = second;
    return place_(id);
  }

private:
  cell_view view_;
  std::function<std::int32_t(const cell_id&)> place_;
  std::vector<cell_id> kinds_;
};

TEST_CASE("Rows that are added up come to what their cells do") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  row_adder adder;
  for (const auto view : all_views)
    for (const std::size_t cells : {0u, 1u, 100u, 1500u}) {
      const auto places = static_cast<std::int32_t>(1 + random() % 20);
      const auto share = 1 + random() % 30; // of few cells of a block the amounts are picked out
      const auto place = [&](const cell_id& id) {
        const auto hash = cell_id_hash{}(id);
        return hash % share != 0 ? -1 : static_cast<std::int32_t>(hash / share % static_cast<std::size_t>(places));
      };
      const lead_filter some_leads = [&](name_number lead) { return lead % 3 != 0; };
      const kind_filter some_kinds = [&](const cell_id& id) { return id.model % 2 == 0; };
      const auto* const leads = random() % 2 == 0 ? &some_leads : nullptr;
      const auto* const kinds = random() % 2 == 0 ? &some_kinds : nullptr;
      std::vector<cell_sums> sums(static_cast<std::size_t>(places));
      std::vector<std::int64_t> failed(sums.size());
      std::vector<cell_distributions> bins(sums.size());
      std::vector<added_sums> added;
      std::vector<added_bins> added_up;
      some_places where{view, place};
      const auto is_wanted = [&](const cell_id& id) {
        return (leads == nullptr || (*leads)(lead_of(id, view))) && (kinds == nullptr || (*kinds)(id))
               && place(id) >= 0;
      };
      for (int rows = 0; rows < 3; ++rows) {
        const auto row = random_row<cell_sums>(random, view, cells, [&] { return random_sums(random); });
        const auto timed =
          random_row<cell_distributions>(random, view, cells, [&] { return random_distributions(random); });
        REQUIRE(adder.add_sums(encode(row, view), view, leads, kinds, where, added));
        REQUIRE(adder.add_bins(encode(timed, view), view, leads, kinds, where, added_up));
        for (const auto& [id, what] : row)
          if (is_wanted(id)) {
            const auto at = static_cast<std::size_t>(place(id));
            sums[at].add(what);
            if (id.failed)
              failed[at] = static_cast<std::int64_t>(static_cast<std::uint64_t>(failed[at])
                                                     + static_cast<std::uint64_t>(what.requests));
          }
        for (const auto& [id, what] : timed)
          if (is_wanted(id))
            bins[static_cast<std::size_t>(place(id))].add(what);
      }
      added.resize(sums.size());
      added_up.resize(bins.size());
      for (std::size_t i = 0; i < sums.size(); ++i) {
        CHECK(added[i].sums() == sums[i]);
        CHECK(added[i].failed() == failed[i]);
        CHECK(counts_of(added_up[i].latency) == bins[i].latency);
        CHECK(counts_of(added_up[i].ttft) == bins[i].ttft);
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
    row_adder adder;
    some_places where{view, [](const cell_id& id) { return static_cast<std::int32_t>(id.model % 7); }};
    const auto add_sums = [&](std::string_view bytes) {
      std::vector<added_sums> to;
      return adder.add_sums(bytes, view, nullptr, nullptr, where, to);
    };
    const auto add_bins = [&](std::string_view bytes) {
      std::vector<added_bins> to;
      return adder.add_bins(bytes, view, nullptr, nullptr, where, to);
    };
    for (std::size_t size = 0; size < sums.size(); ++size)
      CHECK_FALSE(add_sums(std::string_view{sums}.substr(0, size)));
    for (std::size_t size = 0; size < distributions.size(); ++size)
      CHECK_FALSE(add_bins(std::string_view{distributions}.substr(0, size)));
    for (std::size_t size = 0; size < sums.size(); ++size)
      CHECK_FALSE(read_sums(std::string_view{sums}.substr(0, size)));
    for (std::size_t size = 0; size < distributions.size(); ++size)
      CHECK_FALSE(read_distributions(std::string_view{distributions}.substr(0, size)));
    for (int round = 0; round < 2000; ++round) {
      auto other = round % 2 == 0 ? sums : distributions;
      for (auto changes = 1 + random() % 4; changes > 0; --changes)
        other[random() % std::min<std::size_t>(other.size(), 1 + random() % other.size())] =
          static_cast<char>(random());
      // Sanitizers look on; both ways of reading agree on what is damaged.
      CHECK((round % 2 == 0 ? read_sums(other) : read_distributions(other))
            == (round % 2 == 0 ? add_sums(other) : add_bins(other)));
    }
  }
}

} // namespace keyportal::storage::test
