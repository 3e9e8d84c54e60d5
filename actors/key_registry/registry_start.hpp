// What the registry begins with, read from the ledger before any actor runs.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <caf/expected.hpp>

#include "actors/key_registry/key_registry.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

/// Seals and names with the keys of the data folder; draws from the system's random source.
key_vault vault_of(const std::shared_ptr<storage::ledger>& store);

/// A key that nobody holds: the same one for every life of this installation, and no other's.
secret sentinel_of(const storage::ledger& store);

/// What records cost by the prices of the registry.
std::shared_ptr<const pricing> make_price_book(const std::map<std::string, price>& prices);

/// The fold, and what budgets need to know of usage up to `now`. Reads roll-ups by the hour since the beginning of the
/// month or week, by the day before.
caf::expected<key_registry_start> registry_start(const storage::ledger& store, const std::vector<node_name>& nodes,
                                                 moment now);

} // namespace keyportal
