#include "storage/notices.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "messages/errors.hpp"
#include "messages/notices_json.hpp"
#include "storage/keys.hpp"
#include "storage/value_parts.hpp"

namespace keyportal::storage {
namespace {

constexpr auto where = family::meta;
constexpr std::uint32_t most_at_once = 1'000;
constexpr const char* position_mark = "position";
constexpr const char* people_mark = "people";
constexpr std::string_view told_prefix = "told/";

/// Whether it is over stands in front, so that a start need not read what has long been delivered.
std::string value_of(const notice_record& what) {
  auto out = value_parts::begin();
  out.push_back(static_cast<char>(what.state));
  out += dump_stored(what);
  return out;
}

bool read_state(std::string_view& in, notice_state& out) {
  std::uint8_t byte = 0;
  if (!value_parts::take_version_1(in) || !value_parts::take_byte(in, byte)
      || byte > static_cast<std::uint8_t>(notice_state::unknown))
    return false;
  out = static_cast<notice_state>(byte);
  return true;
}

bool read_value(std::string_view in, notice_record& out) {
  notice_state state{};
  if (!read_state(in, state) || !read_stored(in, out))
    return false;
  out.state = state;
  return true;
}

std::string number_value(std::uint64_t number) {
  auto out = value_parts::begin();
  put_fixed(out, number);
  return out;
}

bool read_number(std::string_view in, std::uint64_t& out) {
  return value_parts::take_version_1(in) && get_fixed(in, out) && in.empty();
}

std::string seal_bound(const notice_id& id) { return "notice:" + id; }

bool fits(const list_notices& what, const notice_record& one) {
  return (!what.state || *what.state == one.state) && (what.kind.empty() || what.kind == one.kind)
         && (what.channel.empty() || what.channel == one.channel) && (what.about.empty() || what.about == one.about)
         && (what.recipient.empty() || what.recipient == one.recipient);
}

} // namespace

caf::error notice_shelf::commit(const notice_changes& what) const {
  rocksdb::WriteBatch batch;
  auto* const rows = db_->handle(where);
  for (const auto& one : what.put)
    batch.Put(rows, encode_key(notice_key{one.id}), value_of(one));
  for (const auto& id : what.dropped)
    batch.Delete(rows, encode_key(notice_key{id}));
  if (what.position)
    batch.Put(rows, encode_key(notice_mark_key{position_mark}), number_value(*what.position));
  if (what.people)
    batch.Put(rows, encode_key(notice_mark_key{people_mark}), number_value(*what.people));
  for (const auto& name : what.cleared)
    batch.Delete(rows, encode_key(notice_mark_key{std::string(told_prefix) + name}));
  for (const auto& [name, at] : what.marks)
    batch.Put(rows, encode_key(notice_mark_key{std::string(told_prefix) + name}),
              number_value(static_cast<std::uint64_t>(unix_ns(at))));
  return batch.Count() == 0 ? caf::error{} : db_->write_shared(batch, sync_);
}

caf::expected<notice_shelf::progress> notice_shelf::load_progress() const {
  progress out;
  auto failed = db_->each(
    where, key_prefix<notice_mark_key>(), {}, [&](std::string_view key, std::string_view value, bool&) -> caf::error {
      notice_mark_key of;
      std::uint64_t number = 0;
      if (!decode_key(key, of) || !read_number(value, number))
        return damaged("notice mark");
      if (of.name == position_mark)
        out.position = number;
      else if (of.name == people_mark)
        out.people = number;
      else if (of.name.starts_with(told_prefix))
        out.marks.emplace_back(of.name.substr(told_prefix.size()), moment_of(static_cast<std::int64_t>(number)));
      return {};
    });
  if (failed)
    return failed;
  return out;
}

caf::expected<std::vector<notice_record>> notice_shelf::open_notices() const {
  std::vector<notice_record> out;
  auto failed =
    db_->each(where, key_prefix<notice_key>(), {}, [&](std::string_view, std::string_view value, bool&) -> caf::error {
      auto rest = value;
      notice_state state{};
      if (!read_state(rest, state))
        return damaged("notice");
      if (is_over(state))
        return {};
      notice_record one;
      if (!read_value(value, one))
        return damaged("notice");
      out.push_back(std::move(one));
      return {};
    });
  if (failed)
    return failed;
  return out;
}

caf::expected<notice_page> notice_shelf::list(const list_notices& what) const {
  notice_page out;
  const auto limit = std::clamp(what.limit, 1U, most_at_once);
  auto failed = db_->each(
    where, key_prefix<notice_key>(), {},
    [&](std::string_view key, std::string_view value, bool& stop) -> caf::error {
      notice_key of;
      notice_record one;
      if (!decode_key(key, of))
        return damaged("notice");
      if (!what.before.empty() && of.id >= what.before)
        return {};
      if (!read_value(value, one))
        return damaged("notice");
      if (!fits(what, one))
        return {};
      if (out.notices.size() == limit) {
        out.more = stop = true;
        return {};
      }
      out.notices.push_back(std::move(one));
      return {};
    },
    nullptr, true);
  if (failed)
    return failed;
  return out;
}

caf::expected<std::optional<notice_record>> notice_shelf::find(const notice_id& id) const {
  if (id.empty() || id.size() > 64)
    return std::optional<notice_record>{};
  const auto row = db_->get(where, encode_key(notice_key{id}));
  if (!row)
    return row.error();
  if (!*row)
    return std::optional<notice_record>{};
  notice_record out;
  if (!read_value(**row, out))
    return damaged("notice");
  return std::optional{std::move(out)};
}

caf::expected<std::vector<notice_id>> notice_shelf::older_than(moment before, std::size_t most) const {
  std::vector<notice_id> out;
  auto failed = db_->each(where, key_prefix<notice_key>(), {},
                          [&](std::string_view key, std::string_view value, bool& stop) -> caf::error {
                            notice_key of;
                            notice_record one;
                            if (!decode_key(key, of) || !read_value(value, one))
                              return damaged("notice");
                            if (one.at >= before || out.size() >= most)
                              stop = true;
                            else if (is_over(one.state))
                              out.push_back(of.id);
                            return {};
                          });
  if (failed)
    return failed;
  return out;
}

caf::expected<std::vector<notice_preferences>> notice_shelf::preferences() const {
  std::vector<notice_preferences> out;
  auto failed = db_->each(where, key_prefix<notice_preferences_key>(), {},
                          [&](std::string_view key, std::string_view value, bool&) -> caf::error {
                            notice_preferences_key of;
                            notice_preferences one;
                            if (!decode_key(key, of) || !value_parts::take_version_1(value) || !read_stored(value, one))
                              return damaged("notice preferences");
                            one.user = of.user;
                            out.push_back(std::move(one));
                            return {};
                          });
  if (failed)
    return failed;
  return out;
}

caf::error notice_shelf::put(const notice_preferences& what) const {
  if (what.user.empty() || what.user.size() > 64)
    return make_error(errc::bad_request, "preferences of nobody");
  rocksdb::WriteBatch batch;
  batch.Put(db_->handle(where), encode_key(notice_preferences_key{what.user}),
            value_parts::begin() + dump_stored(what));
  return db_->write_shared(batch, sync_);
}

caf::expected<std::string> notice_shelf::seal_text(std::string_view text, const notice_id& id) const {
  return seal_.seal(text, seal_bound(id));
}

caf::expected<std::string> notice_shelf::open_text(std::string_view sealed, const notice_id& id) const {
  return seal_.open(sealed, seal_bound(id));
}

caf::expected<std::vector<std::pair<std::uint64_t, std::string>>> notice_shelf::orders() const {
  std::vector<std::pair<std::uint64_t, std::string>> out;
  auto failed = db_->each(where, key_prefix<order_key>(), {},
                          [&](std::string_view key, std::string_view value, bool&) -> caf::error {
                            order_key of;
                            if (!decode_key(key, of) || !value_parts::take_version_1(value))
                              return damaged("order");
                            out.emplace_back(of.number, value);
                            return {};
                          });
  if (failed)
    return failed;
  return out;
}

caf::error notice_shelf::put_orders(const std::vector<std::pair<std::uint64_t, std::string>>& orders) const {
  rocksdb::WriteBatch batch;
  for (const auto& [number, id] : orders)
    batch.Put(db_->handle(where), encode_key(order_key{number}), value_parts::begin() + id);
  return db_->write(batch, sync_);
}

caf::error notice_shelf::drop_order(std::uint64_t number) const {
  rocksdb::WriteBatch batch;
  batch.Delete(db_->handle(where), encode_key(order_key{number}));
  return db_->write(batch, false); // an order that comes back is found to be done
}

} // namespace keyportal::storage
