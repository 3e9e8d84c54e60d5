#include "storage/account_shelf.hpp"

#include "messages/errors.hpp"
#include "storage/keys.hpp"
#include "storage/packing.hpp"

namespace keyportal::storage {

namespace {

constexpr auto where = family::registry;
constexpr char version = 1;

} // namespace

caf::error account_shelf::keep(const account_rows_change& what) const {
  rocksdb::WriteBatch batch;
  const auto fits = [](const account_row& row) { return !row.id.empty() && row.id.size() <= longest_key_text_bytes; };
  for (const auto& row : what.put) {
    if (!fits(row))
      return make_error(errc::bad_request, "a row of accounts without an id");
    const auto key = encode_key(account_key{static_cast<std::uint8_t>(row.kind), row.id});
    auto packed = pack(seal_, row.text, key);
    if (!packed)
      return packed.error();
    packed->insert(packed->begin(), version);
    batch.Put(db_->handle(where), key, *packed);
  }
  for (const auto& row : what.drop)
    if (fits(row))
      batch.Delete(db_->handle(where), encode_key(account_key{static_cast<std::uint8_t>(row.kind), row.id}));
  return db_->write_shared(batch, true);
}

caf::expected<std::vector<account_row>> account_shelf::list(account_row_kind kind) const {
  std::vector<account_row> out;
  auto failed = db_->each(where, key_prefix<account_key>(static_cast<std::uint8_t>(kind)), {},
                          [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
                            account_key of;
                            if (!decode_key(key, of) || bytes.empty() || bytes.front() != version)
                              return damaged("account");
                            auto text = unpack(seal_, bytes.substr(1), key);
                            if (!text)
                              return text.error();
                            out.push_back({kind, std::move(of.id), std::move(*text)});
                            return {};
                          });
  if (failed)
    return failed;
  return out;
}

} // namespace keyportal::storage
