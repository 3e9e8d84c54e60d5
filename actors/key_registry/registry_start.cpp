#include "actors/key_registry/registry_start.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include <openssl/rand.h>

#include "actors/key_registry/budget_book.hpp"

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

caf::expected<key_registry_start> registry_start(const storage::ledger& store, const std::vector<node_name>& nodes,
                                                 moment now) {
  auto image = store.load_registry();
  if (!image)
    return image.error();
  key_registry_start out;
  out.image = std::make_shared<registry_image>(std::move(*image));
  const auto first = std::min(window_start(budget_window::month, now), window_start(budget_window::week, now));
  const auto by_hour_from = moment{std::chrono::floor<std::chrono::days>(first)};
  // Roll-ups are of hours of UTC. Where a window begins within one, its records are counted one by one.
  std::set<moment> split;
  for (const auto window : {budget_window::hour, budget_window::day, budget_window::week, budget_window::month})
    if (const auto began = window_start(window, now); began != std::chrono::floor<std::chrono::hours>(began))
      split.insert(std::chrono::floor<std::chrono::hours>(began));
  for (const auto& node : nodes)
    for (const bool daily : {true, false}) {
      auto rows = daily ? store.rollups(node, true, moment{}, by_hour_from)
                        : store.rollups(node, false, by_hour_from, now + std::chrono::hours{24});
      if (!rows)
        return rows.error();
      for (const auto& row : *rows) {
        if (!daily && split.contains(row.start))
          continue;
        out.used.push_back({row.key, row.start, row.sums.requests, row.sums.tokens.total});
      }
    }
  for (const auto& node : nodes)
    for (const auto hour : split) {
      auto records = store.uses_between(node, hour, hour + 1h);
      if (!records)
        return records.error();
      for (const auto& one : *records)
        out.used.push_back({one.key, one.at, 1, one.tokens});
    }
  return out;
}

} // namespace keyportal
