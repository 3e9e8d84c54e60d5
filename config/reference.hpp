// Texts made from the table of options: reference, example file, what is in force.
#pragma once

#include <string>

#include "config/load.hpp"

namespace keyportal {

/// Every option as Markdown; `config/reference.md` is this text.
std::string reference_markdown();
/// A configuration file with every option commented out at its default; `config/keyportal.example.toml` is this text.
std::string example_toml();
/// What is in force, as TOML with the origin of each value that is not a default. No secret.
std::string print_toml(const loaded_settings& loaded);
/// The same as one JSON object: {"file", "settings": {"poll.interval": "3s", …}, "origins": {…}, "nodes": […]}.
std::string print_json(const loaded_settings& loaded);

} // namespace keyportal
