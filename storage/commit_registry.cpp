// The registry's log: an entry, what is folded of it, and that its command was done.
#include <fmt/core.h>

#include "messages/errors.hpp"
#include "storage/commit_plan.hpp"
#include "storage/registry_rows.hpp"
#include "storage/sha256.hpp"

namespace keyportal::storage {
namespace {

constexpr auto commands_count_for = std::chrono::hours{24 * 7};
/// Each entry brings one command at most, so this is enough to get rid of any number in time.
constexpr int most_dropped_commands = 64;

} // namespace

caf::error commit_plan::add(const append_entry& write) {
  if (!write.entry)
    return make_error(errc::bad_request, "an append without an entry");
  auto& registry = after_.registry;
  auto result = empty_result();
  if (write.expected != registry.last) { // too late: `appended` stays 0
    results_.push_back(std::move(result));
    return {};
  }
  const auto& entry = *write.entry;
  const auto position = ++registry.last;
  for (const auto& change : entry.users)
    if (auto failed = fold(change, registry.users))
      return failed;
  for (const auto& change : entry.keys)
    if (auto failed = fold(change, registry.keys))
      return failed;
  for (const auto& change : entry.policies)
    if (auto failed = fold(change, registry.policies))
      return failed;
  for (const auto& change : entry.prices)
    if (auto failed = fold(change, registry.prices))
      return failed;
  for (const auto& change : entry.access)
    if (auto failed = fold(change, registry.access))
      return failed;
  auto bytes = encode(entry);
  bytes.resize(bytes.size() - entry.hash.size());
  registry.hash = chained(registry.hash, bytes);
  put_bytes(bytes, registry.hash);
  batch_.Put(db_->handle(family::registry), encode_key(entry_key{position}), bytes);
  changed_ = true;
  if (!entry.command.empty()) {
    put(family::registry, command_key{position}, command_value{unix_ns(entry.at), entry.command});
    ++registry.commands;
  }
  auto events = put_events(write.events);
  if (!events)
    return events.error();
  if (write.prices)
    prices_ = write.prices;
  result.last = after_.position.last;
  result.events = std::move(*events);
  result.appended = position;
  results_.push_back(std::move(result));
  return {};
}

template <class T>
caf::error commit_plan::fold(const change_of<T>& change, std::uint64_t& rows) {
  if (!change.before && !change.after)
    return make_error(errc::bad_request, "a change without an image");
  const auto& name = name_of(any_of(change));
  if (name.empty() || name.size() > longest_key_text_bytes)
    return make_error(errc::bad_request, fmt::format("a name of {} bytes", name.size()));
  if (change.before && name_of(*change.before) != name)
    return make_error(errc::bad_request, "a change of one thing into another");
  if (!change.before)
    ++rows;
  if (change.after) {
    put(family::registry, row_key_of(*change.after), *change.after);
    return {};
  }
  --rows;
  batch_.Delete(db_->handle(family::registry), encode_key(row_key_of(*change.before)));
  changed_ = true;
  return {};
}

// Rows of commands lie in the order in which they came, so the oldest are first. Those that this very commit adds are
// not old.
caf::error commit_plan::drop_old_commands() {
  auto& registry = after_.registry;
  const auto oldest = unix_ns(now_ - commands_count_for);
  int dropped = 0;
  return db_->each(family::registry, key_prefix<command_key>(), encode_key(command_key{registry.first_command}),
                   [&](std::string_view key, std::string_view bytes, bool& stop) -> caf::error {
                     command_key of;
                     command_value command;
                     if (!decode_key(key, of) || !decode(bytes, command))
                       return damaged("command");
                     stop = command.at_ns >= oldest || ++dropped == most_dropped_commands;
                     if (command.at_ns >= oldest)
                       return {};
                     batch_.Delete(db_->handle(family::registry), key);
                     registry.first_command = of.position + 1;
                     --registry.commands;
                     return {};
                   });
}

caf::error commit_plan::close_registry() {
  if (after_.registry.last == registry_before_)
    return {};
  if (auto failed = drop_old_commands())
    return failed;
  put(family::registry, registry_key{}, after_.registry);
  return {};
}

} // namespace keyportal::storage
