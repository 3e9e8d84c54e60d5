#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/notifier/channel.hpp"

using namespace keyportal;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

using is = delivery_result::kind;
const moment now = moment_of(1'716'283'459'000'000'000);

channel_settings settings(const char* kind) {
  channel_settings out;
  out.name = "c";
  out.kind = kind;
  out.url = secret{"https://bot.example/hook?access_token=t"};
  out.secret_text = secret{"dGhpcyBpcyBhIGtleQ=="};
  out.app_id = "cli_1";
  out.server = "mail.example:587";
  out.from = "keyportal@example.com";
  out.to = "42";
  return out;
}

parcel one(const char* address = "email:a@x.example") {
  parcel out;
  out.what.id = "n1";
  out.what.kind = "key.expired";
  out.what.address = address;
  out.dedup = "n1";
  out.facts = "{}";
  out.text = {"标题", {"first line", "second"}, "Open", "https://keys.example/my-keys", "notice n1"};
  return out;
}

wire_answer said(long status, std::string body) {
  wire_answer out;
  out.sent = out.complete = true;
  out.status = status;
  out.body = std::move(body);
  return out;
}
wire_answer silent() {
  wire_answer out;
  out.sent = true;
  out.problem = "timed out";
  return out;
}
wire_answer unreached() {
  wire_answer out;
  out.problem = "no route";
  return out;
}

is outcome(const channel_step& step) { return std::get<delivery_result>(step).is; }
json body_of(const channel_step& step) { return json::parse(std::get<wire_request>(step).body.reveal()); }

is answer_of(const char* kind, const wire_answer& answer) {
  auto channel = make_channel(settings(kind));
  auto what = one();
  channel->begin(what, now);
  return outcome(channel->answered(what, answer, now));
}

} // namespace

TEST_CASE("signatures are those that the makers publish") {
  CHECK(feishu_sign("1716283459", "dGhpcyBpcyBhIGtleQ==") == "8EyY+xxfJvzWjZQpdc2mgvQFaG7lF5nbxl7RITyMkJU=");
  CHECK(feishu_sign("1599360473", "demo") == "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
  CHECK(feishu_sign("1700000000", "test_secret") == "gg67k4NhGu87ukJvWeSIgT+qsHbI+eWjbPP+KE/Nq6M=");
}

TEST_CASE("no answer is told apart from none that could come, at every channel") {
  for (const char* kind : {"feishu_bot", "webhook", "dingtalk", "wecom", "telegram"}) {
    CAPTURE(kind);
    CHECK(answer_of(kind, unreached()) == is::again);
    CHECK(answer_of(kind, silent()) == is::unknown);
    CHECK(answer_of(kind, said(429, "")) == is::again);
  }
  for (const char* kind : {"feishu_bot", "dingtalk", "wecom", "telegram"}) {
    CHECK(answer_of(kind, said(502, "<html>")) == is::unknown);
    CHECK(answer_of(kind, said(200, "{\"code\":")) == is::unknown);
  }
}

TEST_CASE("Feishu's bot: signed cards of plain text, and what its codes mean") {
  auto channel = make_channel(settings("feishu_bot"));
  auto what = one("");
  const auto step = channel->begin(what, now);
  const auto body = body_of(step);
  CHECK(body["timestamp"] == "1716283459");
  CHECK(body["sign"] == "8EyY+xxfJvzWjZQpdc2mgvQFaG7lF5nbxl7RITyMkJU=");
  CHECK(body["msg_type"] == "interactive");
  CHECK(body["card"]["elements"][0]["text"]["tag"] == "plain_text");
  CHECK(body["card"]["elements"][1]["actions"][0]["url"] == "https://keys.example/my-keys");
  CHECK(body.dump().find("lark_md") == std::string::npos);
  const auto code = [](int c) {
    return answer_of("feishu_bot", said(200, fmt::format(R"({{"code":{},"msg":"m"}})", c)));
  };
  CHECK(code(0) == is::delivered);
  CHECK(answer_of("feishu_bot", said(200, R"({"StatusCode":0,"StatusMessage":"success"})")) == is::delivered);
  CHECK(code(11232) == is::again);
  CHECK(code(9499) == is::refused);
  for (const int c : {19001, 19021, 19022, 19024})
    CHECK(code(c) == is::broken);
}

TEST_CASE("Feishu's app: a token, then the message under its id, and a fresh token when it ended early") {
  auto how = settings("feishu");
  how.url = secret{"https://open.feishu.example"};
  auto channel = make_channel(how);
  auto what = one();
  auto step = channel->begin(what, now);
  CHECK(std::get<wire_request>(step).url.reveal()
        == "https://open.feishu.example/open-apis/auth/v3/tenant_access_token/internal");
  step = channel->answered(what, said(200, R"({"code":0,"tenant_access_token":"t-1","expire":7200})"), now);
  const auto& sent = std::get<wire_request>(step);
  CHECK(sent.url.reveal() == "https://open.feishu.example/open-apis/im/v1/messages?receive_id_type=email");
  CHECK(sent.authorization.reveal() == "Bearer t-1");
  auto body = body_of(step);
  CHECK(body["uuid"] == "n1");
  CHECK(body["receive_id"] == "a@x.example");
  CHECK(body["content"].is_string());
  step = channel->answered(what, said(400, R"({"code":99991663,"msg":"invalid"})"), now);
  CHECK(std::get<wire_request>(step).url.reveal().ends_with("/internal"));
  step = channel->answered(what, said(200, R"({"code":0,"tenant_access_token":"t-2","expire":7200})"), now);
  step = channel->answered(what, said(200, R"({"code":0,"data":{"message_id":"om_1"}})"), now);
  CHECK(outcome(step) == is::delivered);
  CHECK(std::get<delivery_result>(step).message == "om_1");
  // The token is kept until it ends.
  auto next = one("open_id:ou_1");
  step = channel->begin(next, now + 1h);
  CHECK(std::get<wire_request>(step).url.reveal().ends_with("receive_id_type=open_id"));
  const auto code = [&](long status, int c) {
    auto p = one();
    channel->begin(p, now);
    return outcome(channel->answered(p, said(status, fmt::format(R"({{"code":{},"msg":"m"}})", c)), now));
  };
  CHECK(code(400, 230013) == is::refused);
  CHECK(code(400, 230020) == is::again);
  CHECK(code(400, 99991672) == is::broken);
  auto p = one();
  channel->begin(p, now);
  CHECK(outcome(channel->answered(p, silent(), now)) == is::unknown);
}

TEST_CASE("Feishu's app: without an answer about the token nothing was sent, and nobody by a number is refused") {
  auto channel = make_channel(settings("feishu"));
  auto what = one("mobile:+8613800000000");
  channel->begin(what, now);
  CHECK(outcome(channel->answered(what, silent(), now)) == is::again);
  channel->begin(what, now);
  auto step = channel->answered(what, said(200, R"({"code":0,"tenant_access_token":"t","expire":7200})"), now);
  CHECK(std::get<wire_request>(step).url.reveal().find("batch_get_id") != std::string::npos);
  step = channel->answered(what, said(200, R"({"code":0,"data":{"user_list":[{"mobile":"x"}]}})"), now);
  CHECK(outcome(step) == is::refused);
}

TEST_CASE("mail: heads that nothing can be put into, and replies by their codes") {
  auto channel = make_channel(settings("mail"));
  auto what = one("a@x.example");
  const auto step = channel->begin(what, now);
  const auto& sent = std::get<wire_request>(step);
  CHECK(sent.mail);
  CHECK(sent.start_tls);
  CHECK(sent.url.reveal() == "smtp://mail.example:587");
  const auto& text = sent.body.reveal();
  CHECK(text.find("Subject: =?UTF-8?B?5qCH6aKY?=\r\n") != std::string::npos);
  CHECK(text.find("Message-ID: <n1@example.com>\r\n") != std::string::npos);
  CHECK(text.find("Date: Tue, 21 May 2024 09:24:19 +0000\r\n") != std::string::npos);
  for (const char* evil : {"a@x.example\r\nBcc: b@y", "a@x,b@y", "nobody", "<a@x>"}) {
    auto bad = one(evil);
    const auto result = channel->begin(bad, now);
    if (std::holds_alternative<wire_request>(result))
      for (const auto& to : std::get<wire_request>(result).to)
        CHECK(to.find_first_of("\r\n<> ") == std::string::npos);
    else
      CHECK(outcome(result) == is::refused);
  }
  const auto reply = [&](long status, bool complete) {
    auto a = said(status, "");
    a.complete = complete;
    return outcome(channel->answered(what, a, now));
  };
  CHECK(reply(250, true) == is::delivered);
  CHECK(reply(550, false) == is::refused);
  CHECK(reply(535, false) == is::broken);
  CHECK(reply(451, false) == is::again);
  CHECK(reply(354, false) == is::unknown);
  CHECK(reply(0, false) == is::again);
}

TEST_CASE("webhooks: a CloudEvent that is signed, with its id") {
  auto channel = make_channel(settings("webhook"));
  auto what = one("");
  const auto step = channel->begin(what, now);
  const auto& sent = std::get<wire_request>(step);
  const auto body = body_of(step);
  CHECK(body["specversion"] == "1.0");
  CHECK(body["type"] == "io.keyportal.notice.key.expired.v1");
  std::string signature;
  for (const auto& [name, value] : sent.headers)
    if (name == "webhook-signature")
      signature = value;
  CHECK(signature.starts_with("v1,"));
  CHECK(signature.size() == 3 + 44);
  CHECK(answer_of("webhook", said(204, "")) == is::delivered);
  CHECK(answer_of("webhook", said(500, "")) == is::again);
  CHECK(answer_of("webhook", said(410, "")) == is::broken);
  CHECK(answer_of("webhook", said(400, "")) == is::refused);
}

TEST_CASE("DingTalk, WeCom and Telegram: plain text within what they take, and their codes") {
  auto ding = make_channel(settings("dingtalk"));
  auto what = one("");
  auto step = ding->begin(what, now);
  CHECK(std::get<wire_request>(step).url.reveal().find("&timestamp=1716283459000&sign=") != std::string::npos);
  CHECK(body_of(step)["msgtype"] == "text");
  CHECK(body_of(step)["at"]["isAtAll"] == false);
  const auto code = [](const char* kind, int c) {
    return answer_of(kind, said(200, fmt::format(R"({{"errcode":{},"errmsg":"m"}})", c)));
  };
  CHECK(code("dingtalk", 0) == is::delivered);
  CHECK(code("dingtalk", 130101) == is::again);
  CHECK(code("dingtalk", 310000) == is::broken);
  CHECK(code("wecom", 45009) == is::again);
  CHECK(code("wecom", 93000) == is::broken);
  CHECK(code("wecom", 40058) == is::refused);
  auto wecom = make_channel(settings("wecom"));
  what.text.lines = {std::string(5000, 'x')};
  CHECK(body_of(wecom->begin(what, now))["text"]["content"].get<std::string>().size() <= 2048);
  auto how = settings("telegram");
  how.url = secret{};
  how.secret_text = secret{"123:ABC"};
  auto telegram = make_channel(how);
  step = telegram->begin(what, now);
  CHECK(std::get<wire_request>(step).url.reveal() == "https://api.telegram.org/bot123:ABC/sendMessage");
  CHECK_FALSE(body_of(step).contains("parse_mode"));
  const auto later = telegram->answered(what, said(429, R"({"ok":false,"parameters":{"retry_after":9}})"), now);
  CHECK(outcome(later) == is::again);
  CHECK(std::get<delivery_result>(later).wait == 9s);
  CHECK(answer_of("telegram", said(200, R"({"ok":true,"result":{"message_id":7}})")) == is::delivered);
  CHECK(answer_of("telegram", said(403, R"({"ok":false,"description":"bot was blocked"})")) == is::broken);
  CHECK(answer_of("telegram", said(400, R"({"ok":false,"description":"message is too long"})")) == is::refused);
}
