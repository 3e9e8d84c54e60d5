#include "storage/names.hpp"

#include <array>

#include <fmt/core.h>

#include "messages/errors.hpp"

namespace keyportal::storage {
namespace {

constexpr std::size_t most_cached = 50'000;
constexpr char text_version = 1;

bool is_sealed(name_kind kind) {
  return kind == name_kind::client_key || kind == name_kind::source || kind == name_kind::error;
}

std::size_t index_of(name_kind kind) { return static_cast<std::size_t>(kind); }

/// One for each kind, since most records have several.
const name_ptr& nameless(name_kind kind) {
  static const auto all = [] {
    std::array<name_ptr, name_kinds> out;
    for (std::size_t i = 0; i < out.size(); ++i) {
      auto entry = std::make_shared<name_entry>();
      entry->kind = static_cast<name_kind>(i);
      out[i] = std::move(entry);
    }
    return out;
  }();
  return all[index_of(kind)];
}

} // namespace

names::names(std::shared_ptr<const database> db, sealer seal) : db_(std::move(db)), seal_(std::move(seal)) {}

caf::expected<name_ptr> names::find(name_kind kind, std::string_view text) const {
  // The empty key has an id too, as any other, and so a row.
  if (text.empty() && kind != name_kind::client_key)
    return nameless(kind);
  {
    const std::shared_lock lock{mutex_};
    const auto& cached = by_text_[index_of(kind)];
    if (const auto found = cached.find(text); found != cached.end())
      return found->second;
  }
  const auto row = db_->get(family::meta, encode_key(name_number_key{kind, seal_.lookup_hash(kind, text)}));
  if (!row)
    return row.error();
  if (!*row)
    return name_ptr{};
  name_number number = 0;
  if (!decode_number(**row, number))
    return damaged("name number");
  return get(kind, number);
}

caf::expected<name_ptr> names::get(name_kind kind, name_number number) const {
  if (number == 0)
    return nameless(kind);
  {
    const std::shared_lock lock{mutex_};
    if (const auto found = by_number_.find(number); found != by_number_.end()) {
      if (found->second->kind != kind)
        return damaged("name");
      return found->second;
    }
  }
  const auto key = encode_key(name_text_key{number});
  const auto row = db_->get(family::meta, key);
  if (!row)
    return row.error();
  if (!*row || (*row)->size() < 2 || (**row)[0] != text_version
      || static_cast<std::uint8_t>((**row)[1]) != index_of(kind))
    return damaged("name");
  auto entry = std::make_shared<name_entry>();
  entry->number = number;
  entry->kind = kind;
  entry->text = (*row)->substr(2);
  if (is_sealed(kind)) {
    auto opened = seal_.open(entry->text, key);
    if (!opened)
      return opened.error();
    entry->text = std::move(*opened);
  }
  if (kind == name_kind::client_key)
    entry->key = seal_.id_of_key(entry->text);
  remember(entry);
  return name_ptr{entry};
}

void names::remember(const name_ptr& entry) const {
  const std::unique_lock lock{mutex_};
  if (by_number_.size() >= most_cached) { // whoever sends that many names sends noise; begin anew
    by_number_.clear();
    for (auto& texts : by_text_)
      texts.clear();
  }
  by_number_[entry->number] = entry;
  by_text_[index_of(entry->kind)][entry->text] = entry;
}

void names::forget_all() const {
  const std::unique_lock lock{mutex_};
  by_number_.clear();
  for (auto& texts : by_text_)
    texts.clear();
}

caf::expected<name_ptr> name_changes::number(name_kind kind, std::string_view text) {
  if (text.size() > longest_name_bytes)
    return make_error(errc::bad_request, fmt::format("a name of {} bytes", text.size()));
  // Those of this very commit first: asking the dictionary for what it does not know takes a hash and a look at the disk.
  const auto text_of_kind = [&] { return std::string(1, static_cast<char>(kind)).append(text); };
  if (!fresh_.empty())
    if (const auto here = fresh_by_text_.find(text_of_kind()); here != fresh_by_text_.end())
      return here->second;
  auto found = known_->find(kind, text);
  if (!found || *found)
    return found;
  auto& fresh = fresh_by_text_[text_of_kind()];
  if (!fresh) {
    if (last_ == UINT32_MAX)
      return make_error(errc::storage_failed, "no more numbers for names");
    auto entry = std::make_shared<name_entry>();
    entry->number = ++last_;
    entry->kind = kind;
    entry->text = std::string{text};
    if (kind == name_kind::client_key)
      entry->key = known_->seal().id_of_key(text);
    fresh = entry;
    fresh_.push_back(fresh);
  }
  return fresh;
}

// Text row: version (1), kind (1), then the text, sealed for this row where it is secret.
caf::error name_changes::write_to(rocksdb::WriteBatch& batch, const database& db) const {
  auto* meta = db.handle(family::meta);
  for (const auto& entry : fresh_) {
    const auto key = encode_key(name_text_key{entry->number});
    std::string value;
    value.push_back(text_version);
    value.push_back(static_cast<char>(entry->kind));
    if (is_sealed(entry->kind)) {
      auto sealed = known_->seal().seal(entry->text, key);
      if (!sealed)
        return sealed.error();
      value += *sealed;
    } else {
      value += entry->text;
    }
    batch.Put(meta, key, value);
    batch.Put(meta, encode_key(name_number_key{entry->kind, known_->seal().lookup_hash(entry->kind, entry->text)}),
              encode_number(entry->number));
  }
  return {};
}

void name_changes::keep() const {
  for (const auto& entry : fresh_)
    known_->remember(entry);
}

} // namespace keyportal::storage
