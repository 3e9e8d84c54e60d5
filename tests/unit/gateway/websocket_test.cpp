#include <atomic>
#include <mutex>

#include <catch2/catch_test_macros.hpp>

#include "tests/unit/gateway/client.hpp"
#include "gateway/server.hpp"
#include "tests/support/eventually.hpp"

using namespace keyportal;
using namespace keyportal::gateway;
using keyportal::test::client;
using keyportal::test::eventually;
using keyportal::test::get;

namespace {

frame text_of(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

/// All sockets that are open, and what their clients say.
struct room {
  std::mutex mutex;
  std::vector<std::shared_ptr<websocket>> sockets;
  std::vector<std::string> said;
  int written = 0, closed = 0;

  void broadcast(const frame& text, const frame& name = nullptr) {
    const std::lock_guard lock(mutex);
    for (const auto& one : sockets)
      one->send(text, name);
  }
  template <class T>
  T read(T room::*what) {
    const std::lock_guard lock(mutex);
    return this->*what;
  }
};

struct guest : websocket_user {
  explicit guest(room& where) : in(&where) {}
  void opened(std::shared_ptr<websocket> socket) override {
    socket->send(text_of("hello"));
    const std::lock_guard lock(in->mutex);
    in->sockets.push_back(std::move(socket));
  }
  void said(std::string_view text) override {
    const std::lock_guard lock(in->mutex);
    in->said.emplace_back(text);
  }
  void written() override {
    const std::lock_guard lock(in->mutex);
    ++in->written;
  }
  void closed() override {
    const std::lock_guard lock(in->mutex);
    ++in->closed;
  }
  room* in;
};

/// A server that greets with "hello".
struct bench {
  explicit bench(server_settings settings = {}) {
    server_callbacks callbacks;
    callbacks.on_request = [](std::shared_ptr<http_exchange> exchange) { exchange->reply({}); };
    callbacks.admit_websocket = [this](const http_request&) {
      websocket_admission out;
      out.user = std::make_shared<guest>(all);
      return out;
    };
    auto started = server::start(settings, std::move(callbacks));
    REQUIRE(started);
    it = std::move(*started);
  }

  bool open(client& c) {
    const auto before = it->websockets();
    return c.upgrade() == 101 && eventually([&] { return it->websockets() == before + 1; });
  }

  room all;
  std::unique_ptr<server> it;
};

/// The next frame that is not a ping.
std::optional<test::raw_frame> next(client& c) {
  auto one = c.next_frame();
  while (one && one->opcode == 9)
    one = c.next_frame();
  return one;
}

} // namespace

TEST_CASE("a WebSocket gets what it is sent, in order") {
  bench b;
  client c(b.it->port());
  REQUIRE(b.open(c));
  CHECK(next(c)->payload == "hello");
  for (int i = 0; i < 100; ++i)
    b.all.broadcast(text_of(std::to_string(i)));
  for (int i = 0; i < 100; ++i) {
    const auto got = next(c);
    REQUIRE(got);
    CHECK(got->opcode == 1);
    CHECK(got->payload == std::to_string(i));
  }
}

TEST_CASE("a large frame comes as one frame") {
  bench b;
  client c(b.it->port());
  REQUIRE(b.open(c));
  const std::string large(300'000, 'x');
  b.all.broadcast(text_of(large));
  next(c);
  const auto got = next(c);
  REQUIRE(got);
  CHECK((got->payload == large));
}

TEST_CASE("a WebSocket from a foreign page is refused") {
  bench b;
  for (const char* origin : {"http://evil.example", "null", "http://127.0.0.1:1", "ftp://127.0.0.1"}) {
    CAPTURE(origin);
    client c(b.it->port());
    CHECK(c.upgrade("/ws", std::string("Origin: ") + origin + "\r\n") == 403);
  }
  client own(b.it->port());
  CHECK(own.upgrade("/ws", "Origin: http://127.0.0.1\r\n") == 101);
}

TEST_CASE("WebSockets are at one address, and that address is for nothing else") {
  bench b;
  client elsewhere(b.it->port());
  CHECK(elsewhere.upgrade("/api") == 200); // the upgrade is not taken
  client plain(b.it->port());
  plain.send(get("/ws"));
  CHECK(plain.answer().status == 426);
}

TEST_CASE("what a client says is handed on as it is, if it is text") {
  bench b;
  client c(b.it->port());
  REQUIRE(b.open(c));
  next(c);
  c.send_frame(1, "{\"type\":\"subscribe\"}");
  c.send_frame(2, std::string("\xff\x00", 2));
  c.send_frame(1, "x");
  REQUIRE(eventually([&] { return b.all.read(&room::said).size() == 2; }));
  CHECK(b.all.read(&room::said) == std::vector<std::string>{"{\"type\":\"subscribe\"}", "x"});
}

TEST_CASE("of frames of one name the newest is sent, behind what came before it") {
  bench b;
  client c(b.it->port(), 4096);
  REQUIRE(b.open(c));
  const auto large = text_of(std::string(8 << 20, 'x')); // while this is on its way the others wait
  b.all.broadcast(large);
  const auto name = text_of("totals");
  for (int i = 0; i < 1000; ++i) { // many more than may wait
    b.all.broadcast(text_of("old " + std::to_string(i)), name);
    if (i == 500)
      b.all.broadcast(text_of("event"));
  }
  CHECK(next(c)->payload == "hello");
  CHECK(next(c)->payload.size() == large->size());
  std::vector<std::string> rest;
  while (rest.empty() || rest.back() != "old 999") {
    const auto got = next(c);
    REQUIRE(got);
    rest.push_back(got->payload);
  }
  CHECK(rest == std::vector<std::string>{"event", "old 999"});
  CHECK(b.it->figures().websockets_cut == 0);
}

TEST_CASE("its user learns when all is on its way and when it is over") {
  bench b;
  {
    client c(b.it->port());
    REQUIRE(b.open(c));
    CHECK(next(c)->payload == "hello");
    REQUIRE(eventually([&] { return b.all.read(&room::written) == 1; }));
    CHECK(b.all.read(&room::closed) == 0);
  }
  REQUIRE(eventually([&] { return b.all.read(&room::closed) == 1; }));
  b.all.broadcast(text_of("to nobody"));
  CHECK(eventually([&] { return b.it->figures().connections == 0; }));
}

TEST_CASE("a ping is answered") {
  bench b;
  client c(b.it->port());
  REQUIRE(b.open(c));
  next(c);
  c.send_frame(9, "abc");
  const auto got = next(c);
  REQUIRE(got);
  CHECK(got->opcode == 10);
  CHECK(got->payload == "abc");
}

TEST_CASE("too large a message ends the WebSocket") {
  bench b;
  client c(b.it->port());
  REQUIRE(b.open(c));
  next(c);
  c.send_frame(1, std::string(70'000, 'x'));
  const auto got = next(c);
  REQUIRE(got);
  CHECK(got->close_code() == 1009);
  CHECK(eventually([&] { return b.it->websockets() == 0; }));
}

TEST_CASE("too many messages end the WebSocket") {
  server_settings settings;
  settings.max_websocket_messages_per_minute = 5;
  bench b(settings);
  client c(b.it->port());
  REQUIRE(b.open(c));
  next(c);
  for (int i = 0; i < 6; ++i)
    c.send_frame(1, "x");
  const auto got = next(c);
  REQUIRE(got);
  CHECK(got->close_code() == 1008);
  CHECK(eventually([&] { return b.it->figures().websockets_cut == 1; }));
}

TEST_CASE("a client that does not read is cut, and the others get everything") {
  server_settings settings;
  settings.max_websocket_frames = 8;
  settings.close_timeout = std::chrono::milliseconds(200);
  bench b(settings);
  client slow(b.it->port(), 4096), quick(b.it->port());
  REQUIRE(b.open(slow));
  REQUIRE(b.open(quick));
  next(quick);
  const auto large = text_of(std::string(1 << 20, 'x'));
  for (int i = 0; i < 40; ++i) {
    b.all.broadcast(large);
    REQUIRE((next(quick)->payload == *large)); // reads as they come, so its queue stays short
  }
  CHECK(eventually([&] { return b.it->figures().websockets_cut == 1; }));
  CHECK(eventually([&] { return b.it->websockets() == 1 && b.it->figures().connections == 1; }));
  b.all.broadcast(text_of("on"));
  CHECK(next(quick)->payload == "on");
}

TEST_CASE("a client that reads again in time learns why it was cut") {
  server_settings settings;
  settings.max_websocket_frames = 4;
  settings.close_timeout = std::chrono::seconds(20);
  bench b(settings);
  client c(b.it->port(), 4096);
  REQUIRE(b.open(c));
  const auto large = text_of(std::string(8 << 20, 'x'));
  for (int i = 0; i < 8; ++i)
    b.all.broadcast(large);
  REQUIRE(eventually([&] { return b.it->figures().websockets_cut == 1; }));
  auto got = next(c);
  while (got && got->opcode == 1)
    got = next(c);
  REQUIRE(got);
  CHECK(got->close_code() == 1013);
}

TEST_CASE("a silent client is pinged and then closed") {
  server_settings settings;
  settings.websocket_idle_timeout = std::chrono::milliseconds(200);
  bench b(settings);
  client c(b.it->port());
  REQUIRE(b.open(c));
  CHECK(c.next_frame()->payload == "hello");
  const auto ping = c.next_frame();
  REQUIRE(ping);
  CHECK(ping->opcode == 9);
  CHECK(eventually([&] { return b.it->websockets() == 0; }));
}

TEST_CASE("all WebSockets can be closed with a reason") {
  bench b;
  client c(b.it->port());
  REQUIRE(b.open(c));
  next(c);
  b.it->close_websockets("stopping");
  const auto got = next(c);
  REQUIRE(got);
  CHECK(got->close_code() == 1001);
  CHECK(got->payload.substr(2) == "stopping");
}

TEST_CASE("stopping tells WebSockets that the server goes") {
  bench b;
  client c(b.it->port());
  REQUIRE(b.open(c));
  next(c);
  std::thread stopper([&] { b.it->stop(); });
  const auto got = next(c);
  REQUIRE(got);
  CHECK(got->close_code() == 1001);
  c.send_frame(8, got->payload);
  stopper.join();
  CHECK(b.it->websockets() == 0);
}

TEST_CASE("what is sent after the server is gone goes nowhere") {
  auto b = std::make_unique<bench>();
  client c(b->it->port());
  REQUIRE(b->open(c));
  const auto sockets = b->all.read(&room::sockets);
  b->it.reset();
  sockets.at(0)->send(text_of("late"));
  sockets.at(0)->close(1001, "late");
}

TEST_CASE("a WebSocket is for whoever is admitted, and ends with what admitted it") {
  std::atomic<bool> still{true};
  std::atomic<int> looks{0};
  server_settings settings;
  settings.websocket_check_interval = std::chrono::milliseconds(20);
  server_callbacks callbacks;
  callbacks.on_request = [](std::shared_ptr<http_exchange> exchange) { exchange->reply({}); };
  room all;
  callbacks.admit_websocket = [&](const http_request& asked) {
    websocket_admission out;
    out.user = std::make_shared<guest>(all);
    for (const auto& [name, value] : asked.headers)
      if (name == "x-who")
        out.tag = value;
    if (out.tag.empty()) {
      out.refusal.emplace();
      out.refusal->status = 401;
    }
    if (out.tag == "watched")
      out.still = [&] {
        ++looks;
        return still.load();
      };
    return out;
  };
  auto started = server::start(settings, std::move(callbacks));
  REQUIRE(started);
  const auto& it = *started;

  client nobody(it->port());
  CHECK(nobody.upgrade() == 401);
  client ann(it->port()), bob(it->port()), eve(it->port());
  REQUIRE(ann.upgrade("/ws", "X-Who: ann\r\n") == 101);
  REQUIRE(bob.upgrade("/ws", "X-Who: bob\r\n") == 101);
  REQUIRE(eve.upgrade("/ws", "X-Who: watched\r\n") == 101);
  REQUIRE(eventually([&] { return it->websockets() == 3; }));
  for (auto* one : {&ann, &bob, &eve})
    CHECK(next(*one)->payload == "hello");

  it->close_websockets_of("ann", "signed out");
  const auto end = next(ann);
  REQUIRE(end);
  CHECK(end->opcode == 8);
  CHECK(end->close_code() == 1008);
  REQUIRE(eventually([&] { return looks > 2; })); // it is looked at again and again
  still = false;
  const auto last = next(eve);
  REQUIRE(last);
  CHECK(last->close_code() == 1008);
  all.broadcast(text_of("for the rest"));
  CHECK(next(bob)->payload == "for the rest");
}
