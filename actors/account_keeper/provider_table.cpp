#include "actors/account_keeper/provider_table.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace keyportal {

namespace {

using namespace std::chrono_literals;
using body = provider_row::body;

// A table: a row a provider.
// clang-format off
constexpr provider_row table[] = {
  {"claude", "anthropic", "Claude", "anthropic claude-code", "anthropic", "http://localhost:54545/callback",
   0, UINT32_MAX, 4h, "GET", "https://api.anthropic.com/api/oauth/usage",
   "Content-Type: application/json\nanthropic-beta: oauth-2025-04-20", body::none},
  {"codex", "codex", "ChatGPT Codex", "openai chatgpt", "codex", "http://localhost:1455/auth/callback",
   0, UINT32_MAX, 120h, "GET", "https://chatgpt.com/backend-api/wham/usage",
   "Content-Type: application/json\nUser-Agent: codex_cli_rs/0.76.0 (Debian 12; x86_64)", body::none},
  {"antigravity", "antigravity", "Google Antigravity", "anti-gravity", "antigravity",
   "http://localhost:51121/oauth-callback", 0, UINT32_MAX, 5min, "POST",
   "https://daily-cloudcode-pa.googleapis.com/v1internal:retrieveUserQuotaSummary",
   "Content-Type: application/json\nUser-Agent: antigravity/cli/1.0.13 (aidev_client; os_type=darwin; arch=arm64)",
   body::project},
  {"gemini-cli", "gemini", "Gemini CLI", "gemini google", "gemini-cli", "http://localhost:8085/oauth2callback",
   0, 7002020, 0s, "POST", "https://cloudcode-pa.googleapis.com/v1internal:retrieveUserQuota",
   "Content-Type: application/json", body::project},
  {"kimi", "kimi", "Kimi", "moonshot", "kimi", "", 6008000, UINT32_MAX, 5min, "GET",
   "https://api.kimi.com/coding/v1/usages", "", body::none},
  {"xai", "xai", "xAI Grok", "grok x-ai x.ai", "xai", "", 7001000, UINT32_MAX, 5min, "GET",
   "https://cli-chat-proxy.grok.com/v1/billing?format=credits",
   "x-xai-token-auth: xai-grok-cli\nx-grok-client-version: 0.2.91\nuser-agent: grok-pager/0.2.91 grok-shell/0.2.91 (linux)",
   body::none},
  {"qwen", "qwen", "Qwen", "", "qwen", "", 0, 6009026, 3h, "", "", "", body::none},
  {"iflow", "iflow", "iFlow", "i-flow", "iflow", "http://localhost:11451/", 0, 6009028, 24h, "", "", "",
   body::none},
  {"vertex", "", "Google Vertex", "", "", "", 0, 0, 0s, "", "", "", body::none},
};
// clang-format on

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const auto end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word)
      return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

} // namespace

std::uint32_t version_number(std::string_view version) {
  if (version.starts_with('v'))
    version.remove_prefix(1);
  std::uint32_t parts[3] = {};
  for (auto& part : parts) {
    const auto [end, problem] = std::from_chars(version.data(), version.data() + version.size(), part);
    if (problem != std::errc{} || part > 999)
      return 0;
    version.remove_prefix(static_cast<std::size_t>(end - version.data()));
    if (version.starts_with('.'))
      version.remove_prefix(1);
    else if (&part != &parts[2])
      return 0;
  }
  return parts[0] * 1'000'000 + parts[1] * 1'000 + parts[2];
}

std::span<const provider_row> providers() { return table; }

const provider_row* find_provider(std::string_view name) {
  const auto wanted = lower(name);
  if (wanted.empty())
    return nullptr;
  for (const auto& row : table)
    if (row.name == wanted || row.session == wanted || has_word(row.words, wanted))
      return &row;
  return nullptr;
}

bool offers_login(const provider_row& row, std::string_view version) {
  if (row.route.empty())
    return false;
  const auto number = version_number(version);
  return number == 0 || (number >= row.since && number < row.before);
}

} // namespace keyportal
