// THE TABLE of options: everything that can be configured, a row each. File, environment, command line, the reference,
// the example file and the printed settings are all made from it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/settings.hpp"
#include "config/value.hpp"

namespace keyportal {

/// A row. `Owner` is `settings`, or `node_settings` for what stands in each [[node]], `consumer_settings` for each
/// [[compat.consumer]], `provider_settings` for each [[sign_in.provider]], `channel_settings` for each
/// [[notices.channel]], or `rule_settings` for each [[notices.rule]].
template <typename Owner>
struct option_row {
  std::string_view key;         ///< "section.name", or "name" at the top of the file or in a list
  value_place (*place)(Owner&); ///< the value's home, which also gives its type
  std::string_view fallback;    ///< default, as written in the environment; empty: none
  value_limits limits;
  std::string_view help; ///< sentences
};
using option = option_row<settings>;
using node_option = option_row<node_settings>;
using consumer_option = option_row<consumer_settings>;
using provider_option = option_row<provider_settings>;
using channel_option = option_row<channel_settings>;
using rule_option = option_row<rule_settings>;

/// In the order of the file.
std::span<const option> options();
std::span<const node_option> node_options();
std::span<const consumer_option> consumer_options();
std::span<const provider_option> provider_options();
std::span<const channel_option> channel_options();
std::span<const rule_option> rule_options();
/// A sentence about a section ("" is the top of the file, "node" the nodes).
std::string_view section_help(std::string_view section);

/// "gateway.listen" -> "KEYPORTAL_GATEWAY_LISTEN".
std::string environment_name(std::string_view key);
/// The known key that is most like `key`, among options and fields of lists written "node.<name>.<field>"
/// "compat.consumer.<name>.<field>" or "sign_in.provider.<name>.<field>"; empty when none is close.
std::string nearest_key(std::string_view key);

/// The part before the dot, or "".
std::string_view section_of(std::string_view key);
std::string_view name_in_section(std::string_view key);

} // namespace keyportal
