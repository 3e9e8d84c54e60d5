// Moving in with what was used before: records of other collectors, and days that the original portal had added up.
// The file is read twice: once to see what is wrong with it, before anything is asked for, and once to hand it on in
// pieces, each of which the ledger takes as a whole. What is there is known again, so a run that broke off is run again.
#include <ostream>
#include <unordered_set>

#include <fmt/format.h>

#include "actors/cli/files.hpp"
#include "actors/cli/price_words.hpp"
#include "actors/cli/progress.hpp"
#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"
#include "actors/cli/usage_sources.hpp"
#include "actors/key_registry/registry_text.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

constexpr std::size_t rows_at_once = 500;
constexpr std::size_t bytes_at_once = 1u << 20;
constexpr std::size_t largest_csv = 64u << 20;
constexpr std::size_t most_shown = 20;        ///< refusals in a report
constexpr std::size_t most_shown_json = 1000; ///< in one for programs

struct tally {
  std::uint64_t read = 0;
  std::uint64_t added = 0;
  std::uint64_t too_old = 0; ///< of days whose raw records are gone: nobody can tell whether they were counted
  std::uint64_t changed = 0; ///< days with other sums than before
  std::uint64_t known = 0;   ///< also those that stand twice in the file
  std::uint64_t refused = 0;
  std::vector<std::pair<std::string, std::string>> refusals; ///< the first: where, and why
  std::unordered_set<std::string> people;                    ///< e-mail addresses
  std::uint64_t people_added = 0, people_known = 0;
  std::size_t aliases = 0;
  moved_prices prices;
};

caf::expected<std::unique_ptr<usage_source>> open_source(const context& here) {
  const auto& file = here.asked.file;
  switch (here.asked.what) {
    case command::import_usage_db: return open_usage_db(file);
    case command::import_keeper: return open_keeper(file);
    case command::import_manager_plus: return open_manager_plus(file);
    default: break;
  }
  auto text = read_file(file, here.io.in);
  if (!text)
    return text.error();
  if (text->size() > largest_csv)
    return make_error(errc::body_too_large, "the file");
  return open_usage_history(std::move(*text));
}

/// Walks through the file; `take` gets the rows that are fine, those that stand twice once. Counts all others.
caf::error walk(const usage_source& source, tally& counted, const std::function<caf::error(json)>& take) {
  std::string order;
  std::unordered_set<std::string> met; // of rows of one order
  return source.each([&](source_row row) -> caf::error {
    ++counted.read;
    if (row.refusal.empty()) {
      if (row.order != order)
        met.clear();
      order = row.order;
      const bool first = met.insert(row.identity).second;
      // Two records of one attempt are one record. Of two sums of one day nobody knows which is right.
      if (first)
        return take(std::move(row.what));
      if (!source.has_days()) {
        ++counted.known;
        return {};
      }
      row.refusal = "is of a day that stands further up already";
    }
    ++counted.refused;
    if (counted.refusals.size() < most_shown_json)
      counted.refusals.emplace_back(std::move(row.where), std::move(row.refusal));
    return {};
  });
}

/// Hands rows on in pieces.
class sender {
public:
  sender(const context& here, const service& portal, const usage_source& source, const node_name& node, tally& counted)
    : here_(here), portal_(portal), source_(source), counted_(counted),
      path_(fmt::format("/api/v1/nodes/{}/{}", node, source.has_days() ? "history" : "records")) {}

  caf::error add(json row) {
    bytes_ += row.dump().size();
    rows_.push_back(std::move(row));
    return rows_.size() < rows_at_once && bytes_ < bytes_at_once ? caf::error{} : flush();
  }
  caf::error flush() {
    if (rows_.empty())
      return {};
    if (auto changed = source_.unchanged())
      return changed;
    const auto count = rows_.size();
    json body = {{"dry_run", here_.asked.registry.dry_run}};
    if (source_.has_days())
      body["source"] = source_.name();
    body[source_.has_days() ? "days" : "records"] = std::exchange(rows_, json::array());
    bytes_ = 0;
    const auto report = change(here_, portal_, "POST", path_, "sending", dump(body));
    if (!report)
      return report.error();
    const auto added = static_cast<std::uint64_t>(integer(*report, {"added"}));
    const auto other = static_cast<std::uint64_t>(integer(*report, {"changed"}));
    counted_.added += added;
    counted_.changed += other;
    const auto too_old = static_cast<std::uint64_t>(integer(*report, {"refused"}));
    counted_.too_old += too_old;
    counted_.known += count - std::min<std::uint64_t>(count, added + other + too_old);
    return {};
  }

private:
  const context& here_;
  const service& portal_;
  const usage_source& source_;
  tally& counted_;
  std::string path_;
  json rows_ = json::array();
  std::size_t bytes_ = 0;
};

/// People whom the registry does not know; what it knows of the others stays as it is.
caf::error add_people(const context& here, const service& portal, tally& counted) {
  for (const auto& email : counted.people) {
    const auto there = look(portal, path_of_person(email));
    if (!there && code_of(there.error()) != errc::user_unknown)
      return there.error();
    ++(there ? counted.people_known : counted.people_added);
    if (there || here.asked.registry.dry_run)
      continue;
    const auto done =
      change(here, portal, "POST", "/api/v1/users", "importing", dump({{"email", email}}), fresh_word());
    if (!done)
      return done.error();
  }
  return {};
}

json to_json(const context& here, const node_name& node, const usage_source& source, const tally& done) {
  json out = {{"file", here.asked.file.string()}, {"node", node}, {"dry_run", here.asked.registry.dry_run}};
  json counts = {{"read", done.read},
                 {"added", done.added},
                 {"known", done.known},
                 {"refused", done.refused},
                 {"too_old", done.too_old}};
  if (source.has_days())
    counts["changed"] = done.changed;
  out[source.has_days() ? "days" : "records"] = std::move(counts);
  out["people"] = {{"added", done.people_added}, {"known", done.people_known}};
  out["prices"] = {{"added", done.prices.added},
                   {"known", done.prices.known},
                   {"by_hand", done.prices.by_hand},
                   {"refused", done.prices.refused}};
  out["not_taken"] = {{"aliases", done.aliases}};
  auto refused = json::array();
  for (const auto& [where, why] : done.refusals)
    refused.push_back({{"where", where}, {"reason", why}});
  out["refused"] = std::move(refused);
  return out;
}

void report(const context& here, const node_name& node, const usage_source& source, const tally& done) {
  if (here.asked.json)
    return print(here, to_json(here, node, source, done));
  const auto shown = [](std::uint64_t n) { return grouped(static_cast<std::int64_t>(n)); };
  auto& out = here.io.out;
  if (here.asked.registry.dry_run)
    out << "this would be done, and nothing is:\n";
  out << fmt::format("{}: {} {} read, {} added, {}{} known already, {} refused\n", node, shown(done.read),
                     source.has_days() ? "days" : "records", shown(done.added),
                     source.has_days() ? shown(done.changed) + " changed, " : std::string{}, shown(done.known),
                     shown(done.refused));
  if (done.too_old > 0)
    out << fmt::format("{} records were not taken: they are of days whose single records are gone, so nobody can tell "
                       "whether they were counted\n",
                       shown(done.too_old));
  if (!done.people.empty())
    out << fmt::format("people: {} added, {} known already\n", shown(done.people_added), shown(done.people_known));
  if (const auto& p = done.prices; p.added + p.known + p.by_hand + p.refused > 0)
    out << fmt::format("prices: {} added, {} known already, {} set by hand here and kept, {} refused\n", shown(p.added),
                       shown(p.known), shown(p.by_hand), shown(p.refused));
  if (done.aliases > 0)
    out << fmt::format("not yet taken: {} aliases\n", shown(done.aliases));
  for (std::size_t i = 0; i < std::min(done.refusals.size(), most_shown); ++i)
    out << printable(fmt::format("refused: {}: {}", done.refusals[i].first, done.refusals[i].second)) << "\n";
  if (done.refused > most_shown)
    out << fmt::format("and {} more; --json tells the first {}\n", shown(done.refused - most_shown),
                       shown(most_shown_json));
}

int refuse(const context& here, const caf::error& error) {
  const auto name = here.asked.file.string();
  const auto about = about_of(error);
  return fail(here, make_error(code_of(error), about.starts_with(name) ? about : fmt::format("{}: {}", name, about)));
}

} // namespace

int move_usage_in(const context& here) {
  const auto source = open_source(here);
  if (!source)
    return refuse(here, source.error());
  tally seen; // the first walk: what is wrong with the file
  std::uint64_t good = 0;
  auto failed = walk(**source, seen, [&](const json& row) {
    ++good;
    if (const auto owner = tidy_email(row.value("owner", "")))
      seen.people.insert(*owner);
    return caf::error{};
  });
  const auto prices = (*source)->prices();
  const auto aliases = (*source)->aliases();
  if (!failed && !prices)
    failed = prices.error();
  if (!failed && !aliases)
    failed = aliases.error();
  if (!failed)
    failed = (*source)->unchanged();
  if (failed)
    return refuse(here, failed);
  return with_service(here, [&](const service& portal) {
    const auto node = chosen_node(here, portal);
    if (!node)
      return fail(here, node.error());
    if (!here.asked.registry.dry_run
        && !confirmed(
          here, fmt::format("Import {} {} from {} into the ledger of {}?{} They cannot be taken out again.",
                            grouped(static_cast<std::int64_t>(good)), (*source)->has_days() ? "days" : "records",
                            here.asked.file.string(), *node,
                            seen.refused == 0 ? std::string{} : fmt::format(" {} others are refused.", seen.refused))))
      return exit_failed;
    tally done;
    done.people = std::move(seen.people);
    done.aliases = aliases->size();
    caf::error broke;
    if (!prices->empty()) { // before the records, which keep what they cost when they come
      const auto now = std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
      if (auto moved = move_prices_in(here, portal, *prices, now, here.asked.registry.dry_run))
        done.prices = *moved;
      else
        broke = moved.error();
    }
    sender to(here, portal, **source, *node, done);
    if (!broke)
      broke = walk(**source, done, [&](json row) { return to.add(std::move(row)); });
    if (!broke)
      broke = to.flush();
    if (!broke)
      broke = add_people(here, portal, done);
    report(here, *node, **source, done);
    if (broke) {
      here.io.err << "it is not finished; run it again when the cause is mended, and it goes on\n";
      return fail(here, broke);
    }
    return done.refused == 0 ? exit_done : exit_failed;
  });
}

int list_history(const context& here) {
  return with_service(here, [&](const service& portal) {
    std::string path = "/api/v1/history?limit=1000";
    for (const auto& [name, value] : {std::pair{"node", here.asked.node}, std::pair{"from", here.asked.from_day},
                                      std::pair{"to", here.asked.to_day}})
      if (!value.empty())
        path += fmt::format("&{}={}", name, escaped(value));
    auto all = json::array();
    for (std::string after;;) {
      const auto page = look(portal, path + (after.empty() ? "" : "&after=" + after));
      if (!page)
        return fail(here, page.error());
      for (const auto& item : items_of(*page))
        all.push_back(item);
      const auto next = text(*page, {"next"});
      if (next.empty() || next == after)
        break;
      after = next;
    }
    if (here.asked.json) {
      print(here, {{"items", std::move(all)}});
      return exit_done;
    }
    using side = table::side;
    table list({{"DAY"},
                {"NODE"},
                {"FROM"},
                {"KEY"},
                {"OWNER"},
                {"REQUESTS", side::right},
                {"FAILED", side::right},
                {"TOKENS", side::right},
                {"RECORDS HERE", side::right}});
    for (const auto& item : all)
      list.add({text(item, {"date"}), text(item, {"node"}), text(item, {"source"}),
                text(item, {"key"}).empty() ? "all" : text(item, {"key"}), text(item, {"owner"}),
                number(item, {"requests"}), number(item, {"failed"}), number(item, {"tokens", "total"}),
                number(item, {"records"})});
    here.io.out << (list.empty() ? "no days; keyportal import usage-db and usage-history bring them\n" : list.text());
    return exit_done;
  });
}

} // namespace keyportal::cli
