#include "actors/authenticator/access_book.hpp"

#include <map>
#include <random>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "tests/support/seed.hpp"
#include "tests/unit/authenticator/toy_seal.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

/// A log of entries, and the fold of them by the book.
struct logged {
  access_book book{toy_seal(), bits_of(7)};
  std::map<std::string, access_record> kept;
  std::map<user_id, user> people;
  log_position position = 0;

  access_news people_are(const user& who) {
    registry_entry entry;
    entry.position = ++position;
    const auto before = people.find(who.id);
    entry.users.push_back({before == people.end() ? std::nullopt : std::optional{before->second}, who});
    people[who.id] = who;
    return book.apply(entry);
  }
  access_news put(const put_access& change) {
    registry_entry entry;
    entry.position = ++position;
    for (const auto& one : change.put) {
      entry.access.push_back({kept.contains(one.id) ? std::optional{kept[one.id]} : std::nullopt, one});
      kept[one.id] = one;
    }
    for (const auto& id : change.drop)
      if (kept.contains(id)) {
        entry.access.push_back({kept[id], std::nullopt});
        kept.erase(id);
      }
    return book.apply(entry);
  }
  [[nodiscard]] registry_image image() const {
    registry_image out;
    out.position = position;
    for (const auto& [id, one] : people)
      out.users.push_back(one);
    for (const auto& [id, one] : kept)
      out.access.push_back(one);
    return out;
  }
};

api_token token_of(std::string owner, std::uint8_t fill, moment now) {
  return make_api_token(bits_of(7), bits_of(fill), bits_of(static_cast<std::uint8_t>(fill + 1)), std::move(owner),
                        user_role::admin, {token_scope::read_all}, "a script", now, now + std::chrono::hours{24})
    ->kept;
}

} // namespace

TEST_CASE("What is written of a credential is read again, whatever texts are in it") {
  auto s = session_of("u1", 3, at(0));
  s.agent = "<script>\"\\ \n 用户";
  session back;
  CHECK(read_record(write_record(s), back));
  CHECK(back == s);
  const auto t = token_of("u1", 9, at(0));
  api_token token;
  CHECK(read_record(write_record(t), token));
  CHECK(token == t);
  const identity_record i{"company", "https://issuer.example", "subject | 1", "Ann", at(5)};
  identity_record identity;
  CHECK(read_record(write_record(i), identity));
  CHECK(identity == i);
  const totp_record f{std::string("\0\1\2\3\4\5\6\7\0\1\2\3\4\5\6\7\0\1\2\xff", 20), 77, at(1)};
  totp_record factor;
  CHECK(read_record(write_record(f), factor));
  CHECK(factor == f);
  const recovery_record r{{sha256("a"), sha256("b")}};
  recovery_record codes;
  CHECK(read_record(write_record(r), codes));
  CHECK(codes == r);
  const invitation_record n{{sha256("x"), at(60), "ann@example.com", 3}, at(0)};
  invitation_record invited;
  CHECK(read_record(write_record(n), invited));
  CHECK(invited == n);
}

TEST_CASE("Damaged credentials are refused, never half read, and never end the process") {
  const auto seed = make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const auto whole = write_record(session_of("u1", 3, at(0)));
  session out;
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    CHECK_FALSE(read_record(std::string_view{whole}.substr(0, cut), out));
  for (int i = 0; i < 20'000; ++i) {
    auto text = whole;
    for (int n = static_cast<int>(random() % 3); n >= 0; --n)
      text[random() % text.size()] = static_cast<char>(random());
    session read;
    if (read_record(text, read)) { // still an object of ours: then within its ranges
      CHECK(read.role <= user_role::admin);
      CHECK(read.factor <= second_factor::done);
      CHECK(read.kind <= session_kind::key_view);
    }
    totp_record factor;
    CHECK_FALSE(read_record(text, factor)); // another sort of record is no record of this sort
  }
  for (const auto* text : {"", "null", "[]", "{}", R"({"v":2})", R"({"v":"1"})", R"({"v":1,"phc":1,"at":0})"}) {
    password_record password;
    CHECK_FALSE(read_record(text, password));
  }
  CHECK_FALSE(read_record(std::string(100, '[') + std::string(100'000, ' '), out));
}

TEST_CASE("A credential that was moved to another id does not open, and one of another person is not his") {
  logged log;
  log.people_are(person("u1", "ann@example.com"));
  log.people_are(person("u2", "bob@example.com", user_role::admin));
  put_access change;
  REQUIRE_FALSE(log.book.put_password(change, "u1", "$argon2id$ann", at(0)));
  const auto token = token_of("u1", 9, at(0));
  REQUIRE_FALSE(log.book.put(change, access_id(record_kind::token, token.hash), "u1", token));
  log.put(change);
  REQUIRE(log.book.find("u1")->password);
  auto image = log.image();
  for (auto& one : image.access) {
    if (one.id == "password/u1")
      one.id = "password/u2"; // by somebody who can write to the disk
    one.owner = "u2";
  }
  access_book other{toy_seal(), bits_of(7)};
  const auto news = other.load(image);
  CHECK_FALSE(other.find("u2")->password);
  CHECK(news.tokens.empty()); // the token says whose it is
  CHECK(other.unreadable() == 1);
}

TEST_CASE("A second factor that cannot be read is still asked for, and no code is right") {
  logged log;
  log.people_are(person("u1", "ann@example.com"));
  put_access change;
  REQUIRE_FALSE(log.book.put(change, "totp/u1", "u1", totp_record{"01234567890123456789", -1, at(0)}));
  change.put.front().sealed += "damaged";
  log.put(change);
  REQUIRE(log.book.find("u1")->totp);
  CHECK(log.book.find("u1")->totp->key.empty());
}

TEST_CASE("Sessions of people who were suspended or have another role are not taken over by a new start") {
  logged log;
  log.people_are(person("u1", "ann@example.com", user_role::admin));
  log.people_are(person("u2", "bob@example.com"));
  log.people_are(person("u3", "cid@example.com"));
  put_access change;
  REQUIRE_FALSE(log.book.put_session(change, session_of("u1", 1, at(0), user_role::admin)));
  REQUIRE_FALSE(log.book.put_session(change, session_of("u2", 2, at(0))));
  REQUIRE_FALSE(log.book.put_session(change, session_of("u3", 3, at(0))));
  CHECK(log.put(change).begun.size() == 3);
  CHECK(log.people_are(person("u1", "ann@example.com", user_role::user)).changed.size() == 1);
  CHECK(log.people_are(person("u2", "bob@example.com", user_role::user, user_state::suspended)).changed.size() == 1);
  CHECK(log.book.active_admins() == 0);
  access_book again{toy_seal(), bits_of(7)};
  const auto news = again.load(log.image());
  REQUIRE(news.begun.size() == 1);
  CHECK(news.begun.front().subject == "u3");
}

TEST_CASE("The fold of a log is what reading its end gives, after any walk") {
  const auto seed = make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  logged log;
  for (int i = 0; i < 6; ++i)
    log.people_are(person("u" + std::to_string(i), std::to_string(i) + "@example.com"));
  std::set<digest> sessions;
  for (int step = 0; step < 500; ++step) {
    const auto who = "u" + std::to_string(random() % 6);
    const auto fill = static_cast<std::uint8_t>(random() % 40);
    put_access change;
    switch (random() % 7) {
      case 0: CHECK_FALSE(log.book.put_password(change, who, "$" + std::to_string(step), at(step))); break;
      case 1: {
        const auto one = session_of(who, fill, at(step));
        CHECK_FALSE(log.book.put_session(change, one));
        sessions.insert(one.id);
        break;
      }
      case 2:
        if (!sessions.empty()) {
          change.drop.push_back(access_book::session_id(*sessions.begin()));
          sessions.erase(sessions.begin());
        }
        break;
      case 3: {
        const auto one = token_of(who, fill, at(step));
        // A token is somebody's for good.
        if (const auto* there = log.book.find_token(one.hash); there == nullptr)
          CHECK_FALSE(log.book.put(change, access_id(record_kind::token, one.hash), who, one));
        else
          change.drop.push_back(access_id(record_kind::token, one.hash));
        break;
      }
      case 4:
        CHECK_FALSE(log.book.put_identity(change, who, {"company", "https://i", std::to_string(fill), "", at(step)}));
        break;
      case 5:
        CHECK_FALSE(log.book.put(change, "totp/" + who, who, totp_record{std::string(20, 'k'), step, at(0)}));
        break;
      default: log.book.drop_all_of(change, *log.book.find(who)); break;
    }
    log.put(change);
  }
  access_book again{toy_seal(), bits_of(7)};
  again.load(log.image());
  CHECK(again.position() == log.book.position());
  CHECK(again.sessions() == log.book.sessions());
  CHECK(again.tokens() == log.book.tokens());
  CHECK(again.unreadable() == 0);
  for (const auto& [id, who] : log.people) {
    const auto *a = again.find(id), *b = log.book.find(id);
    CHECK(a->password == b->password);
    CHECK(a->password_id == b->password_id);
    CHECK(a->totp == b->totp);
    CHECK(std::set<digest>(a->identities.begin(), a->identities.end())
          == std::set<digest>(b->identities.begin(), b->identities.end()));
    CHECK(std::set<digest>(a->tokens.begin(), a->tokens.end()) == std::set<digest>(b->tokens.begin(), b->tokens.end()));
  }
}

TEST_CASE("What is over by time is taken out, and what somebody had who was deleted") {
  logged log;
  log.people_are(person("u1", "ann@example.com"));
  put_access change;
  const auto token = token_of("u1", 9, at(0));
  REQUIRE_FALSE(log.book.put(change, access_id(record_kind::token, token.hash), "u1", token));
  const auto code = make_mailed_code(bits_of(7), code_purpose::new_password, "u1", bits_of(1), at(0));
  REQUIRE_FALSE(log.book.put_code(change, code_purpose::new_password, "u1", "u1", code.kept));
  REQUIRE_FALSE(log.book.put_password(change, "u1", "$x", at(0)));
  log.put(change);
  CHECK(log.book.drop_old(at(60)).drop.empty());
  CHECK(log.book.drop_old(at(601)).drop.size() == 1);
  CHECK(log.book.drop_old(at(32 * 86'400)).drop.size() == 2);
  log.people_are(person("u1", "", user_role::user, user_state::deleted));
  log.put(log.book.drop_old(at(60)));
  CHECK(log.kept.empty());
}
