// The token by which the first admin is made: in a file of the data folder, for whoever may read that.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>

#include <caf/expected.hpp>

#include "actors/access/one_time.hpp"

namespace keyportal {

/// `first-admin.token`, mode 0600. Good for a week; while there is no admin, each start makes a new one when the old one is
/// over. Used by one thread.
class first_admin_token {
public:
  /// `key` hashes it, so that it is compared like any other.
  first_admin_token(std::filesystem::path file, const random_bits& key) : file_(std::move(file)), key_(key) {}

  /// There is no admin: reads the token that is there, or makes one. storage_failed with the cause.
  caf::error offer(const random_bits& bits, moment now);
  /// There is one: the file goes, and no token is right any more.
  void withdraw();
  [[nodiscard]] bool offered() const { return kept_.has_value(); }
  /// No error: it is this token, now. token_mistyped; invitation_refused for all else.
  [[nodiscard]] caf::error check(std::string_view text, moment now) const;
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

private:
  std::filesystem::path file_;
  random_bits key_;
  std::optional<invitation> kept_;
};

} // namespace keyportal
