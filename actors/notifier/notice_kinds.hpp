// THE TABLE of what people can be told: a row each, with the event it comes from, who hears of it unless a rule says
// otherwise, how much it matters, and its words in each language. Pure.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "messages/events.hpp"
#include "messages/notices.hpp"

namespace keyportal {

enum class notice_audience : std::uint8_t {
  owner, ///< of the key, or the person it is about
  admins,
  owner_and_admins, ///< whose account it is, if that is known, and the admins
  asked,            ///< whoever it is sent to by hand, by test, or as a code
};

/// Words with {facts} in them. Lines are parted by '\n'; a line of which a fact is missing is left out.
struct notice_words {
  std::string_view title, text, button;
};

struct notice_kind {
  std::string_view name;  ///< stable, for rules, preferences and the API
  std::string_view event; ///< "key.expiring": see event_name; empty: made by no event
  std::string_view when;  ///< "fact=value", which the event must have; empty: always
  notice_audience audience;
  notice_weight weight;
  /// Not told again of the same thing for so long; 0: the configured cooldown does not apply, each is told.
  std::chrono::seconds quiet;
  std::string_view
    over; ///< of news that something is over: the kind that must have been told before, of the same thing
  std::string_view page; ///< where its button leads, below the base address; empty: no button
  notice_words zh, en;
};

std::span<const notice_kind> notice_kinds();
/// Null for a name that is not in the table.
const notice_kind* find_kind(std::string_view name);
/// "key.expiring", "node.down", "store.alarm": what an event is called in the table, also one that this page knows nothing of.
std::string event_name(event_kind kind);

} // namespace keyportal
