#include "actors/prices/price_book.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <tuple>

#include "actors/prices/price_rules.hpp"

namespace keyportal {

namespace {

/// Names come from outside: what they may take of memory is bounded.
constexpr std::size_t most_found = 16'384;
/// No request has as many; it keeps sums within 128 bits.
constexpr std::int64_t most_tokens = 1'000'000'000'000;
constexpr std::int64_t million = 1'000'000;

__extension__ typedef __int128 wide;

std::int64_t tokens(std::int64_t count) { return std::clamp<std::int64_t>(count, 0, most_tokens); }

bool has_tokens(const token_parts& p) {
  return p.uncached_input > 0 || p.cache_read > 0 || p.cache_write > 0 || p.output > 0 || p.reasoning > 0
         || p.unclassified > 0;
}

void put(const std::optional<std::int64_t>& from, std::optional<std::int64_t>& to) {
  if (from)
    to = from;
}

bool is_pattern(const price& one) { return one.model.find('*') != std::string::npos; }

/// What comes first counts.
bool counts_before(const price& a, const price& b) {
  const auto place = [](const price& p) {
    return std::tuple(p.source != price_source::by_hand, p.from ? -unix_ns(*p.from) : std::int64_t{INT64_MAX},
                      is_pattern(p), p.provider.empty(), -static_cast<std::int64_t>(p.model.size()),
                      -unix_ns(p.set_at));
  };
  const auto first = place(a), second = place(b);
  return first != second ? first < second : a.id < b.id;
}

bool is_in_force(const price& one, moment at) {
  return (!one.from || *one.from <= at) && (!one.until || at < *one.until);
}

bool same_tier(std::string_view tier, std::string_view given) {
  return tier.size() == given.size() && std::equal(tier.begin(), tier.end(), given.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? char(b + 32) : b);
         });
}

} // namespace

price_rates rates_for(const price& of, std::string_view tier, std::int64_t input_tokens) {
  auto out = of.rates;
  for (const auto& step : of.steps) {
    if ((step.above > 0 && input_tokens <= step.above) || (!step.tier.empty() && !same_tier(step.tier, tier)))
      continue;
    const auto& r = step.rates;
    put(r.input, out.input);
    put(r.output, out.output);
    put(r.cache_read, out.cache_read);
    put(r.cache_write, out.cache_write);
    put(r.reasoning, out.reasoning);
    put(r.request, out.request);
    put(r.multiplier_ppm, out.multiplier_ppm);
  }
  out.input = out.input.value_or(0);
  out.output = out.output.value_or(0);
  out.cache_read = out.cache_read.value_or(*out.input);
  out.cache_write = out.cache_write.value_or(*out.input);
  out.reasoning = out.reasoning.value_or(*out.output);
  out.request = out.request.value_or(0);
  out.multiplier_ppm = out.multiplier_ppm.value_or(million);
  return out;
}

price_book::price_book(std::vector<price> prices) : prices_(std::move(prices)) {
  for (const auto& one : prices_) {
    if (is_pattern(one))
      patterns_.push_back(&one);
    else
      by_name_[one.model].push_back(&one);
  }
}

price_book::~price_book() = default;

void price_book::add_fitting(std::string_view name, std::string_view provider, candidates& to) const {
  const auto begin = to.size();
  const auto model = lower(name);
  const auto seller = lower(provider);
  const auto take = [&](const price* one) {
    if (one->provider.empty() || one->provider == seller)
      to.push_back(one);
  };
  if (const auto named = by_name_.find(model); named != by_name_.end())
    for (const auto* one : named->second)
      take(one);
  for (const auto* one : patterns_)
    if (model_fits(one->model, model))
      take(one);
  std::sort(to.begin() + static_cast<std::ptrdiff_t>(begin), to.end(),
            [](const auto* a, const auto* b) { return counts_before(*a, *b); });
}

std::shared_ptr<const price_book::candidates> price_book::candidates_for(const priced_attempt& what) const {
  static thread_local std::string key;
  key.assign(what.model);
  key.push_back('\0');
  key.append(what.alias);
  key.push_back('\0');
  key.append(what.provider);
  {
    const std::shared_lock lock{mutex_};
    if (const auto there = found_.find(key); there != found_.end())
      return there->second;
  }
  auto found = std::make_shared<candidates>();
  if (!what.model.empty())
    add_fitting(what.model, what.provider, *found);
  if (!what.alias.empty() && what.alias != what.model)
    add_fitting(what.alias, what.provider, *found);
  const std::unique_lock lock{mutex_};
  if (found_.size() >= most_found)
    found_.clear();
  return found_[key] = std::move(found);
}

const price* price_book::find(const priced_attempt& what) const {
  const auto fitting = candidates_for(what);
  const auto at = moment_of(what.at_ns);
  for (const auto* one : *fitting)
    if (is_in_force(*one, at))
      return one;
  return nullptr;
}

std::optional<std::int64_t> price_book::cost_of(const priced_attempt& what) const {
  const auto& p = what.parts;
  if (what.failed && !has_tokens(p))
    return 0;
  const auto* one = find(what);
  if (one == nullptr)
    return std::nullopt;
  const auto input = tokens(p.uncached_input), read = tokens(p.cache_read), written = tokens(p.cache_write);
  const auto rates = rates_for(*one, what.service_tier, input + read + written);
  // Billionths of a dollar times a million, then times a million once more by the multiplier.
  wide sum = wide{input} * *rates.input + wide{read} * *rates.cache_read + wide{written} * *rates.cache_write
             + wide{tokens(p.output)} * *rates.output + wide{tokens(p.reasoning)} * *rates.reasoning
             + wide{tokens(p.unclassified)} * *rates.input + wide{*rates.request} * million;
  constexpr wide divisor = wide{million} * million;
  sum = (sum * *rates.multiplier_ppm + divisor / 2) / divisor;
  constexpr wide most = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min(sum, most));
}

} // namespace keyportal
