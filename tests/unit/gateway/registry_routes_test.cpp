#include <catch2/catch_test_macros.hpp>
#include <caf/all.hpp>
#include <nlohmann/json.hpp>

#include "gateway/gateway.hpp"
#include "gateway/registry_answers.hpp"
#include "messages/registry_json.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/fixture.hpp"

using namespace keyportal;
using namespace keyportal::gateway;
using nlohmann::json;

namespace {

constexpr const char* the_text = "sk-kp-1TheTextOfTheKeyThatIsShownOnce";

/// Knows ada@example.com as "uada" and one key, "kone"; remembers what it was asked to do.
struct registry_memory {
  registry_memory() = default;
  std::vector<registry_command>* commands = nullptr;
  list_keys keys_wanted;
  list_users users_wanted;
};
using registry_pointer = key_registry_actor::stateful_pointer<registry_memory>;

user ada() {
  user out;
  out.id = "uada";
  out.email = "ada@example.com";
  out.state = user_state::active;
  return out;
}

client_key key_one() {
  client_key out;
  out.id = "kone";
  out.sealed = "the sealed bytes";
  out.shown = "sk-kp-…zzzz";
  out.state = key_state::live;
  out.owner = "uada";
  return out;
}

key_registry_actor::behavior_type fake_registry(registry_pointer self, std::vector<registry_command>* commands) {
  self->state.commands = commands;
  return {
    [self](const registry_command& m) -> caf::result<command_done> {
      self->state.commands->push_back(m);
      command_done out;
      out.position = self->state.commands->size();
      if (const auto* added = std::get_if<add_user>(&m.what)) {
        if (added->name.size() > 200)
          return make_error(errc::name_refused, "the name is longer than 200 bytes");
        out.users.push_back(ada());
      } else if (const auto* assigned = std::get_if<assign_key>(&m.what)) {
        if (assigned->label == "the pool is empty")
          return make_error(errc::pool_empty);
        out.keys.push_back(key_one());
        out.shown.emplace_back(the_text);
        out.replayed = assigned->label == "again";
      } else if (const auto* imported = std::get_if<import_keys>(&m.what)) {
        out.skipped = 1;
        out.keys.resize(imported->keys.size() - 1);
      } else if (const auto* made = std::get_if<make_keys>(&m.what)) {
        out.keys.resize(made->count);
      } else if (const auto* prices = std::get_if<put_prices>(&m.what)) {
        out.prices = prices->prices.size();
      } else if (const auto* dropped = std::get_if<drop_prices>(&m.what)) {
        out.prices = dropped->ids.size();
      }
      return out;
    },
    [](const find_key& m) -> caf::result<client_key> {
      if (m.text.reveal() == the_text || m.id == "kone")
        return key_one();
      return make_error(m.text.empty() ? errc::key_unknown : errc::key_mistyped);
    },
    [self](const list_keys& m) {
      self->state.keys_wanted = m;
      key_page out;
      out.keys.push_back(key_one());
      out.keys[0].label = m.owner + "/" + m.text + "/" + m.after + "/" + std::to_string(m.limit);
      out.more = true;
      return out;
    },
    [](const find_user& m) -> caf::result<user> {
      if (m.id_or_email == "uada" || m.id_or_email == "ada@example.com")
        return ada();
      return make_error(errc::user_unknown);
    },
    [](const list_users& m) {
      user_page out;
      out.users.push_back(ada());
      out.users[0].label = m.text + "/" + m.after + "/" + (m.state ? std::string(to_text(*m.state)) : "any");
      return out;
    },
    [](const list_policies&) {
      policy out;
      out.name = "default";
      return std::vector<policy>{out};
    },
    [](const list_prices& m) {
      price_page out;
      auto& one = out.prices.emplace_back();
      one.id = m.after;
      one.model = m.text;
      return out;
    },
    [](const read_budgets& m) -> caf::result<std::vector<budget_use>> {
      if (m.key != key_one().id)
        return make_error(errc::key_unknown);
      return std::vector<budget_use>{
        {budget_use::scope::user, {budget_unit::tokens, budget_window::day, 1000}, moment{}, 17}};
    },
    [](const read_registry_state&) {
      registry_state out;
      out.keys[0] = 41;
      return out;
    },
    [](const keeper_ready&) {},
    [](const committed&) {},
    [](const drain&) { return drained{}; },
  };
}

/// Holds 2,500 entries: every hundredth is an assignment of the key "kone", the others are of people.
ledger_actor::behavior_type fake_ledger() {
  return test::answers<ledger_actor>(test::overloaded{
    [](const read_entries& m) {
      std::vector<registry_entry> out;
      for (auto at = m.after + 1; at <= 2500 && out.size() < m.limit; ++at) {
        auto& entry = out.emplace_back();
        entry.position = at;
        entry.what = at % 100 == 0 ? "key.assign" : "user.change";
        if (at % 100 == 0)
          entry.keys.push_back({std::nullopt, key_one()});
        else
          entry.users.push_back({ada(), ada()});
      }
      return out;
    },
    [](const load_registry&) { return std::make_shared<const registry_image>(); },
    [](const list_configs& m) {
      config_info one;
      one.node = m.node;
      one.number = 2;
      return std::vector<config_info>{one};
    },
    [](const read_config& m) -> caf::result<std::shared_ptr<const std::string>> {
      if (m.number != 2)
        return make_error(errc::config_unknown, std::to_string(m.number));
      return std::make_shared<const std::string>("port: 8317\n");
    },
    [](const list_unpriced& m) {
      unpriced_model one;
      one.model = to_rfc3339_ms(m.from);
      return std::vector<unpriced_model>{one};
    },
    [](const reprice_prices& m) {
      reprice_state out;
      out.what = m;
      out.running = true;
      return out;
    },
    [](const read_reprice&) {
      reprice_state out;
      out.records = 7;
      return out;
    },
    [](const drain&) { return drained{}; },
  });
}

key_keeper_actor::behavior_type fake_keys() {
  return {
    [](const key_orders&) {},
    [](const node_seen&) {},
    [](const read_node_keys&) {
      node_keys out;
      out.wanted = 7;
      return out;
    },
    [](const restore_config& m) -> caf::result<key_written> {
      if (m.number != 2)
        return make_error(errc::config_unsafe);
      return key_written{};
    },
    [](const drain&) { return drained{}; },
  };
}

auditor_actor::behavior_type broken_auditor() {
  return {[](const verify_audit&) -> caf::result<audit_verified> { return make_error(errc::audit_broken, "entry 7"); }};
}
auditor_actor::behavior_type content_auditor() {
  return {[](const verify_audit& m) -> caf::result<audit_verified> {
    if (m.position == 7 && m.hash[0] != 0xab)
      return make_error(errc::audit_broken, "entry 7: its hash is another one");
    return audit_verified{2500, {0xcd, 0xef}};
  }};
}

struct scene : test::fixture {
  scene() {
    handles.registry = spawn(fake_registry, &commands);
    handles.ledger = spawn(fake_ledger);
    handles.auditor = spawn(content_auditor);
    handles.nodes = {{"cpa-1", {}, {}, {}, spawn(fake_keys)}};
    hooks.control_token = secret{"token"};
  }

  struct answer {
    http_response http;
    [[nodiscard]] json body() const { return json::parse(*http.body, nullptr, false); }
    [[nodiscard]] std::string code() const { return body().value("code", ""); }
    [[nodiscard]] std::string detail() const { return body().value("detail", ""); }
  };
  using query = std::vector<std::pair<std::string, std::string>>;

  answer request(std::string method, std::string path, std::string body = {}, query asked = {}) {
    if (!it)
      it = spawn(gateway::gateway, handles, hooks);
    auto exchange = std::make_shared<http_exchange>();
    exchange->request.method = std::move(method);
    exchange->request.path = std::move(path);
    exchange->request.body = std::move(body);
    exchange->request.query = std::move(asked);
    exchange->request.peer = "127.0.0.1";
    exchange->request.headers = {{"authorization", "Bearer token"}, {"idempotency-key", "once-7"}};
    auto out = std::make_shared<answer>();
    out->http.status = 0;
    exchange->reply = [out](http_response response) { out->http = std::move(response); };
    caf::anon_send(it, std::move(exchange));
    settle();
    return *out;
  }
  answer get(std::string path, query asked = {}) { return request("GET", std::move(path), {}, std::move(asked)); }
  answer post(std::string path, const json& body) { return request("POST", std::move(path), body.dump()); }

  /// What the last command was; the test fails where it is another one.
  template <class Question>
  Question last() {
    REQUIRE_FALSE(commands.empty());
    const auto* out = std::get_if<Question>(&commands.back().what);
    REQUIRE(out != nullptr);
    return *out;
  }

  std::vector<registry_command> commands;
  gateway_handles handles;
  gateway_hooks hooks;
  gateway_actor it;
};

} // namespace

TEST_CASE_METHOD(scene, "prices are listed, set and dropped; what is wrong with one is told with its place") {
  const auto list = get("/api/v1/prices", {{"text", "GPT"}, {"after", "by_hand///a"}}).body();
  CHECK(list["items"][0]["id"] == "by_hand///a");
  CHECK(list["items"][0]["model"] == "gpt");
  const json one = {{"model", "gpt-5"}, {"rates", {{"input", 5}, {"output", 6}}}, {"from", "2026-04-02T00:00:00Z"}};
  CHECK(post("/api/v1/prices", {{"prices", {one}}}).body()["changed"] == 1);
  const auto what = last<put_prices>();
  REQUIRE(what.prices.size() == 1);
  CHECK(what.prices[0].model == "gpt-5");
  CHECK(what.prices[0].rates.output == 6);
  CHECK(what.prices[0].from.has_value());
  CHECK(commands.back().by.command == "once-7");
  auto bad = one;
  bad["rates"]["input"] = 1.5;
  const auto refused = post("/api/v1/prices", {{"prices", {one, bad}}});
  CHECK(refused.http.status == 400);
  CHECK(refused.detail().find("prices[1]: rates.input") != std::string::npos);
  CHECK(post("/api/v1/prices", json::object()).code() == "bad_request");
  CHECK(post("/api/v1/prices/drop", {{"ids", {"by_hand///gpt-5"}}}).body()["changed"] == 1);
  CHECK(last<drop_prices>().ids == std::vector<std::string>{"by_hand///gpt-5"});
  CHECK(post("/api/v1/prices/drop", {{"ids", {1}}}).code() == "bad_request");
}

TEST_CASE_METHOD(scene, "models without a price are listed for a span, and costs are worked out anew on purpose") {
  CHECK(get("/api/v1/prices/unpriced", {{"from", "2026-04-02T00:00:00Z"}}).body()["items"][0]["model"]
        == "2026-04-02T00:00:00.000Z");
  CHECK(get("/api/v1/prices/unpriced", {{"to", "soon"}}).code() == "bad_request");
  const auto begun = post("/api/v1/prices/reprice", {{"from", "2026-04-02T00:00:00Z"}, {"dry_run", true}});
  CHECK(begun.http.status == 202);
  CHECK(begun.body()["dry_run"] == true);
  CHECK(begun.body()["from"] == "2026-04-02T00:00:00.000Z");
  CHECK(begun.body()["to"].is_null());
  CHECK(post("/api/v1/prices/reprice", {{"from", "soon"}}).code() == "bad_request");
  CHECK(get("/api/v1/prices/reprice").body()["records"] == 7);
}

TEST_CASE_METHOD(scene, "people are listed, shown, added and changed") {
  CHECK(get("/api/v1/users", {{"state", "active"}, {"text", "da"}, {"after", "u0"}}).body()["items"][0]["label"]
        == "da/u0/active");
  CHECK(get("/api/v1/users", {{"state", "asleep"}}).code() == "bad_request");
  CHECK(get("/api/v1/users/ada@example.com").body()["id"] == "uada");
  CHECK(get("/api/v1/users/Ada@Example.COM").body()["id"] == "uada");
  CHECK(get("/api/v1/users/bob@example.com").code() == "user_unknown");

  const auto added = post("/api/v1/users", {{"email", "ada@example.com"},
                                            {"name", "Ada"},
                                            {"role", "auditor"},
                                            {"groups", {"eu", "staff"}},
                                            {"active", false}});
  CHECK(added.http.status == 201);
  CHECK(added.body()["users"][0]["id"] == "uada");
  const auto what = last<add_user>();
  CHECK(what.role == user_role::auditor);
  CHECK(what.groups == std::vector<group_name>{"eu", "staff"});
  CHECK_FALSE(what.active);
  CHECK(commands.back().by.who == "cli");
  CHECK(commands.back().by.from == "127.0.0.1");
  CHECK(commands.back().by.command == "once-7");

  CHECK(request("PATCH", "/api/v1/users/ada@example.com",
                R"({"label":"boss","budgets":[{"unit":"tokens","window":"day","amount":5}]})")
          .http.status
        == 200);
  CHECK(last<change_user>().id == "uada");
  CHECK(last<change_user>().label == "boss");
  CHECK_FALSE(last<change_user>().name);
  CHECK(last<change_user>().budgets->at(0).amount == 5);
  CHECK(post("/api/v1/users/uada/state", {{"to", "suspended"}}).http.status == 200);
  CHECK(last<set_user_state>().id == "uada");
  CHECK(last<set_user_state>().to == user_state::suspended);
}

TEST_CASE_METHOD(scene, "keys are listed without anything of their texts") {
  const auto listed =
    get("/api/v1/keys", {{"owner", "ada@example.com"}, {"text", "x"}, {"after", "k0"}, {"limit", "5"}});
  CHECK(listed.body()["items"][0]["label"] == "uada/x/k0/5");
  CHECK(listed.body()["more"] == true);
  CHECK(listed.http.body->find("sealed") == std::string::npos);
  CHECK(get("/api/v1/keys", {{"owner", "bob"}}).code() == "user_unknown");
  CHECK(get("/api/v1/keys", {{"state", "lost"}}).code() == "bad_request");
  CHECK(get("/api/v1/keys/kone").body()["shown"] == "sk-kp-…zzzz");
  CHECK(get("/api/v1/keys/ktwo").code() == "key_unknown");
}

TEST_CASE_METHOD(scene, "a key that is given out is in the answer, which nobody may store") {
  const auto given =
    post("/api/v1/keys", {{"owner", "ada@example.com"}, {"label", "laptop"}, {"lifetime_s", 60}, {"nodes", {"cpa-1"}}});
  CHECK(given.http.status == 201);
  CHECK(given.body()["key"] == the_text);
  bool never_stored = false;
  for (const auto& [name, value] : given.http.headers)
    never_stored = never_stored || (name == "Cache-Control" && value == "no-store");
  CHECK(never_stored);
  CHECK(last<assign_key>().owner == "uada");
  CHECK(last<assign_key>().lifetime_s == 60);
  CHECK(last<assign_key>().nodes == std::vector<node_name>{"cpa-1"});
  const auto again = post("/api/v1/keys", {{"owner", "uada"}, {"label", "again"}});
  CHECK(again.http.status == 200);
  CHECK(again.body()["replayed"] == true);
  CHECK(post("/api/v1/keys", {{"owner", "uada"}, {"label", "the pool is empty"}}).code() == "pool_empty");
}

TEST_CASE_METHOD(scene, "every step in a key's life is one command") {
  CHECK(post("/api/v1/keys/kone/renew", {{"lifetime_s", 0}}).http.status == 200);
  CHECK(last<renew_key>().key == "kone");
  CHECK(last<renew_key>().lifetime_s == 0);
  CHECK(request("POST", "/api/v1/keys/kone/renew").http.status == 200);
  CHECK_FALSE(last<renew_key>().lifetime_s);
  CHECK(post("/api/v1/keys/kone/rotate", {{"grace_s", 3600}}).http.status == 200);
  CHECK(last<rotate_key>().grace_s == 3600);
  CHECK(request("POST", "/api/v1/keys/kone/suspend").http.status == 200);
  CHECK(last<suspend_key>().why == suspension::by_admin);
  CHECK(request("POST", "/api/v1/keys/kone/resume").http.status == 200);
  CHECK(last<resume_key>().key == "kone");
  CHECK(request("POST", "/api/v1/keys/kone/revoke").http.status == 200);
  CHECK(last<revoke_key>().key == "kone");
  CHECK(post("/api/v1/keys/kone/adopt", {{"owner", "ada@example.com"}, {"label", "old"}}).http.status == 200);
  CHECK(last<adopt_key>().owner == "uada");
  CHECK(request("PATCH", "/api/v1/keys/kone", R"({"label":"desk","nodes":[]})").http.status == 200);
  CHECK(last<change_key>().label == "desk");
  CHECK(last<change_key>().nodes->empty());
  CHECK_FALSE(last<change_key>().budgets);
}

TEST_CASE_METHOD(scene, "a key is found by its text, which no answer repeats") {
  const auto found = post("/api/v1/keys/find", {{"text", the_text}});
  CHECK(found.body()["id"] == "kone");
  CHECK(found.http.body->find(the_text) == std::string::npos);
  const auto wrong = post("/api/v1/keys/find", {{"text", "sk-kp-1Mistyped"}});
  CHECK(wrong.code() == "key_mistyped");
  CHECK(wrong.http.body->find("Mistyped") == std::string::npos);
  CHECK(post("/api/v1/keys/find", {{"text", ""}}).code() == "bad_request");
}

TEST_CASE_METHOD(scene, "existing keys are taken with their owners, all of them or none") {
  const json good = {{"keys",
                      {{{"text", "sk-old-000001"}, {"owner", "ADA@example.com"}, {"label", "old"}},
                       {{"text", "sk-old-000002"}, {"created_at", "2025-01-02T03:04:05Z"}}}}};
  const auto taken = post("/api/v1/keys/import", good);
  CHECK(taken.body() == json{{"position", 1}, {"replayed", false}, {"added", 1}, {"skipped", 1}});
  const auto what = last<import_keys>();
  CHECK(what.keys[0].owner == "uada");
  CHECK(what.keys[0].text.reveal() == "sk-old-000001");
  CHECK(what.keys[1].owner.empty());
  CHECK(what.keys[1].created_at == moment{std::chrono::seconds{1735787045}});
  auto bad = good;
  bad["keys"][1]["owner"] = "bob@example.com";
  const auto refused = post("/api/v1/keys/import", bad);
  CHECK(refused.code() == "user_unknown");
  CHECK(refused.detail() == "keys[1].owner");
  bad["keys"][1] = {{"text", "sk-old-000002"}, {"created_at", "yesterday"}};
  CHECK(post("/api/v1/keys/import", bad).detail().starts_with("keys[1].created_at"));
  bad["keys"][1] = {{"owner", "uada"}};
  CHECK(post("/api/v1/keys/import", bad).detail() == "keys[1].text is missing");
  CHECK(commands.size() == 1);
}

TEST_CASE_METHOD(scene, "the pool and the policies are shown and changed") {
  CHECK(get("/api/v1/pool").body()["keys"]["pooled"] == 41);
  CHECK(post("/api/v1/pool", {{"count", 12}}).body()["made"] == 12);
  for (const json& count : {json(0), json(-1), json(10'001), json("12"), json(1.5), json(18446744073709551615u)})
    CHECK(post("/api/v1/pool", {{"count", count}}).code() == "bad_request");
  CHECK(get("/api/v1/policies").body()["items"][0]["name"] == "default");
  CHECK(request("PUT", "/api/v1/policies/eu", R"({"keys_per_user":2,"key_lifetime_s":60,"models":["m"]})").http.status
        == 200);
  CHECK(last<put_policy>().what.name == "eu");
  CHECK(last<put_policy>().what.keys_per_user == 2);
  CHECK(request("PUT", "/api/v1/policies/eu", R"({"name":"us"})").code() == "bad_request");
  CHECK(request("PUT", "/api/v1/policies/eu", R"({"key_budgets":[{"unit":"tokens","extra":1}]})").detail()
        == "key_budgets[0].extra is not known here");
  CHECK(request("DELETE", "/api/v1/policies/eu").http.status == 200);
  CHECK(last<drop_policy>().name == "eu");
}

TEST_CASE_METHOD(scene, "the audit is read on page by page, also where little of it is wanted") {
  const auto first = get("/api/v1/audit", {{"limit", "3"}});
  CHECK(first.body()["items"].size() == 3);
  CHECK(first.body()["next"] == 3);
  CHECK(first.body()["more"] == true);
  const auto second = get("/api/v1/audit", {{"limit", "3"}, {"after", "3"}});
  CHECK(second.body()["items"][0]["position"] == 4);
  const auto end = get("/api/v1/audit", {{"after", "2500"}});
  CHECK(end.body()["items"].empty());
  CHECK(end.body()["more"] == false);
  const auto few = get("/api/v1/audit", {{"about", "kone"}});
  CHECK(few.body()["items"].size() == 25);
  CHECK(few.body()["next"] == 2500);
  CHECK(few.body()["more"] == false);
  CHECK(get("/api/v1/audit", {{"what", "key."}, {"limit", "4"}}).body()["next"] == 400);
  CHECK(get("/api/v1/audit", {{"what", "key"}}).body()["items"].empty());
  CHECK(few.http.body->find("sealed") == std::string::npos);
}

TEST_CASE_METHOD(scene, "the audit is proved, or it is said where it is broken") {
  CHECK(get("/api/v1/audit/verify").body()["position"] == 2500);
  CHECK(get("/api/v1/audit/verify").body()["hash"] == "cdef" + std::string(60, '0'));
  const auto zeros = std::string(62, '0');
  CHECK(get("/api/v1/audit/verify", {{"last", "7:ab" + zeros}}).http.status == 200);
  CHECK(get("/api/v1/audit/verify", {{"last", "7:ac" + zeros}}).code() == "audit_broken");
  for (const std::string& wrong : std::vector<std::string>{"7", ":ab" + zeros, "0:ab" + zeros, "7:ab", "7:xy" + zeros,
                                                           "-7:ab" + zeros, "7:ab" + zeros + "0"}) {
    CAPTURE(wrong);
    CHECK(get("/api/v1/audit/verify", {{"last", wrong}}).code() == "bad_request");
  }
  it = nullptr;
  handles.auditor = spawn(broken_auditor);
  const auto broken = get("/api/v1/audit/verify");
  CHECK(broken.code() == "audit_broken");
  CHECK(broken.detail() == "entry 7");
}

TEST_CASE_METHOD(scene, "a node's keys and its kept configs are shown and given back") {
  CHECK(get("/api/v1/nodes/cpa-1/keys").body()["wanted"] == 7);
  CHECK(get("/api/v1/nodes/cpa-2/keys").code() == "node_unknown");
  CHECK(get("/api/v1/nodes/cpa-1/configs").body()["items"][0]["number"] == 2);
  CHECK(*get("/api/v1/nodes/cpa-1/configs/2").http.body == "port: 8317\n");
  CHECK(get("/api/v1/nodes/cpa-1/configs/3").code() == "config_unknown");
  CHECK(request("POST", "/api/v1/nodes/cpa-1/configs/2/restore").body() == json{{"node", "cpa-1"}, {"number", 2}});
  CHECK(request("POST", "/api/v1/nodes/cpa-1/configs/3/restore").code() == "config_unsafe");
}

TEST_CASE_METHOD(scene,
                 "what is not understood is refused with the field's name, and nothing is asked of the registry") {
  struct attempt {
    const char* method;
    const char* path;
    std::string body;
    const char* about;
  };
  const std::vector<attempt> attempts = {
    {"POST", "/api/v1/users", "", "email is missing"},
    {"POST", "/api/v1/users", "[]", "the body is a JSON object"},
    {"POST", "/api/v1/users", "{", "the body is a JSON object"},
    {"POST", "/api/v1/users", "{\"email\":\"\xff\"}", "the body is a JSON object"},
    {"POST", "/api/v1/users", R"({"email":7})", "email is a text"},
    {"POST", "/api/v1/users", R"({"email":"a@b.c","admin":true})", "admin is not known here"},
    {"POST", "/api/v1/users", R"({"email":"a@b.c","role":"root"})", "role is user, auditor or admin"},
    {"POST", "/api/v1/users", R"({"email":"a@b.c","groups":"eu"})", "groups is a list of texts"},
    {"POST", "/api/v1/users", R"({"email":"a@b.c","groups":[1]})", "groups is a list of texts"},
    {"POST", "/api/v1/users", R"({"email":"a@b.c","active":"yes"})", "active is true or false"},
    {"PATCH", "/api/v1/users/uada", R"({"label":null})", "label is a text"},
    {"PATCH", "/api/v1/users/uada", R"({"budgets":[{"unit":"beans","window":"day","amount":1}]})", "budgets is"},
    {"PATCH", "/api/v1/users/uada", R"({"budgets":[{"unit":"tokens","of":1}]})", "budgets[0].of is not known"},
    {"POST", "/api/v1/users/uada/state", "{}", "to is missing"},
    {"POST", "/api/v1/users/uada/state", R"({"to":"gone"})", "to is active, suspended or deleted"},
    {"POST", "/api/v1/keys", R"({"owner":"uada","lifetime_s":-1})", "lifetime_s is a whole number"},
    {"POST", "/api/v1/keys", R"({"owner":"uada","lifetime_s":1e3})", "lifetime_s is a whole number"},
    {"POST", "/api/v1/keys", R"({"owner":"uada","lifetime_s":18446744073709551615})", "lifetime_s is a whole number"},
    {"POST", "/api/v1/keys/kone/revoke", R"({"force":true})", "force is not known here"},
    {"POST", "/api/v1/keys/kone/adopt", "{}", "owner is missing"},
    {"POST", "/api/v1/keys/import", R"({"keys":{}})", "keys is a list of at most 1000"},
    {"PUT", "/api/v1/policies/eu", "7", "the body is a JSON object"},
    {"PUT", "/api/v1/policies/eu", R"({"keys_per_user":-1})", "keys_per_user"},
  };
  for (const auto& one : attempts) {
    CAPTURE(one.path, one.body);
    const auto refused = request(one.method, one.path, one.body);
    CHECK(refused.http.status == 400);
    CHECK(refused.code() == "bad_request");
    CHECK(refused.detail().starts_with(one.about));
  }
  CHECK(commands.empty());
}

TEST_CASE_METHOD(scene, "names of every kind reach the registry as they are, and its refusal comes back") {
  for (const std::string name : {"<script>alert(1)</script>", "\u202etxt.exe", "=HYPERLINK(\"x\")", "张三", "a\nb"}) {
    CHECK(post("/api/v1/users", {{"email", "a@b.c"}, {"name", name}}).http.status == 201);
    CHECK(last<add_user>().name == name);
  }
  const auto long_one = post("/api/v1/users", {{"email", "a@b.c"}, {"name", std::string(10'000, 'x')}});
  CHECK(long_one.code() == "name_refused");
  CHECK(long_one.http.status == 422);
  CHECK(get("/api/v1/users/" + std::string(10'000, 'x')).code() == "user_unknown");
  const auto field = post("/api/v1/users", {{"email", "a@b.c"}, {std::string(10'000, 'f'), 1}});
  CHECK(field.code() == "bad_request");
  CHECK(field.http.body->size() < 1000);
}

TEST_CASE_METHOD(scene, "before the registry is there its routes say so") {
  handles.registry = nullptr;
  handles.auditor = nullptr;
  handles.nodes[0].keys = nullptr;
  for (const char* path : {"/api/v1/users", "/api/v1/keys", "/api/v1/pool", "/api/v1/policies", "/api/v1/audit/verify",
                           "/api/v1/users/uada", "/api/v1/nodes/cpa-1/keys"}) {
    CAPTURE(path);
    CHECK(get(path).http.status == 503);
  }
  CHECK(post("/api/v1/keys/import", {{"keys", {{{"text", "t"}, {"owner", "uada"}}}}}).http.status == 503);
  CHECK(post("/api/v1/keys", {{"owner", "uada"}}).http.status == 503);
}
