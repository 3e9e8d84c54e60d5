// Feishu and Lark: messages of an app to people, and the custom bot of a group.
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/notifier/channel.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::size_t most_text = 15'000; ///< of a card: a bot takes 20 KB in all, JSON included

/// Everything in a card is "plain_text": nothing in it formats, links or mentions.
json card_of(const letter& what, notice_weight weight) {
  std::string text;
  for (const auto& line : what.lines)
    text += (text.empty() ? "" : "\n") + line;
  const auto plain = [](std::string content) { return json{{"tag", "plain_text"}, {"content", std::move(content)}}; };
  auto elements = json::array();
  elements.push_back({{"tag", "div"}, {"text", plain(cut(std::move(text), most_text))}});
  if (!what.link.empty())
    elements.push_back(
      {{"tag", "action"},
       {"actions",
        json::array({{{"tag", "button"}, {"text", plain(what.button)}, {"type", "primary"}, {"url", what.link}}})}});
  if (!what.footer.empty())
    elements.push_back({{"tag", "note"}, {"elements", json::array({plain(what.footer)})}});
  constexpr std::array<const char*, 3> colours = {"blue", "orange", "red"};
  return {{"config", {{"wide_screen_mode", true}}},
          {"header", {{"title", plain(what.title)}, {"template", colours[static_cast<std::size_t>(weight)]}}},
          {"elements", std::move(elements)}};
}

std::optional<std::int64_t> code_of_answer(const json& answer, const char* name) {
  const auto found = answer.find(name);
  return found != answer.end() && found->is_number_integer() ? std::optional(found->get<std::int64_t>()) : std::nullopt;
}

std::string text_of(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string said(std::int64_t code, const json& answer) {
  return fmt::format("code {}: {}", code, harmless(text_of(answer, "msg"), 160));
}

class feishu_bot : public notice_channel {
public:
  explicit feishu_bot(const channel_settings& how) : how_(how) {}

  channel_step begin(parcel& what, moment now) override {
    json body = {{"msg_type", "interactive"}, {"card", card_of(what.text, what.what.weight)}};
    if (!how_.secret_text.empty()) {
      const auto timestamp = std::to_string(unix_ns(now) / 1'000'000'000);
      body["timestamp"] = timestamp;
      body["sign"] = feishu_sign(timestamp, how_.secret_text.reveal());
    }
    wire_request out;
    out.url = how_.url;
    out.headers = {{"Content-Type", "application/json; charset=utf-8"}};
    out.body = secret{dump(body)};
    return out;
  }

  channel_step answered(parcel&, const wire_answer& a, moment) override {
    if (auto none = without_answer(a))
      return *none;
    const auto answer = json::parse(a.body, nullptr, false);
    if (!answer.is_object())
      return unknown(fmt::format("status {}, and an answer that is no JSON object", a.status));
    const auto code = code_of_answer(answer, "code");
    if ((code && *code == 0) || (!code && code_of_answer(answer, "StatusCode") == 0))
      return delivered("code 0");
    if (!code)
      return unknown("an answer without a code");
    switch (*code) {
      case 11232: return again(said(*code, answer), true, 1);
      case 19001:
      case 19021:
      case 19022:
      case 19024: return broken(said(*code, answer));
      default: return refused(said(*code, answer));
    }
  }

  std::string preview(const letter& what) const override {
    return card_of(what, notice_weight::news).dump(2, ' ', false, json::error_handler_t::replace);
  }

private:
  channel_settings how_;
};

class feishu_app : public notice_channel {
public:
  explicit feishu_app(const channel_settings& how) : how_(how) {
    base_ = !how.url.empty()     ? how.url.reveal()
            : how.kind == "lark" ? "https://open.larksuite.com"
                                 : "https://open.feishu.cn";
    while (base_.ends_with('/'))
      base_.pop_back();
  }

  channel_step begin(parcel& what, moment now) override {
    if (token_.empty() || now >= token_until_)
      return ask_token(what);
    return go_on(what);
  }

  channel_step answered(parcel& what, const wire_answer& a, moment now) override {
    // Asking for the token or for somebody's id tells nobody anything: without an answer it is simply tried again.
    if (what.stage != "message" && (!a.complete || a.status >= 500) && !a.refused_here)
      return again(a.complete ? fmt::format("status {}", a.status) : a.problem, true, a.retry_after_s);
    if (a.status == 429)
      return again("status 429: too many requests", true, std::max<std::int64_t>(a.retry_after_s, 1));
    if (auto none = without_answer(a))
      return *none;
    const auto answer = json::parse(a.body, nullptr, false);
    if (!answer.is_object() || !code_of_answer(answer, "code")) {
      auto text = fmt::format("status {}, and an answer without a code", a.status);
      return what.stage == "message" && a.status == 200 ? unknown(std::move(text)) : again(std::move(text), true);
    }
    const auto code = *code_of_answer(answer, "code");
    if (code != 0)
      return meaning_of(code, answer, what, a);
    if (what.stage == "token")
      return take_token(answer, what, now);
    if (what.stage == "who")
      return take_id(answer, what);
    const auto data = answer.value("data", json::object());
    return delivered("code 0", data.is_object() ? text_of(data, "message_id") : std::string{});
  }

  std::string preview(const letter& what) const override {
    return card_of(what, notice_weight::news).dump(2, ' ', false, json::error_handler_t::replace);
  }

private:
  wire_request post(std::string path, const json& body, bool with_token) const {
    wire_request out;
    out.url = secret{base_ + std::move(path)};
    out.headers = {{"Content-Type", "application/json; charset=utf-8"}};
    if (with_token)
      out.authorization = secret{"Bearer " + token_};
    out.body = secret{dump(body)};
    return out;
  }

  channel_step ask_token(parcel& what) {
    what.stage = "token";
    return post("/open-apis/auth/v3/tenant_access_token/internal",
                {{"app_id", how_.app_id}, {"app_secret", how_.secret_text.reveal()}}, false);
  }

  channel_step take_token(const json& answer, parcel& what, moment now) {
    token_ = text_of(answer, "tenant_access_token");
    const auto expire = code_of_answer(answer, "expire").value_or(0);
    if (token_.empty() || token_.size() > 4096 || token_.find_first_of("\r\n ") != std::string::npos)
      return again("an answer without a token", true);
    token_until_ = now + std::chrono::seconds{std::max<std::int64_t>(expire - 180, 10)}; // three minutes early
    return go_on(what);
  }

  channel_step go_on(parcel& what) {
    const auto& address = what.what.address.empty() ? how_.to : what.what.address;
    const auto colon = address.find(':');
    auto kind =
      colon == std::string::npos ? (address.starts_with("oc_") ? "chat_id" : "email") : address.substr(0, colon);
    auto name = colon == std::string::npos ? address : address.substr(colon + 1);
    if (kind == "mobile") {
      if (what.found.empty()) {
        what.stage = "who";
        return post("/open-apis/contact/v3/users/batch_get_id?user_id_type=open_id",
                    {{"mobiles", json::array({name})}, {"include_resigned", false}}, true);
      }
      kind = "open_id";
      name = what.found;
    }
    if (kind != "email" && kind != "open_id" && kind != "chat_id" && kind != "user_id" && kind != "union_id")
      return refused("no address that Feishu knows");
    what.stage = "message";
    return post("/open-apis/im/v1/messages?receive_id_type=" + kind,
                {{"receive_id", name},
                 {"msg_type", "interactive"},
                 {"content", dump(card_of(what.text, what.what.weight))},
                 {"uuid", what.dedup}},
                true);
  }

  channel_step take_id(const json& answer, parcel& what) {
    const auto data = answer.value("data", json::object());
    const auto list = data.is_object() ? data.value("user_list", json::array()) : json::array();
    for (const auto& one : list.is_array() ? list : json::array())
      if (one.is_object() && !text_of(one, "user_id").empty()) {
        what.found = text_of(one, "user_id");
        return go_on(what);
      }
    return refused("nobody with that number is within the app's reach");
  }

  channel_step meaning_of(std::int64_t code, const json& answer, parcel& what, const wire_answer& a) {
    auto text = said(code, answer);
    switch (code) {
      case 99991661:
      case 99991663:
      case 99991668: // the token ended early: a fresh one, once
        token_.clear();
        if (std::exchange(what.renewed, true))
          return again(std::move(text), true);
        return ask_token(what);
      case 230020:
      case 99991400: return again(std::move(text), code == 99991400, std::max<std::int64_t>(a.retry_after_s, 1));
      case 10003:
      case 10014:
      case 10015:
      case 230006:
      case 230027:
      case 99991672:
      case 99991679: return broken(std::move(text));
      default: return a.status >= 500 ? unknown(std::move(text)) : refused(std::move(text));
    }
  }

  channel_settings how_;
  std::string base_;
  std::string token_;
  moment token_until_{};
};

} // namespace

std::unique_ptr<notice_channel> make_feishu_app(const channel_settings& how) {
  return std::make_unique<feishu_app>(how);
}
std::unique_ptr<notice_channel> make_feishu_bot(const channel_settings& how) {
  return std::make_unique<feishu_bot>(how);
}

} // namespace keyportal
