#include "actors/publisher/publisher.hpp"

#include <map>

#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch_test_macros.hpp>

#include "actors/publisher/cloud_event.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/fixture.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

/// Takes messages; the test says what becomes of them.
struct list_sink : sink {
  struct world {
    callbacks told;
    std::vector<message> sent;
    std::unordered_set<std::string> stream;
    caf::error refusal;
    int tails = 0;
  };
  explicit list_sink(std::shared_ptr<world> of) : world_(std::move(of)) {}
  caf::error publish(std::vector<message> messages) override {
    if (world_->refusal)
      return world_->refusal;
    for (auto& each : messages)
      world_->sent.push_back(std::move(each));
    return {};
  }
  caf::expected<std::unordered_set<std::string>> stored_tail(std::size_t) override {
    ++world_->tails;
    return world_->stream;
  }
  std::shared_ptr<world> world_;
};

struct outbox {
  std::map<sequence, outbox_item> items;
  int listeners = 0;
  int reads = 0;
};

ledger_actor::behavior_type outbox_ledger(ledger_actor::pointer, std::shared_ptr<outbox> box) {
  return test::answers<ledger_actor>(test::overloaded{
    [=](const read_outbox& question) {
      ++box->reads;
      outbox_page page;
      for (auto it = box->items.upper_bound(question.after);
           it != box->items.end() && page.items.size() < question.limit; ++it)
        page.items.push_back(it->second);
      return page;
    },
    [=](const outbox_acked& acked) {
      for (auto seq : acked.seqs)
        box->items.erase(seq);
    },
    [=](const add_listener&) { ++box->listeners; },
    [=](const drain&) { return drained{}; },
  });
}

struct publishing : test::fixture {
  publishing() {
    ledger = spawn(outbox_ledger, box);
    subject =
      spawn(publisher, ledger, publisher_settings{"nats://here", {.page = 3}, 100}, sink_factory{[this](auto told) {
              world->told = std::move(told);
              return std::make_unique<list_sink>(world);
            }});
    settle();
  }
  ~publishing() { world->told = {}; } // it holds the actor
  void add(sequence seq) {
    outbox_item item;
    item.seq = seq;
    item.event = {seq, event_kind::up, "alpha", moment{}, "{}"};
    box->items.emplace(seq, item);
    committed done;
    done.last = seq;
    done.records = std::make_shared<const std::vector<stored_record>>();
    done.events = std::make_shared<const std::vector<node_event>>(1, item.event);
    tell(subject, done);
  }
  std::vector<sequence> sent() const {
    std::vector<sequence> seqs;
    for (const auto& message : world->sent)
      seqs.push_back(message.seq);
    return seqs;
  }
  std::shared_ptr<outbox> box = std::make_shared<outbox>();
  std::shared_ptr<list_sink::world> world = std::make_shared<list_sink::world>();
  ledger_actor ledger;
  publisher_actor subject;
};

} // namespace

TEST_CASE("The publisher ships what waits once the link is up, in order, and has it forgotten when it is stored") {
  publishing run;
  CHECK(run.box->listeners == 1);
  for (sequence seq = 1; seq <= 8; ++seq)
    run.add(seq);
  CHECK(run.world->sent.empty());
  run.tell(run.subject, link_changed{true, ""});
  CHECK(run.sent() == std::vector<sequence>{1, 2, 3, 4, 5, 6, 7, 8});
  run.tell(run.subject, delivery_outcome{{1, 2, 3}, {}});
  CHECK(run.box->items.size() == 5);
  auto state = run.ask<publisher_state>(run.subject, read_publisher_state{});
  REQUIRE(state);
  CHECK(state->connected);
  CHECK(state->shipped == 3);
  CHECK(state->in_flight == 5);
  run.add(9);
  CHECK(run.sent().back() == 9);
}

TEST_CASE("What was just committed is not read back while the publisher keeps up, and is read when it does not") {
  publishing run;
  run.add(1);
  run.tell(run.subject, link_changed{true, ""});
  const auto reads = run.box->reads;
  for (sequence seq = 2; seq <= 5; ++seq)
    run.add(seq);
  CHECK(run.sent() == std::vector<sequence>{1, 2, 3, 4, 5});
  CHECK(run.box->reads == reads);
  // Here it lacks one, so it goes back to what is on disk.
  run.box->items[6] = {6, {}, {6, event_kind::up, "alpha", moment{}, "{}"}};
  run.add(7);
  CHECK(run.sent() == std::vector<sequence>{1, 2, 3, 4, 5, 6, 7});
  CHECK(run.box->reads > reads);
}

TEST_CASE("The publisher does not send again what the stream has, after the answers were lost") {
  publishing run;
  run.add(1);
  run.add(2);
  run.tell(run.subject, link_changed{true, ""});
  REQUIRE(run.sent().size() == 2);
  run.world->stream = {"up-alpha-1"};
  run.tell(run.subject, delivery_outcome{{}, {1, 2}});
  run.tell(run.subject, link_changed{false, "cut"});
  run.tell(run.subject, link_changed{true, ""});
  CHECK(run.sent() == std::vector<sequence>{1, 2, 2});
  CHECK(run.box->items.size() == 1);
}

TEST_CASE("The publisher tries again by itself after a refusal, with a pause") {
  publishing run;
  run.world->refusal = make_error(errc::nats_unavailable);
  run.add(1);
  run.tell(run.subject, link_changed{true, ""});
  CHECK(run.world->tails == 1);
  run.advance(50ms);
  CHECK(run.world->tails == 1);
  run.world->refusal = {};
  run.advance(100ms);
  CHECK(run.world->tails == 2);
  CHECK(run.sent() == std::vector<sequence>{1});
}

TEST_CASE("Drain is answered at once without a link, else when the outbox is empty") {
  publishing run;
  run.add(1);
  CHECK(run.ask<drained>(run.subject, drain{}));
  run.tell(run.subject, link_changed{true, ""});
  caf::scoped_actor self{run.system()};
  auto request = self->request(run.subject, caf::infinite, drain{});
  run.settle();
  CHECK(self->mailbox().empty());
  run.tell(run.subject, delivery_outcome{{1}, {}});
  CHECK_FALSE(self->mailbox().empty());
  bool answered = false;
  request.receive([&](drained&) { answered = true; }, [](caf::error&) {});
  CHECK(answered);
}

TEST_CASE("Drain does not wait for what cannot be delivered") {
  publishing run;
  run.add(1);
  run.tell(run.subject, link_changed{true, ""});
  run.tell(run.subject, delivery_outcome{{}, {1}});
  CHECK(run.ask<drained>(run.subject, drain{}));
}

TEST_CASE("A usage event has the record's id and all CloudEvents headers; other events are named by place") {
  outbox_item usage;
  usage.seq = 12;
  usage.record = stored_record{};
  usage.record->node = "alpha";
  usage.record->key = "kabc";
  usage.record->id.bytes.fill(0xab);
  auto message = to_message(usage);
  CHECK(message.subject == "keyportal.v1.usage.alpha.kabc");
  CHECK(message.id == std::string(32, 'a').replace(0, 32, "abababababababababababababababab"));
  std::map<std::string, std::string> headers(message.headers.begin(), message.headers.end());
  CHECK(headers["ce-specversion"] == "1.0");
  CHECK(headers["ce-id"] == message.id);
  CHECK(headers["Nats-Msg-Id"] == message.id);
  CHECK(headers["ce-source"] == "keyportal/alpha");
  CHECK(headers["ce-type"] == "io.keyportal.usage.v1");
  CHECK(headers["ce-time"] == "1970-01-01T00:00:00Z");
  CHECK(headers["ce-sequence"] == "00000000000000000012");
  CHECK(headers["Content-Type"] == "application/json");

  outbox_item event;
  event.seq = 13;
  event.event = {13, event_kind::restarted, "alpha", moment{}, R"({"number":1})"};
  message = to_message(event);
  CHECK(message.subject == "keyportal.v1.node.alpha.restarted");
  CHECK(message.id == "restarted-alpha-13");
  CHECK(message.body == R"({"number":1})");

  event.event.data.assign(largest_event_body + 1, 'x');
  CHECK(to_message(event).body == R"({"oversized":true,"bytes":524289})");
}
