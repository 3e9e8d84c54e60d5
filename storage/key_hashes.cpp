// Client keys by their SHA-256, which is all that some tools keep of a key.
#include <algorithm>

#include <fmt/core.h>

#include "messages/errors.hpp"
#include "storage/ledger_parts.hpp"

namespace keyportal::storage {
namespace {

int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

std::optional<sha256_hash> hash_of_hex(std::string_view text) {
  sha256_hash out{};
  if (text.size() != 2 * out.size())
    return std::nullopt;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return std::nullopt;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return out;
}

bool by_hash(const key_hashes::one& a, const key_hashes::one& b) { return a.hash < b.hash; }

caf::expected<secret> text_of(const database& db, const names& dictionary, const key_hashes::one& key) {
  if (key.name != 0) {
    const auto entry = dictionary.get(name_kind::client_key, key.name);
    if (!entry)
      return entry.error();
    return secret{(*entry)->text};
  }
  const auto row = db.get(family::registry, encode_key(client_key_key{key.id}));
  if (!row)
    return row.error();
  client_key image;
  if (!*row || !decode(**row, image))
    return damaged("client key");
  auto text = dictionary.seal().open(image.sealed, "registry-key:" + key.id);
  if (!text)
    return text.error();
  return secret{std::move(*text)};
}

} // namespace

/// Names only grow, so those of before stay; keys of the registry may change.
caf::error key_hashes::read(const database& db, const names& dictionary, log_position registry_now) {
  const bool anew = registry != registry_now;
  if (anew)
    *this = {};
  const auto add = [&](one key) -> caf::error {
    const auto text = text_of(db, dictionary, key);
    if (!text)
      return text.error();
    key.hash = sha256(text->reveal());
    keys.push_back(std::move(key));
    return {};
  };
  auto failed =
    db.each(family::meta, key_prefix<name_text_key>(), encode_key(name_text_key{last_name + 1}),
            [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
              name_text_key of;
              if (!decode_key(key, of) || bytes.size() < 2)
                return damaged("name");
              last_name = of.name;
              return static_cast<name_kind>(bytes[1]) == name_kind::client_key ? add({{}, of.name, {}}) : caf::error{};
            });
  if (!failed && anew)
    failed = db.each(family::registry, key_prefix<client_key_key>(), {},
                     [&](std::string_view key, std::string_view, bool&) -> caf::error {
                       client_key_key of;
                       return decode_key(key, of) ? add({{}, 0, of.id}) : damaged("client key");
                     });
  if (failed) {
    *this = {};
    return failed;
  }
  registry = registry_now;
  std::sort(keys.begin(), keys.end(), by_hash);
  return {};
}

caf::expected<std::unordered_map<std::string, secret>>
ledger::keys_by_sha256(const std::unordered_set<std::string>& wanted) const {
  std::unordered_map<std::string, secret> out;
  const auto look = [&]() -> caf::error {
    for (const auto& hex : wanted) {
      const auto hash = hash_of_hex(hex);
      if (!hash || out.contains(hex))
        continue;
      const auto& keys = parts_->hashes.keys;
      const auto found = std::lower_bound(keys.begin(), keys.end(), key_hashes::one{*hash, 0, {}}, by_hash);
      if (found == keys.end() || found->hash != *hash)
        continue;
      auto text = text_of(*parts_->db, *parts_->dictionary, *found);
      if (!text)
        return text.error();
      out.emplace(hex, std::move(*text));
    }
    return {};
  };
  const auto registry = registry_position();
  const std::lock_guard lock{parts_->hashes_mutex};
  if (parts_->hashes.registry == registry)
    if (auto failed = look())
      return failed;
  if (out.size() == wanted.size())
    return out;
  if (auto failed = parts_->hashes.read(*parts_->db, *parts_->dictionary, registry))
    return failed;
  if (auto failed = look())
    return failed;
  return out;
}

} // namespace keyportal::storage
