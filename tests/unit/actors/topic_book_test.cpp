#include "actors/feed/topic_book.hpp"

#include <random>
#include <set>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "messages/errors.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal;
using nlohmann::json;

namespace {

const topic_set everything{live_topic::own, live_topic::all, live_topic::nodes, live_topic::jobs};

/// The ledger's events; `horizon`: how many of the oldest are not kept.
struct shelf {
  std::vector<node_event> events;
  sequence last = 0, horizon = 0;
  bool broken = false;
  int reads = 0;

  node_event add(event_kind kind, const std::string& about = {}, const std::string& owner = {}) {
    node_event e;
    e.seq = ++last;
    e.kind = kind;
    e.node = about.empty() ? "a" : "";
    e.about = about;
    e.data = json{{"owner", owner}}.dump();
    events.push_back(e);
    return e;
  }
  caf::expected<stored_events> read(sequence after, std::uint32_t limit) {
    ++reads;
    if (broken)
      return make_error(errc::storage_failed);
    stored_events out{{}, horizon, last};
    for (const auto& e : events)
      if (e.seq > std::max(after, horizon) && out.events.size() < limit)
        out.events.push_back(e);
    return out;
  }
};

struct ear : live_listener {
  std::vector<json> heard;
  live_person now;
  bool wants_room = false, gone = false;
  bool writes_at_once = false; ///< and says so before the next is given
  int beats = 0, said_room = 0;

  void give(const live_frame_ptr& frame) override {
    heard.push_back(json::parse(frame->text));
    if (writes_at_once && std::exchange(wants_room, false))
      ++said_room;
  }
  void ask_for_room() override { wants_room = true; }
  void beat() override { ++beats; }
  std::optional<live_person> look_again() override { return now; }
  void end(live_end_reason) override { gone = true; }

  std::vector<sequence> events() const {
    std::vector<sequence> out;
    for (const auto& one : heard)
      if (one["type"] == "event")
        out.push_back(one["seq"]);
    return out;
  }
  std::vector<std::string> types() const {
    std::vector<std::string> out;
    for (const auto& one : heard)
      out.push_back(one["type"]);
    return out;
  }
};

struct bench {
  shelf store;
  topic_book book{0, [this](sequence after, std::uint32_t limit) { return store.read(after, limit); },
                  [] {
                    return make_frame({{"type", "overview"}});
                  }};

  std::shared_ptr<ear> join(live_person person, std::vector<std::string> topics = {},
                            std::optional<sequence> after = {}) {
    auto out = std::make_shared<ear>();
    out->now = person;
    run(book.join({out, person, topics, !topics.empty() || after, after}), out);
    return out;
  }
  /// As the feed does, with a client that takes what it is given.
  void run(bool more, const std::shared_ptr<ear>& who) {
    while (more || who->wants_room) {
      who->wants_room = false;
      more = book.room(who);
    }
  }
  void happen(event_kind kind, const std::string& about = {}, const std::string& owner = {}) {
    tell({store.add(kind, about, owner)});
  }
  void tell(const std::vector<node_event>& events) { book.tell(events, events.back().seq); }
};

live_person admin() { return {"root", {}, everything, true, "t-root"}; }
live_person person(const std::string& id) { return {id, {}, {live_topic::own, live_topic::nodes}, true, "t-" + id}; }
live_person view(const std::string& key) { return {{}, key, {live_topic::own}, false, "t-" + key}; }

} // namespace

TEST_CASE("Whoever asks for nothing gets the overview and then all that he may") {
  bench b;
  const auto root = b.join(admin()), ann = b.join(person("ann"));
  CHECK(root->types() == std::vector<std::string>{"overview"});
  CHECK(ann->types() == std::vector<std::string>{"overview"});
  b.happen(event_kind::up);
  b.happen(event_kind::key_assigned, "k1", "ann");
  b.happen(event_kind::key_assigned, "k2", "bob");
  b.happen(event_kind::policy_changed, "default");
  b.happen(event_kind::backup_made, "backup");
  b.happen(event_kind::user_changed, "ann");
  b.happen(event_kind::user_changed, "bob");
  CHECK(root->events() == std::vector<sequence>{1, 2, 3, 4, 5, 6, 7});
  CHECK(ann->events() == std::vector<sequence>{1, 2, 6});
}

TEST_CASE("Of one's own nobody else is told, and of a key view's key only what it uses") {
  bench b;
  const auto ann = b.join(person("ann"), {"own"}), bob = b.join(person("bob"), {"own"}), key = b.join(view("k1"));
  b.happen(event_kind::key_assigned, "k1", "ann");
  b.happen(event_kind::up);
  CHECK(ann->events() == std::vector<sequence>{1});
  CHECK(bob->events().empty());
  CHECK(key->events().empty());
  b.book.tell_own("ann", make_frame({{"type", "own_usage"}}));
  b.book.tell_own("k1", make_frame({{"type", "own_usage"}}));
  CHECK(ann->heard.back()["type"] == "own_usage");
  CHECK(bob->types() == std::vector<std::string>{"subscribed", "position"});
  CHECK(key->heard.back()["type"] == "own_usage");
  const auto root = b.join(admin(), {"all"});
  b.book.tell_own("ann", make_frame({{"type", "own_usage"}}));
  CHECK(root->heard.back()["type"] == "overview");
}

TEST_CASE("A topic that one has no right to is refused by name, and the others are given") {
  bench b;
  const auto ann = b.join(person("ann"), {"all", "own", "weather", "jobs"});
  REQUIRE(ann->heard.size() == 5);
  CHECK(ann->heard[0]
        == json{{"type", "refused"},
                {"topic", "all"},
                {"code", "right_missing"},
                {"title", row_of(errc::right_missing).sentence}});
  CHECK(ann->heard[1]["code"] == "bad_request");
  CHECK(ann->heard[2]["topic"] == "jobs");
  CHECK(ann->heard[3]["topics"] == json{"own"});
  b.happen(event_kind::policy_changed, "default");
  b.happen(event_kind::up);
  CHECK(ann->events().empty());
  b.book.subscribe({ann, {"nodes"}, {}});
  b.happen(event_kind::down);
  CHECK(ann->events() == std::vector<sequence>{3});
}

TEST_CASE("Somebody who may less than before hears no more of it at once, and who may nothing goes") {
  bench b;
  const auto root = b.join(admin()), ann = b.join(person("ann"));
  root->now.may = {live_topic::own, live_topic::nodes};
  b.book.look_again("root");
  b.happen(event_kind::policy_changed, "default");
  CHECK(root->events().empty());
  CHECK(root->heard.back()["type"] == "refused");
  b.happen(event_kind::up);
  CHECK(root->events() == std::vector<sequence>{2});
  ann->now.may = {};
  b.book.look_again("ann");
  CHECK(ann->gone);
  CHECK_FALSE(root->gone);
  b.book.end("t-root");
  CHECK(root->gone);
  CHECK(b.book.size() == 0);
}

TEST_CASE("Whoever comes back is told what he missed and then what comes") {
  bench b;
  for (int i = 0; i < 5; ++i)
    b.happen(event_kind::up);
  const auto back = b.join(admin(), {"nodes"}, 2);
  CHECK(back->events() == std::vector<sequence>{3, 4, 5});
  CHECK(back->types() == std::vector<std::string>{"subscribed", "event", "event", "event", "overview"});
  CHECK(b.store.reads == 0); // what happened a moment ago is at hand
  b.happen(event_kind::down);
  CHECK(back->events() == std::vector<sequence>{3, 4, 5, 6});
}

TEST_CASE("What is not kept any more is a gap that says from where to where") {
  bench b;
  for (int i = 0; i < 2000; ++i)
    b.happen(event_kind::up);
  b.store.horizon = 500;
  const auto back = b.join(admin(), {"nodes"}, 20);
  CHECK(back->heard[1] == json{{"type", "gap"}, {"from", 20}, {"to", 500}, {"why", "not_kept"}});
  const auto got = back->events();
  REQUIRE(got.size() == 1500);
  CHECK(got.front() == 501);
  CHECK(got.back() == 2000);
}

TEST_CASE("A position that is not of this ledger, and one that cannot be read from, are gaps too") {
  bench b;
  b.happen(event_kind::up);
  auto back = b.join(admin(), {"nodes"}, 77);
  CHECK(back->heard[1] == json{{"type", "gap"}, {"from", 77}, {"to", 1}, {"why", "unknown"}});
  b.happen(event_kind::up);
  CHECK(back->events() == std::vector<sequence>{2});
  for (int i = 0; i < 2000; ++i)
    b.happen(event_kind::up);
  b.store.broken = true;
  back = b.join(admin(), {"nodes"}, 1);
  CHECK(back->heard[1] == json{{"type", "gap"}, {"from", 1}, {"to", 2002}, {"why", "unreadable"}});
}

TEST_CASE("A client that writes what it is given at once is given all that it missed") {
  bench b;
  for (int i = 0; i < 3000; ++i)
    b.happen(event_kind::up);
  const auto quick = std::make_shared<ear>();
  quick->writes_at_once = true;
  bool more = b.book.join({quick, admin(), {"nodes"}, true, 0});
  while (more || quick->said_room > 0) {
    if (!more)
      --quick->said_room;
    more = b.book.room(quick);
  }
  CHECK(quick->events().size() == 3000);
  CHECK(quick->types().back() == "overview");
}

TEST_CASE("A client that takes nothing is given one piece and waits; what is now waits with it") {
  bench b;
  for (int i = 0; i < 3000; ++i)
    b.happen(event_kind::up);
  const auto slow = std::make_shared<ear>();
  b.book.join({slow, admin(), {"nodes"}, true, 0});
  const auto given = slow->events().size();
  CHECK(given <= 64);
  CHECK(slow->wants_room);
  b.book.tell(live_topic::nodes, make_frame({{"type", "usage_update"}}));
  b.happen(event_kind::down);
  CHECK(slow->events().size() == given);
  b.run(true, slow);
  CHECK(slow->events().size() == 3001);
  CHECK(slow->heard.back()["type"] == "overview");
}

TEST_CASE("However often a client goes and comes, what it collected is what happened") {
  const auto seed = test::make_seed();
  CAPTURE(seed);
  std::mt19937_64 random{seed};
  const auto below = [&](std::uint64_t n) { return random() % n; };
  bench b;
  std::vector<sequence> wanted, collected;
  std::vector<node_event> untold; // on disk, and the book has not heard of it yet
  std::shared_ptr<ear> client;
  sequence at = 0;
  const auto take = [&](std::size_t most) { // of what it was given it reads so much, and then the connection is gone
    for (std::size_t i = 0; i < client->heard.size() && i < most; ++i) {
      const auto& one = client->heard[i];
      REQUIRE(one["type"] != "gap");
      if (one["type"] == "event")
        collected.push_back(one["seq"]);
      if (one["type"] == "event" || one["type"] == "position")
        at = one["position"];
    }
    client->heard.clear();
  };
  for (int i = 0; i < 20'000; ++i) {
    switch (below(8)) {
      case 0:
      case 1:
      case 2: {
        const bool mine = below(2) == 0;
        untold.push_back(mine ? b.store.add(event_kind::key_changed, "k", "ann") : b.store.add(event_kind::up));
        if (mine)
          wanted.push_back(b.store.last);
        break;
      }
      case 3:
      case 4:
        if (!untold.empty()) {
          const auto n = 1 + below(untold.size());
          b.tell({untold.begin(), untold.begin() + static_cast<std::ptrdiff_t>(n)});
          untold.erase(untold.begin(), untold.begin() + static_cast<std::ptrdiff_t>(n));
        }
        break;
      case 5:
        if (client && client->wants_room) {
          client->wants_room = false;
          while (b.book.room(client)) {}
        }
        break;
      case 6:
        if (client)
          take(client->heard.size());
        break;
      default:
        if (client && below(4) == 0) {
          take(below(client->heard.size() + 1));
          b.book.leave(client);
          client = nullptr;
        } else if (!client && below(20) == 0) {
          client = std::make_shared<ear>();
          if (b.book.join({client, person("ann"), {"own"}, true, at}))
            while (b.book.room(client)) {}
        }
    }
  }
  if (!untold.empty())
    b.tell(untold);
  if (client)
    b.book.leave(client);
  if (client)
    take(client->heard.size());
  client = b.join(person("ann"), {"own"}, at);
  take(client->heard.size());
  CHECK(collected == wanted);
  CHECK(wanted.size() > 3000);
}

TEST_CASE("Now and then everybody is told where he is") {
  bench b;
  const auto ann = b.join(person("ann"), {"own"});
  for (int i = 0; i < 3; ++i)
    b.happen(event_kind::up);
  b.book.beat(false);
  CHECK(ann->beats == 1);
  b.book.beat(true);
  CHECK(ann->heard.back() == json{{"type", "position"}, {"position", 3}});
}

TEST_CASE("It is told who listens to his own, once for all his sockets") {
  bench b;
  std::vector<std::string> told;
  b.book.on_owner = [&](const live_person& p, bool listens) { told.push_back((listens ? "+" : "-") + p.subject()); };
  const auto one = b.join(person("ann")), two = b.join(person("ann")), other = b.join(admin(), {"nodes"});
  b.book.leave(one);
  CHECK(told == std::vector<std::string>{"+ann"});
  b.book.leave(two);
  CHECK(told == std::vector<std::string>{"+ann", "-ann"});
  CHECK_FALSE(b.book.wanted(live_topic::jobs));
  b.book.subscribe({other, {"jobs"}, {}});
  CHECK(b.book.wanted(live_topic::jobs));
}
