#include "actors/access/throttle_book.hpp"

#include <algorithm>

#include <arpa/inet.h>

namespace keyportal {

namespace {

/// Places are a pointer to an array of places, or to nothing.
auto place_in(auto* all, const digest& address) -> decltype(all->data()) {
  if (all != nullptr)
    for (auto& one : *all)
      if (one.used != moment{} && one.address == address)
        return &one;
  return nullptr;
}

} // namespace

std::string network_of(std::string_view address) {
  std::string text(address.substr(0, address.find('%'))); // without the zone of a link-local address
  std::array<std::uint8_t, 16> bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1)
    return std::string(address);
  std::array<char, INET6_ADDRSTRLEN> out{};
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(mapped.begin(), mapped.end(), bytes.begin()))
    return ::inet_ntop(AF_INET, bytes.data() + 12, out.data(), out.size());
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return std::string(::inet_ntop(AF_INET6, bytes.data(), out.data(), out.size())) + "/64";
}

throttle_book::throttle_book(throttle_limits limits, const random_bits& key)
  : limits_(limits), key_(key), accounts_(limits.entries), addresses_(limits.entries), known_(limits.entries) {}

std::chrono::seconds throttle_book::begin(std::string_view account, std::string_view address, moment now) {
  const auto left = wait(account, address, now);
  const auto who = id("account", account);
  const auto where = id("address", network_of(address));
  if (left.count() > 0) {
    (void)accounts_.find(who); // in use: what is under attack is the last to be forgotten
    (void)addresses_.find(where);
    return left;
  }
  if (auto* mine = place_in(known_.find(who), where)) {
    count(mine->own, now);
  } else {
    count(accounts_.at(who), now);
    count(addresses_.at(where), now);
  }
  return left;
}

std::chrono::seconds throttle_book::wait(std::string_view account, std::string_view address, moment now) const {
  const auto who = id("account", account);
  const auto where = id("address", network_of(address));
  if (const auto* mine = place_in(known_.look(who), where))
    return wait(mine->own, limits_.known_free, now);
  std::chrono::seconds left{0};
  if (const auto* s = accounts_.look(who))
    left = wait(*s, limits_.account_free, now);
  if (const auto* s = addresses_.look(where))
    left = std::max(left, wait(*s, limits_.address_free, now));
  return left;
}

void throttle_book::succeeded(std::string_view account, std::string_view address, moment now) {
  const auto who = id("account", account);
  const auto where = id("address", network_of(address));
  if (auto* mine = place_in(known_.find(who), where)) {
    mine->own = {};
    mine->used = now;
    return;
  }
  undone(account, address, now);
  remember(account, address, now);
}

void throttle_book::undone(std::string_view account, std::string_view address, moment) {
  const auto who = id("account", account);
  const auto where = id("address", network_of(address));
  if (auto* mine = place_in(known_.find(who), where)) {
    take_back(mine->own);
    return;
  }
  if (auto* s = accounts_.find(who))
    take_back(*s);
  if (auto* s = addresses_.find(where))
    take_back(*s);
}

void throttle_book::remember(std::string_view account, std::string_view address, moment at) {
  const auto who = id("account", account);
  const auto where = id("address", network_of(address));
  if (auto* mine = place_in(known_.find(who), where)) {
    mine->used = std::max(mine->used, at);
    return;
  }
  auto& all = known_.at(who);
  auto& oldest =
    *std::min_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.used < b.used; });
  if (oldest.used < at)
    oldest = {where, at, {}};
}

void throttle_book::clear(std::string_view account) {
  const auto who = id("account", account);
  accounts_.erase(who);
  if (auto* all = known_.find(who))
    for (auto& one : *all)
      one.own = {};
}

digest throttle_book::id(std::string_view kind, std::string_view text) const { return keyed_hash(key_, {kind, text}); }

std::chrono::seconds throttle_book::wait(const series& s, std::uint32_t free, moment now) const {
  if (s.tries < free || now - s.last > limits_.forget)
    return std::chrono::seconds{0};
  auto length = limits_.first;
  for (auto more = s.tries - free; more > 0 && length < limits_.longest; --more)
    length *= 2;
  length = std::min(length, limits_.longest);
  const auto left = std::chrono::ceil<std::chrono::seconds>(s.last + length - now);
  return std::clamp(left, std::chrono::seconds{0}, limits_.longest); // also when the clock was set back
}

void throttle_book::count(series& s, moment now) const {
  if (now - s.last > limits_.forget)
    s.tries = 0;
  ++s.tries;
  s.last = now;
}

void throttle_book::take_back(series& s) {
  if (s.tries > 0)
    --s.tries;
}

} // namespace keyportal
