// Records as others see them, made from rows; for the ledger's own files only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/expected.hpp>

#include "storage/database.hpp"
#include "storage/names.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {

/// The dictionary, asked once for each name. One thread.
class known_names {
public:
  explicit known_names(const names& dictionary) : dictionary_(&dictionary) {}
  [[nodiscard]] caf::expected<name_ptr> get(name_kind kind, name_number number);

private:
  const names* dictionary_;
  std::unordered_map<name_number, name_ptr> met_;
};

/// What the queue said of an attempt, without `extra`; null for a record without.
[[nodiscard]] caf::expected<std::shared_ptr<attempt_facts>> facts_of(const record_value& value, known_names& met);
/// As they are kept, or worked out from the model's name.
[[nodiscard]] token_parts parts_of(const record_value& value, std::string_view model);
[[nodiscard]] caf::expected<stored_record> record_of(const record_key& key, const record_value& value,
                                                     known_names& met);

/// Finds records by where they are said to be. Of records that ascend in time each is but a few steps behind the one
/// before. One thread.
class record_finder {
public:
  /// All arguments outlive the finder.
  record_finder(const database& db, const rocksdb::Snapshot* as_of, bool fill_cache = true);
  /// Whether it is there; then it is `key` and `value` until the next call.
  [[nodiscard]] caf::expected<bool> find(name_number node, const arrival_record& wanted);
  [[nodiscard]] const record_key& key() const { return key_; }
  [[nodiscard]] const record_value& value() const { return value_; }

private:
  [[nodiscard]] caf::expected<bool> look_from_here(name_number node, std::int64_t last_ns, sequence wanted);

  std::unique_ptr<rocksdb::Iterator> row_;
  record_key key_;
  record_value value_;
  std::int64_t at_ms_ = INT64_MAX; ///< of the one found last, at which the iterator is; with `node_`
  name_number node_ = 0;
};

struct found_record {
  record_key key;
  record_value value;
  std::size_t place = 0; ///< in what was wanted
};
/// The rows of some records. One from before `first_ns` may have gone and is left out; `storage_corrupt` when another is
/// not there.
[[nodiscard]] caf::error read_records(record_finder& finder, name_number node, std::int64_t first_ns,
                                      const std::vector<arrival_record>& wanted, std::vector<found_record>& out);

/// The extras of a row of arrivals, in the order of its records; empty when none of them has any.
[[nodiscard]] caf::expected<std::vector<std::string>> extras_of(const arrivals_key& key, const arrivals_value& row,
                                                                const sealer& seal);

/// Extras of records in any order; neighbours in the ledger's order cost one read. One thread.
class extras_reader {
public:
  /// All arguments outlive the reader.
  extras_reader(const database& db, const names& dictionary, const view& as_of)
    : db_(&db), dictionary_(&dictionary), as_of_(&as_of) {}
  [[nodiscard]] caf::expected<std::string> get(sequence seq);

private:
  const database* db_;
  const names* dictionary_;
  const view* as_of_;
  arrivals_value row_; // the one read last
  std::vector<std::string> extras_;
};

} // namespace keyportal::storage
