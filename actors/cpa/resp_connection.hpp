// The usage queue of one CPA over its Redis protocol. An own small client, because stock ones greet with commands that
// CPA counts as failed sign-ins and bans for.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <caf/expected.hpp>

#include "actors/cpa/resp_parser.hpp"
#include "messages/ids.hpp"
#include "messages/secret.hpp"

namespace keyportal::cpa {

struct resp_settings {
  node_name node;
  std::string url; ///< of the node, as for HTTP: the queue is on the same port; a path in it plays no part
  secret management_key;
  std::string ca_file;                               ///< certificates to trust instead of the system's; may be empty
  std::chrono::milliseconds connect_timeout{10'000}; ///< for looking up, connecting, TLS and sign-in together
  std::chrono::milliseconds answer_timeout{30'000};  ///< for a command's reply; each 64 kB of it renews it
  std::chrono::milliseconds ping_after{15'000};      ///< of silence in a subscription
  std::chrono::milliseconds ping_timeout{10'000};    ///< until an unanswered PING means that nobody is there
  std::chrono::milliseconds last_words{2'000};       ///< after `stop`, for what CPA has given away and is on its way
  int receive_buffer_bytes = 4 << 20;                ///< see socket_settings
  resp_limits limits;
};

/// What one call brought. Records that came before something broke are always in it.
struct resp_batch {
  enum class meaning : std::uint8_t {
    payloads, ///< what there was; of `pop` none: the queue is empty
    timeout,  ///< nothing came in time; the connection is as good as before
    closed,   ///< the connection has ended; `problem` says why
    refused,  ///< CPA answered with an error or with what cannot be understood; `problem` says which. It is closed too
  };
  meaning what = meaning::payloads;
  std::span<const std::string_view> payloads; ///< valid until the next call
  std::uint64_t missing = 0; ///< taken out of CPA's queue for us, but they did not arrive: lost, and exactly so many
  caf::error problem;
};

/// One connection to one node. Calls block; one thread at a time, except `stop`.
class resp_connection {
public:
  explicit resp_connection(resp_settings settings);
  ~resp_connection();
  resp_connection(const resp_connection&) = delete;
  resp_connection& operator=(const resp_connection&) = delete;

  /// Connects and signs in, the latter in the same breath: CPA up to 7.0.2 accepts nobody else while a connection is
  /// silent. Nothing else is sent before the key is accepted. What was open before is closed. Errors: node_unreachable,
  /// node_timeout, node_wrong_key, node_banned (with how long), node_forbidden, node_without_resp, shutting_down, and
  /// config_invalid for a url that is none.
  caf::error open();
  /// Begins the subscription to "usage" or "errors"; from then on only `read`. Errors as of `open`, and
  /// node_without_subscribe, after which the connection is as good as before and can `pop`.
  caf::error subscribe(std::string_view channel);
  /// What was pushed meanwhile, or else what is pushed next. After `ping_after` of silence CPA is asked whether it is
  /// there, whatever the timeouts of single calls.
  resp_batch read(std::chrono::milliseconds timeout);
  /// Takes up to `count` of the oldest records out of CPA's queue; they exist only here then. After `timeout` the reply is
  /// still to come: the next call waits for it and asks for nothing new.
  resp_batch pop(std::size_t count);
  void close();

  /// From any thread, for good: no call begins anything new. What CPA has given away is gone there, so it is still
  /// fetched, for `last_words` at most: `pop` returns the reply under way, `read` leaves the subscription and returns
  /// what was pushed before, call by call, until it says closed. All else ends with shutting_down at once.
  void stop();
  /// What the kernel granted for receiving; 0 when not connected.
  [[nodiscard]] int receive_buffer() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// The error that a reply `-TEXT` of CPA stands for. The text is quoted only where it is one of CPA's known sentences:
/// anything else may hold what it should not. Pure.
caf::error judge_error_reply(const node_name& node, std::string_view text);

} // namespace keyportal::cpa
