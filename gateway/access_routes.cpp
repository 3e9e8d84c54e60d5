#include "gateway/access_routes.hpp"

#include <algorithm>
#include <charconv>

#include <caf/send.hpp>
#include <nlohmann/json.hpp>

#include "gateway/access_answers.hpp"
#include "gateway/access_bodies.hpp"
#include "gateway/handlers.hpp"
#include "gateway/registry_bodies.hpp"

namespace keyportal::gateway {

namespace {

using nlohmann::json;

/// Hashing a password waits for its turn, and another place to sign in at for its answer.
constexpr std::chrono::seconds sign_in_wait{30};
constexpr std::chrono::seconds lasts_external{600};

const std::string& body_of(const visit& here) { return here.exchange->request.body; }
const std::string& subject_of(const visit& here) { return here.by->who.subject; }

std::string asked_for(const visit& here, std::string_view name) {
  for (const auto& [key, value] : here.exchange->request.query)
    if (key == name)
      return value;
  return {};
}

/// As `problem`; one that says how long to wait is believed.
void refuse(const visit& here, const caf::error& error) {
  auto out = problem(error);
  const auto about = about_of(error);
  long seconds = 0;
  const bool told = std::from_chars(about.data(), about.data() + about.size(), seconds).ec == std::errc{};
  const bool later = code_of(error) == errc::slow_down || code_of(error) == errc::too_many_requests;
  if (later && told && seconds > 0)
    for (auto& [name, value] : out.headers)
      if (name == "Retry-After")
        value = std::to_string(seconds);
  here.answer(std::move(out));
}

template <class Then, class Otherwise>
void ask_or(const visit& here, access_question what, Then then, Otherwise otherwise) {
  const auto who = here.by->who.kind == caller_kind::control ? std::string("control") : subject_of(here);
  here.ask_or<access_done>(here.self->state.handles.authenticator, access_command{here.by->from, who, std::move(what)},
                           sign_in_wait, std::move(then), std::move(otherwise));
}

template <class Then>
void ask(const visit& here, access_question what, Then then) {
  ask_or(here, std::move(what), std::move(then), [here](const caf::error& error) { refuse(here, error); });
}

/// What the body says, or the refusal of it.
template <class Question, class Then>
void ask_read(const visit& here, caf::expected<Question> what, Then then) {
  if (!what)
    return here.fail(what.error());
  ask(here, access_question{std::move(*what)}, std::move(then));
}

/// For answers that say no more than that it is done.
auto done_with(const visit& here, int status = 204) {
  return [here, status](const access_done&) {
    http_response out;
    out.status = status;
    here.answer(std::move(out));
  };
}

http_response shown(const json& body, int status = 200) {
  auto out = json_answer(body, status);
  out.headers.emplace_back("Cache-Control", "no-store");
  return out;
}

// --- sessions ------------------------------------------------------------------------------

/// Binds a CSRF token to a random cookie before there is a session.
void tell_nobody(const visit& here, const caller_directory& callers) {
  const auto& by = *here.by;
  auto bound_to = cookie_of(here.exchange->request, before_cookie, by.cookies);
  const bool is_new = !bound_to || bound_to->size() > 100;
  if (is_new)
    bound_to = random_text().reveal();
  auto out = session_answer(by, nullptr, callers.csrf_before(*bound_to));
  if (is_new)
    out.headers.emplace_back("Set-Cookie", set_cookie(before_cookie, *bound_to, by.cookies, same_site::strict));
  if (code_of(by.unknown) == errc::session_ended)
    out.headers.emplace_back("Set-Cookie", drop_cookie(session_cookie, by.cookies, same_site::strict));
  here.answer(std::move(out));
}

void tell_session(const visit& here) {
  const auto& by = *here.by;
  const auto callers = here.self->state.hooks.door->callers();
  if (callers && by.who.kind == caller_kind::nobody && !by.has_bearer)
    return tell_nobody(here, *callers);
  const auto csrf = callers && by.by_cookie && by.who.held ? callers->csrf_of(*by.who.held) : std::string{};
  const bool pending = by.who.held && by.who.held->factor == second_factor::pending;
  if (by.who.subject.empty() || by.who.kind == caller_kind::key_view || pending) // half a sign-in learns nothing yet
    return here.answer(session_answer(by, nullptr, csrf));
  here.ask<user>(here.self->state.handles.registry, find_user{by.who.subject}, short_wait,
                 [here, csrf](const user& person) { here.answer(session_answer(*here.by, &person, csrf)); });
}

/// The new session, if there is one, in the place of what the browser had.
void enter(const visit& here, const access_done& done, bool replaces = true) {
  const auto callers = here.self->state.hooks.door->callers();
  const auto csrf = callers && done.begun ? callers->csrf_of(*done.begun) : std::string{};
  if (replaces && done.begun && here.by->by_cookie && here.by->who.held)
    caf::anon_send(here.self->state.handles.authenticator,
                   access_command{here.by->from, subject_of(here), sign_out{here.by->who.held->id}});
  here.answer(entered_answer(done, csrf, here.by->cookies));
}

void begin_session(const visit& here) {
  auto read = read_sign_in(body_of(here));
  if (!read)
    return here.fail(read.error());
  const auto then = [here](const access_done& done) { enter(here, done); };
  std::visit([&](auto& what) { ask(here, access_question{std::move(what)}, then); }, *read);
}

void end_session_now(const visit& here) {
  ask(here, sign_out{here.by->who.held->id}, [here](const access_done&) {
    http_response out;
    out.status = 204;
    out.headers.emplace_back("Set-Cookie", drop_cookie(session_cookie, here.by->cookies, same_site::strict));
    here.answer(std::move(out));
  });
}

void list_sessions_of(const visit& here, const std::string& subject) {
  ask(here, list_sessions{subject},
      [here](const access_done& done) { here.answer(sessions_answer(done.sessions, here.by->who.held)); });
}

void end_one_session(const visit& here) {
  ask(here, end_sessions{subject_of(here), here.asked.name, {}}, [here](const access_done& done) {
    if (done.count == 0)
      return here.fail(make_error(errc::not_found, "session"));
    here.answer([] {
      http_response out;
      out.status = 204;
      return out;
    }());
  });
}

void end_others(const visit& here) {
  const auto& mine = here.by->who.held;
  ask(here, end_sessions{subject_of(here), {}, mine ? std::optional<digest>(mine->id) : std::nullopt},
      [here](const access_done& done) {
        here.answer(json_answer({{"ended", done.count}}));
      });
}

// --- people who come ------------------------------------------------------------------------

void register_one(const visit& here) {
  auto read = read_registration(body_of(here));
  if (!read)
    return here.fail(read.error());
  auto what = std::move(read->what);
  if (read->external) {
    auto newcomer = cookie_of(here.exchange->request, newcomer_cookie, here.by->cookies);
    if (!newcomer)
      return here.fail(make_error(errc::sign_in_expired));
    what.external = secret{std::move(*newcomer)};
  }
  ask(here, std::move(what), [here](const access_done& done) { enter(here, done); });
}

void change_own_password(const visit& here) {
  auto what = read_password_change(body_of(here));
  if (!what)
    return here.fail(what.error());
  if (!here.by->who.held)
    return here.fail(make_error(errc::sign_in_needed));
  what->user = subject_of(here);
  what->session = here.by->who.held->id;
  // The session may go on under a new id.
  ask(here, std::move(*what), [here](const access_done& done) {
    if (done.begun)
      return enter(here, done, false);
    done_with(here)(done);
  });
}

// --- second factor -----------------------------------------------------------------------------

/// A question about one's account that needs the password again.
template <class Question, class Then>
void with_password(const visit& here, Then then) {
  auto given = read_password_again(body_of(here));
  if (!given)
    return here.fail(given.error());
  Question what;
  what.user = subject_of(here);
  what.password = std::move(*given);
  ask(here, std::move(what), std::move(then));
}

auto codes_shown(const visit& here) {
  return [here](const access_done& done) {
    auto codes = json::array();
    for (const auto& one : done.codes)
      codes.push_back(one.reveal());
    auto out = shown({{"codes", std::move(codes)}});
    const auto callers = here.self->state.hooks.door->callers();
    if (done.begun && callers) // more rights, so a new id
      out.headers.emplace_back(
        "Set-Cookie", set_cookie(session_cookie, done.session_text.reveal(), here.by->cookies, same_site::strict));
    here.answer(std::move(out));
  };
}

// --- tokens and invitations ----------------------------------------------------------------------

template <class Item>
auto listed(const visit& here, std::vector<Item> access_done::*of) {
  return [here, of](const access_done& done) { here.answer(list_answer(done.*of)); };
}

/// One that was made: its text, this once, and what is listed of it.
template <class Item>
auto made(const visit& here, const char* shown_as, const char* name, std::vector<Item> access_done::*of) {
  return [here, shown_as, name, of](const access_done& done) {
    json body{{shown_as, done.shown.reveal()}};
    body[name] = (done.*of).empty() ? json(nullptr) : to_json((done.*of).front());
    here.answer(shown(body, 201));
  };
}

// --- other places to sign in at --------------------------------------------------------------------

std::string came_back_to(const visit& here) {
  return here.by->origin + here.self->state.hooks.base_path + "/sign-in/" + escaped(here.asked.name) + "/callback";
}

/// The page tells what went wrong; in the fragment, which no server is sent.
void send_back(const visit& here, const caf::error& error) {
  auto out =
    redirect(here.self->state.hooks.base_path + "/#sign-in-failed=" + std::string(row_of(code_of(error)).name));
  out.headers.emplace_back("Set-Cookie", drop_cookie(external_cookie, here.by->cookies, same_site::lax));
  here.answer(std::move(out));
}

void start_external(const visit& here) {
  const auto& by = *here.by;
  // A page of somebody else's must not begin a sign-in, or it could end in an account of theirs.
  const auto site = header_of(here.exchange->request, "sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none")
    return here.fail(make_error(errc::wrong_origin, "the browser says that another site asks"));
  begin_external what;
  what.provider = here.asked.name;
  what.return_to = safe_return(asked_for(here, "return_to"));
  what.cookie = random_text();
  what.redirect_uri = came_back_to(here);
  if (asked_for(here, "link") == "true") {
    if (by.who.kind != caller_kind::session || !by.who.rights.has(right::own_account))
      return here.fail(make_error(errc::sign_in_needed));
    what.link_to = by.who.subject;
  }
  const auto cookie = what.cookie;
  ask(here, std::move(what), [here, cookie](const access_done& done) {
    auto out = redirect(done.uri);
    out.headers.emplace_back(
      "Set-Cookie", set_cookie(external_cookie, cookie.reveal(), here.by->cookies, same_site::lax, lasts_external));
    here.answer(std::move(out));
  });
}

void end_external(const visit& here) {
  finish_external what;
  what.provider = here.asked.name;
  what.query = here.exchange->request.query;
  what.redirect_uri = came_back_to(here);
  auto cookie = cookie_of(here.exchange->request, external_cookie, here.by->cookies);
  if (!cookie)
    return send_back(here, make_error(errc::sign_in_expired));
  what.cookie = secret{std::move(*cookie)};
  const auto arrived = [here](const access_done& done) {
    const auto& cookies = here.by->cookies;
    const auto& base = here.self->state.hooks.base_path;
    auto to = safe_return(done.return_to);
    if (done.waits_for_approval)
      to = base + "/#waits-for-approval";
    else if (!done.register_with.empty())
      to = base + "/#register?email=" + escaped(done.email) + "&name=" + escaped(done.name);
    else if (done.begun && done.begun->factor == second_factor::pending)
      to = base + "/#second-factor";
    else if (to == "/")
      to = base + to;
    auto out = redirect(std::move(to));
    out.headers.emplace_back("Set-Cookie", drop_cookie(external_cookie, cookies, same_site::lax));
    if (done.begun)
      out.headers.emplace_back("Set-Cookie",
                               set_cookie(session_cookie, done.session_text.reveal(), cookies, same_site::strict));
    if (!done.register_with.empty())
      out.headers.emplace_back("Set-Cookie", set_cookie(newcomer_cookie, done.register_with.reveal(), cookies,
                                                        same_site::strict, lasts_external));
    here.answer(std::move(out));
  };
  ask_or(here, std::move(what), arrived, [here](const caf::error& error) { send_back(here, error); });
}

// --- about others ------------------------------------------------------------------------------------

/// The person of the path. Whoever may change people but no admins is refused at an admin.
template <class Then>
void with_person(const visit& here, Then then) {
  auto name = here.asked.name; // addresses are kept in lower case
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (name.empty() || name.size() > 512)
    return here.fail(make_error(errc::user_unknown));
  here.ask<user>(here.self->state.handles.registry, find_user{name}, short_wait, [here, then](const user& person) {
    const bool changes = here.asked.row->method != "GET";
    if (changes && person.role == user_role::admin && !here.by->who.rights.has(right::write_roles))
      return here.fail(make_error(errc::right_missing, std::string(to_text(right::write_roles))));
    then(person);
  });
}

/// The token of the path, whoever has it. Whoever may change people but no admins is refused at an admin's.
void end_token_of_anybody(const visit& here) {
  ask(here, list_tokens{}, [here](const access_done& done) {
    const auto found = std::find_if(done.tokens.begin(), done.tokens.end(),
                                    [&](const token_info& one) { return one.name == here.asked.name; });
    if (found == done.tokens.end())
      return here.fail(make_error(errc::not_found, "token"));
    here.ask<user>(here.self->state.handles.registry, find_user{found->user}, short_wait, [here](const user& person) {
      if (person.role == user_role::admin && !here.by->who.rights.has(right::write_roles))
        return here.fail(make_error(errc::right_missing, std::string(to_text(right::write_roles))));
      ask(here, end_token{{}, here.asked.name}, done_with(here));
    });
  });
}

void list_all_tokens(const visit& here) {
  const auto whose = asked_for(here, "user");
  ask(here, list_tokens{}, [here, whose](const access_done& done) {
    std::vector<token_info> items;
    for (const auto& one : done.tokens)
      if (whose.empty() || one.user == whose)
        items.push_back(one);
    here.answer(list_answer(items));
  });
}

} // namespace

void about_access(const visit& here) {
  const auto& body = body_of(here);
  const auto& me = subject_of(here);
  const auto& name = here.asked.name;
  switch (here.asked.row->about) {
    case topic::session: return tell_session(here);
    case topic::sign_in: return begin_session(here);
    case topic::sign_out: return end_session_now(here);
    case topic::second_factor: {
      auto what = read_second_factor(body);
      if (what)
        what->session = here.by->who.held->id;
      return ask_read(here, std::move(what), [here](const access_done& done) { enter(here, done, false); });
    }
    case topic::sessions: return list_sessions_of(here, me);
    case topic::end_other_sessions: return end_others(here);
    case topic::end_session: return end_one_session(here);
    case topic::registration: return register_one(here);
    case topic::password: return change_own_password(here);
    case topic::ask_password: return ask_read(here, read_password_wish(body), done_with(here, 202));
    case topic::set_password: return ask_read(here, read_new_password(body), done_with(here));
    case topic::account:
      return ask(here, read_account{me}, [here](const access_done& done) {
        here.answer(json_answer(to_json(done.account.value_or(account_info{}))));
      });
    case topic::drop_identity: {
      auto what = read_identity(body);
      if (what)
        what->user = me;
      return ask_read(here, std::move(what), done_with(here));
    }
    case topic::begin_totp:
      return with_password<keyportal::begin_totp>(here, [here](const access_done& done) {
        here.answer(shown({{"secret", done.shown.reveal()}, {"uri", done.uri}}));
      });
    case topic::finish_totp: {
      auto what = read_totp_code(body);
      if (what)
        what->user = me;
      return ask_read(here, std::move(what), codes_shown(here));
    }
    case topic::drop_totp: return with_password<keyportal::drop_totp>(here, done_with(here));
    case topic::recovery_codes: return with_password<new_recovery_codes>(here, codes_shown(here));
    case topic::tokens: return ask(here, list_tokens{me}, listed(here, &access_done::tokens));
    case topic::make_token: {
      auto what = read_token_wish(body);
      if (what)
        what->user = me;
      return ask_read(here, std::move(what), made(here, "text", "token", &access_done::tokens));
    }
    case topic::end_token: return ask(here, end_token{me, name}, done_with(here));
    case topic::all_tokens: return list_all_tokens(here);
    case topic::end_any_token: return end_token_of_anybody(here);
    case topic::invitations: return ask(here, list_invitations{}, listed(here, &access_done::invitations));
    case topic::invite:
      return ask_read(here, read_invitation(body), made(here, "text", "invitation", &access_done::invitations));
    case topic::end_invitation: return ask(here, end_invitation{name}, done_with(here));
    case topic::ways_in: {
      const auto& hooks = here.self->state.hooks;
      return here.answer(json_answer({{"registration", hooks.registration}, {"passwords", hooks.passwords}}));
    }
    case topic::providers: return ask(here, list_providers{}, listed(here, &access_done::providers));
    case topic::begin_external: return start_external(here);
    case topic::finish_external: return end_external(here);
    case topic::password_code:
      if (auto wrong = read_nothing(body))
        return here.fail(wrong);
      return with_person(here, [here](const user& person) {
        ask(here, ask_new_password{person.email, true}, [here](const access_done& done) {
          here.answer(shown({{"code", done.shown.reveal()}}, 201));
        });
      });
    case topic::sessions_of:
      return with_person(here, [here](const user& person) { list_sessions_of(here, person.id); });
    case topic::end_sessions_of:
      return with_person(here, [here](const user& person) {
        ask(here, end_sessions{person.id, {}, {}}, [here](const access_done& done) {
          here.answer(json_answer({{"ended", done.count}}));
        });
      });
    case topic::drop_totp_of:
      return with_person(here, [here](const user& person) {
        ask(here, keyportal::drop_totp{person.id, {}, true}, done_with(here));
      });
    default: return here.fail(make_error(errc::not_found, here.asked.path));
  }
}

} // namespace keyportal::gateway
