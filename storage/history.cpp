// Days that other tools had added up: rows of their own, which nothing else reads.
#include <map>

#include <fmt/core.h>

#include "messages/errors.hpp"
#include "storage/ledger_parts.hpp"

namespace keyportal::storage {
namespace {

constexpr auto where = family::meta;
constexpr std::uint32_t most_at_once = 10'000;

history_value value_of(const history_day& day) {
  return {day.requests, day.ok, day.failed, day.tokens, day.input_tokens, day.output_tokens};
}

/// How many records the ledger has of each key on the days of one page.
class day_counts {
public:
  explicit day_counts(const ledger& from) : from_(from) {}

  caf::expected<std::int64_t> of(const history_day& day) {
    const auto place = std::pair{day.node, day.day};
    auto found = counts_.find(place);
    if (found == counts_.end()) {
      const auto books = from_.read();
      std::map<name_number, std::int64_t> by_number;
      const auto add = [&](std::int32_t, const cell_id& id, const cell_sums& sums) {
        by_number[id.client_key] += sums.requests;
      };
      if (auto failed = books->sums(day.node, {granularity::day, cell_view::key_totals, day.day, day.day + 1}, add))
        return failed;
      std::map<key_id, std::int64_t> counted;
      for (const auto& [number, requests] : by_number) {
        const auto key = books->text(name_kind::client_key, number);
        if (!key)
          return key.error();
        counted[*key] += requests;
        counted[{}] += requests;
      }
      found = counts_.emplace(place, std::move(counted)).first;
    }
    const auto count = found->second.find(day.key);
    return count == found->second.end() ? 0 : count->second;
  }

private:
  const ledger& from_;
  std::map<std::pair<node_name, std::int32_t>, std::map<key_id, std::int64_t>> counts_;
};

} // namespace

caf::expected<history_report> ledger::keep_history(const keyportal::keep_history& what) const {
  const std::lock_guard lock{parts_->history_mutex};
  history_report out;
  rocksdb::WriteBatch batch;
  std::map<std::string, history_value> rows; // of this call: a day may be given twice
  for (const auto& [day, text] : what.days) {
    if (day.node.empty() || day.node.size() > longest_key_text_bytes || day.owner.size() > longest_key_text_bytes)
      return make_error(errc::bad_request, "a day without a node, or with a name that is too long");
    const auto key = encode_key(history_key{day.node, day.day, static_cast<std::uint8_t>(day.source),
                                            text.empty() ? key_id{} : id_of_key(text.reveal()), day.owner});
    const auto value = value_of(day);
    auto found = rows.find(key);
    if (found == rows.end()) {
      const auto row = parts_->db->get(where, key);
      if (!row)
        return row.error();
      if (!*row) {
        ++out.added;
        rows.emplace(key, value);
        batch.Put(parts_->db->handle(where), key, encode(value));
        continue;
      }
      history_value there;
      if (!decode(**row, there))
        return damaged("history");
      found = rows.emplace(key, there).first;
    }
    ++(found->second == value ? out.known : out.changed);
    if (found->second != value) {
      found->second = value;
      batch.Put(parts_->db->handle(where), key, encode(value));
    }
  }
  if (!what.dry_run && batch.Count() > 0)
    if (auto failed = parts_->db->write(batch, parts_->how.sync))
      return failed;
  return out;
}

caf::expected<history_page> ledger::history(const read_history& what) const {
  history_page out;
  const auto limit = std::clamp(what.limit, 1U, most_at_once);
  auto prefix = what.node.empty() ? key_prefix<history_key>() : key_prefix<history_key>(what.node);
  auto from = what.node.empty() ? std::string{} : key_prefix<history_key>(what.node, what.from);
  if (!what.after.empty()) {
    history_key last;
    if (!decode_key(what.after, last) || !what.after.starts_with(prefix))
      return make_error(errc::bad_request, "after is not the end of a page");
    from = std::max(from, what.after + '\0');
  }
  auto failed =
    parts_->db->each(where, prefix, from, [&](std::string_view key, std::string_view bytes, bool& stop) -> caf::error {
      history_key of;
      history_value sums;
      if (!decode_key(key, of) || !decode(bytes, sums))
        return damaged("history");
      if (of.day < what.from || of.day > what.to) {
        stop = of.day > what.to && !what.node.empty();
        return {};
      }
      if (out.days.size() == limit) {
        stop = true;
        const auto& last = out.days.back().day;
        out.next =
          encode_key(history_key{last.node, last.day, static_cast<std::uint8_t>(last.source), last.key, last.owner});
        return {};
      }
      out.days.push_back({{of.node, of.day, static_cast<history_source>(of.source), of.key, of.owner, sums.requests,
                           sums.ok, sums.failed, sums.tokens, sums.input_tokens, sums.output_tokens},
                          0});
      return {};
    });
  if (failed)
    return failed;
  day_counts counts{*this};
  for (auto& one : out.days) {
    const auto records = counts.of(one.day);
    if (!records)
      return records.error();
    one.records = *records;
  }
  return out;
}

} // namespace keyportal::storage
