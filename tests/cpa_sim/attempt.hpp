// One upstream attempt with everything a record of the usage queue says of it.
#pragma once

#include "record.hpp"
#include "version.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace keyportal::cpa_sim {

/// How a provider counts: whether cached tokens are part of the input and reasoning part of the output.
enum class counting {
  openai, ///< cached within input, reasoning within output
  claude, ///< cache reads and writes beside the input
  gemini, ///< cached within input, reasoning beside the output
  other   ///< nobody knows
};
counting counting_of(const std::string& provider_or_model);

/// What an upstream says it used, in its own way of counting.
struct used_tokens {
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t reasoning = 0;
  std::int64_t cache_read = 0;
  std::int64_t cache_write = 0;
  std::int64_t total = 0; ///< what it says itself; 0: CPA adds up
  bool operator==(const used_tokens&) const = default;
};

/// What does not change from one attempt to the next of one client with one credential. Its text is made once.
struct route {
  std::string api_key; ///< of the client, as the record shows it
  std::string api;     ///< as `/usage` files it: the key, or the route when nobody had to show one
  std::string alias;   ///< the model the client asked for
  std::string model;   ///< the one the upstream was asked for
  std::string endpoint;
  std::string provider;
  std::string executor;
  std::string auth_type = "apikey"; ///< or oauth
  std::string source;
  std::string auth_index;
  std::string credential; ///< whose counters this moves; see credentials.hpp
  std::string token_hash; ///< of an OAuth token
  std::string client_ip = "127.0.0.1";
  std::string forwarded_for;
  std::string user_agent;
  std::string effort;
  std::string tier = "auto";
  std::string response_tier;
  std::string response_headers; ///< the JSON object, empty: none
  counting count = counting::openai;

  /// Made from all of the above by `prepare`.
  struct {
    std::string source, headers, provider, rest; // of the queue's payload
    std::string filed, owner;                    // of the oracle's line
  } text;
};

/// Writes the parts of `r` that never change as this version writes them. Needed once before `append_payload`.
void prepare(route& r, const traits& t);

struct attempt {
  std::shared_ptr<const route> way;
  instant started;
  std::int64_t latency_ms = 0;
  std::int64_t first_token_ms = 0;
  used_tokens used;
  std::uint32_t request_id = 0;
  std::uint16_t status = 200; ///< of the upstream; 400 and more: failed
  bool generate = true;
  bool odd_fields = false;                      ///< fields nobody has heard of yet
  std::shared_ptr<const std::string> complaint; ///< what a failed upstream said

  [[nodiscard]] bool failed() const { return status >= 400; }
};

/// The tokens as every version records them: the five of era A.
token_counts counts_of(const attempt& a, const traits& t);

/// The attempt as `/usage` files it.
record record_of(const attempt& a, const traits& t);

/// Appends the JSON object of the usage queue in the form of a version.
void append_payload(std::string& out, const attempt& a, const traits& t);

/// Eight lower-case hex digits.
void append_request_id(std::string& out, std::uint32_t id);

} // namespace keyportal::cpa_sim
