// Reads that go through very many rows of one consistent state, a row at a time.
#include <optional>
#include <unordered_map>

#include "storage/reading_parts.hpp"
#include "storage/registry_rows.hpp"

namespace keyportal::storage {
namespace {

using place = ledger::reading::record_place;
using walk = ledger::reading::record_walk;

constexpr std::int64_t day_ns = 86'400'000'000'000;

struct kind_hash {
  std::size_t operator()(const sieve_kind& kind) const {
    return cell_id_hash{}(kind.id) ^ ((std::size_t{kind.source} << 32 | kind.error) * 0x9e3779b97f4a7c15u);
  }
};

/// The records of one node that are wanted, ascending.
class record_run {
public:
  record_run(const database& db, const rocksdb::Snapshot* as_of, const walk& what, const node_name& name,
             name_number node, std::function<caf::expected<bool>(std::int32_t day)> possible)
    : name_(&name), node_(node), what_(&what), possible_(std::move(possible)) {
    // At most one above the last moment that there can be.
    upper_ = what.end_ns == INT64_MAX ? prefix_end(key_prefix<record_key>(node))
                                      : encode_key(record_key{node, what.end_ns, {}});
    upper_bound_ = std::make_unique<rocksdb::Slice>(upper_);
    rocksdb::ReadOptions options;
    options.snapshot = as_of;
    options.iterate_upper_bound = upper_bound_.get();
    options.fill_cache = false; // read once: must not push out what questions need
    row_.reset(db.raw().NewIterator(options, db.handle(family::records)));
  }

  [[nodiscard]] caf::error start() {
    record_key first{node_, what_->first_ns, {}};
    if (const auto& after = what_->after; after && after->at_ns >= first.at_ns) {
      // Of the same moment those of nodes with smaller names have been seen.
      if (after->at_ns == INT64_MAX && *name_ < after->node)
        return {};
      first.at_ns = after->at_ns + (*name_ < after->node ? 1 : 0);
      if (*name_ == after->node)
        first.id = after->id;
    }
    row_->Seek(encode_key(first));
    if (const auto& after = what_->after; after && *name_ == after->node && row_->Valid()) {
      record_key found;
      if (decode_key(row_->key().ToStringView(), found) && found.at_ns == after->at_ns && found.id == after->id)
        row_->Next();
    }
    return settle();
  }
  [[nodiscard]] caf::error go_on() {
    row_->Next();
    return settle();
  }
  [[nodiscard]] bool there() const { return there_; }
  [[nodiscard]] const record_key& key() const { return key_; }
  [[nodiscard]] const record_value& value() const { return value_; }
  [[nodiscard]] const node_name& node() const { return *name_; }
  [[nodiscard]] bool comes_before(const record_run& other) const {
    return key_.at_ns != other.key_.at_ns ? key_.at_ns < other.key_.at_ns : *name_ < *other.name_;
  }

private:
  // At the next record that is wanted.
  caf::error settle() {
    there_ = false;
    while (row_->Valid()) {
      if (!decode_key(row_->key().ToStringView(), key_))
        return damaged("record");
      if (what_->possible) {
        const auto day = storage::start_of(granularity::day, key_.at_ns);
        if (!day_ || *day_ != day) {
          const auto may = possible_(day);
          if (!may)
            return may.error();
          if (!*may) {
            if (day >= INT64_MAX / day_ns - 1)
              return {};
            row_->Seek(encode_key(record_key{node_, (std::int64_t{day} + 1) * day_ns, {}}));
            continue;
          }
          day_ = day;
        }
      }
      if (!decode(row_->value().ToStringView(), value_))
        return damaged("record");
      if (value_.seq <= what_->up_to && (!what_->wanted || is_wanted())) {
        there_ = true;
        return {};
      }
      row_->Next();
    }
    return to_error(row_->status());
  }

  bool is_wanted() {
    const auto hour = storage::start_of(granularity::hour, key_.at_ns);
    if (hour != hour_) {
      hour_ = hour;
      known_.clear();
    }
    const auto kind = kind_of(value_);
    const auto [at, fresh] = known_.try_emplace(kind, false);
    if (fresh)
      at->second = what_->wanted(hour, kind);
    return at->second;
  }

  const node_name* name_;
  name_number node_;
  const walk* what_;
  std::function<caf::expected<bool>(std::int32_t)> possible_;
  std::string upper_;
  std::unique_ptr<rocksdb::Slice> upper_bound_;
  std::unique_ptr<rocksdb::Iterator> row_;
  record_key key_;
  record_value value_;
  bool there_ = false;
  std::optional<std::int32_t> day_; ///< one that may hold something
  std::int32_t hour_ = INT32_MIN;
  std::unordered_map<sieve_kind, bool, kind_hash> known_; ///< kinds of the hour
};

} // namespace

caf::error ledger::reading::each_record(const record_walk& what, const record_visitor& visit) const {
  if (what.first_ns >= what.end_ns)
    return {};
  std::vector<std::unique_ptr<record_run>> runs;
  for (const auto& name : what.nodes) {
    const auto number = parts_->nodes.find(name);
    if (number == parts_->nodes.end())
      continue;
    runs.push_back(std::make_unique<record_run>(
      *parts_->db, parts_->as_of->get(), what, number->first, number->second,
      [this, &what, &name](std::int32_t day) -> caf::expected<bool> {
        bool any = false;
        if (auto failed =
              sums(name, {granularity::day, what.view, day, day + 1, what.leads},
                   [&](std::int32_t, const cell_id& id, const cell_sums&) { any = any || what.possible(day, id); }))
          return failed;
        return any;
      }));
    if (auto failed = runs.back()->start())
      return failed;
  }
  for (;;) {
    record_run* next = nullptr;
    for (const auto& one : runs)
      if (one->there() && (next == nullptr || one->comes_before(*next)))
        next = one.get();
    if (next == nullptr || !visit(next->node(), next->key(), next->value()))
      return {};
    if (auto failed = next->go_on())
      return failed;
  }
}

caf::expected<secret> ledger::reading::key_text(name_number number) const {
  const auto found = parts_->dictionary->get(name_kind::client_key, number);
  if (!found)
    return found.error();
  return secret{(*found)->text};
}

namespace {

/// The first and the last row whose keys begin with that prefix: `visit` reads a key.
template <class Visit>
caf::error ends_of(const database& db, const rocksdb::Snapshot* as_of, family where, const std::string& prefix,
                   Visit visit) {
  const auto end = prefix_end(prefix);
  const rocksdb::Slice lower{prefix}, upper{end};
  rocksdb::ReadOptions options;
  options.snapshot = as_of;
  options.iterate_lower_bound = &lower;
  options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> row{db.raw().NewIterator(options, db.handle(where))};
  row->SeekToFirst();
  if (row->Valid() && !visit(row->key().ToStringView()))
    return damaged("roll-up");
  if (row->Valid())
    row->SeekToLast();
  if (row->Valid() && !visit(row->key().ToStringView()))
    return damaged("roll-up");
  return to_error(row->status());
}

} // namespace

caf::expected<std::optional<std::pair<std::int32_t, std::int32_t>>> ledger::reading::starts(granularity by) const {
  std::optional<std::pair<std::int32_t, std::int32_t>> out;
  const auto add = [&](std::int64_t ns) {
    const auto start = storage::start_of(by, ns);
    out = out ? std::pair{std::min(out->first, start), std::max(out->second, start)} : std::pair{start, start};
  };
  // Records may be gone of which roll-ups tell, and a kind of rows may not reach as far as another.
  for (const auto& [name, number] : parts_->nodes) {
    const auto* as_of = parts_->as_of->get();
    auto failed =
      ends_of(*parts_->db, as_of, family::records, key_prefix<record_key>(number), [&](std::string_view bytes) {
        record_key key;
        if (!decode_key(bytes, key))
          return false;
        add(key.at_ns);
        return true;
      });
    for (const auto width : {granularity::minute, granularity::hour, granularity::day}) {
      const auto view = width == granularity::minute ? cell_view::all : cell_view::kinds;
      if (!failed)
        failed = ends_of(*parts_->db, as_of, family::rollups,
                         key_prefix<cells_key>(static_cast<std::uint8_t>(width), static_cast<std::uint8_t>(view),
                                               static_cast<std::uint8_t>(cell_part::sums), number),
                         [&](std::string_view bytes) {
                           cells_key key;
                           if (!decode_key(bytes, key))
                             return false;
                           add(key.start * ns_of(width));
                           return true;
                         });
    }
    if (failed)
      return failed;
  }
  return out;
}

// --- the registry ------------------------------------------------------------------------------

namespace {

template <class Key, class T>
caf::error each_image(const database& db, const view& as_of, std::string_view kind, const std::string& after,
                      const std::function<bool(T&&)>& visit) {
  return db.each(
    family::registry, key_prefix<Key>(), after.empty() ? std::string{} : encode_key(Key{after}),
    [&](std::string_view bytes_of_key, std::string_view bytes, bool& stop) -> caf::error {
      Key of;
      T image;
      if (!decode_key(bytes_of_key, of) || !decode(bytes, image))
        return damaged(kind);
      name_of(image) = std::move(std::get<0>(of.fields()));
      if (after.empty() || name_of(image) != after)
        stop = !visit(std::move(image));
      return {};
    },
    as_of.get());
}

} // namespace

caf::error ledger::reading::each_user(const user_id& after, const std::function<bool(user&&)>& visit) const {
  return each_image<user_key, user>(*parts_->db, *parts_->as_of, "user", after, visit);
}

caf::error ledger::reading::each_key(const key_id& after, const std::function<bool(client_key&&)>& visit) const {
  return each_image<client_key_key, client_key>(*parts_->db, *parts_->as_of, "client key", after, visit);
}

caf::error ledger::reading::each_policy(const std::function<bool(policy&&)>& visit) const {
  return each_image<policy_key, policy>(*parts_->db, *parts_->as_of, "policy", {}, visit);
}

caf::error ledger::reading::each_entry(log_position after, const std::function<bool(registry_entry&&)>& visit) const {
  if (after == UINT64_MAX)
    return {};
  return parts_->db->each(
    family::registry, key_prefix<entry_key>(), encode_key(entry_key{after + 1}),
    [&](std::string_view bytes_of_key, std::string_view bytes, bool& stop) -> caf::error {
      entry_key of;
      registry_entry entry;
      if (!decode_key(bytes_of_key, of) || !decode(bytes, entry))
        return damaged("entry");
      entry.position = of.position;
      stop = !visit(std::move(entry));
      return {};
    },
    parts_->as_of->get());
}

} // namespace keyportal::storage
