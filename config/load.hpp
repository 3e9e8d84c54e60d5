// Brings the settings together: command line > environment > file > default. Says everything that is wrong at once.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/settings.hpp"

namespace keyportal {

/// Where settings may come from. Tests fill it by hand; `process_environment()` gives what the process has.
struct setting_sources {
  std::optional<std::filesystem::path> file; ///< --config; must exist when given
  /// Of the command line: key and value; later ones win.
  std::vector<std::pair<std::string, std::string>> overrides;
  std::map<std::string, std::string> environment;
  bool is_root = false;
  /// Looked at in this order when no file is given; the first that exists is read.
  std::vector<std::filesystem::path> usual_files;
};

/// Overrides and --config are added by the caller. KEYPORTAL_CONFIG is taken as --config.
setting_sources process_sources();

/// Something to tell the person, with the place to mend it ("keyportal.toml:12", "environment KEYPORTAL_LOG_LEVEL", …).
struct placed_finding {
  std::string where; ///< empty where no single place is known
  std::string key;
  std::string what;
};

struct loaded_settings {
  settings values; ///< to be used only when there are no errors
  std::vector<placed_finding> errors;
  std::vector<placed_finding> warnings;
  std::map<std::string, std::string> origins; ///< key -> where its value came from; none for defaults
  std::optional<std::filesystem::path> file;  ///< the one that was read
};

/// Never throws. Reads the file and the files of secrets; writes nothing.
loaded_settings load_settings(const setting_sources& sources);

/// A line for a person: "keyportal.toml:12: poll.interval: must be …".
std::string describe(const placed_finding& finding);

} // namespace keyportal
