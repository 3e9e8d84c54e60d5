// Pages of records: the sieve of each hour says where those that are wanted lie.
#include <algorithm>

#include "storage/arrivals.hpp"
#include "storage/cell_rows.hpp"
#include "storage/reading_parts.hpp"

namespace keyportal::storage {
namespace {

using place = ledger::reading::record_place;
using walk = ledger::reading::record_walk;

constexpr std::int64_t hour_ns = 3'600'000'000'000;
constexpr std::int64_t ms_ns = 1'000'000;
/// 64 bits do not hold the begin of the one before.
constexpr std::int32_t first_hour = -2'562'047;
/// Bytes of sieves after which a walk ends early: half a second's work.
constexpr std::size_t most_sieve_bytes = std::size_t{200} << 20;

std::int64_t begin_of_hour(std::int32_t hour) { return std::int64_t{hour} * hour_ns; }

/// Which hours of a node may hold what is wanted, as roll-ups say: first of many days, then of the hours of one.
class likely_hours {
public:
  using sums_of =
    std::function<caf::error(granularity by, std::int32_t first, std::int32_t end, const ledger::sums_visitor& visit)>;
  /// Hours in [first, last].
  likely_hours(const walk& what, std::int32_t first, std::int32_t last, sums_of read)
    : what_(&what), read_(std::move(read)), first_(first), last_(last) {}

  /// The first one at or behind `hour`, in the direction of the walk; asked for ever later ones.
  caf::expected<std::optional<std::int32_t>> at_or_behind(std::int32_t hour) {
    if (!what_->possible)
      return std::optional{hour};
    const bool down = what_->newest_first;
    while (hour >= first_ && hour <= last_) {
      const auto day = day_of(hour);
      if (day < known_first_ || day >= known_end_)
        if (auto failed = look_at_days(day))
          return failed;
      if (!std::binary_search(days_.begin(), days_.end(), day)) {
        // To the next one that is likely, or to the end of what is known.
        const auto next = std::lower_bound(days_.begin(), days_.end(), day);
        if (down)
          hour = (next == days_.begin() ? known_first_ : *(next - 1) + 1) * 24 - 1;
        else
          hour = (next == days_.end() ? known_end_ : *next) * 24;
        continue;
      }
      if (!hours_of_ || *hours_of_ != day)
        if (auto failed = look_at_hours(day))
          return failed;
      for (; hour >= day * 24 && hour < (day + 1) * 24; hour += down ? -1 : 1)
        if ((hours_ >> (hour - day * 24) & 1U) != 0)
          return hour >= first_ && hour <= last_ ? std::optional{hour} : std::nullopt;
    }
    return std::optional<std::int32_t>{};
  }

private:
  static std::int32_t day_of(std::int32_t hour) { return hour / 24 - (hour % 24 < 0 ? 1 : 0); }

  // Most pages are filled by a few days; where they are not, ever more are looked at in one go.
  caf::error look_at_days(std::int32_t day) {
    const auto first_day = day_of(first_), last_day = day_of(last_);
    known_first_ = what_->newest_first ? std::max(first_day, day - together_ + 1) : day;
    known_end_ = what_->newest_first ? day + 1 : std::min(last_day, day + together_ - 1) + 1;
    together_ = std::min(together_ * 4, 2048);
    days_.clear();
    auto failed =
      read_(granularity::day, known_first_, known_end_, [&](std::int32_t start, const cell_id& id, const cell_sums&) {
        if ((days_.empty() || days_.back() != start) && what_->possible(start, id))
          days_.push_back(start);
      });
    std::sort(days_.begin(), days_.end());
    return failed;
  }

  caf::error look_at_hours(std::int32_t day) {
    hours_ = 0;
    hours_of_ = day;
    return read_(granularity::hour, day * 24, (day + 1) * 24,
                 [&](std::int32_t start, const cell_id& id, const cell_sums&) {
                   const auto bit = 1U << (start - day * 24);
                   if ((hours_ & bit) == 0 && what_->possible(day, id))
                     hours_ |= bit;
                 });
  }

  const walk* what_;
  sums_of read_;
  std::int32_t first_, last_;
  std::int32_t known_first_ = 0, known_end_ = 0; ///< days
  std::vector<std::int32_t> days_;               ///< likely ones, ascending
  std::int32_t together_ = 4;
  std::optional<std::int32_t> hours_of_; ///< a day
  std::uint32_t hours_ = 0;              ///< of it, by bit
};

/// The hours of one node that may hold records, in the direction of the walk.
class hours {
public:
  hours(const database& db, const rocksdb::Snapshot* as_of, const walk& what, const node_name& name, name_number node,
        likely_hours::sums_of sums)
    : name_(name), node_(node), what_(&what) {
    rocksdb::ReadOptions options;
    options.snapshot = as_of;
    sieves_.reset(db.raw().NewIterator(options, db.handle(family::rollups)));
    records_.reset(db.raw().NewIterator(options, db.handle(family::records)));
    first_ = std::max(start_of(granularity::hour, what.first_ns), first_hour);
    last_ = start_of(granularity::hour, what.end_ns == INT64_MIN ? INT64_MIN : what.end_ns - 1);
    if (what.after) {
      auto& bound = what.newest_first ? last_ : first_;
      const auto at = start_of(granularity::hour, what.after->at_ns);
      bound = what.newest_first ? std::min(bound, at) : std::max(bound, at);
    }
    likely_ = std::make_unique<likely_hours>(what, first_, last_, std::move(sums));
  }

  [[nodiscard]] caf::error start() { return seek(what_->newest_first ? last_ : first_); }
  /// Nothing when there is none left.
  [[nodiscard]] std::optional<std::int32_t> hour() const { return hour_; }
  [[nodiscard]] std::size_t bytes() const { return sieves_->value().size(); }
  /// The next hour.
  [[nodiscard]] caf::error go_on() {
    if (what_->possible)
      return seek(*hour_ + (what_->newest_first ? -1 : 1));
    if (what_->newest_first)
      sieves_->Prev();
    else
      sieves_->Next();
    return settle();
  }

  /// Appends what is wanted of this hour: the first `limit` in the direction of the walk, or all if there are fewer.
  [[nodiscard]] caf::error take(std::size_t limit, known_names& met,
                                std::vector<std::pair<place, stored_record>>& out) {
    std::function<bool(const sieve_kind&)> wanted;
    if (what_->wanted)
      wanted = [this](const sieve_kind& kind) { return what_->wanted(*hour_, kind); };
    std::function<bool(name_number, name_number)> lead;
    if (what_->leads != nullptr && has_keys(what_->view))
      lead = [this](name_number client_key, name_number) { return (*what_->leads)(client_key); };
    else if (what_->leads != nullptr && has_accounts(what_->view))
      lead = [this](name_number, name_number account) { return (*what_->leads)(account); };
    if (!decode_wanted(sieves_->value().ToStringView(), lead, wanted, row_))
      return damaged("sieve");
    auto& entries = row_.entries;
    if (entries.empty())
      return {};
    if (what_->newest_first)
      std::reverse(entries.begin(), entries.end());
    // What lies beyond the page's beginning is not gone through.
    const auto begin = begin_of_hour(*hour_);
    const auto end = out.size() + limit;
    auto from = std::max(what_->first_ns, begin);
    auto to = what_->end_ns > begin && what_->end_ns - begin < hour_ns ? what_->end_ns : begin + hour_ns;
    if (what_->after && what_->newest_first && what_->after->at_ns < to)
      to = what_->after->at_ns + 1;
    if (what_->after && !what_->newest_first)
      from = std::max(from, what_->after->at_ns);
    std::int64_t done = -1;
    for (const auto& entry : entries) {
      if (out.size() >= end)
        break;
      if (entry.ms == done)
        continue;
      done = entry.ms;
      const auto first = begin + std::int64_t{entry.ms} * ms_ns;
      if (first < to && to > from && from - first < ms_ns)
        if (auto failed = take_span(std::max(from, first), first + std::min(to - first, ms_ns), met, out))
          return failed;
    }
    return {};
  }

private:
  /// At that hour or the next one that is likely and has a sieve.
  caf::error seek(std::int32_t hour) {
    for (;;) {
      const auto likely = likely_->at_or_behind(hour);
      if (!likely)
        return likely.error();
      hour_.reset();
      if (!*likely)
        return {};
      const auto key = encode_key(sieve_key{node_, **likely});
      if (what_->newest_first)
        sieves_->SeekForPrev(key);
      else
        sieves_->Seek(key);
      if (auto failed = settle())
        return failed;
      if (!hour_ || *hour_ == **likely)
        return {};
      hour = *hour_;
    }
  }

  /// Where the iterator is.
  caf::error settle() {
    hour_.reset();
    if (!sieves_->Valid())
      return to_error(sieves_->status());
    sieve_key of;
    if (decode_key(sieves_->key().ToStringView(), of) && of.node == node_ && of.hour >= first_ && of.hour <= last_)
      hour_ = of.hour;
    return {};
  }

  /// Records of [first, behind), which is a millisecond at most.
  caf::error take_span(std::int64_t first, std::int64_t behind, known_names& met,
                       std::vector<std::pair<place, stored_record>>& out) {
    record_key of;
    const auto here = [&] {
      return records_->Valid() && decode_key(records_->key().ToStringView(), of) && of.node == node_;
    };
    const auto take_one = [&]() -> caf::error {
      record_value value;
      if (!decode(records_->value().ToStringView(), value))
        return damaged("record");
      if (value.seq > what_->up_to || (what_->wanted && !is_wanted(kind_of(value))))
        return {};
      place at{of.at_ns, name_, of.id};
      if (what_->after && (what_->newest_first ? !(at < *what_->after) : !(at > *what_->after)))
        return {};
      auto record = record_of(of, value, met);
      if (!record)
        return record.error();
      out.emplace_back(std::move(at), std::move(*record));
      return {};
    };
    if (what_->newest_first) {
      record_key last{node_, behind - 1, {}};
      last.id.bytes.fill(0xff);
      if (!near(last, false))
        records_->SeekForPrev(encode_key(last));
      for (; here() && of.at_ns >= first; records_->Prev())
        if (auto failed = take_one())
          return failed;
    } else {
      const record_key begin{node_, first, {}};
      if (!near(begin, true))
        records_->Seek(encode_key(begin));
      for (; here() && of.at_ns < behind; records_->Next())
        if (auto failed = take_one())
          return failed;
    }
    return to_error(records_->status());
  }

  /// Steps to the row that a seek would find, where that is but a few steps away: those cost less.
  bool near(const record_key& wanted, bool forwards) {
    record_key of;
    for (int step = 0; step < 8; ++step) {
      if (!records_->Valid() || !decode_key(records_->key().ToStringView(), of) || of.node != node_)
        return false;
      if (forwards ? of.at_ns >= wanted.at_ns : of.at_ns <= wanted.at_ns)
        return true; // a walk never turns round, so nothing of what is wanted lies behind it
      if (forwards)
        records_->Next();
      else
        records_->Prev();
    }
    return false;
  }

  bool is_wanted(const sieve_kind& kind) const {
    return std::binary_search(row_.kinds.begin(), row_.kinds.end(), kind);
  }

  node_name name_;
  name_number node_;
  const walk* what_;
  std::unique_ptr<likely_hours> likely_;
  std::unique_ptr<rocksdb::Iterator> sieves_;
  std::unique_ptr<rocksdb::Iterator> records_;
  std::int32_t first_ = 0, last_ = 0;
  std::optional<std::int32_t> hour_;
  sieve_row row_;
};

} // namespace

caf::expected<ledger::reading::records_found> ledger::reading::records(const record_walk& what) const {
  records_found out;
  known_names met{*parts_->dictionary};
  std::vector<hours> all;
  all.reserve(what.nodes.size());
  for (const auto& name : what.nodes) {
    const auto number = parts_->nodes.find(name);
    if (number == parts_->nodes.end())
      continue;
    all.emplace_back(*parts_->db, parts_->as_of->get(), what, name, number->second,
                     [&what, this, name](granularity by, std::int32_t begin, std::int32_t end, const auto& visit) {
                       return sums(name, {by, what.view, begin, end, what.leads}, visit);
                     });
    if (auto failed = all.back().start())
      return failed;
  }
  std::size_t bytes = 0;
  std::vector<std::pair<place, stored_record>> of_hour;
  while (out.records.size() <= what.limit) {
    std::optional<std::int32_t> hour;
    for (const auto& one : all)
      if (const auto its = one.hour(); its && (!hour || (what.newest_first ? *its > *hour : *its < *hour)))
        hour = its;
    if (!hour)
      return out;
    if (bytes > most_sieve_bytes) {
      out.more = true;
      out.reached = record_place{begin_of_hour(what.newest_first ? *hour + 1 : *hour), {}, {}};
      return out;
    }
    of_hour.clear();
    for (auto& one : all) {
      if (one.hour() != hour)
        continue;
      bytes += one.bytes();
      if (auto failed = one.take(what.limit + std::size_t{1} - out.records.size(), met, of_hour))
        return failed;
      if (auto failed = one.go_on())
        return failed;
    }
    std::sort(of_hour.begin(), of_hour.end(),
              [&](const auto& a, const auto& b) { return what.newest_first ? b.first < a.first : a.first < b.first; });
    for (auto& [at, record] : of_hour)
      if (out.records.size() <= what.limit)
        out.records.push_back(std::move(record));
  }
  out.more = true;
  out.records.resize(what.limit);
  return out;
}

} // namespace keyportal::storage
