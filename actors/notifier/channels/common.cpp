// What channels have in common.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "actors/identity/text_codes.hpp"
#include "actors/notifier/channel.hpp"

namespace keyportal {

delivery_result delivered(std::string answer, std::string message) {
  return {delivery_result::kind::delivered, std::move(answer), std::move(message), {}, false};
}

delivery_result again(std::string answer, bool channel_wide, std::int64_t wait_s) {
  delivery_result out{delivery_result::kind::again, std::move(answer), {}, {}, channel_wide};
  if (wait_s > 0)
    out.wait = std::chrono::seconds{std::min<std::int64_t>(wait_s, 3600)};
  return out;
}

delivery_result refused(std::string answer) {
  return {delivery_result::kind::refused, std::move(answer), {}, {}, false};
}
delivery_result broken(std::string answer) { return {delivery_result::kind::broken, std::move(answer), {}, {}, true}; }
delivery_result unknown(std::string answer) {
  return {delivery_result::kind::unknown, std::move(answer), {}, {}, false};
}

std::optional<delivery_result> without_answer(const wire_answer& a) {
  if (a.refused_here)
    return broken(a.problem);
  if (!a.sent)
    return again(a.problem, true);
  if (!a.complete)
    return unknown(a.problem);
  if (a.status == 429)
    return again("status 429: too many requests", true, std::max<std::int64_t>(a.retry_after_s, 1));
  if (a.status == 503 && a.retry_after_s > 0)
    return again("status 503: not now", true, a.retry_after_s);
  if (a.status >= 500)
    return unknown(fmt::format("status {}", a.status));
  return std::nullopt;
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), out, &size);
  return {reinterpret_cast<const char*>(out), size};
}

std::string feishu_sign(std::string_view timestamp, std::string_view secret_text) {
  return identity::base64(hmac_sha256(fmt::format("{}\n{}", timestamp, secret_text), ""));
}

std::string dingtalk_sign(std::string_view timestamp_ms, std::string_view secret_text) {
  return identity::base64(hmac_sha256(secret_text, fmt::format("{}\n{}", timestamp_ms, secret_text)));
}

std::unique_ptr<notice_channel> make_channel(const channel_settings& how) {
  if (how.kind == "feishu" || how.kind == "lark")
    return make_feishu_app(how);
  if (how.kind == "feishu_bot" || how.kind == "lark_bot")
    return make_feishu_bot(how);
  if (how.kind == "mail")
    return make_mail(how);
  if (how.kind == "webhook")
    return make_webhook(how);
  if (how.kind == "dingtalk")
    return make_dingtalk(how);
  if (how.kind == "wecom")
    return make_wecom(how);
  return make_telegram(how);
}

} // namespace keyportal
