// Webhooks: a CloudEvent, signed as standardwebhooks.com describes it, so that the receiver knows from whom it is, that it is
// no old one, and whether it came before.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/identity/text_codes.hpp"
#include "actors/notifier/channel.hpp"
#include "messages/json.hpp"
#include "messages/notices_json.hpp"

namespace keyportal {

namespace {

using nlohmann::json;

class webhook : public notice_channel {
public:
  explicit webhook(const channel_settings& how) : how_(how) {}

  channel_step begin(parcel& what, moment now) override {
    const auto& n = what.what;
    auto facts = json::parse(what.facts, nullptr, false);
    const json body = {{"specversion", "1.0"},
                       {"id", what.dedup},
                       {"source", "/keyportal/notices"},
                       {"type", fmt::format("io.keyportal.notice.{}.v1", n.kind)},
                       {"subject", n.about},
                       {"time", to_rfc3339_ms(n.at)},
                       {"datacontenttype", "application/json"},
                       {"data",
                        {{"notice", n.id},
                         {"kind", n.kind},
                         {"weight", name_of(n.weight)},
                         {"title", what.text.title},
                         {"lines", what.text.lines},
                         {"link", what.text.link},
                         {"facts", facts.is_object() ? facts : json::object()}}}};
    auto text = dump(body);
    const auto timestamp = std::to_string(unix_ns(now) / 1'000'000'000);
    wire_request out;
    out.url = how_.url;
    out.allow_private = how_.allow_private;
    out.headers = {{"Content-Type", "application/cloudevents+json; charset=utf-8"},
                   {"webhook-id", what.dedup},
                   {"webhook-timestamp", timestamp}};
    if (!how_.secret_text.empty())
      out.headers.emplace_back("webhook-signature",
                               "v1,"
                                 + identity::base64(hmac_sha256(how_.secret_text.reveal(),
                                                                fmt::format("{}.{}.{}", what.dedup, timestamp, text))));
    out.body = secret{std::move(text)};
    return out;
  }

  channel_step answered(parcel&, const wire_answer& a, moment) override {
    if (a.complete
        && (a.status == 408 || a.status == 425 || a.status >= 500)) // it knows the id if it took it after all
      return again(fmt::format("status {}", a.status), true, a.retry_after_s);
    if (auto none = without_answer(a))
      return *none;
    if (a.status >= 200 && a.status < 300)
      return delivered(fmt::format("status {}", a.status));
    if (a.status == 401 || a.status == 403 || a.status == 404 || a.status == 410)
      return broken(fmt::format("status {}", a.status));
    return refused(fmt::format("status {}", a.status));
  }

  std::string preview(const letter& what) const override {
    return json({{"title", what.title}, {"lines", what.lines}, {"link", what.link}})
      .dump(2, ' ', false, json::error_handler_t::replace);
  }

private:
  channel_settings how_;
};

} // namespace

std::unique_ptr<notice_channel> make_webhook(const channel_settings& how) { return std::make_unique<webhook>(how); }

} // namespace keyportal
