#include "actors/cpa/account_book.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/sha.h>

#include "messages/errors.hpp"

namespace keyportal::cpa {

namespace {

using nlohmann::json;

/// CPA's own rule: the first eight bytes of SHA-256 of what a credential is made of.
std::string auth_index_of(const std::string& seed) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(seed.data()), seed.size(), digest);
  std::string out;
  for (int i = 0; i < 8; ++i)
    out += fmt::format("{:02x}", digest[i]);
  return out;
}

bool take_counters(const json& from, account_counter& into) {
  const auto ok = from.find("success"), failed = from.find("failed");
  if (ok == from.end() || failed == from.end() || !ok->is_number_integer() || !failed->is_number_integer())
    return false;
  into.ok = ok->get<std::int64_t>();
  into.failed = failed->get<std::int64_t>();
  return true;
}

std::string text_of(const json& from, const char* name) {
  const auto at = from.find(name);
  return at != from.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

/// What the index of a configured key may be made of. From 7.0 on that of an OpenAI-compatible provider, whatever its
/// owner calls it, is certain.
std::vector<std::string> kinds_of(const std::string& provider, std::string_view version) {
  static const std::array own{"gemini", "claude", "codex", "vertex", "xai", "kimi", "qwen", "iflow", "antigravity"};
  const bool is_own = std::find(own.begin(), own.end(), provider) != own.end();
  const bool certain = !version.empty() && version.front() >= '7' && version.front() <= '9';
  if (!is_own && certain)
    return {"openai-compatibility"};
  return {is_own ? provider : "openai-compatibility", is_own ? provider + ":apikey" : provider};
}

} // namespace

caf::expected<std::vector<account_counter>> read_accounts(const node_name& node, std::string_view auth_files,
                                                          std::string_view api_key_usage, std::string_view version) {
  const auto malformed = [&](const char* what) {
    return make_error(errc::node_answer_malformed, fmt::format("{}: {}", node, what));
  };
  std::vector<account_counter> out;
  const auto files = json::parse(auth_files, nullptr, false);
  if (!files.is_object() || !files.contains("files") || !(files["files"].is_array() || files["files"].is_null()))
    return malformed("its list of accounts");
  for (const auto& file : files["files"]) {
    if (!file.is_object())
      return malformed("an account in its list");
    account_counter one{text_of(file, "name"), {text_of(file, "auth_index")}, 0, 0};
    if (!one.auth_indexes.front().empty() && take_counters(file, one))
      out.push_back(std::move(one));
  }
  const auto keys = json::parse(api_key_usage, nullptr, false);
  if (!keys.is_object())
    return malformed("its list of provider keys");
  for (const auto& [provider, entries] : keys.items()) {
    if (!entries.is_object())
      return malformed("a provider in its list of keys");
    for (const auto& [place, counters] : entries.items()) {
      if (!counters.is_object())
        return malformed("a provider key in its list");
      const auto bar = place.rfind('|');
      if (bar == std::string::npos)
        continue;
      const auto address_and_key = place.substr(0, bar) + "+" + place.substr(bar + 1);
      account_counter one{provider, {}, 0, 0};
      for (const auto& kind : kinds_of(provider, version))
        one.auth_indexes.push_back(auth_index_of(fmt::format("{}:{}", kind, address_and_key)));
      if (take_counters(counters, one))
        out.push_back(std::move(one));
    }
  }
  return out;
}

} // namespace keyportal::cpa
