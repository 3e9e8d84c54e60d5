#include "account_room.hpp"

#include "instant.hpp"
#include "json.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstdio>

namespace keyportal::cpa_sim {
namespace {

constexpr std::int64_t hour_ms = 3'600'000;

std::string number(std::int64_t value) { return std::to_string(value); }

/// How long before its end a token is renewed.
std::int64_t life_of(const std::string& provider) {
  return provider == "claude" ? 8 * hour_ms : provider == "codex" ? 10 * 24 * hour_ms : hour_ms;
}

std::string safe(std::string text) {
  for (auto& c : text)
    if (c == '/' || c == '\\')
      c = '-';
  return text;
}

} // namespace

account_room::account_room(const std::vector<credential>& given, std::int64_t now_ms) {
  for (const auto& c : given) {
    if (!c.file)
      continue;
    auth_file f;
    f.name = c.name;
    f.provider = c.group;
    f.email = c.source;
    f.auth_index = c.auth_index;
    f.plan = "plus";
    f.account_id = "acct-" + c.auth_index;
    f.project = "project-" + c.auth_index;
    f.made_ms = f.changed_ms = f.refreshed_ms = now_ms;
    f.ends_ms = now_ms + life_of(f.provider);
    files_[f.name] = std::move(f);
  }
}

auth_file* account_room::at(const std::string& name) {
  const auto found = files_.find(name);
  return found == files_.end() ? nullptr : &found->second;
}

std::vector<auth_file> account_room::shown(std::int64_t now_ms) const {
  const std::lock_guard guard(lock_);
  std::vector<auth_file> out;
  for (const auto& [name, f] : files_)
    if (f.shown_from_ms <= now_ms)
      out.push_back(f);
  return out;
}

std::optional<auth_file> account_room::find(const std::string& name) const {
  const std::lock_guard guard(lock_);
  const auto found = files_.find(name);
  return found == files_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<auth_file> account_room::find_index(const std::string& auth_index) const {
  const std::lock_guard guard(lock_);
  for (const auto& [name, f] : files_)
    if (f.auth_index == auth_index)
      return f;
  return std::nullopt;
}

bool account_room::set_disabled(const std::string& name, bool disabled, std::int64_t now_ms) {
  const std::lock_guard guard(lock_);
  auto* f = at(name);
  if (f == nullptr)
    return false;
  f->disabled = disabled;
  f->changed_ms = now_ms;
  ++f->version;
  if (!disabled) // a change of the file makes the account start afresh
    f->status.clear(), f->message.clear(), f->unavailable = false, f->rests_until_ms = 0;
  changes_.push_back("{\"what\":\"" + std::string(disabled ? "disable" : "enable") + "\",\"name\":" + json_text(name)
                     + '}');
  return true;
}

bool account_room::set_note(const std::string& name, const std::string& note, std::int64_t now_ms) {
  const std::lock_guard guard(lock_);
  auto* f = at(name);
  if (f == nullptr)
    return false;
  f->note = note;
  f->changed_ms = now_ms;
  return true;
}

bool account_room::remove(const std::string& name) {
  const std::lock_guard guard(lock_);
  changes_.push_back("{\"what\":\"delete\",\"name\":" + json_text(name) + '}');
  return files_.erase(name) > 0;
}

std::size_t account_room::remove_all() {
  const std::lock_guard guard(lock_);
  changes_.emplace_back(R"({"what":"delete all"})");
  const auto count = files_.size();
  files_.clear();
  return count;
}

std::string account_room::save_login(const std::string& session_provider, const std::string& project,
                                     const std::string& version, std::int64_t now_ms) {
  const std::lock_guard guard(lock_);
  ++logins_ever_;
  auth_file f;
  f.provider = session_provider == "anthropic" ? "claude"
               : session_provider == "gemini"  ? "gemini-cli"
                                               : session_provider;
  f.email =
    manner_.email.empty() ? "person" + number(static_cast<std::int64_t>(logins_ever_)) + "@example.com" : manner_.email;
  f.plan = manner_.plan;
  const std::string mail = safe(f.email);
  if (f.provider == "codex")
    f.name =
      "codex-" + invented_auth_index(mail).substr(0, 8) + '-' + mail + (f.plan.empty() ? "" : '-' + f.plan) + ".json";
  else if (f.provider == "gemini-cli")
    f.name = "gemini-" + mail + '-' + (project.empty() ? "project-1" : project) + ".json";
  else if (f.provider == "kimi")
    f.name = "kimi-" + number(now_ms) + ".json";
  else
    f.name = f.provider + '-' + mail + ".json";
  f.project = project.empty() ? "project-1" : project;
  f.account_id = "acct-" + invented_auth_index(mail);
  f.auth_index = invented_auth_index(version + f.name);
  f.made_ms = f.changed_ms = f.refreshed_ms = now_ms;
  f.ends_ms = now_ms + life_of(f.provider);
  f.shown_from_ms = now_ms + manner_.list_late_ms;
  if (const auto* before = at(f.name)) { // written over
    f.made_ms = before->made_ms;
    f.version = before->version + 1;
    f.shown_from_ms = 0;
    f.changed_ms = std::max(now_ms, before->changed_ms + 1);
  }
  const std::string name = f.name;
  files_[name] = std::move(f);
  return name;
}

login_manner account_room::manner() const {
  const std::lock_guard guard(lock_);
  return manner_;
}

bool account_room::use_code(const std::string& code) {
  const std::lock_guard guard(lock_);
  return codes_.insert(code).second;
}

void account_room::note_login(const std::string& line) {
  const std::lock_guard guard(lock_);
  logins_.push_back(line);
}

void account_room::note_call(const std::string& auth_index, const std::string& url, std::int64_t now_ms) {
  const std::lock_guard guard(lock_);
  calls_.push_back({auth_index, url, now_ms});
}

std::string account_room::control_account(const request& r, std::int64_t now_ms) {
  const std::lock_guard guard(lock_);
  auto* f = at(r.query_value("name").value_or(""));
  if (f == nullptr)
    return "there is no such account";
  const auto text = [&r](const char* name, std::string& out) {
    if (const auto value = r.query_value(name))
      out = *value;
  };
  const auto real = [&r](const char* name, double& out) {
    if (const auto value = r.query_value(name))
      out = std::strtod(value->c_str(), nullptr);
  };
  const auto whole = [&r](const char* name, auto& out) {
    if (const auto value = r.query_value(name))
      out = static_cast<std::decay_t<decltype(out)>>(std::strtoll(value->c_str(), nullptr, 10));
  };
  const auto from_now = [&](const char* name, std::int64_t& out) {
    if (const auto value = r.query_value(name))
      out = now_ms + std::strtoll(value->c_str(), nullptr, 10);
  };
  text("status", f->status);
  text("message", f->message);
  text("plan", f->plan);
  text("quota_body", f->quota_body);
  if (!r.body.empty())
    f->quota_body = r.body;
  real("used_short", f->used_short);
  real("used_long", f->used_long);
  whole("quota_status", f->quota_status);
  whole("quota_slow_ms", f->quota_slow_ms);
  from_now("rests_ms", f->rests_until_ms);
  from_now("ends_ms", f->ends_ms);
  if (const auto value = r.query_value("unavailable"))
    f->unavailable = *value == "1";
  if (const auto value = r.query_value("disabled"))
    f->disabled = *value == "1";
  if (r.query_value("gone").value_or("") == "1")
    files_.erase(f->name);
  return {};
}

std::string account_room::control_logins(const request& r) {
  const std::lock_guard guard(lock_);
  const auto text = [&r](const char* name, std::string& out) {
    if (const auto value = r.query_value(name))
      out = *value;
  };
  const auto whole = [&r](const char* name, int& out) {
    if (const auto value = r.query_value(name))
      out = std::atoi(value->c_str());
  };
  text("outcome", manner_.outcome);
  text("email", manner_.email);
  text("plan", manner_.plan);
  whole("exchange_ms", manner_.exchange_ms);
  whole("list_late_ms", manner_.list_late_ms);
  whole("ends_after_ms", manner_.ends_after_ms);
  if (const auto value = r.query_value("no_file"))
    manner_.no_file = *value == "1";
  if (const auto value = r.query_value("never"))
    manner_.never = *value == "1";
  return {};
}

std::string account_room::record_json() const {
  const std::lock_guard guard(lock_);
  std::string out = "{\"files\":[";
  const auto comma = [&out] {
    if (out.back() != '[')
      out += ',';
  };
  for (const auto& [name, f] : files_) {
    comma();
    out += "{\"name\":" + json_text(name) + ",\"auth_index\":" + json_text(f.auth_index)
           + ",\"disabled\":" + (f.disabled ? "true" : "false") + ",\"note\":" + json_text(f.note)
           + ",\"version\":" + number(static_cast<std::int64_t>(f.version)) + '}';
  }
  out += "],\"logins\":[";
  for (const auto& line : logins_) {
    comma();
    out += line;
  }
  out += "],\"changes\":[";
  for (const auto& line : changes_) {
    comma();
    out += line;
  }
  out += "],\"calls\":[";
  for (const auto& c : calls_) {
    comma();
    out += "{\"auth_index\":" + json_text(c.auth_index) + ",\"url\":" + json_text(c.url)
           + ",\"at_ms\":" + number(c.at_ms) + '}';
  }
  return out + "]}";
}

void account_room::device_began(const std::string& state) {
  const std::lock_guard guard(lock_);
  newest_device_ = state;
}

std::string account_room::newest_device() const {
  const std::lock_guard guard(lock_);
  return newest_device_;
}

void account_room::decide_device(const std::string& state, const std::string& what) {
  const std::lock_guard guard(lock_);
  devices_[state] = what;
}

std::string account_room::device_decision(const std::string& state) const {
  const std::lock_guard guard(lock_);
  const auto found = devices_.find(state);
  return found == devices_.end() ? std::string() : found->second;
}

} // namespace keyportal::cpa_sim
