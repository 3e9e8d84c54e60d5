// What is asked about people, keys and policies, read out of JSON bodies. Pure. Every refusal names the field; none
// repeats what was in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>

#include "messages/actors.hpp"

namespace keyportal::gateway {

/// Most keys of one import: a piece that is answered soon.
inline constexpr std::size_t most_imported = 1000;

/// A person where a body names one: by id or e-mail address, not looked up yet.
using person_name = std::string;

/// All of these give `bad_request` for what is no JSON object, a field that is missing, unknown, of another type or out
/// of range. No body at all is an empty object.
caf::expected<add_user> read_add_user(std::string_view body);
caf::expected<change_user> read_change_user(std::string_view body);
/// Without its person.
caf::expected<set_user_state> read_user_state(std::string_view body);
struct assignment {
  person_name owner;
  assign_key what; ///< without its owner
};
caf::expected<assignment> read_assign_key(std::string_view body);
caf::expected<renew_key> read_renew_key(std::string_view body);
caf::expected<rotate_key> read_rotate_key(std::string_view body);
struct adoption {
  person_name owner;
  std::string label;
};
caf::expected<adoption> read_adopt_key(std::string_view body);
caf::expected<ask_renewal> read_ask_renewal(std::string_view body);
caf::expected<answer_renewal> read_answer_renewal(std::string_view body);
caf::expected<change_key> read_change_key(std::string_view body);
caf::expected<secret> read_find_key(std::string_view body);
struct import_list {
  struct one {
    import_keys::one what; ///< without its owner
    person_name owner;     ///< empty: into the pool
  };
  std::vector<one> keys;
};
caf::expected<import_list> read_import_keys(std::string_view body);
caf::expected<make_keys> read_make_keys(std::string_view body);
/// `name` is that of the path; a body that says another is refused.
caf::expected<policy> read_policy(std::string_view body, const group_name& name);
/// `bad_request` with the place of the one that is wrong.
caf::expected<put_prices> read_put_prices(std::string_view body);
caf::expected<drop_prices> read_drop_prices(std::string_view body);
caf::expected<reprice_prices> read_reprice_order(std::string_view body);
/// Of routes that take no fields.
/// {"mend": true}, or nothing
caf::expected<bool> read_mend(std::string_view body);
caf::error read_nothing(std::string_view body);

/// "POSITION:HASH", the hash in 64 hexadecimal digits; empty: nothing to compare. bad_request for anything else.
caf::expected<verify_audit> read_audit_mark(std::string_view text);

} // namespace keyportal::gateway
