#include "actors/cli/price_words.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"
#include "actors/prices/price_changes.hpp"
#include "actors/prices/price_rules.hpp"
#include "messages/price_json.hpp"

namespace keyportal::cli {

using nlohmann::json;

namespace {

constexpr std::int64_t billion = 1'000'000'000;

caf::error refused(const std::string& option, const std::string& wanted) {
  return make_error(errc::bad_request, option + " is " + wanted);
}

caf::error read_rate(const std::string& option, const std::string& text, std::optional<std::int64_t>& to) {
  to = nano_of(text);
  return to ? caf::error{} : refused(option, "in US dollars, for example 2.5");
}

caf::error read_multiplier(const std::string& option, const std::string& text, std::optional<std::int64_t>& to) {
  to = nano_of(text);
  if (!to || *to % 1000 != 0)
    return refused(option, "a number with six digits behind the point at most, for example 0.5");
  *to /= 1000;
  return {};
}

/// The place of a rate by the name that a step gives it.
std::optional<std::int64_t> price_rates::*place_of(std::string_view name) {
  if (name == "input")
    return &price_rates::input;
  if (name == "output")
    return &price_rates::output;
  if (name == "cache-read")
    return &price_rates::cache_read;
  if (name == "cache-write")
    return &price_rates::cache_write;
  if (name == "reasoning")
    return &price_rates::reasoning;
  return name == "request" ? &price_rates::request : nullptr;
}

caf::error read_step(std::string_view text, price_step& to) {
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    const auto part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto equals = part.find('=');
    const auto name = part.substr(0, equals);
    const std::string value{equals == std::string_view::npos ? "" : part.substr(equals + 1)};
    caf::error wrong;
    if (name == "tier" && !value.empty()) {
      to.tier = value;
    } else if (name == "above") {
      const auto [last, error] = std::from_chars(value.data(), value.data() + value.size(), to.above);
      if (error != std::errc{} || last != value.data() + value.size() || to.above <= 0)
        wrong = refused("--step above", "a number of tokens");
    } else if (name == "multiplier") {
      wrong = read_multiplier("--step multiplier", value, to.rates.multiplier_ppm);
    } else if (const auto place = place_of(name)) {
      wrong = read_rate("--step " + std::string{name}, value, to.rates.*place);
    } else {
      wrong = refused("--step", "written like tier=priority,above=200000,input=6 (input, output, cache-read, "
                                "cache-write, reasoning, request, multiplier)");
    }
    if (wrong)
      return wrong;
  }
  return {};
}

} // namespace

caf::expected<std::optional<moment>> moment_of_words(const std::string& option, const std::string& text) {
  if (text.empty())
    return std::optional<moment>{};
  const auto at = parse_rfc3339(text.size() == 10 ? text + "T00:00:00Z" : text);
  if (!at)
    return refused(option, "a day or a moment, for example 2026-04-02 or 2026-04-02T10:00:00+02:00");
  return std::optional<moment>{moment_of(at->unix_ns)};
}

caf::expected<price> price_of_words(const price_words& words) {
  price out;
  out.model = words.model;
  out.provider = words.provider;
  const auto from = moment_of_words("--from", words.from);
  if (!from)
    return from.error();
  const auto until = moment_of_words("--to", words.to);
  if (!until)
    return until.error();
  out.from = *from;
  out.until = *until;
  for (const auto& [option, given, place] : {std::tuple{"--input", &words.input, &out.rates.input},
                                             {"--output", &words.output, &out.rates.output},
                                             {"--cache-read", &words.cache_read, &out.rates.cache_read},
                                             {"--cache-write", &words.cache_write, &out.rates.cache_write},
                                             {"--reasoning", &words.reasoning, &out.rates.reasoning},
                                             {"--request", &words.request, &out.rates.request}})
    if (*given)
      if (auto wrong = read_rate(option, **given, *place))
        return wrong;
  if (words.multiplier)
    if (auto wrong = read_multiplier("--multiplier", *words.multiplier, out.rates.multiplier_ppm))
      return wrong;
  for (const auto& step : words.steps)
    if (auto wrong = read_step(step, out.steps.emplace_back()))
      return wrong;
  return tidy_price(std::move(out));
}

std::string money_text(const settings& values, std::int64_t nano) {
  const auto rate = nano_of(values.prices.rate).value_or(billion);
  __extension__ typedef __int128 wide;
  auto amount = wide{nano} * rate / billion;
  const bool negative = amount < 0;
  if (negative)
    amount = -amount;
  // Cents, or what is needed to see anything of less than one.
  std::int64_t unit = 10'000'000;
  int digits = 2;
  for (; amount > 0 && amount < wide{unit} * 10 && unit > 1 && digits < 9; unit /= 10)
    ++digits;
  amount = (amount + unit / 2) / unit * unit;
  const auto whole = static_cast<std::int64_t>(std::min<wide>(amount / billion, INT64_MAX));
  const auto part = static_cast<std::int64_t>(amount % billion) / unit;
  return fmt::format("{}{}.{:0{}} {}", negative ? "-" : "", grouped(whole), part, digits, values.prices.currency);
}

caf::expected<json> send_prices(const context& here, const service& portal, const std::vector<price>& prices) {
  auto list = json::array();
  for (const auto& one : prices) {
    auto given = to_json(one);
    given.erase("id");
    given.erase("set_at");
    list.push_back(std::move(given));
  }
  return order(here, portal, "POST", "/api/v1/prices", "setting prices", {{"prices", std::move(list)}});
}

caf::expected<moved_prices> move_prices_in(const context& here, const service& portal,
                                           const std::vector<peer_price>& peers, moment now, bool dry_run) {
  moved_prices out;
  // One for each model, with its tiers as steps.
  std::map<std::string, price> models;
  const auto rates_of = [](const peer_price& peer) {
    const auto rate = [](double dollars) { return std::llround(std::min(dollars, 1e6) * 1e9); };
    price_rates rates;
    rates.input = rate(peer.input);
    rates.output = rate(peer.output);
    if (peer.cache_read > 0) // 0 stands for not set there
      rates.cache_read = rate(peer.cache_read);
    if (peer.cache_write > 0)
      rates.cache_write = rate(peer.cache_write);
    return rates;
  };
  for (const bool tiers : {false, true})
    for (const auto& peer : peers) {
      const auto tier = lower(peer.service_tier);
      const bool is_tier = !tier.empty() && tier != "default" && tier != "standard";
      if (is_tier != tiers)
        continue;
      const auto there = models.find(lower(peer.model));
      if (peer.input + peer.output <= 0 || (is_tier && there == models.end())) {
        ++out.refused;
      } else if (is_tier) {
        there->second.steps.push_back({tier, 0, rates_of(peer)});
      } else {
        auto& one = models[lower(peer.model)];
        one.model = peer.model;
        one.source = price_source::imported;
        one.rates = rates_of(peer);
      }
    }
  std::vector<price> list;
  for (auto& [model, one] : models) {
    auto tidy = tidy_price(std::move(one));
    if (tidy)
      list.push_back(std::move(*tidy));
    else
      ++out.refused;
  }
  if (list.empty())
    return out;
  auto there = all_prices(portal);
  if (!there)
    return there.error();
  std::erase_if(*there, [&](const price& one) {
    return one.source == price_source::imported
           && std::none_of(list.begin(), list.end(), [&](const price& fresh) { return fresh.model == one.model; });
  });
  const auto changes = compare_prices(*there, list, price_source::imported, {}, now);
  out.added = changes.added.size() + changes.changed.size();
  out.known = changes.same;
  out.by_hand = changes.by_hand.size();
  if (dry_run || changes.puts.empty())
    return out;
  const auto done = send_prices(here, portal, changes.puts);
  if (!done)
    return done.error();
  return out;
}

caf::expected<std::vector<price>> all_prices(const service& portal) {
  const auto items = look_at_all(portal, "/api/v1/prices?text=", 0);
  if (!items)
    return items.error();
  std::vector<price> out;
  out.reserve(items->size());
  for (const auto& item : *items) {
    auto one = price_from(item);
    if (!one)
      return make_error(errc::service_unreachable, "a price cannot be read: is the service a newer one?");
    one->id = text(item, {"id"});
    const auto set_at = parse_rfc3339(text(item, {"set_at"}));
    one->set_at = set_at ? moment_of(set_at->unix_ns) : moment{};
    out.push_back(std::move(*one));
  }
  return out;
}

} // namespace keyportal::cli
