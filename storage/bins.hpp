// How a distribution lies in a row: in the shortest of four forms, each of which is read without looking at every byte.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "storage/bits.hpp"
#include "storage/cell_fold.hpp"
#include "storage/encoding.hpp"

namespace keyportal::storage {

/// The upper two bits of the first byte; the lower six are a width in bits where there is one.
enum class bins_form : std::uint8_t {
  pairs = 0,  ///< 0: there are none; 1: count of bins, then of each its step and its count
  list = 1,   ///< first bin, count of attempts, then the bin of each, as what it is above the first, ascending
  dense = 2,  ///< first bin, count of bins, then the count of each
  single = 3, ///< one attempt: its bin, of which the upper bits are in the first byte
};
inline constexpr std::uint64_t most_bins = 4096; ///< more than there are (see bin_of); what is above comes in pairs

/// Bins ascend, with counts that are not 0. The same ones are always the same bytes.
inline void put_bins(std::string& out, std::span<const bin_count> bins) {
  if (bins.empty()) {
    out.push_back(0);
    return;
  }
  const auto first = bins.front().first, last = bins.back().first;
  if (bins.size() == 1 && bins[0].second == 1 && first < most_bins) {
    out.push_back(static_cast<char>(static_cast<unsigned>(bins_form::single) << 6 | first >> 8));
    out.push_back(static_cast<char>(first & 0xffU));
    return;
  }
  std::uint64_t all = 0, counts = 0;
  bool small = last < most_bins;
  for (const auto& [bin, count] : bins) {
    small = small && count > 0 && count < (std::int64_t{1} << 40);
    counts |= static_cast<std::uint64_t>(count);
    all += static_cast<std::uint64_t>(count);
  }
  const auto head = [&](bins_form form, unsigned width) {
    out.push_back(static_cast<char>(static_cast<unsigned>(form) << 6 | width));
  };
  if (small) {
    const auto range = static_cast<std::uint64_t>(last - first) + 1;
    const auto of_bin = packed_width(range - 1), of_count = packed_width(counts);
    const auto as_list = all > most_bins ? SIZE_MAX : packed_bytes(all, of_bin), as_dense = packed_bytes(range, of_count);
    const auto as_pairs = 2 * bins.size(); // at least
    if (std::min(as_list, as_dense) <= as_pairs) {
      std::array<std::uint64_t, most_bins> numbers;
      std::size_t n = 0;
      if (as_list <= as_dense) {
        for (const auto& [bin, count] : bins)
          n = static_cast<std::size_t>(
            std::fill_n(numbers.begin() + static_cast<std::ptrdiff_t>(n), count, std::uint64_t{bin} - first)
            - numbers.begin());
        head(bins_form::list, of_bin);
        put_varint(out, first);
        put_varint(out, n);
        put_packed(out, numbers.data(), n, of_bin);
      } else {
        std::fill_n(numbers.begin(), range, std::uint64_t{0});
        for (const auto& [bin, count] : bins)
          numbers[static_cast<std::size_t>(bin - first)] = static_cast<std::uint64_t>(count);
        head(bins_form::dense, of_count);
        put_varint(out, first);
        put_varint(out, range);
        put_packed(out, numbers.data(), range, of_count);
      }
      return;
    }
  }
  head(bins_form::pairs, 1);
  put_varint(out, bins.size());
  std::uint16_t before = 0;
  for (const auto& [bin, count] : bins) {
    put_varint(out, static_cast<std::uint64_t>(bin - before));
    put_zigzag(out, count);
    before = bin;
  }
}

/// Takes pairs off `in`: all that rows of before had.
template <class Add>
[[nodiscard]] bool get_pairs(std::string_view& in, Add add) {
  std::uint64_t count = 0, bin = 0;
  if (!get_varint(in, count) || count > in.size())
    return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t step = 0;
    std::int64_t many = 0;
    if (!get_varint(in, step) || !get_zigzag(in, many) || step > UINT16_MAX || (bin += step) > UINT16_MAX)
      return false;
    add(bin, many);
  }
  return true;
}

/// Takes a distribution off `in` and calls `add(bin, count)`, bins ascending, maybe one of them several times; where
/// `AddAll` is given, `add_all(first bin, counts)` instead where the counts lie side by side.
template <class Add, class AddAll>
[[nodiscard]] bool get_bins(std::string_view& in, Add add, AddAll add_all) {
  if (in.empty())
    return false;
  const auto head = static_cast<unsigned char>(in[0]);
  in.remove_prefix(1);
  const auto form = static_cast<bins_form>(head >> 6);
  const auto width = head & 0x3fU;
  if (form == bins_form::pairs)
    return width == 0 || (width == 1 && get_pairs(in, add));
  if (form == bins_form::single) {
    if (in.empty() || width * 256 >= most_bins)
      return false;
    add(std::uint64_t{width} << 8 | static_cast<unsigned char>(in[0]), std::int64_t{1});
    in.remove_prefix(1);
    return true;
  }
  std::uint64_t first = 0, count = 0;
  if (!get_varint(in, first) || !get_varint(in, count) || first >= most_bins || count == 0 || count > most_bins
      || width > 40)
    return false;
  if (form == bins_form::list && width == 0) {
    add(first, static_cast<std::int64_t>(count));
    return true;
  }
  std::array<std::uint64_t, most_bins> numbers;
  if (!get_packed(in, numbers.data(), count, width))
    return false;
  const std::span<const std::uint64_t> those{numbers.data(), count};
  if (form == bins_form::dense) {
    if (first + count > most_bins)
      return false;
    add_all(first, those);
    return true;
  }
  for (std::uint64_t i = 0, before = 0; i < count; before = those[i++])
    if (those[i] < before || first + those[i] >= most_bins)
      return false;
  for (const auto one : those)
    add(first + one, std::int64_t{1});
  return true;
}

/// Takes a distribution off `in` unread.
[[nodiscard]] inline bool skip_bins(std::string_view& in) {
  if (in.empty())
    return false;
  const auto head = static_cast<unsigned char>(in[0]);
  const auto form = static_cast<bins_form>(head >> 6);
  if (form == bins_form::pairs || form == bins_form::single)
    return get_bins(in, [](auto, auto) {}, [](auto, const auto&) {});
  in.remove_prefix(1);
  std::uint64_t first = 0, count = 0;
  if (!get_varint(in, first) || !get_varint(in, count) || count > most_bins)
    return false;
  const auto bytes = packed_bytes(count, head & 0x3fU);
  if (bytes > in.size())
    return false;
  in.remove_prefix(bytes);
  return true;
}

} // namespace keyportal::storage
