// What matters of a node's config.yaml before it is written back: whether it would lock us out of the node, or open the
// node to everybody. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/secret.hpp"

namespace keyportal::cpa {

/// The keys of CLIProxyAPI's example configuration: they shut the whole proxy (or, in old versions, open it to anybody who
/// has read the example). Blanks around do not matter.
bool is_template_key(std::string_view text);

/// Whether a text can be sent as a key and be recognised: 1 to 512 printable ASCII characters without blanks, and no
/// template key.
bool is_usable_key(std::string_view text);

struct config_facts {
  bool has_secret_key = false;       ///< remote-management.secret-key is there and not empty
  std::vector<std::string> api_keys; ///< as written, without quotes
};

/// Reads a config.yaml as CLIProxyAPI and people write it: block style at the top, lists in block style or on one line.
/// Nothing for what it does not understand, which may still be YAML: a file that is not understood is not written.
std::optional<config_facts> read_config_text(std::string_view text);

/// The file with these keys instead of its own; all else stays as it is but for the comments among its keys. Nothing for
/// a file that is not understood.
std::optional<std::string> with_keys(std::string_view text, const std::vector<secret>& keys);

/// Why the file must not be written to a node; empty when it may. `sentinel`: a key it has to hold; empty: any.
std::string config_danger(std::string_view text, const secret& sentinel);

} // namespace keyportal::cpa
