#include "storage/ledger.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/core.h>
#include <rocksdb/env.h>
#include <sys/stat.h>

#include "storage/ledger_parts.hpp"
#include "storage/migrate.hpp"

namespace keyportal::storage {

// --- opening ------------------------------------------------------------------------

namespace {

caf::error make_folder(const std::filesystem::path& folder) {
  std::error_code problem;
  if (std::filesystem::is_directory(folder, problem))
    return {};
  if (folder.has_parent_path())
    std::filesystem::create_directories(folder.parent_path(), problem);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return make_error(errc::storage_failed, fmt::format("{}: {}", folder.string(), std::strerror(errno)));
  return {};
}

// The keys that sealed what is in the database must be those of the file.
caf::error check_seal(database& db, const sealer& seal, const std::filesystem::path& key_file) {
  const auto key = encode_key(seal_check_key{});
  const auto found = db.get(family::meta, key);
  if (!found)
    return found.error();
  if (*found)
    return **found == seal.fingerprint()
             ? caf::error{}
             : make_error(errc::seal_key_unusable, fmt::format("{}: belongs to another database", key_file.string()));
  rocksdb::WriteBatch batch;
  batch.Put(db.handle(family::meta), key, seal.fingerprint());
  return db.write(batch, true);
}

} // namespace

ledger::ledger(std::unique_ptr<parts> with) : parts_(std::move(with)) {}
ledger::~ledger() = default;

caf::expected<std::unique_ptr<ledger>> ledger::open(const settings& how) {
  if (auto failed = make_folder(how.folder))
    return failed;
  const auto store = how.folder / "db";
  const auto key_file = how.folder / "seal.key";
  std::error_code ignored;
  const bool first_start = !std::filesystem::exists(store / "CURRENT", ignored);
  const auto seal = sealer::load(key_file, first_start);
  if (!seal)
    return seal.error();
  auto db = database::open_store({store, how.block_cache_bytes, how.write_buffer_bytes, how.env});
  if (!db)
    return db.error();
  if (auto failed = check_seal(**db, *seal, key_file))
    return failed;
  auto with = std::make_unique<parts>(how, *db, *seal);
  if (auto failed = migrate(**db, *with->dictionary))
    return failed;
  if (auto failed = with->load())
    return failed;
  return std::unique_ptr<ledger>{new ledger(std::move(with))};
}

caf::error ledger::parts::load() {
  ledger_memory fresh;
  const view as_of{*db};
  const auto position = db->get(family::meta, encode_key(position_key{}), as_of.get());
  if (!position)
    return position.error();
  if (*position && !decode(**position, fresh.position))
    return damaged("position");
  const auto registry = db->get(family::registry, encode_key(registry_key{}), as_of.get());
  if (!registry)
    return registry.error();
  if (*registry && !decode(**registry, fresh.registry))
    return damaged("registry");
  if (auto failed = load_events(*db, as_of, fresh.events))
    return failed;
  auto failed = db->each(
    family::meta, key_prefix<node_key>(), {},
    [&](std::string_view key, std::string_view value, bool&) -> caf::error {
      node_key of;
      node_state state;
      if (!decode_key(key, of) || !decode(value, state.value))
        return damaged("node");
      state.number = of.node;
      const auto name = dictionary->get(name_kind::node, of.node);
      if (!name)
        return name.error();
      fresh.nodes.emplace((*name)->text, state);
      return {};
    },
    as_of.get());
  if (failed)
    return failed;
  const std::lock_guard lock{mutex};
  memory = std::move(fresh);
  return {};
}

std::optional<name_number> ledger::parts::number_of(const node_name& node) const {
  const std::lock_guard lock{mutex};
  const auto found = memory.nodes.find(node);
  return found == memory.nodes.end() ? std::nullopt : std::optional{found->second.number};
}

std::int64_t ledger::parts::first_ns_of(name_number node) const { return first_moments().of(node); }

ledger::parts::moments ledger::parts::first_moments() const {
  moments out;
  const std::lock_guard lock{mutex};
  for (const auto& [name, state] : memory.nodes)
    if (state.value.first_ns != INT64_MIN)
      out.by_node.emplace(state.number, state.value.first_ns);
  return out;
}

// --- writing ---------------------------------------------------------------------------

namespace {

constexpr int most_in_vain = 10;

bool can_write(const settings& how) {
  auto* env = how.env != nullptr ? how.env : rocksdb::Env::Default();
  const auto path = (how.folder / "write.probe").string();
  const auto done = rocksdb::WriteStringToFile(env, "can be written", path, true);
  env->DeleteFile(path);
  return done.ok();
}

} // namespace

caf::error ledger::parts::mend() {
  if (!broken)
    return {};
  if (auto failed = to_error(db->raw().Resume())) {
    // RocksDB 7.8 does not always come back from a failed write, however well the disk is again; opening anew does.
    in_vain = can_write(how) ? in_vain + 1 : 0;
    return in_vain < most_in_vain ? failed : make_error(errc::storage_stuck);
  }
  in_vain = 0;
  dictionary->forget_all();
  changed->forget();
  credentials = {};
  if (auto failed = load())
    return failed;
  broken = false;
  return {};
}

namespace {

bool has_copies(const ledger::write& write) {
  const auto* what = std::get_if<collection>(&write);
  if (what == nullptr || !what->groups)
    return false;
  // A collection is copied as a whole or not at all.
  for (const auto& group : *what->groups)
    if (!group.details.empty())
      return group.details.front().copied;
  return false;
}

caf::error add_all(commit_plan& plan, const std::vector<ledger::write>& writes) {
  if (std::any_of(writes.begin(), writes.end(), has_copies))
    plan.expect_copies();
  for (const auto& one : writes)
    if (auto failed = std::visit([&](const auto& what) { return plan.add(what); }, one))
      return failed;
  return {};
}

} // namespace

caf::expected<std::vector<committed>> ledger::rehearse(const std::vector<write>& writes, moment now) const {
  if (auto failed = parts_->mend())
    return failed;
  commit_plan plan{*parts_->db, *parts_->dictionary, parts_->memory, parts_->credentials, parts_->prices, now};
  if (auto failed = add_all(plan, writes))
    return failed;
  return plan.take_results();
}

caf::expected<std::vector<committed>> ledger::commit(const std::vector<write>& writes, moment now) {
  if (auto failed = parts_->mend())
    return failed;
  commit_plan plan{*parts_->db, *parts_->dictionary, parts_->memory, parts_->credentials, parts_->prices, now};
  if (auto failed = add_all(plan, writes))
    return failed;
  if (!plan.changes_anything())
    return plan.take_results();
  if (auto failed = plan.close())
    return failed;
  const auto days = plan.days();
  parts_->changed->begin(days);
  if (auto failed = parts_->db->write(plan.batch(), parts_->how.sync)) {
    parts_->broken = true;
    return failed;
  }
  parts_->changed->end(days);
  auto after = plan.keep();
  parts_->prices = plan.prices();
  {
    const std::lock_guard lock{parts_->mutex};
    parts_->memory = std::move(after);
  }
  return plan.take_results();
}

namespace {

// Takes the sequences in [next, end), which ascend, out of the ranges; how many were in them.
std::uint64_t take_out(std::vector<sequence_range>& ranges, std::vector<sequence>::const_iterator next,
                       std::vector<sequence>::const_iterator end) {
  std::vector<sequence_range> left;
  std::uint64_t gone = 0;
  for (auto range : ranges) {
    next = std::lower_bound(next, end, range.first);
    for (; next != end && *next <= range.last; ++next, ++gone) {
      if (*next > range.first)
        left.push_back({range.first, *next - 1});
      range.first = *next + 1;
    }
    if (range.first <= range.last)
      left.push_back(range);
  }
  ranges = std::move(left);
  return gone;
}

} // namespace

caf::error ledger::forget_outbox(const std::vector<sequence>& shipped) {
  if (auto failed = parts_->mend())
    return failed;
  auto seqs = shipped;
  std::sort(seqs.begin(), seqs.end());
  seqs.erase(std::unique(seqs.begin(), seqs.end()), seqs.end());
  auto& db = *parts_->db;
  auto position = parts_->memory.position;
  rocksdb::WriteBatch batch;
  for (auto next = seqs.begin(); next != seqs.end();) {
    // The row that holds `next`, if any does, is the first one that does not end before it.
    outbox_key row;
    outbox_value value;
    const auto read = [&](std::string_view key, std::string_view bytes, bool& stop) -> caf::error {
      stop = true;
      return decode_key(key, row) && decode(bytes, value) ? caf::error{} : damaged("outbox");
    };
    if (auto failed = db.each(family::outbox, key_prefix<outbox_key>(), encode_key(outbox_key{*next}), read))
      return failed;
    if (row.last == 0)
      break; // nothing waits from here on
    const auto end = std::upper_bound(next, seqs.end(), row.last);
    std::uint64_t gone = 0;
    if (value.kind == event_kind::usage)
      gone = take_out(value.waiting, next, end);
    else if (std::binary_search(next, end, row.last))
      gone = 1;
    position.outbox -= gone;
    if (gone > 0 && value.waiting.empty())
      batch.Delete(db.handle(family::outbox), encode_key(row));
    else if (gone > 0)
      batch.Put(db.handle(family::outbox), encode_key(row), encode(value));
    next = end;
  }
  if (batch.Count() == 0)
    return {};
  batch.Put(db.handle(family::meta), encode_key(position_key{}), encode(position));
  if (auto failed = db.write(batch, false)) {
    parts_->broken = true;
    return failed;
  }
  const std::lock_guard lock{parts_->mutex};
  parts_->memory.position = position;
  return {};
}

void ledger::use_prices(std::shared_ptr<const pricing> prices) { parts_->prices = std::move(prices); }

// --- reading ---------------------------------------------------------------------------

ledger_state ledger::state() const {
  const std::lock_guard lock{parts_->mutex};
  const auto& memory = parts_->memory;
  ledger_state out{memory.position.last,  memory.position.records,      memory.position.outbox,
                   memory.position.inbox, memory.position.dead_letters, {}};
  for (const auto& [name, state] : memory.nodes) {
    out.sums.emplace_back(name, state.value.sums);
    out.at_node.emplace_back(name, state.value.at_node());
  }
  return out;
}

caf::expected<node_memory> ledger::recall(const node_name& node) const {
  node_memory out;
  const auto number = parts_->number_of(node);
  if (!number)
    return out;
  const auto& db = *parts_->db;
  const view as_of{db};
  const auto row = db.get(family::meta, encode_key(node_key{*number}), as_of.get());
  if (!row)
    return row.error();
  node_value value;
  if (!*row || !decode(**row, value))
    return damaged("node");
  out.known = value.known;
  out.last_seen_at = moment_of(value.last_seen_ns);
  out.counters = value.counters;
  auto failed = db.each(
    family::meta, key_prefix<mark_key>(*number), {},
    [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
      mark_key of;
      mark_value mark;
      if (!decode_key(key, of) || !decode(bytes, mark))
        return damaged("mark");
      const auto client_key = parts_->dictionary->get(name_kind::client_key, of.client_key);
      if (!client_key)
        return client_key.error();
      const auto model = parts_->dictionary->get(name_kind::model, of.model);
      if (!model)
        return model.error();
      out.marks.push_back({secret{(*client_key)->text}, (*model)->text, mark.count, mark.raw_bytes, mark.raw_hash,
                           mark.ids_hash, mark.total_requests});
      return {};
    },
    as_of.get());
  if (failed)
    return failed;
  return out;
}

namespace {

// The newest `limit` rows of a node's journal, newest first. `Key` has a node and a number.
template <class Key, class Record>
caf::expected<std::vector<Record>> newest(const database& db, std::optional<name_number> number, const node_name& node,
                                          std::uint32_t limit, std::string_view kind) {
  std::vector<Record> out;
  if (!number || limit == 0)
    return out;
  auto failed = db.each(
    family::meta, key_prefix<Key>(*number), {},
    [&](std::string_view key, std::string_view value, bool& stop) -> caf::error {
      Key of;
      Record record;
      if (!decode_key(key, of) || !decode(value, record))
        return damaged(kind);
      record.node = node;
      record.number = of.number;
      out.push_back(std::move(record));
      stop = out.size() == limit;
      return {};
    },
    nullptr, true);
  if (failed)
    return failed;
  return out;
}

} // namespace

caf::expected<std::vector<restart_record>> ledger::restarts(const node_name& node, std::uint32_t limit) const {
  return newest<restart_key, restart_record>(*parts_->db, parts_->number_of(node), node, limit, "restart");
}

caf::expected<std::vector<gap_record>> ledger::gaps(const node_name& node, std::uint32_t limit) const {
  return newest<gap_key, gap_record>(*parts_->db, parts_->number_of(node), node, limit, "gap");
}

caf::expected<std::vector<incomplete_record>> ledger::incompletes(const node_name& node, std::uint32_t limit) const {
  return newest<incomplete_key, incomplete_record>(*parts_->db, parts_->number_of(node), node, limit, "incomplete");
}

// --- snapshots and the rest ---------------------------------------------------------------

caf::expected<snapshot_info> ledger::keep_snapshot(snapshot_info info, const std::string& json) const {
  return parts_->shelf.keep(std::move(info), json);
}

caf::expected<std::vector<snapshot_info>> ledger::snapshots(const node_name& node) const {
  return parts_->shelf.list(node);
}

caf::expected<std::string> ledger::read_snapshot(std::uint64_t id) const { return parts_->shelf.read(id); }

caf::expected<config_info> ledger::keep_config(const keyportal::keep_config& what) const {
  return parts_->configs.keep(what);
}

caf::expected<std::vector<config_info>> ledger::configs(const node_name& node) const {
  return parts_->configs.list(node);
}

caf::error ledger::keep_account_rows(const account_rows_change& what) const { return parts_->accounts.keep(what); }

caf::expected<std::vector<account_row>> ledger::account_rows(account_row_kind kind) const {
  return parts_->accounts.list(kind);
}

caf::expected<std::string> ledger::read_config(const node_name& node, std::uint64_t number) const {
  return parts_->configs.read(node, number);
}

std::shared_ptr<notice_shelf> ledger::notices() const { return parts_->told; }

key_id ledger::id_of_key(std::string_view client_key) const { return parts_->dictionary->seal().id_of_key(client_key); }

caf::error ledger::compact() const {
  auto& db = *parts_->db;
  for (std::size_t i = 0; i < families; ++i) {
    const auto which = static_cast<family>(i);
    if (auto failed = to_error(db.raw().Flush({}, db.handle(which))))
      return failed;
    rocksdb::CompactRangeOptions how;
    how.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    if (auto failed = to_error(db.raw().CompactRange(how, db.handle(which), nullptr, nullptr)))
      return failed;
  }
  return {};
}

} // namespace keyportal::storage
