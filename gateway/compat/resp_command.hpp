// Commands of RESP2 as CLIProxyAPI reads them, and its answers. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keyportal::compat {

/// Whether a connection's first byte means RESP; all others are HTTP.
bool begins_resp(char first);

enum class command_state : std::uint8_t { more, whole, malformed };

/// Reads the first command of `bytes`: its words, and how many bytes it took when it is whole. At most 64 words of
/// 64 KiB: longer is malformed, as soon as it shows.
command_state read_command(std::string_view bytes, std::vector<std::string>& words, std::size_t& used);

/// `-ERR text`.
std::string resp_error(std::string_view text);
void append_bulk(std::string& out, std::string_view text);
/// A frame of a subscription: `message` with a payload.
void append_message(std::string& out, std::string_view channel, std::string_view payload);

} // namespace keyportal::compat
