// config.yaml as far as the stand-in needs one: it carries the client keys over a restart.
#pragma once

#include "options.hpp"
#include "version.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keyportal::cpa_sim {

/// What the stand-in reads back from its config file.
struct config_values {
  std::vector<std::string> keys;
  bool has_keys = false; ///< the section is there
  bool has_secret = false;
  bool statistics = false;
  int retention = -1; ///< redis-usage-queue-retention-seconds, negative: not there
};

/// The file's text for these values; the order is that of a hand-written config.
std::string config_text(const options& o, const config_values& values);

/// Reads the lines it knows: `api-keys:` with its items, `usage-statistics-enabled:`,
/// `redis-usage-queue-retention-seconds:`, and whether there is a management secret.
config_values read_config(std::string_view text);

/// What the yaml reader of CPA says against a text; empty: nothing. Knows brackets that are left open, lines that are
/// no mapping, and types of a few settings.
std::string yaml_problem(std::string_view text);

/// Body of `GET /config` in the form of a version; `values` but for the keys, which are shown as `keys_json`.
std::string config_json(const options& o, const traits& t, const std::string& keys_json, const config_values& values);

/// Reads a whole file; nothing when it cannot be read.
std::optional<std::string> read_file(const std::string& path);

/// Truncates, then writes in place without sync, as CPA does: a kill in between leaves an empty file.
/// Empty when all went well, else the system's words.
std::string write_in_place(const std::string& path, std::string_view text);

} // namespace keyportal::cpa_sim
