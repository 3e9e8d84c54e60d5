// What the registry said, as HTTP. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "messages/actors.hpp"
#include "messages/http.hpp"

namespace keyportal::gateway {

/// position, replayed, users[], keys[]; and where a key was given out `key`: its text, this once, never to be stored.
http_response done_answer(const command_done& done, int status = 200);
/// position, replayed, added, skipped: of what may be thousands of keys.
http_response import_answer(const command_done& done);
/// position, replayed, made
http_response made_answer(const command_done& done);
/// position, replayed, changed: of what may be thousands of prices
http_response prices_done_answer(const command_done& done);
/// items[], more
http_response prices_answer(const price_page& page);
http_response users_answer(const user_page& page);
http_response keys_answer_of(const key_page& page);
/// The text of a kept config.yaml. It holds keys, so it is never stored on the way.
http_response config_answer(const std::shared_ptr<const std::string>& text);

/// Which entries of the audit are wanted.
struct audit_filter {
  std::string what;  ///< "key.assign", or a beginning such as "key."; empty: all
  std::string about; ///< id of a user, key or price, or name of a policy, that it changed; empty: all
};
bool fits(const audit_filter& filter, const registry_entry& entry);
/// How much of an answer the entry takes, in things it changed.
std::size_t size_of(const registry_entry& entry);

} // namespace keyportal::gateway
