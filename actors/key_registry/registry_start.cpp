#include "actors/key_registry/registry_start.hpp"

#include <algorithm>
#include <stdexcept>

#include <openssl/rand.h>

#include "actors/key_registry/budget_book.hpp"

namespace keyportal {

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
  for (const auto& node : nodes)
    for (const bool daily : {true, false}) {
      auto rows = daily ? store.rollups(node, true, moment{}, by_hour_from)
                        : store.rollups(node, false, by_hour_from, now + std::chrono::hours{24});
      if (!rows)
        return rows.error();
      for (const auto& row : *rows)
        out.used.push_back({row.key, row.start, row.sums.requests, row.sums.tokens.total});
    }
  return out;
}

} // namespace keyportal
