#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <atomic>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "../../support/seed.hpp"
#include "messages/errors.hpp"
#include "tool.hpp"

using namespace keyportal;
using namespace keyportal::compat;
using namespace keyportal::compat::test;

TEST_CASE("A port that is taken is said to be") {
  stage s;
  auto again = s.settings;
  again.port = s.port();
  const auto second = listener::start(again, s.back);
  REQUIRE_FALSE(second);
  CHECK(code_of(second.error()) == errc::port_in_use);
}

TEST_CASE("Whoever says nothing is let go, and holds nobody up meanwhile") {
  stage s{false};
  s.settings.first_byte_timeout = std::chrono::milliseconds(300);
  s.open();
  std::vector<std::unique_ptr<tool>> silent;
  for (int i = 0; i < 20; ++i)
    silent.push_back(std::make_unique<tool>(s.port()));
  CHECK(http(s.port(), "GET", "/healthz").status == 200);
  for (auto& t : silent)
    CHECK(t->ended());
}

TEST_CASE("One connection too many is turned away, and there is room again afterwards") {
  stage s{false};
  s.settings.max_connections = 3;
  s.open();
  std::vector<std::unique_ptr<tool>> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(std::make_unique<tool>(s.port()));
    open.back()->send(command({"AUTH", std::string(key)}));
    CHECK(open.back()->read_until("\r\n") == "+OK\r\n");
  }
  tool more{s.port()};
  CHECK(more.read_to_end().starts_with("HTTP/1.1 503"));
  open.clear();
  int status = 0;
  for (int i = 0; i < 200 && status != 200; ++i)
    status = http(s.port(), "GET", "/healthz").status;
  CHECK(status == 200);
}

TEST_CASE("Stopping ends idle connections and subscriptions at once") {
  stage s;
  tool idle{s.port()}, resp{s.port()}, http_idle{s.port()};
  resp.send(command({"AUTH", std::string(key)}) + command({"SUBSCRIBE", "usage"}));
  CHECK(resp.read_until("{\"support_refresh\":true}\r\n").size() > 50);
  http_idle.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(http_idle.read_until("\"ok\"}").size() > 50);
  const auto begin = std::chrono::steady_clock::now();
  s.close();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
  CHECK(resp.ended());
  CHECK(http_idle.ended());
  CHECK(idle.ended());
}

TEST_CASE("Several tools at once each get every record once") {
  stage s;
  std::atomic<bool> done{false};
  std::atomic<int> popped{0};
  std::vector<std::thread> tools;
  for (int i = 0; i < 3; ++i)
    tools.emplace_back([&, i] {
      for (bool last = false; !last;) {
        last = done;
        if (i == 0) {
          const auto out = s.get("/v0/management/usage-queue?count=7");
          popped += static_cast<int>(nlohmann::json::parse(out.body).size());
          last = last && out.body == "[]";
        } else {
          tool t{s.port()};
          t.send(command({"AUTH", std::string(key)}) + command({"LPOP", "usage", "5"}));
          t.read_until("+OK\r\n");
          const auto count = std::stoi(t.read_until("\r\n").substr(1));
          popped += count;
          last = last && count == 0;
        }
      }
    });
  for (int i = 0; i < 100; ++i)
    s.add(10);
  done = true;
  for (auto& t : tools)
    t.join();
  CHECK(popped == 1000);
}

TEST_CASE("Random bytes do no harm") {
  stage s;
  const auto seed = keyportal::test::make_seed();
  std::mt19937_64 random{seed};
  const std::vector<std::string> parts = {"*",
                                          "$",
                                          "\r\n",
                                          "1",
                                          "3",
                                          "-1",
                                          "AUTH",
                                          "LPOP",
                                          "usage",
                                          "SUBSCRIBE",
                                          "GET ",
                                          "/v0/management/usage",
                                          " HTTP/1.1",
                                          "Host: localhost",
                                          std::string(key),
                                          "Content-Length: ",
                                          "99999999999",
                                          "Transfer-Encoding: chunked",
                                          "\x00\xff",
                                          "POST "};
  for (int round = 0; round < 200; ++round) {
    tool t{s.port()};
    std::string bytes;
    for (auto n = random() % 30; n > 0; --n)
      bytes += parts[random() % parts.size()];
    t.send(bytes);
  }
  stage fresh; // the address may be banned by now at the other
  CHECK(http(s.port(), "GET", "/healthz").status == 200);
}
