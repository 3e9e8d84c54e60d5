// Seals that can be read in a failing test, and are good for one id only.
#pragma once

#include <fmt/format.h>

#include "actors/authenticator/access_book.hpp"
#include "tests/unit/access/bits.hpp"

namespace keyportal::test {

inline record_seal toy_seal() {
  return {[](std::string_view text, const std::string& id) -> caf::expected<std::string> {
            return fmt::format("sealed for {}: {}", id, std::string{text.rbegin(), text.rend()});
          },
          [](std::string_view sealed, const std::string& id) -> caf::expected<secret> {
            const auto head = fmt::format("sealed for {}: ", id);
            if (!sealed.starts_with(head))
              return make_error(errc::seal_broken);
            sealed.remove_prefix(head.size());
            return secret{std::string{sealed.rbegin(), sealed.rend()}};
          }};
}

inline user person(user_id id, std::string email, user_role role = user_role::user,
                   user_state state = user_state::active) {
  user out;
  out.id = std::move(id);
  out.email = std::move(email);
  out.role = role;
  out.state = state;
  return out;
}

inline session session_of(std::string subject, std::uint8_t fill, moment now, user_role role = user_role::user) {
  session_book book;
  return book
    .open({session_kind::person, std::move(subject), role, second_factor::not_asked, "192.0.2.7", "Firefox"},
          bits_of(fill), now)
    .what;
}

} // namespace keyportal::test
