// Texts that people and scripts give us by themselves: tokens, codes, keys, names, addresses, moments. What is read is the
// same when it is written, and read again.
#include <algorithm>

#include "actors/access/access_rules.hpp"
#include "actors/access/password.hpp"
#include "actors/access/secret_bytes.hpp"
#include "actors/access/token_text.hpp"
#include "actors/access/totp.hpp"
#include "actors/identity/attempt_book.hpp"
#include "actors/identity/text_codes.hpp"
#include "actors/key_registry/key_text.hpp"
#include "actors/key_registry/registry_text.hpp"
#include "gateway/access_bodies.hpp"
#include "gateway/host_rules.hpp"
#include "messages/networks.hpp"
#include "messages/timestamp.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace keyportal;

namespace {

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

void look_at_token(std::string_view text) {
  for (const auto kind : {token_kind::api, token_kind::invitation, token_kind::bootstrap}) {
    if (check_token_text(kind, text))
      continue;
    must(kind_of_token(text) == kind && text.size() == 63, "a token is whole and of one kind");
    const auto body = text.substr(4, 52);
    must(body.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string_view::npos, "and plain");
    std::string other(text);
    other[10] = other[10] == 'a' ? 'b' : 'a';
    must(bool{check_token_text(kind, other)}, "another letter is another token");
  }
}

void look_at_codes(std::string_view text) {
  if (const auto bytes = from_base32(text))
    must(from_base32(to_base32(bytes_of(*bytes))) == bytes, "base32 is read as it is written");
  if (const auto bytes = identity::from_base64url(text))
    must(identity::base64url(*bytes) == text, "base64url has one spelling");
  const auto meant = from_spoken(text);
  must(from_spoken(meant) == meant && meant.size() <= 64, "what was meant is bounded, and means the same");
  const std::string key = "12345678901234567890";
  const auto at = moment{} + std::chrono::seconds{1'111'111'109};
  if (const auto step = accept_totp(key, text, at, -1)) {
    must(std::abs(*step - totp_step(at)) <= 1, "a code is of now");
    must(!accept_totp(key, text, at, *step), "and good once");
  }
  const auto uri = totp_uri(text, text, totp_key{});
  must(std::all_of(uri.begin(), uri.end(), [](char c) { return c > 0x20 && c < 0x7f; }), "an address is plain");
}

void look_at_key(std::string_view text) {
  const auto judged = judge_key("kp", text);
  if (judged == key_writing::ours)
    must(can_be_key(text), "a key of ours can be given to a node");
  if (can_be_key(text))
    must(text.size() >= 8 && text.size() <= 512, "a key is bounded");
  const auto shown = shown_key("kp", text);
  if (text.size() > 16)
    must(shown.size() < text.size(), "a key is never shown whole");
}

void look_at_names(std::string_view text) {
  for (const bool may_be_empty : {false, true})
    if (const auto tidy = tidy_name("name", text, may_be_empty)) {
      must(tidy->size() <= 200 && tidy->find_first_of("<>\r\n") == std::string::npos, "a name is inert");
      must(tidy->empty() || std::string_view("=+-@").find(tidy->front()) == std::string_view::npos, "and no formula");
      const auto again = tidy_name("name", *tidy, may_be_empty);
      must(again && *again == *tidy, "what is tidy stays");
    }
  if (const auto email = tidy_email(text)) {
    must(email->size() <= 254 && std::count(email->begin(), email->end(), '@') == 1, "an address has one @");
    must(tidy_email(*email) == email, "what is tidy stays");
  }
  if (const auto group = tidy_group(text))
    must(!group->empty() && group->size() <= 32, "a group is bounded");
  const std::string_view personal[] = {"ada@example.com", "Ada"};
  if (!check_new_password(text, personal))
    must(text.size() >= 8 && text.size() <= 1024, "a password is bounded");
  needs_rehash(text);
}

void look_at_places(std::string_view text) {
  if (const auto address = read_address(text))
    must(read_address(to_text(*address)) == address, "an address is read as it is written");
  network::read(text);
  gateway::host_rules rules("127.0.0.1", {std::string(text)});
  must(rules.takes("localhost:1") && !rules.takes(""), "what is ours stays ours");
  const auto colon = text.find('\n');
  if (colon != std::string_view::npos)
    gateway::same_origin(text.substr(0, colon), text.substr(colon + 1));
  must(!gateway::same_origin("null", text), "no page is null");
}

void look_at_moment(std::string_view text) {
  const auto at = parse_rfc3339(text);
  if (!at)
    return;
  const auto written = to_rfc3339(*at);
  const auto again = parse_rfc3339(written);
  must(again && *again == *at, "a moment is read as it is written");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096)};
  look_at_token(text);
  look_at_codes(text);
  look_at_key(text);
  look_at_names(text);
  look_at_places(text);
  look_at_moment(text);
  if (const auto scopes = scopes_of(text))
    must((rights_of(user_role::user, *scopes) & rights_of(user_role::user)) == rights_of(user_role::user, *scopes),
         "a token may no more than its owner");
  return 0;
}
