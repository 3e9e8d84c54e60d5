// What was used, added up and record by record.
#include <ostream>

#include <fmt/format.h>

#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"
#include "actors/cli/usage_question.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;
using side = table::side;

/// "0.0123 $"; with fewer digits the more it is.
std::string dollars(const json& from, std::initializer_list<const char*> path) {
  const auto& value = at(from, path);
  if (!value.is_number())
    return "-";
  const auto amount = value.get<double>();
  return fmt::format("{:.{}f} $", amount, amount >= 100 ? 2 : amount >= 1 ? 3 : 4);
}

std::string milliseconds(const json& from, std::initializer_list<const char*> path) {
  const auto& value = at(from, path);
  return value.is_number() ? fmt::format("{:.0f} ms", value.get<double>()) : "-";
}

std::string percent(const json& from, std::initializer_list<const char*> path) {
  const auto& value = at(from, path);
  return value.is_number() ? fmt::format("{:.1f} %", value.get<double>() * 100) : "-";
}

/// Against the span before: "+12.5 %".
std::string change(const json& row) {
  const auto now = integer(row, {"requests"}), before = integer(row, {"before", "requests"});
  if (before == 0)
    return now == 0 ? "-" : "new";
  return fmt::format("{:+.1f} %", 100.0 * static_cast<double>(now - before) / static_cast<double>(before));
}

const json& list_at(const json& from, const char* name) {
  static const json none = json::array();
  const auto& found = at(from, {name});
  return found.is_array() ? found : none;
}

/// What is shown for a value: a key's label instead of its id.
std::string shown(const json& answer, const std::string& value) {
  const auto name = text(answer, {"names", value.c_str()});
  return name.empty() ? (value.empty() ? "-" : value) : name;
}

void say_how_complete(const context& here, const json& answer) {
  const auto& gaps = list_at(answer, "gaps");
  for (const auto& gap : gaps) {
    const auto records = integer(gap, {"records"});
    here.io.out << fmt::format("missing: {} from {} to {}, {}\n", printable(text(gap, {"node"})),
                               local_time(text(gap, {"from"})), local_time(text(gap, {"to"})),
                               records > 0 ? fmt::format("about {} records", grouped(records))
                                           : std::string("nobody knows how much"));
  }
  if (at(answer, {"exact"}) == false)
    here.io.out << "some borders lie within an hour of which only the whole is kept, and were moved to its begin\n";
}

void print_usage(const context& here, const json& report) {
  const auto& by = list_at(report, "by");
  const auto& starts = list_at(report, "starts");
  const bool compared = at(report, {"total", "before"}).is_object();
  const bool timed = at(report, {"total", "latency_percentiles"}).is_object();
  std::vector<table::column> columns;
  if (!starts.empty())
    columns.push_back({"FROM"});
  for (const auto& one : by) {
    auto name = one.get<std::string>();
    for (auto& c : name)
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    columns.push_back({name});
  }
  if (by.empty() && starts.empty())
    columns.push_back({""});
  for (const char* name : {"REQUESTS", "FAILED", "INPUT", "OUTPUT", "TOKENS", "CACHED", "COST", "UNPRICED", "LATENCY"})
    columns.push_back({name, side::right});
  if (timed)
    for (const char* name : {"P50", "P95", "P99"})
      columns.push_back({name, side::right});
  if (compared)
    columns.push_back({"CHANGE", side::right});
  table rows(columns);
  const auto add = [&](const std::string& start, const json& of, const std::string& instead, const json& amounts) {
    std::vector<std::string> cells;
    if (!starts.empty())
      cells.push_back(start);
    for (std::size_t i = 0; i < by.size(); ++i)
      cells.push_back(i < of.size() ? shown(report, of[i].get<std::string>()) : i == 0 ? instead : "");
    if (by.empty() && starts.empty())
      cells.push_back(instead);
    for (auto& cell : std::vector<std::string>{
           number(amounts, {"requests"}), number(amounts, {"failed"}), number(amounts, {"tokens", "input"}),
           number(amounts, {"tokens", "output"}), number(amounts, {"tokens", "total"}),
           percent(amounts, {"cache_rate"}), dollars(amounts, {"cost_usd"}), number(amounts, {"unpriced"}),
           milliseconds(amounts, {"latency_ms"})})
      cells.push_back(std::move(cell));
    if (timed)
      for (const char* share : {"p50", "p95", "p99"})
        cells.push_back(milliseconds(amounts, {"latency_percentiles", share}));
    if (compared)
      cells.push_back(start.empty() ? change(amounts) : "");
    rows.add(std::move(cells));
  };
  const auto others = fmt::format("{} others", grouped(integer(report, {"others"})));
  const auto& other = at(report, {"other"});
  const auto whole = json::array();
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto start = local_time(starts[i].get<std::string>());
    const auto bucket = [&](const json& of, const std::string& instead, const json& row) {
      const auto& buckets = list_at(row, "buckets");
      if (i < buckets.size() && (by.empty() || integer(buckets[i], {"requests"}) != 0))
        add(start, of, instead, buckets[i]);
    };
    if (by.empty()) {
      bucket(whole, "", at(report, {"total"}));
      continue;
    }
    for (const auto& row : list_at(report, "rows"))
      bucket(list_at(row, "of"), "", row);
    if (other.is_object())
      bucket(whole, others, other);
  }
  if (starts.empty()) {
    for (const auto& row : list_at(report, "rows"))
      add("", list_at(row, "of"), "", row);
    if (other.is_object())
      add("", whole, others, other);
  }
  add(starts.empty() ? "" : "all", whole, "all", at(report, {"total"}));
  here.io.out << fmt::format("usage from {} to {}, buckets in {}, as of record {}\n",
                             local_time(text(report, {"from"})), local_time(text(report, {"to"})),
                             printable(text(report, {"zone"})), number(report, {"position"}));
  say_how_complete(here, report);
  here.io.out << rows.text();
  if (const auto unused = integer(report, {"unused_count"}); unused > 0) {
    here.io.out << fmt::format("\n{} used nothing:\n", grouped(unused));
    for (const auto& one : list_at(report, "unused"))
      here.io.out << "  " << printable(shown(report, one.get<std::string>())) << "\n";
  }
}

void print_records(const context& here, const json& page) {
  table rows({{"AT"},
              {"NODE"},
              {"KEY"},
              {"MODEL"},
              {"ACCOUNT"},
              {"OUTCOME"},
              {"INPUT", side::right},
              {"OUTPUT", side::right},
              {"TOKENS", side::right},
              {"COST", side::right},
              {"LATENCY", side::right},
              {"FIRST TOKEN", side::right},
              {"ERROR"}});
  for (const auto& item : items_of(page)) {
    const auto status = integer(item, {"status_code"});
    const auto outcome = std::string(at(item, {"failed"}) == true ? "failed" : "ok");
    rows.add({local_time(text(item, {"timestamp"})), text(item, {"node"}), shown(page, text(item, {"key_id"})),
              text(item, {"model"}), text(item, {"auth_index"}),
              status > 0 ? fmt::format("{} {}", outcome, status) : outcome, number(item, {"tokens", "input"}),
              number(item, {"tokens", "output"}), number(item, {"tokens", "total"}), dollars(item, {"cost_usd"}),
              milliseconds(item, {"latency_ms"}), milliseconds(item, {"ttft_ms"}), text(item, {"error"})});
  }
  say_how_complete(here, page);
  here.io.out << (rows.empty() ? "no record that fits\n" : rows.text());
  if (const auto next = text(page, {"next"}); !next.empty())
    here.io.out << "more: --cursor " << printable(next) << "\n";
  if (const auto previous = text(page, {"previous"}); !previous.empty())
    here.io.out << "back: --cursor " << printable(previous) << "\n";
}

/// What both have: the range and the filters.
caf::expected<json> common(const service& portal, const usage_words& asked) {
  auto where = usage_filters(portal, asked.where);
  if (!where)
    return where.error();
  json out = {{"where", std::move(*where)}};
  put_if(out, "from", asked.from);
  put_if(out, "to", asked.to);
  put_if(out, "zone", asked.zone);
  return out;
}

} // namespace

int show_usage(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& asked = here.asked.usage;
    auto question = common(portal, asked);
    if (!question)
      return fail(here, question.error());
    put_if(*question, "step", asked.step);
    put_if(*question, "order", asked.order);
    if (!asked.by.empty())
      (*question)["by"] = asked.by;
    if (asked.top != 0)
      (*question)["top"] = asked.top;
    if (asked.weeks_begin_on_sunday)
      (*question)["week"] = "sunday";
    (*question)["percentiles"] = asked.percentiles;
    (*question)["compare"] = asked.compare;
    (*question)["unused"] = asked.unused;
    const auto report = ask(portal, "/api/v1/usage", *question);
    if (!report)
      return fail(here, report.error());
    if (here.asked.json)
      print(here, *report);
    else
      print_usage(here, *report);
    return exit_done;
  });
}

int show_records(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& asked = here.asked.usage;
    auto question = common(portal, asked);
    if (!question)
      return fail(here, question.error());
    put_if(*question, "text", asked.text);
    put_if(*question, "cursor", asked.cursor);
    if (asked.oldest)
      (*question)["order"] = "oldest";
    if (asked.limit != 0)
      (*question)["limit"] = asked.limit;
    const auto page = ask(portal, "/api/v1/records", *question);
    if (!page)
      return fail(here, page.error());
    if (here.asked.json)
      print(here, *page);
    else
      print_records(here, *page);
    return exit_done;
  });
}

} // namespace keyportal::cli
