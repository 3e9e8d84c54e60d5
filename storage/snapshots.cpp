#include "storage/snapshots.hpp"

#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <zstd.h>

#include "messages/errors.hpp"
#include "storage/cells.hpp"
#include "storage/sha256.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {
namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;
constexpr std::uint64_t largest_json_bytes = std::uint64_t{4} << 30;
constexpr int compression_level = 3;

struct context_deleter {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

caf::error corrupt(std::uint64_t id, std::string_view why) {
  return make_error(errc::snapshot_corrupt, fmt::format("snapshot {}: {}", id, why));
}

// Calls `take(piece)` with each filled piece of the compressed text.
template <class Take>
caf::error compress(const std::string& json, Take take) {
  const std::unique_ptr<ZSTD_CCtx, context_deleter> context{ZSTD_createCCtx()};
  if (!context)
    return make_error(errc::internal, "no memory to compress with");
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, compression_level);
  ZSTD_inBuffer in{json.data(), json.size(), 0};
  std::string piece(piece_bytes, '\0');
  for (std::size_t left = 1; left != 0;) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    left = ZSTD_compressStream2(context.get(), &out, &in, ZSTD_e_end);
    if (ZSTD_isError(left))
      return make_error(errc::internal, ZSTD_getErrorName(left));
    if (auto failed = take(std::string_view{piece.data(), out.pos}))
      return failed;
  }
  return {};
}

} // namespace

std::vector<std::uint64_t> snapshots_to_drop(const std::vector<snapshot_info>& kept, int newest, int daily) {
  std::vector<std::uint64_t> out;
  std::set<std::int32_t> days;
  int seen = 0;
  for (const auto& info : kept) {
    const bool first_of_day =
      static_cast<int>(days.size()) < daily && days.insert(start_of(granularity::day, unix_ns(info.made_at))).second;
    if (seen++ >= newest && !first_of_day)
      out.push_back(info.id);
  }
  return out;
}

caf::expected<snapshot_info> snapshot_shelf::keep(snapshot_info info, const std::string& json) {
  if (json.size() > largest_json_bytes)
    return make_error(errc::bad_request, fmt::format("a snapshot of {} bytes", json.size()));
  const std::lock_guard lock{mutex_};
  info.id = 1;
  // Ids go on from the highest one: the newest snapshot is never dropped.
  if (auto failed = db_->each(
        family::snapshots, key_prefix<snapshot_key>(), {},
        [&](std::string_view key, std::string_view, bool& stop) -> caf::error {
          snapshot_key last;
          if (!decode_key(key, last))
            return damaged("snapshot");
          info.id = last.id + 1;
          stop = true;
          return {};
        },
        nullptr, true))
    return failed;
  info.json_bytes = json.size();
  info.stored_bytes = 0;
  info.sha256 = sha256_hex(json);
  auto* handle = db_->handle(family::snapshots);
  rocksdb::WriteBatch batch;
  snapshot_value value;
  const auto put_piece = [&](std::string_view piece) -> caf::error {
    const auto key = encode_key(snapshot_piece_key{info.id, value.pieces++});
    auto sealed = seal_.seal(piece, key);
    if (!sealed)
      return sealed.error();
    info.stored_bytes += sealed->size();
    batch.Put(handle, key, *sealed);
    return {};
  };
  if (auto failed = compress(json, put_piece))
    return failed;
  value.info = info;
  batch.Put(handle, encode_key(snapshot_key{info.id}), encode(value));
  if (auto failed = drop(batch, info))
    return failed;
  if (auto failed = db_->write(batch, true))
    return failed;
  return info;
}

caf::error snapshot_shelf::drop(rocksdb::WriteBatch& batch, const snapshot_info& added) const {
  auto kept = list(added.node);
  if (!kept)
    return kept.error();
  kept->insert(kept->begin(), added);
  auto* handle = db_->handle(family::snapshots);
  for (const auto id : snapshots_to_drop(*kept, std::max(1, newest_), daily_)) {
    if (id == added.id) // only when clocks went back; what was just asked for stays
      continue;
    batch.Delete(handle, encode_key(snapshot_key{id}));
    const auto pieces = key_prefix<snapshot_piece_key>(id);
    batch.DeleteRange(handle, pieces, prefix_end(pieces));
  }
  return {};
}

caf::expected<std::vector<snapshot_info>> snapshot_shelf::list(const node_name& node) const {
  std::vector<snapshot_info> out;
  auto failed = db_->each(
    family::snapshots, key_prefix<snapshot_key>(), {},
    [&](std::string_view key, std::string_view value, bool&) -> caf::error {
      snapshot_key id;
      snapshot_value found;
      if (!decode_key(key, id) || !decode(value, found))
        return damaged("snapshot");
      found.info.id = id.id;
      if (found.info.node == node)
        out.push_back(std::move(found.info));
      return {};
    },
    nullptr, true);
  if (failed)
    return failed;
  return out;
}

caf::expected<std::string> snapshot_shelf::read(std::uint64_t id) const {
  const view as_of{*db_};
  const auto head = db_->get(family::snapshots, encode_key(snapshot_key{id}), as_of.get());
  if (!head)
    return head.error();
  if (!*head)
    return make_error(errc::snapshot_unknown, fmt::format("snapshot {}", id));
  snapshot_value value;
  if (!decode(**head, value) || value.info.json_bytes > largest_json_bytes)
    return corrupt(id, "its description cannot be read");
  const std::unique_ptr<ZSTD_DCtx, context_deleter> context{ZSTD_createDCtx()};
  if (!context)
    return make_error(errc::internal, "no memory to decompress with");
  std::string json;
  std::string buffer(ZSTD_DStreamOutSize(), '\0');
  for (std::uint32_t piece = 0; piece < value.pieces; ++piece) {
    const auto key = encode_key(snapshot_piece_key{id, piece});
    const auto sealed = db_->get(family::snapshots, key, as_of.get());
    if (!sealed)
      return sealed.error();
    if (!*sealed)
      return corrupt(id, fmt::format("piece {} of {} is missing", piece + 1, value.pieces));
    const auto packed = seal_.open(**sealed, key);
    if (!packed)
      return corrupt(id, fmt::format("piece {} of {}: {}", piece + 1, value.pieces, render(packed.error())));
    ZSTD_inBuffer in{packed->data(), packed->size(), 0};
    for (bool full = true; in.pos < in.size || full;) {
      ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
      const auto left = ZSTD_decompressStream(context.get(), &out, &in);
      if (ZSTD_isError(left))
        return corrupt(id, ZSTD_getErrorName(left));
      if (json.size() + out.pos > value.info.json_bytes)
        return corrupt(id, "it is longer than described");
      json.append(buffer.data(), out.pos);
      full = out.pos == out.size; // more may be held back
    }
  }
  if (json.size() != value.info.json_bytes || sha256_hex(json) != value.info.sha256)
    return corrupt(id, "its checksum differs");
  return json;
}

} // namespace keyportal::storage
