#include "actors/cpa/resp_connection.hpp"

#include <csignal>
#include <fstream>
#include <future>

#include <catch2/catch_test_macros.hpp>

#include "actors/cpa/answers.hpp"
#include "actors/cpa/node_socket.hpp"
#include "messages/errors.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/queue/fake_server.hpp"
#include "tests/unit/queue/sample.hpp"

using namespace keyportal;
using namespace keyportal::cpa;
using namespace std::chrono_literals;
using keyportal::test::bulk_of;
using keyportal::test::conversation;
using keyportal::test::fake_server;
using keyportal::test::push_of;

namespace {

using meaning = resp_batch::meaning;
using words = std::vector<std::string>;
using list = std::vector<std::string>;

constexpr const char* key = "mgmt-very-secret-000001";

resp_settings settings_for(const std::string& url) {
  resp_settings s;
  s.node = "shanghai";
  s.url = url;
  s.management_key = secret{key};
  s.connect_timeout = 5s;
  s.answer_timeout = 5s;
  return s;
}

list texts(const resp_batch& batch) { return {batch.payloads.begin(), batch.payloads.end()}; }

const std::string subscribed = "*3\r\n$9\r\nsubscribe\r\n$5\r\nusage\r\n:1\r\n";

/// What a sign-in that is answered with `reply` leads to.
caf::error sign_in_answered(const std::string& reply) {
  fake_server server{[&](conversation& talk) {
    talk.command();
    talk.send(reply);
    talk.wait_for_end();
  }};
  resp_connection connection{settings_for(server.url())};
  return connection.open();
}

/// A connection to a server that has accepted it; `script` goes on from there.
class dialogue {
public:
  explicit dialogue(fake_server::script script, std::function<void(resp_settings&)> change = {})
    : server_([script](conversation& talk) {
        if (talk.accept_sign_in())
          script(talk);
      }) {
    auto settings = settings_for(server_.url());
    if (change)
      change(settings);
    connection_.emplace(settings);
    const auto error = connection_->open();
    INFO(render(error));
    REQUIRE(!error);
  }
  resp_connection* operator->() { return &*connection_; }

private:
  fake_server server_;
  std::optional<resp_connection> connection_; // ends first, and so the script
};

} // namespace

TEST_CASE("The sign-in is the first that is sent, and nothing before it is accepted") {
  std::promise<std::pair<words, words>> seen;
  fake_server server{[&](conversation& talk) {
    auto first = talk.command();
    talk.send("+OK\r\n");
    seen.set_value({first, talk.command()});
    talk.send("*0\r\n");
    talk.wait_for_end();
  }};
  resp_connection connection{settings_for(server.url())};
  REQUIRE(!connection.open());
  const auto batch = connection.pop(500);
  CHECK(batch.what == meaning::payloads);
  CHECK(batch.payloads.empty());
  const auto [first, second] = seen.get_future().get();
  CHECK(first == words{"AUTH", key});
  CHECK(second == words{"LPOP", "usage", "500"});
}

TEST_CASE("Records are popped") {
  dialogue talk{[](conversation& t) {
    t.command();
    t.send("*2\r\n" + bulk_of("{\"a\":1}") + bulk_of("{\"a\":2}"));
    t.command();
    t.send("*0\r\n");
    t.command();
    t.send("$-1\r\n");
    t.command();
    t.send(bulk_of("{\"a\":3}")); // a server that knows no count
    t.wait_for_end();
  }};
  CHECK(texts(talk->pop(10)) == list{"{\"a\":1}", "{\"a\":2}"});
  CHECK(texts(talk->pop(10)).empty());
  CHECK(talk->pop(10).what == meaning::payloads);
  CHECK(texts(talk->pop(10)) == list{"{\"a\":3}"});
}

TEST_CASE("Pushed records are read, and those right behind the subscription's answer too") {
  dialogue talk{[](conversation& t) {
    t.command();
    t.send(subscribed + push_of("{\"support_refresh\":true}") + push_of("{\"n\":1}"));
    t.send(push_of("{\"n\":2}"));
    t.wait_for_end();
  }};
  REQUIRE(!talk->subscribe("usage"));
  list got;
  while (got.size() < 3) {
    const auto batch = talk->read(5s);
    REQUIRE(batch.what == meaning::payloads);
    for (const auto payload : batch.payloads)
      got.emplace_back(payload);
  }
  CHECK(got == list{"{\"support_refresh\":true}", "{\"n\":1}", "{\"n\":2}"});
  CHECK(talk->read(10ms).what == meaning::timeout);
  CHECK(talk->read(0ms).what == meaning::timeout);
}

TEST_CASE("Replies that come byte by byte are read all the same") {
  dialogue talk{[](conversation& t) {
    t.command();
    t.send_bytewise("*2\r\n" + bulk_of(test::sample_record(1)) + bulk_of("{}"));
    t.command();
    t.send_bytewise(subscribed + push_of(test::sample_record(2)) + push_of("{}"));
    t.wait_for_end();
  }};
  CHECK(texts(talk->pop(2)) == list{test::sample_record(1), "{}"});
  REQUIRE(!talk->subscribe("usage"));
  list got;
  while (got.size() < 2)
    for (const auto payload : talk->read(5s).payloads)
      got.emplace_back(payload);
  CHECK(got == list{test::sample_record(2), "{}"});
}

TEST_CASE("A reply that is cut leaves what arrived, and says how much did not") {
  const std::string whole = "*3\r\n" + bulk_of("one") + bulk_of("two") + bulk_of("three");
  for (std::size_t n = 0; n < whole.size(); n += 3) {
    INFO("cut at " << n);
    dialogue talk{[&](conversation& t) {
      t.command();
      t.send(whole.substr(0, n));
    }};
    const auto batch = talk->pop(3);
    CHECK(batch.what == meaning::closed);
    CHECK(code_of(batch.problem) == (n == 0 ? errc::node_unreachable : errc::node_answer_truncated));
    const auto got = texts(batch);
    CHECK(got.size() == (n < 13 ? 0U : n < 22 ? 1U : 2U));
    CHECK(batch.missing == (n < 4 ? 0U : 3 - got.size()));
    if (!got.empty())
      CHECK(got[0] == "one");
    CHECK(talk->pop(3).what == meaning::closed); // until it is opened again
  }
}

TEST_CASE("Records before the end of a subscription are not lost") {
  struct row {
    std::string last;
    meaning what;
    errc code;
  };
  const row rows[] = {
    {"", meaning::closed, errc::node_unreachable},
    {"*3\r\n$7\r\nmess", meaning::closed, errc::node_answer_truncated},
    {"garbage", meaning::refused, errc::node_answer_malformed},
    {"-ERR protocol error\r\n", meaning::refused, errc::node_failed},
    {":7\r\n", meaning::refused, errc::node_answer_malformed},
    {push_of("{}", "other"), meaning::refused, errc::node_answer_malformed},
    {"*3\r\n$7\r\nmessage\r\n$5\r\nusage\r\n$999999999999\r\n", meaning::refused, errc::node_answer_too_large},
    {"*3\r\n$7\r\nmessage\r\n$5\r\nusage\r\n:5\r\n", meaning::refused, errc::node_answer_malformed},
    {"*1000000000\r\n", meaning::refused, errc::node_answer_too_large},
  };
  for (const auto& r : rows) {
    INFO(r.last);
    dialogue talk{[&](conversation& t) {
      t.command();
      t.send(subscribed + push_of("1") + push_of("2") + r.last);
    }};
    REQUIRE(!talk->subscribe("usage"));
    list got;
    auto batch = talk->read(5s);
    for (; batch.what == meaning::payloads; batch = talk->read(5s))
      for (const auto payload : batch.payloads)
        got.emplace_back(payload);
    CHECK(got == list{"1", "2"});
    CHECK(batch.what == r.what);
    CHECK(code_of(batch.problem) == r.code);
    CHECK(about_of(batch.problem).starts_with("shanghai"));
  }
}

TEST_CASE("Something else than records in the queue's reply is refused, the records in it are kept") {
  dialogue talk{[](conversation& t) {
    t.command();
    t.send("*3\r\n" + bulk_of("one") + ":5\r\n" + bulk_of("two"));
    t.wait_for_end();
  }};
  const auto batch = talk->pop(3);
  CHECK(batch.what == meaning::refused);
  CHECK(code_of(batch.problem) == errc::node_answer_malformed);
  CHECK(texts(batch) == list{"one", "two"});
  CHECK(batch.missing == 1);
}

TEST_CASE("Every refusal of the sign-in is told apart") {
  struct row {
    const char* reply;
    errc code;
  };
  const row rows[] = {
    {"-ERR invalid management key\r\n", errc::node_wrong_key},
    {"-ERR missing management key\r\n", errc::node_wrong_key},
    {"-ERR remote management disabled\r\n", errc::node_forbidden},
    {"-ERR remote management key not set\r\n", errc::node_forbidden},
    {"-ERR RESP AUTH disabled; use mTLS\r\n", errc::node_without_resp},
    {"-ERR wrong number of arguments for 'auth' command\r\n", errc::node_failed},
    {"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", errc::node_without_resp},
    {"H", errc::node_without_resp},
    {"<html>", errc::node_answer_malformed},
    {"+PONG\r\n", errc::node_answer_malformed},
    {":1\r\n", errc::node_answer_malformed},
    {"*0\r\n", errc::node_answer_malformed},
    {"$99999999999999\r\n", errc::node_answer_too_large},
  };
  for (const auto& r : rows) {
    INFO(r.reply);
    const auto error = sign_in_answered(r.reply);
    CHECK(code_of(error) == r.code);
    CHECK(about_of(error).starts_with("shanghai"));
  }
}

TEST_CASE("A ban says how long it lasts") {
  const auto error = sign_in_answered("-ERR IP banned due to too many failed attempts. Try again in 4m5s\r\n");
  CHECK(code_of(error) == errc::node_banned);
  CHECK(ban_left(error) == 245s);
  CHECK(ban_left(sign_in_answered("-ERR IP banned\r\n")) == 30min);
}

TEST_CASE("The key is in no error, whatever the node sends back") {
  for (const std::string reply : {"-ERR invalid management key", "-ERR IP banned. Try again in", "-ERR unknown", "-",
                                  "+", "-ERR unsupported channel", "-NOAUTH"}) {
    INFO(reply);
    const auto error = sign_in_answered(reply + " " + key + "\r\n");
    CHECK(error);
    CHECK(render(error).find(key) == std::string::npos);
  }
}

TEST_CASE("A node that closes without an answer, or is not there, is unreachable") {
  fake_server server{[](conversation& talk) { talk.command(); }};
  resp_connection connection{settings_for(server.url())};
  CHECK(code_of(connection.open()) == errc::node_unreachable);
  CHECK(code_of(connection.open()) == errc::node_unreachable);
  CHECK(server.connections() == 2);
  resp_connection nobody{settings_for(fmt::format("http://127.0.0.1:{}", test::closed_port()))};
  CHECK(code_of(nobody.open()) == errc::node_unreachable);
  resp_connection nowhere{settings_for("http://no-such-host.invalid:8317")};
  CHECK(nowhere.open());
  resp_connection no_url{settings_for("localhost:8317")};
  CHECK(code_of(no_url.open()) == errc::config_invalid);
}

TEST_CASE("Silence ends with a timeout, and a reply that is late is waited for again") {
  std::promise<void> go_on;
  fake_server silent{[](conversation& talk) { talk.wait_for_end(); }};
  auto settings = settings_for(silent.url());
  settings.connect_timeout = 50ms;
  resp_connection connection{settings};
  CHECK(code_of(connection.open()) == errc::node_timeout);

  dialogue talk{[&](conversation& t) {
                  t.command();
                  t.send("*1\r\n$3\r\n");
                  go_on.get_future().wait();
                  t.send("one\r\n");
                  t.expect({"LPOP", "usage", "7"});
                  t.send("*0\r\n");
                  t.wait_for_end();
                },
                [](resp_settings& s) { s.answer_timeout = 100ms; }};
  CHECK(talk->pop(5).what == meaning::timeout);
  go_on.set_value();
  auto batch = talk->pop(6); // asks for nothing new
  while (batch.what == meaning::timeout)
    batch = talk->pop(6);
  CHECK(texts(batch) == list{"one"});
  batch = talk->pop(7);
  while (batch.what == meaning::timeout)
    batch = talk->pop(7);
  CHECK(batch.payloads.empty());
  CHECK(batch.what == meaning::payloads);
}

TEST_CASE("A silent subscription is asked whether it lives") {
  const auto impatient = [](resp_settings& s) {
    s.ping_after = 20ms;
    s.ping_timeout = 2s;
  };
  for (const std::string answer :
       {"*2\r\n$4\r\npong\r\n$-1\r\n", "*2\r\n$4\r\npong\r\n$1\r\nx\r\n", "-ERR unknown command 'ping'\r\n"}) {
    INFO(answer);
    dialogue talk{[&](conversation& t) {
                    t.command();
                    t.send(subscribed);
                    t.expect({"PING"});
                    t.send(answer);
                    t.expect({"PING"});
                    t.send(answer + push_of("late"));
                    t.wait_for_end();
                  },
                  impatient};
    REQUIRE(!talk->subscribe("usage"));
    auto batch = talk->read(1ms); // shorter than the silence
    while (batch.what == meaning::timeout)
      batch = talk->read(1ms);
    CHECK(texts(batch) == list{"late"});
  }

  dialogue gone{[&](conversation& t) {
                  t.command();
                  t.send(subscribed);
                  t.wait_for_end();
                },
                [](resp_settings& s) {
                  s.ping_after = 20ms;
                  s.ping_timeout = 20ms;
                }};
  REQUIRE(!gone->subscribe("usage"));
  const auto batch = gone->read(5s);
  CHECK(batch.what == meaning::closed);
  CHECK(code_of(batch.problem) == errc::node_timeout);
}

TEST_CASE("A flood of answers that are no records does not outlast the timeout") {
  dialogue talk{[](conversation& t) {
    t.command();
    t.send(subscribed);
    std::string flood;
    for (int i = 0; i < 1000; ++i)
      flood += "*2\r\n$4\r\npong\r\n$-1\r\n";
    while (t.send(flood)) {}
  }};
  REQUIRE(!talk->subscribe("usage"));
  CHECK(talk->read(50ms).what == meaning::timeout);
}

TEST_CASE("Without SUBSCRIBE the same connection pops") {
  for (const std::string answer : {"-ERR unknown command 'subscribe'\r\n", "-ERR unsupported channel 'usage'\r\n"}) {
    dialogue talk{[&](conversation& t) {
      t.command();
      t.send(answer);
      t.expect({"LPOP", "usage", "3"});
      t.send("*1\r\n" + bulk_of("one"));
      t.wait_for_end();
    }};
    CHECK(code_of(talk->subscribe("usage")) == errc::node_without_subscribe);
    CHECK(texts(talk->pop(3)) == list{"one"});
  }
  dialogue talk{[&](conversation& t) {
    t.command();
    t.send("*3\r\n$9\r\nsubscribe\r\n$5\r\nusage\r\n:1\r\n");
    t.wait_for_end();
  }};
  CHECK(code_of(talk->subscribe("errors")) == errc::node_answer_malformed); // another channel than asked for
}

TEST_CASE("Error replies to commands are told and end the connection") {
  std::promise<words> after;
  dialogue talk{[&](conversation& t) {
    t.command();
    t.send("-NOAUTH Authentication required.\r\n");
    after.set_value(t.command());
  }};
  const auto batch = talk->pop(5);
  CHECK(batch.what == meaning::refused);
  CHECK(code_of(batch.problem) == errc::node_failed);
  CHECK(talk->pop(5).what == meaning::closed);
  CHECK(after.get_future().get().empty()); // no further command: it would count as a failed sign-in
}

TEST_CASE("Another thread can end it at any moment") {
  const std::pair<const char*, std::function<errc(resp_connection&)>> calls[] = {
    {"open", [](resp_connection& c) { return code_of(c.open()); }},
    {"pop",
     [](resp_connection& c) {
       REQUIRE(!c.open());
       return code_of(c.pop(5).problem);
     }},
    {"subscribe",
     [](resp_connection& c) {
       REQUIRE(!c.open());
       return code_of(c.subscribe("usage"));
     }},
    {"read",
     [](resp_connection& c) {
       REQUIRE(!c.open());
       const auto error = c.subscribe("usage"); // it may be here already that it ends
       return code_of(error ? error : c.read(1h).problem);
     }},
  };
  for (const auto& [name, call] : calls) {
    INFO(name);
    std::promise<void> waiting;
    const std::string which = name;
    fake_server server{[&](conversation& talk) {
      talk.command();
      if (which != "open") {
        talk.send("+OK\r\n");
        talk.command();
      }
      if (which == "read")
        talk.send(subscribed);
      waiting.set_value();
      talk.wait_for_end();
    }};
    auto settings = settings_for(server.url());
    settings.connect_timeout = settings.answer_timeout = 1h;
    settings.last_words = 50ms;
    resp_connection connection{settings};
    std::thread other{[&] {
      waiting.get_future().wait();
      connection.stop();
    }};
    CHECK(call(connection) == errc::shutting_down);
    other.join();
    CHECK(code_of(connection.open()) == errc::shutting_down);
  }
}

TEST_CASE("What CPA has given away is fetched even after we were told to stop") {
  std::promise<void> asked, stopped;
  SECTION("the reply to a pop") {
    fake_server server{[&](conversation& talk) {
      if (!talk.accept_sign_in())
        return;
      talk.command();
      talk.send("*2\r\n" + bulk_of("{\"a\":1}"));
      asked.set_value();
      stopped.get_future().wait();
      talk.send(bulk_of("{\"a\":2}"));
      talk.wait_for_end();
    }};
    resp_connection connection{settings_for(server.url())};
    REQUIRE(!connection.open());
    std::thread other{[&] {
      asked.get_future().wait();
      connection.stop();
      stopped.set_value();
    }};
    const auto got = connection.pop(2);
    CHECK(got.what == meaning::payloads);
    CHECK(got.payloads.size() == 2);
    other.join();
  }
  SECTION("what was pushed before CPA has read that we leave") {
    fake_server server{[&](conversation& talk) {
      if (!talk.accept_sign_in())
        return;
      talk.command();
      talk.send(subscribed);
      asked.set_value();
      CHECK(talk.command() == std::vector<std::string>{"UNSUBSCRIBE"});
      talk.send(test::push_of("{\"a\":1}") + test::push_of("{\"a\":2}")
                + "*3\r\n$11\r\nunsubscribe\r\n$5\r\nusage\r\n:0\r\n");
    }};
    resp_connection connection{settings_for(server.url())};
    REQUIRE(!connection.open());
    REQUIRE(!connection.subscribe("usage"));
    std::thread other{[&] {
      asked.get_future().wait();
      connection.stop();
    }};
    std::size_t came = 0;
    for (auto got = connection.read(1h);; got = connection.read(1h)) {
      came += got.payloads.size();
      if (got.what != meaning::payloads)
        break;
    }
    CHECK(came == 2);
    other.join();
  }
}

TEST_CASE("A node that is reached by TLS must show a certificate for its name") {
  fake_server server{[](conversation& talk) {
                       if (!talk.accept_sign_in())
                         return;
                       talk.command();
                       std::string reply = "*200\r\n"; // several TLS records
                       for (int i = 0; i < 200; ++i)
                         reply += bulk_of(test::sample_record(static_cast<std::uint64_t>(i)));
                       talk.send(reply);
                       talk.command();
                     },
                     fake_server::kind::tls};
  const test::temporary_folder folder;
  const auto trusted = (folder.path() / "ca.pem").string();
  std::ofstream{trusted} << server.certificate();

  for (const std::string host : {"127.0.0.1", "localhost"}) {
    auto settings = settings_for(server.url(host));
    settings.ca_file = trusted;
    resp_connection connection{settings};
    const auto error = connection.open();
    INFO(render(error));
    REQUIRE(!error);
    const auto batch = connection.pop(200);
    REQUIRE(batch.payloads.size() == 200);
    CHECK(batch.payloads[199] == test::sample_record(199));
    CHECK(connection.pop(1).what == meaning::closed);
  }
  const auto refused = [&](const fake_server& at, const std::string& host, const std::string& ca) {
    auto settings = settings_for(at.url(host));
    settings.ca_file = ca;
    resp_connection connection{settings};
    const auto error = connection.open();
    CHECK(code_of(error) == errc::node_unreachable);
    return about_of(error);
  };
  CHECK(refused(server, "127.0.0.1", "").find("certificate") != std::string::npos);
  fake_server other{[](conversation&) {}, fake_server::kind::tls_elsewhere};
  std::ofstream{trusted} << other.certificate();
  CHECK(refused(other, "127.0.0.1", trusted).find("certificate") != std::string::npos);
  CHECK(refused(other, "localhost", trusted).find("certificate") != std::string::npos);
  CHECK(refused(server, "127.0.0.1", (folder.path() / "none.pem").string()).find("cannot be read")
        != std::string::npos);

  fake_server plain{[](conversation& talk) { talk.wait_for_end(); }};
  auto url = plain.url();
  auto settings = settings_for("https" + url.substr(4));
  settings.connect_timeout = 100ms;
  resp_connection connection{settings};
  CHECK(code_of(connection.open()) == errc::node_timeout);
}

TEST_CASE("IPv6 and names that have several addresses are tried one after the other") {
  std::unique_ptr<fake_server> six;
  try {
    six = std::make_unique<fake_server>([](conversation& talk) { talk.accept_sign_in(); }, fake_server::kind::plain_v6);
  } catch (const std::runtime_error&) {
    WARN("no IPv6 here");
  }
  if (six) {
    resp_connection connection{settings_for(six->url("[::1]"))};
    CHECK(!connection.open());
  }
  fake_server four{[](conversation& talk) { talk.accept_sign_in(); }};
  resp_connection connection{settings_for(four.url("localhost"))}; // ::1 first, where there is one
  CHECK(!connection.open());
}

TEST_CASE("A peer that goes away while we send raises no signal") {
  std::signal(SIGPIPE, SIG_DFL);
  dialogue talk{[](conversation&) {}};
  for (int i = 0; i < 5; ++i) {
    const auto batch = talk->pop(1);
    CHECK(batch.what == meaning::closed);
  }
}

TEST_CASE("The kernel is asked for room to receive") {
  dialogue talk{[](conversation& t) { t.wait_for_end(); }};
  int most = 0;
  std::ifstream{"/proc/sys/net/core/rmem_max"} >> most;
  if (most >= 4 << 20)
    CHECK(talk->receive_buffer() >= 4 << 20);
  else
    CHECK(talk->receive_buffer() > 0);
}

TEST_CASE("Urls are taken apart") {
  const std::pair<const char*, std::optional<node_address>> rows[] = {
    {"http://127.0.0.1:8317", node_address{false, "127.0.0.1", "8317"}},
    {"https://cpa.example/", node_address{true, "cpa.example", "443"}},
    {"http://cpa.example/prefix?x#y", node_address{false, "cpa.example", "80"}},
    {"http://[::1]:8317/", node_address{false, "::1", "8317"}},
    {"https://[2001:db8::1]", node_address{true, "2001:db8::1", "443"}},
    {"ftp://x", std::nullopt},
    {"cpa:8317", std::nullopt},
    {"http://", std::nullopt},
    {"http://:80", std::nullopt},
    {"http://x:", std::nullopt},
    {"http://x:0", std::nullopt},
    {"http://x:70000", std::nullopt},
    {"http://x:8o", std::nullopt},
    {"http://u:p@x:80", std::nullopt},
    {"http://::1:80", std::nullopt},
    {"http://[::1", std::nullopt},
    {"http://[]:80", std::nullopt},
    {"http://x]:80", std::nullopt},
  };
  for (const auto& [url, address] : rows) {
    INFO(url);
    CHECK(address_of(url) == address);
  }
}
