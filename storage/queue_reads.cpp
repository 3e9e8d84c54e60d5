// What is read of the queue's side: the inbox, dead letters, the audit, consumers.
#include <algorithm>
#include <map>

#include "storage/ledger_parts.hpp"
#include "storage/packing.hpp"
#include "storage/payloads.hpp"

namespace keyportal::storage {
namespace {

constexpr std::uint32_t most_at_once = 10'000;
/// An answer ends with the row that brings it above this.
constexpr std::size_t enough_bytes = std::size_t{16} << 20;

} // namespace

caf::expected<std::vector<inbox_entry>> ledger::read_inbox(const node_name& node, std::uint64_t after,
                                                           std::uint32_t limit) const {
  std::vector<inbox_entry> out;
  limit = std::min(limit, most_at_once);
  const auto number = parts_->number_of(node);
  if (!number || limit == 0 || after == UINT64_MAX)
    return out;
  std::size_t bytes_read = 0;
  auto failed =
    parts_->db->each(family::inbox, key_prefix<inbox_key>(*number), encode_key(inbox_key{*number, after + 1}),
                     [&](std::string_view key, std::string_view bytes, bool& stop) -> caf::error {
                       inbox_key of;
                       inbox_value value;
                       auto payloads = std::make_shared<payload_batch>();
                       if (!decode_key(key, of) || !decode(bytes, value))
                         return damaged("inbox");
                       const auto plain = unpack(parts_->dictionary->seal(), value.payloads, key);
                       if (!plain)
                         return plain.error();
                       if (!decode(*plain, *payloads))
                         return damaged("inbox");
                       bytes_read += payloads->bytes.size();
                       out.push_back({of.number, {node, moment_of(value.at_ns), value.channel, std::move(payloads)}});
                       stop = out.size() == limit || bytes_read > enough_bytes;
                       return {};
                     });
  if (failed)
    return failed;
  return out;
}

caf::expected<std::vector<dead_letter>> ledger::dead_letters(std::uint64_t after, std::uint32_t limit,
                                                             bool whole) const {
  std::vector<dead_letter> out;
  limit = std::min(limit, most_at_once);
  if (limit == 0 || after == UINT64_MAX)
    return out;
  std::size_t bytes_read = 0;
  auto failed = parts_->db->each(family::meta, key_prefix<dead_letter_key>(), encode_key(dead_letter_key{after + 1}),
                                 [&](std::string_view key, std::string_view bytes, bool& stop) -> caf::error {
                                   dead_letter_key of;
                                   dead_letter_value value;
                                   if (!decode_key(key, of) || !decode(bytes, value))
                                     return damaged("dead letter");
                                   const auto node = parts_->dictionary->get(name_kind::node, value.node);
                                   if (!node)
                                     return node.error();
                                   dead_letter letter{of.number,     (*node)->text,           moment_of(value.at_ns),
                                                      value.channel, std::move(value.reason), {},
                                                      value.bytes};
                                   if (whole) {
                                     auto payload = unpack(parts_->dictionary->seal(), value.payload, key);
                                     if (!payload)
                                       return payload.error();
                                     bytes_read += payload->size();
                                     letter.payload = secret{std::move(*payload)};
                                   }
                                   out.push_back(std::move(letter));
                                   stop = out.size() == limit || bytes_read > enough_bytes;
                                   return {};
                                 });
  if (failed)
    return failed;
  return out;
}

// --- audit ------------------------------------------------------------------------------

caf::expected<audit_memory> ledger::recall_audit(const node_name& node) const {
  audit_memory out;
  out.node = node;
  const auto number = parts_->number_of(node);
  if (!number)
    return out;
  const auto& db = *parts_->db;
  const view as_of{db};
  std::map<name_number, audit_memory::credential> credentials; // by auth index
  const auto row = db.get(family::meta, encode_key(audit_key{*number}), as_of.get());
  if (!row)
    return row.error();
  if (*row) {
    audit_value value;
    if (!decode(**row, value))
      return damaged("audit");
    out.boot = value.boot;
    out.boot_seen_at = moment_of(value.boot_seen_ns);
    out.compared_at = moment_of(value.compared_ns);
    out.version = std::move(value.version);
    for (const auto& one : value.credentials)
      credentials[one.auth_index] = {{}, one.node_ok, one.node_failed, one.base_ok, one.base_failed, 0, 0};
  }
  auto failed = db.each(
    family::meta, key_prefix<credential_key>(*number), {},
    [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
      credential_key of;
      credential_value held;
      if (!decode_key(key, of) || !decode(bytes, held))
        return damaged("credential");
      auto& one = credentials[of.auth_index];
      one.held_ok = static_cast<std::int64_t>(held.ok);
      one.held_failed = static_cast<std::int64_t>(held.failed);
      return {};
    },
    as_of.get());
  if (failed)
    return failed;
  for (auto& [auth_index, one] : credentials) {
    const auto name = parts_->dictionary->get(name_kind::auth_index, auth_index);
    if (!name)
      return name.error();
    one.auth_index = (*name)->text;
    out.credentials.push_back(std::move(one));
  }
  std::sort(out.credentials.begin(), out.credentials.end(),
            [](const auto& a, const auto& b) { return a.auth_index < b.auth_index; });
  return out;
}

// --- what several processes share ----------------------------------------------------------

caf::expected<std::optional<shared_progress>> ledger::shared() const {
  const auto row = parts_->db->get(family::meta, encode_key(shared_key{}));
  if (!row)
    return row.error();
  if (!*row)
    return std::optional<shared_progress>{};
  shared_progress value;
  if (!decode(**row, value))
    return damaged("shared");
  return std::optional{std::move(value)};
}

void ledger::share_rows(std::function<caf::error(shared_rows)> take) { parts_->db->share_rows(std::move(take)); }

// --- consumers ------------------------------------------------------------------------------

caf::expected<sequence> ledger::consumer_position(const std::string& name) const {
  const auto entry = parts_->dictionary->find(name_kind::consumer, name);
  if (!entry)
    return entry.error();
  if (!*entry)
    return sequence{0};
  const auto row = parts_->db->get(family::meta, encode_key(consumer_key{(*entry)->number}));
  if (!row)
    return row.error();
  consumer_value value;
  if (*row && !decode(**row, value))
    return damaged("consumer");
  return value.seq;
}

caf::expected<std::vector<consumer_progress>> ledger::consumers() const {
  std::vector<consumer_progress> out;
  auto failed = parts_->db->each(family::meta, key_prefix<consumer_key>(), {},
                                 [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
                                   consumer_key of;
                                   consumer_value value;
                                   if (!decode_key(key, of) || !decode(bytes, value))
                                     return damaged("consumer");
                                   const auto name = parts_->dictionary->get(name_kind::consumer, of.name);
                                   if (!name)
                                     return name.error();
                                   out.push_back({(*name)->text, value.seq});
                                   return {};
                                 });
  if (failed)
    return failed;
  return out;
}

} // namespace keyportal::storage
