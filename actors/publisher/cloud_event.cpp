#include "actors/publisher/cloud_event.hpp"

#include <fmt/format.h>

#include "messages/json.hpp"
#include "messages/subjects.hpp"

namespace keyportal {

sink::message to_message(const outbox_item& item) {
  const auto& event = item.event;
  auto kind = item.record ? event_kind::usage : event.kind;
  const auto& node = item.record ? item.record->node : event.node;
  sink::message out;
  out.seq = item.seq;
  std::string when;
  if (item.record) {
    out.subject = subjects::usage(node, item.record->key);
    out.id = to_string(item.record->id);
    out.body = usage_body(*item.record);
    when = to_rfc3339(item.record->at);
  } else {
    out.subject = subjects::of(kind, node);
    out.id = fmt::format("{}-{}-{}", subjects::name_of(kind), node, item.seq);
    out.body = event.data.empty() ? "{}" : event.data;
    when = to_rfc3339_ms(event.at);
  }
  if (out.body.size() > largest_event_body)
    out.body = fmt::format(R"({{"oversized":true,"bytes":{}}})", out.body.size());
  out.headers = {
    {"ce-specversion", "1.0"},
    {"ce-id", out.id},
    {"ce-source", "keyportal/" + node},
    {"ce-type", subjects::type_of(kind)},
    {"ce-time", std::move(when)},
    // CloudEvents' own extension: comparable as text, hence the zeros.
    {"ce-sequence", fmt::format("{:020}", item.seq)},
    {"Content-Type", "application/json"},
    {"Nats-Msg-Id", out.id},
  };
  return out;
}

} // namespace keyportal
