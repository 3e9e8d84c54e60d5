// Decodes what comes out of CPA's usage queue: records, control objects, and the errors of accounts. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <caf/expected.hpp>

#include "messages/records.hpp"

namespace keyportal::cpa {

/// How a record gets its id.
struct decode_rule {
  enum class identity : std::uint8_t {
    /// As a detail of `/usage`: for nodes that serve both (6.9.38 to 6.9.49), where the same record comes both ways.
    as_detail,
    /// The first half of the id as a detail, then the first half of SHA-256 over the whole record in one spelling. Equal
    /// however it came (HTTP or RESP, popped or pushed, respelt by a proxy); two attempts in one nanosecond differ.
    as_queue_record,
  };
  node_name node;
  identity how = identity::as_queue_record;
};

/// One upstream attempt out of the queue.
struct queue_record {
  secret client_key; ///< "METHOD /route" where CPA is open to anyone
  std::string model;
  /// Normalised, with its id, its parts and its facts. `facts->extra` is everything else as one compact JSON object under
  /// CPA's own names, for keeping: of headers only those of `kept_headers`, texts up to 1 kB, `fail.body` up to 4 kB (its
  /// real size then in `fail.body_bytes`), fields that we do not know up to 16 kB together. `keyportal_dropped` counts what
  /// did not fit.
  detail what;
};

/// What CPA says of itself between records.
enum class queue_control : std::uint8_t {
  support_refresh, ///< once after subscribing: this CPA sends `refresh`
  refresh,         ///< credentials or configuration were reloaded
};

using queue_item = std::variant<queue_record, queue_control>;

/// Decodes one element of an HTTP answer or one payload of RESP. Optional fields may be missing or null. Errors:
/// record_malformed with a sentence that names the field and quotes nothing. Never throws. Any thread.
caf::expected<queue_item> decode_queue_record(std::string_view json, const decode_rule& rule);

/// The elements of an HTTP answer of the queue.
struct queue_answer {
  std::vector<std::string_view> elements; ///< whole ones, also before an error: they exist nowhere else any more
  caf::error error;                       ///< node_answer_malformed when it is not one JSON array and nothing else
};
/// Finds the elements; each is judged when it is decoded. The views lie in `body`.
queue_answer split_queue_answer(std::string_view body);

/// What the channel `errors` says of a credential.
struct account_error {
  stamped_time at;
  std::string provider;
  std::string model; ///< as the client called it
  std::string auth_id;
  std::string auth_index;
  std::int64_t status_code = 0;
  std::string code; ///< may be empty
  bool retryable = false;
  std::string body; ///< up to 4 kB of it
};
/// As decode_queue_record; the same errors.
caf::expected<account_error> decode_account_error(std::string_view json, const node_name& node);

} // namespace keyportal::cpa
