#include "actors/access/password.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <argon2.h>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include "actors/access/secret_bytes.hpp"

namespace keyportal {

std::string_view common_passwords(); // made from common_passwords.txt

namespace {

constexpr std::size_t hash_bytes = 32;
constexpr std::size_t most_bytes = 1024;
constexpr password_cost most{64 * 1024, 16, 4};

struct parsed {
  password_cost cost;
  std::string salt, hash;
};

// --- base64 without padding, as PHC strings have it ------------------------------

constexpr std::string_view base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string to_base64(std::string_view bytes) {
  std::string out;
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : bytes) {
    held = held << 8 | static_cast<std::uint8_t>(c);
    for (bits += 8; bits >= 6; bits -= 6)
      out += base64[held >> (bits - 6) & 63];
  }
  if (bits > 0)
    out += base64[held << (6 - bits) & 63];
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string out;
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : text) {
    const auto value = base64.find(c);
    if (value == base64.npos)
      return std::nullopt;
    held = held << 6 | static_cast<std::uint32_t>(value);
    if (bits += 6; bits >= 8) {
      bits -= 8;
      out += static_cast<char>(held >> bits & 0xff);
    }
  }
  if (bits == 6 || (held & ((1u << bits) - 1)) != 0)
    return std::nullopt; // a text has one way to be written
  return out;
}

// --- PHC strings ------------------------------------------------------------------

bool take(std::string_view& text, std::string_view head) {
  if (!text.starts_with(head))
    return false;
  text.remove_prefix(head.size());
  return true;
}

bool take_number(std::string_view& text, std::uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || text.front() == '0')
    return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool affordable(const password_cost& c) {
  return c.lanes >= 1 && c.lanes <= most.lanes && c.passes >= 1 && c.passes <= most.passes
         && c.memory_kib >= 8 * c.lanes && c.memory_kib <= most.memory_kib;
}

std::optional<parsed> parse(std::string_view text) {
  parsed out;
  if (text.size() > 256 || !take(text, "$argon2id$v=19$m=") || !take_number(text, out.cost.memory_kib)
      || !take(text, ",t=") || !take_number(text, out.cost.passes) || !take(text, ",p=")
      || !take_number(text, out.cost.lanes) || !take(text, "$") || !affordable(out.cost))
    return std::nullopt;
  const auto end = text.find('$');
  if (end == text.npos)
    return std::nullopt;
  auto salt = from_base64(text.substr(0, end));
  auto hash = from_base64(text.substr(end + 1));
  if (!salt || !hash || salt->size() < 8 || salt->size() > 64 || hash->size() < 16 || hash->size() > 64)
    return std::nullopt;
  out.salt = std::move(*salt);
  out.hash = std::move(*hash);
  return out;
}

caf::expected<std::string> run(std::string_view password, std::string_view salt, password_cost cost, std::size_t size) {
  std::string out(size, '\0');
  const int result = ::argon2id_hash_raw(cost.passes, cost.memory_kib, cost.lanes, password.data(), password.size(),
                                         salt.data(), salt.size(), out.data(), out.size());
  if (result == ARGON2_OK)
    return out;
  if (result == ARGON2_MEMORY_ALLOCATION_ERROR || result == ARGON2_THREAD_FAIL)
    return make_error(errc::sign_in_busy, "no memory for the password's hash");
  return make_error(errc::internal, ::argon2_error_message(result));
}

std::string phc(password_cost cost, std::string_view salt, std::string_view hash) {
  return fmt::format("$argon2id$v=19$m={},t={},p={}${}${}", cost.memory_kib, cost.passes, cost.lanes, to_base64(salt),
                     to_base64(hash));
}

// --- which passwords are taken ------------------------------------------------------

/// The number of characters; nothing when it is no UTF-8 (overlong forms, surrogates, too large, cut).
std::optional<std::size_t> characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    const auto first = static_cast<std::uint8_t>(text[at]);
    const std::size_t more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : (first & 0xf0) == 0xe0 ? 2 : 3;
    if (first >= 0x80 && (first < 0xc2 || first > 0xf4))
      return std::nullopt;
    if (text.size() - at <= more)
      return std::nullopt;
    for (std::size_t next = 1; next <= more; ++next)
      if ((static_cast<std::uint8_t>(text[at + next]) & 0xc0) != 0x80)
        return std::nullopt;
    const auto second = more == 0 ? 0 : static_cast<std::uint8_t>(text[at + 1]);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90)
        || (first == 0xf4 && second > 0x8f))
      return std::nullopt;
    at += more + 1;
  }
  return count;
}

void to_lower(std::string& text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c + 32);
}

/// In lower case and without what is put between words.
std::string core(std::string_view text) {
  std::string out(text);
  to_lower(out);
  std::erase_if(out, [](char c) { return c == ' ' || c == '.' || c == '_' || c == '-'; });
  return out;
}

bool is_nearly(std::string_view password, std::string_view word) {
  if (word.size() < 4) // three letters more or less than "li" would be many a password
    return false;
  const auto holds = [&](std::string_view part) {
    return password.size() <= part.size() + 3 && password.find(part) != password.npos;
  };
  return holds(word) || holds(std::string(word.rbegin(), word.rend()));
}

bool is_personal(std::string_view password, std::span<const std::string_view> personal) {
  auto mine = core(password);
  bool found = is_nearly(mine, "keyportal");
  for (const auto text : personal) {
    const auto address = text.find('@');
    found = found || (!text.empty() && mine == core(text)) || is_nearly(mine, core(text))
            || (address != text.npos && is_nearly(mine, core(text.substr(0, address))));
  }
  wipe(mine);
  return found;
}

bool is_common(std::string_view password) {
  std::string line;
  line.reserve(password.size() + 2); // so that no copy is left behind
  line.append(1, '\n').append(password).append(1, '\n');
  to_lower(line);
  const bool found = password.find('\n') == password.npos && common_passwords().find(line) != std::string_view::npos;
  wipe(line);
  return found;
}

} // namespace

caf::expected<std::string> hash_password(std::string_view password, const password_salt& salt, password_cost cost) {
  if (!affordable(cost))
    return make_error(errc::bad_request, "cost of passwords");
  const std::string_view bytes{reinterpret_cast<const char*>(salt.data()), salt.size()};
  auto hash = run(password, bytes, cost, hash_bytes);
  if (!hash)
    return hash.error();
  return phc(cost, bytes, *hash);
}

caf::expected<bool> verify_password(std::string_view password, std::string_view text) {
  const auto kept = parse(text);
  if (!kept)
    return make_error(errc::hash_unreadable);
  auto hash = run(password, kept->salt, kept->cost, kept->hash.size());
  if (!hash)
    return hash.error();
  const bool same = same_secret(*hash, kept->hash);
  wipe(*hash);
  return same;
}

bool needs_rehash(std::string_view text, password_cost now) {
  const auto kept = parse(text);
  return !kept || kept->cost != now || kept->hash.size() != hash_bytes || kept->salt.size() != password_salt{}.size();
}

std::string dummy_password_hash(password_cost cost) {
  // A hash of zeros would have to be met by chance: one in 2^256.
  return phc(cost, std::string(password_salt{}.size(), 'k'), std::string(hash_bytes, '\0'));
}

caf::error check_new_password(std::string_view password, std::span<const std::string_view> personal) {
  const auto length = password.size() <= most_bytes ? characters(password) : std::nullopt;
  if (!length || *length < 8)
    return make_error(errc::password_length);
  if (is_common(password))
    return make_error(errc::password_common);
  if (is_personal(password, personal))
    return make_error(errc::password_personal);
  return caf::none;
}

} // namespace keyportal
