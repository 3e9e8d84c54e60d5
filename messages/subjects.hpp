// THE TABLE of NATS subjects and streams. Tokens hold node names and key ids only: no e-mail, no key.
#pragma once

#include <string>
#include <string_view>

#include "messages/events.hpp"

namespace keyportal::subjects {

inline constexpr std::string_view root = "keyportal.v1";

/// Streams and what they take.
inline constexpr std::string_view usage_stream = "KEYPORTAL_USAGE";
inline constexpr std::string_view usage_all = "keyportal.v1.usage.>";
inline constexpr std::string_view events_stream = "KEYPORTAL_EVENTS";
inline constexpr std::string_view events_all[] = {
  "keyportal.v1.totals.>", "keyportal.v1.node.>",  "keyportal.v1.key.>",    "keyportal.v1.user.>",
  "keyportal.v1.policy.>", "keyportal.v1.store.>", "keyportal.v1.account.>"};

/// keyportal.v1.usage.<node>.<key_id>: one record.
std::string usage(const node_name& node, const key_id& key);
/// Of any event but usage: keyportal.v1.key.<about>.<kind>, keyportal.v1.user.<about>.<kind>, keyportal.v1.policy.<about>.<kind>,
/// keyportal.v1.store.<about>.<kind>, keyportal.v1.account.<about>.<kind>, else
/// as below.
std::string of(const node_event& event);
/// keyportal.v1.totals.<node> for totals, else keyportal.v1.node.<node>.<kind>.
std::string of(event_kind kind, const node_name& node);

/// The CloudEvents type: reverse DNS of the project, with the major version at its end.
std::string type_of(event_kind kind);
/// "usage", "totals", "up", …
std::string_view name_of(event_kind kind);

} // namespace keyportal::subjects
