// A JSON object brought into exactly one spelling, and what is in it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace keyportal::cpa {

/// A member of an object. Places are counted from the beginning of the object's own text.
struct spelt_member {
  enum class type : std::uint8_t { null, boolean, integer, number, string, array, object };
  type kind = type::null;
  std::string_view name;
  std::string_view string; ///< value of a string, without escapes
  std::uint64_t head = 0;  ///< the first eight bytes of the name: comparing them decides nearly always
  std::uint32_t begin = 0, value = 0, end = 0;   ///< of `"name":value`; `value` where the latter begins
  std::uint32_t first_inner = 0, last_inner = 0; ///< members of an object: half-open range of `spelt::members`
};

/// The first eight bytes of a name as a number that orders as the bytes do.
constexpr std::uint64_t head_of(std::string_view name) {
  std::uint64_t head = 0;
  for (std::size_t i = 0; i < 8; ++i)
    head = head << 8 | (i < name.size() ? static_cast<unsigned char>(name[i]) : 0U);
  return head;
}

/// A name to look for, made ready when the program is built.
struct member_name {
  std::string_view text;
  std::uint64_t head;
  consteval member_name(const char* literal) : text(literal), head(head_of(text)) {} // NOLINT: meant to be implicit
  [[nodiscard]] bool names(const spelt_member& m) const {
    return m.head == head && m.name.size() == text.size() && (text.size() <= 8 || m.name.substr(8) == text.substr(8));
  }
};

/// An object in one spelling: names in order (of several equal ones the last), no blanks, '"' and '\' behind a backslash,
/// control characters as \u00xx, everything else as it is, whole numbers as integers (1000, 1000.0 and 1e3 are one).
/// Equal objects are equal bytes, however they were written.
struct spelt {
  std::string_view text;
  const std::vector<spelt_member>* members = nullptr;
  std::uint32_t first = 0, last = 0; ///< this object's own

  [[nodiscard]] const spelt_member* begin() const { return members->data() + first; }
  [[nodiscard]] const spelt_member* end() const { return members->data() + last; }
  /// The member of that name; null when there is none.
  [[nodiscard]] const spelt_member* find(member_name name) const;
  [[nodiscard]] std::string_view whole(const spelt_member& m) const { return text.substr(m.begin, m.end - m.begin); }
  [[nodiscard]] std::string_view value(const spelt_member& m) const { return text.substr(m.value, m.end - m.value); }
  /// The object that is the value of `m`; an empty one when that is no object.
  [[nodiscard]] spelt inner(const spelt_member& m) const { return {value(m), members, m.first_inner, m.last_inner}; }
};

/// Spells objects. Keeps its room from one to the next. No threads.
class speller {
public:
  speller();
  ~speller();
  speller(const speller&) = delete;
  speller& operator=(const speller&) = delete;

  /// Spells one object; everything in `into` lives until the next call. The reason when `json` is not exactly one valid
  /// JSON object, is larger than 16 MB or nested deeper than 32 levels; empty when it is.
  std::string spell(std::string_view json, spelt& into);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace keyportal::cpa
