// Text that must not be seen: a type that can be neither formatted nor printed.
#pragma once

#include <string.h> // explicit_bzero, of glibc

#include <string>
#include <string_view>
#include <utility>

namespace keyportal {

/// Holds a client key, a management key or the like. There is no conversion to std::string, no operator<< and no
/// formatter, so a secret cannot slip into a log or a message; whoever needs the text says `reveal()`. Its memory is
/// overwritten when it ends, is moved away from or takes another text (S24 of docs/security.md); what `reveal()` was
/// copied to is not.
class secret {
public:
  secret() = default;
  explicit secret(std::string text) : text_(std::move(text)) { wipe(text); }
  secret(const secret&) = default;
  secret(secret&& other) noexcept : text_(std::move(other.text_)) { wipe(other.text_); }
  secret& operator=(const secret& other) {
    if (this != &other)
      *this = secret(other);
    return *this;
  }
  secret& operator=(secret&& other) noexcept {
    if (this != &other) {
      wipe(text_);
      text_ = std::move(other.text_);
      wipe(other.text_); // a short text is copied by a move, a longer one changes places with ours
    }
    return *this;
  }
  ~secret() { wipe(text_); }

  [[nodiscard]] const std::string& reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  bool operator==(const secret&) const = default;

private:
  /// Also what lies behind the end: a text that was moved from keeps its letters there.
  static void wipe(std::string& text) noexcept {
    explicit_bzero(text.data(), text.capacity());
    text.clear();
  }

  std::string text_;
};

/// How a secret may be shown: its last four characters behind dots, nothing of it when shorter than twelve.
inline std::string masked(std::string_view text) {
  return text.size() < 12 ? std::string("…") : "…" + std::string(text.substr(text.size() - 4));
}

} // namespace keyportal
