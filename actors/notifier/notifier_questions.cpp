// What people ask of the notifier, and what it sends when it is told to.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/notifier/notifier_core.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {
using namespace std::chrono_literals;
constexpr std::size_t most_reminded = 2000;
} // namespace

void notifier_core::connected(const queue_changed& what) {
  queue_connected = what.connected;
  queue_problem = what.problem;
  pump();
}

void notifier_core::code(const send_code& what) {
  const auto* by = book.mail_channel();
  const auto* kind = find_kind(what.what_for == send_code::purpose::new_password ? "code.password" : "code.address");
  if (by == nullptr || kind == nullptr || !ready)
    return log::warn("notices", "no-mail", "A code could not be sent: there is no channel for mail");
  const auto now = settings.now();
  const auto* who = book.people.find_email(what.to);
  auto made_one =
    book.send_to(*kind, by->name, what.to, who != nullptr ? who->id : user_id{}, nlohmann::json::object(), ++made, now);
  if (!made_one)
    return log::warn("notices", "no-mail", "A code could not be sent: {}", render(made_one.error()));
  auto sealed = shelf->seal_text(what.code.reveal(), made_one->id);
  if (!sealed)
    return log::error("notices", "no-mail", "A code could not be sent: {}", render(sealed.error()));
  made_one->sealed = std::move(*sealed);
  made_one->until = now + 10min; // the code itself is good for no longer
  notice_changes out;
  book.add(std::move(*made_one), out);
  if (commit(out))
    pump();
}

caf::expected<notice_record> notifier_core::read(const notice_id& id) const {
  auto found = shelf->find(id);
  if (!found)
    return found.error();
  if (!*found)
    return make_error(errc::not_found, "notice " + id.substr(0, 40));
  return std::move(**found);
}

caf::expected<notice_record> notifier_core::resend(const notice_id& id) {
  if (!ready || draining)
    return make_error(errc::shutting_down);
  auto found = read(id);
  if (!found)
    return found.error();
  if (found->kind.starts_with("code."))
    return make_error(errc::bad_request, "a code is not sent twice: whoever needs one asks for a new one");
  if (flights.contains(id))
    return make_error(errc::bad_request, "it is being sent right now");
  if (book.channel(found->channel) == nullptr)
    return make_error(errc::bad_request, fmt::format("the channel {} is not there any more", found->channel));
  notice_changes out;
  book.resend(*found, settings.now(), out);
  if (!commit(out))
    return make_error(errc::storage_failed, "the notice");
  pump();
  return read(id);
}

caf::expected<notice_preview> notifier_core::preview(const preview_notice& what) const {
  const auto* kind = find_kind(what.kind);
  if (kind == nullptr)
    return make_error(errc::bad_request, "there is no kind of notice named " + what.kind.substr(0, 40));
  if (!what.language.empty() && what.language != "zh" && what.language != "en")
    return make_error(errc::bad_request, "language is zh or en");
  auto facts = sample_facts(*kind);
  if (!what.facts.empty()) {
    const auto given = nlohmann::json::parse(what.facts, nullptr, false);
    if (!given.is_object())
      return make_error(errc::bad_request, "facts is an object");
    facts.update(given);
  }
  const auto text = write_letter(*kind, what.language.empty() ? settings.notices.language : what.language, facts,
                                 settings.zone, settings.notices.base_url, "n0000000000preview");
  notice_preview out{text.title, text.lines, text.button, text.link, {}};
  for (const auto& [name, channel] : channels)
    out.by_channel.emplace_back(name, channel->preview(text));
  return out;
}

caf::expected<notice_record> notifier_core::test(const test_channel& what) {
  if (!ready || draining)
    return make_error(errc::shutting_down);
  auto made_one = book.send_to(*find_kind("test"), what.channel, what.address, what.who, {{"channel", what.channel}},
                               ++made, settings.now());
  if (!made_one)
    return made_one.error();
  notice_changes out;
  const auto id = made_one->id;
  book.resend(std::move(*made_one), settings.now(), out); // at once, also by a channel that rests
  if (!commit(out))
    return make_error(errc::storage_failed, "the notice");
  pump();
  return read(id);
}

caf::expected<notices_made> notifier_core::remind(const remind_people& what) {
  if (!ready || draining)
    return make_error(errc::shutting_down);
  const auto* kind = find_kind(what.kind);
  if (kind == nullptr || !kind->name.starts_with("reminder."))
    return make_error(errc::bad_request, "kind is reminder.account or reminder.renew");
  auto to = what.users;
  if (!what.group.empty())
    for (auto& id : book.people.members(what.group))
      to.push_back(std::move(id));
  if (to.empty() || to.size() > most_reminded)
    return make_error(errc::bad_request, fmt::format("say whom to remind: one person to {}", most_reminded));
  for (auto& id : to) {
    if (const auto* by_mail = book.people.find_email(id))
      id = by_mail->id;
    if (book.people.find(id) == nullptr)
      return make_error(errc::user_unknown, id.substr(0, 60));
  }
  notice_changes out;
  nlohmann::json facts = nlohmann::json::object();
  if (!what.text.empty())
    facts["text"] = what.text;
  notices_made done;
  done.ids = book.remind(*kind, to, facts, what.command.empty() ? what.command : what.who + "/" + what.command,
                         settings.now(), out);
  if (done.ids.empty())
    return make_error(errc::bad_request, "none of them can be reached by any channel");
  if (!commit(out))
    return make_error(errc::storage_failed, "the notices");
  pump();
  return done;
}

caf::expected<notice_preferences> notifier_core::wishes(const user_id& who) const {
  auto out = book.people.wishes(who);
  out.user = who;
  return out;
}

caf::expected<notice_preferences> notifier_core::put_wishes(const notice_preferences& what) {
  if (auto wrong = check_wishes(what, book.personal_channels()))
    return wrong;
  if (auto failed = shelf->put(what))
    return failed;
  book.people.put(what);
  return what;
}

notices_state notifier_core::state() const {
  notices_state out;
  out.position = position;
  out.queue = settings.notices.queue;
  out.problem = !disk_problem.empty() ? disk_problem : queue_problem;
  book.show(out);
  for (const auto& kind : notice_kinds())
    out.kinds.emplace_back(kind.name);
  return out;
}

} // namespace keyportal
