// Texts at rest that are private: compressed where that helps, then sealed for the row they go to.
#pragma once

#include <string>
#include <string_view>

#include <caf/expected.hpp>

#include "storage/seal.hpp"

namespace keyportal::storage {

/// Longer texts are refused (`bad_request`): they must fit a row.
inline constexpr std::size_t longest_packed_bytes = std::size_t{1} << 30;

enum class packing : std::uint8_t {
  small,
  quick, ///< for what lives on disk for milliseconds
};

/// `bound_to` is the key of the row.
[[nodiscard]] caf::expected<std::string> pack(const sealer& seal, std::string_view plain, std::string_view bound_to,
                                              packing how = packing::small);
/// `seal_broken` when a bit differs from what was packed, or it was packed for another row or with another key.
[[nodiscard]] caf::expected<std::string> unpack(const sealer& seal, std::string_view packed, std::string_view bound_to);

} // namespace keyportal::storage
