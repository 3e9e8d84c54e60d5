// The registry's log, read and proved against what is folded of it.
#include <algorithm>
#include <unordered_map>

#include <fmt/core.h>

#include "storage/ledger_parts.hpp"
#include "storage/registry_rows.hpp"
#include "storage/sha256.hpp"

namespace keyportal::storage {
namespace {

constexpr std::uint32_t most_at_once = 10'000;
/// An answer ends with the row that brings it above this.
constexpr std::size_t enough_bytes = std::size_t{16} << 20;

caf::expected<registry_value> read_position(const database& db, const view& as_of) {
  registry_value out;
  const auto row = db.get(family::registry, encode_key(registry_key{}), as_of.get());
  if (!row)
    return row.error();
  if (*row && !decode(**row, out))
    return damaged("registry");
  return out;
}

template <class Key, class T>
caf::error read_image(std::string_view key, std::string_view bytes, std::string_view kind, T& out) {
  Key of;
  if (!decode_key(key, of) || !decode(bytes, out))
    return damaged(kind);
  name_of(out) = std::move(std::get<0>(of.fields()));
  return {};
}

template <class Key, class List>
caf::error read_images(const database& db, const view& as_of, std::string_view kind, List& out) {
  return db.each(
    family::registry, key_prefix<Key>(), {},
    [&](std::string_view key, std::string_view bytes, bool&) {
      return read_image<Key>(key, bytes, kind, out.emplace_back());
    },
    as_of.get());
}

// Calls `visit(position, command)` for the commands that still count.
template <class Visit>
caf::error each_command(const database& db, const view& as_of, Visit visit) {
  return db.each(
    family::registry, key_prefix<command_key>(), {},
    [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
      command_key of;
      command_value command;
      if (!decode_key(key, of) || !decode(bytes, command))
        return damaged("command");
      return visit(of.position, std::move(command));
    },
    as_of.get());
}

} // namespace

// --- reading -------------------------------------------------------------------------------

log_position ledger::registry_position() const {
  const std::lock_guard lock{parts_->mutex};
  return parts_->memory.registry.last;
}

caf::expected<std::vector<registry_entry>> ledger::entries(log_position after, std::uint32_t limit) const {
  std::vector<registry_entry> out;
  limit = std::min(limit, most_at_once);
  if (limit == 0 || after == UINT64_MAX)
    return out;
  std::size_t bytes_read = 0;
  auto failed = parts_->db->each(family::registry, key_prefix<entry_key>(), encode_key(entry_key{after + 1}),
                                 [&](std::string_view key, std::string_view bytes, bool& stop) -> caf::error {
                                   entry_key of;
                                   auto& entry = out.emplace_back();
                                   if (!decode_key(key, of) || !decode(bytes, entry))
                                     return damaged("entry");
                                   entry.position = of.position;
                                   bytes_read += bytes.size();
                                   stop = out.size() == limit || bytes_read > enough_bytes;
                                   return {};
                                 });
  if (failed)
    return failed;
  return out;
}

caf::expected<registry_image> ledger::load_registry() const {
  const auto& db = *parts_->db;
  const view as_of{db};
  const auto position = read_position(db, as_of);
  if (!position)
    return position.error();
  registry_image out;
  out.position = position->last;
  if (auto failed = read_images<user_key>(db, as_of, "user", out.users))
    return failed;
  if (auto failed = read_images<client_key_key>(db, as_of, "client key", out.keys))
    return failed;
  if (auto failed = read_images<policy_key>(db, as_of, "policy", out.policies))
    return failed;
  if (auto failed = read_images<price_key>(db, as_of, "price", out.prices))
    return failed;
  if (auto failed = read_images<access_record_key>(db, as_of, "access record", out.access))
    return failed;
  out.commands.reserve(std::min<std::uint64_t>(position->commands, 10'000'000));
  auto failed = each_command(db, as_of, [&](log_position at, command_value&& command) {
    out.commands.emplace_back(std::move(command.command), at);
    return caf::error{};
  });
  if (failed)
    return failed;
  return out;
}

// --- sealing -------------------------------------------------------------------------------

caf::expected<std::string> ledger::seal_key(std::string_view text, const key_id& id) const {
  return parts_->dictionary->seal().seal(text, "registry-key:" + id);
}

caf::expected<secret> ledger::open_key(std::string_view sealed, const key_id& id) const {
  auto text = parts_->dictionary->seal().open(sealed, "registry-key:" + id);
  if (!text)
    return text.error();
  return secret{std::move(*text)};
}

// --- proving -------------------------------------------------------------------------------

namespace {

caf::error broken(log_position at, std::string_view why) {
  return make_error(errc::audit_broken, fmt::format("entry {}: {}", at, why));
}

caf::error differs(std::string what) { return make_error(errc::storage_corrupt, std::move(what)); }

/// The log folded anew; images as bytes, which takes less memory and compares the same.
class refold {
public:
  caf::error add(const registry_entry& entry, std::string_view row) {
    if (entry.position != value_.last + 1)
      return broken(value_.last + 1, "is missing");
    row.remove_suffix(entry.hash.size());
    if (chained(value_.hash, row) != entry.hash)
      return broken(entry.position, "its hash is not that of it and of the entry before");
    value_.last = entry.position;
    value_.hash = entry.hash;
    for (const auto& change : entry.users)
      if (!apply(change, users_))
        return broken(entry.position, "a user was otherwise before");
    for (const auto& change : entry.keys)
      if (!apply(change, keys_))
        return broken(entry.position, "a client key was otherwise before");
    for (const auto& change : entry.policies)
      if (!apply(change, policies_))
        return broken(entry.position, "a policy was otherwise before");
    for (const auto& change : entry.prices)
      if (!apply(change, prices_))
        return broken(entry.position, "a price was otherwise before");
    for (const auto& change : entry.access)
      if (!apply(change, access_))
        return broken(entry.position, "an access record was otherwise before");
    if (!entry.command.empty())
      commands_.emplace(entry.position, command_value{unix_ns(entry.at), entry.command});
    return {};
  }

  caf::error compare(const database& db, const view& as_of, const registry_value& kept) {
    if (kept.last != value_.last || kept.hash != value_.hash)
      return broken(value_.last, fmt::format("is the last one, {} should be", kept.last));
    if (kept.users != users_.size() || kept.keys != keys_.size() || kept.policies != policies_.size()
        || kept.prices != prices_.size() || kept.access != access_.size())
      return differs("the registry counts other rows than its log comes to");
    if (auto failed = compare_rows<user_key, user>(db, as_of, "user", users_))
      return failed;
    if (auto failed = compare_rows<client_key_key, client_key>(db, as_of, "client key", keys_))
      return failed;
    if (auto failed = compare_rows<policy_key, policy>(db, as_of, "policy", policies_))
      return failed;
    if (auto failed = compare_rows<price_key, price>(db, as_of, "price", prices_))
      return failed;
    if (auto failed = compare_rows<access_record_key, access_record>(db, as_of, "access record", access_))
      return failed;
    return compare_commands(db, as_of, kept);
  }

private:
  using images = std::unordered_map<std::string, std::string>;

  template <class T>
  static bool apply(const change_of<T>& change, images& fold) {
    const auto& name = name_of(any_of(change));
    const auto there = fold.find(name);
    if (change.before ? there == fold.end() || there->second != encode(*change.before) : there != fold.end())
      return false;
    if (change.after)
      fold[name] = encode(*change.after);
    else
      fold.erase(there);
    return !change.before || name_of(*change.before) == name;
  }

  template <class Key, class T>
  static caf::error compare_rows(const database& db, const view& as_of, std::string_view kind, images& fold) {
    auto failed = db.each(
      family::registry, key_prefix<Key>(), {},
      [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
        T image;
        if (auto unreadable = read_image<Key>(key, bytes, kind, image))
          return unreadable;
        const auto there = fold.find(name_of(image));
        if (there == fold.end() || there->second != encode(image))
          return differs(fmt::format("{} {} is not what the log comes to", kind, name_of(image)));
        fold.erase(there);
        return {};
      },
      as_of.get());
    if (!failed && !fold.empty())
      return differs(fmt::format("{} rows of kind '{}' are missing", fold.size(), kind));
    return failed;
  }

  // Each entry from the first one that still counts on has its row, and no other.
  caf::error compare_commands(const database& db, const view& as_of, const registry_value& kept) {
    commands_.erase(commands_.begin(), commands_.lower_bound(kept.first_command));
    if (kept.commands != commands_.size())
      return differs(fmt::format("{} commands, {} counted", commands_.size(), kept.commands));
    auto failed = each_command(db, as_of, [&](log_position at, command_value&& command) -> caf::error {
      const auto there = commands_.find(at);
      if (there == commands_.end() || there->second != command)
        return differs(fmt::format("the command of entry {} is not that of the log", at));
      commands_.erase(there);
      return {};
    });
    if (!failed && !commands_.empty())
      return differs(fmt::format("{} commands are missing", commands_.size()));
    return failed;
  }

  registry_value value_;
  images users_, keys_, policies_, prices_, access_;
  std::map<log_position, command_value> commands_;
};

} // namespace

caf::error ledger::verify_registry() const {
  const auto& db = *parts_->db;
  const view as_of{db};
  const auto kept = read_position(db, as_of);
  if (!kept)
    return kept.error();
  refold fold;
  auto failed = db.each(
    family::registry, key_prefix<entry_key>(), {},
    [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
      entry_key of;
      registry_entry entry;
      if (!decode_key(key, of))
        return damaged("entry");
      if (!decode(bytes, entry))
        return broken(of.position, "cannot be read");
      entry.position = of.position;
      return fold.add(entry, bytes);
    },
    as_of.get());
  if (failed)
    return failed;
  return fold.compare(db, as_of, *kept);
}

} // namespace keyportal::storage
