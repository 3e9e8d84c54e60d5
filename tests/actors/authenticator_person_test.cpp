// What people have: codes, second factors, tokens, identities, views of a key.
#include <nlohmann/json.hpp>

#include "actors/access/totp.hpp"
#include "tests/actors/front_door.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

/// The bytes of the key that was shown.
std::string key_of(const access_done& shown) { return *from_base32(shown.shown.reveal()); }

std::string code_at(const front_door& d, const std::string& key) { return totp_code(key, totp_step(d.now())); }

/// Somebody with an authenticator app: its key, and recovery codes.
std::pair<std::string, std::vector<secret>> add_totp(front_door& d, const user_id& who) {
  const auto begun = d.ask_for(begin_totp{who, secret{front_door::password}});
  REQUIRE(begun);
  const auto key = key_of(*begun);
  const auto finished = d.ask_for(finish_totp{who, code_at(d, key)});
  REQUIRE(finished);
  d.second += 60;
  return {key, finished->codes};
}

} // namespace

TEST_CASE("S6: a code for a new password is for ten minutes, for one use and for five tries, also all at once") {
  std::vector<std::string> sent;
  front_door d{[&sent](authenticator_settings& s) {
    s.mail = [&sent](const send_code& one) { sent.push_back(one.code.reveal()); };
  }};
  d.make_admin();
  REQUIRE(d.ask_for(ask_new_password{"root@example.com"}));
  d.settle();
  REQUIRE(sent.size() == 1);
  CHECK(d.why_not(ask_new_password{"nobody@example.com"}) == errc::none); // which tells nothing
  CHECK(sent.size() == 1);
  CHECK_FALSE(d.log->holds(sent[0]));

  std::vector<access_question> guesses;
  for (int i = 0; i < 8; ++i)
    guesses.emplace_back(set_new_password{"root@example.com", fmt::format("{:08}", i), secret{"new correct horse"}});
  for (const auto& one : d.ask_all(guesses, "203.0.113.1"))
    CHECK_FALSE(one);
  CHECK(d.why_not(set_new_password{"root@example.com", sent[0], secret{"new correct horse"}}) == errc::code_wrong);

  REQUIRE(d.ask_for(ask_new_password{"root@example.com"}));
  REQUIRE(sent.size() == 2);
  const auto in = d.sign_in("root@example.com");
  REQUIRE(in);
  CHECK(d.why_not(set_new_password{"root@example.com", sent[1], secret{"new correct horse"}}) == errc::none);
  CHECK_FALSE(d.is_in(*in));
  CHECK(d.why_not(set_new_password{"root@example.com", sent[1], secret{"third correct horse"}}) == errc::code_wrong);
  CHECK(d.sign_in("root@example.com", "new correct horse"));

  REQUIRE(d.ask_for(ask_new_password{"root@example.com"}));
  d.second += 600;
  CHECK(d.why_not(set_new_password{"root@example.com", sent[2], secret{"third correct horse"}}) == errc::code_wrong);
}

TEST_CASE(
  "S6: an address is proven by a code before anything is made, and the tries are counted when many come at once") {
  std::vector<std::string> sent;
  front_door d{[&sent](authenticator_settings& s) {
    s.registration = {registration_mode::domain, {"example.com"}, true};
    s.mail = [&sent](const send_code& one) { sent.push_back(one.code.reveal()); };
  }};
  d.make_admin();
  register_person who;
  who.email = "ann@example.com";
  who.password = secret{front_door::password};
  const auto asked = d.ask_for(who);
  REQUIRE(asked);
  CHECK(asked->code_sent);
  REQUIRE(sent.size() == 1);
  CHECK_FALSE(d.sign_in("ann@example.com"));
  std::vector<access_question> guesses;
  for (int i = 0; i < 6; ++i) {
    auto guess = who;
    guess.code = fmt::format("{:08}", i);
    guesses.emplace_back(guess);
  }
  for (const auto& one : d.ask_all(guesses, "203.0.113.1"))
    CHECK_FALSE(one);
  who.code = sent[0];
  CHECK(d.why_not(who) == errc::code_wrong);
  who.code.clear();
  d.second += 3600;
  REQUIRE(d.ask_for(who));
  who.code = sent.at(1);
  REQUIRE(d.ask_for(who));
  CHECK(d.sign_in("ann@example.com"));
  // Of somebody who is there already no more is told than of others.
  who.code.clear();
  const auto again = d.ask_for(who, "198.51.100.9");
  REQUIRE(again);
  CHECK(again->code_sent);
  CHECK(sent.size() == 2);
  who.email = "ann@elsewhere.example";
  CHECK(d.why_not(who, "198.51.100.9") == errc::registration_domain);
}

TEST_CASE("S8: with a second factor the first step gives no rights, and the second one another session") {
  front_door d;
  const auto root = d.make_admin();
  const auto [key, recovery] = add_totp(d, root);
  const auto first = d.sign_in("root@example.com");
  REQUIRE(first);
  CHECK(d.callers->by_session(first->session_text.reveal())->rights.empty());
  CHECK(d.why_not(confirm_second_factor{first->begun->id, "000000"}) == errc::code_wrong);
  // The same right code at once, for two sessions: good for one of them.
  const auto other = d.sign_in("root@example.com");
  REQUIRE(other);
  const auto code = code_at(d, key);
  const auto both = d.ask_all(
    {confirm_second_factor{first->begun->id, code}, confirm_second_factor{other->begun->id, code}}, "192.0.2.7");
  REQUIRE(both[0].engaged() != both[1].engaged());
  const auto& in = both[0] ? *both[0] : *both[1];
  const auto& before = both[0] ? *first : *other;
  CHECK(in.session_text.reveal() != before.session_text.reveal());
  CHECK_FALSE(d.is_in(before));
  CHECK(d.callers->by_session(in.session_text.reveal())->rights == rights_of(user_role::admin));
  CHECK(d.why_not(confirm_second_factor{in.begun->id, code}) == errc::bad_request);

  // A recovery code is good once.
  const auto third = d.sign_in("root@example.com"), fourth = d.sign_in("root@example.com");
  CHECK(d.why_not(confirm_second_factor{third->begun->id, recovery.at(3).reveal()}) == errc::none);
  CHECK(d.why_not(confirm_second_factor{fourth->begun->id, recovery.at(3).reveal()}) == errc::code_wrong);
  CHECK(d.ask_for(read_account{root})->account->recovery_codes == 9);
  CHECK_FALSE(d.log->holds(recovery.at(3).reveal()));

  // Whoever lost it all is let in by an admin, and all that was open is closed.
  CHECK(d.why_not(drop_totp{root, secret{"wrong password"}}) == errc::sign_in_refused);
  REQUIRE(d.ask_for(drop_totp{root, {}, true}, "local", "control"));
  CHECK_FALSE(d.is_in(in));
  CHECK(d.sign_in("root@example.com")->begun->factor == second_factor::not_asked);
}

TEST_CASE("S5: codes of the second factor cannot be guessed at will") {
  front_door d;
  const auto root = d.make_admin();
  add_totp(d, root);
  const auto in = d.sign_in("root@example.com");
  REQUIRE(in);
  int slowed = 0;
  for (int i = 0; i < 30; ++i)
    slowed += d.why_not(confirm_second_factor{in->begun->id, fmt::format("{:06}", i)}) == errc::slow_down;
  CHECK(slowed >= 15);
}

TEST_CASE("S20: a token is random and long, ends when asked to and with its owner") {
  front_door d;
  const auto root = d.make_admin();
  make_token wish;
  wish.user = root;
  CHECK(d.why_not(wish) == errc::scope_refused);
  wish.scopes = {token_scope::read_all, token_scope::write_keys};
  wish.lifetime_s = 3600;
  wish.label = "nightly";
  const auto made = d.ask_for(wish), second = d.ask_for(wish);
  REQUIRE(made);
  REQUIRE(second);
  CHECK(made->shown.reveal().size() == 63);
  CHECK(made->shown.reveal() != second->shown.reveal());
  CHECK(d.ask_for(list_tokens{root})->tokens.size() == 2);
  CHECK(d.ask_for(list_tokens{})->tokens.size() == 2);
  CHECK(d.callers->by_token(made->shown.reveal())->rights.has(right::write_keys));
  CHECK_FALSE(d.callers->by_token(made->shown.reveal())->rights.has(right::own_tokens));
  CHECK(d.why_not(end_token{"u" + std::string(26, 'a'), made->tokens.front().name}) == errc::not_found);
  REQUIRE(d.ask_for(end_token{root, made->tokens.front().name}));
  CHECK_FALSE(d.callers->by_token(made->shown.reveal()));
  d.stop();
  d.start();
  CHECK_FALSE(d.callers->by_token(made->shown.reveal()));
  CHECK(d.callers->by_token(second->shown.reveal()));
  d.second += 3600;
  CHECK_FALSE(d.callers->by_token(second->shown.reveal()));
}

TEST_CASE("A client key opens a view of itself, until it is revoked") {
  front_door d;
  d.make_admin();
  const auto ann = d.make_person("ann@example.com");
  REQUIRE(d.command(make_keys{1}));
  const auto key = d.command(assign_key{.owner = ann});
  REQUIRE(key);
  CHECK(d.why_not(sign_in_with_key{secret{"sk-kp-made-up"}}) == errc::sign_in_refused);
  const auto in = d.ask_for(sign_in_with_key{key->shown.front()});
  REQUIRE(in);
  const auto who = d.callers->by_session(in->session_text.reveal());
  REQUIRE(who);
  CHECK(who->kind == caller_kind::key_view);
  CHECK(who->subject == key->keys.front().id);
  CHECK(who->rights == rights_of_key_view());
  CHECK_FALSE(d.log->holds(key->shown.front().reveal()));
  REQUIRE(d.command(revoke_key{key->keys.front().id}));
  d.settle();
  CHECK_FALSE(d.is_in(*in));
}

TEST_CASE("Somebody known elsewhere signs in when linked, never because an e-mail address is the same") {
  nlohmann::json person{{"name", "Ada"},
                        {"open_id", "ou_1"},
                        {"union_id", "on_1"},
                        {"email", "root@example.com"},
                        {"tenant_key", "tenant-1"}};
  front_door d{[&person](authenticator_settings& s) {
    provider_settings office;
    office.name = "office";
    office.kind = "feishu";
    office.client_id = "cli_a1";
    office.client_secret = secret{"app-s3cret"};
    office.tenants = {"tenant-1"};
    s.providers = {office};
    s.registration.mode = registration_mode::open;
    s.ask_elsewhere = [&person](identity::http_call call, auto done) {
      done(identity::http_answer{200, "application/json",
                                 call.url.ends_with("/token")
                                   ? R"({"code":0,"access_token":"u-token","expires_in":7200,"token_type":"Bearer"})"
                                   : nlohmann::json{{"code", 0}, {"msg", "success"}, {"data", person}}.dump()});
    };
  }};
  const auto root = d.make_admin();
  const secret cookie{std::string(43, 'c')};
  const auto come = [&](const std::string& link_to, const secret& with) {
    begin_external begin;
    begin.provider = "office";
    begin.return_to = "/keys";
    begin.link_to = link_to;
    begin.cookie = cookie;
    begin.redirect_uri = "https://portal.example/back/office";
    const auto sent = d.ask_for(begin);
    REQUIRE(sent);
    const auto at = sent->uri.find("state=") + 6;
    finish_external finish;
    finish.provider = "office";
    finish.query = {{"code", "c-1"}, {"state", sent->uri.substr(at, sent->uri.find('&', at) - at)}};
    finish.cookie = with;
    finish.redirect_uri = begin.redirect_uri;
    auto done = d.ask_for(finish);
    CHECK(d.why_not(finish) == errc::sign_in_expired); // a state is good once
    return done;
  };
  CHECK(d.ask_for(list_providers{})->providers.at(0).name == "office");
  CHECK(code_of(come({}, secret{std::string(43, 'x')}).error()) == errc::sign_in_expired); // another browser

  const auto stranger = come({}, cookie);
  REQUIRE(stranger);
  CHECK_FALSE(stranger->begun); // though the address is the admin's
  REQUIRE_FALSE(stranger->register_with.empty());

  register_person who;
  who.email = "ada@example.com";
  who.external = stranger->register_with;
  auto damaged = who;
  damaged.external = secret{stranger->register_with.reveal().substr(4)};
  CHECK(d.why_not(damaged) == errc::sign_in_expired);
  const auto ada = d.ask_for(who);
  REQUIRE(ada);
  CHECK(d.why_not(who) != errc::none); // once
  const auto in = come({}, cookie);
  REQUIRE(in);
  REQUIRE(in->begun);
  CHECK(in->begun->subject == ada->user);
  CHECK(in->return_to == "/keys");

  // Hers is not to be had by somebody else; another one can be added, and taken away while there is a password.
  const auto taken = come(root, cookie);
  REQUIRE_FALSE(taken);
  CHECK(code_of(taken.error()) == errc::identity_taken);
  person["union_id"] = "on_2";
  REQUIRE(come(root, cookie));
  CHECK(come({}, cookie)->begun->subject == root);

  // Whoever has a second factor is asked for it, whatever the other place has asked.
  add_totp(d, root);
  const auto half = come({}, cookie);
  REQUIRE(half);
  CHECK(half->begun->factor == second_factor::pending);
  CHECK(d.callers->by_session(half->session_text.reveal())->rights.empty());
  REQUIRE(d.ask_for(drop_totp{root, {}, true}, "local", "control"));
  CHECK(come({}, cookie)->begun->factor == second_factor::not_asked);

  const auto account = d.ask_for(read_account{root});
  REQUIRE(account->account->identities.size() == 1);
  REQUIRE(d.ask_for(drop_identity{root, "office", account->account->identities[0].subject_name}));
  CHECK_FALSE(come({}, cookie)->begun);
  const auto hers = d.ask_for(read_account{ada->user});
  CHECK(d.why_not(drop_identity{ada->user, "office", hers->account->identities.at(0).subject_name})
        == errc::last_way_in);
}
