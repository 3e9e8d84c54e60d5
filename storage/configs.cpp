#include "storage/configs.hpp"

#include <fmt/core.h>

#include "messages/errors.hpp"
#include "storage/packing.hpp"
#include "storage/sha256.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {
namespace {

// They lie beside the snapshots, where nothing is compressed twice.
constexpr auto where = family::snapshots;

caf::error check_node(const node_name& node) {
  return node.empty() || node.size() > longest_key_text_bytes
           ? make_error(errc::bad_request, fmt::format("a node with a name of {} bytes", node.size()))
           : caf::error{};
}

} // namespace

caf::expected<config_info> config_shelf::keep(const keep_config& what) {
  if (!what.text)
    return make_error(errc::bad_request, "a config without a text");
  const std::lock_guard lock{mutex_};
  const auto kept = list(what.node);
  if (!kept)
    return kept.error();
  auto sha256 = sha256_hex(*what.text);
  if (!kept->empty() && kept->front().sha256 == sha256)
    return kept->front();
  config_info info{what.node, kept->empty() ? 1 : kept->front().number + 1, what.at, what.text->size(),
                   std::move(sha256)};
  const auto key = encode_key(config_key{info.node, info.number});
  auto packed = pack(seal_, *what.text, key);
  if (!packed)
    return packed.error();
  rocksdb::WriteBatch batch;
  batch.Put(db_->handle(where), key,
            encode(config_value{unix_ns(info.at), info.bytes, info.sha256, std::move(*packed)}));
  for (std::size_t i = most_kept - 1; i < kept->size(); ++i)
    batch.Delete(db_->handle(where), encode_key(config_key{info.node, (*kept)[i].number}));
  if (auto failed = db_->write(batch, true))
    return failed;
  return info;
}

caf::expected<std::vector<config_info>> config_shelf::list(const node_name& node) const {
  if (auto failed = check_node(node))
    return failed;
  std::vector<config_info> out;
  auto failed = db_->each(
    where, key_prefix<config_key>(node), {},
    [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
      config_key of;
      config_value value;
      if (!decode_key(key, of) || !decode(bytes, value))
        return damaged("config");
      out.push_back({node, of.number, moment_of(value.at_ns), value.bytes, std::move(value.sha256)});
      return {};
    },
    nullptr, true);
  if (failed)
    return failed;
  return out;
}

caf::expected<std::string> config_shelf::read(const node_name& node, std::uint64_t number) const {
  if (auto failed = check_node(node))
    return failed;
  const auto key = encode_key(config_key{node, number});
  const auto row = db_->get(where, key);
  if (!row)
    return row.error();
  if (!*row)
    return make_error(errc::config_unknown, fmt::format("{}, config {}", node, number));
  config_value value;
  if (!decode(**row, value))
    return damaged("config");
  return unpack(seal_, value.text, key);
}

} // namespace keyportal::storage
