#include "actors/publisher/cloud_event.hpp"

#include <fmt/format.h>

#include "messages/json.hpp"
#include "messages/subjects.hpp"

namespace keyportal {

namespace {

sink::message with_headers(sink::message out, const node_name& node, event_kind kind, std::string when) {
  if (out.body.size() > largest_event_body)
    out.body = fmt::format(R"({{"oversized":true,"bytes":{}}})", out.body.size());
  out.headers = {
    {"ce-specversion", "1.0"},
    {"ce-id", out.id},
    {"ce-source", node.empty() ? "keyportal" : "keyportal/" + node},
    {"ce-type", subjects::type_of(kind)},
    {"ce-time", std::move(when)},
    // CloudEvents' own extension: comparable as text, hence the zeros.
    {"ce-sequence", fmt::format("{:020}", out.seq)},
    {"Content-Type", "application/json"},
    {"Nats-Msg-Id", out.id},
  };
  return out;
}

} // namespace

sink::message to_message(sequence seq, const stored_record& record) {
  sink::message out;
  out.seq = seq;
  out.subject = subjects::usage(record.node, record.key);
  out.id = to_string(record.id);
  out.body = usage_body(record);
  return with_headers(std::move(out), record.node, event_kind::usage, to_rfc3339(record.at));
}

sink::message to_message(sequence seq, const node_event& event) {
  sink::message out;
  out.seq = seq;
  out.subject = subjects::of(event);
  out.id = fmt::format("{}-{}-{}", subjects::name_of(event.kind), event.about.empty() ? event.node : event.about, seq);
  out.body = event.data.empty() ? "{}" : event.data;
  return with_headers(std::move(out), event.node, event.kind, to_rfc3339_ms(event.at));
}

} // namespace keyportal
