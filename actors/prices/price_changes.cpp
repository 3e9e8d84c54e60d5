#include "actors/prices/price_changes.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "actors/prices/price_rules.hpp"

namespace keyportal {

namespace {

bool holds_at(const price& one, moment at) { return (!one.from || *one.from <= at) && (!one.until || at < *one.until); }

using place = std::pair<std::string, std::string>; // model, provider

constexpr std::pair<const char*, std::optional<std::int64_t> price_rates::*> shown[] = {
  {"input", &price_rates::input},           {"output", &price_rates::output},
  {"cache read", &price_rates::cache_read}, {"cache write", &price_rates::cache_write},
  {"reasoning", &price_rates::reasoning},   {"request", &price_rates::request}};

std::string name_of(const price_step& step) {
  if (step.above == 0)
    return step.tier;
  return fmt::format("{}{}above {}", step.tier, step.tier.empty() ? "" : " ", step.above);
}

/// Each rate with its name; those of steps with theirs in front.
std::map<std::string, std::string> named_rates(const price& of) {
  std::map<std::string, std::string> out;
  const auto add = [&out](const std::string& front, const price_rates& rates) {
    for (const auto& [name, rate] : shown)
      if (rates.*rate)
        out[front + name] = decimal_of(*(rates.*rate));
    if (rates.multiplier_ppm)
      out[front + "times"] = decimal_of(*rates.multiplier_ppm * 1000);
  };
  add("", of.rates);
  for (const auto& step : of.steps)
    add(name_of(step) + ": ", step.rates);
  return out;
}

} // namespace

price_changes compare_prices(const std::vector<price>& there, const std::vector<price>& list, price_source source,
                             const std::string& only, moment now) {
  now = std::chrono::floor<std::chrono::seconds>(now);
  const auto wanted = [pattern = lower(only)](const price& one) {
    return pattern.empty() || model_fits(pattern, one.model);
  };
  std::map<place, const price*> current; // of this source, in force
  std::map<place, bool> earlier;         // had one that ended
  std::vector<const price*> by_hand;
  for (const auto& one : there) {
    if (one.source == price_source::by_hand) {
      if (holds_at(one, now))
        by_hand.push_back(&one);
    } else if (one.source == source) {
      if (holds_at(one, now) && !one.until)
        current[{one.model, one.provider}] = &one;
      else
        earlier[{one.model, one.provider}] = true;
    }
  }
  // A hand is what people mean by a price: nothing a list says comes before it.
  const auto set_by_hand = [&](const price& one) {
    return std::any_of(by_hand.begin(), by_hand.end(), [&one](const price* hand) {
      return (hand->provider.empty() || hand->provider == one.provider) && model_fits(hand->model, one.model);
    });
  };
  price_changes out;
  for (const auto& one : list) {
    if (!wanted(one))
      continue;
    const auto found = current.find({one.model, one.provider});
    const auto* before = found == current.end() ? nullptr : found->second;
    if (before != nullptr)
      current.erase(found);
    if (set_by_hand(one)) {
      out.by_hand.push_back(one);
      continue;
    }
    if (before != nullptr && before->rates == one.rates && before->steps == one.steps) {
      ++out.same;
      continue;
    }
    auto fresh = one;
    if (before != nullptr || earlier.contains({one.model, one.provider}))
      fresh.from = now;
    fresh.id = price_id(fresh);
    if (before != nullptr) {
      // One that began this very second has cost nobody anything: it is replaced.
      if (!before->from || *before->from < now) {
        auto ended = *before;
        ended.until = now;
        out.puts.push_back(std::move(ended));
      }
      out.changed.emplace_back(*before, fresh);
    } else {
      out.added.push_back(fresh);
    }
    out.puts.push_back(std::move(fresh));
  }
  for (const auto& [name, one] : current) {
    if (!wanted(*one) || (one->from && *one->from >= now))
      continue;
    out.dropped.push_back(*one);
    auto ended = *one;
    ended.until = now;
    out.puts.push_back(std::move(ended));
  }
  return out;
}

std::string difference_of(const price& before, const price& after) {
  const auto old = named_rates(before);
  const auto fresh = named_rates(after);
  std::string out;
  const auto add = [&out](const std::string& what) { out += (out.empty() ? "" : ", ") + what; };
  for (const auto& [name, rate] : fresh) {
    const auto there = old.find(name);
    if (there == old.end())
      add(fmt::format("{} {} (new)", name, rate));
    else if (there->second != rate)
      add(fmt::format("{} {} → {}", name, there->second, rate));
  }
  for (const auto& [name, rate] : old)
    if (!fresh.contains(name))
      add(fmt::format("{} {} (gone)", name, rate));
  return out;
}

std::string shown_rates(const price& of) {
  std::string out;
  const auto add = [&out](const price_rates& rates) {
    std::string one;
    for (const auto& [name, rate] : shown)
      if (rates.*rate)
        one += fmt::format("{}{} {}", one.empty() ? "" : ", ", name, decimal_of(*(rates.*rate)));
    if (rates.multiplier_ppm)
      one += fmt::format("{}times {}", one.empty() ? "" : ", ", decimal_of(*rates.multiplier_ppm * 1000));
    out += one;
  };
  add(of.rates);
  for (const auto& step : of.steps) {
    out += "; " + name_of(step) + ": ";
    add(step.rates);
  }
  return out;
}

} // namespace keyportal
