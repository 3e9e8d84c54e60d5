// What a fuzzing target is: the two functions it defines. Run by driver.cpp in the tests, and by libFuzzer.
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

/// Inputs to begin with.
std::vector<std::string> fuzz_seeds();

/// Ends the process with a reason: what must hold does not.
inline void must(bool holds, const char* what) {
  if (holds)
    return;
  std::fprintf(stderr, "fuzz: broken: %s\n", what);
  std::abort();
}
