#include "actors/analyst/record_cursor.hpp"

#include "storage/encoding.hpp"

namespace keyportal {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::size_t longest = 512;
constexpr std::string_view digits = "0123456789abcdef";

} // namespace

std::string to_text(const record_cursor& cursor) {
  using namespace storage;
  std::string bytes;
  put_fixed(bytes, version);
  put_fixed(bytes, static_cast<std::uint8_t>((cursor.back ? 1 : 0) | (cursor.newest_first ? 2 : 0)));
  put_varint(bytes, cursor.position);
  put_fixed(bytes, unix_ns(cursor.from));
  put_fixed(bytes, unix_ns(cursor.to));
  put_fixed(bytes, cursor.place.at_ns);
  put_bytes(bytes, cursor.place.id.bytes);
  put_text(bytes, cursor.place.node);
  std::string out;
  for (const unsigned char c : bytes) {
    out.push_back(digits[c >> 4]);
    out.push_back(digits[c & 15]);
  }
  return out;
}

std::optional<record_cursor> cursor_of(std::string_view text) {
  using namespace storage;
  if (text.size() > longest || text.size() % 2 != 0)
    return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = digits.find(text[i]), low = digits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos)
      return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  std::string_view in = bytes;
  record_cursor out;
  std::uint8_t its_version = 0, flags = 0;
  std::int64_t from = 0, to = 0;
  if (!get_fixed(in, its_version) || its_version != version || !get_fixed(in, flags) || flags > 3
      || !get_varint(in, out.position) || !get_fixed(in, from) || !get_fixed(in, to) || !get_fixed(in, out.place.at_ns)
      || !get_bytes(in, out.place.id.bytes) || !get_text(in, out.place.node) || !in.empty())
    return std::nullopt;
  out.back = (flags & 1) != 0;
  out.newest_first = (flags & 2) != 0;
  out.from = moment_of(from);
  out.to = moment_of(to);
  return out;
}

} // namespace keyportal
