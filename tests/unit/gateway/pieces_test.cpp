// Bodies that are made while they are sent.
#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include "gateway/server.hpp"
#include "gateway/wire.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/gateway/client.hpp"

using namespace keyportal;
using namespace keyportal::gateway;
using keyportal::test::client;
using keyportal::test::get;

namespace {

/// Gives these pieces, each from a thread of its own now and then; null: it cannot be made.
struct pieces {
  std::vector<std::shared_ptr<const std::string>> all;
  std::atomic<std::size_t> asked{0};
  std::atomic<int> at_once{0};
  std::atomic<bool> twice{false};

  body_source source(bool from_threads) {
    return [this, from_threads](std::function<void(body_piece)> give) {
      if (at_once.fetch_add(1) != 0)
        twice = true;
      const auto answer = [this, give = std::move(give)] {
        const auto i = asked.fetch_add(1);
        at_once.fetch_sub(1);
        give({all[i], i + 1 == all.size()});
      };
      if (from_threads)
        std::thread(answer).detach();
      else
        answer();
    };
  }
};

std::unique_ptr<server> serve(pieces& from, bool from_threads = false) {
  server_callbacks callbacks;
  callbacks.on_request = [&from, from_threads](std::shared_ptr<http_exchange> exchange) {
    http_response out;
    if (exchange->request.path == "/pieces") {
      from.asked = 0;
      out.pieces = from.source(from_threads);
    }
    exchange->reply(std::move(out));
  };
  auto started = server::start({}, std::move(callbacks));
  REQUIRE(started);
  return std::move(*started);
}

std::shared_ptr<const std::string> text(std::string what) {
  return std::make_shared<const std::string>(std::move(what));
}

} // namespace

TEST_CASE("a body in pieces arrives whole, and the connection goes on") {
  std::mt19937 random{static_cast<std::uint32_t>(keyportal::test::make_seed())};
  for (int round = 0; round < 30; ++round) {
    pieces from;
    std::string whole;
    for (auto left = 1 + random() % 8; left-- > 0;) {
      std::string piece(random() % 3 == 0 ? 0 : random() % 200'000, static_cast<char>('a' + left));
      whole += piece;
      from.all.push_back(text(std::move(piece)));
    }
    const auto it = serve(from, random() % 2 == 0);
    client c(it->port());
    for (int twice = 0; twice < 2; ++twice) {
      c.send(get("/pieces"));
      const auto answer = c.answer();
      REQUIRE(answer.status == 200);
      CHECK(answer.header("content-length").empty());
      REQUIRE((answer.body == whole));
    }
    c.send(get("/other"));
    CHECK(c.answer().status == 200);
    CHECK_FALSE(from.twice);
  }
}

TEST_CASE("a client that reads nothing holds up the making of pieces") {
  pieces from;
  for (int i = 0; i < 64; ++i)
    from.all.push_back(text(std::string(1 << 20, 'x')));
  const auto it = serve(from);
  client c(it->port(), 4096);
  c.send(get("/pieces"));
  // Ahead of the client are two pieces and what the kernel takes in its buffers: far less than all of it.
  for (std::size_t read = 0; read < 60; ++read) {
    REQUIRE((c.take(1 << 20).size() == 1 << 20));
    REQUIRE(from.asked <= read + 24);
  }
}

TEST_CASE("where a piece cannot be made the client does not take what came for the whole") {
  for (const bool old : {false, true}) {
    pieces from;
    from.all = {text("one"), text("two"), nullptr};
    const auto it = serve(from);
    client c(it->port());
    c.send(old ? "GET /pieces HTTP/1.0\r\nHost: localhost\r\n\r\n" : get("/pieces"));
    const auto got = c.rest();
    CHECK(got.find("\r\n0\r\n\r\n") == std::string::npos);
    client d(it->port());
    d.send(get("/other"));
    CHECK(d.answer().status == 200);
  }
}

TEST_CASE("a source that forgets its client ends the connection") {
  server_callbacks callbacks;
  callbacks.on_request = [](std::shared_ptr<http_exchange> exchange) {
    http_response out;
    out.pieces = [](const std::function<void(body_piece)>&) {};
    exchange->reply(std::move(out));
  };
  auto it = server::start({}, std::move(callbacks));
  REQUIRE(it);
  client c((*it)->port());
  c.send(get("/"));
  CHECK(c.answer().status == 0);
}

TEST_CASE("an old client gets a body in pieces up to the end of the connection") {
  pieces from;
  from.all = {text("one "), text(""), text("two")};
  const auto it = serve(from);
  client c(it->port());
  c.send("GET /pieces HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
  const auto got = c.rest();
  CHECK(got.find("Transfer-Encoding") == std::string::npos);
  CHECK(got.find("Connection: close") != std::string::npos);
  CHECK(got.ends_with("\r\n\r\none two"));
}

TEST_CASE("HEAD of a body in pieces asks for none of them") {
  pieces from;
  from.all = {text("one")};
  const auto it = serve(from);
  client c(it->port());
  c.send("HEAD /pieces HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(c.answer(true).status == 200);
  c.send(get("/other"));
  CHECK(c.answer().status == 200);
  CHECK(from.asked == 0);
}

TEST_CASE("a server that stops does not wait for a body without an end") {
  auto piece = text(std::string(100'000, 'x'));
  server_callbacks callbacks;
  callbacks.on_request = [piece](std::shared_ptr<http_exchange> exchange) {
    http_response out;
    out.pieces = [piece](const std::function<void(body_piece)>& give) { give({piece, false}); };
    exchange->reply(std::move(out));
  };
  server_settings settings;
  settings.close_timeout = std::chrono::milliseconds{200};
  auto it = server::start(settings, std::move(callbacks));
  REQUIRE(it);
  client c((*it)->port());
  c.send(get("/"));
  REQUIRE(c.take(200'000).size() == 200'000);
  (*it)->stop();
  CHECK(c.rest().find("\r\n0\r\n") == std::string::npos);
}
