// What every part of signing in does with secrets: hash, compare, write and wipe them. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace keyportal {

/// A SHA-256, or an HMAC with it. What is kept instead of a secret.
using digest = std::array<std::uint8_t, 32>;
/// 256 bits from the system's random source: a new secret, or a key for hashing.
using random_bits = std::array<std::uint8_t, 32>;

digest sha256(std::string_view text);

/// Hash of several texts under a key. Their lengths are hashed too, so ("ab", "c") is not ("a", "bc"). The first text
/// is to say what the hash is for: what was made for one purpose is then worth nothing for another.
digest keyed_hash(const random_bits& key, std::initializer_list<std::string_view> texts);

/// Takes as long for any two texts of a length; only the length shows.
bool same_secret(std::string_view a, std::string_view b);
bool same_secret(const digest& a, const digest& b);

/// Overwrites the text, also the unused rest of its memory, and empties it.
void wipe(std::string& text);

/// A text that is overwritten when it goes. Cannot be copied by mistake, printed or formatted.
class wiped_text {
public:
  wiped_text() = default;
  explicit wiped_text(std::string_view text) : text_(text) {}
  wiped_text(wiped_text&& other) noexcept : text_(other.text_) { wipe(other.text_); }
  wiped_text& operator=(wiped_text&& other) noexcept {
    if (this != &other) {
      wipe(text_);
      text_ = other.text_;
      wipe(other.text_);
    }
    return *this;
  }
  wiped_text(const wiped_text&) = delete;
  wiped_text& operator=(const wiped_text&) = delete;
  ~wiped_text() { wipe(text_); }
  [[nodiscard]] std::string_view reveal() const { return text_; }

private:
  std::string text_;
};

/// RFC 4648 base32 in lower case, without padding.
std::string to_base32(std::span<const std::uint8_t> bytes);
/// Reads either case; blanks, hyphens and padding between or behind are passed over. Nothing for other characters and
/// for lengths that no bytes have.
std::optional<std::string> from_base32(std::string_view text);

/// Base32 as people read it aloud: lower case, without i, l, o and u (Crockford's), in groups of four with hyphens.
std::string to_spoken(std::span<const std::uint8_t> bytes);
/// What was meant: lower case, no blanks and hyphens, o read as 0, i and l as 1. Never fails; what is no code of ours
/// becomes some other text. At most `longest` characters are looked at.
std::string from_spoken(std::string_view text, std::size_t longest = 64);

/// For hash tables. A digest is uniform already; keys of tables that strangers fill must be keyed hashes.
struct digest_hash {
  std::size_t operator()(const digest& d) const noexcept {
    std::size_t h;
    __builtin_memcpy(&h, d.data(), sizeof h);
    return h;
  }
};

} // namespace keyportal
