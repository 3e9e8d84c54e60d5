#include "actors/authenticator/first_admin.hpp"

#include <fstream>

#include "actors/data_folder.hpp"

namespace keyportal {

namespace {

constexpr std::chrono::hours lifetime{7 * 24};

/// First line the token, second one when it was made, in seconds since 1970.
std::optional<std::pair<std::string, moment>> read_token(const std::filesystem::path& file) {
  std::ifstream in{file};
  std::string text;
  std::int64_t at = 0;
  if (!(in >> text >> at) || at < 0 || at > 9'000'000'000 || check_token_text(token_kind::bootstrap, text))
    return std::nullopt;
  return std::pair{text, moment{std::chrono::seconds{at}}};
}

} // namespace

caf::error first_admin_token::offer(const random_bits& bits, moment now) {
  if (auto there = read_token(file_); there && there->second <= now && now < there->second + lifetime) {
    kept_ = invitation{token_hash(key_, token_kind::bootstrap, there->first), there->second + lifetime, {}, 1};
    return {};
  }
  auto fresh = make_invitation(key_, token_kind::bootstrap, bits, now, lifetime);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (auto failed = write_file(file_, fresh.shown.reveal() + "\n" + std::to_string(seconds) + "\n"))
    return failed;
  kept_ = fresh.kept;
  return {};
}

void first_admin_token::withdraw() {
  kept_.reset();
  std::error_code ignored;
  std::filesystem::remove(file_, ignored);
}

caf::error first_admin_token::check(std::string_view text, moment now) const {
  if (!kept_)
    return make_error(errc::invitation_refused);
  return check_invitation(*kept_, key_, token_kind::bootstrap, text, {}, now);
}

} // namespace keyportal
