#include "gateway/own_routes.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "gateway/access_bodies.hpp"
#include "gateway/handlers.hpp"
#include "gateway/registry_answers.hpp"
#include "gateway/registry_bodies.hpp"
#include "messages/registry_json.hpp"
#include "messages/usage_json.hpp"

namespace keyportal::gateway {

namespace {

constexpr std::chrono::seconds command_wait{30};

const std::string& body_of(const visit& here) { return here.exchange->request.body; }
const std::string& me(const visit& here) { return here.by->who.subject; }

void command(const visit& here, registry_question what, int status = 200) {
  const auto& address = here.by->from.address;
  here.relay<command_done>(here.self->state.handles.registry,
                           registry_command{{here.who(), address.empty() ? "local" : address,
                                             std::string(header_of(here.exchange->request, "idempotency-key"))},
                                            std::move(what)},
                           command_wait, [status](const question&, const command_done& done) {
                             return done_answer(done, done.replayed ? 200 : status);
                           });
}

/// The key of the path, if it is one's own: one of somebody else's is answered like one that is not there.
template <class Then>
void with_mine(const visit& here, Then then) {
  here.ask<client_key>(here.self->state.handles.registry, keyportal::find_key{here.asked.name, {}}, short_wait,
                       [here, then](const client_key& key) {
                         if (key.owner != me(here))
                           return here.fail(make_error(errc::key_unknown));
                         then(key);
                       });
}

/// What the body says is to be done with it.
template <class Question>
void change_mine(const visit& here, caf::expected<Question> what) {
  if (!what)
    return here.fail(what.error());
  what->key = here.asked.name;
  with_mine(here, [here, what = std::move(*what)](const client_key&) { command(here, registry_question{what}); });
}

void list_mine(const visit& here) {
  list_keys which;
  which.owner = me(here);
  which.after = here.asked.after_name;
  which.limit = here.asked.limit;
  for (const auto& [name, value] : here.exchange->request.query)
    if (name == "state" && !value.empty() && !(which.state = key_state_of(value)))
      return here.fail(make_error(errc::bad_request, "state is pooled, live, suspended, expired, rotated, revoked or "
                                                     "external"));
  if (which.after.size() > 512)
    return here.fail(make_error(errc::bad_request, "after is too long"));
  here.relay<key_page>(here.self->state.handles.registry, std::move(which), short_wait,
                       [](const question&, const key_page& page) { return keys_answer_of(page); });
}

void take_one(const visit& here) {
  auto label = read_label(body_of(here));
  if (!label)
    return here.fail(label.error());
  assign_key what; // how long and where: as the policy says
  what.owner = me(here);
  what.label = std::move(*label);
  command(here, registry_question{std::move(what)}, 201);
}

void label_mine(const visit& here) {
  auto label = read_label(body_of(here));
  if (!label)
    return here.fail(label.error());
  change_key what;
  what.label = std::move(*label);
  change_mine(here, caf::expected<change_key>{std::move(what)});
}

// --- usage -------------------------------------------------------------------------------------

/// Narrows a question to one's own. Accounts are the operators' with their providers: nothing that users are to know.
caf::error narrow(const visit& here, usage_filter& where) {
  for (const auto hidden : {usage_by::account, usage_by::user, usage_by::group})
    if (where.contains(hidden))
      return make_error(errc::bad_request, std::string(name_of(hidden)) + " is not asked for here");
  if (here.by->who.kind == caller_kind::key_view)
    where[usage_by::key] = {me(here)};
  else
    where[usage_by::user] = {me(here)};
  return {};
}

void tell_usage(const visit& here) {
  auto read = read_usage_question(here.exchange->request.query);
  if (!read)
    return here.fail(read.error());
  auto& what = read->what;
  for (const auto by : what.by)
    if (by == usage_by::account || by == usage_by::user || by == usage_by::group)
      return here.fail(make_error(errc::bad_request, "by " + std::string(name_of(by)) + " is not asked for here"));
  if (what.with_unused)
    return here.fail(make_error(errc::bad_request, "unused is not asked for here"));
  if (auto wrong = narrow(here, what.where))
    return here.fail(wrong);
  here.relay<std::shared_ptr<const usage_report>>(
    here.self->state.handles.analyst, std::move(*read), file_wait,
    [](const question&, const auto& report) { return json_answer(to_json(*report)); });
}

void tell_records(const visit& here) {
  auto read = read_record_question(here.exchange->request.query);
  if (!read)
    return here.fail(read.error());
  if (auto wrong = narrow(here, read->what.where))
    return here.fail(wrong);
  if (!read->what.text.empty()) // it is looked for in accounts and errors, too: an answer would tell of them
    return here.fail(make_error(errc::bad_request, "text is not asked for here"));
  here.relay<std::shared_ptr<const record_page>>(here.self->state.handles.analyst, std::move(*read), file_wait,
                                                 [](const question&, const auto& page) {
                                                   auto body = to_json(*page);
                                                   for (auto& one : body["items"])
                                                     for (const char* hidden : {"source", "auth_index", "error"})
                                                       if (one.contains(hidden))
                                                         one[hidden] = "";
                                                   return json_answer(body);
                                                 });
}

} // namespace

void about_oneself(const visit& here) {
  const auto& body = body_of(here);
  switch (here.asked.row->about) {
    case topic::my_keys: return list_mine(here);
    case topic::take_key: return take_one(here);
    case topic::my_key:
      return with_mine(here, [here](const client_key& key) { here.answer(json_answer(to_json(key))); });
    case topic::label_key: return label_mine(here);
    case topic::renew_my_key: return change_mine(here, read_renew_key(body));
    case topic::ask_my_renewal: return change_mine(here, read_ask_renewal(body));
    case topic::rotate_my_key: return change_mine(here, read_rotate_key(body));
    case topic::revoke_my_key:
      if (auto wrong = read_nothing(body))
        return here.fail(wrong);
      return change_mine(here, caf::expected<revoke_key>{revoke_key{}});
    case topic::my_key_budgets:
      return with_mine(here, [here](const client_key& key) {
        here.relay<std::vector<budget_use>>(here.self->state.handles.registry, read_budgets{key.id}, short_wait,
                                            [](const question&, const auto& all) { return list_answer(all); });
      });
    case topic::my_usage: return tell_usage(here);
    case topic::my_records: return tell_records(here);
    default: return here.fail(make_error(errc::not_found, here.asked.path));
  }
}

} // namespace keyportal::gateway
