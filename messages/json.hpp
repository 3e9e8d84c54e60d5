// How values look as JSON: in NATS bodies, HTTP answers and WebSocket frames alike. Fields are only ever added.
// Moments are RFC 3339 UTC with milliseconds; a record's own time stamp is exactly CPA's.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "messages/actors.hpp"

namespace keyportal {

// A table: what each has in it.
// clang-format off
nlohmann::json to_json(const token_counts& t);      // input, output, reasoning, cached, total
nlohmann::json to_json(const token_parts& p);       // uncached_input, cache_read, cache_write, output, reasoning, unclassified
nlohmann::json to_json(const totals& t);            // requests, ok, failed, tokens{…}, token_parts{…}, latency_ms_sum
nlohmann::json to_json(const node_counters& c);     // requests, ok, failed, tokens
nlohmann::json to_json(const stored_record& r);     // seq, id, node, key_id, model, auth_index, timestamp, latency_ms, failed, tokens{…}, token_parts{…}; where known alias, provider, endpoint, ttft_ms, status_code
nlohmann::json to_json(const restart_record& r);    // node, number, noticed_at, last_seen_at, evidence[], before{…}, after{…}, lost{from,to,expected_records}, restore{state, at, imported, still_lacking, counters{…}}
nlohmann::json to_json(const gap_record& g);        // node, number, from, to, expected_records, reason
nlohmann::json to_json(const incomplete_record& i); // node, number, credential, from, to, missing, missing_ok, missing_failed, closed_at|null
nlohmann::json to_json(const dead_letter& d);       // number, node, at, channel, reason, bytes; never the payload
nlohmann::json to_json(const snapshot_info& s);     // id, node, made_at, reason, position, totals{…}, json_bytes, stored_bytes, sha256
nlohmann::json to_json(const node_condition& c);    // node, url, state, since, version, problem, last_poll, poll_ms, answer_bytes, counters{…}, collecting, missing
nlohmann::json to_json(const node_overview& n);     // node, condition{…}, totals{…}, today{…}, restarts, snapshots, last_restart|null, last_snapshot|null
nlohmann::json to_json(const overview& o);          // at, position, totals{…}, today{…}, nodes[…]
nlohmann::json to_json(const queue_state& q);       // mode, connected, problem, waiting, connected_at|null
nlohmann::json to_json(const replay_report& r);     // replayed, added, still_dead
nlohmann::json to_json(const import_report& r);     // records, added, refused
nlohmann::json to_json(const restore_report& r);    // lacking, imported, still_lacking, took_ms
nlohmann::json to_json(const publisher_state& p);   // connected, url, problem, shipped, in_flight
// clang-format on

/// {"code","message","about"?}: the same in every answer that is an error.
nlohmann::json to_json(const caf::error& error);

/// The body of an `incomplete` event. Its `kind` says what is incomplete, and with it which other fields there are:
/// "records": a node counted more than the ledger has; the fields of an incomplete_record.
/// "restore": the node did not take back all that it lacked after a restart; the fields of a restart_record.
std::string incomplete_body(const incomplete_record& i);
std::string incomplete_body(const restart_record& r);

std::string_view name_of(node_condition::light state); // "starting", "up", "down", "refused"
std::string_view name_of(inbox_channel channel);       // "subscribe", "resp_pop", "http_pop", "errors", "beside_usage"
std::string_view name_of(queue_mode mode);             // "off", "subscribe", "resp_pop", "http_pop"
std::string_view name_of(restore_state state);         // "pending", "complete", "incomplete", "impossible"

/// The body of a usage event, written straight into text: thousands of them a second are made.
std::string usage_body(const stored_record& r);

/// Appends `text` as a JSON string; invalid UTF-8 is replaced.
void append_json_string(std::string& out, std::string_view text);

/// Text of a JSON value; invalid UTF-8 is replaced, never an exception.
std::string dump(const nlohmann::json& value);

} // namespace keyportal
