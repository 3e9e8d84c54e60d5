// Notices as they are configured: the channels, and the rules by which people are told.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "messages/secret.hpp"

namespace keyportal {

/// One way by which notices go out.
struct channel_settings {
  std::string name; ///< unique, 1 to 32 of [a-z0-9-]
  std::string kind; ///< "feishu", "lark", "feishu_bot", "lark_bot", "mail", "webhook", "dingtalk", "wecom", "telegram"
  secret
    url; ///< of bots and webhooks: the address, which is a credential; of others the host, where it is not the usual one
  std::filesystem::path url_file;
  std::string app_id; ///< of feishu and lark
  secret
    secret_text; ///< the app's secret, the bot's signing secret, the key of a webhook's signature, Telegram's token, the mail server's password
  std::filesystem::path secret_file;
  std::string find_by;        ///< of feishu and lark: "email", "open_id" or "mobile"
  std::string to;             ///< a chat's id, or addresses with commas between: who is told by `channel:<name>`
  std::string server;         ///< of mail: host:port
  std::string security;       ///< of mail: "starttls", "tls" or "none"
  std::string user;           ///< of mail
  std::string from;           ///< of mail: an address
  std::string language;       ///< "zh", "en" or empty: the installation's
  bool allow_private = false; ///< of webhooks and mail: may be in a private network
  int per_second = 0;         ///< 0: what the channel's makers publish
  int per_minute = 0;
};

/// Who hears of which kinds, by which channels. The first one that names a kind decides it.
struct rule_settings {
  std::string name;               ///< unique, 1 to 32 of [a-z0-9-]
  std::vector<std::string> kinds; ///< "key.expiring", "node.*", "*"
  std::vector<std::string>
    to; ///< "owner", "admins", "group:<name>", "person:<e-mail>", "channel:<name>"; empty: nobody
  std::vector<std::string> channels; ///< for people: these and no others; empty: as they wish
};

struct notice_settings {
  std::vector<channel_settings> channels;
  std::vector<rule_settings> rules;
  std::vector<std::string>
    personal;           ///< by which channels people are told who said nothing; empty: the first one for people
  std::string language; ///< "zh" or "en"
  std::string base_url; ///< where people reach the pages; buttons lead there; empty: no buttons
  std::string queue;    ///< "local" or "nats"
  int digest_above = 0; ///< more than so many waiting for one person become one digest
  std::chrono::milliseconds give_up{};
  std::chrono::milliseconds kept{};
  std::filesystem::path authorities; ///< certificate authorities (PEM); empty: those of the system
};

/// Whether people are reached by it: they have an address there.
inline bool is_for_people(const std::string& kind) { return kind == "feishu" || kind == "lark" || kind == "mail"; }

} // namespace keyportal
