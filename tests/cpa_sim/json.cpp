#include "json.hpp"

#include <charconv>

namespace keyportal::cpa_sim {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD
constexpr int deepest = 10'000;                          // Go's limit

/// Length of the UTF-8 sequence at `at`, 0 when it is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  const unsigned b = byte(0);
  if (b < 0x80)
    return 1;
  if (b >= 0xC2 && b <= 0xDF)
    return tail(1) ? 2 : 0;
  if (b >= 0xE0 && b <= 0xEF) {
    if ((b == 0xE0 && byte(1) < 0xA0) || (b == 0xED && byte(1) > 0x9F))
      return 0;
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (b >= 0xF0 && b <= 0xF4) {
    if ((b == 0xF0 && byte(1) < 0x90) || (b == 0xF4 && byte(1) > 0x8F))
      return 0;
    return tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

} // namespace

bool same_name(std::string_view field, std::string_view name) {
  if (field.size() != name.size())
    return false;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (lower(field[i]) != lower(name[i]))
      return false;
  }
  return true;
}

void append_json_text(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) {
      const std::size_t length = utf8_length(text, i);
      const std::string_view piece = text.substr(i, length);
      if (length == 0) {
        out += "\\ufffd";
      } else if (piece == "\xE2\x80\xA8") {
        out += "\\u2028";
      } else if (piece == "\xE2\x80\xA9") {
        out += "\\u2029";
      } else {
        out += piece;
      }
      i += length == 0 ? 1 : length;
      continue;
    }
    ++i;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (c < 0x20 || c == '<' || c == '>' || c == '&') {
          out += "\\u00";
          out += hex[c >> 4];
          out += hex[c & 15];
        } else {
          out += static_cast<char>(c);
        }
    }
  }
  out += '"';
}

std::string json_text(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out;
}

void json_reader::fail() {
  failed_ = true;
  at_ = text_.size();
}

void json_reader::blanks() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
    ++at_;
  }
}

char json_reader::peek() {
  blanks();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool json_reader::literal(std::string_view word) {
  blanks();
  if (text_.substr(at_, word.size()) != word)
    return false;
  at_ += word.size();
  return true;
}

bool json_reader::null() { return !failed_ && literal("null"); }

bool json_reader::open(char bracket, char) {
  if (failed_ || peek() != bracket || ++depth_ > deepest) {
    fail();
    return false;
  }
  ++at_;
  return true;
}

bool json_reader::more(char closing, bool& first) {
  if (failed_)
    return false;
  const char next = peek();
  if (next == closing) {
    ++at_;
    --depth_;
    return false;
  }
  if (!first) {
    if (next != ',') {
      fail();
      return false;
    }
    ++at_;
    if (peek() == closing)
      fail();
  }
  first = false;
  return !failed_;
}

std::string_view json_reader::number() {
  blanks();
  const std::size_t begin = at_;
  const auto digits = [this] {
    const std::size_t from = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9')
      ++at_;
    return at_ > from;
  };
  const auto is = [this](char c) { return at_ < text_.size() && text_[at_] == c; };
  if (is('-'))
    ++at_;
  if (is('0')) {
    ++at_;
  } else if (!digits()) {
    fail();
    return {};
  }
  if (is('.')) {
    ++at_;
    if (!digits()) {
      fail();
      return {};
    }
  }
  if (is('e') || is('E')) {
    ++at_;
    if (is('+') || is('-'))
      ++at_;
    if (!digits()) {
      fail();
      return {};
    }
  }
  return text_.substr(begin, at_ - begin);
}

void json_reader::integer(std::int64_t& out) {
  if (failed_ || null())
    return;
  const std::string_view token = number();
  if (failed_)
    return;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc{} || end != token.data() + token.size())
    return fail();
  out = value;
}

void json_reader::boolean(bool& out) {
  if (failed_ || null())
    return;
  if (literal("true")) {
    out = true;
  } else if (literal("false")) {
    out = false;
  } else {
    fail();
  }
}

std::string_view json_reader::string_token(std::string& buffer) {
  if (failed_ || peek() != '"') {
    fail();
    return {};
  }
  const std::size_t begin = ++at_;
  for (; at_ < text_.size(); ++at_) {
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"')
      return text_.substr(begin, at_++ - begin);
    if (c == '\\' || c >= 0x80)
      break;
    if (c < 0x20) {
      fail();
      return {};
    }
  }
  buffer.assign(text_.substr(begin, at_ - begin));
  unescape(buffer);
  return buffer;
}

void json_reader::unescape(std::string& out) {
  const auto hex4 = [this](std::size_t at) -> std::int32_t {
    std::int32_t value = 0;
    if (at + 4 > text_.size())
      return -1;
    const auto [end, error] = std::from_chars(text_.data() + at, text_.data() + at + 4, value, 16);
    return error == std::errc{} && end == text_.data() + at + 4 && text_[at] != '-' ? value : -1;
  };
  while (at_ < text_.size()) {
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"') {
      ++at_;
      return;
    }
    if (c < 0x20)
      return fail();
    if (c >= 0x80) {
      const std::size_t length = utf8_length(text_, at_);
      out += length == 0 ? replacement : text_.substr(at_, length);
      at_ += length == 0 ? 1 : length;
      continue;
    }
    ++at_;
    if (c != '\\') {
      out += static_cast<char>(c);
      continue;
    }
    if (at_ >= text_.size())
      break;
    switch (text_[at_++]) {
      case '"': out += '"'; break;
      case '\\': out += '\\'; break;
      case '/': out += '/'; break;
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case 'u': {
        const std::int32_t unit = hex4(at_);
        if (unit < 0)
          return fail();
        at_ += 4;
        auto code = static_cast<std::uint32_t>(unit);
        if (code >= 0xD800 && code < 0xE000) {
          const std::int32_t low = code < 0xDC00 && text_.substr(at_, 2) == "\\u" ? hex4(at_ + 2) : -1;
          if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (static_cast<std::uint32_t>(low) - 0xDC00);
            at_ += 6;
          } else {
            code = 0xFFFD;
          }
        }
        append_utf8(out, code);
        break;
      }
      default: return fail();
    }
  }
  fail();
}

void json_reader::string(std::string& out) {
  if (failed_ || null())
    return;
  std::string buffer;
  const std::string_view token = string_token(buffer);
  if (!failed_)
    out.assign(token);
}

void json_reader::scalar(std::string& out) {
  switch (peek()) {
    case '"': return string(out);
    case 't':
    case 'f': {
      bool value = false;
      boolean(value);
      out = value ? "true" : "false";
      return;
    }
    case 'n': skip(); return;
    default: out.assign(number());
  }
}

void json_reader::skip() {
  if (failed_)
    return;
  std::string buffer;
  switch (peek()) {
    case '{': object([this](std::string_view) { skip(); }); break;
    case '[': array([this] { skip(); }); break;
    case '"': string_token(buffer); break;
    case 't':
      if (!literal("true"))
        fail();
      break;
    case 'f':
      if (!literal("false"))
        fail();
      break;
    case 'n':
      if (!literal("null"))
        fail();
      break;
    default: number();
  }
}

bool json_reader::finish() {
  blanks();
  return !failed_ && at_ == text_.size();
}

} // namespace keyportal::cpa_sim
