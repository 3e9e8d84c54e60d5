#include "config/notice_settings.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "config/settings.hpp"

namespace keyportal {

namespace {

using findings = std::vector<finding>;

bool is_one_of(const std::string& text, std::initializer_list<std::string_view> all) {
  return std::find(all.begin(), all.end(), text) != all.end();
}

bool is_address(std::string_view text) {
  const auto at = text.find('@');
  return at != std::string_view::npos && at > 0 && at + 1 < text.size() && text.size() <= 254
         && text.find_first_of(" <>,;\"") == std::string_view::npos;
}

/// Empty when a bot, a webhook or a host may be asked there; what is wrong never shows the address, which is a credential.
std::string check_channel_url(const channel_settings& one) {
  const auto& url = one.url.reveal();
  bool here = false;
  const auto wrong = check_provider_url(url, &here);
  const bool in_clear = url.starts_with("http://") && one.kind == "webhook" && one.allow_private;
  return in_clear ? std::string{} : wrong;
}

template <typename Key>
void check_mail(const channel_settings& one, const Key& key, findings& errors, findings& warnings) {
  std::string host;
  if (one.server.empty() || !split_authority(one.server, host).empty())
    errors.push_back({key("server"), "mail needs its server, as host:port"});
  if (!is_address(one.from))
    errors.push_back({key("from"), "mail needs the address that it comes from"});
  if (one.user.empty() != one.secret_text.empty())
    errors.push_back({key("user"), "user and secret go together"});
  if (one.security == "none" && !host.empty() && !is_loopback(host)) {
    if (!one.user.empty())
      errors.push_back({key("security"), "a password is not sent in clear to another machine; take starttls or tls"});
    else
      warnings.push_back({key("security"), "mail goes in clear to another machine, codes for new passwords too"});
  }
}

template <typename Key>
void check_channel(const channel_settings& one, const Key& key, findings& errors, findings& warnings) {
  if (one.kind.empty()) {
    errors.push_back({key("kind"), "every [[notices.channel]] needs its kind"});
    return;
  }
  const bool app = is_one_of(one.kind, {"feishu", "lark"});
  if (one.kind == "mail")
    check_mail(one, key, errors, warnings);
  if (app && (one.app_id.empty() || one.secret_text.empty()))
    errors.push_back({key("app_id"), "it needs the app_id and the secret, or secret_file, of the app"});
  if (one.kind == "telegram" && (one.secret_text.empty() || one.to.empty()))
    errors.push_back({key("secret"), "it needs the bot's token as secret, or secret_file, and the chat's id as to"});
  if (is_one_of(one.kind, {"feishu_bot", "lark_bot", "webhook", "dingtalk", "wecom"}) && one.url.empty())
    errors.push_back({key("url"), "it needs its url, or url_file"});
  if (!one.url.empty() && one.kind != "mail")
    if (auto wrong = check_channel_url(one); !wrong.empty())
      errors.push_back({key("url"), std::move(wrong)});
  if (one.kind == "telegram"
      && one.secret_text.reveal().find_first_not_of("0123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-")
           != std::string::npos)
    errors.push_back({key("secret"), "a bot's token looks like 123456:ABC-DEF"});
}

} // namespace

void check_notices(settings& values, findings& errors, findings& warnings) {
  auto& notices = values.notices;
  std::set<std::string> names;
  int number = 0;
  const auto name_of = [&](std::string_view list, const std::string& name, std::string_view field) {
    return fmt::format("notices.{}.{}.{}", list, is_node_name(name) ? name : std::to_string(number), field);
  };
  for (const auto& one : notices.channels) {
    ++number;
    const auto key = [&](std::string_view field) { return name_of("channel", one.name, field); };
    if (!is_node_name(one.name))
      errors.push_back({key("name"), "every channel needs a name: 1 to 32 of a-z, 0-9 and -"});
    else if (!names.insert(one.name).second)
      errors.push_back({key("name"), "two channels have this name"});
    check_channel(one, key, errors, warnings);
  }
  if (notices.channels.size() > 64)
    errors.push_back({"notices.channel", "64 at most"});
  for (const auto& one : notices.personal)
    if (std::none_of(notices.channels.begin(), notices.channels.end(),
                     [&](const auto& c) { return c.name == one && is_for_people(c.kind); }))
      errors.push_back({"notices.personal", fmt::format("there is no channel for people named {}", one)});
  number = 0;
  std::set<std::string> rules;
  for (const auto& one : notices.rules) {
    ++number;
    const auto key = [&](std::string_view field) { return name_of("rule", one.name, field); };
    if (!is_node_name(one.name) || !rules.insert(one.name).second)
      errors.push_back({key("name"), "every rule needs a name of its own: 1 to 32 of a-z, 0-9 and -"});
    if (one.kinds.empty())
      errors.push_back({key("kinds"), "it needs the kinds that it is for"});
    for (const auto& to : one.to) {
      const bool known = to == "owner" || to == "admins" || (to.starts_with("group:") && to.size() > 6)
                         || (to.starts_with("person:") && is_address(std::string_view(to).substr(7)))
                         || (to.starts_with("channel:") && names.contains(to.substr(8)));
      if (!known)
        errors.push_back(
          {key("to"),
           "each is owner, admins, group:<name>, person:<e-mail> or channel:<name> of a channel that is there"});
    }
    for (const auto& by : one.channels)
      if (!names.contains(by))
        errors.push_back({key("channels"), fmt::format("there is no channel named {}", by)});
  }
  if (!notices.base_url.empty())
    if (auto wrong = check_provider_url(notices.base_url); !wrong.empty())
      errors.push_back({"notices.base_url", std::move(wrong)});
}

} // namespace keyportal
