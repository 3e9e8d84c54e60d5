#include "gateway/notice_routes.hpp"

#include <nlohmann/json.hpp>

#include "gateway/body_fields.hpp"
#include "gateway/handlers.hpp"
#include "messages/notices_json.hpp"

namespace keyportal::gateway {

namespace {

using nlohmann::json;

const std::string& body_of(const visit& here) { return here.exchange->request.body; }

template <class Answer, class Message>
void relay_json(const visit& here, Message what, int status = 200) {
  here.relay<Answer>(here.self->state.handles.notifier, std::move(what), short_wait,
                     [status](const question&, const Answer& done) { return json_answer(to_json(done), status); });
}

void list(const visit& here) {
  list_notices which;
  which.limit = here.asked.limit;
  for (const auto& [name, value] : here.exchange->request.query) {
    if (value.size() > 128)
      return here.fail(make_error(errc::bad_request, name.substr(0, 40) + " is too long"));
    if (name == "state" && !value.empty() && !(which.state = notice_state_of(value)))
      return here.fail(make_error(errc::bad_request,
                                  "state is waiting, sending, delivered, refused, given_up, gathered "
                                  "or unknown"));
    if (name == "kind")
      which.kind = value;
    else if (name == "channel")
      which.channel = value;
    else if (name == "about")
      which.about = value;
    else if (name == "recipient")
      which.recipient = value;
    else if (name == "before")
      which.before = value;
  }
  relay_json<notice_page>(here, std::move(which));
}

void preview(const visit& here) {
  fields in{body_of(here)};
  preview_notice what;
  in.text("kind", what.kind, true);
  in.text("language", what.language);
  const auto all = json::parse(body_of(here), nullptr, false);
  if (all.is_object() && all.contains("facts")) {
    if (!all["facts"].is_object())
      return here.fail(make_error(errc::bad_request, "facts is an object"));
    what.facts = all["facts"].dump(-1, ' ', false, json::error_handler_t::replace);
  }
  auto others = all.is_object() ? all : json::object();
  others.erase("facts");
  fields rest{std::move(others), ""};
  std::string ignored;
  rest.text("kind", ignored);
  rest.text("language", ignored);
  if (auto wrong = all.is_object() ? rest.finish() : in.finish())
    return here.fail(wrong);
  if (what.kind.empty())
    return here.fail(make_error(errc::bad_request, "kind is missing"));
  relay_json<notice_preview>(here, std::move(what));
}

void test(const visit& here) {
  fields in{body_of(here)};
  test_channel what;
  what.channel = here.asked.name;
  what.who = here.by->who.subject;
  in.text("address", what.address);
  if (auto wrong = in.finish())
    return here.fail(wrong);
  if (what.address.size() > 254)
    return here.fail(make_error(errc::bad_request, "address is too long"));
  relay_json<notice_record>(here, std::move(what), 202);
}

void remind(const visit& here) {
  fields in{body_of(here)};
  remind_people what;
  std::optional<std::vector<std::string>> users;
  in.text("kind", what.kind, true);
  in.texts("users", users);
  in.text("group", what.group);
  in.text("text", what.text);
  if (auto wrong = in.finish())
    return here.fail(wrong);
  if (what.text.size() > 1000)
    return here.fail(make_error(errc::bad_request, "text has at most 1000 characters"));
  if (users)
    what.users = std::move(*users);
  what.who = here.who();
  what.command = header_of(here.exchange->request, "idempotency-key");
  here.relay<notices_made>(here.self->state.handles.notifier, std::move(what), short_wait,
                           [](const question&, const notices_made& done) {
                             return json_answer({{"notices", done.ids}}, 202);
                           });
}

} // namespace

void about_notices(const visit& here) {
  switch (here.asked.row->about) {
    case topic::notices: return list(here);
    case topic::notice: return relay_json<notice_record>(here, read_notice{here.asked.name});
    case topic::resend_notice: return relay_json<notice_record>(here, resend_notice{here.asked.name}, 202);
    case topic::preview_notice: return preview(here);
    case topic::test_channel: return test(here);
    case topic::remind: return remind(here);
    case topic::notice_channels: return relay_json<notices_state>(here, read_notices_state{});
    case topic::my_notices: return relay_json<notice_preferences>(here, read_notice_preferences{here.by->who.subject});
    default: {
      auto what = read_notice_preferences_body(body_of(here));
      if (!what)
        return here.fail(what.error());
      what->user = here.by->who.subject;
      return relay_json<notice_preferences>(here, put_notice_preferences{std::move(*what)});
    }
  }
}

} // namespace keyportal::gateway
