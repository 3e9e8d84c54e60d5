#include "actors/cpa/spelling.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <tuple>

#include <simdjson.h>

#include "actors/cpa/plain_json.hpp"

namespace keyportal::cpa {

namespace {

namespace od = simdjson::ondemand;
using type = spelt_member::type;

constexpr std::size_t largest = 16U << 20;
constexpr std::size_t deepest = 32;
constexpr std::size_t kept_room = 256U << 10; // what one huge object has made larger than this is given back

/// Thrown inside this file only.
struct malformed {
  const char* why;
};

bool precedes(const spelt_member& a, const spelt_member& b) {
  return a.head != b.head ? a.head < b.head : a.name < b.name;
}

/// Whether the text is an integer that is spelt as we would, and surely within 64 bits.
bool is_plain_integer(std::string_view token) {
  const auto digits = token.substr(token.starts_with('-'));
  if (digits.empty() || digits.size() > 18 || (digits[0] == '0' && token.size() > 1))
    return false;
  return std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view without_blanks_behind(std::string_view token) {
  while (!token.empty()
         && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t'))
    token.remove_suffix(1);
  return token;
}

} // namespace

const spelt_member* spelt::find(member_name name) const {
  const auto* at = std::lower_bound(begin(), end(), name.head,
                                    [](const spelt_member& m, std::uint64_t head) { return m.head < head; });
  for (; at != end() && at->head == name.head; ++at)
    if (name.names(*at))
      return at;
  return nullptr;
}

namespace {

/// Text under way, with room for all of it made beforehand: most pieces are a few bytes, and this is most of the work.
class page {
public:
  static constexpr std::size_t slack = 16;

  void begin(std::size_t most) {
    if (room_ < most + slack) {
      room_ = most + slack;
      bytes_ = std::make_unique_for_overwrite<char[]>(room_);
    }
    size_ = 0;
  }
  void put(char c) { bytes_[size_++] = c; }
  void put(std::string_view text) {
    std::memcpy(bytes_.get() + size_, text.data(), text.size());
    size_ += text.size();
  }
  /// For text behind which `slack` more bytes can be read.
  void put_quickly(const char* text, std::size_t size) {
    char* to = bytes_.get() + size_;
    size_ += size;
    do {
      std::memcpy(to, text, slack);
      to += slack;
      text += slack;
    } while (to < bytes_.get() + size_);
  }
  void cut(std::size_t size) { size_ = size; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t room() const { return room_; }
  [[nodiscard]] const char* data() const { return bytes_.get(); }
  [[nodiscard]] char& back() { return bytes_[size_ - 1]; }

private:
  std::unique_ptr<char[]> bytes_;
  std::size_t room_ = 0, size_ = 0;
};

/// Where a name ends: at its quotation mark, or earlier at a backslash. There is one of them, and eight bytes more.
const char* end_of_plain(const char* text) {
  constexpr std::uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
  const auto zeros = [](std::uint64_t v) { return (v - ones) & ~v & high; };
  if constexpr (std::endian::native == std::endian::little) {
    for (std::uint64_t eight;; text += 8) {
      std::memcpy(&eight, text, 8);
      // The lowest mark is right; those above it may not be.
      if (const auto marks = zeros(eight ^ ones * '"') | zeros(eight ^ ones * '\\'); marks != 0)
        return text + (std::countr_zero(marks) >> 3);
    }
  }
  while (*text != '"' && *text != '\\')
    ++text;
  return text;
}

/// `head_of` for a name that has eight readable bytes.
std::uint64_t quick_head_of(const char* name, std::size_t size) {
  if constexpr (std::endian::native != std::endian::little)
    return head_of({name, size});
  std::uint64_t head;
  std::memcpy(&head, name, 8);
  head = __builtin_bswap64(head);
  return size >= 8 ? head : size == 0 ? 0 : head & (~std::uint64_t{0} << (64 - 8 * size));
}

} // namespace

struct speller::impl {
  od::parser parser;
  std::string input; ///< with room behind it
  page text, unsorted;
  std::string escaped; ///< one text under way
  std::vector<spelt_member> members;
  std::vector<spelt_member> open;                    ///< of objects that are not finished: a stack
  std::array<std::vector<std::uint32_t>, 64> orders; ///< last seen of objects with so many members

  void spell_value(od::value& value, std::size_t index, std::size_t depth) {
    auto& m = open[index];
    switch (value.type()) {
      case od::json_type::string: {
        m.kind = type::string;
        const auto token = without_blanks_behind(value.raw_json_token());
        // Control characters and invalid UTF-8 were refused already, so what has no backslash is in our spelling.
        if (std::memchr(token.data(), '\\', token.size()) == nullptr) {
          std::ignore = value.get_raw_json_string().value(); // what is not taken is skipped, and skipping is lax
          m.string = token.substr(1, token.size() - 2);
          text.put_quickly(token.data(), token.size());
        } else {
          m.string = value.get_string();
          put_escaped(m.string);
        }
        break;
      }
      case od::json_type::number: spell_number(value, m); break;
      case od::json_type::boolean:
        m.kind = type::boolean;
        text.put(bool{value.get_bool()} ? "true" : "false");
        break;
      case od::json_type::null:
        if (!value.is_null())
          throw malformed{"it is no JSON: neither null nor anything else"};
        text.put("null");
        break;
      case od::json_type::array: {
        if (depth == 0)
          throw malformed{"it is nested too deeply"};
        m.kind = type::array;
        text.put('[');
        for (od::value element : value.get_array()) {
          open.emplace_back(); // of no use but to be written to
          spell_value(element, open.size() - 1, depth - 1);
          open.pop_back();
          text.put(',');
        }
        end_list('[', ']');
        break;
      }
      case od::json_type::object:
        if (depth == 0)
          throw malformed{"it is nested too deeply"};
        m.kind = type::object;
        spell_object(value.get_object(), index, depth - 1);
        break;
    }
  }

  void spell_number(od::value& value, spelt_member& m) {
    const auto token = without_blanks_behind(value.raw_json_token());
    m.kind = type::integer;
    if (is_plain_integer(token)) {
      std::ignore = value.get_int64().value();
      text.put_quickly(token.data(), token.size());
      return;
    }
    const od::number number = value.get_number();
    escaped.clear();
    switch (number.get_number_type()) {
      case od::number_type::signed_integer: append_plain_number(escaped, number.get_int64()); break;
      case od::number_type::unsigned_integer: append_plain_number(escaped, number.get_uint64()); break;
      case od::number_type::floating_point_number:
        append_plain_number(escaped, number.get_double());
        if (escaped.find_first_of(".e") != std::string::npos)
          m.kind = type::number;
        break;
    }
    text.put(escaped);
  }

  void put_escaped(std::string_view string) {
    escaped.clear();
    append_plain_text(escaped, string);
    text.put(escaped);
  }

  /// Puts the bracket in the place of the last comma, or behind the first bracket.
  void end_list(char first, char last) {
    if (text.back() == first)
      text.put(last);
    else
      text.back() = last;
  }

  void spell_object(od::object object, std::size_t whole, std::size_t depth) {
    const auto begin = text.size();
    const auto first = open.size();
    const auto here = [&] { return static_cast<std::uint32_t>(text.size() - begin); };
    text.put('{');
    bool sorted = true;
    for (od::field field : object) {
      auto& inside = open.emplace_back();
      inside.begin = here();
      const char* raw = field.key().raw();
      const char* raw_end = end_of_plain(raw);
      if (*raw_end == '"') {
        inside.name = {raw, static_cast<std::size_t>(raw_end - raw)};
        inside.head = quick_head_of(raw, inside.name.size());
        text.put_quickly(raw - 1, inside.name.size() + 2);
      } else {
        inside.name = field.unescaped_key();
        inside.head = head_of(inside.name);
        put_escaped(inside.name);
      }
      text.put(':');
      inside.value = here();
      sorted = sorted && (open.size() == first + 1 || precedes(open[open.size() - 2], inside));
      const auto index = open.size() - 1; // objects within move the stack
      spell_value(field.value(), index, depth);
      open[index].end = here();
      text.put(',');
    }
    open[whole].first_inner = static_cast<std::uint32_t>(members.size());
    if (sorted)
      members.insert(members.end(), open.begin() + static_cast<std::ptrdiff_t>(first), open.end());
    else
      sort(begin, first);
    open[whole].last_inner = static_cast<std::uint32_t>(members.size());
    open.resize(first);
    end_list('{', '}');
  }

  /// The order of the members from `first` on. CPA writes all records in one order, so the last one is right mostly.
  const std::vector<std::uint32_t>& order_of(std::size_t first) {
    const auto count = open.size() - first;
    auto& order = orders[std::min(count, orders.size() - 1)];
    const auto in_order = [&](std::uint32_t a, std::uint32_t b) {
      const auto &one = open[first + a], &other = open[first + b];
      return precedes(one, other) || (a < b && one.head == other.head && one.name == other.name);
    };
    if (order.size() != count || std::adjacent_find(order.begin(), order.end(), [&](auto a, auto b) {
                                   return !in_order(a, b);
                                 }) != order.end()) {
      order.resize(count);
      std::iota(order.begin(), order.end(), 0U);
      std::sort(order.begin(), order.end(), in_order);
    }
    return order;
  }

  /// Puts the members from `first` on, and their texts, in order.
  void sort(std::size_t begin, std::size_t first) {
    const auto& order = order_of(first);
    unsorted.begin(text.size() - begin);
    unsorted.put({text.data() + begin, text.size() - begin});
    text.cut(begin + 1);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto& inside = open[first + order[i]];
      if (i + 1 < order.size() && open[first + order[i + 1]].head == inside.head
          && open[first + order[i + 1]].name == inside.name)
        continue;                                                                        // the last of one name counts
      const auto moved = static_cast<std::uint32_t>(text.size() - begin) - inside.begin; // wraps round, and back below
      text.put_quickly(unsorted.data() + inside.begin, inside.end - inside.begin + 1);
      auto& kept = members.emplace_back(inside);
      kept.begin += moved;
      kept.value += moved;
      kept.end += moved;
    }
  }

  void tidy() {
    if (input.capacity() + text.room() + unsorted.room() + escaped.capacity() > kept_room) {
      input = escaped = {};
      text = {};
      unsorted = {};
    }
    orders.back() = {}; // of huge ones
    if (parser.capacity() > kept_room)
      parser = od::parser{};
    if (members.capacity() + open.capacity() > kept_room / 64)
      members = open = {};
  }
};

speller::speller() : impl_(std::make_unique<impl>()) {}
speller::~speller() = default;

std::string speller::spell(std::string_view json, spelt& into) {
  auto& my = *impl_;
  my.tidy();
  my.text.begin(json.size() * 4 + 64); // no spelling is longer: 1e15 grows most
  my.members.clear();
  my.open.clear();
  if (json.size() > largest)
    return "it is longer than 16 MB";
  try {
    my.input.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    my.input.assign(json);
    my.open.emplace_back(); // the root
    auto document = my.parser.iterate(simdjson::padded_string_view(my.input, my.input.capacity()));
    if (od::json_type kind; document.type().get(kind) != simdjson::SUCCESS || kind != od::json_type::object)
      return "it is no JSON object";
    my.spell_object(document.get_object(), 0, deepest);
    const char* rest;
    if (document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS)
      return "something follows the JSON object";
    into = {{my.text.data(), my.text.size()}, &my.members, my.open[0].first_inner, my.open[0].last_inner};
    return {};
  } catch (const malformed& m) {
    return m.why;
  } catch (const simdjson::simdjson_error& e) {
    return std::string{"it is no JSON: "} + e.what();
  }
}

} // namespace keyportal::cpa
