// What happened, kept for those who were not there.
#include <algorithm>

#include "storage/ledger_parts.hpp"

namespace keyportal::storage {

namespace {

constexpr std::uint32_t most_at_once = 10'000;

caf::expected<std::optional<sequence>> horizon_of(const database& db, const view& as_of) {
  const auto row = db.get(family::meta, encode_key(event_horizon_key{}), as_of.get());
  if (!row)
    return row.error();
  if (!*row)
    return std::optional<sequence>{};
  event_horizon_value value;
  if (!decode(**row, value))
    return damaged("event horizon");
  return std::optional{value.seq};
}

} // namespace

caf::error load_events(const database& db, const view& as_of, kept_events& out) {
  out = {};
  const auto horizon = horizon_of(db, as_of);
  if (!horizon)
    return horizon.error();
  out.any_yet = horizon->has_value();
  out.horizon = horizon->value_or(0);
  return db.each(
    family::meta, key_prefix<event_key>(), {},
    [&](std::string_view, std::string_view, bool&) -> caf::error {
      ++out.rows;
      return {};
    },
    as_of.get());
}

caf::expected<ledger::event_page> ledger::events(sequence after, std::uint32_t limit) const {
  event_page page;
  limit = std::min(limit, most_at_once);
  const auto& db = *parts_->db;
  const view as_of{db};
  const auto horizon = horizon_of(db, as_of);
  if (!horizon)
    return horizon.error();
  const auto position = db.get(family::meta, encode_key(position_key{}), as_of.get());
  if (!position)
    return position.error();
  position_value at;
  if (*position && !decode(**position, at))
    return damaged("position");
  page.last = at.last;
  page.horizon = horizon->value_or(at.last);
  if (limit == 0 || after >= at.last)
    return page;
  auto failed = db.each(
    family::meta, key_prefix<event_key>(), encode_key(event_key{std::max(after, page.horizon) + 1}),
    [&](std::string_view key, std::string_view bytes, bool& stop) -> caf::error {
      event_key of;
      outbox_value row;
      if (!decode_key(key, of) || !decode(bytes, row))
        return damaged("event");
      node_event event{of.seq, row.kind, {}, moment_of(row.at_ns), std::move(row.data), std::move(row.about)};
      if (row.node != 0) {
        const auto node = parts_->dictionary->get(name_kind::node, row.node);
        if (!node)
          return node.error();
        event.node = (*node)->text;
      }
      page.events.push_back(std::move(event));
      stop = page.events.size() == limit;
      return {};
    },
    as_of.get());
  if (failed)
    return failed;
  return page;
}

} // namespace keyportal::storage
