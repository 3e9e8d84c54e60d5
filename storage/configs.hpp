// What a node's config was before it was written to: sealed, the newest few.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <caf/expected.hpp>

#include "messages/actors.hpp"
#include "storage/database.hpp"
#include "storage/seal.hpp"

namespace keyportal::storage {

/// Any thread.
class config_shelf {
public:
  static constexpr std::size_t most_kept = 20; ///< per node

  config_shelf(std::shared_ptr<database> db, sealer seal) : db_(std::move(db)), seal_(std::move(seal)) {}

  [[nodiscard]] caf::expected<config_info> keep(const keep_config& what);
  [[nodiscard]] caf::expected<std::vector<config_info>> list(const node_name& node) const;
  [[nodiscard]] caf::expected<std::string> read(const node_name& node, std::uint64_t number) const;

private:
  std::shared_ptr<database> db_;
  sealer seal_;
  std::mutex mutex_; // one is kept at a time: it gives the number and drops old ones
};

} // namespace keyportal::storage
