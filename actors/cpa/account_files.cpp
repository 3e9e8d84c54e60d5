#include "actors/cpa/account_files.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "messages/errors.hpp"

namespace keyportal::cpa {

namespace {

using nlohmann::json;

std::string text_in(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

bool flag_in(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_boolean() && found->get<bool>();
}

std::optional<moment> moment_of_number(double value) {
  if (!(value > 0) || value > 9e15)
    return std::nullopt;
  const auto ms = value > 1e12 ? value : value * 1000;
  if (ms > 9e15)
    return std::nullopt;
  const auto whole = static_cast<std::int64_t>(ms);
  return whole > 9'000'000'000'000 ? std::nullopt : std::optional(moment_of(whole * 1'000'000));
}

std::optional<moment> moment_in(const json& from, std::string_view name) {
  const auto found = from.find(name);
  if (found == from.end())
    return std::nullopt;
  if (found->is_string())
    return read_moment(found->get<std::string>());
  return found->is_number() ? moment_of_number(found->get<double>()) : std::nullopt;
}

/// "mail (project)": the last parentheses.
std::string project_of(const std::string& account) {
  const auto open = account.rfind('('), close = account.rfind(')');
  return open == std::string::npos || close == std::string::npos || close < open
           ? ""
           : account.substr(open + 1, close - open - 1);
}

std::optional<moment> first_of(const json& from) {
  for (const char* name : {"expired", "expire", "expires_at", "expiresAt", "expiry", "expires"})
    if (auto at = moment_in(from, name))
      return at;
  return std::nullopt;
}

} // namespace

std::optional<moment> read_moment(std::string_view text) {
  if (const auto at = parse_rfc3339(text))
    return at->unix_ns > 0 ? std::optional(moment_of(at->unix_ns)) : std::nullopt;
  if (!text.empty() && text.size() <= 15
      && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return moment_of_number(static_cast<double>(value));
  }
  if (text.size() >= 16 && text.size() <= 19 && text[10] == ' ') {
    std::string whole(text);
    whole[10] = 'T';
    if (whole.size() == 16)
      whole += ":00";
    if (const auto at = parse_rfc3339(whole + "Z"))
      return moment_of(at->unix_ns);
  }
  return std::nullopt;
}

caf::expected<std::vector<auth_file>> read_auth_files(const node_name& node, std::string_view body) {
  const auto all = json::parse(body, nullptr, false);
  if (!all.is_object() || !all.contains("files") || !(all["files"].is_array() || all["files"].is_null()))
    return make_error(errc::node_answer_malformed, fmt::format("{}: its list of accounts", node));
  std::vector<auth_file> out;
  for (const auto& one : all["files"]) {
    if (!one.is_object())
      return make_error(errc::node_answer_malformed, fmt::format("{}: its list of accounts", node));
    auth_file f;
    f.name = text_in(one, "name");
    if (f.name.empty())
      f.name = text_in(one, "id");
    if (f.name.empty())
      continue;
    f.provider = text_in(one, "provider");
    if (f.provider.empty())
      f.provider = text_in(one, "type");
    std::transform(f.provider.begin(), f.provider.end(), f.provider.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (f.provider == "gemini")
      f.provider = "gemini-cli";
    if (f.provider == "anthropic")
      f.provider = "claude";
    const auto account = text_in(one, "account");
    f.email = text_in(one, "email");
    if (f.email.empty() && account.find('@') != std::string::npos)
      f.email = account.substr(0, account.find(' '));
    const auto index = one.find("auth_index");
    f.auth_index = index == one.end()           ? ""
                   : index->is_string()         ? index->get<std::string>()
                   : index->is_number_integer() ? std::to_string(index->get<std::int64_t>())
                                                : "";
    f.status = text_in(one, "status");
    f.message = text_in(one, "status_message");
    f.disabled = flag_in(one, "disabled") || f.status == "disabled";
    f.unavailable = flag_in(one, "unavailable");
    f.runtime_only = flag_in(one, "runtime_only");
    f.rests_until = moment_in(one, "next_retry_after");
    f.refreshed_at = moment_in(one, "last_refresh");
    f.changed_at = moment_in(one, "modtime");
    if (const auto size = one.find("size"); size != one.end() && size->is_number_integer())
      f.size = size->get<std::int64_t>();
    f.project = text_in(one, "project_id");
    if (f.project.empty())
      f.project = project_of(account);
    if (const auto token = one.find("id_token"); token != one.end() && token->is_object()) {
      f.plan = text_in(*token, "plan_type");
      f.chatgpt_id = text_in(*token, "chatgpt_account_id");
    }
    out.push_back(std::move(f));
  }
  std::sort(out.begin(), out.end(), [](const auth_file& a, const auth_file& b) { return a.name < b.name; });
  return out;
}

token_times read_token_times(std::string_view credential) {
  token_times out;
  const auto all = json::parse(credential, nullptr, false);
  if (!all.is_object())
    return out;
  out.ends = first_of(all);
  const auto inner = all.find("token");
  if (!out.ends && inner != all.end() && inner->is_object())
    out.ends = first_of(*inner);
  out.refreshed = moment_in(all, "last_refresh");
  if (!out.refreshed)
    out.refreshed = moment_in(all, "timestamp");
  out.project = text_in(all, "project_id");
  return out;
}

} // namespace keyportal::cpa
