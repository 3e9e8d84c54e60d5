// An outbox item as a CloudEvents 1.0 message in binary mode.
#pragma once

#include <string>

#include "actors/publisher/sink.hpp"

namespace keyportal {

/// Largest body that is shipped. Far above any real event and below the megabyte that a NATS server takes.
inline constexpr std::size_t largest_event_body = 512 * 1024;

/// Usage events have the record's id, the same on every machine; all others "<kind>-<node>-<seq>". A body above
/// `largest_event_body` is replaced by {"oversized":true,"bytes":…}: one strange event must not hold up all others.
sink::message to_message(sequence seq, const stored_record& record);
sink::message to_message(sequence seq, const node_event& event);
inline sink::message to_message(const outbox_item& item) {
  return item.record ? to_message(item.seq, *item.record) : to_message(item.seq, item.event);
}

} // namespace keyportal
