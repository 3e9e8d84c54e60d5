// The dictionary: names that recur in every record (nodes, client keys, models, sources, credentials) are kept once
// and stand as numbers elsewhere. Client keys and sources are sealed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <caf/expected.hpp>

#include "storage/database.hpp"
#include "storage/seal.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {

/// One entry. `key` is set for client keys only.
struct name_entry {
  name_number number = 0;
  name_kind kind{};
  std::string text;
  key_id key;
};
using name_ptr = std::shared_ptr<const name_entry>;

/// Longer names than this are refused: they are no names.
inline constexpr std::size_t longest_name_bytes = std::size_t{64} << 10;

/// Reading: any thread. What was read is cached, in clear, up to a bounded number of entries.
class names {
public:
  names(std::shared_ptr<const database> db, sealer seal);

  /// Null when the dictionary has no such name. The empty text has number 0 and no row.
  [[nodiscard]] caf::expected<name_ptr> find(name_kind kind, std::string_view text) const;
  /// The name with a number that some row holds; `storage_corrupt` when there is none or it is of another kind.
  [[nodiscard]] caf::expected<name_ptr> get(name_kind kind, name_number number) const;

  [[nodiscard]] const sealer& seal() const { return seal_; }
  void remember(const name_ptr& entry) const;
  void forget_all() const;

private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using by_text = std::unordered_map<std::string, name_ptr, text_hash, std::equal_to<>>;

  std::shared_ptr<const database> db_;
  sealer seal_;
  mutable std::shared_mutex mutex_;
  mutable std::array<by_text, name_kinds> by_text_; // by kind
  mutable std::unordered_map<name_number, name_ptr> by_number_;
};

/// The names that one commit meets, of which some are new: they get their numbers here, their rows in the commit's
/// batch, and are known to others only after `keep`. One thread.
class name_changes {
public:
  name_changes(const names& known, name_number last) : known_(&known), last_(last) {}

  /// The name's entry, a new one if it has none. `bad_request` when it is too long.
  [[nodiscard]] caf::expected<name_ptr> number(name_kind kind, std::string_view text);
  /// Adds the rows of the new names.
  [[nodiscard]] caf::error write_to(rocksdb::WriteBatch& batch, const database& db) const;
  /// The batch is on disk.
  void keep() const;
  [[nodiscard]] name_number last() const { return last_; }
  [[nodiscard]] const sealer& seal() const { return known_->seal(); }

private:
  const names* known_;
  name_number last_;
  std::vector<name_ptr> fresh_;
  std::unordered_map<std::string, name_ptr> fresh_by_text_; // by kind byte and text
};

} // namespace keyportal::storage
