// Bots of DingTalk, WeCom and Telegram. All take plain text: nothing in it can format, and nobody is mentioned.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/identity/text_codes.hpp"
#include "actors/notifier/channel.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {

using nlohmann::json;

wire_request post_json(secret url, const json& body) {
  wire_request out;
  out.url = std::move(url);
  out.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  out.body = secret{dump(body)};
  return out;
}

std::int64_t number_at(const json& from, const char* name, std::int64_t otherwise) {
  const auto found = from.find(name);
  return found != from.end() && found->is_number_integer() ? found->get<std::int64_t>() : otherwise;
}

std::string text_at(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_string() ? harmless(found->get<std::string>(), 160) : std::string{};
}

/// Both answer {"errcode":0,"errmsg":"ok"} with status 200.
class errcode_bot : public notice_channel {
public:
  errcode_bot(const channel_settings& how, std::size_t most) : how_(how), most_(most) {}

  channel_step answered(parcel&, const wire_answer& a, moment) override {
    if (auto none = without_answer(a))
      return *none;
    const auto answer = json::parse(a.body, nullptr, false);
    const auto code = answer.is_object() ? number_at(answer, "errcode", -2) : -2;
    if (code == -2)
      return a.status == 200 ? unknown("an answer without an errcode") : refused(fmt::format("status {}", a.status));
    if (code == 0)
      return delivered("errcode 0");
    return meaning_of(code, fmt::format("errcode {}: {}", code, text_at(answer, "errmsg")));
  }
  std::string preview(const letter& what) const override { return cut(plain_text(what), most_); }

protected:
  [[nodiscard]] virtual delivery_result meaning_of(std::int64_t code, std::string text) const = 0;
  channel_settings how_;
  std::size_t most_;
};

class dingtalk : public errcode_bot {
public:
  explicit dingtalk(const channel_settings& how) : errcode_bot(how, 18'000) {}

  channel_step begin(parcel& what, moment now) override {
    auto url = how_.url.reveal();
    if (!how_.secret_text.empty()) {
      const auto timestamp = std::to_string(unix_ns(now) / 1'000'000);
      url = identity::with_query(
        url, {{"timestamp", timestamp}, {"sign", dingtalk_sign(timestamp, how_.secret_text.reveal())}});
    }
    return post_json(
      secret{url},
      {{"msgtype", "text"}, {"text", {{"content", cut(plain_text(what.text), most_)}}}, {"at", {{"isAtAll", false}}}});
  }

private:
  delivery_result meaning_of(std::int64_t code, std::string text) const override {
    switch (code) {
      case 130101: // 20 a minute are allowed, and whoever sends more waits for ten
      case 410100: return again(std::move(text), true, 60);
      case -1: return again(std::move(text), true);
      case 310000: // sign, keyword or address of ours refused
      case 300001:
      case 300005:
      case 400101:
      case 400102: return broken(std::move(text));
      default: return refused(std::move(text));
    }
  }
};

class wecom : public errcode_bot {
public:
  explicit wecom(const channel_settings& how) : errcode_bot(how, 2'048) {}

  channel_step begin(parcel& what, moment) override {
    return post_json(how_.url, {{"msgtype", "text"}, {"text", {{"content", cut(plain_text(what.text), most_)}}}});
  }

private:
  delivery_result meaning_of(std::int64_t code, std::string text) const override {
    switch (code) {
      case 45009: return again(std::move(text), true, 60); // 20 a minute
      case -1: return again(std::move(text), true);
      case 93000: // the address is none (any more)
      case 93008: return broken(std::move(text));
      default: return refused(std::move(text));
    }
  }
};

class telegram : public notice_channel {
public:
  explicit telegram(const channel_settings& how) : how_(how) {
    base_ = how.url.empty() ? "https://api.telegram.org" : how.url.reveal();
    while (base_.ends_with('/'))
      base_.pop_back();
  }

  channel_step begin(parcel& what, moment) override {
    // No parse_mode: text is shown as it is, and one character too few escaped cannot make it be refused.
    return post_json(secret{fmt::format("{}/bot{}/sendMessage", base_, how_.secret_text.reveal())},
                     {{"chat_id", how_.to},
                      {"text", cut(plain_text(what.text), most)},
                      {"link_preview_options", {{"is_disabled", true}}}});
  }

  channel_step answered(parcel&, const wire_answer& a, moment) override {
    const auto answer = json::parse(a.body, nullptr, false);
    if (a.complete && a.status == 429 && answer.is_object()) {
      const auto more = answer.value("parameters", json::object());
      return again("status 429: " + text_at(answer, "description"), true,
                   std::max<std::int64_t>(1, more.is_object() ? number_at(more, "retry_after", a.retry_after_s) : 1));
    }
    if (auto none = without_answer(a))
      return *none;
    if (!answer.is_object())
      return a.status == 200 ? unknown("an answer that is no JSON object")
                             : refused(fmt::format("status {}", a.status));
    if (answer.value("ok", json(false)) == true) {
      const auto result = answer.value("result", json::object());
      return delivered("ok", result.is_object() ? std::to_string(number_at(result, "message_id", 0)) : std::string{});
    }
    auto text = fmt::format("status {}: {}", a.status, text_at(answer, "description"));
    // The token, or the chat: nothing will get through until somebody mends it.
    return a.status == 401 || a.status == 403 || a.status == 404 || text.find("chat not found") != std::string::npos
               || answer.contains("parameters")
             ? broken(std::move(text))
             : refused(std::move(text));
  }
  std::string preview(const letter& what) const override { return cut(plain_text(what), most); }

private:
  static constexpr std::size_t most = 4'000; ///< it takes 4,096 characters
  channel_settings how_;
  std::string base_;
};

} // namespace

std::unique_ptr<notice_channel> make_dingtalk(const channel_settings& how) { return std::make_unique<dingtalk>(how); }
std::unique_ptr<notice_channel> make_wecom(const channel_settings& how) { return std::make_unique<wecom>(how); }
std::unique_ptr<notice_channel> make_telegram(const channel_settings& how) { return std::make_unique<telegram>(how); }

} // namespace keyportal
