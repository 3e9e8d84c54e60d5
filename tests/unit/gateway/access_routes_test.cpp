#include <catch2/catch_test_macros.hpp>
#include <caf/all.hpp>
#include <nlohmann/json.hpp>

#include "gateway/gateway.hpp"
#include "gateway/routes.hpp"
#include "messages/registry_json.hpp"
#include "tests/support/fixture.hpp"
#include "tests/unit/gateway/directory.hpp"

using namespace keyportal;
using namespace keyportal::gateway;
using nlohmann::json;

namespace {

struct nothing_kept {
  nothing_kept() = default;
};

/// Lets in whoever has the password "right"; remembers what it was asked.
authenticator_actor::behavior_type fake_authenticator(authenticator_actor::stateful_pointer<nothing_kept>,
                                                      std::vector<access_command>* asked) {
  return {
    [asked](const access_command& m) -> caf::result<access_done> {
      asked->push_back(m);
      access_done out;
      const auto begin = [&](second_factor factor) {
        out.session_text = secret{"user"};
        out.begun.emplace();
        out.begun->name = "user";
        out.begun->factor = factor;
        out.user = "uuser";
      };
      if (const auto* what = std::get_if<sign_in_with_password>(&m.what)) {
        if (what->password.reveal() == "slow")
          return make_error(errc::slow_down, "17");
        if (what->password.reveal() != "right")
          return make_error(errc::sign_in_refused);
        begin(second_factor::pending);
      } else if (std::holds_alternative<confirm_second_factor>(m.what)) {
        begin(second_factor::done);
      } else if (std::holds_alternative<register_person>(m.what)) {
        out.waits_for_approval = true;
      } else if (std::holds_alternative<begin_external>(m.what)) {
        out.uri = "https://company.example/authorize?state=1";
      } else if (const auto* came = std::get_if<finish_external>(&m.what)) {
        if (came->cookie.reveal() == "stranger") {
          out.register_with = secret{"newcomer-text"};
          out.email = "a&b@example.com";
        } else if (came->cookie.reveal() == "known") {
          begin(second_factor::not_asked);
          out.return_to = "//evil.example";
        } else {
          return make_error(errc::sign_in_declined);
        }
      } else if (const auto* ends = std::get_if<end_sessions>(&m.what)) {
        out.count = ends->name == "nothing" ? 0 : 2;
      } else if (std::holds_alternative<keyportal::make_token>(m.what)) {
        out.shown = secret{"kpt_text"};
        out.tokens.emplace_back();
      } else if (std::holds_alternative<ask_new_password>(m.what)) {
        out.shown = secret{"code-for-a-password"};
      } else if (std::holds_alternative<keyportal::finish_totp>(m.what)) {
        out.codes = {secret{"one"}, secret{"two"}};
      }
      return out;
    },
    [](const committed&) {},
    [](const drain&) { return drained{}; },
  };
}

/// People uuser, uadmin; keys kone of uuser and ktwo of uother.
key_registry_actor::behavior_type fake_registry(key_registry_actor::stateful_pointer<nothing_kept>,
                                                std::vector<registry_command>* done, const std::size_t* users_changed) {
  return {
    [done, users_changed](const registry_command& m) -> caf::result<command_done> {
      done->push_back(m);
      command_done out;
      out.position = 7;
      out.users.resize(*users_changed);
      if (std::holds_alternative<assign_key>(m.what))
        out.shown.emplace_back("the text");
      return out;
    },
    [](const find_key& m) -> caf::result<client_key> {
      if (m.id != "kone" && m.id != "ktwo")
        return make_error(errc::key_unknown);
      client_key out;
      out.id = m.id;
      out.owner = m.id == "kone" ? "uuser" : "uother";
      return out;
    },
    [](const list_keys& m) {
      key_page out;
      out.keys.emplace_back();
      out.keys[0].label = m.owner;
      return out;
    },
    [](const find_user& m) -> caf::result<user> {
      user out;
      out.id = m.id_or_email;
      out.email = m.id_or_email + "@example.com";
      out.state = user_state::active;
      if (out.id == "uadmin")
        out.role = user_role::admin;
      else if (out.id != "uuser")
        return make_error(errc::user_unknown);
      return out;
    },
    [](const list_users&) { return user_page{}; },
    [](const list_policies&) { return std::vector<policy>{}; },
    [](const list_prices&) { return price_page{}; },
    [](const read_budgets&) { return std::vector<budget_use>{}; },
    [](const read_registry_state&) { return registry_state{}; },
    [](const keeper_ready&) {},
    [](const committed&) {},
    [](const drain&) { return drained{}; },
  };
}

analyst_actor::behavior_type fake_analyst(analyst_actor::stateful_pointer<nothing_kept>, std::vector<ask_usage>* usage,
                                          std::vector<ask_records>* records) {
  return {
    [usage](const ask_usage& m) {
      usage->push_back(m);
      return std::make_shared<const usage_report>();
    },
    [records](const ask_records& m) {
      records->push_back(m);
      auto page = std::make_shared<record_page>();
      page->records.emplace_back();
      page->records[0].auth_index = "account-of-the-operator";
      return std::shared_ptr<const record_page>(std::move(page));
    },
  };
}

struct door_scene : test::fixture {
  door_scene() {
    handles.authenticator = spawn(fake_authenticator, &asked);
    handles.registry = spawn(fake_registry, &done, &users_changed);
    handles.analyst = spawn(fake_analyst, &usage, &records);
    handles.callers = people;
    hooks.control_token = secret{"control"};
    hooks.on_session_end = [this](std::string_view tag) { ended.emplace_back(tag); };
    it = spawn(gateway::gateway, handles, hooks);
    settle();
  }

  struct answer {
    http_response http;
    [[nodiscard]] json body() const { return json::parse(*http.body, nullptr, false); }
    [[nodiscard]] std::string code() const { return body().value("code", ""); }
    [[nodiscard]] std::string header(std::string_view name, std::string_view beginning = {}) const {
      for (const auto& [key, value] : http.headers)
        if (key == name && value.starts_with(beginning))
          return value;
      return {};
    }
  };
  using headers = std::vector<std::pair<std::string, std::string>>;
  static headers as(const std::string& who) {
    if (who == "control")
      return {{"authorization", "Bearer control"}};
    if (who == "nobody")
      return {{"cookie", "keyportal-before=abc"}, {"x-csrf-token", "csrf before abc"}};
    return {{"cookie", "keyportal=" + who}, {"x-csrf-token", "csrf of " + who}};
  }

  answer request(headers with, std::string method, std::string path, json body = {},
                 std::vector<std::pair<std::string, std::string>> query = {}) {
    auto exchange = std::make_shared<http_exchange>();
    exchange->request.method = std::move(method);
    exchange->request.path = std::move(path);
    exchange->request.body = body.is_null() ? "" : body.dump();
    exchange->request.query = std::move(query);
    exchange->request.peer = "127.0.0.1";
    exchange->request.headers = std::move(with);
    exchange->request.headers.emplace_back("host", "127.0.0.1:8390");
    exchange->request.headers.emplace_back("user-agent", "a browser");
    auto out = std::make_shared<answer>();
    out->http.status = 0;
    exchange->reply = [out](http_response response) { out->http = std::move(response); };
    caf::anon_send(it, std::move(exchange));
    settle();
    return *out;
  }
  template <class Question>
  Question last() {
    REQUIRE_FALSE(asked.empty());
    const auto* out = std::get_if<Question>(&asked.back().what);
    REQUIRE(out != nullptr);
    return *out;
  }

  std::vector<access_command> asked;
  std::vector<registry_command> done;
  std::size_t users_changed = 0;
  std::vector<ask_usage> usage;
  std::vector<ask_records> records;
  std::vector<std::string> ended;
  std::shared_ptr<test::directory> people = std::make_shared<test::directory>();
  gateway_handles handles;
  gateway_hooks hooks;
  gateway_actor it;
};

} // namespace

TEST_CASE_METHOD(door_scene, "nobody gets a cookie and a token bound to it, and signs in with both") {
  const auto first = request({}, "GET", "/api/v1/session");
  CHECK(first.body()["kind"] == "nobody");
  CHECK(first.body()["user"].is_null());
  const auto cookie = first.header("Set-Cookie");
  REQUIRE(cookie.starts_with("keyportal-before="));
  const auto before = cookie.substr(0, cookie.find(';'));
  CHECK(first.body()["csrf"] == "csrf before " + before.substr(before.find('=') + 1));

  const headers with{{"cookie", before}, {"x-csrf-token", first.body()["csrf"]}};
  const json right_one{{"email", "a@example.com"}, {"password", "right"}};
  const auto in = request(with, "POST", "/api/v1/session", right_one);
  CHECK(in.http.status == 201);
  CHECK(in.header("Set-Cookie") == "keyportal=user; Path=/; HttpOnly; SameSite=Strict");
  CHECK(in.body()["second_factor_needed"] == true);
  CHECK(in.body()["csrf"] == "csrf of user");
  CHECK(in.http.body->find("\"user\":\"uuser\"") != std::string::npos);
  CHECK(asked.back().from.address == "127.0.0.1");
  CHECK(asked.back().from.agent == "a browser");
  CHECK(asked.back().who.empty());

  CHECK(request({}, "POST", "/api/v1/session", right_one).code() == "csrf_missing");
  CHECK(request(with, "POST", "/api/v1/session", {{"email", "a@example.com"}, {"password", "x"}}).code()
        == "sign_in_refused");
  const auto slow = request(with, "POST", "/api/v1/session", {{"email", "a@example.com"}, {"password", "slow"}});
  CHECK(slow.http.status == 429);
  CHECK(slow.header("Retry-After") == "17");
  const auto odd = request(with, "POST", "/api/v1/session", {{"email", "a@example.com"}, {"pass", "right"}});
  CHECK(odd.code() == "bad_request");
}

TEST_CASE_METHOD(door_scene, "signing in anew ends the session before; signing out ends it and takes the cookie away") {
  CHECK(request(as("user"), "POST", "/api/v1/session", {{"email", "a@b"}, {"password", "right"}}).http.status == 201);
  CHECK(last<sign_out>().session == people->all["user"].held->id);
  const auto out = request(as("user"), "DELETE", "/api/v1/session");
  CHECK(out.http.status == 204);
  CHECK(out.header("Set-Cookie") == "keyportal=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
  const auto factor = request(as("half"), "POST", "/api/v1/session/second-factor", {{"code", "123456"}});
  CHECK(factor.http.status == 201);
  CHECK(last<confirm_second_factor>().session == people->all["half"].held->id);
  CHECK(request(as("user"), "GET", "/api/v1/session").body()["user"]["id"] == "uuser");
  people->told(*people->all["user"].held);
  CHECK(ended == std::vector<std::string>{tag_of(*people->all["user"].held)});
}

TEST_CASE_METHOD(door_scene, "what is one's own is asked for in one's own name") {
  request(as("user"), "GET", "/api/v1/sessions");
  CHECK(last<list_sessions>().subject == "uuser");
  CHECK(request(as("user"), "DELETE", "/api/v1/sessions/nothing").http.status == 404);
  CHECK(request(as("user"), "DELETE", "/api/v1/sessions").body()["ended"] == 2);
  CHECK(last<end_sessions>().but == people->all["user"].held->id);
  const auto made = request(as("user"), "POST", "/api/v1/tokens", {{"label", "ci"}, {"scopes", {"read:usage"}}});
  CHECK(made.http.status == 201);
  CHECK(made.body()["text"] == "kpt_text");
  CHECK(made.header("Cache-Control") == "no-store");
  CHECK(last<keyportal::make_token>().user == "uuser");
  CHECK(request(as("user"), "POST", "/api/v1/tokens", {{"label", "ci"}, {"scopes", {"root"}}}).code()
        == "scope_refused");
  request(as("user"), "POST", "/api/v1/password", {{"old", "a"}, {"new", "b"}});
  CHECK(last<keyportal::change_password>().user == "uuser");
  CHECK(last<keyportal::change_password>().session == people->all["user"].held->id);
  CHECK(request(as("user"), "POST", "/api/v1/account/totp/confirm", {{"code", "1"}}).body()["codes"].size() == 2);
  CHECK(request(as("control"), "GET", "/api/v1/account").code() == "right_missing");
}

TEST_CASE_METHOD(door_scene, "a key of somebody else is not there") {
  std::size_t asked_for = 0;
  for (const auto& row : routes()) {
    const auto place = row.pattern.find("{name}");
    if (!is_about_oneself(row.about) || place == std::string_view::npos)
      continue;
    ++asked_for;
    const std::string method(row.method), path(row.pattern.substr(place + 6));
    CAPTURE(method, path);
    const auto body = method == "GET" ? json() : path == "/renewal" ? json{{"reason", "more"}} : json::object();
    const auto unknown = request(as("user"), method, "/api/v1/me/keys/knone" + path, body);
    const auto others = request(as("user"), method, "/api/v1/me/keys/ktwo" + path, body);
    CHECK(others.http.status == 404);
    CHECK(*others.http.body == *unknown.http.body);
    CHECK(done.empty());
    CHECK(request(as("user"), method, "/api/v1/me/keys/kone" + path, body).http.status == 200);
    done.clear();
  }
  CHECK(asked_for == 7);
  CHECK(request(as("user"), "GET", "/api/v1/me/keys", {}, {{"owner", "uother"}}).body()["items"][0]["label"]
        == "uuser");
  const auto taken = request(as("user"), "POST", "/api/v1/me/keys", {{"label", "laptop"}});
  CHECK(taken.http.status == 201);
  CHECK(std::get<assign_key>(done.back().what).owner == "uuser");
  CHECK(done.back().by.who == "uuser");
  CHECK(done.back().by.from == "127.0.0.1");
  CHECK(request(as("user"), "POST", "/api/v1/me/keys", {{"label", "x"}, {"lifetime_s", 0}}).code() == "bad_request");
}

TEST_CASE_METHOD(door_scene, "usage is narrowed to one's own, whatever is asked") {
  CHECK(request(as("user"), "GET", "/api/v1/me/usage").http.status == 200);
  CHECK(usage.back().what.where.at(usage_by::user) == std::vector<std::string>{"uuser"});
  CHECK(request(as("view"), "GET", "/api/v1/me/usage", {}, {{"key", "ktwo"}}).http.status == 200);
  CHECK(usage.back().what.where.at(usage_by::key) == std::vector<std::string>{"kone"});
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
         {"user", "uother"}, {"account", "1"}, {"by", "user"}, {"by", "account"}, {"unused", "1"}})
    CHECK(request(as("user"), "GET", "/api/v1/me/usage", {}, {{name, value}}).code() == "bad_request");
  const auto page = request(as("user"), "GET", "/api/v1/me/records");
  CHECK(records.back().what.where.at(usage_by::user) == std::vector<std::string>{"uuser"});
  CHECK(page.http.body->find("account-of-the-operator") == std::string::npos);
}

TEST_CASE_METHOD(door_scene, "who was changed is somebody else from the answer on") {
  users_changed = 1;
  CHECK(request(as("control"), "PATCH", "/api/v1/users/uuser", {{"role", "auditor"}}).http.status == 200);
  CHECK(last<catch_up>().position == 7);
}

TEST_CASE_METHOD(door_scene, "nobody gives up rights by mistake, or touches those of admins without the right") {
  const auto change = [&](const std::string& who, const json& body, bool confirmed = false) {
    done.clear();
    return request(as(who), "PATCH", "/api/v1/users/uadmin", body,
                   confirmed ? std::vector<std::pair<std::string, std::string>>{{"confirm", "true"}}
                             : std::vector<std::pair<std::string, std::string>>{});
  };
  CHECK(change("admin", {{"role", "user"}}).code() == "confirmation_needed");
  CHECK(done.empty());
  CHECK(change("admin", {{"role", "user"}}, true).http.status == 200);
  CHECK(done.size() == 1);
  CHECK(change("control", {{"role", "user"}}).http.status == 200);
  CHECK(change("control", {{"name", "Ada"}}).http.status == 200);
  // One who may change people but no roles.
  const headers token{{"authorization", "Bearer kpt_admin=write:people"}};
  CHECK(request(token, "PATCH", "/api/v1/users/uadmin", {{"name", "Ada"}}).code() == "right_missing");
  CHECK(request(token, "PATCH", "/api/v1/users/uuser", {{"role", "admin"}}).code() == "right_missing");
  CHECK(request(token, "PATCH", "/api/v1/users/uuser", {{"name", "Bob"}}).http.status == 200);
  CHECK(request(token, "POST", "/api/v1/users", {{"email", "x@y.example"}, {"role", "admin"}}).code()
        == "right_missing");
  CHECK(request(token, "POST", "/api/v1/users/uadmin/password-code").code() == "right_missing");
  CHECK(request(token, "POST", "/api/v1/users/uuser/password-code").body()["code"] == "code-for-a-password");
  CHECK(last<ask_new_password>().by_admin);
}

TEST_CASE_METHOD(door_scene, "signing in elsewhere: there with a Lax cookie, back to a page of ours and no other") {
  const auto there = request({}, "GET", "/sign-in/company", {}, {{"return_to", "/usage"}});
  CHECK(there.http.status == 303);
  CHECK(there.header("Location") == "https://company.example/authorize?state=1");
  const auto cookie = there.header("Set-Cookie");
  CHECK(cookie.find("SameSite=Lax") != std::string::npos);
  CHECK(cookie.find("Max-Age=600") != std::string::npos);
  const auto begun = last<keyportal::begin_external>();
  CHECK(begun.return_to == "/usage");
  CHECK(begun.redirect_uri == "http://127.0.0.1:8390/sign-in/company/callback");
  CHECK(cookie.starts_with("keyportal-external=" + begun.cookie.reveal() + ";"));
  CHECK(request({{"sec-fetch-site", "cross-site"}}, "GET", "/sign-in/company").code() == "wrong_origin");
  CHECK(request({}, "GET", "/sign-in/company", {}, {{"link", "true"}}).code() == "sign_in_needed");
  request(as("user"), "GET", "/sign-in/company", {}, {{"link", "true"}});
  CHECK(last<keyportal::begin_external>().link_to == "uuser");

  const auto back = [&](const std::string& text) {
    return request({{"cookie", "keyportal-external=" + text}}, "GET", "/sign-in/company/callback", {},
                   {{"code", "c"}, {"state", "s"}});
  };
  const auto known = back("known");
  CHECK(known.header("Location") == "/"); // what it was told is another host
  CHECK(known.header("Set-Cookie", "keyportal=") == "keyportal=user; Path=/; HttpOnly; SameSite=Strict");
  CHECK(known.header("Set-Cookie", "keyportal-external=;").find("Max-Age=0") != std::string::npos);
  const auto stranger = back("stranger");
  CHECK(stranger.header("Location") == "/#register?email=a%26b%40example.com&name=");
  CHECK(stranger.header("Set-Cookie", "keyportal-newcomer=newcomer-text;").find("HttpOnly") != std::string::npos);
  CHECK(back("other").header("Location") == "/#sign-in-failed=sign_in_declined");
  CHECK(request({}, "GET", "/sign-in/company/callback").header("Location") == "/#sign-in-failed=sign_in_expired");

  const auto waits =
    request({{"cookie", "keyportal-before=abc; keyportal-newcomer=newcomer-text"}, {"x-csrf-token", "csrf before abc"}},
            "POST", "/api/v1/registration", {{"external", true}, {"reason", "work"}});
  CHECK(waits.http.status == 202);
  CHECK(waits.body()["waits_for_approval"] == true);
  CHECK(last<register_person>().external.reveal() == "newcomer-text");
}

TEST_CASE_METHOD(door_scene, "whoever asks too much is told how much there is, and when again") {
  people->next = {true, 100, 99, std::chrono::seconds{60}};
  const auto fine = request(as("user"), "GET", "/api/v1/session");
  CHECK(fine.header("RateLimit-Limit") == "100");
  CHECK(fine.header("RateLimit-Remaining") == "99");
  CHECK(fine.header("RateLimit-Reset") == "60");
  people->next = {false, 100, 0, std::chrono::seconds{9}};
  const auto refused = request(as("user"), "GET", "/api/v1/session");
  CHECK(refused.http.status == 429);
  CHECK(refused.header("Retry-After") == "9");
  CHECK(refused.header("RateLimit-Remaining") == "0");
  CHECK(request({}, "GET", "/healthz").http.status == 200);
  CHECK(request(as("control"), "GET", "/api/v1/session").http.status == 200);
  CHECK(people->taken.at("127.0.0.1") == 2);
}

TEST_CASE_METHOD(door_scene, "over https a browser is told to stay with it") {
  hooks.proxies = {*network::read("127.0.0.1")};
  it = spawn(gateway::gateway, handles, hooks);
  settle();
  const auto safe =
    request({{"x-forwarded-proto", "https"}, {"x-forwarded-for", "203.0.113.9"}}, "GET", "/api/v1/session");
  CHECK(safe.header("Strict-Transport-Security") == "max-age=31536000");
  CHECK(safe.header("Set-Cookie").starts_with("__Host-keyportal-before="));
  CHECK(safe.header("Set-Cookie").find("; Secure") != std::string::npos);
  CHECK(people->taken.contains("203.0.113.9"));
  CHECK(request({}, "GET", "/api/v1/session").header("Strict-Transport-Security").empty());
}
