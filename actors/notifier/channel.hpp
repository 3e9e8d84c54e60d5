// How a channel is spoken to: what is sent and what its answers mean. Each channel is pure; the wire is somebody else's.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "actors/notifier/notice_book.hpp"
#include "actors/notifier/notice_text.hpp"

namespace keyportal {

/// One request: HTTP, or a mail by SMTP.
struct wire_request {
  secret url; ///< http(s):// or smtp(s)://; may be a credential
  std::vector<std::pair<std::string, std::string>> headers;
  secret authorization; ///< the header's value; empty: none
  secret body;
  // of mail
  bool mail = false;
  bool start_tls = false; ///< refused where the server offers none
  std::string user;
  secret password;
  std::string from;
  std::vector<std::string> to;
  bool allow_private = false; ///< may lead into a private network, or to this machine
};

struct wire_answer {
  /// Whether the other side may have taken the request: then no answer does not mean that nothing happened.
  bool sent = false;
  bool complete = false; ///< `status` and what follows are what it said, all of it
  long status = 0;       ///< of HTTP, or the last reply code of SMTP
  std::string body;
  std::int64_t retry_after_s = 0; ///< 0: it did not say
  bool refused_here = false;      ///< by ourselves: the address is not allowed
  std::string problem;            ///< a sentence where it is not complete; names the host and nothing behind it
};

/// What is to be told, to whom.
struct parcel {
  notice_record what;
  letter text;
  std::string dedup; ///< the same for every attempt of one notice; at most 50 characters
  std::string facts; ///< a JSON object, without codes
  // what a conversation remembers from step to step
  std::string stage;
  std::string found; ///< whom the address turned out to be
  bool renewed = false;
};

using channel_step = std::variant<wire_request, delivery_result>;

/// One thread at a time.
class notice_channel {
public:
  virtual ~notice_channel() = default;
  virtual channel_step begin(parcel& what, moment now) = 0;
  virtual channel_step answered(parcel& what, const wire_answer& answer, moment now) = 0;
  /// What would be sent, for people; no secret in it.
  [[nodiscard]] virtual std::string preview(const letter& what) const = 0;
};

std::unique_ptr<notice_channel> make_channel(const channel_settings& how);
std::unique_ptr<notice_channel> make_feishu_app(const channel_settings& how);
std::unique_ptr<notice_channel> make_feishu_bot(const channel_settings& how);
std::unique_ptr<notice_channel> make_mail(const channel_settings& how);
std::unique_ptr<notice_channel> make_webhook(const channel_settings& how);
std::unique_ptr<notice_channel> make_dingtalk(const channel_settings& how);
std::unique_ptr<notice_channel> make_wecom(const channel_settings& how);
std::unique_ptr<notice_channel> make_telegram(const channel_settings& how);

// --- what channels have in common ---

delivery_result delivered(std::string answer, std::string message = {});
delivery_result again(std::string answer, bool channel_wide, std::int64_t wait_s = 0);
delivery_result refused(std::string answer);
delivery_result broken(std::string answer);
delivery_result unknown(std::string answer);
/// Of an answer that is none, or no success of HTTP that says more: nothing for one that the channel has to read.
std::optional<delivery_result> without_answer(const wire_answer& answer);
/// HMAC-SHA-256, as bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);
/// The sign of Feishu's bots: over nothing, under "timestamp\nsecret".
std::string feishu_sign(std::string_view timestamp, std::string_view secret_text);
/// The sign of DingTalk's bots: over "timestamp\nsecret", under the secret, not yet encoded for an address.
std::string dingtalk_sign(std::string_view timestamp_ms, std::string_view secret_text);

} // namespace keyportal
