#include "actors/key_registry/registry_start.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include <openssl/rand.h>

#include "actors/key_registry/budget_book.hpp"
#include "actors/prices/price_book.hpp"

namespace keyportal {

using namespace std::chrono_literals;

key_vault vault_of(const std::shared_ptr<storage::ledger>& store) {
  return {[store](std::string_view text) { return store->id_of_key(text); },
          [store](std::string_view text, const key_id& id) { return store->seal_key(text, id); },
          [store](std::string_view sealed, const key_id& id) { return store->open_key(sealed, id); },
          [](std::span<std::uint8_t> out) {
            // Without randomness there are no keys: the actor ends, and with it the service.
            if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1)
              throw std::runtime_error("the system gives no random bytes");
          }};
}

secret sentinel_of(const storage::ledger& store) {
  return secret{"sk-nobody-" + store.id_of_key("the key that nobody holds and that every node has").substr(1)};
}

std::shared_ptr<const pricing> make_price_book(const std::map<std::string, price>& prices) {
  std::vector<price> all;
  all.reserve(prices.size());
  for (const auto& [id, one] : prices)
    all.push_back(one);
  return std::make_shared<price_book>(std::move(all));
}

caf::expected<key_registry_start> registry_start(const storage::ledger& store, const std::vector<node_name>& nodes,
                                                 moment now) {
  auto image = store.load_registry();
  if (!image)
    return image.error();
  key_registry_start out;
  out.image = std::make_shared<registry_image>(std::move(*image));
  out.prices = std::make_shared<price_book>(out.image->prices);
  const auto first = std::min(window_start(budget_window::month, now), window_start(budget_window::week, now));
  const auto by_hour_from = storage::start_of(storage::granularity::day, unix_ns(first));
  // Roll-ups are of hours of UTC. Where a window begins within one, its records are counted one by one.
  std::set<moment> split;
  for (const auto window : {budget_window::hour, budget_window::day, budget_window::week, budget_window::month})
    if (const auto began = window_start(window, now); began != std::chrono::floor<std::chrono::hours>(began))
      split.insert(std::chrono::floor<std::chrono::hours>(began));
  const auto books = store.read();
  // Of what is older only the whole counts, for budgets of a lifetime; of each key a few rows an hour, so added up first.
  std::map<std::pair<storage::name_number, std::int64_t>, past_use> used;
  caf::error failed;
  for (const auto& node : nodes)
    for (const auto by : {storage::granularity::day, storage::granularity::hour}) {
      const bool daily = by == storage::granularity::day;
      storage::ledger::cell_question what;
      what.by = by;
      what.view = storage::cell_view::key_totals;
      what.first = daily ? INT32_MIN : by_hour_from * 24;
      what.end = daily ? by_hour_from : INT32_MAX;
      const auto add = [&](std::int32_t start, const storage::cell_id& id, const storage::cell_sums& sums) {
        const auto from_ns = daily ? 0 : start * storage::ns_of(by);
        if (!daily && split.contains(moment_of(from_ns)))
          return;
        auto& one = used[{id.client_key, from_ns}];
        one.from = moment_of(from_ns);
        one.requests += sums.requests;
        one.tokens += sums.tokens.total;
        one.cost_nano += sums.cost_nano;
      };
      if ((failed = books->sums(node, what, add)))
        return failed;
    }
  for (const auto& node : nodes)
    for (const auto hour : split) {
      auto records = store.uses_between(node, hour, hour + 1h);
      if (!records)
        return records.error();
      for (const auto& one : *records)
        out.used.push_back({one.key, one.at, 1, one.tokens, one.cost_nano});
    }
  for (auto& [which, one] : used) {
    auto key = books->text(storage::name_kind::client_key, which.first);
    if (!key)
      return key.error();
    one.key = std::move(*key);
    out.used.push_back(std::move(one));
  }
  return out;
}

} // namespace keyportal
