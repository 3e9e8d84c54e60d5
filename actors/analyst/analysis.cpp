#include "actors/analyst/analysis.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "actors/analyst/calendar.hpp"
#include "actors/analyst/record_cursor.hpp"
#include "actors/analyst/record_filter.hpp"
#include "actors/analyst/usage_fold.hpp"
#include "actors/analyst/usage_pieces.hpp"
#include "messages/errors.hpp"

namespace keyportal {

namespace {

constexpr std::uint32_t most_gaps = 10'000; ///< looked at, of a node
constexpr std::size_t most_gaps_told = 1'000;
constexpr std::size_t most_unused_told = 1'000;
constexpr std::uint32_t entries_at_once = 1'000;

caf::error refused(std::string about) { return make_error(errc::bad_request, std::move(about)); }

/// Words instead of moments, where there are any.
caf::error read_range(const std::string& from, const std::string& to, const calendar& zone, moment now,
                      moment& from_out, moment& to_out) {
  if (!to.empty()) {
    const auto read = zone.read(to, now, now);
    if (!read)
      return refused("to is no time: RFC 3339, 2026-04-02, 30d, now, today, week, month or year");
    to_out = *read;
  }
  if (!from.empty()) {
    const auto read = zone.read(from, now, to_out);
    if (!read)
      return refused("from is no time: RFC 3339, 2026-04-02, 30d, now, today, week, month or year");
    from_out = *read;
  }
  return {};
}

} // namespace

caf::error analysis::follow_registry() {
  if (!follows_) {
    const auto image = store_->load_registry();
    if (!image)
      return image.error();
    owners_ = ownership{*image};
    follows_ = true;
  }
  while (owners_.position() < store_->registry_position()) {
    const auto entries = store_->entries(owners_.position(), entries_at_once);
    if (!entries)
      return entries.error();
    if (entries->empty())
      return make_error(errc::storage_corrupt, "registry");
    for (const auto& entry : *entries)
      owners_.take(entry);
  }
  return {};
}

caf::expected<std::vector<usage_answer_gap>> analysis::gaps_in(const std::vector<node_name>& nodes, moment from,
                                                               moment to) const {
  std::vector<usage_answer_gap> out;
  const auto add = [&](const node_name& node, moment begins, moment ends, std::uint64_t records) {
    if (begins < to && ends > from && out.size() < most_gaps_told)
      out.push_back({node, begins, ends, static_cast<std::int64_t>(records)});
  };
  for (const auto& node : nodes) {
    const auto gaps = store_->gaps(node, most_gaps);
    if (!gaps)
      return gaps.error();
    for (const auto& one : *gaps)
      add(node, one.from, one.to, one.expected_records);
    const auto incompletes = store_->incompletes(node, most_gaps);
    if (!incompletes)
      return incompletes.error();
    for (const auto& one : *incompletes)
      if (!one.closed_at)
        add(node, one.from, one.to, one.missing_ok + one.missing_failed);
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::tie(a.from, a.to, a.node) < std::tie(b.from, b.to, b.node);
  });
  return out;
}

void analysis::show(const std::string& id, shown_names& names) const {
  if (const auto& text = owners_.shown(id); !text.empty())
    names[id] = text;
}

void analysis::tell_unused(const usage_question& question, usage_report& report,
                           const std::vector<std::string>& used) const {
  const std::set<std::string> those(used.begin(), used.end());
  const auto tell = [&](const std::string& id) {
    if (those.contains(id))
      return;
    if (++report.unused_count <= most_unused_told)
      report.unused.push_back(id);
  };
  if (question.by.front() == usage_by::key)
    for (const auto& key : owners_.working_keys())
      tell(key);
  else
    for (const auto& user : owners_.people_with_keys())
      tell(user);
  for (const auto& id : report.unused)
    show(id, report.names);
}

// --- usage -----------------------------------------------------------------------------------

caf::expected<usage_report> analysis::answer(const ask_usage& asked, moment now) {
  auto question = asked.what;
  if (question.zone.empty())
    question.zone = zone_;
  const auto zone = calendar::of(question.zone, question.weeks_begin_on_sunday);
  if (!zone)
    return zone.error();
  if (auto wrong = read_range(asked.from, asked.to, *zone, now, question.from, question.to))
    return wrong;
  if (auto failed = follow_registry())
    return failed;
  const auto books = store_->read();
  plan_limits limits;
  limits.first_minute = books->first_minute();
  const auto asks_owner = [&](usage_by by) {
    return question.where.contains(by) || std::find(question.by.begin(), question.by.end(), by) != question.by.end();
  };
  if (asks_owner(usage_by::user) || asks_owner(usage_by::group))
    limits.days_to_divide = owners_.days_of_change();
  const auto plan = plan_usage(question, *zone, limits);
  if (!plan)
    return plan.error();
  books_ = books.get();
  std::vector<node_name> nodes;
  for (const auto& node : books->nodes())
    if (const auto wanted = question.where.find(usage_by::node);
        wanted == question.where.end()
        || std::find(wanted->second.begin(), wanted->second.end(), node) != wanted->second.end())
      nodes.push_back(node);
  auto& kept = kept_.of(question, nodes, *zone, names_, owners_);
  usage_fold fold{question, *plan, kept.shape()};
  const auto pieces = pieces_of(*plan, question.step);
  const auto add_all = [&]() -> caf::error {
    if (auto failed = kept.each_sums(*books, *plan, pieces, [&](const auto& piece, const auto& sums) {
          return fold.add(piece, sums);
        }))
      return failed;
    if (auto failed = fold.rank(); failed || !question.with_percentiles)
      return failed;
    auto timed = pieces;
    std::erase_if(timed, [](const auto& piece) { return piece.earlier; });
    return kept.each_bins(*books, *plan, timed, fold.ranked(), [&](const auto& piece, const auto& bins) {
      fold.add(piece, bins);
      return caf::error{};
    });
  };
  if (auto failed = add_all()) {
    kept_.drop_last();
    return failed;
  }
  auto report = std::optional(fold.report());
  report->position = books->position();
  auto gaps = gaps_in(nodes, report->from, report->to);
  if (!gaps)
    return gaps.error();
  report->gaps = std::move(*gaps);
  for (const auto& one : report->rows)
    for (std::size_t i = 0; i < one.of.size(); ++i)
      if (question.by[i] == usage_by::key || question.by[i] == usage_by::user)
        show(one.of[i], report->names);
  if (question.with_unused)
    tell_unused(question, *report, fold.texts_of_first());
  return std::move(*report);
}

// --- records -----------------------------------------------------------------------------------

caf::expected<record_page> analysis::answer(const ask_records& asked, moment now) {
  using place = storage::ledger::reading::record_place;
  auto question = asked.what;
  if (question.limit < 1 || question.limit > most_rows)
    return refused("limit is a number from 1 to 1000");
  const auto zone = calendar::of(asked.zone.empty() ? zone_ : asked.zone);
  if (!zone)
    return zone.error();
  std::optional<record_cursor> cursor;
  if (!question.cursor.empty()) {
    cursor = cursor_of(question.cursor);
    if (!cursor || cursor->newest_first != question.newest_first)
      return refused("this is no cursor of this question");
    question.from = cursor->from;
    question.to = cursor->to;
  } else if (auto wrong = read_range(asked.from, asked.to, *zone, now, question.from, question.to)) {
    return wrong;
  }
  if (question.from > question.to)
    return refused("the range ends before it begins");
  if (unix_ns(question.from) < earliest_ns || unix_ns(question.to) > latest_ns)
    return refused("the range is out of what the calendar knows, the years 1700 to 2200");
  if (auto failed = follow_registry())
    return failed;

  const auto books = store_->read();
  record_filter filter;
  if (auto failed = filter.prepare(question, *books, owners_))
    return failed;
  record_page out;
  out.position = cursor ? cursor->position : books->position();
  std::vector<node_name> nodes;
  for (const auto& node : books->nodes())
    if (filter.wants_node(node))
      nodes.push_back(node);
  auto gaps = gaps_in(nodes, question.from, question.to);
  if (!gaps)
    return gaps.error();
  out.gaps = std::move(*gaps);
  if (filter.finds_nothing())
    return out;

  const bool back = cursor && cursor->back;
  storage::ledger::reading::record_walk walk;
  walk.nodes = nodes;
  walk.first_ns = unix_ns(question.from);
  walk.end_ns = unix_ns(question.to);
  walk.newest_first = question.newest_first != back;
  if (cursor)
    walk.after = cursor->place;
  walk.up_to = out.position;
  walk.limit = question.limit;
  filter.aim(walk);
  auto found = books->records(walk);
  if (!found)
    return found.error();
  if (auto failed = filter.failed())
    return failed;
  if (back)
    std::reverse(found->records.begin(), found->records.end());
  const auto at = [&](const place& where, bool backwards) {
    return to_text({backwards, question.newest_first, out.position, question.from, question.to, where});
  };
  const auto place_of = [](const stored_record& r) { return place{r.at.unix_ns, r.node, r.id}; };
  // Towards where the walk went there is more if it said so; where it came from there is the page that led here.
  const auto& records = found->records;
  const auto ahead = found->reached    ? *found->reached
                     : records.empty() ? place{}
                                       : place_of(back ? records.front() : records.back());
  const auto behind = !records.empty() ? place_of(back ? records.back() : records.front())
                      : cursor         ? cursor->place
                                       : place{};
  if (found->more)
    (back ? out.previous : out.next) = at(ahead, back);
  if (cursor)
    (back ? out.next : out.previous) = at(behind, !back);
  out.records = std::move(found->records);
  for (const auto& one : out.records)
    show(one.key, out.names);
  return out;
}

} // namespace keyportal
