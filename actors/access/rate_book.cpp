#include "actors/access/rate_book.hpp"

#include <algorithm>

namespace keyportal {

rate_answer rate_book::take(std::string_view who, moment now, std::uint32_t cost) {
  return judge(full_at_.at(id(who)).full_at, now, cost);
}

rate_answer rate_book::ask(std::string_view who, moment now, std::uint32_t cost) const {
  const auto* kept = full_at_.look(id(who));
  auto copy = kept == nullptr ? moment{} : kept->full_at;
  return judge(copy, now, cost);
}

rate_answer rate_book::judge(moment& full_at, moment now, std::uint32_t cost) const {
  using std::chrono::ceil, std::chrono::seconds, std::chrono::nanoseconds;
  rate_answer out;
  out.limit = limit_.amount;
  if (limit_.amount == 0 || cost > limit_.amount) {
    out.retry_after = out.reset = limit_.per;
    return out;
  }
  const nanoseconds one = nanoseconds{limit_.per} / limit_.amount;
  const nanoseconds all = one * limit_.amount;
  full_at = std::clamp(full_at, now, now + all); // not in the past; not far ahead after the clock was set back
  const auto wanted = full_at + one * cost;
  out.allowed = wanted <= now + all;
  if (out.allowed)
    full_at = wanted;
  else
    out.retry_after = std::max(seconds{1}, ceil<seconds>(wanted - all - now));
  const auto used = static_cast<std::uint32_t>((full_at - now + one - nanoseconds{1}) / std::max(one, nanoseconds{1}));
  out.remaining = limit_.amount - std::min(used, limit_.amount);
  out.reset = ceil<seconds>(full_at - now);
  return out;
}

rate_answer take_all(std::initializer_list<rate_claim> claims, moment now) {
  rate_answer tightest;
  bool first = true;
  for (const auto& claim : claims)
    if (auto answer = claim.book.ask(claim.who, now); !answer.allowed)
      if (first || answer.retry_after > tightest.retry_after) {
        tightest = answer;
        first = false;
      }
  if (!first)
    return tightest;
  for (const auto& claim : claims)
    if (auto answer = claim.book.take(claim.who, now); first || answer.remaining < tightest.remaining) {
      tightest = answer;
      first = false;
    }
  return tightest;
}

} // namespace keyportal
