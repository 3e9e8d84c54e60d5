// Text that must not be seen: a type that can be neither formatted nor printed.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace keyportal {

/// Holds a client key, a management key or the like. There is no conversion to std::string, no operator<< and no
/// formatter, so a secret cannot slip into a log or a message; whoever needs the text says `reveal()`.
class secret {
public:
  secret() = default;
  explicit secret(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  bool operator==(const secret&) const = default;

private:
  std::string text_;
};

/// How a secret may be shown: its last four characters behind dots, nothing of it when shorter than twelve.
inline std::string masked(std::string_view text) {
  return text.size() < 12 ? std::string("…") : "…" + std::string(text.substr(text.size() - 4));
}

} // namespace keyportal
