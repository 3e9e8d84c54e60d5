// Signing in, sessions, the first admin, registration. The names say which statement of the security bar a case is for.
#include "tests/actors/front_door.hpp"

using namespace keyportal;
using namespace keyportal::test;

TEST_CASE("S3: there is no account at first; one token, used once, makes the first admin") {
  front_door d;
  CHECK(d.why_not(sign_in_with_password{"root@example.com", secret{"root"}}) == errc::sign_in_refused);
  register_person who;
  who.email = "root@example.com";
  who.password = secret{front_door::password};
  CHECK(d.why_not(who) == errc::registration_closed);
  const auto token = d.first_admin_token();
  auto other = token;
  other.back() = other.back() == 'a' ? 'b' : 'a';
  who.invitation = secret{other};
  CHECK(d.why_not(who) != errc::none);
  who.invitation = secret{token};
  auto second = who;
  second.email = "second@example.com";
  const auto both = d.ask_all({who, second}, "192.0.2.7");
  CHECK(both[0].engaged() != both[1].engaged()); // at once, and only one of them
  CHECK(d.first_admin_token().empty());
  CHECK_FALSE(d.log->holds(token));
  const auto in = d.sign_in(both[0] ? "root@example.com" : "second@example.com");
  REQUIRE(in);
  CHECK(in->begun->role == user_role::admin);
  d.stop();
  d.start();
  CHECK(d.first_admin_token().empty());
  CHECK(d.is_in(*in)); // over a new start
}

TEST_CASE("S3: the first admin's token is over after a week") {
  front_door d;
  register_person who;
  who.email = "root@example.com";
  who.password = secret{front_door::password};
  who.invitation = secret{d.first_admin_token()};
  d.second += 7 * 86'400;
  CHECK(d.why_not(who) == errc::invitation_refused);
  d.stop();
  d.start();
  who.invitation = secret{d.first_admin_token()};
  CHECK(d.why_not(who) == errc::none);
}

TEST_CASE("S2: a password that is common, short or the address itself is not taken; a long one of any characters is") {
  front_door d;
  register_person who;
  who.email = "root@example.com";
  who.invitation = secret{d.first_admin_token()};
  who.password = secret{"password1"};
  CHECK(d.why_not(who) == errc::password_common);
  who.password = secret{"short"};
  CHECK(d.why_not(who) == errc::password_length);
  who.password = secret{"root@example.com"};
  CHECK(d.why_not(who) == errc::password_personal);
  const std::string long_one = "密码 with blanks " + std::string(200, 'x');
  who.password = secret{long_one};
  CHECK(d.why_not(who) == errc::none);
  CHECK_FALSE(d.sign_in("root@example.com", long_one.substr(0, long_one.size() - 1))); // none of it is cut off
  CHECK(d.sign_in("root@example.com", long_one));
}

TEST_CASE("S1: a password that was hashed at other costs is hashed anew when it is given") {
  password_cost cost{64, 1, 1};
  front_door d{[&cost](authenticator_settings& s) { s.cost = cost; }};
  d.make_admin();
  cost = {128, 1, 1};
  d.stop();
  d.start();
  REQUIRE(d.sign_in("root@example.com"));
  CHECK(d.log->entries.back().what == "password.rehash");
  CHECK(d.sign_in("root@example.com"));
}

TEST_CASE("S1: no password, session or token is in the log; only hashes are") {
  front_door d;
  const auto root = d.make_admin();
  const auto in = d.sign_in("root@example.com");
  REQUIRE(in);
  make_token wish;
  wish.user = root;
  wish.scopes = {token_scope::read_all};
  const auto token = d.ask_for(wish);
  REQUIRE(token);
  CHECK(d.callers->by_token(token->shown.reveal()));
  CHECK_FALSE(d.log->holds(front_door::password));
  CHECK_FALSE(d.log->holds(in->session_text.reveal()));
  CHECK_FALSE(d.log->holds(token->shown.reveal()));
  CHECK_FALSE(d.log->holds(token->shown.reveal().substr(4, 52)));
}

TEST_CASE("S4: nobody learns by an answer whether there is such a person, or in which state, without the password") {
  front_door d;
  d.make_admin();
  const auto ann = d.make_person("ann@example.com");
  REQUIRE(d.command(set_user_state{ann, user_state::suspended}));
  d.settle();
  CHECK(d.why_not(sign_in_with_password{"ann@example.com", secret{"wrong password"}}) == errc::sign_in_refused);
  CHECK(d.why_not(sign_in_with_password{"nobody@example.com", secret{"wrong password"}}) == errc::sign_in_refused);
  CHECK(d.why_not(sign_in_with_password{"root@example.com", secret{"wrong password"}}) == errc::sign_in_refused);
  CHECK(d.why_not(sign_in_with_password{"no address", secret{"x"}}) == errc::sign_in_refused);
  CHECK(d.why_not(sign_in_with_password{"ann@example.com", secret{front_door::password}}) == errc::account_suspended);
}

TEST_CASE("S5: who guesses waits, however many addresses he has, and the owner gets in from where he did before") {
  front_door d;
  d.make_admin();
  REQUIRE(d.sign_in("root@example.com", front_door::password, "198.51.100.1"));
  int refused = 0, slowed = 0;
  for (int i = 0; i < 40; ++i) {
    const auto done =
      d.sign_in("root@example.com", "guess number " + std::to_string(i), fmt::format("203.0.113.{}", i));
    REQUIRE_FALSE(done);
    (code_of(done.error()) == errc::slow_down ? slowed : refused) += 1;
  }
  CHECK(refused <= 11);
  CHECK(slowed >= 29);
  CHECK(d.sign_in("root@example.com", front_door::password, "198.51.100.1"));
  d.second += 900; // and a stranger to the account never waits longer than this
  CHECK(d.sign_in("root@example.com", front_door::password, "198.51.100.2"));
}

TEST_CASE("S8: a session is found by its text only, has a new id at each sign-in, and ends by time") {
  front_door d;
  d.make_admin();
  const auto first = d.sign_in("root@example.com"), second = d.sign_in("root@example.com");
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->session_text.reveal().size() == 52); // of 32 letters: 256 bits
  CHECK(first->session_text.reveal() != second->session_text.reveal());
  d.second += 29 * 60;
  CHECK(d.is_in(*first));
  d.second += 29 * 60;
  CHECK(d.is_in(*first));
  CHECK_FALSE(d.is_in(*second));
  d.advance(std::chrono::seconds{2});
  CHECK(d.ended.size() == 1);
}

TEST_CASE("S9: signing out, suspension, another role and a new password end sessions at once") {
  front_door d;
  d.make_admin();
  const auto ann = d.make_person("ann@example.com");
  const auto begin = [&] {
    auto in = d.sign_in("ann@example.com");
    REQUIRE(in);
    REQUIRE(d.is_in(*in));
    d.ended.clear();
    return *in;
  };
  auto in = begin();
  REQUIRE(d.ask_for(sign_out{in.begun->id}));
  CHECK_FALSE(d.is_in(in));
  CHECK(d.ended == std::vector<std::string>{ann});

  in = begin();
  REQUIRE(d.command(change_user{.id = ann, .role = user_role::auditor}));
  d.settle();
  CHECK_FALSE(d.is_in(in));
  CHECK(d.ended == std::vector<std::string>{ann});

  in = begin();
  const auto other = begin();
  change_password change;
  change.session = in.begun->id;
  change.user = ann;
  change.old = secret{"not that one"};
  change.fresh = secret{"another correct horse"};
  CHECK(d.why_not(change) == errc::sign_in_refused);
  change.old = secret{front_door::password};
  REQUIRE(d.ask_for(change));
  CHECK(d.is_in(in));
  CHECK_FALSE(d.is_in(other));
  CHECK(d.sign_in("ann@example.com", "another correct horse"));

  REQUIRE(d.command(set_user_state{ann, user_state::suspended}));
  d.settle();
  CHECK_FALSE(d.is_in(in));
  d.stop();
  d.start();
  CHECK_FALSE(d.is_in(in));
}

TEST_CASE("S9: a person sees and ends sessions of his own, and of nobody else") {
  front_door d;
  d.make_admin();
  const auto ann = d.make_person("ann@example.com");
  const auto root = d.sign_in("root@example.com"), first = d.sign_in("ann@example.com"),
             second = d.sign_in("ann@example.com");
  REQUIRE(root);
  REQUIRE(second);
  const auto listed = d.ask_for(list_sessions{ann});
  REQUIRE(listed);
  REQUIRE(listed->sessions.size() == 2);
  CHECK(listed->sessions.front().address == "192.0.2.7");
  CHECK(d.why_not(end_sessions{ann, root->begun->name, {}}) == errc::not_found);
  CHECK(d.is_in(*root));
  const auto gone = d.ask_for(end_sessions{ann, {}, second->begun->id});
  REQUIRE(gone);
  CHECK(gone->count == 1);
  CHECK_FALSE(d.is_in(*first));
  CHECK(d.is_in(*second));
  d.stop();
  d.start();
  CHECK_FALSE(d.is_in(*first));
  CHECK(d.is_in(*second));
}

TEST_CASE("S7: a script cannot register people without end") {
  front_door d{[](authenticator_settings& s) { s.registration.mode = registration_mode::open; }};
  int made = 0;
  errc last{};
  for (int i = 0; i < 15; ++i) {
    register_person who;
    who.email = fmt::format("p{}@example.com", i);
    who.password = secret{front_door::password};
    last = d.why_not(who);
    made += last == errc::none;
  }
  CHECK(made == 10);
  CHECK(last == errc::too_many_requests);
}

TEST_CASE("Both sides are told of a registration by approval, the reason with it") {
  std::mutex mutex;
  std::vector<notice> told;
  front_door d{[&](authenticator_settings& s) {
    s.registration.mode = registration_mode::approval;
    s.tell = [&](notice one) {
      const std::lock_guard lock(mutex);
      told.push_back(std::move(one));
    };
  }};
  d.make_admin();
  std::vector<user_id> waits;
  for (const auto* email : {"ann@example.com", "bob@example.com"}) {
    register_person who;
    who.email = email;
    who.password = secret{front_door::password};
    who.reason = "works with Eve";
    waits.push_back(d.ask_for(who)->user);
  }
  REQUIRE(d.command(set_user_state{waits[0], user_state::active}));
  REQUIRE(d.command(set_user_state{waits[1], user_state::deleted, "of no department"}));
  REQUIRE(d.command(set_user_state{waits[0], user_state::suspended, "on leave"})); // no news of a registration
  d.settle();
  const std::lock_guard lock(mutex);
  REQUIRE(told.size() == 4);
  CHECK(told[0].what == notice::kind::registration_waits);
  CHECK(told[0].to == std::vector<std::string>{"root@example.com"});
  CHECK(told[0].email == "ann@example.com");
  CHECK(told[0].reason == "works with Eve");
  CHECK(told[2].what == notice::kind::registration_approved);
  CHECK(told[2].to == std::vector<std::string>{"ann@example.com"});
  CHECK(told[2].reason.empty());
  CHECK(told[3].what == notice::kind::registration_refused);
  CHECK(told[3].to == std::vector<std::string>{"bob@example.com"});
  CHECK(told[3].reason == "of no department");
}

TEST_CASE("Registration by approval waits, and by invitation uses it up, also when many come at once") {
  auto mode = registration_mode::approval;
  front_door d{[&mode](authenticator_settings& s) { s.registration.mode = mode; }};
  d.make_admin();
  register_person who;
  who.email = "ann@example.com";
  who.password = secret{front_door::password};
  CHECK(d.why_not(who) == errc::reason_needed);
  who.reason = "works with Bob";
  const auto waits = d.ask_for(who);
  REQUIRE(waits);
  CHECK(waits->waits_for_approval);
  CHECK(d.why_not(sign_in_with_password{"ann@example.com", secret{front_door::password}}) == errc::account_waits);
  REQUIRE(d.command(set_user_state{waits->user, user_state::active}));
  d.settle();
  CHECK(d.sign_in("ann@example.com"));

  mode = registration_mode::invitation;
  d.stop();
  d.start();
  const auto invited = d.ask_for(make_invitation_for{}, "local", "control");
  REQUIRE(invited);
  std::vector<access_question> all;
  for (int i = 0; i < 5; ++i) {
    register_person one;
    one.email = fmt::format("p{}@example.com", i);
    one.password = secret{front_door::password};
    one.invitation = invited->shown;
    all.emplace_back(one);
  }
  int made = 0;
  for (const auto& one : d.ask_all(all, "192.0.2.9"))
    made += one.engaged();
  CHECK(made == 1);
}
