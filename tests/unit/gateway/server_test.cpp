#include <atomic>
#include <mutex>
#include <thread>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "tests/unit/gateway/client.hpp"
#include "gateway/server.hpp"
#include "messages/errors.hpp"
#include "tests/support/eventually.hpp"

using namespace keyportal;
using namespace keyportal::gateway;
using keyportal::test::client;
using keyportal::test::eventually;
using keyportal::test::get;

namespace {

/// A server that answers every request with "<method> <path> <body>", or hands it to the test.
struct bench {
  explicit bench(server_settings settings = {}, std::function<void(std::shared_ptr<http_exchange>)> on_request = echo) {
    server_callbacks callbacks;
    callbacks.on_request = std::move(on_request);
    callbacks.rule_for_body = [](const http_request& head) -> body_rule {
      if (head.path == "/secret") {
        http_response refusal;
        refusal.status = 401;
        return {10, refusal};
      }
      return {head.path == "/small" ? 10u : 1u << 20, {}};
    };
    auto started = server::start(settings, std::move(callbacks));
    REQUIRE(started);
    it = std::move(*started);
  }

  static void echo(std::shared_ptr<http_exchange> exchange) {
    http_response out;
    out.content_type = "text/plain";
    const auto& asked = exchange->request;
    out.body = std::make_shared<const std::string>(asked.method + " " + asked.path + " " + asked.body);
    exchange->reply(std::move(out));
  }

  std::unique_ptr<server> it;
};

std::string code_of(const test::raw_answer& answer) {
  return nlohmann::json::parse(answer.body, nullptr, false).value("code", "");
}

} // namespace

TEST_CASE("requests on one connection are answered one after the other") {
  bench b;
  client c(b.it->port());
  for (int i = 0; i < 3; ++i) {
    c.send(get("/a" + std::to_string(i)));
    const auto answer = c.answer();
    CHECK(answer.status == 200);
    CHECK(answer.body == "GET /a" + std::to_string(i) + " ");
    CHECK(answer.header("x-content-type-options") == "nosniff");
    CHECK(answer.header("server").empty());
  }
  CHECK(b.it->figures().accepted == 1);
  CHECK(b.it->figures().requests == 3);
}

TEST_CASE("below a base path requests are taken with it and without it") {
  server_settings settings;
  settings.base_path = "/keys";
  bench b(settings);
  client c(b.it->port());
  for (const auto& [asked, seen] : {std::pair{"/keys/a/b", "/a/b"},
                                    {"/keys", "/"},
                                    {"/keys/", "/"},
                                    {"/a", "/a"},
                                    {"/keysmith", "/keysmith"},
                                    {"/keys/keys/a", "/keys/a"}}) {
    CAPTURE(asked);
    c.send(get(asked));
    CHECK(c.answer().body == std::string("GET ") + seen + " ");
  }
}

TEST_CASE("pipelined requests are answered in order even if the first answer takes longest") {
  std::mutex mutex;
  std::shared_ptr<http_exchange> first;
  bench b({}, [&](std::shared_ptr<http_exchange> exchange) {
    if (exchange->request.path == "/first") {
      const std::lock_guard lock(mutex);
      first = std::move(exchange);
    } else {
      bench::echo(std::move(exchange));
    }
  });
  client c(b.it->port());
  c.send(get("/first") + get("/second") + get("/third"));
  REQUIRE(eventually([&] {
    const std::lock_guard lock(mutex);
    return first != nullptr;
  }));
  CHECK(b.it->figures().requests == 1); // the others wait for their turn
  bench::echo(first);
  first.reset();
  CHECK(c.answer().body == "GET /first ");
  CHECK(c.answer().body == "GET /second ");
  CHECK(c.answer().body == "GET /third ");
}

TEST_CASE("a body is handed on whole, with a length or in chunks") {
  bench b;
  client c(b.it->port());
  c.send("POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(c.answer().body == "POST /p hello");
  c.send("POST /p HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  CHECK(c.answer().body == "POST /p abcde");
}

TEST_CASE("a client that expects 100 gets it before it sends its body") {
  bench b;
  client c(b.it->port());
  c.send("POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(c.answer().status == 100);
  c.send("ok");
  CHECK(c.answer().body == "POST /p ok");
}

TEST_CASE("HEAD gets the headers of GET and no body") {
  bench b;
  client c(b.it->port());
  c.send("HEAD /x HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/y"));
  const auto head = c.answer(true);
  CHECK(head.status == 200);
  CHECK(head.header("content-length") == "8");
  CHECK(c.answer().body == "GET /y ");
}

TEST_CASE("a large answer arrives whole") {
  std::string text(20 << 20, 'x');
  for (std::size_t i = 0; i < text.size(); i += 997)
    text[i] = static_cast<char>('a' + i % 26);
  const auto body = std::make_shared<const std::string>(std::move(text));
  bench b({}, [&](std::shared_ptr<http_exchange> exchange) {
    http_response out;
    out.body = body;
    exchange->reply(std::move(out));
  });
  client c(b.it->port());
  c.send(get("/"));
  CHECK((c.answer().body == *body));
}

TEST_CASE("a body over its limit is refused before it is read, and the client can read why") {
  bench b;
  client c(b.it->port());
  c.send("POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n");
  const auto answer = c.answer();
  CHECK(answer.status == 413);
  CHECK(code_of(answer) == "body_too_large");
  CHECK(answer.header("connection") == "close");
  CHECK(c.ended());
  CHECK(b.it->figures().requests == 0);
}

TEST_CASE("a chunked body over its limit is refused") {
  bench b;
  client c(b.it->port());
  c.send("POST /small HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
         "chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n");
  CHECK(c.answer().status == 413);
}

TEST_CASE("a body that would be refused anyway is refused for that reason") {
  bench b;
  client c(b.it->port());
  c.send("POST /secret HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n");
  CHECK(c.answer().status == 401);
  client chunked(b.it->port());
  chunked.send(
    "POST /secret HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n");
  CHECK(chunked.answer().status == 401);
}

TEST_CASE("the answer to a refused body survives a client that goes on sending") {
  bench b;
  client c(b.it->port());
  c.send("POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
  c.send(std::string(1'000'000, 'x'));
  CHECK(c.answer().status == 413);
}

TEST_CASE("headers over their limit are refused") {
  bench b;
  client c(b.it->port());
  c.send(get("/", "X-Long: " + std::string(20'000, 'x') + "\r\n"));
  const auto answer = c.answer();
  CHECK(answer.status == 431);
  CHECK(answer.header("content-type") == "application/problem+json");
}

TEST_CASE("what is not HTTP is refused and the connection closed") {
  bench b;
  for (const char* bad :
       {"nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", "GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    CAPTURE(bad);
    client c(b.it->port());
    c.send(bad);
    const auto answer = c.answer();
    CHECK(answer.status == 400);
    CHECK(answer.header("connection") == "close");
    CHECK(c.ended());
  }
  CHECK(b.it->figures().requests == 0);
}

TEST_CASE("a body whose end a proxy could see elsewhere is refused, and what follows is no request") {
  bench b;
  for (const char* coding :
       {"gzip", "identity", "chunked, gzip", "gzip, chunked", "xchunked", "chunked\r\nTransfer-Encoding: gzip",
        "gzip\r\nContent-Length: 5", "gzip\r\nTransfer-Encoding: chunked", ""}) {
    CAPTURE(coding);
    client c(b.it->port());
    c.send("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: " + std::string(coding)
           + "\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(c.answer().status == 400);
    CHECK(c.ended());
  }
  client old(b.it->port());
  old.send("POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  CHECK(old.answer().status == 400);
  CHECK(b.it->figures().requests == 0);
}

TEST_CASE("a foreign Host is refused whatever is asked") {
  bench b;
  client c(b.it->port());
  c.send("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  const auto answer = c.answer();
  CHECK(answer.status == 421);
  CHECK(code_of(answer) == "wrong_host");
  CHECK(b.it->figures().requests == 0);
}

TEST_CASE("a foreign page may not make a browser do something") {
  bench b;
  client c(b.it->port());
  c.send("POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n");
  const auto answer = c.answer();
  CHECK(answer.status == 403);
  CHECK(code_of(answer) == "wrong_origin");
  client own(b.it->port());
  own.send("POST / HTTP/1.1\r\nHost: localhost:8390\r\nOrigin: http://localhost:8390\r\nContent-Length: 0\r\n\r\n");
  CHECK(own.answer().status == 200);
}

TEST_CASE("a client that has shut its sending side still gets its answer") {
  bench b;
  client c(b.it->port());
  c.send(get("/half"));
  c.shut_sending();
  CHECK(c.answer().body == "GET /half ");
  CHECK(c.ended());
}

TEST_CASE("a header that does not end is given up after its time") {
  server_settings settings;
  settings.header_timeout = std::chrono::milliseconds(100);
  bench b(settings);
  client c(b.it->port());
  c.send("GET / HTTP/1.1\r\nHost: loc");
  CHECK(c.ended());
  client silent(b.it->port());
  CHECK(silent.ended());
  CHECK(eventually([&] { return b.it->figures().connections == 0; }));
}

TEST_CASE("a body that does not end is given up after its time") {
  server_settings settings;
  settings.transfer_timeout = std::chrono::milliseconds(100);
  bench b(settings);
  client c(b.it->port());
  c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc");
  CHECK(c.ended());
}

TEST_CASE("a client that does not read its answer is given up after its time") {
  server_settings settings;
  settings.transfer_timeout = std::chrono::milliseconds(100);
  settings.slowest_bytes_per_second = 1 << 30;
  const auto body = std::make_shared<const std::string>(32 << 20, 'x');
  bench b(settings, [&](std::shared_ptr<http_exchange> exchange) {
    http_response out;
    out.body = body;
    exchange->reply(std::move(out));
  });
  client c(b.it->port(), 4096);
  c.send(get("/"));
  REQUIRE(eventually([&] { return b.it->figures().requests == 1; }));
  CHECK(eventually([&] { return b.it->figures().connections == 0; }));
}

TEST_CASE("a request that nobody answers gets 500") {
  bench b({}, [](std::shared_ptr<http_exchange>) {});
  client c(b.it->port());
  c.send(get("/"));
  CHECK(code_of(c.answer()) == "internal");
}

TEST_CASE("only the first reply counts, from whatever thread") {
  bench b({}, [](std::shared_ptr<http_exchange> exchange) {
    std::thread([exchange] {
      bench::echo(exchange);
      http_response other;
      other.status = 404;
      exchange->reply(other);
    }).detach();
  });
  client c(b.it->port());
  for (int i = 0; i < 50; ++i) {
    c.send(get("/x"));
    REQUIRE(c.answer().status == 200);
  }
}

TEST_CASE("a reply after the server is gone does nothing") {
  std::mutex mutex;
  std::shared_ptr<http_exchange> kept;
  {
    server_settings settings;
    settings.close_timeout = std::chrono::milliseconds(50);
    bench b(settings, [&](std::shared_ptr<http_exchange> exchange) {
      const std::lock_guard lock(mutex);
      kept = std::move(exchange);
    });
    client c(b.it->port());
    c.send(get("/"));
    REQUIRE(eventually([&] {
      const std::lock_guard lock(mutex);
      return kept != nullptr;
    }));
  }
  kept->reply({});
}

TEST_CASE("one connection more than allowed is told 503, and there is room again when one goes") {
  server_settings settings;
  settings.max_connections = 2;
  bench b(settings);
  auto one = std::make_unique<client>(b.it->port());
  client two(b.it->port());
  one->send(get("/1"));
  two.send(get("/2"));
  REQUIRE(one->answer().status == 200);
  REQUIRE(two.answer().status == 200);
  client three(b.it->port());
  CHECK(three.answer().status == 503);
  CHECK(b.it->figures().turned_away == 1);
  one.reset();
  REQUIRE(eventually([&] { return b.it->figures().connections == 1; }));
  client four(b.it->port());
  four.send(get("/4"));
  CHECK(four.answer().status == 200);
}

TEST_CASE("an address in use is an error that names it") {
  bench b;
  server_settings settings;
  settings.port = b.it->port();
  const auto second = server::start(settings, {});
  REQUIRE_FALSE(second);
  CHECK(code_of(second.error()) == errc::port_in_use);
  CHECK(about_of(second.error()).find(std::to_string(settings.port)) != std::string::npos);
  settings.address = "not an address";
  CHECK_FALSE(server::start(settings, {}));
}

TEST_CASE("stopping closes idle connections and lets an answer under way go out") {
  std::mutex mutex;
  std::shared_ptr<http_exchange> kept;
  bench b({}, [&](std::shared_ptr<http_exchange> exchange) {
    const std::lock_guard lock(mutex);
    kept = std::move(exchange);
  });
  client idle(b.it->port()), busy(b.it->port());
  busy.send(get("/busy"));
  REQUIRE(eventually([&] {
    const std::lock_guard lock(mutex);
    return kept != nullptr && b.it->figures().connections == 2;
  }));
  std::thread stopper([&] { b.it->stop(); });
  CHECK(idle.ended());
  bench::echo(kept);
  const auto answer = busy.answer();
  CHECK(answer.body == "GET /busy ");
  CHECK(answer.header("connection") == "close");
  busy.shut_sending();
  stopper.join();
  CHECK_FALSE(client(b.it->port()).connected());
}

TEST_CASE("several threads serve many clients at once") {
  server_settings settings;
  settings.threads = 2;
  bench b(settings);
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      client c(b.it->port());
      for (int i = 0; i < 100; ++i) {
        const auto path = "/" + std::to_string(t) + "-" + std::to_string(i);
        c.send(get(path));
        good += c.answer().body == "GET " + path + " ";
      }
    });
  for (auto& thread : threads)
    thread.join();
  CHECK(good == 400);
}
