// Passwords: which ones are taken, and how they are kept (argon2id). Pure but for the processor time and memory it costs.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "messages/errors.hpp"

namespace keyportal {

/// What a hash costs. The default is what OWASP gives as the least (19 MiB, two passes); so are 47104/1, 12288/3, 9216/4
/// and 7168/5.
struct password_cost {
  std::uint32_t memory_kib = 19456;
  std::uint32_t passes = 2;
  std::uint32_t lanes = 1;
  bool operator==(const password_cost&) const = default;
};

/// From the system's random source, new for each password.
using password_salt = std::array<std::uint8_t, 16>;

/// The PHC string `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. Takes tens of milliseconds and `memory_kib`, so it is work for
/// `password_workers`. Any bytes are hashed as they are: none is left out, no normal form is made of them. Any thread.
/// sign_in_busy when there is no memory for it, bad_request for a cost outside what `verify_password` takes.
caf::expected<std::string> hash_password(std::string_view password, const password_salt& salt, password_cost cost = {});

/// Whether it is that password. Costs the same for every password. Any thread. hash_unreadable for what is no PHC string
/// of argon2id with at most 64 MiB, 16 passes and 4 lanes (nothing that is stored can make us use more), sign_in_busy
/// when there is no memory.
caf::expected<bool> verify_password(std::string_view password, std::string_view phc);

/// Whether it was made with other costs than now: make it anew while the password is at hand. True for what is no hash.
bool needs_rehash(std::string_view phc, password_cost now = {});

/// A hash that no password has. To be verified where there is no such user, so that the answer takes as long.
std::string dummy_password_hash(password_cost cost = {});

/// Whether somebody may choose this password; no error when so. `personal` are texts of that person: e-mail address,
/// name. Any UTF-8 is taken, spaces and all, and there are no rules of composition.
/// password_length: less than 8 characters, more than 1024 bytes, or no UTF-8. password_common: in the list of common
/// ones (upper and lower case alike). password_personal: is one of the texts, the part of an address before its @, or
/// the name of this service, also written backwards or with up to three characters more.
caf::error check_new_password(std::string_view password, std::span<const std::string_view> personal);

} // namespace keyportal
