#include <array>

#include "actors/cpa/queue_record.hpp"
#include "messages/errors.hpp"

namespace keyportal::cpa {

namespace {

constexpr std::size_t deepest = 64;

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/// Steps through JSON text just far enough to know where values end.
class walker {
public:
  explicit walker(std::string_view text) : text_(text) {}

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_]))
      ++at_;
  }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c)
      return false;
    ++at_;
    return true;
  }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

  /// The text up to the comma or bracket that ends this value; empty if there is none or its brackets do not match.
  std::string_view value() {
    const auto begin = at_;
    std::array<char, deepest> open; // the bracket that must close each level
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        if (!skip_string())
          return {};
      } else if (c == '{' || c == '[') {
        if (depth == deepest)
          return {};
        open[depth++] = c == '{' ? '}' : ']';
      } else if (c == '}' || c == ']') {
        if (depth == 0)
          return trimmed_from(begin);
        if (open[--depth] != c)
          return {};
      } else if (c == ',' && depth == 0) {
        return trimmed_from(begin);
      }
    }
    return {};
  }

private:
  /// From an opening quotation mark to its closing one.
  bool skip_string() {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"')
        return true;
      if (text_[at_] == '\\')
        ++at_; // what is escaped
    }
    at_ = text_.size();
    return false;
  }
  std::string_view trimmed_from(std::size_t begin) const {
    auto text = text_.substr(begin, at_ - begin);
    while (!text.empty() && is_blank(text.back()))
      text.remove_suffix(1);
    return text;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

} // namespace

queue_answer split_queue_answer(std::string_view body) {
  queue_answer out;
  const auto refuse = [&out](const char* why) {
    out.error = make_error(errc::node_answer_malformed, why);
    return std::move(out);
  };
  walker at{body};
  at.skip_blanks();
  if (!at.take('['))
    return refuse("the queue's answer is no JSON array");
  at.skip_blanks();
  if (!at.take(']')) {
    do {
      at.skip_blanks();
      const auto element = at.value();
      if (element.empty())
        return refuse("the queue's answer has an element that is none, or ends early");
      out.elements.push_back(element);
    } while (at.take(','));
    if (!at.take(']'))
      return refuse("the queue's answer does not end as an array");
  }
  at.skip_blanks();
  if (!at.at_end())
    return refuse("something follows the queue's answer");
  return out;
}

} // namespace keyportal::cpa
