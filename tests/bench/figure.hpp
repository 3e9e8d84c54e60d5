// How benchmarks say what they measured: one JSON line a figure on standard output.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace keyportal::bench {

/// `ratio_to` and `ratio`: how many times better than the plain way that ran beside it; empty for none.
inline void figure(const std::string& name, double value, const std::string& unit, std::uint64_t n,
                   const std::string& ratio_to = {}, double ratio = 0) {
  const auto rounded = [](double v) { return v >= 1000 ? fmt::format("{:.0f}", v) : fmt::format("{:.4g}", v); };
  auto line = fmt::format(R"({{"bench":"{}","value":{},"unit":"{}","n":{})", name, rounded(value), unit, n);
  if (!ratio_to.empty())
    line += fmt::format(R"(,"ratio":{{"to":"{}","value":{:.4g}}})", ratio_to, ratio);
  std::puts((line + "}").c_str());
  std::fflush(stdout);
}

/// CPU time of this process in milliseconds.
inline double cpu_ms() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

/// What this process has read from disks so far, in MB.
inline double read_mb() {
  std::ifstream in{"/proc/self/io"};
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("read_bytes:"))
      return static_cast<double>(std::stoll(line.substr(11))) / 1e6;
  return 0;
}

/// A line of /proc/<pid>/status in kB, e.g. "VmRSS" or "VmHWM"; 0 if it cannot be read.
inline long status_kb(const std::string& field, const std::string& pid = "self") {
  std::ifstream in{"/proc/" + pid + "/status"};
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(field + ":"))
      return std::stol(line.substr(field.size() + 1));
  return 0;
}

/// Forgets the highest memory use so far, so that VmHWM tells of what comes.
inline void forget_peak_memory() { std::ofstream{"/proc/self/clear_refs"} << "5"; }

/// The value below which `share` of the samples lie; sorts them.
inline double percentile(std::vector<double>& samples, double share) {
  if (samples.empty())
    return 0;
  std::sort(samples.begin(), samples.end());
  return samples[std::min(samples.size() - 1, static_cast<std::size_t>(share * static_cast<double>(samples.size())))];
}

} // namespace keyportal::bench
