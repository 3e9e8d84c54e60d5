#include "actors/prices/price_rules.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "messages/errors.hpp"
#include "messages/price_json.hpp"
#include "messages/records.hpp"

namespace keyportal {

namespace {

constexpr std::size_t longest_tier = 32;
constexpr int most_stars = 4;
constexpr std::int64_t billion = 1'000'000'000;

caf::error refused(std::string why) { return make_error(errc::bad_request, std::move(why)); }

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c != 0x7f; });
}

bool is_in_range(const std::optional<std::int64_t>& value, std::int64_t most) {
  return !value || (*value >= 0 && *value <= most);
}

bool are_in_range(const price_rates& r) {
  return is_in_range(r.input, highest_rate) && is_in_range(r.output, highest_rate)
         && is_in_range(r.cache_read, highest_rate) && is_in_range(r.cache_write, highest_rate)
         && is_in_range(r.reasoning, highest_rate) && is_in_range(r.request, highest_rate)
         && is_in_range(r.multiplier_ppm, highest_multiplier_ppm);
}

void to_full_seconds(std::optional<moment>& at) {
  if (at)
    at = std::chrono::floor<std::chrono::seconds>(*at);
}

} // namespace

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return out;
}

std::string price_id(const price& given) {
  return fmt::format("{}/{}/{}/{}", to_text(given.source), given.provider,
                     given.from ? std::to_string(unix_ns(*given.from) / billion) : "", given.model);
}

caf::expected<price> tidy_price(price given) {
  given.model = lower(trimmed(given.model));
  given.provider = lower(trimmed(given.provider));
  if (given.model.empty() || given.model.size() > longest_price_model || !is_plain(given.model)
      || std::count(given.model.begin(), given.model.end(), '*') > most_stars)
    return refused(
      fmt::format("model is 1 to {} characters without blanks, with at most {} *", longest_price_model, most_stars));
  if (given.provider.size() > longest_price_provider || !is_plain(given.provider)
      || given.provider.find_first_of("*/") != std::string::npos)
    return refused(fmt::format("{}: provider is at most {} characters without blanks, * and /", given.model,
                               longest_price_provider));
  to_full_seconds(given.from);
  to_full_seconds(given.until);
  if (given.from && given.until && *given.until <= *given.from)
    return refused(given.model + ": until comes after from");
  const auto& r = given.rates;
  if ((r.input.has_value() != r.output.has_value()) || (!r.input && !r.request))
    return refused(given.model + ": a price says input and output, or what a request costs; 0 is said as well");
  if (!are_in_range(r))
    return refused(given.model + ": a rate is out of its range");
  if (given.steps.size() > most_price_steps)
    return refused(fmt::format("{}: at most {} steps", given.model, most_price_steps));
  for (auto& step : given.steps) {
    step.tier = lower(trimmed(step.tier));
    if (step.tier.size() > longest_tier || !is_plain(step.tier) || step.above < 0 || !are_in_range(step.rates))
      return refused(given.model + ": a step is out of its range");
    if (step.tier.empty() && step.above == 0)
      return refused(given.model + ": a step is for a tier, or above a number of tokens");
  }
  const auto place = [](const price_step& step) { return std::tie(step.above, step.tier); };
  std::sort(given.steps.begin(), given.steps.end(),
            [&](const price_step& a, const price_step& b) { return place(a) < place(b); });
  if (std::adjacent_find(given.steps.begin(), given.steps.end(),
                         [&](const price_step& a, const price_step& b) { return place(a) == place(b); })
      != given.steps.end())
    return refused(given.model + ": two steps for the same requests");
  given.id = price_id(given);
  return given;
}

// Greedy: what follows a star is found at its first place, and tried again from the last star on when that was wrong.
bool model_fits(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, from = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

std::optional<std::int64_t> nano_of(std::string_view decimal) {
  constexpr std::int64_t most = 9'000'000;
  std::int64_t whole = 0, part = 0, weight = billion;
  bool any = false, behind = false;
  for (const char c : decimal) {
    if (c == '.' && !behind) {
      behind = true;
    } else if (c >= '0' && c <= '9') {
      any = true;
      if (!behind) {
        whole = whole * 10 + (c - '0');
        if (whole > most)
          return std::nullopt;
      } else {
        if (weight == 1)
          return std::nullopt; // finer than can be kept
        weight /= 10;
        part += weight * (c - '0');
      }
    } else {
      return std::nullopt;
    }
  }
  return any ? std::optional{whole * billion + part} : std::nullopt;
}

std::string decimal_of(std::int64_t nano) {
  const bool negative = nano < 0;
  const auto amount = negative ? 0 - static_cast<std::uint64_t>(nano) : static_cast<std::uint64_t>(nano);
  auto out = fmt::format("{}{}.{:09}", negative ? "-" : "", amount / billion, amount % billion);
  while (out.back() == '0')
    out.pop_back();
  if (out.back() == '.')
    out.pop_back();
  return out;
}

} // namespace keyportal
