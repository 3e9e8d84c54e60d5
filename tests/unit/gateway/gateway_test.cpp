#include <catch2/catch_test_macros.hpp>
#include <caf/all.hpp>
#include <nlohmann/json.hpp>

#include "gateway/gateway.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/fixture.hpp"

using namespace keyportal;
using namespace keyportal::gateway;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

feed_actor::behavior_type fake_feed() {
  return {
    [](const committed&) {},
    [](const node_condition&) {},
    [](const restart_noticed&) {},
    [](const snapshot_made&) {},
    [](read_overview) {
      overview out;
      out.position = 7;
      out.nodes.resize(1);
      out.nodes[0].condition.node = "cpa-1";
      return out;
    },
    [](read_greeting) { return std::make_shared<const std::string>(R"({"type":"overview"})"); },
  };
}

/// Holds the dead letters 3 and 5; its other answers are simple ones.
struct ledger_memory {
  ledger_memory() = default;
  std::vector<std::uint64_t> letters = {3, 5};
  bool silent = false;
  std::vector<caf::typed_response_promise<ledger_state>> kept; ///< questions that are never answered
};
using ledger_pointer = ledger_actor::stateful_pointer<ledger_memory>;

ledger_actor::behavior_type fake_ledger(ledger_pointer self) {
  return test::answers<ledger_actor>(test::overloaded{
    [self](const journal_entry& entry) {
      for (const auto dropped : entry.dropped_letters)
        std::erase(self->state.letters, dropped);
      return committed{};
    },
    [](const list_incompletes& asked) {
      incomplete_record one;
      one.node = asked.node;
      one.number = asked.limit;
      one.missing_failed = 2;
      return std::vector<incomplete_record>{one};
    },
    [self](const list_dead_letters& asked) {
      std::vector<dead_letter> out;
      for (const auto number : self->state.letters) {
        if (number <= asked.after || out.size() >= asked.limit)
          continue;
        out.emplace_back();
        out.back().number = number;
        out.back().node = "cpa-1";
        if (asked.whole)
          out.back().payload = secret{"payload " + std::to_string(number)};
      }
      return out;
    },
    [](const list_restarts& asked) {
      restart_record one;
      one.node = asked.node;
      one.number = asked.limit;
      return std::vector<restart_record>{one};
    },
    [](const list_gaps&) -> caf::result<std::vector<gap_record>> { return make_error(errc::storage_full, "data"); },
    [self](read_ledger_state) -> caf::result<ledger_state> {
      if (self->state.silent) {
        self->state.kept.push_back(self->make_response_promise<ledger_state>());
        return self->state.kept.back();
      }
      ledger_state out;
      out.last = 7;
      out.dead_letters = self->state.letters.size();
      return out;
    },
    [](drain) { return drained{}; },
  });
}

ledger_actor::behavior_type silent_ledger(ledger_pointer self) {
  self->state.silent = true;
  return fake_ledger(self);
}

/// Has 450 letters that can be decoded after all and one that cannot; takes 200 at a time.
struct collector_memory {
  collector_memory() = default;
  std::uint64_t left = 450;
};
collector_actor::behavior_type fake_collector(collector_actor::stateful_pointer<collector_memory> self) {
  return {
    [](const payloads_came&) {},
    [](const tap_changed&) {},
    [](const era_found&) {},
    [](const meet_poller&) {},
    [](read_queue_state) {
      queue_state out;
      out.mode = queue_mode::resp_pop;
      out.connected = true;
      out.waiting = 4;
      out.connections.push_back({moment{std::chrono::seconds{60}}, {}});
      out.connections.push_back({moment{std::chrono::seconds{120}}, {}});
      return out;
    },
    [self](const replay_letters& which) {
      replay_report out;
      out.replayed = which.numbers.empty() ? std::min<std::uint64_t>(self->state.left, 200) : 0;
      out.added = out.replayed / 2;
      out.still_dead = which.numbers.empty() ? 1 : which.numbers.size();
      self->state.left -= out.replayed;
      return out;
    },
    [](drain) { return drained{}; },
  };
}

snapshot_keeper_actor::behavior_type fake_keeper() {
  return {
    [](const restart_noticed&) {},
    [](restore_wanted) {},
    [](place_marker) {},
    [](node_seen) {},
    [](const meet_poller&) {},
    [](const make_snapshot& asked) {
      snapshot_info out;
      out.id = 3;
      out.node = "cpa-1";
      out.reason = asked.reason;
      return out;
    },
    [](list_snapshots) {
      std::vector<snapshot_info> out(1);
      out[0].id = 3;
      return out;
    },
    [](const export_snapshot& asked) -> caf::result<export_file> {
      if (asked.id > 3)
        return make_error(errc::snapshot_unknown, std::to_string(asked.id));
      export_file out;
      out.info.id = asked.id;
      out.info.node = "cpa-1";
      out.json = std::make_shared<const std::string>(R"({"version":1})");
      return out;
    },
    [](const import_file& asked) -> caf::result<import_report> {
      if (asked.json->starts_with("{"))
        return import_report{asked.json->size(), 1};
      return make_error(errc::file_malformed);
    },
    [](restore_now) {
      return restore_report{5, 5, 0, 12};
    },
    [](drain) { return drained{}; },
  };
}

publisher_actor::behavior_type fake_publisher() {
  return {
    [](const committed&) {},
    [](const delivery_outcome&) {},
    [](const link_changed&) {},
    [](read_publisher_state) {
      publisher_state out;
      out.connected = true;
      return out;
    },
    [](drain) { return drained{}; },
  };
}

struct scene : test::fixture {
  scene() {
    handles.feed = spawn(fake_feed);
    handles.ledger = spawn(fake_ledger);
    handles.publisher = spawn(fake_publisher);
    handles.nodes = {{"cpa-1", {}, spawn(fake_keeper), spawn(fake_collector)}};
    hooks.control_token = secret{"token"};
    hooks.anonymous = {right::read_nodes};
    hooks.inside = {*network::read("127.0.0.1")};
    hooks.metrics_text = [] { return std::string("up 1\n"); };
    hooks.on_answer = [this](std::string_view route, int status, double) {
      told.emplace_back(std::string(route) + " " + std::to_string(status));
    };
  }

  void begin() { it = spawn(gateway::gateway, handles, hooks); }

  /// The answers so far; status 0 stands for none.
  struct waiting {
    std::shared_ptr<http_response> answer = std::make_shared<http_response>();
    [[nodiscard]] int status() const { return answer->status; }
    [[nodiscard]] json body() const { return json::parse(*answer->body); }
  };

  waiting request(std::string method, std::string path, std::string body = {}, bool with_token = true) {
    if (!it)
      begin();
    waiting out;
    out.answer->status = 0;
    auto exchange = std::make_shared<http_exchange>();
    exchange->request.method = std::move(method);
    exchange->request.path = std::move(path);
    exchange->request.body = std::move(body);
    if (with_token)
      exchange->request.headers.emplace_back("authorization", "Bearer token");
    exchange->reply = [to = out.answer](http_response response) { *to = std::move(response); };
    caf::anon_send(it, std::move(exchange));
    settle();
    return out;
  }
  waiting get(std::string path) { return request("GET", std::move(path)); }

  gateway_handles handles;
  gateway_hooks hooks;
  gateway_actor it;
  std::vector<std::string> told;
};

} // namespace

TEST_CASE_METHOD(scene, "each question goes to the actor that knows") {
  CHECK(get("/api/v1/summary").body().at("publisher").at("connected") == true);
  CHECK(get("/api/v1/nodes").body().at("items").size() == 1);
  CHECK(get("/api/v1/nodes/cpa-1").body().at("node") == "cpa-1");
  CHECK(get("/api/v1/nodes/cpa-1/restarts").body().at("items")[0].at("number") == 100);
  CHECK(get("/api/v1/nodes/cpa-1/snapshots").body().at("items")[0].at("id") == 3);
  CHECK(get("/api/v1/nodes/cpa-1/snapshots/3").body().at("id") == 3);
  CHECK(get("/api/v1/nodes/cpa-1/snapshots/now/export").body().at("version") == 1);
  CHECK(*get("/metrics").answer->body == "up 1\n");
  CHECK(get("/").answer->content_type == "text/html; charset=utf-8");
}

TEST_CASE_METHOD(scene, "what is missing and how the queue is taken is told for each node") {
  CHECK(get("/api/v1/nodes/cpa-1/incompletes").body().at("items")[0].at("missing") == 2);
  CHECK(get("/api/v1/nodes/cpa-2/incompletes").status() == 404);
  const json queue = {{"mode", "resp_pop"},
                      {"connected", true},
                      {"problem", ""},
                      {"waiting", 4},
                      {"connected_at", "1970-01-01T00:02:00.000Z"}};
  CHECK(get("/api/v1/nodes/cpa-1/queue").body() == queue);
  CHECK(get("/api/v1/summary").body().at("ledger").at("dead_letters") == 2);
}

TEST_CASE_METHOD(scene, "dead letters are listed to anyone, shown and dropped only with the token") {
  const auto listed = request("GET", "/api/v1/deadletters", {}, false);
  CHECK(listed.body().at("items").size() == 2);
  CHECK(listed.answer->body->find("payload") == std::string::npos);
  CHECK(*get("/api/v1/deadletters/5").answer->body == "payload 5");
  const auto refused = request("GET", "/api/v1/deadletters/5", {}, false);
  CHECK(refused.status() == 401);
  CHECK(refused.answer->body->find("payload") == std::string::npos);
  CHECK(get("/api/v1/deadletters/4").body().at("code") == "dead_letter_unknown"); // and not the next one, 5
  CHECK(get("/api/v1/deadletters/6").status() == 404);
  CHECK(request("DELETE", "/api/v1/deadletters/3", {}, false).status() == 401);
  CHECK(request("DELETE", "/api/v1/deadletters/4").status() == 404);
  CHECK(get("/api/v1/deadletters").body().at("items").size() == 2);
  CHECK(request("DELETE", "/api/v1/deadletters/3").body().at("number") == 3);
  CHECK(request("DELETE", "/api/v1/deadletters/3").body().at("code") == "dead_letter_unknown");
  CHECK(get("/api/v1/deadletters").body().at("items")[0].at("number") == 5);
}

TEST_CASE_METHOD(scene, "a replay goes on until nothing more can be decoded") {
  const std::string path = "/api/v1/nodes/cpa-1/deadletters/replay";
  CHECK(request("POST", path, {}, false).status() == 401);
  CHECK(request("POST", path, R"({"numbers":[]})").status() == 400);
  CHECK(request("POST", path).body() == json{{"replayed", 450}, {"added", 225}, {"still_dead", 1}});
  CHECK(request("POST", path, R"({"numbers":[3,9]})").body().at("still_dead") == 2);
}

TEST_CASE_METHOD(scene, "the summary does without a ledger that does not answer") {
  handles.ledger = spawn(silent_ledger);
  const auto summary = get("/api/v1/summary");
  advance(6s);
  CHECK(summary.status() == 200);
  CHECK(summary.body().at("ledger").is_null());
  CHECK(summary.body().at("publisher").at("connected") == true);
}

TEST_CASE_METHOD(scene, "snapshots, imports and restores are done when the token is right") {
  const auto made = request("POST", "/api/v1/nodes/cpa-1/snapshots");
  CHECK(made.status() == 201);
  CHECK(made.body().at("reason") == "request");
  CHECK(request("POST", "/api/v1/nodes/cpa-1/import", "{123}").body().at("records") == 5);
  CHECK(request("POST", "/api/v1/nodes/cpa-1/restore").body().at("imported") == 5);
  CHECK(request("POST", "/api/v1/nodes/cpa-1/restore", {}, false).status() == 401);
  CHECK(request("GET", "/api/v1/nodes/cpa-1/snapshots/3/export", {}, false).status() == 401);
}

TEST_CASE_METHOD(scene, "errors of other actors become problem details") {
  const auto full = get("/api/v1/nodes/cpa-1/gaps");
  CHECK(full.status() == 507);
  CHECK(full.body().at("code") == "storage_full");
  CHECK(full.body().at("detail") == "data");
  CHECK(get("/api/v1/nodes/cpa-1/snapshots/9/export").body().at("code") == "snapshot_unknown");
  CHECK(request("POST", "/api/v1/nodes/cpa-1/import", "nonsense").body().at("code") == "file_malformed");
  CHECK(get("/api/v1/nodes/cpa-2/restarts").body().at("code") == "node_unknown");
}

TEST_CASE_METHOD(scene, "every answer is told to the hook with its route") {
  get("/api/v1/nodes/cpa-1");
  get("/nothing");
  CHECK(told == std::vector<std::string>{"/api/v1/nodes/{node} 200", " 404"});
}

TEST_CASE_METHOD(scene, "every answer names its request, never two alike") {
  const auto id_of = [](const http_response& response) {
    for (const auto& [name, value] : response.headers)
      if (name == "X-Request-Id")
        return value;
    return std::string();
  };
  const auto first = id_of(*get("/api/v1/nodes").answer), second = id_of(*get("/api/v1/nodes").answer);
  CHECK(first.size() == 16);
  CHECK(first.find_first_not_of("0123456789abcdef") == first.npos);
  CHECK(second.size() == 16);
  CHECK(first != second);
}

TEST_CASE_METHOD(scene, "readiness needs a ledger that answers, liveness needs nothing") {
  CHECK(get("/readyz").status() == 200);
  it = nullptr;
  handles.ledger = spawn(silent_ledger);
  const auto ready = get("/readyz");
  CHECK(ready.status() == 0);
  advance(6s);
  CHECK(ready.status() == 503);
  CHECK(get("/healthz").status() == 200);
}

TEST_CASE_METHOD(scene, "before the others are there everything but liveness says so") {
  handles = {};
  CHECK(get("/healthz").status() == 200);
  CHECK(get("/readyz").status() == 503);
  CHECK(get("/api/v1/summary").body().at("code") == "shutting_down");
}

TEST_CASE_METHOD(scene, "an actor that has died is answered for") {
  begin();
  caf::anon_send_exit(handles.ledger, caf::exit_reason::kill);
  settle();
  CHECK(get("/api/v1/nodes/cpa-1/restarts").status() == 503);
  CHECK(get("/readyz").status() == 503);
}

TEST_CASE_METHOD(scene, "a dead publisher does not take the summary with it") {
  begin();
  caf::anon_send_exit(handles.publisher, caf::exit_reason::kill);
  settle();
  const auto answer = get("/api/v1/summary");
  CHECK(answer.status() == 200);
  CHECK(answer.body().at("publisher").is_null());
}

TEST_CASE_METHOD(scene, "while draining only liveness is answered") {
  begin();
  REQUIRE(ask<drained>(it, drain{}));
  CHECK(get("/healthz").status() == 200);
  for (const char* path : {"/readyz", "/api/v1/summary", "/", "/metrics"}) {
    CAPTURE(path);
    CHECK(get(path).body().at("code") == "shutting_down");
  }
}

TEST_CASE_METHOD(scene, "nodes that were started anew are asked from then on") {
  handles.nodes.clear();
  CHECK(get("/api/v1/nodes/cpa-1/snapshots").status() == 404);
  caf::anon_send(it, node_directory{{"cpa-1", {}, spawn(fake_keeper), {}}});
  settle();
  CHECK(get("/api/v1/nodes/cpa-1/snapshots").status() == 200);
  CHECK(get("/api/v1/nodes/cpa-1/queue").status() == 503); // a collector that is not there yet
}

TEST_CASE_METHOD(scene, "too many questions without answer are turned away, and taken again later") {
  handles.ledger = spawn(silent_ledger);
  std::vector<waiting> all;
  for (int i = 0; i < 512; ++i)
    all.push_back(get("/readyz"));
  CHECK(get("/api/v1/summary").status() == 429);
  CHECK(get("/healthz").status() == 200);
  advance(6s);
  CHECK(get("/api/v1/nodes").status() == 200);
}

TEST_CASE_METHOD(scene, "a hook that throws is an error of that answer only") {
  hooks.metrics_text = []() -> std::string { throw std::runtime_error("no figures"); };
  CHECK(get("/metrics").body().at("code") == "internal");
  CHECK(get("/healthz").status() == 200);
}
