// What one commit will change, worked out against the ledger as it is, before anything is written.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include <caf/expected.hpp>

#include "messages/pricing.hpp"
#include "storage/cells.hpp"
#include "storage/credentials.hpp"
#include "storage/ledger.hpp"
#include "storage/names.hpp"
#include "storage/retirement.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {

struct node_state {
  name_number number = 0;
  node_value value;
};

/// Which events are kept besides the outbox.
struct kept_events {
  std::uint64_t rows = 0;
  bool any_yet = false; ///< the horizon is on disk
  sequence horizon = 0; ///< events up to here were let go, or never kept
};

/// What the ledger keeps in memory of what is on disk.
struct ledger_memory {
  position_value position;
  kept_events events;
  registry_value registry;
  std::map<node_name, node_state, std::less<>> nodes;
};

/// Add every write, `close`, write the batch, `keep`: only then others see it. Thrown away, nothing has happened.
class commit_plan {
public:
  /// All arguments outlive the plan. `prices` may be null.
  commit_plan(const database& db, const names& known, const ledger_memory& before, credential_table& credentials,
              std::shared_ptr<const pricing> prices, moment now);

  /// Before anything is added: copies of other tools will be, and have to find what else is added.
  void expect_copies() { copies_expected_ = true; }
  [[nodiscard]] caf::error add(const collection& write);
  [[nodiscard]] caf::error add(const journal_entry& write);
  [[nodiscard]] caf::error add(const received& write);
  [[nodiscard]] caf::error add(const consumer_progress& write);
  [[nodiscard]] caf::error add(const append_entry& write);
  [[nodiscard]] caf::error add(const shared_progress& write);
  [[nodiscard]] caf::error add(const shared_rows& write);
  /// Adds the rows that sum up all writes. The batch is complete then.
  [[nodiscard]] caf::error close();
  rocksdb::WriteBatch& batch() { return batch_; }
  /// Whose roll-ups it changes.
  [[nodiscard]] std::vector<std::pair<name_number, std::int32_t>> days() const { return cells_.days(); }
  [[nodiscard]] bool changes_anything() const { return changed_; }

  /// The batch is on disk: what the ledger is now. Call once.
  ledger_memory keep();
  [[nodiscard]] const std::shared_ptr<const pricing>& prices() const { return prices_; }
  std::vector<committed> take_results() { return std::move(results_); }

private:
  struct candidate {
    record_key key;
    const record_group* group;
    const keyportal::detail* detail;
    const name_entry* client_key;
    const name_entry* model;
  };
  /// What two forms of one record have in common, that of `/usage` and that of the queue.
  struct short_key {
    std::uint32_t node;
    std::int64_t at_ns;
    std::uint64_t id_head;
    explicit short_key(const record_key& key);
    bool operator==(const short_key&) const = default;
  };
  struct short_key_hash {
    std::size_t operator()(const short_key& key) const { return key.id_head; } // of a hash: uniform already
  };
  struct form {
    record_id id;
    bool has_facts;
  };
  /// What an attempt is known by where one of two records of it is a copy.
  struct attempt {
    name_number client_key;
    name_number model;
    name_number auth_index;
    bool failed;
    bool copied;
    [[nodiscard]] bool is_same_as(const attempt& other) const;
  };
  using node_moment = std::pair<std::uint32_t, std::int64_t>;

  // commit_plan.cpp: records
  [[nodiscard]] caf::expected<node_state*> node(const node_name& name);
  [[nodiscard]] caf::expected<std::vector<candidate>> candidates_of(const collection& write, const node_state& of);
  [[nodiscard]] caf::error drop_known(std::vector<candidate>& candidates, const node_state& of,
                                      std::vector<std::int64_t>& refused);
  static void forget_gone(node_value& value, std::uint64_t refused);
  [[nodiscard]] caf::expected<bool> is_there_otherwise(const candidate& one, const node_state& of);
  [[nodiscard]] caf::expected<bool> is_copied_otherwise(const candidate& one, const node_state& of);
  [[nodiscard]] caf::expected<attempt> attempt_of(const candidate& one);
  [[nodiscard]] bool take_place(const candidate& one);
  [[nodiscard]] caf::error insert(const candidate& one, const node_name& name, node_state& of,
                                  std::vector<stored_record>& out);
  [[nodiscard]] caf::error put_arrivals_row();
  void put_outbox_rows(sequence first, sequence last);
  void forget_minutes();
  [[nodiscard]] caf::error remember(const collection& write, node_state& of);

  // retirement.cpp
  [[nodiscard]] caf::error retire(const retirement& what);

  // commit_registry.cpp
  template <class T>
  [[nodiscard]] caf::error fold(const change_of<T>& change, std::uint64_t& rows);
  [[nodiscard]] caf::error drop_old_commands();
  [[nodiscard]] caf::error close_registry();

  // commit_journal.cpp: all else
  [[nodiscard]] caf::expected<std::shared_ptr<const std::vector<node_event>>>
  put_events(const std::vector<node_event>& given);
  [[nodiscard]] caf::error let_events_go();
  [[nodiscard]] caf::expected<std::uint64_t> journal(const restart_record& restart);
  [[nodiscard]] caf::error journal(const gap_record& gap);
  [[nodiscard]] caf::expected<std::uint64_t> journal(const incomplete_record& incomplete);
  [[nodiscard]] caf::error journal(const audit_memory& audit);
  [[nodiscard]] caf::error clear_inbox(const std::vector<std::uint64_t>& numbers, const node_state& of);
  [[nodiscard]] caf::error put_letter(const dead_letter& letter, const node_state& of);
  [[nodiscard]] caf::error drop_letters(const std::vector<std::uint64_t>& numbers);
  committed empty_result() const;

  template <class Key, class Value>
  void put(family where, const Key& key, const Value& value) {
    batch_.Put(db_->handle(where), encode_key(key), encode(value));
    changed_ = true;
  }

  const database* db_;
  moment now_;
  log_position registry_before_;
  ledger_memory after_;
  name_changes names_;
  std::shared_ptr<const pricing> prices_; ///< of the records that are added next
  cell_changes cells_;
  credential_changes credentials_;
  rocksdb::WriteBatch batch_;
  std::unordered_multimap<short_key, form, short_key_hash> inserted_;
  bool copies_expected_ = false;
  std::multimap<node_moment, attempt> attempts_; // likewise, where copies are expected
  std::vector<committed> results_;
  std::vector<name_ptr> held_;  // keeps the entries that candidates point to
  arrivals_value arrivals_row_; // being filled
  std::string extras_;          // of its records
  bool any_extra_ = false;
  std::unique_ptr<rocksdb::Iterator> records_; // as they were before, made when first needed
  std::unique_ptr<rocksdb::Iterator> inbox_;
  std::set<std::uint64_t> cleared_;         // numbers of the inbox
  std::set<std::uint64_t> dropped_letters_; // of dead letters
  std::string key_bytes_;                   // reused for each record
  std::string value_bytes_;
  bool changed_ = false;
};

} // namespace keyportal::storage
