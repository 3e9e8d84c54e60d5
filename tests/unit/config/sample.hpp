// What the configuration tests share: a folder of their own and settings from given texts.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/load.hpp"
#include "tests/support/temporary_folder.hpp"

namespace keyportal::test {

/// A folder to write configurations into.
class config_folder : public temporary_folder {
public:
  std::filesystem::path write(const std::string& name, const std::string& text, int mode = 0600) const {
    const auto file = path() / name;
    std::ofstream(file, std::ios::binary) << text;
    std::filesystem::permissions(file, static_cast<std::filesystem::perms>(mode));
    return file;
  }
};

/// Sources with a home folder and nothing else.
inline setting_sources bare() {
  setting_sources sources;
  sources.environment["HOME"] = "/home/somebody";
  return sources;
}

inline bool mentions(const std::vector<placed_finding>& findings, const std::string& text) {
  return std::any_of(findings.begin(), findings.end(),
                     [&](const auto& f) { return describe(f).find(text) != std::string::npos; });
}

inline std::string all_of_it(const std::vector<placed_finding>& findings) {
  std::string out;
  for (const auto& f : findings)
    out += describe(f) + "\n";
  return out;
}

} // namespace keyportal::test
