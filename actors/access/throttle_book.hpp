// Slows down whoever guesses passwords or codes, without letting anybody lock out the owner. Pure.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "actors/access/recent_map.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

struct throttle_limits {
  std::uint32_t account_free = 10;   ///< wrong tries at an account, by all strangers together, before they must wait
  std::uint32_t address_free = 20;   ///< wrong tries from an address, at whatever accounts
  std::uint32_t known_free = 5;      ///< wrong tries at an account from an address where it signed in before
  std::chrono::seconds first{1};     ///< the first wait; each further wrong try doubles it
  std::chrono::seconds longest{900}; ///< never longer than this
  std::chrono::hours forget{24};     ///< after so long without a wrong try all is forgotten
  std::size_t entries = 65536;       ///< of accounts, addresses and known places each; about 150 bytes an entry
};

/// The address as far as its owner cannot choose it: IPv4 as it is (also when written as IPv6), the first 64 bits of IPv6.
/// Any other text as it is.
std::string network_of(std::string_view address);

/// A try is counted when it begins and taken back when it was right, so that a thousand at once are not a thousand free
/// tries. Accounts that do not exist are counted like others. An address from which the account signed in before has
/// an allowance of its own, which strangers do not touch; they wait no longer than `longest` between two tries. Whoever
/// signs in with an account of his own gains nothing for tries at others. All O(1). One thread.
class throttle_book {
public:
  static constexpr std::size_t known_places = 8; ///< of an account; the one used least lately goes

  /// `key`: drawn at random when the process starts.
  throttle_book(throttle_limits limits, const random_bits& key);

  /// Zero: the try may be made, and is counted as a wrong one until `succeeded` or `undone` is called. Else how long to
  /// wait, in whole seconds; nothing is counted. `account`: as typed, in lower case; a second factor counts on its own, e.g.
  /// with "code:" in front.
  std::chrono::seconds begin(std::string_view account, std::string_view address, moment now);
  /// What `begin` would say, without counting: above zero after a wrong try means that it set off a wait.
  [[nodiscard]] std::chrono::seconds wait(std::string_view account, std::string_view address, moment now) const;
  /// The try was right: the address is known for this account from now on.
  void succeeded(std::string_view account, std::string_view address, moment now);
  /// The try was neither right nor wrong: it was not looked at.
  void undone(std::string_view account, std::string_view address, moment now);
  /// The account signed in from there before: for places kept elsewhere, told at the start.
  void remember(std::string_view account, std::string_view address, moment at);
  /// An admin unlocks it, or its owner proved to be it in another way (a new password by mail).
  void clear(std::string_view account);

  [[nodiscard]] std::size_t size() const { return accounts_.size() + addresses_.size() + known_.size(); }

private:
  struct series {
    std::uint32_t tries = 0;
    moment last{};
  };
  struct place {
    digest address{};
    moment used{}; ///< 1970: nobody's
    series own;
  };
  using places = std::array<place, known_places>;

  [[nodiscard]] digest id(std::string_view kind, std::string_view text) const;
  [[nodiscard]] std::chrono::seconds wait(const series& s, std::uint32_t free, moment now) const;
  void count(series& s, moment now) const;
  static void take_back(series& s);

  throttle_limits limits_;
  random_bits key_;
  recent_map<series> accounts_, addresses_;
  recent_map<places> known_; ///< by account
};

} // namespace keyportal
