// What a fuzzing target is: the function it defines. Run by driver.cpp in the tests, and by libFuzzer. Inputs to begin
// with, and those that once broke something, lie in corpus/<target>/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

/// Checks whatever must hold for these bytes; ends the process when it does not.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size); // NOLINT: libFuzzer's name

/// Ends the process with a reason: what must hold does not.
inline void must(bool holds, const char* what) {
  if (holds)
    return;
  std::fprintf(stderr, "fuzz: broken: %s\n", what);
  std::abort();
}

/// Takes the first byte off, which chooses one of `n` things to be tried: 'a' the first, 'b' the second, …
inline std::size_t choice(std::string_view& input, std::size_t n) {
  if (input.empty())
    return 0;
  const auto first = static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  return static_cast<unsigned char>(first - 'a') % n;
}

/// The parts of an input between lines of "---".
inline std::vector<std::string_view> parts_of(std::string_view input) {
  static constexpr std::string_view line = "\n---\n";
  std::vector<std::string_view> out;
  for (;;) {
    const auto at = input.find(line);
    out.push_back(input.substr(0, at));
    if (at == std::string_view::npos)
      return out;
    input.remove_prefix(at + line.size());
  }
}
