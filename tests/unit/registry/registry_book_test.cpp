#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "storage/values.hpp"
#include "tests/unit/registry/world.hpp"

using namespace keyportal;
using namespace keyportal::test;
using namespace std::chrono_literals;

TEST_CASE("A key out of the pool becomes the person's, is shown once and works when it was seen to") {
  world w;
  const auto ann = w.person();
  w.fill(2);
  const auto given = w.ask(assign_key{.owner = ann, .label = " laptop "});
  REQUIRE(given);
  REQUIRE(given->done.shown.size() == 1);
  CHECK(given->done.keys[0].sealed.empty());
  CHECK(told(*given, event_kind::key_assigned));
  const auto& key = *w.book.find(given->done.keys[0].id);
  CHECK(key.state == key_state::live);
  CHECK(key.label == "laptop");
  CHECK((*w.book.find_text(given->done.shown[0].reveal()))->id == key.id);
  auto typo = given->done.shown[0].reveal();
  std::swap(typo[typo.size() - 1], typo[8]);
  REQUIRE(typo != given->done.shown[0].reveal());
  CHECK(code_of(w.book.find_text(typo).error()) == errc::key_mistyped);
  CHECK(code_of(w.book.find_text("made-by-somebody-else").error()) == errc::key_unknown);
  CHECK(w.book.state().changing == 1);
  const auto half = w.ask(key_sighting{.node = "beta", .keys = {{key.id, true}}});
  CHECK_FALSE(told(*half, event_kind::key_active));
  const auto whole = w.ask(key_sighting{.node = "alpha", .keys = {{key.id, true}}});
  CHECK(told(*whole, event_kind::key_active));
  CHECK(w.book.find(key.id)->in_force == std::vector<node_name>{"alpha", "beta"});
  CHECK(w.book.state().changing == 0);
  CHECK_FALSE(w.ask(key_sighting{.node = "alpha", .keys = {{key.id, true}}})->entry); // nothing new
}

TEST_CASE("What cannot be done is refused with its own error and changes nothing") {
  world w;
  const auto ann = w.person();
  CHECK(w.refusal(assign_key{.owner = "unknown"}) == errc::user_unknown);
  CHECK(w.refusal(assign_key{.owner = ann}) == errc::pool_empty);
  w.fill(10);
  CHECK(w.refusal(assign_key{.owner = ann, .label = "<script>"}) == errc::name_refused);
  CHECK(w.refusal(assign_key{.owner = ann, .lifetime_s = -1}) == errc::bad_request);
  CHECK(w.refusal(assign_key{.owner = ann, .nodes = std::vector<node_name>{"elsewhere"}}) == errc::node_unknown);
  const auto first = w.assigned(ann).id;
  w.assigned(ann);
  w.assigned(ann);
  CHECK(w.refusal(assign_key{.owner = ann}) == errc::key_limit_reached);
  CHECK(w.refusal(add_user{.email = "ANN@example.com"}) == errc::user_exists);
  CHECK(w.refusal(add_user{.email = "nobody"}) == errc::name_refused);
  CHECK(w.refusal(renew_key{"unknown"}) == errc::key_unknown);
  CHECK(w.refusal(resume_key{w.book.keys({.state = key_state::pooled}).keys[0].id}) == errc::key_wrong_state);
  CHECK(w.refusal(rotate_key{first, 25 * 3600}) == errc::bad_request);
  CHECK(w.refusal(adopt_key{first, ann}) == errc::key_wrong_state);
  CHECK(w.refusal(drop_policy{"default"}) == errc::policy_unknown);
  CHECK(w.refusal(make_keys{0}) == errc::bad_request);
  CHECK(w.refusal(make_keys{1'000'000}) == errc::bad_request);
  for (const auto* text : {"your-api-key-1", "with a blank", "line\nbreak", "short"})
    CHECK(w.refusal(import_keys{{{secret{"a-good-key"}, {}, "", {}}, {secret{text}, {}, "", {}}}})
          == errc::key_refused);
  (void)w.ask(revoke_key{first});
  for (const registry_question& late : {registry_question{renew_key{first}},
                                        {rotate_key{first}},
                                        {suspend_key{first}},
                                        {resume_key{first}},
                                        {change_key{.key = first, .label = "x"}}})
    CHECK(w.refusal(late) == errc::key_wrong_state);
  CHECK_FALSE(w.ask(revoke_key{first})->entry); // revoking again is done already
}

TEST_CASE("Who takes and ends keys over and over does not use up the pool") {
  world w;
  const auto ann = w.person(), bob = w.person("bob@example.com");
  w.fill(100);
  const auto take_and_end = [&](const user_id& owner, const std::string& who) {
    const auto given = w.ask(assign_key{.owner = owner}, who);
    return given && w.ask(revoke_key{given->done.keys.at(0).id}, who);
  };
  int taken = 0;
  while (taken < 50 && take_and_end(ann, ann))
    ++taken;
  CHECK(taken == 10);
  CHECK(w.refusal(assign_key{.owner = ann}, ann) == errc::too_many_requests);
  CHECK(take_and_end(bob, bob));    // the others
  CHECK(take_and_end(ann, "uadm")); // and an admin are not held up
  w.now += 1h;
  const auto key = w.ask(assign_key{.owner = ann}, ann)->done.keys.at(0).id;
  auto last = key;
  int replaced = 0;
  while (replaced < 50) {
    const auto fresh = w.ask(rotate_key{last, 0}, ann);
    if (!fresh)
      break;
    ++replaced;
    for (const auto& one : fresh->done.keys)
      if (one.predecessor == last)
        last = one.id;
  }
  CHECK(replaced == 9);
  CHECK(w.refusal(rotate_key{last, 0}, ann) == errc::too_many_requests);
  w.now += 1h;
  CHECK(w.ask(rotate_key{last, 0}, ann));
}

TEST_CASE("S20: imported and found keys that could be guessed are marked, also after a new start; ours never are") {
  world w;
  const auto ann = w.person();
  w.fill(1);
  (void)w.ask(import_keys{{{secret{"usr_pool_0001_a1b2c3d4e5f6"}, ann, "", {}},
                           {secret{"sk-4f9a1c0e7b2d8a6f3e5c9b1d7a0f2e4c"}, ann, "", {}}}});
  (void)w.ask(key_sighting{.node = "alpha", .strangers = {secret{"made-elsewhere"}}});
  std::size_t marked = 0;
  for (const auto& key : w.book.keys({}).keys) {
    const auto opened = w.book.text_of(*w.book.find(key.id));
    REQUIRE(opened);
    const auto& text = opened->reveal();
    CAPTURE(text);
    CHECK(key.guessable == (text.starts_with("usr_") || text.starts_with("made-")));
    marked += key.guessable ? 1 : 0;
    client_key again;
    REQUIRE(storage::decode(storage::encode(key), again));
    CHECK(again.guessable == key.guessable);
    CHECK(again.origin == key.origin);
  }
  CHECK(marked == 2);
}

TEST_CASE("A key that had an owner is never given to anybody else") {
  world w;
  const auto ann = w.person(), bob = w.person("bob@example.com");
  w.fill(1);
  const auto key = w.assigned(ann).id;
  (void)w.ask(revoke_key{key});
  CHECK(w.refusal(assign_key{.owner = bob}) == errc::pool_empty);
  CHECK(w.ask(import_keys{{{*w.book.text_of(*w.book.find(key)), bob, "", {}}}})->done.skipped == 1);
  CHECK(w.book.find(key)->owner == ann);
  CHECK(w.book.find(key)->state == key_state::revoked);
}

TEST_CASE("A rotation gives a new key first; both work in the time of grace, never three") {
  world w;
  const auto ann = w.person();
  w.fill(1);
  const auto old = w.assigned(ann, "laptop").id;
  REQUIRE(w.ask(renew_key{old, 30 * 86'400}));
  const auto turned = w.ask(rotate_key{old, 3600});
  REQUIRE(turned);
  const auto fresh = *w.book.find(old)->successor;
  CHECK(turned->done.shown.size() == 1);
  CHECK(w.book.find(fresh)->label == "laptop");
  CHECK(w.book.find(fresh)->expires_at == w.now + 30 * 24h); // a rotation is no renewal
  CHECK(w.book.find(old)->state == key_state::live);
  CHECK(w.refusal(rotate_key{old, 0}) == errc::rotation_running);
  CHECK(w.refusal(rotate_key{fresh, 0}) == errc::rotation_running);
  w.now += 59min;
  CHECK_FALSE(w.ask(pass_time{})->entry);
  w.now += 1min;
  REQUIRE(w.book.due_at());
  CHECK(*w.book.due_at() <= w.now);
  CHECK(told(*w.ask(pass_time{}), event_kind::key_rotated));
  CHECK(w.book.find(old)->state == key_state::rotated);
  CHECK(w.book.find(fresh)->state == key_state::live);
  CHECK(w.ask(rotate_key{fresh, 0}));
  CHECK(w.book.find(fresh)->state == key_state::rotated);
}

TEST_CASE("Expiry: reminders once each, the end, and renewal within the policy") {
  world w;
  policy rules;
  rules.name = "default";
  rules.key_lifetime_s = 30 * 86'400;
  REQUIRE(w.ask(put_policy{rules}));
  const auto ann = w.person();
  w.fill(2);
  const auto key = w.assigned(ann).id;
  const auto begin = w.now;
  std::vector<std::int64_t> reminded;
  for (int hour = 0; hour < 30 * 24; ++hour) {
    w.now = begin + std::chrono::hours{hour};
    if (const auto due = w.book.due_at(); due && *due <= w.now && told(*w.ask(pass_time{}), event_kind::key_expiring))
      reminded.push_back(30 - hour / 24);
  }
  CHECK(reminded == std::vector<std::int64_t>{7, 3, 1});
  CHECK(w.refusal(renew_key{key, 31 * 86'400}, ann) == errc::renewal_refused);
  CHECK(w.refusal(renew_key{key, 0}, ann) == errc::renewal_refused);
  REQUIRE(w.ask(renew_key{key, {}}, ann));
  CHECK(*w.book.find(key)->expires_at == w.now + 30 * 24h);
  CHECK(w.book.find(key)->reminders == 0);
  w.now += 30 * 24h;
  CHECK(told(*w.ask(pass_time{}), event_kind::key_expired));
  CHECK(w.book.find(key)->state == key_state::expired);
  CHECK(w.refusal(renew_key{key}) == errc::key_wrong_state);
  // A short life has no reminders of a week before it began.
  const auto brief = w.ask(assign_key{.owner = ann, .lifetime_s = 2 * 86'400})->done.keys[0].id;
  CHECK_FALSE(told(*w.ask(pass_time{}), event_kind::key_expiring));
  w.now += 25h;
  CHECK(told(*w.ask(pass_time{}), event_kind::key_expiring));
  CHECK(w.book.find(brief)->state == key_state::live);
}

TEST_CASE("Suspending a person suspends their keys, and only those come back with them") {
  world w;
  const auto ann = w.person();
  w.fill(3);
  const auto one = w.assigned(ann).id, other = w.assigned(ann).id;
  (void)w.ask(suspend_key{other});
  (void)w.ask(set_user_state{ann, user_state::suspended});
  CHECK(w.book.find(one)->state == key_state::suspended);
  CHECK(w.refusal(assign_key{.owner = ann}) == errc::user_wrong_state);
  CHECK(w.refusal(resume_key{one}) == errc::key_wrong_state);
  (void)w.ask(set_user_state{ann, user_state::active});
  CHECK(w.book.find(one)->state == key_state::live);
  CHECK(w.book.find(other)->state == key_state::suspended);
  (void)w.ask(set_user_state{ann, user_state::deleted});
  CHECK(w.book.find(one)->state == key_state::revoked);
  CHECK(w.book.find(other)->state == key_state::revoked);
  CHECK(w.refusal(set_user_state{ann, user_state::active}) == errc::user_wrong_state);
  CHECK(w.person() != ann); // the address is free again, for somebody new
}

TEST_CASE("Which groups somebody was in until when is kept, of very many changes the last ones") {
  world w;
  const auto ann = w.person("ann@example.com", {"first"});
  CHECK(w.ask(change_user{.id = ann, .groups = std::vector<group_name>{"first"}}));
  CHECK(w.book.find_user(ann)->former.empty());
  const auto begun = w.now;
  w.now += std::chrono::hours{1};
  CHECK(w.ask(change_user{.id = ann, .groups = std::vector<group_name>{}}));
  CHECK(w.book.find_user(ann)->former == std::vector<former_groups>{{{"first"}, begun + std::chrono::hours{1}}});
  for (int i = 0; i < 200; ++i)
    CHECK(w.ask(change_user{.id = ann, .groups = std::vector<group_name>{"g" + std::to_string(i)}}));
  const auto& all = w.book.find_user(ann)->former;
  CHECK(all.size() == user::most_former_groups);
  CHECK(all.back().groups == std::vector<group_name>{"g198"});
}

TEST_CASE("The last active admin stays one, whoever asks; before the first there is none to keep") {
  world w;
  const auto ann = w.person();
  CHECK(w.ask(change_user{.id = ann, .role = user_role::admin}));
  const auto eve = w.ask(add_user{.email = "eve@example.com", .role = user_role::admin})->done.users.at(0).id;
  const auto waits =
    w.ask(add_user{.email = "wes@example.com", .role = user_role::admin, .active = false})->done.users.at(0).id;
  CHECK(w.ask(set_user_state{eve, user_state::suspended}));
  for (const auto to : {user_state::suspended, user_state::deleted})
    CHECK(w.refusal(set_user_state{ann, to}) == errc::last_admin);
  for (const auto to : {user_role::user, user_role::auditor})
    CHECK(w.refusal(change_user{.id = ann, .role = to}) == errc::last_admin);
  CHECK(w.ask(change_user{.id = ann, .name = "Ann", .role = user_role::admin}));
  CHECK(w.ask(change_user{.id = eve, .role = user_role::user})); // who is suspended is none of them
  CHECK(w.ask(set_user_state{waits, user_state::active}));
  CHECK(w.ask(change_user{.id = ann, .role = user_role::user}));
  CHECK(w.refusal(set_user_state{waits, user_state::deleted}) == errc::last_admin);
  w.book.load({}); // another start
  for (const auto& entry : w.log)
    w.book.apply(*entry);
  CHECK(w.refusal(set_user_state{waits, user_state::deleted}) == errc::last_admin);
}

TEST_CASE("Keys made elsewhere are left alone until they are adopted; those removed by hand wait for a choice") {
  world w;
  const auto ann = w.person();
  w.fill(1);
  const auto mine = w.assigned(ann).id;
  const auto found = w.ask(key_sighting{.node = "alpha", .strangers = {secret{"made-by-hand-1"}, secret{"x y"}}});
  REQUIRE(found->done.keys.size() == 1);
  const auto stranger = found->done.keys[0].id;
  CHECK(w.book.find(stranger)->state == key_state::external);
  CHECK(w.book.find(stranger)->in_force == std::vector<node_name>{"alpha"});
  CHECK_FALSE(w.ask(key_sighting{.node = "alpha", .strangers = {secret{"made-by-hand-1"}}})->entry);
  CHECK(w.refusal(adopt_key{stranger, "unknown"}) == errc::user_unknown);
  CHECK(w.book.find(stranger)->state == key_state::external);
  CHECK(told(*w.ask(adopt_key{stranger, ann, "old key"}), event_kind::key_adopted));
  CHECK(w.book.find(stranger)->state == key_state::live);
  // An ended key that somebody put back is recognised: it is not external, it is to be removed again.
  (void)w.ask(revoke_key{stranger});
  w.saw(stranger, false, "alpha");
  (void)w.ask(key_sighting{.node = "beta", .strangers = {secret{"made-by-hand-1"}}});
  CHECK(w.book.find(stranger)->state == key_state::revoked);
  CHECK(w.book.find(stranger)->in_force == std::vector<node_name>{"beta"});

  w.saw(mine, true, "alpha");
  CHECK(told(*w.ask(key_sighting{.node = "alpha", .taken_away = {mine}}), event_kind::key_suspended));
  CHECK(w.book.find(mine)->why_suspended == suspension::by_hand);
  CHECK(w.ask(resume_key{mine}));
  CHECK(w.book.find(mine)->state == key_state::live);
}

TEST_CASE("Of very many keys each ends when its time has come, and none before") {
  constexpr std::size_t count = 50'000;
  world w;
  registry_image image;
  const auto begin = w.now;
  for (std::size_t i = 0; i < count; ++i) {
    client_key key;
    key.id = fmt::format("k{:026x}", i);
    key.sealed = "sealed";
    key.shown = "sk-kp";
    key.state = key_state::live;
    key.owner = "u";
    // In an order of its own; some together, a third of all at once.
    key.expires_at = begin + std::chrono::minutes{i % 3 == 0 ? 30'000 : (i * 7'919) % 60'000};
    image.keys.push_back(std::move(key));
  }
  w.book.load(std::move(image));
  std::size_t ended = 0;
  for (int minutes = 0; minutes <= 60'000; minutes += 3'000) {
    w.now = begin + std::chrono::minutes{minutes};
    std::size_t wanted = 0;
    for (std::size_t i = 0; i < count; ++i)
      wanted += static_cast<int>(i % 3 == 0 ? 30'000 : (i * 7'919) % 60'000) <= minutes ? 1 : 0;
    while (ended < wanted) {
      REQUIRE(w.book.due_at());
      REQUIRE(*w.book.due_at() <= w.now);
      REQUIRE(w.ask(pass_time{}));
      ended = w.book.state().keys[static_cast<std::size_t>(key_state::expired)];
    }
    REQUIRE(ended == wanted);
  }
  REQUIRE(ended == count);
}

TEST_CASE("The pool fills itself to its size when it is below its low water") {
  auto rules = toy_rules();
  rules.pool_low_water = 3;
  rules.pool_size = 8;
  world w{rules};
  const auto filled = [&w] { return w.book.state().keys[0]; };
  CHECK(*w.book.due_at() <= w.now);
  (void)w.ask(pass_time{});
  CHECK(filled() == 8);
  CHECK_FALSE(w.book.due_at());
  const auto ann = w.person();
  policy many;
  many.name = "default";
  many.keys_per_user = 100;
  (void)w.ask(put_policy{many});
  for (int i = 0; i < 6; ++i)
    w.assigned(ann);
  CHECK(filled() == 2);
  (void)w.ask(pass_time{});
  CHECK(filled() == 8);
}

TEST_CASE("A command that was given before is recognised by its name, and by what it was") {
  world w;
  const auto ann = w.person();
  w.fill(2);
  const auto first = w.ask(assign_key{.owner = ann, .label = "laptop"}, "cli", "claim-1");
  CHECK(w.book.position_of("claim-1") == first->entry->position);
  const auto answers = [&](const registry_book::decision& d, registry_question what, std::string who = "cli") {
    return w.book.answers(*d.entry, {{std::move(who), "local", "claim-1"}, std::move(what)});
  };
  CHECK(answers(*first, assign_key{.owner = ann, .label = " laptop"}));
  CHECK_FALSE(answers(*first, assign_key{.owner = ann, .label = "phone"}));
  CHECK_FALSE(answers(*first, assign_key{.owner = ann, .label = "laptop", .lifetime_s = 60}));
  CHECK_FALSE(answers(*first, assign_key{.owner = ann, .label = "laptop"}, "somebody else"));
  CHECK_FALSE(answers(*first, revoke_key{first->done.keys[0].id}));
  const auto again = w.book.answer_again(*first->entry);
  REQUIRE(again);
  CHECK(again->replayed);
  CHECK(again->shown == first->done.shown);
  CHECK(w.refusal(make_keys{1}) == errc::none);
  CHECK(code_of(w.ask(make_keys{1}, "cli", "with blank").error()) == errc::bad_request);
}

TEST_CASE("Only the same command is answered again, whatever it is about") {
  world w;
  const auto ann = w.person(), ben = w.person("ben@example.com");
  w.fill(5);
  const auto live = w.assigned(ann).id, other = w.assigned(ann).id;
  (void)w.ask(key_sighting{.node = "alpha", .strangers = {secret{"made-elsewhere"}}});
  const auto found = w.book.keys({.state = key_state::external}).keys.at(0).id;
  policy team;
  team.name = "team";
  team.models = {" a model "};
  auto larger = team;
  larger.keys_per_user = 9;
  const auto import = [](auto... texts) { return import_keys{{import_keys::one{secret{texts}}...}}; };
  const std::vector<budget> budgets = {{budget_unit::tokens, budget_window::day, 5}};
  const user_role admin = user_role::admin;
  struct {
    registry_question first;
    std::vector<registry_question> others;
  } const rows[] = {
    {add_user{.email = "Cas@example.com", .name = " Cas ", .groups = {"b", "a", "b"}},
     {add_user{.email = "dan@example.com", .name = "Cas", .groups = {"b", "a"}},
      add_user{.email = "cas@example.com", .name = "Dan", .groups = {"b", "a"}},
      add_user{.email = "cas@example.com", .name = "Cas", .groups = {"a", "b"}},
      add_user{.email = "cas@example.com", .name = "Cas", .groups = {"b", "a"}, .active = false},
      add_user{.email = "cas@example.com", .name = "Cas", .role = admin, .groups = {"b", "a"}}}},
    {change_user{.id = ben, .label = " x", .budgets = budgets},
     {change_user{.id = ann, .label = "x", .budgets = budgets}, change_user{.id = ben, .label = "y"},
      change_user{.id = ben, .label = "x", .role = admin}, change_user{.id = ben, .budgets = std::vector<budget>{}}}},
    {set_user_state{ben, user_state::suspended},
     {set_user_state{ben, user_state::deleted}, set_user_state{ann, user_state::suspended}}},
    {put_policy{team}, {put_policy{larger}, drop_policy{"team"}}},
    {drop_policy{"team"}, {drop_policy{"default"}, put_policy{team}}},
    {make_keys{2}, {make_keys{3}}},
    {import("some-key-1", "some-key-2"), {import("some-key-1"), import("some-key-1", "some-key-2", "some-key-3")}},
    {assign_key{.owner = ann, .lifetime_s = 60},
     {assign_key{.owner = ann, .lifetime_s = 61}, assign_key{.owner = ann, .lifetime_s = 0},
      assign_key{.owner = ben, .lifetime_s = 60}, assign_key{.owner = ann, .nodes = std::vector<node_name>{"beta"}}}},
    {renew_key{live, 60}, {renew_key{live, 61}, renew_key{live, 0}, renew_key{other, 60}}},
    {rotate_key{other, 30}, {rotate_key{other, 0}, rotate_key{other, 31}, rotate_key{live, 30}}},
    {suspend_key{live}, {suspend_key{other}, resume_key{live}}},
    {resume_key{live}, {resume_key{other}}},
    {change_key{.key = live, .label = " x", .nodes = std::vector<node_name>{"beta"}},
     {change_key{.key = live, .label = "y"}, change_key{.key = live, .nodes = std::vector<node_name>{"alpha"}},
      change_key{.key = live, .label = "x", .budgets = budgets}, change_key{.key = other, .label = "x"}}},
    {adopt_key{found, ann, "x"}, {adopt_key{found, ben, "x"}, adopt_key{found, ann, "y"}, adopt_key{live, ann, "x"}}},
    {revoke_key{live}, {revoke_key{other}, suspend_key{live}}},
  };
  for (const auto& [first, others] : rows) {
    CAPTURE(name_of(first));
    const auto done = w.ask(first, "cli", "a-name");
    REQUIRE(done);
    REQUIRE(done->entry);
    w.now += std::chrono::hours{1};
    CHECK(w.book.answers(*done->entry, {{"cli", "elsewhere", "a-name"}, first}));
    CHECK_FALSE(w.book.answers(*done->entry, {{ann, "elsewhere", "a-name"}, first}));
    for (std::size_t i = 0; i < others.size(); ++i) {
      CAPTURE(i);
      CHECK_FALSE(w.book.answers(*done->entry, {{"cli", "elsewhere", "a-name"}, others[i]}));
    }
  }
}

TEST_CASE("The first group that has a policy decides") {
  world w;
  policy team;
  team.name = "team";
  team.keys_per_user = 1;
  team.nodes = {"beta"};
  REQUIRE(w.ask(put_policy{team}));
  const auto ann = w.person("ann@example.com", {"guests", "team"});
  w.fill(2);
  CHECK(w.assigned(ann).nodes == std::vector<node_name>{"beta"});
  CHECK(w.refusal(assign_key{.owner = ann}) == errc::key_limit_reached);
  CHECK_FALSE(w.ask(put_policy{team})->entry);
  team.nodes = {"elsewhere"};
  CHECK(w.refusal(put_policy{team}) == errc::node_unknown);
}

TEST_CASE("A renewal that the policy leaves to others is asked for, and decided by somebody else") {
  world w;
  policy rules;
  rules.name = "default";
  rules.key_lifetime_s = 30 * 86'400;
  rules.renewal = renewal_rule::approval;
  REQUIRE(w.ask(put_policy{rules}));
  const auto ann = w.person();
  w.fill(2);
  const auto key = w.assigned(ann).id;
  const auto ends = *w.book.find(key)->expires_at;
  CHECK(w.refusal(renew_key{key, {}}, ann) == errc::renewal_refused);
  CHECK(w.refusal(answer_renewal{key, true}) == errc::renewal_not_asked);
  CHECK(w.refusal(ask_renewal{key, {}, "  "}, ann) == errc::name_refused);
  const auto asked = w.ask(ask_renewal{key, 60 * 86'400, "the thesis is late"}, ann);
  CHECK(told(*asked, event_kind::key_renewal_asked));
  CHECK(*w.book.find(key)->expires_at == ends);
  CHECK(w.book.state().renewals == 1);
  CHECK(w.book.keys({.waiting = list_keys::wait::renewal}).keys.at(0).renewal->reason == "the thesis is late");
  CHECK(w.refusal(answer_renewal{key, true}, ann) == errc::not_authorised);
  SECTION("approved") {
    w.now += 24h;
    CHECK(told(*w.ask(answer_renewal{key, true}), event_kind::key_renewed));
    CHECK(*w.book.find(key)->expires_at == w.now + 60 * 24h);
  }
  SECTION("refused") {
    CHECK(told(*w.ask(answer_renewal{key, false, "no"}), event_kind::key_renewal_refused));
    CHECK(*w.book.find(key)->expires_at == ends);
  }
  SECTION("overtaken by an admin who renews it anyway") {
    REQUIRE(w.ask(renew_key{key, {}}));
    CHECK(w.book.state().renewals == 0);
  }
  SECTION("overtaken by the end") {
    w.now = ends;
    (void)w.ask(pass_time{});
    CHECK(w.book.find(key)->state == key_state::expired);
  }
  CHECK_FALSE(w.book.find(key)->renewal);
  CHECK(w.book.state().renewals == 0);
  CHECK(w.book.keys({.waiting = list_keys::wait::renewal}).keys.empty());
  rules.renewal = renewal_rule::none;
  REQUIRE(w.ask(put_policy{rules}));
  CHECK(w.refusal(ask_renewal{w.assigned(ann).id, {}, "please"}, ann) == errc::renewal_refused);
}

TEST_CASE("A group of nodes stands for all of them, in keys and in policies") {
  auto rules = toy_rules();
  rules.nodes = {"alpha", "beta", "gamma"};
  rules.node_groups = {{"eu", {"alpha", "beta"}}, {"us", {"gamma"}}};
  world w{rules};
  policy team;
  team.name = "default";
  team.nodes = {"eu"};
  REQUIRE(w.ask(put_policy{team}));
  const auto ann = w.person();
  w.fill(2);
  const auto given = w.ask(assign_key{.owner = ann});
  CHECK(given->done.keys.at(0).nodes == std::vector<node_name>{"alpha", "beta"}); // as people see it
  const auto key = given->done.keys.at(0).id;
  CHECK(w.book.belongs_at(*w.book.find(key), "alpha"));
  CHECK(w.book.belongs_at(*w.book.find(key), "beta"));
  CHECK_FALSE(w.book.belongs_at(*w.book.find(key), "gamma"));
  w.saw(key, true, "alpha");
  CHECK(w.book.state().changing == 1);
  CHECK(told(*w.ask(key_sighting{.node = "beta", .keys = {{key, true}}}), event_kind::key_active));
  CHECK(w.book.state().changing == 0);
  CHECK(w.refusal(change_key{.key = key, .nodes = std::vector<node_name>{"mars"}}) == errc::node_unknown);
  REQUIRE(w.ask(change_key{.key = key, .nodes = std::vector<node_name>{"us", "beta"}}));
  CHECK_FALSE(w.book.belongs_at(*w.book.find(key), "alpha"));
  CHECK(w.book.shown(*w.book.find(key)).nodes == std::vector<node_name>{"gamma", "beta"});
}

TEST_CASE("Who is suspended does not come back because a budget's window turns") {
  world w;
  const auto ann = w.person();
  w.fill(1);
  const auto key = w.assigned(ann).id;
  (void)w.ask(budgets_crossed{.suspend = {key}});
  REQUIRE(w.book.find(key)->why_suspended == suspension::by_budget);
  (void)w.ask(set_user_state{ann, user_state::suspended});
  (void)w.ask(budgets_crossed{.resume = {key}});
  CHECK(w.book.find(key)->state == key_state::suspended);
  CHECK(w.book.over_budget().empty());
  (void)w.ask(set_user_state{ann, user_state::active});
  CHECK(w.book.find(key)->state == key_state::live); // and its budget is judged anew
}

TEST_CASE("Everything that changes is told, and nothing that does not") {
  auto rules = toy_rules();
  rules.pool_low_water = 2;
  world w{rules};
  policy team;
  team.name = "team";
  CHECK(told(*w.ask(put_policy{team}), event_kind::policy_changed));
  CHECK(w.ask(put_policy{team})->events.empty());
  CHECK(told(*w.ask(drop_policy{"team"}), event_kind::policy_dropped));
  const auto ann = w.person();
  w.fill(3);
  CHECK_FALSE(told(*w.ask(assign_key{.owner = ann}), event_kind::pool_low));
  const auto low = w.ask(assign_key{.owner = ann});
  CHECK(told(*low, event_kind::pool_low));
  const auto key = low->done.keys.at(0).id;
  CHECK_FALSE(told(*w.ask(assign_key{.owner = ann}), event_kind::pool_low)); // once
  w.saw(key, true, "alpha");
  w.saw(key, true, "beta");
  CHECK(told(*w.ask(revoke_key{key}), event_kind::key_revoked));
  CHECK_FALSE(told(*w.ask(key_sighting{.node = "alpha", .keys = {{key, false}}}), event_kind::key_revoked));
  CHECK(
    told(*w.ask(key_sighting{.node = "beta", .keys = {{key, false}}}), event_kind::key_revoked)); // nowhere any more
}
