#include "actors/cli/line_diff.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace keyportal::cli {

namespace {

constexpr std::size_t most_cells = 16'000'000; ///< of the table of common lines: two files of 4,000 other lines
constexpr std::size_t around = 3;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

struct step {
  char sign;
  std::string_view line;
};

/// The longest common subsequence, by its table of lengths.
std::vector<step> middle(const std::vector<std::string_view>& a, const std::vector<std::string_view>& b) {
  std::vector<step> out;
  const bool too_much = a.size() + 1 > most_cells / (b.size() + 1);
  const auto width = b.size() + 1;
  std::vector<std::uint32_t> common(too_much ? 0 : (a.size() + 1) * width);
  if (!too_much)
    for (auto i = a.size(); i-- > 0;)
      for (auto j = b.size(); j-- > 0;)
        common[i * width + j] = a[i] == b[j] ? common[(i + 1) * width + j + 1] + 1
                                             : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (!too_much && i < a.size() && j < b.size() && a[i] == b[j]) {
      out.push_back({' ', a[i++]});
      ++j;
    } else if (i < a.size() && (too_much || j == b.size() || common[(i + 1) * width + j] >= common[i * width + j + 1]))
      out.push_back({'-', a[i++]});
    else
      out.push_back({'+', b[j++]});
  }
  return out;
}

} // namespace

std::string line_diff(std::string_view before, std::string_view after) {
  if (before == after)
    return {};
  auto a = lines_of(before), b = lines_of(after);
  std::vector<step> steps, tail;
  std::size_t same = 0;
  while (same < a.size() && same < b.size() && a[same] == b[same])
    steps.push_back({' ', a[same++]});
  a.erase(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(same));
  b.erase(b.begin(), b.begin() + static_cast<std::ptrdiff_t>(same));
  while (!a.empty() && !b.empty() && a.back() == b.back()) {
    tail.push_back({' ', a.back()});
    a.pop_back();
    b.pop_back();
  }
  const auto differing = middle(a, b);
  steps.insert(steps.end(), differing.begin(), differing.end());
  steps.insert(steps.end(), tail.rbegin(), tail.rend());

  std::vector<bool> shown(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (steps[i].sign != ' ')
      for (auto near = i - std::min(i, around); near < std::min(steps.size(), i + around + 1); ++near)
        shown[near] = true;
  std::string out;
  bool left_out = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!shown[i]) {
      left_out = true;
      continue;
    }
    if (left_out)
      out += "…\n";
    left_out = false;
    out.append(1, steps[i].sign).append(" ").append(steps[i].line).append("\n");
  }
  if (left_out && !out.empty())
    out += "…\n";
  return out.empty() ? "only the end of the last line differs\n" : out;
}

} // namespace keyportal::cli
