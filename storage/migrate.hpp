// Databases of older programs brought to the layout of this one.
#pragma once

#include <caf/error.hpp>

#include "storage/database.hpp"
#include "storage/names.hpp"

namespace keyportal::storage {

/// Makes what schema 1 had not, from its records: arrivals, credentials, parts of tokens in sums and roll-ups; and
/// writes its outbox anew. Nothing to do for a database of this schema. Interrupted at any moment, it begins again at
/// the next start. Takes some seconds per million records; memory is bounded.
[[nodiscard]] caf::error migrate(database& db, const names& dictionary);

} // namespace keyportal::storage
