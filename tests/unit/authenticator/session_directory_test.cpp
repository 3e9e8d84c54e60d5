#include "actors/authenticator/session_directory.hpp"

#include <atomic>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include "tests/unit/authenticator/toy_seal.hpp"

using namespace keyportal;
using namespace keyportal::test;
using namespace std::chrono_literals;

namespace {

struct doors {
  std::atomic<std::int64_t> second{0};
  std::shared_ptr<session_directory> directory;
  std::vector<std::string> told;

  explicit doors(std::uint32_t per_minute = 0, std::uint32_t anonymous = 0) {
    directory = std::make_shared<session_directory>(directory_settings{.limits = {},
                                                                       .token_key = bits_of(7),
                                                                       .own_key = bits_of(8),
                                                                       .requests_per_minute = per_minute,
                                                                       .anonymous_requests_per_minute = anonymous,
                                                                       .now = [this] { return at(second); }});
    directory->on_end([this](const session& s) { told.push_back(s.subject); });
  }
  /// Its text.
  std::string begin(const std::string& subject, std::uint8_t fill, user_role role = user_role::user,
                    second_factor factor = second_factor::not_asked) {
    session_book alone;
    auto opened =
      alone.open({session_kind::person, subject, role, factor, "192.0.2.7", "Firefox"}, bits_of(fill), at(second));
    access_news news;
    news.begun.push_back(opened.what);
    directory->learn(news);
    return opened.id_text.reveal();
  }
};

} // namespace

TEST_CASE("A session is found until it is idle for too long or has lasted long enough, and its end is told once") {
  doors d;
  const auto text = d.begin("u1", 1, user_role::auditor);
  auto who = d.directory->by_session(text);
  REQUIRE(who);
  CHECK(who->kind == caller_kind::session);
  CHECK(who->subject == "u1");
  CHECK(who->rights == rights_of(user_role::auditor));
  CHECK_FALSE(d.directory->by_session("z" + text.substr(1)));
  CHECK_FALSE(d.directory->by_session({}));
  for (int i = 0; i < 17; ++i) { // active every 29 minutes
    d.second += 29 * 60;
    CHECK(d.directory->by_session(text).has_value() == (d.second < 8 * 3600));
  }
  CHECK(d.directory->expire().size() == 1);
  CHECK(d.told == std::vector<std::string>{"u1"});
  d.told.clear();
  const auto idle = d.begin("u2", 2);
  d.second += 30 * 60 - 1;
  CHECK(d.directory->find(session_of("u2", 2, at(0)).id));
  d.second += 1;
  CHECK_FALSE(d.directory->by_session(idle));
  d.directory->expire();
  CHECK(d.told == std::vector<std::string>{"u2"});
}

TEST_CASE("Without the second factor a session has no rights") {
  doors d;
  const auto text = d.begin("u1", 1, user_role::admin, second_factor::pending);
  const auto who = d.directory->by_session(text);
  REQUIRE(who);
  CHECK(who->rights.empty());
  CHECK(who->held->factor == second_factor::pending);
}

TEST_CASE("Whoever is suspended or has another role is out with all sessions and tokens from the next request on") {
  doors d;
  const auto ann = d.begin("u1", 1), bob = d.begin("u2", 2);
  const auto token = make_api_token(bits_of(7), bits_of(3), bits_of(4), "u1", user_role::admin, {token_scope::admin},
                                    "", at(0), at(86'400));
  access_news news;
  news.tokens.push_back({token->kept, user_role::admin, user_state::active});
  d.directory->learn(news);
  REQUIRE(d.directory->by_token(token->shown.reveal()));
  CHECK(d.directory->by_token(token->shown.reveal())->rights.has(right::write_people));
  access_news demoted;
  demoted.changed.push_back({"u1", user_role::user, user_state::active});
  d.directory->learn(demoted);
  CHECK_FALSE(d.directory->by_session(ann));
  CHECK(d.directory->by_session(bob));
  CHECK(d.told == std::vector<std::string>{"u1"});
  REQUIRE(d.directory->by_token(token->shown.reveal()));
  CHECK_FALSE(d.directory->by_token(token->shown.reveal())->rights.has(right::write_people));
  demoted.changed.front().state = user_state::suspended;
  d.directory->learn(demoted);
  const auto refused = d.directory->by_token(token->shown.reveal());
  REQUIRE_FALSE(refused);
  CHECK(code_of(refused.error()) == errc::token_refused);
}

TEST_CASE("A token is refused when it ended, is unknown or has a slip of the pen") {
  doors d;
  const auto token = make_api_token(bits_of(7), bits_of(3), bits_of(4), "u1", user_role::user,
                                    {token_scope::read_usage}, "", at(0), at(100));
  const auto& text = token->shown.reveal();
  const auto why = [&](std::string_view given) {
    const auto who = d.directory->by_token(given);
    return who ? errc::none : code_of(who.error());
  };
  CHECK(why(text) == errc::token_refused);
  access_news news;
  news.tokens.push_back({token->kept, user_role::user, user_state::active});
  d.directory->learn(news);
  CHECK(why(text) == errc::none);
  auto slip = text;
  std::swap(slip[10], slip[11]);
  if (slip != text)
    CHECK(why(slip) == errc::token_mistyped);
  CHECK(why("Bearer") == errc::token_refused);
  d.second = 100;
  CHECK(why(text) == errc::token_refused);
}

TEST_CASE("A CSRF token is worth something for its own session only") {
  doors d;
  const auto a = session_of("u1", 1, at(0)), b = session_of("u1", 2, at(0));
  const auto token = d.directory->csrf_of(a);
  CHECK(d.directory->is_csrf_of(a, token));
  CHECK_FALSE(d.directory->is_csrf_of(b, token));
  CHECK_FALSE(d.directory->is_csrf_of(a, ""));
  const auto before = d.directory->csrf_before("the cookie");
  CHECK(d.directory->is_csrf_before("the cookie", before));
  CHECK_FALSE(d.directory->is_csrf_before("another", before));
  CHECK_FALSE(d.directory->is_csrf_before("", d.directory->csrf_before("")));
  CHECK_FALSE(d.directory->is_csrf_of(a, before));
}

TEST_CASE("Everybody has a limit of his own; one address cannot use up another's") {
  doors d{3, 2};
  caller nobody, ann;
  ann.kind = caller_kind::session;
  ann.subject = "u1";
  auto bob = ann;
  bob.subject = "u2";
  for (int i = 0; i < 3; ++i)
    CHECK(d.directory->take(ann, "192.0.2.1").allowed);
  const auto refused = d.directory->take(ann, "192.0.2.1");
  CHECK_FALSE(refused.allowed);
  CHECK(refused.limit == 3);
  CHECK(refused.left == 0);
  CHECK(refused.reset > 0s);
  CHECK(d.directory->take(bob, "192.0.2.1").allowed);
  CHECK(d.directory->take(nobody, "192.0.2.1").allowed);
  CHECK(d.directory->take(nobody, "192.0.2.1").allowed);
  CHECK_FALSE(d.directory->take(nobody, "192.0.2.1").allowed);
  CHECK(d.directory->take(nobody, "192.0.2.2").allowed);
  caller control;
  control.kind = caller_kind::control;
  for (int i = 0; i < 100; ++i)
    CHECK(d.directory->take(control, "local").allowed);
}

TEST_CASE("When a session was used last is kept once, and a token's hour") {
  doors d;
  const auto text = d.begin("u1", 1);
  CHECK(d.directory->by_session(text));
  CHECK(d.directory->take_activity().sessions.empty()); // nothing new
  d.second = 100;
  CHECK(d.directory->by_session(text));
  const auto active = d.directory->take_activity();
  REQUIRE(active.sessions.size() == 1);
  CHECK(active.sessions.front().last_seen == at(100));
  CHECK(d.directory->take_activity().sessions.empty());
}

TEST_CASE("Many threads look while sessions begin and end: nobody is found after his end") {
  doors d;
  std::atomic<bool> stop{false};
  std::atomic<int> ended{-1};
  std::vector<std::string> texts;
  for (int i = 0; i < 100; ++i)
    texts.push_back(d.begin("u" + std::to_string(i), static_cast<std::uint8_t>(i)));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      while (!stop)
        for (int i = 0; i < 100; ++i) {
          const auto gone = ended.load();
          if (d.directory->by_session(texts[static_cast<std::size_t>(i)]) && i <= gone)
            ++wrong;
        }
    });
  for (int i = 0; i < 100; ++i) {
    d.directory->end_all("u" + std::to_string(i));
    ended = i;
    d.second += 1;
  }
  stop = true;
  for (auto& one : threads)
    one.join();
  CHECK(wrong == 0);
  CHECK(d.directory->size() == 0);
  CHECK(d.told.size() == 100);
}
