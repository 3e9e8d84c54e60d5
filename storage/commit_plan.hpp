// What one commit will change, worked out against the ledger as it is, before anything is written.
#pragma once

#include <map>
#include <memory>
#include <unordered_set>
#include <vector>

#include <caf/expected.hpp>

#include "storage/ledger.hpp"
#include "storage/names.hpp"
#include "storage/rollups.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {

struct node_state {
  name_number number = 0;
  node_value value;
};

/// What the ledger keeps in memory of what is on disk.
struct ledger_memory {
  position_value position;
  std::map<node_name, node_state, std::less<>> nodes;
};

/// Add every write, `close`, write the batch, `keep`: only then others see it. Thrown away, nothing has happened.
class commit_plan {
public:
  /// All arguments outlive the plan.
  commit_plan(const database& db, const names& known, const ledger_memory& before, rollup_table& rollup_cache,
              moment now);

  [[nodiscard]] caf::error add(const collection& write);
  [[nodiscard]] caf::error add(const journal_entry& write);
  /// Adds the rows that sum up all writes. The batch is complete then.
  [[nodiscard]] caf::error close();
  rocksdb::WriteBatch& batch() { return batch_; }
  [[nodiscard]] bool changes_anything() const { return changed_; }

  /// The batch is on disk: what the ledger is now. Call once.
  ledger_memory keep();
  std::vector<committed> take_results() { return std::move(results_); }

private:
  struct candidate {
    record_key key;
    const record_group* group;
    const keyportal::detail* detail;
    const name_entry* client_key;
    const name_entry* model;
  };
  struct key_hash {
    std::size_t operator()(const record_key& key) const { return std::hash<record_id>{}(key.id); }
  };

  [[nodiscard]] caf::expected<node_state*> node(const node_name& name);
  [[nodiscard]] caf::error drop_known(std::vector<candidate>& candidates);
  [[nodiscard]] caf::error insert(const candidate& one, const node_name& name, node_state& of,
                                  std::vector<stored_record>& out);
  void put_outbox_row();
  [[nodiscard]] caf::error remember(const collection& write, node_state& of);
  [[nodiscard]] caf::expected<std::uint64_t> journal(const restart_record& restart);
  [[nodiscard]] caf::error journal(const gap_record& gap);
  template <class Key, class Value>
  void put(family where, const Key& key, const Value& value);

  const database* db_;
  moment now_;
  ledger_memory after_;
  name_changes names_;
  rollup_changes rollups_;
  rocksdb::WriteBatch batch_;
  std::unordered_set<record_key, key_hash> inserted_;
  std::vector<committed> results_;
  std::vector<name_ptr> held_; // keeps the entries that candidates point to
  outbox_value outbox_row_;    // being filled
  std::string key_bytes_;      // reused for each record
  std::string value_bytes_;
  bool changed_ = false;
};

} // namespace keyportal::storage
