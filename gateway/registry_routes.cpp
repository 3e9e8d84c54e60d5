#include "gateway/registry_routes.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "gateway/body_fields.hpp"
#include "gateway/handlers.hpp"
#include "gateway/registry_answers.hpp"
#include "gateway/registry_bodies.hpp"
#include "messages/price_json.hpp"
#include "messages/registry_json.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::gateway {

namespace {

// A command that is not answered may be done all the same, so it is waited for as long as a disk may take.
constexpr std::chrono::seconds command_wait{30};
constexpr std::size_t longest_text = 512; ///< of what is looked for
constexpr std::uint32_t audit_page = 1000;
constexpr std::size_t most_audit_pages = 20;       ///< read for one answer
constexpr std::size_t most_audit_objects = 20'000; ///< in one answer

std::string asked_for(const visit& here, std::string_view name) {
  for (const auto& [key, value] : here.exchange->request.query)
    if (key == name)
      return value;
  return {};
}

const std::string& body_of(const visit& here) { return here.exchange->request.body; }

const key_registry_actor& registry_of(const visit& here) { return here.self->state.handles.registry; }

void command(
  const visit& here, registry_question what,
  http_response (*make)(const command_done&) = [](const command_done& done) { return done_answer(done); }) {
  const auto& address = here.by->from.address;
  const registry_command all{{here.who(), address.empty() ? "local" : address,
                              std::string(header_of(here.exchange->request, "idempotency-key"))},
                             std::move(what)};
  here.ask<command_done>(registry_of(here), all, command_wait, [here, make](const command_done& done) {
    const auto& authenticator = here.self->state.handles.authenticator;
    if (done.users.empty() || !authenticator)
      return here.answer(make(done));
    // Whoever was changed is somebody else from this answer on: in sessions, rights and codes, too.
    here.ask<access_done>(authenticator, access_command{{}, {}, catch_up{done.position}}, command_wait,
                          [here, make, done](const access_done&) { here.answer(make(done)); });
  });
}

http_response made_one(const command_done& done) { return done_answer(done, done.replayed ? 200 : 201); }

/// The command that the body is, or its error.
template <class Question>
void command(const visit& here, caf::expected<Question> what) {
  if (!what)
    return here.fail(what.error());
  command(here, registry_question{std::move(*what)});
}

/// As the registry keeps e-mail addresses; ids are in lower case anyway.
std::string in_lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return text;
}

template <class Then>
void with_person(const visit& here, const person_name& who, Then then) {
  if (who.empty() || who.size() > longest_text)
    return here.fail(make_error(errc::user_unknown));
  here.ask<user>(registry_of(here), find_user{in_lower_case(who)}, short_wait, std::move(then));
}

/// The key of the path, for which the body is a command.
template <class Question>
void key_command(const visit& here, caf::expected<Question> what) {
  if (what)
    what->key = here.asked.name;
  command(here, std::move(what));
}

/// Likewise, where the body has no fields.
template <class Question>
void key_step(const visit& here) {
  if (auto wrong = read_nothing(body_of(here)))
    return here.fail(wrong);
  Question what;
  what.key = here.asked.name;
  command(here, registry_question{std::move(what)});
}

// --- people ------------------------------------------------------------------------

void list_people(const visit& here) {
  list_users which;
  which.text = asked_for(here, "text");
  which.after = here.asked.after_name;
  which.limit = here.asked.limit;
  if (const auto state = asked_for(here, "state"); !state.empty() && !(which.state = user_state_of(state)))
    return here.fail(make_error(errc::bad_request, "state is pending, active, suspended or deleted"));
  if (which.text.size() > longest_text || which.after.size() > longest_text)
    return here.fail(make_error(errc::bad_request, "text or after is too long"));
  here.relay<user_page>(registry_of(here), std::move(which), short_wait,
                        [](const question&, const user_page& page) { return users_answer(page); });
}

/// Changes somebody, unless who asks may not.
void judged(const visit& here, const user& who, user_role role_after, user_state state_after, registry_question what) {
  person_change change;
  change.role_before = who.role;
  change.role_after = role_after;
  change.state_before = who.state;
  change.state_after = state_after;
  change.own = who.id == here.by->who.subject;
  change.confirmed = asked_for(here, "confirm") == "true";
  if (auto wrong = judge_person_change(here.by->who.rights, change))
    return here.fail(wrong);
  command(here, std::move(what));
}

void change_person(const visit& here) {
  auto what = read_change_user(body_of(here));
  if (!what)
    return here.fail(what.error());
  with_person(here, here.asked.name, [here, changes = std::move(*what)](const user& who) {
    auto theirs = changes;
    theirs.id = who.id;
    judged(here, who, theirs.role.value_or(who.role), who.state, registry_question{std::move(theirs)});
  });
}

void change_state(const visit& here) {
  const auto to = read_user_state(body_of(here));
  if (!to)
    return here.fail(to.error());
  with_person(here, here.asked.name, [here, to = *to](const user& who) {
    auto what = to;
    what.id = who.id;
    judged(here, who, who.role, to.to, registry_question{std::move(what)});
  });
}

void add_person(const visit& here) {
  auto what = read_add_user(body_of(here));
  if (!what)
    return here.fail(what.error());
  if (what->role != user_role::user && !here.by->who.rights.has(right::write_roles))
    return here.fail(make_error(errc::right_missing, std::string(to_text(right::write_roles))));
  command(here, registry_question{std::move(*what)}, made_one);
}

// --- keys ------------------------------------------------------------------------------

void list_all_keys(const visit& here) {
  list_keys which;
  which.text = asked_for(here, "text");
  which.after = here.asked.after_name;
  which.limit = here.asked.limit;
  if (const auto state = asked_for(here, "state"); !state.empty() && !(which.state = key_state_of(state)))
    return here.fail(make_error(errc::bad_request, "state is pooled, live, suspended, expired, rotated, revoked or "
                                                   "external"));
  if (const auto waiting = asked_for(here, "waiting"); waiting == "renewal")
    which.waiting = list_keys::wait::renewal;
  else if (waiting == "choice")
    which.waiting = list_keys::wait::choice;
  else if (!waiting.empty())
    return here.fail(make_error(errc::bad_request, "waiting is renewal or choice"));
  if (which.text.size() > longest_text || which.after.size() > longest_text)
    return here.fail(make_error(errc::bad_request, "text or after is too long"));
  const auto tell = [](const question&, const key_page& page) { return keys_answer_of(page); };
  const auto owner = asked_for(here, "owner");
  if (owner.empty())
    return here.relay<key_page>(registry_of(here), std::move(which), short_wait, tell);
  with_person(here, owner, [here, which, tell](const user& who) {
    auto theirs = which;
    theirs.owner = who.id;
    here.relay<key_page>(registry_of(here), std::move(theirs), short_wait, tell);
  });
}

void assign(const visit& here) {
  auto read = read_assign_key(body_of(here));
  if (!read)
    return here.fail(read.error());
  const auto owner = read->owner;
  with_person(here, owner, [here, wanted = std::move(read->what)](const user& who) {
    auto what = wanted;
    what.owner = who.id;
    command(here, registry_question{std::move(what)}, made_one);
  });
}

void adopt(const visit& here) {
  const auto read = read_adopt_key(body_of(here));
  if (!read)
    return here.fail(read.error());
  with_person(here, read->owner, [here, label = read->label](const user& who) {
    command(here, registry_question{adopt_key{here.asked.name, who.id, label}});
  });
}

void find(const visit& here) {
  auto text = read_find_key(body_of(here));
  if (!text)
    return here.fail(text.error());
  here.relay<client_key>(registry_of(here), find_key{{}, std::move(*text)}, short_wait,
                         [](const question&, const client_key& key) { return json_answer(to_json(key)); });
}

/// An import whose owners are looked up, one after the other, before anything is asked for.
struct owners_wanted {
  import_list list;
  std::map<person_name, user_id> found;
  std::size_t at = 0;
};

void import_on(const visit& here, const std::shared_ptr<owners_wanted>& all) {
  auto& keys = all->list.keys;
  while (all->at < keys.size()) {
    const auto owner = in_lower_case(keys[all->at].owner);
    if (!owner.empty()) {
      const auto known = all->found.find(owner);
      if (known == all->found.end())
        return here.ask_or<user>(
          registry_of(here), find_user{owner}, short_wait,
          [here, all, owner](const user& who) {
            all->found[owner] = who.id;
            import_on(here, all);
          },
          [here, at = all->at](const caf::error& error) {
            const bool unknown = code_of(error) == errc::user_unknown;
            here.fail(unknown ? make_error(errc::user_unknown, fmt::format("keys[{}].owner", at)) : error);
          });
      keys[all->at].what.owner = known->second;
    }
    ++all->at;
  }
  import_keys what;
  for (auto& one : keys)
    what.keys.push_back(std::move(one.what));
  command(here, registry_question{std::move(what)}, import_answer);
}

void take_in(const visit& here) {
  auto list = read_import_keys(body_of(here));
  if (!list)
    return here.fail(list.error());
  import_on(here, std::make_shared<owners_wanted>(owners_wanted{std::move(*list), {}, 0}));
}

// --- prices -------------------------------------------------------------------------------

void list_all_prices(const visit& here) {
  list_prices which;
  which.text = in_lower_case(asked_for(here, "text"));
  which.after = here.asked.after_name;
  which.limit = here.asked.limit;
  if (which.text.size() > longest_text || which.after.size() > longest_text)
    return here.fail(make_error(errc::bad_request, "text or after is too long"));
  here.relay<price_page>(registry_of(here), std::move(which), short_wait,
                         [](const question&, const price_page& page) { return prices_answer(page); });
}

void put_all_prices(const visit& here) {
  auto what = read_put_prices(body_of(here));
  return what ? command(here, registry_question{std::move(*what)}, prices_done_answer) : here.fail(what.error());
}

/// All prices, looked up page by page, for a preview.
struct preview_wanted {
  std::string format, list, only;
  std::vector<price> there;
};

void preview_on(const visit& here, const std::shared_ptr<preview_wanted>& all) {
  list_prices which;
  which.after = all->there.empty() ? std::string{} : all->there.back().id;
  which.limit = 1000;
  here.ask<price_page>(registry_of(here), std::move(which), short_wait, [here, all](const price_page& page) {
    all->there.insert(all->there.end(), page.prices.begin(), page.prices.end());
    if (page.more && !page.prices.empty())
      return preview_on(here, all);
    const auto& preview = here.self->state.hooks.preview_prices;
    const auto told = preview ? preview(all->there, all->format, all->list, all->only)
                              : caf::expected<std::string>{make_error(errc::shutting_down, "not started yet")};
    if (!told)
      return here.fail(told.error());
    http_response out;
    out.body = std::make_shared<const std::string>(*told);
    here.answer(std::move(out));
  });
}

void preview_all_prices(const visit& here) {
  fields all(body_of(here));
  auto wanted = std::make_shared<preview_wanted>();
  all.text("format", wanted->format, true);
  all.text("list", wanted->list, true);
  all.text("only", wanted->only);
  if (auto wrong = all.finish())
    return here.fail(wrong);
  if (wanted->format != "litellm" && wanted->format != "models-dev")
    return here.fail(make_error(errc::bad_request, "format is litellm or models-dev"));
  preview_on(here, wanted);
}

void drop_all_prices(const visit& here) {
  auto what = read_drop_prices(body_of(here));
  return what ? command(here, registry_question{std::move(*what)}, prices_done_answer) : here.fail(what.error());
}

void list_without_price(const visit& here) {
  constexpr std::chrono::hours month{30 * 24};
  list_unpriced which;
  const auto now = std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
  which.to = now;
  which.from = now - month;
  for (const auto& [name, place] : {std::pair{"from", &which.from}, {"to", &which.to}}) {
    const auto text = asked_for(here, name);
    if (text.empty())
      continue;
    const auto at = parse_rfc3339(text);
    if (!at)
      return here.fail(make_error(errc::bad_request, fmt::format("{} is a moment as in 2026-04-02T00:00:00Z", name)));
    *place = moment_of(at->unix_ns);
  }
  here.relay<std::vector<unpriced_model>>(here.self->state.handles.ledger, which, file_wait,
                                          [](const question&, const auto& all) { return list_answer(all); });
}

void begin_reprice(const visit& here) {
  const auto what = read_reprice_order(body_of(here));
  if (!what)
    return here.fail(what.error());
  here.relay<reprice_state>(here.self->state.handles.ledger, *what, short_wait,
                            [](const question&, const reprice_state& now) { return json_answer(to_json(now), 202); });
}

// --- audit ------------------------------------------------------------------------------

struct audit_walk {
  audit_filter wanted;
  nlohmann::json items = nlohmann::json::array();
  log_position seen = 0; ///< all up to here was looked at
  std::size_t pages = 0, objects = 0;
};

void audit_on(const visit& here, const std::shared_ptr<audit_walk>& walk) {
  const bool all = walk->wanted.what.empty() && walk->wanted.about.empty();
  here.ask<std::vector<registry_entry>>(
    here.self->state.handles.ledger, read_entries{walk->seen, all ? here.asked.limit : audit_page}, short_wait,
    [here, walk](const std::vector<registry_entry>& entries) {
      bool full = false;
      for (const auto& entry : entries) {
        if (full)
          break;
        walk->seen = entry.position;
        if (!fits(walk->wanted, entry))
          continue;
        walk->items.push_back(to_json(entry));
        walk->objects += size_of(entry);
        full = walk->items.size() >= here.asked.limit || walk->objects >= most_audit_objects;
      }
      if (!entries.empty() && !full && ++walk->pages < most_audit_pages)
        return audit_on(here, walk);
      here.answer(json_answer({{"items", std::move(walk->items)}, {"next", walk->seen}, {"more", !entries.empty()}}));
    });
}

void list_audit(const visit& here) {
  auto walk = std::make_shared<audit_walk>();
  walk->wanted = {asked_for(here, "what"), asked_for(here, "about")};
  if (walk->wanted.what.size() > longest_text || walk->wanted.about.size() > longest_text)
    return here.fail(make_error(errc::bad_request, "what or about is too long"));
  walk->seen = here.asked.after;
  audit_on(here, walk);
}

void prove_audit(const visit& here) {
  const auto mark = read_audit_mark(asked_for(here, "last"));
  if (!mark)
    return here.fail(mark.error());
  here.relay<audit_verified>(
    here.self->state.handles.auditor, *mark, long_wait, [](const question&, const audit_verified& to) {
      return json_answer({{"position", to.position}, {"hash", fmt::format("{:02x}", fmt::join(to.hash, ""))}});
    });
}

} // namespace

void about_registry(const visit& here) {
  const auto& body = body_of(here);
  const auto& registry = registry_of(here);
  switch (here.asked.row->about) {
    case topic::users: return list_people(here);
    case topic::add_user: return add_person(here);
    case topic::user:
      return with_person(here, here.asked.name, [here](const user& who) { here.answer(json_answer(to_json(who))); });
    case topic::change_user: return change_person(here);
    case topic::user_state: return change_state(here);
    case topic::keys: return list_all_keys(here);
    case topic::key:
      return here.relay<client_key>(registry, keyportal::find_key{here.asked.name, {}}, short_wait,
                                    [](const question&, const client_key& key) { return json_answer(to_json(key)); });
    case topic::assign_key: return assign(here);
    case topic::find_key: return find(here);
    case topic::import_keys: return take_in(here);
    case topic::change_key: return key_command(here, read_change_key(body));
    case topic::renew_key: return key_command(here, read_renew_key(body));
    case topic::rotate_key: return key_command(here, read_rotate_key(body));
    case topic::suspend_key: return key_step<suspend_key>(here);
    case topic::resume_key: return key_step<resume_key>(here);
    case topic::revoke_key: return key_step<revoke_key>(here);
    case topic::adopt_key: return adopt(here);
    case topic::ask_renewal: return key_command(here, read_ask_renewal(body));
    case topic::answer_renewal: return key_command(here, read_answer_renewal(body));
    case topic::key_budgets:
      return here.relay<std::vector<budget_use>>(registry, read_budgets{here.asked.name}, short_wait,
                                                 [](const question&, const auto& all) { return list_answer(all); });
    case topic::pool:
      return here.relay<registry_state>(
        registry, read_registry_state{}, short_wait,
        [](const question&, const registry_state& now) { return json_answer(to_json(now)); });
    case topic::fill_pool: {
      auto what = read_make_keys(body);
      return what ? command(here, registry_question{*what}, made_answer) : here.fail(what.error());
    }
    case topic::policies:
      return here.relay<std::vector<policy>>(registry, list_policies{}, short_wait,
                                             [](const question&, const auto& all) { return list_answer(all); });
    case topic::put_policy: {
      auto what = read_policy(body, here.asked.name);
      return what ? command(here, registry_question{put_policy{std::move(*what)}}) : here.fail(what.error());
    }
    case topic::drop_policy: return command(here, registry_question{drop_policy{here.asked.name}});
    case topic::prices: return list_all_prices(here);
    case topic::put_prices: return put_all_prices(here);
    case topic::preview_prices: return preview_all_prices(here);
    case topic::drop_prices: return drop_all_prices(here);
    case topic::unpriced: return list_without_price(here);
    case topic::reprice: return begin_reprice(here);
    case topic::reprice_state:
      return here.relay<reprice_state>(
        here.self->state.handles.ledger, read_reprice{}, short_wait,
        [](const question&, const reprice_state& now) { return json_answer(to_json(now)); });
    case topic::audit: return list_audit(here);
    case topic::verify_audit: return prove_audit(here);
    default: return here.fail(make_error(errc::not_found, here.asked.path));
  }
}

void about_keys_of(const visit& here, const node_handles& node) {
  const auto& ledger = here.self->state.handles.ledger;
  const auto number = here.asked.id;
  switch (here.asked.row->about) {
    case topic::node_keys:
      return here.relay<node_keys>(node.keys, read_node_keys{}, short_wait,
                                   [](const question&, const node_keys& now) { return json_answer(to_json(now)); });
    case topic::configs:
      return here.relay<std::vector<config_info>>(ledger, list_configs{node.name}, short_wait,
                                                  [](const question&, const auto& all) { return list_answer(all); });
    case topic::config:
      return here.relay<std::shared_ptr<const std::string>>(
        ledger, read_config{node.name, number}, short_wait,
        [](const question&, const auto& text) { return config_answer(text); });
    case topic::restore_config:
      return here.relay<key_written>(node.keys, keyportal::restore_config{number}, file_wait,
                                     [](const question& q, const key_written&) {
                                       return json_answer({{"node", q.node}, {"number", q.id}});
                                     });
    default: return here.fail(make_error(errc::not_found, here.asked.path));
  }
}

} // namespace keyportal::gateway
