// JSON as Go's encoding/json writes and reads it, which decides many of CPA's answers: field names match without
// regard to case, null leaves a value as it is, integers must be integers, anything else refuses the whole text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace keyportal::cpa_sim {

/// Appends `text` in quotes, escaped as Go does for JSON in HTML (`<`, `>`, `&`, U+2028, U+2029 as \u....; bytes that
/// are not UTF-8 as U+FFFD).
void append_json_text(std::string& out, std::string_view text);
std::string json_text(std::string_view text);

/// Reads one JSON document front to back without building a tree. The first mistake, of syntax or of type, makes
/// every later call a no-op and `finish()` false. Views handed to callbacks last until the callback returns.
class json_reader {
public:
  explicit json_reader(std::string_view text) : text_(text) {}

  /// True when the next value is null, which is then consumed.
  bool null();
  /// Calls `field(name)` for each member; it must consume the value. Null has no members.
  template <class F>
  void object(F&& field);
  /// Calls `element()` for each element; it must consume it. Null has none.
  template <class F>
  void array(F&& element);
  void integer(std::int64_t& out);
  void boolean(bool& out);
  void string(std::string& out);
  /// Any value as text: a string's text, or the literal of a number, true or false.
  void scalar(std::string& out);
  void skip();
  /// The first byte of the next value, 0 at the end.
  char peek();
  /// Refuses the text.
  void fail();
  /// True when everything was well and only blanks are left.
  bool finish();
  /// True when nothing failed so far; what follows the value is not looked at.
  [[nodiscard]] bool ok() const { return !failed_; }

private:
  void blanks();
  bool open(char bracket, char closing);
  bool more(char closing, bool& first);
  bool literal(std::string_view word);
  std::string_view number();
  std::string_view string_token(std::string& buffer);
  void unescape(std::string& out);

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool failed_ = false;
};

/// True when a field name matches as Go matches it: case of ASCII letters does not count.
bool same_name(std::string_view field, std::string_view name);

template <class F>
void json_reader::object(F&& field) {
  if (null() || !open('{', '}'))
    return;
  std::string buffer;
  for (bool first = true; more('}', first);) {
    const std::string_view name = string_token(buffer);
    blanks();
    if (failed_ || peek() != ':')
      return fail();
    ++at_;
    field(name);
  }
}

template <class F>
void json_reader::array(F&& element) {
  if (null() || !open('[', ']'))
    return;
  for (bool first = true; more(']', first);)
    element();
}

} // namespace keyportal::cpa_sim
