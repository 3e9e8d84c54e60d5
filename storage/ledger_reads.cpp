// The ledger's longer reads: roll-ups, all records of a node.
#include <algorithm>

#include "storage/arrivals.hpp"
#include "storage/reading_parts.hpp"

namespace keyportal::storage {

// --- roll-ups ---------------------------------------------------------------------------

ledger::reading::reading(std::unique_ptr<parts> with) : parts_(std::move(with)) {}
ledger::reading::~reading() = default;

std::unique_ptr<ledger::reading> ledger::read() const {
  auto with = std::make_unique<reading::parts>();
  with->db = parts_->db;
  with->dictionary = parts_->dictionary;
  with->changed = parts_->changed;
  with->stamp = parts_->changed->now();
  with->as_of = std::make_unique<view>(*with->db);
  {
    const std::lock_guard lock{parts_->mutex};
    for (const auto& [name, state] : parts_->memory.nodes)
      with->nodes.emplace(name, state.number);
    with->position = parts_->memory.position.last;
    with->last_name = parts_->memory.position.last_name;
    with->first_minute = parts_->memory.position.first_minute;
  }
  // Memory may be a commit ahead of the view or behind it: the view's own row is right.
  position_value position;
  const auto row = with->db->get(family::meta, encode_key(position_key{}), with->as_of->get());
  if (row && *row && decode(**row, position)) {
    with->position = position.last;
    with->first_minute = position.first_minute;
    with->last_name = position.last_name;
  }
  return std::unique_ptr<reading>{new reading(std::move(with))};
}

namespace {

/// Rows of one width and view.
struct run {
  granularity by;
  cell_view view;
  std::int32_t first, end;
};

/// Which rows say what is asked: the hour that goes on has rows by minute only, longer periods that go on those of what is
/// over of them. Of what is not kept rows are taken that are finer or tell more apart.
class runs {
public:
  runs(cell_part part, std::int32_t open_hour) : part_(part), open_hour_(open_hour) {}

  void add(granularity by, cell_view view, std::int64_t first, std::int64_t end) {
    if (first >= end)
      return;
    if (by == granularity::minute)
      return push(by, is_kept(by, view, part_) ? view : cell_view::all, first, end);
    const std::int64_t open =
      open_hour_ == no_hour ? INT64_MAX : coarser(granularity::hour, open_hour_, by);
    add_over(by, view, first, std::min(end, open));
    if (first <= open && open < end) {
      const auto finer = finer_than(by);
      const auto many = ns_of(by) / ns_of(finer);
      add(finer, view, open * many, (open + 1) * many);
    }
  }
  std::vector<run> take() { return std::move(all_); }

private:
  static granularity finer_than(granularity by) {
    return by == granularity::eight_days ? granularity::day
           : by == granularity::hour     ? granularity::minute
                                         : granularity::hour;
  }
  void add_over(granularity by, cell_view view, std::int64_t first, std::int64_t end) {
    if (first >= end)
      return;
    if (is_kept(by, view, part_))
      return push(by, view, first, end);
    if (by != granularity::hour) {
      const auto finer = finer_than(by);
      const auto many = ns_of(by) / ns_of(finer);
      return add(finer, view, first * many, end * many);
    }
    // Hours of keys: in the rows of their days, those of a day that goes on with accounts.
    const std::int64_t open = open_hour_ == no_hour ? INT64_MAX : std::int64_t{day_of_hour(open_hour_)} * 24;
    if (first < std::min(end, open))
      push(granularity::day, cell_view::key_hours, day_of_hour(clamped(first)),
           std::int64_t{day_of_hour(clamped(std::min(end, open) - 1))} + 1);
    if (std::max(first, open) < end)
      push(by, cell_view::all, std::max(first, open), end);
  }
  static std::int32_t clamped(std::int64_t value) {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(value, INT32_MIN, INT32_MAX));
  }
  void push(granularity by, cell_view view, std::int64_t first, std::int64_t end) {
    all_.push_back({by, view, clamped(first), clamped(end)});
  }

  cell_part part_;
  std::int32_t open_hour_;
  std::vector<run> all_;
};

/// Cells of a row as the question wants them, also where the row tells more apart.
template <class Amounts, class Visit>
bool each_wanted(std::string_view bytes, cell_view stored, std::int32_t start, const ledger::cell_question& what,
                 const Visit& visit) {
  using given = std::conditional_t<std::is_same_v<Amounts, cell_sums>, const cell_sums&, cell_distributions&&>;
  using visitor = std::function<void(const cell_id&, given)>;
  const bool of_hours = stored == cell_view::key_hours;
  const bool same_leads = of_hours || stored == what.view || has_keys(what.view);
  return each_cell(bytes, stored, same_leads ? what.leads : nullptr, visitor{[&](const cell_id& id, given amounts) {
                     const auto as_asked = stored == what.view ? id : id.in(what.view);
                     auto at = start;
                     if (of_hours) {
                       at = coarser(granularity::hour, start + static_cast<std::int32_t>(id.account), what.by);
                       if (at < what.first || at >= what.end)
                         return;
                     }
                     if (same_leads || what.leads == nullptr || (*what.leads)(lead_of(as_asked, what.view)))
                       visit(at, as_asked, static_cast<given>(amounts));
                   }},
                   what.kinds);
}

} // namespace

template <class Visit>
caf::error ledger::reading::parts::each_part(const node_name& node, const cell_question& what, cell_part part,
                                             const Visit& visit) {
  const auto number = nodes.find(node);
  if (number == nodes.end() || what.first >= what.end)
    return {};
  const auto open = open_hour(number->second);
  if (!open)
    return open.error();
  runs which{part, *open};
  which.add(what.by, what.view, what.first, what.end);
  for (const auto& one : which.take()) {
    auto rows = what;
    rows.by = one.by;
    rows.view = one.view;
    rows.first = one.first;
    rows.end = one.end;
    // What is left out by other leads than those of the row cannot be skipped.
    if (one.view != what.view && !has_keys(what.view))
      rows.leads = nullptr;
    const bool of_hours = one.view == cell_view::key_hours;
    auto failed = each_row(number->second, rows, part, [&](std::int32_t start, std::string_view bytes) {
      return visit(of_hours ? start * 24 : coarser(one.by, start, what.by), one.view, bytes);
    });
    if (failed)
      return failed;
  }
  return {};
}

template <class Amounts, class Visit>
caf::error ledger::reading::parts::each(const node_name& node, const cell_question& what, const Visit& visit) {
  constexpr auto part = std::is_same_v<Amounts, cell_sums> ? cell_part::sums : cell_part::distributions;
  return each_part(node, what, part, [&](std::int32_t start, cell_view stored, std::string_view bytes) {
    return each_wanted<Amounts>(bytes, stored, start, what, visit);
  });
}

caf::error ledger::reading::rows(const node_name& node, const cell_question& what, cell_part part,
                                 const row_visitor& visit) const {
  return parts_->each_part(node, what, part, visit);
}

caf::error ledger::reading::sums(const node_name& node, const cell_question& what, const sums_visitor& visit) const {
  return parts_->each<cell_sums>(node, what, visit);
}

caf::error ledger::reading::distributions(const node_name& node, const cell_question& what,
                                          const distributions_visitor& visit) const {
  return parts_->each<cell_distributions>(node, what, visit);
}

sequence ledger::reading::position() const { return parts_->position; }

std::uint64_t ledger::reading::stamp() const { return parts_->stamp; }

bool ledger::reading::same_as(std::uint64_t stamp, const node_name& node, std::int32_t first, std::int32_t end) const {
  const auto number = parts_->nodes.find(node);
  return number != parts_->nodes.end()
         && parts_->changed->last(number->second, first, end) <= std::min(stamp, parts_->stamp);
}

std::int32_t ledger::reading::first_minute() const { return parts_->first_minute; }

std::vector<node_name> ledger::reading::nodes() const {
  std::vector<node_name> out;
  for (const auto& [name, number] : parts_->nodes)
    out.push_back(name);
  return out;
}

caf::expected<std::string> ledger::reading::text(name_kind kind, name_number number) const {
  const auto found = parts_->dictionary->get(kind, number);
  if (!found)
    return found.error();
  return kind == name_kind::client_key ? (*found)->key : (*found)->text;
}

caf::expected<std::vector<std::pair<name_number, std::string>>> ledger::reading::all_names(name_kind kind) const {
  std::vector<std::pair<name_number, std::string>> out;
  auto failed = parts_->db->each(
    family::meta, key_prefix<name_text_key>(), {},
    [&](std::string_view key, std::string_view value, bool&) -> caf::error {
      name_text_key of;
      if (!decode_key(key, of) || value.size() < 2)
        return damaged("name");
      if (value[1] != static_cast<char>(kind))
        return {};
      auto found = text(kind, of.name);
      if (!found)
        return found.error();
      out.emplace_back(of.name, std::move(*found));
      return {};
    },
    parts_->as_of->get());
  if (failed)
    return failed;
  return out;
}

caf::expected<totals> ledger::sums_since(const node_name& node, moment from_hour) const {
  totals out;
  const auto add = [&](std::int32_t, const cell_id& id, const cell_sums& sums) {
    out.requests += sums.requests;
    (id.failed ? out.failed : out.ok) += sums.requests;
    out.latency_ms_sum += sums.latency_ms;
    cell_sums all{0, out.tokens, out.parts, 0, 0, 0, 0, 0};
    all.add(sums);
    out.tokens = all.tokens;
    out.parts = all.parts;
  };
  cell_question what;
  what.view = cell_view::total;
  what.first = start_of(granularity::hour, unix_ns(from_hour));
  what.end = INT32_MAX;
  if (auto failed = read()->sums(node, what, add))
    return failed;
  return out;
}

caf::expected<std::vector<ledger::record_use>> ledger::uses_between(const node_name& node, moment from,
                                                                    moment to) const {
  std::vector<record_use> out;
  const auto number = parts_->number_of(node);
  if (!number || from >= to)
    return out;
  const auto take = [&](std::string_view key_bytes, std::string_view bytes, bool& stop) -> caf::error {
    record_key key;
    record_value value;
    if (!decode_key(key_bytes, key) || !decode(bytes, value))
      return damaged("record");
    const auto at = moment_of(key.at_ns);
    stop = at >= to;
    if (stop)
      return {};
    const auto client_key = parts_->dictionary->get(name_kind::client_key, value.client_key);
    if (!client_key)
      return client_key.error();
    out.push_back({(*client_key)->key, at, value.tokens.total, value.cost_nano.value_or(0)});
    return {};
  };
  if (auto failed = parts_->db->each(family::records, key_prefix<record_key>(*number),
                                     key_prefix<record_key>(*number, unix_ns(from)), take))
    return failed;
  return out;
}

// --- all records of a node -----------------------------------------------------------------

struct ledger::scan::parts {
  std::shared_ptr<database> db;
  std::shared_ptr<names> dictionary;
  std::shared_ptr<const std::unordered_set<record_id>> present;
  std::string lower;
  std::string upper;
  rocksdb::Slice lower_bound;
  rocksdb::Slice upper_bound;
  std::unique_ptr<rocksdb::Iterator> row; ///< an iterator is a consistent view of itself; null: no such node
  std::unique_ptr<view> as_of;            ///< for extras only
  std::unique_ptr<known_names> met;
  std::unique_ptr<extras_reader> extras; ///< null: not asked for
};

ledger::scan::scan(std::unique_ptr<parts> with) : parts_(std::move(with)) {}
ledger::scan::~scan() = default;

std::unique_ptr<ledger::scan> ledger::records(const node_name& node,
                                              std::shared_ptr<const std::unordered_set<record_id>> present,
                                              bool with_extra) const {
  auto with = std::make_unique<scan::parts>();
  with->db = parts_->db;
  with->dictionary = parts_->dictionary;
  with->present = std::move(present);
  with->met = std::make_unique<known_names>(*with->dictionary);
  if (const auto number = parts_->number_of(node)) {
    with->lower = key_prefix<record_key>(*number);
    with->upper = prefix_end(with->lower);
    with->lower_bound = with->lower;
    with->upper_bound = with->upper;
    rocksdb::ReadOptions options;
    if (with_extra) {
      with->as_of = std::make_unique<view>(*with->db);
      with->extras = std::make_unique<extras_reader>(*with->db, *with->dictionary, *with->as_of);
      options.snapshot = with->as_of->get();
    }
    options.iterate_lower_bound = &with->lower_bound;
    options.iterate_upper_bound = &with->upper_bound;
    options.fill_cache = false; // read once: must not push out what polls need
    with->row.reset(with->db->raw().NewIterator(options, with->db->handle(family::records)));
    with->row->SeekToFirst();
  }
  return std::unique_ptr<scan>{new scan(std::move(with))};
}

caf::expected<std::vector<record_group>> ledger::scan::next(std::size_t max_records) {
  std::vector<record_group> out;
  if (!parts_->row)
    return out;
  std::unordered_map<std::uint64_t, std::size_t> groups; // client key and model -> place in `out`
  auto& row = *parts_->row;
  for (std::size_t taken = 0; row.Valid() && taken < std::max<std::size_t>(1, max_records); row.Next()) {
    record_key key;
    record_value value;
    if (!decode_key(row.key().ToStringView(), key) || !decode(row.value().ToStringView(), value))
      return damaged("record");
    if (parts_->present && (value.copied || parts_->present->contains(key.id)))
      continue;
    const auto [place, is_new] = groups.try_emplace(std::uint64_t{value.client_key} << 32 | value.model, out.size());
    auto& met = *parts_->met;
    if (is_new) {
      const auto client_key = met.get(name_kind::client_key, value.client_key);
      if (!client_key)
        return client_key.error();
      const auto model = met.get(name_kind::model, value.model);
      if (!model)
        return model.error();
      out.push_back({secret{(*client_key)->text}, (*model)->text, {}});
    }
    const auto source = met.get(name_kind::source, value.source);
    if (!source)
      return source.error();
    const auto auth_index = met.get(name_kind::auth_index, value.auth_index);
    if (!auth_index)
      return auth_index.error();
    auto facts = facts_of(value, met);
    if (!facts)
      return facts.error();
    if (*facts && parts_->extras) {
      auto extra = parts_->extras->get(value.seq);
      if (!extra)
        return extra.error();
      (*facts)->extra = std::move(*extra);
    }
    auto& group = out[place->second];
    group.details.push_back({key.id,
                             {key.at_ns, value.offset_minutes},
                             value.latency_ms,
                             (*source)->text,
                             (*auth_index)->text,
                             value.tokens,
                             value.failed,
                             parts_of(value, group.model),
                             std::move(*facts),
                             value.copied});
    ++taken;
  }
  if (auto failed = to_error(row.status()))
    return failed;
  return out;
}

} // namespace keyportal::storage
