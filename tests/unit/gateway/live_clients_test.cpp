// Who may listen to what, what clients ask for, and the bounded streams of Server-Sent Events.
#include "gateway/live_clients.hpp"

#include <caf/all.hpp>
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/fixture.hpp"
#include "tests/unit/gateway/directory.hpp"

using namespace keyportal;
using namespace keyportal::gateway;

namespace {

http_request asking(std::vector<std::pair<std::string, std::string>> query, const std::string& last_id = {}) {
  http_request out;
  out.method = "GET";
  out.path = "/api/v1/events";
  out.query = std::move(query);
  if (!last_id.empty())
    out.headers.emplace_back("last-event-id", last_id);
  return out;
}

topic_set may(const std::string& who) {
  entrance door({secret{"control"}, {}});
  door.know(std::make_shared<test::directory>());
  http_request request;
  request.method = "GET";
  request.path = "/ws";
  if (who == "control")
    request.headers = {{"authorization", "Bearer control"}};
  else if (who != "nobody")
    request.headers = {{"cookie", "__Host-keyportal=" + who}};
  return person_of(door.look(request)).may;
}

struct heard {
  std::vector<live_join> joined;
  int rooms = 0, left = 0;
};

struct scene : test::fixture {
  heard feed_heard;
  live_actor feed = spawn([to = &feed_heard](live_actor::pointer) -> live_actor::behavior_type {
    return {
      [to](const live_join& m) { to->joined.push_back(m); },
      [](const live_subscribe&) {},
      [to](const live_room&) { ++to->rooms; },
      [to](const live_leave&) { ++to->left; },
      [](const live_end&) {},
      [](const live_look_again&) {},
    };
  });
  live_listener_ptr listener() {
    settle();
    return feed_heard.joined.at(0).who;
  }
  body_source open(live_question what = {}) {
    return make_live_stream(feed, {"ann", {}, {live_topic::own}, true, {}}, std::move(what),
                            [] { return std::optional<live_person>{}; });
  }
};

/// What a client takes, a piece at a time.
struct taker {
  std::vector<body_piece> got;
  bool waiting = false;
  void take(const body_source& from) {
    waiting = true;
    from([this](body_piece piece) {
      waiting = false;
      got.push_back(std::move(piece));
    });
  }
};

live_frame_ptr numbered(int n, const std::string& name = {}) {
  return make_frame({{"n", n}}, name.empty() ? static_cast<sequence>(n) : 0, name);
}

} // namespace

TEST_CASE("each role may listen to what it may read") {
  using enum live_topic;
  CHECK(may("nobody") == topic_set{});
  CHECK(may("half") == topic_set{});
  CHECK(may("view") == topic_set{own});
  CHECK(may("user") == topic_set{own, nodes});
  CHECK(may("auditor") == topic_set{own, all, nodes, jobs});
  CHECK(may("admin") == topic_set{own, all, nodes, jobs});
  CHECK(may("control") == topic_set{all, nodes, jobs});
}

TEST_CASE("what is asked for in the address") {
  auto got = read_live_query(asking({}));
  REQUIRE(got);
  CHECK_FALSE(got->asked);
  got = read_live_query(asking({{"topics", "own,nodes"}, {"after", "17"}}));
  REQUIRE(got);
  CHECK(got->asked);
  CHECK(got->topics == std::vector<std::string>{"own", "nodes"});
  CHECK(got->after == sequence{17});
  CHECK(read_live_query(asking({{"after", "17"}}, "30"))->after == sequence{30});
  CHECK(read_live_query(asking({{"after", "17"}}, "what is this"))->after == sequence{17});
  for (const char* wrong : {"", "x", "-1", "1x", "99999999999999999999999"})
    CHECK_FALSE(read_live_query(asking({{"after", wrong}})));
  CHECK_FALSE(read_live_query(asking({{"topics", std::string(100, ',')}})));
}

TEST_CASE("what is asked for in a message") {
  auto got = read_live_message(R"({"type":"subscribe","topics":["own","x"],"after":5})");
  REQUIRE(got);
  REQUIRE(*got);
  CHECK((*got)->topics == std::vector<std::string>{"own", "x"});
  CHECK((*got)->after == sequence{5});
  for (const char* other : {"", "x", "{}", "[]", "7", R"({"type":"hello"})", R"({"type":7})", "\xff", R"({"type":)"}) {
    CAPTURE(other);
    const auto nothing = read_live_message(other);
    REQUIRE(nothing);
    CHECK_FALSE(*nothing);
  }
  for (const char* wrong :
       {R"({"type":"subscribe"})", R"({"type":"subscribe","topics":"own"})", R"({"type":"subscribe","topics":[7]})",
        R"({"type":"subscribe","topics":[],"after":-1})", R"({"type":"subscribe","topics":[],"after":"1"})"}) {
    CAPTURE(wrong);
    CHECK_FALSE(read_live_message(wrong));
  }
  CHECK(read_live_message(std::string(60'000, '['))); // deep, and nothing
}

TEST_CASE_METHOD(scene, "a stream hands out what waits when the client takes it") {
  taker client;
  {
    const auto source = open();
    const auto ear = listener();
    client.take(source);
    CHECK(client.waiting);
    ear->give(numbered(1));
    REQUIRE(client.got.size() == 1);
    CHECK(*client.got[0].text == "id: 1\ndata: {\"n\":1}\n\n");
    CHECK(client.got[0].text.get() != nullptr);
    ear->give(numbered(2));
    ear->give(numbered(3, "totals"));
    ear->give(numbered(4));
    ear->give(numbered(5, "totals"));
    client.take(source);
    REQUIRE(client.got.size() == 2);
    CHECK(*client.got[1].text == "id: 2\ndata: {\"n\":2}\n\nid: 4\ndata: {\"n\":4}\n\ndata: {\"n\":5}\n\n");
    client.take(source);
    ear->beat();
    REQUIRE(client.got.size() == 3);
    CHECK(*client.got[2].text == ":\n\n");
    CHECK(feed_heard.left == 0);
  }
  settle();
  CHECK(feed_heard.left == 1);
}

TEST_CASE_METHOD(scene, "one frame for many streams is one text") {
  const auto one = open();
  const auto ear = listener();
  taker client;
  client.take(one);
  const auto frame = numbered(1);
  ear->give(frame);
  CHECK(client.got.at(0).text.get() == &frame->event_text);
}

TEST_CASE_METHOD(scene, "a stream that is read too slowly ends, and so does one whose session has ended") {
  const auto source = open();
  const auto ear = listener();
  for (int i = 0; i < 1000; ++i)
    ear->give(numbered(1, "totals")); // of which only the newest waits
  for (int i = 1; i < static_cast<int>(most_stream_frames); ++i)
    ear->give(numbered(i));
  taker client;
  client.take(source);
  REQUIRE(client.got.size() == 1);
  CHECK_FALSE(client.got[0].last);
  for (int i = 0; i <= static_cast<int>(most_stream_frames); ++i)
    ear->give(numbered(i + 1));
  client.take(source);
  REQUIRE(client.got.size() == 2);
  CHECK(client.got[1].last);
  CHECK(client.got[1].text->empty());

  feed_heard.joined.clear();
  const auto other = open();
  const auto its = listener();
  taker again;
  again.take(other);
  its->end(live_end_reason::signed_out);
  REQUIRE(again.got.size() == 1);
  CHECK(again.got[0].last);
}

TEST_CASE_METHOD(scene, "the feed is told once when there is room again") {
  const auto source = open();
  const auto ear = listener();
  ear->give(numbered(1));
  ear->ask_for_room();
  settle();
  CHECK(feed_heard.rooms == 0);
  taker client;
  client.take(source);
  settle();
  CHECK(feed_heard.rooms == 1);
  client.take(source);
  ear->give(numbered(2));
  settle();
  CHECK(feed_heard.rooms == 1);
}
