#include "actors/identity/attempt_book.hpp"

#include <algorithm>

#include "actors/identity/text_codes.hpp"
#include "messages/errors.hpp"

namespace keyportal::identity {

namespace {

constexpr std::size_t path_limit = 1024;
constexpr std::size_t least_cookie = 22; // 128 bits
constexpr std::size_t most_cookie = 256;

bool is_path_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
         || std::string_view("-._~/?&=%:,+*@!$'();[]").find(c) != std::string_view::npos;
}

int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

} // namespace

std::string challenge_of(const secret& verifier) { return base64url(sha256(verifier.reveal())); }

secret prelogin_cookie(std::span<const std::uint8_t, 32> random) { return secret{base64url(random)}; }

bool is_local_path(std::string_view path) {
  if (path.empty() || path.size() > path_limit || path.front() != '/'
      || !std::all_of(path.begin(), path.end(), is_path_letter))
    return false;
  std::string plain; // the path as one would read it who undoes escapes
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      plain.push_back(path[i]);
      continue;
    }
    const int high = i + 2 < path.size() ? hex_digit(path[i + 1]) : -1;
    const int low = high < 0 ? -1 : hex_digit(path[i + 2]);
    const int byte = low < 0 ? -1 : high * 16 + low;
    // An escaped percent sign is the first of two layers; nothing of ours needs it.
    if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\' || byte == '%')
      return false;
    plain.push_back(static_cast<char>(byte));
    i += 2;
  }
  // Escapes of a question mark do not end the path for everybody, so all of it must be fine.
  for (std::size_t from = 1; from <= plain.size();) {
    const auto end = std::min(plain.find_first_of("/?", from), plain.size());
    const auto part = std::string_view(plain).substr(from, end - from);
    if (part == "." || part == "..")
      return false;
    from = end + 1;
  }
  return plain.find("//") == std::string::npos;
}

caf::expected<login_attempt> attempt_book::begin(wish w, std::span<const std::uint8_t, 96> random, moment now) {
  if (w.return_to.empty())
    w.return_to = "/";
  if (!is_local_path(w.return_to))
    return make_error(errc::return_to_refused);
  if (w.cookie.reveal().size() < least_cookie || w.cookie.reveal().size() > most_cookie)
    return make_error(errc::bad_request, "the cookie of a sign-in");
  drop_old(now);
  if (const auto of_origin = by_origin_.find(w.origin);
      of_origin != by_origin_.end() && of_origin->second.size() >= bounds_.of_one_origin)
    drop(of_origin->second.front());
  if (!attempts_.empty() && attempts_.size() >= bounds_.attempts)
    drop(attempts_.begin());

  entry one;
  one.attempt = {std::move(w.provider),
                 secret{base64url(random.subspan<0, 32>())},
                 secret{base64url(random.subspan<32, 32>())},
                 secret{base64url(random.subspan<64, 32>())},
                 std::move(w.return_to),
                 std::move(w.link_to),
                 now};
  one.state_hash = sha256(one.attempt.state.reveal());
  one.cookie_hash = sha256(w.cookie.reveal());
  one.origin = std::move(w.origin);
  if (by_state_hash_.contains(one.state_hash))
    return make_error(errc::internal, "random bytes that were there before");
  const auto at = attempts_.insert(attempts_.end(), std::move(one));
  by_state_hash_.emplace(at->state_hash, at);
  by_origin_[at->origin].push_back(at);
  return at->attempt;
}

caf::expected<login_attempt> attempt_book::take(std::string_view provider, std::string_view state,
                                                std::string_view cookie, moment now) {
  drop_old(now);
  const auto found = by_state_hash_.find(sha256(state)); // a hash, so that the search tells nothing about the state
  if (found == by_state_hash_.end())
    return make_error(errc::sign_in_expired);
  const auto at = found->second;
  const bool its_browser = !cookie.empty() && same_text(at->cookie_hash, sha256(cookie));
  const bool its_provider = at->attempt.provider == provider; // else one provider could answer for another
  auto attempt = std::move(at->attempt);
  drop(at);
  if (!its_browser || !its_provider)
    return make_error(errc::sign_in_expired);
  return attempt;
}

void attempt_book::drop_old(moment now) {
  // Also of the future, for a clock that was set back.
  while (!attempts_.empty()) {
    const auto age = now - attempts_.front().attempt.began_at;
    if (age < bounds_.lifetime && age > -bounds_.lifetime)
      return;
    drop(attempts_.begin());
  }
}

void attempt_book::drop(place at) {
  by_state_hash_.erase(at->state_hash);
  const auto origin = by_origin_.find(at->origin);
  origin->second.remove(at); // short: of_one_origin at most
  if (origin->second.empty())
    by_origin_.erase(origin);
  attempts_.erase(at);
}

} // namespace keyportal::identity
