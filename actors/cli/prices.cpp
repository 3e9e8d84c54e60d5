// What models cost.
#include <algorithm>
#include <chrono>
#include <ostream>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "actors/cli/files.hpp"
#include "actors/cli/price_words.hpp"
#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"
#include "actors/prices/price_book.hpp"
#include "actors/prices/price_changes.hpp"
#include "actors/prices/price_files.hpp"
#include "actors/prices/price_preview.hpp"
#include "actors/prices/price_rules.hpp"
#include "messages/price_json.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::uint64_t largest_price_file = 32u << 20;
constexpr std::size_t most_shown = 50; ///< of each kind, in a preview

moment right_now() { return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()); }

std::string day_text(const std::optional<moment>& at, const char* otherwise) {
  if (!at)
    return otherwise;
  const auto text = to_rfc3339_ms(*at);
  return text.substr(10) == "T00:00:00.000Z" ? text.substr(0, 10) : local_time(text);
}

std::string rate_text(const std::optional<std::int64_t>& rate) { return rate ? decimal_of(*rate) : "-"; }

table table_of_prices() {
  using side = table::side;
  return table({{"MODEL"},
                {"PROVIDER"},
                {"INPUT", side::right},
                {"OUTPUT", side::right},
                {"CACHE READ", side::right},
                {"CACHE WRITE", side::right},
                {"REASONING", side::right},
                {"REQUEST", side::right},
                {"STEPS", side::right},
                {"FROM"},
                {"UNTIL"},
                {"SOURCE"}});
}

void add_row(table& to, const price& one) {
  const auto& r = one.rates;
  to.add({one.model, one.provider.empty() ? "any" : one.provider, rate_text(r.input), rate_text(r.output),
          rate_text(r.cache_read), rate_text(r.cache_write), rate_text(r.reasoning), rate_text(r.request),
          one.steps.empty() ? "-" : std::to_string(one.steps.size()), day_text(one.from, "always"),
          day_text(one.until, "-"), std::string{to_text(one.source)}});
}

bool is_in_force(const price& one, moment at) {
  return (!one.from || *one.from <= at) && (!one.until || at < *one.until);
}

json list_of(const std::vector<price>& prices) {
  auto out = json::array();
  for (const auto& one : prices)
    out.push_back(to_json(one));
  return out;
}

constexpr const char* unit_line = "US dollars for a million tokens; REQUEST for one request\n";

// --- import ------------------------------------------------------------------------------------

bool is_address(const std::string& where) { return where.find("://") != std::string::npos; }

caf::expected<std::string> fetch_list(const context& here) {
  const auto& p = here.asked.prices;
  if (!is_address(p.where)) {
    auto text = read_file(p.where, here.io.in);
    if (text && text->size() > largest_price_file)
      return make_error(errc::body_too_large, p.where);
    return text;
  }
  http_call call;
  call.url = p.where;
  call.max_bytes = largest_price_file;
  call.public_only = !p.private_address;
  auto answer = send(call);
  if (!answer)
    return answer.error();
  if (answer->status != 200)
    return make_error(
      errc::file_unreadable,
      fmt::format("HTTP {}{}", answer->status, answer->status / 100 == 3 ? ": redirects are not followed" : ""));
  return std::move(answer->body);
}

template <class Each, class Line>
void tell_each(const context& here, const char* what, const Each& list, Line line) {
  if (list.empty())
    return;
  here.io.out << fmt::format("{} {}:\n", grouped(static_cast<std::int64_t>(list.size())), what);
  std::size_t told = 0;
  for (const auto& one : list) {
    if (++told > most_shown) {
      here.io.out << fmt::format("  and {} more; --json shows all\n",
                                 grouped(static_cast<std::int64_t>(list.size() - most_shown)));
      break;
    }
    here.io.out << "  " << printable(line(one)) << "\n";
  }
}

std::string shown_name(const price& one) {
  return one.provider.empty() ? one.model : fmt::format("{} ({})", one.model, one.provider);
}

void tell_changes(const context& here, const price_list& list, const price_changes& changes) {
  tell_each(here, "changed", changes.changed, [](const auto& pair) {
    return fmt::format("{}: {}", shown_name(pair.second), difference_of(pair.first, pair.second));
  });
  tell_each(here, "new", changes.added,
            [](const price& one) { return fmt::format("{}: {}", shown_name(one), shown_rates(one)); });
  tell_each(here, "dropped (not in the list any more; hold until now)", changes.dropped,
            [](const price& one) { return shown_name(one); });
  tell_each(here, "untouched, since set by hand", changes.by_hand, [](const price& one) { return shown_name(one); });
  tell_each(here, "not understood", list.refused, [](const std::string& name) { return name; });
  here.io.out << fmt::format("{} as they are, {} without a price\n", grouped(static_cast<std::int64_t>(changes.same)),
                             grouped(static_cast<std::int64_t>(list.without_price)));
}

// --- reprice -----------------------------------------------------------------------------------

void tell_reprice(const context& here, const json& state) {
  const auto money = [&](const char* name) { return money_text(here.values, integer(state, {name})); };
  here.io.out << fmt::format(
    "{}{} records, {} {}; cost {} → {}; without a price {} → {}\n", at(state, {"running"}) == true ? "under way: " : "",
    number(state, {"records"}), number(state, {"changed"}), at(state, {"dry_run"}) == true ? "would change" : "changed",
    money("cost_before"), money("cost_after"), number(state, {"unpriced_before"}), number(state, {"unpriced_after"}));
}

int ended(const context& here, const json& state) {
  if (here.asked.json)
    print(here, state);
  else
    tell_reprice(here, state);
  const auto problem = text(state, {"problem"});
  if (problem.empty())
    return exit_done;
  here.io.err << "error: it ended early: " << printable(problem) << "\n";
  return exit_failed;
}

} // namespace

int list_prices(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& p = here.asked.prices;
    auto prices = all_prices(portal);
    if (!prices)
      return fail(here, prices.error());
    const auto now = right_now();
    const auto wanted = lower(p.model);
    std::erase_if(*prices, [&](const price& one) {
      return (!p.all && !is_in_force(one, now)) || (!p.source.empty() && to_text(one.source) != p.source)
             || (one.model.find(wanted) == std::string::npos && one.provider.find(wanted) == std::string::npos);
    });
    std::sort(prices->begin(), prices->end(), [](const price& a, const price& b) {
      return std::tie(a.model, a.provider, a.source, a.id) < std::tie(b.model, b.provider, b.source, b.id);
    });
    if (here.asked.json) {
      print(here, {{"items", list_of(*prices)}});
      return exit_done;
    }
    auto list = table_of_prices();
    for (const auto& one : *prices)
      add_row(list, one);
    if (list.empty())
      here.io.out << "no price that fits; keyportal prices import or prices set makes some\n";
    else
      here.io.out << list.text() << unit_line;
    return exit_done;
  });
}

int show_price(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& p = here.asked.prices;
    const auto at = moment_of_words("--at", p.from);
    if (!at)
      return fail(here, at.error());
    auto prices = all_prices(portal);
    if (!prices)
      return fail(here, prices.error());
    const auto model = lower(p.model), provider = lower(p.provider);
    const price_book book{*prices};
    priced_attempt asked{model, {}, provider, p.tier, unix_ns(at->value_or(right_now())), {}, false};
    const auto* counts = book.find(asked);
    std::erase_if(*prices, [&](const price& one) {
      return !model_fits(one.model, model) || (!one.provider.empty() && !provider.empty() && one.provider != provider);
    });
    price_rates rates;
    if (counts != nullptr)
      rates = rates_for(*counts, p.tier, static_cast<std::int64_t>(std::min<std::uint64_t>(p.input_tokens, INT64_MAX)));
    if (here.asked.json) {
      print(here, {{"model", model},
                   {"counts", counts != nullptr ? json(counts->id) : json(nullptr)},
                   {"rates", counts != nullptr ? to_json(rates) : json(nullptr)},
                   {"items", list_of(*prices)}});
      return exit_done;
    }
    auto list = table_of_prices();
    for (const auto& one : *prices)
      add_row(list, one);
    if (!list.empty())
      here.io.out << list.text() << unit_line;
    if (counts == nullptr) {
      here.io.out << printable(fmt::format("no price counts for {}", model)) << "\n";
      return exit_failed;
    }
    here.io.out << printable(fmt::format("that of {} counts, from {}: {}", to_text(counts->source),
                                         day_text(counts->from, "always"), shown_rates(*counts)))
                << "\n";
    price in_force;
    in_force.rates = rates;
    here.io.out << printable("such a request costs by: " + shown_rates(in_force)) << "\n";
    return exit_done;
  });
}

int set_price(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto fresh = price_of_words(here.asked.prices);
    if (!fresh)
      return fail(here, fresh.error());
    const auto done = send_prices(here, portal, {*fresh});
    if (!done)
      return fail(here, done.error());
    if (here.asked.json)
      print(here, *done);
    else
      here.io.out << printable(fmt::format("{}: {}", shown_name(*fresh), shown_rates(*fresh))) << "\n"
                  << "it holds for what comes from now on; keyportal prices reprice works out what was\n";
    return exit_done;
  });
}

int drop_price(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& p = here.asked.prices;
    const auto from = moment_of_words("--from", p.from);
    if (!from)
      return fail(here, from.error());
    auto prices = all_prices(portal);
    if (!prices)
      return fail(here, prices.error());
    const auto source = p.source.empty() ? price_source::by_hand : *price_source_of(p.source);
    std::erase_if(*prices, [&](const price& one) {
      return one.model != lower(p.model) || one.provider != lower(p.provider) || one.source != source
             || (*from && one.from != *from);
    });
    if (prices->empty())
      return fail(here, make_error(errc::bad_request, printable(fmt::format("no such price of {}", p.model))));
    if (!confirmed(here, fmt::format("Drop {} of {}, as if it had never been?",
                                     prices->size() == 1 ? "the price" : fmt::format("{} prices", prices->size()),
                                     printable(p.model))))
      return exit_failed;
    auto ids = json::array();
    for (const auto& one : *prices)
      ids.push_back(one.id);
    const auto done = order(here, portal, "POST", "/api/v1/prices/drop", "dropping", {{"ids", std::move(ids)}});
    if (!done)
      return fail(here, done.error());
    if (here.asked.json)
      print(here, *done);
    else
      here.io.out << fmt::format("{} dropped\n", number(*done, {"changed"}));
    return exit_done;
  });
}

int import_prices(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& p = here.asked.prices;
    const auto file = fetch_list(here);
    if (!file)
      return fail(here, file.error());
    const bool litellm = p.format == "litellm";
    const auto list = litellm ? read_litellm(*file) : read_models_dev(*file);
    if (!list)
      return fail(here, list.error());
    const auto there = all_prices(portal);
    if (!there)
      return fail(here, there.error());
    const auto changes = compare_prices(
      *there, list->prices, litellm ? price_source::litellm : price_source::models_dev, p.only, right_now());
    auto report = json_of(*list, changes);
    report["dry_run"] = p.dry_run;
    if (!here.asked.json)
      tell_changes(here, *list, changes);
    if (!p.dry_run && !changes.puts.empty()) {
      if (!confirmed(here, fmt::format("Take {} new and {} changed prices, and end {}?", changes.added.size(),
                                       changes.changed.size(), changes.dropped.size())))
        return exit_failed;
      const auto done = send_prices(here, portal, changes.puts);
      if (!done)
        return fail(here, done.error());
      report["position"] = at(*done, {"position"});
    }
    if (here.asked.json)
      print(here, report);
    else
      here.io.out << (p.dry_run              ? "nothing is changed: this was tried only\n"
                      : changes.puts.empty() ? "nothing to change\n"
                                             : "done; it holds for what comes from now on\n");
    return exit_done;
  });
}

int list_unpriced(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& p = here.asked.prices;
    std::string path = "/api/v1/prices/unpriced";
    char joint = '?';
    for (const auto& [name, option, given] : {std::tuple{"from", "--from", &p.from}, {"to", "--to", &p.to}}) {
      const auto at = moment_of_words(option, *given);
      if (!at)
        return fail(here, at.error());
      if (*at)
        path += fmt::format("{}{}={}", std::exchange(joint, '&'), name, escaped(to_rfc3339_ms(**at)));
    }
    const auto all = look(portal, path);
    if (!all)
      return fail(here, all.error());
    if (here.asked.json) {
      print(here, *all);
      return exit_done;
    }
    using side = table::side;
    table list(
      {{"MODEL"}, {"PROVIDER"}, {"REQUESTS", side::right}, {"TOKENS", side::right}, {"FIRST DAY"}, {"LAST DAY"}});
    for (const auto& one : items_of(*all))
      list.add({text(one, {"model"}), text(one, {"provider"}), number(one, {"requests"}), number(one, {"tokens"}),
                text(one, {"first_day"}), text(one, {"last_day"})});
    here.io.out << (list.empty() ? "every request of that time has a price\n" : list.text());
    return exit_done;
  });
}

int reprice(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& p = here.asked.prices;
    constexpr const char* path = "/api/v1/prices/reprice";
    if (p.show) {
      const auto state = look(portal, path);
      return state ? ended(here, *state) : fail(here, state.error());
    }
    json what = {{"dry_run", p.dry_run}};
    for (const auto& [name, option, given] : {std::tuple{"from", "--from", &p.from}, {"to", "--to", &p.to}}) {
      const auto at = moment_of_words(option, *given);
      if (!at)
        return fail(here, at.error());
      if (*at)
        what[name] = to_rfc3339_ms(**at);
    }
    if (!p.dry_run && !confirmed(here, "Write what records cost anew, by the prices of now?"))
      return exit_failed;
    const auto begun = order(here, portal, "POST", path, "beginning", what);
    if (!begun)
      return fail(here, begun.error());
    for (auto pause = 20ms;; pause = std::min<std::chrono::milliseconds>(pause * 2, 1s)) {
      const auto state = look(portal, path);
      if (!state)
        return fail(here, state.error());
      if (at(*state, {"running"}) != true)
        return ended(here, *state);
      if (here.io.err_is_terminal)
        here.io.err << "\r\x1b[K" << number(*state, {"records"}) << " records" << std::flush;
      std::this_thread::sleep_for(pause);
      if (here.io.err_is_terminal)
        here.io.err << "\r\x1b[K" << std::flush;
    }
  });
}

} // namespace keyportal::cli
