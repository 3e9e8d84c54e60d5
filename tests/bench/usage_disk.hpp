// Where the bytes of a ledger are.
#pragma once

#include <cstdint>
#include <filesystem>

namespace keyportal::bench {

/// Figures of the bytes a record takes, by family and by kind of row, as the tables on disk say; `folder` is that of a
/// ledger which nobody has open. Throws std::runtime_error.
void tell_disk(const std::filesystem::path& folder, std::uint64_t records);

} // namespace keyportal::bench
