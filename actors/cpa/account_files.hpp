// What `/auth-files` says of a node's accounts, and when a credential's token ends. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>

#include "messages/ids.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::cpa {

struct auth_file {
  std::string name;     ///< of the file
  std::string provider; ///< lower case
  std::string email, auth_index;
  std::string status, message; ///< the message may be what the provider answered, with names in it
  bool disabled = false, unavailable = false;
  bool runtime_only = false; ///< one of several projects of a file: no account of its own
  std::optional<moment> rests_until, refreshed_at, changed_at;
  std::int64_t size = 0;
  std::string plan;       ///< of codex
  std::string chatgpt_id; ///< of codex: what the question for its quota must name
  std::string project;    ///< of those of Google
};

/// In the order of their names. Entries without a name are left out. node_answer_malformed.
caf::expected<std::vector<auth_file>> read_auth_files(const node_name& node, std::string_view body);

struct token_times {
  std::optional<moment> ends, refreshed;
  std::string project; ///< of those of Google
};
/// Out of a downloaded credential, of which nothing else is kept; CPA's own order of keys.
token_times read_token_times(std::string_view credential);

/// A number or text of seconds or milliseconds since 1970, or RFC 3339, or "YYYY-MM-DD HH:MM[:SS]".
std::optional<moment> read_moment(std::string_view text);

} // namespace keyportal::cpa
