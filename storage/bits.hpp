// Numbers of one width side by side, the low bits first: as small as varints and several times quicker to read, since
// nothing has to be looked at to know where the next one begins.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace keyportal::storage {

static_assert(std::endian::native == std::endian::little, "what is packed is read as it lies there");

/// Bits for each of some numbers, given all of them or'ed together. 0 to 56, or 64: one read of 8 bytes holds any.
constexpr unsigned packed_width(std::uint64_t all) {
  const auto width = static_cast<unsigned>(std::bit_width(all));
  return width > 56 ? 64 : width;
}
constexpr std::size_t packed_bytes(std::size_t count, unsigned width) { return (count * width + 7) / 8; }

inline void put_packed(std::string& out, const std::uint64_t* numbers, std::size_t count, unsigned width) {
  if (width == 64) {
    out.append(reinterpret_cast<const char*>(numbers), count * sizeof *numbers);
    return;
  }
  // Eight bytes at a time; what is too many is cut off in the end.
  const auto begin = out.size();
  const auto bytes = packed_bytes(count, width);
  out.resize(begin + bytes + sizeof(std::uint64_t));
  auto* to = out.data() + begin;
  std::uint64_t waiting = 0;
  unsigned used = 0;
  for (std::size_t i = 0; i < count; ++i) {
    waiting |= numbers[i] << used;
    used += width;
    std::memcpy(to, &waiting, sizeof waiting);
    to += used / 8;
    waiting >>= used / 8 * 8; // at most 56 + 7 bits
    used %= 8;
  }
  std::memcpy(to, &waiting, sizeof waiting);
  out.resize(begin + bytes);
}

/// Takes them off `in`. False: it has fewer bytes, or there is no such width.
[[nodiscard]] inline bool get_packed(std::string_view& in, std::uint64_t* numbers, std::size_t count, unsigned width) {
  const auto bytes = packed_bytes(count, width);
  if (bytes > in.size() || (width > 56 && width != 64))
    return false;
  const auto* const data = in.data();
  const auto there = in.size();
  const auto mask = width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
  // What lies behind them is read with the last ones and cut off, as long as it is there.
  std::size_t quick = width == 0 ? count : there < 8 ? 0 : ((there - 8) * 8) / width + 1;
  quick = quick < count ? quick : count;
  std::size_t bit = 0;
  std::size_t i = 0;
  if (width == 0)
    std::fill_n(numbers, count, std::uint64_t{0});
  else
    for (; i < quick; ++i, bit += width) {
      std::uint64_t word;
      std::memcpy(&word, data + bit / 8, sizeof word);
      numbers[i] = (word >> (bit % 8)) & mask;
    }
  for (; width != 0 && i < count; ++i, bit += width) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + bit / 8, there - bit / 8 < 8 ? there - bit / 8 : 8);
    numbers[i] = (word >> (bit % 8)) & mask;
  }
  in.remove_prefix(bytes);
  return true;
}

/// One of them, where they begin at `data` and `there` bytes may be read; `there` holds it, and its width is possible.
[[nodiscard]] inline std::uint64_t packed_at(const char* data, std::size_t there, std::size_t index, unsigned width) {
  const auto bit = index * width;
  std::uint64_t word = 0;
  std::memcpy(&word, data + bit / 8, there - bit / 8 < 8 ? there - bit / 8 : 8);
  word >>= bit % 8;
  return width == 64 ? word : word & ((std::uint64_t{1} << width) - 1);
}

} // namespace keyportal::storage
