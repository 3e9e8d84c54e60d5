#include "actors/cpa/resp_parser.hpp"

#include <random>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "messages/errors.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/queue/sample.hpp"

using namespace keyportal;
using namespace keyportal::cpa;
using keyportal::test::bulk_of;
using keyportal::test::push_of;

namespace {

using step = resp_parser::step;

/// Everything a stream gives, as text: `depth-first kinds and texts`, and how it ended.
std::string told(resp_parser& parser) {
  std::string out;
  for (;;) {
    switch (parser.next()) {
      case step::incomplete: return out;
      case step::refused: return out + "!" + std::string{row_of(code_of(parser.problem())).name};
      case step::reply: break;
    }
    for (const auto& v : parser.reply()) {
      out += "snibz*"[static_cast<int>(v.kind)];
      out += v.kind == resp_value::type::integer || v.kind == resp_value::type::array ? std::to_string(v.number)
                                                                                      : std::string{v.text};
      out += ' ';
    }
    out += '|';
  }
}

std::string told_at_once(std::string_view bytes, resp_limits limits = {}) {
  resp_parser parser{limits};
  parser.feed(bytes);
  return told(parser);
}

const std::string medley = "+OK\r\n-ERR no such thing\r\n:42\r\n:-7\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n"
                           + bulk_of("a\r\nb") + push_of("{\"x\":1}") + push_of("", "errors")
                           + "*3\r\n*1\r\n:1\r\n*0\r\n$1\r\nz\r\n" + "*2\r\n$4\r\npong\r\n$-1\r\n"
                           + push_of(keyportal::test::sample_record(5)) + "*2\r\n" + bulk_of("one") + bulk_of("two");

} // namespace

TEST_CASE("Every kind of reply is read") {
  CHECK(told_at_once("+OK\r\n") == "sOK |");
  CHECK(told_at_once("+\r\n") == "s |");
  CHECK(told_at_once("-ERR x\r\n") == "nERR x |");
  CHECK(told_at_once(":-9223372036854775808\r\n:+5\r\n") == "i-9223372036854775808 |i5 |");
  CHECK(told_at_once("$3\r\na\rb\r\n") == "ba\rb |");
  CHECK(told_at_once("$-1\r\n*-1\r\n*0\r\n") == "z |z |*0 |");
  CHECK(told_at_once("*2\r\n*2\r\n:1\r\n$1\r\nx\r\n*0\r\n") == "*2 *2 i1 bx *0 |");
}

TEST_CASE("Nothing is a reply before its last byte is here") {
  for (const std::string whole : {"+OK\r\n", "$5\r\nhello\r\n", "*2\r\n$1\r\na\r\n:1\r\n", "*0\r\n"})
    for (std::size_t n = 0; n < whole.size(); ++n) {
      INFO(whole << " cut at " << n);
      CHECK(told_at_once(whole.substr(0, n)).empty());
    }
}

TEST_CASE("The same bytes give the same replies wherever they are cut") {
  const auto expected = told_at_once(medley);
  for (std::size_t n = 0; n <= medley.size(); ++n) {
    resp_parser parser;
    parser.feed(medley.substr(0, n));
    auto got = told(parser);
    parser.feed(medley.substr(n));
    CHECK(got + told(parser) == expected);
  }
  resp_parser parser;
  std::string got;
  for (const char c : medley) {
    parser.feed({&c, 1});
    got += told(parser);
  }
  CHECK(got == expected);
}

TEST_CASE("Random cuts of a long stream change nothing") {
  std::mt19937_64 random{test::make_seed()};
  std::string stream;
  for (std::uint64_t i = 0; i < 300; ++i)
    stream += i % 17 == 0 ? medley : push_of(test::sample_record(i));
  const auto expected = told_at_once(stream);
  for (int round = 0; round < 20; ++round) {
    resp_parser parser;
    std::string got;
    for (std::size_t at = 0; at < stream.size();) {
      const auto piece = std::min<std::size_t>(stream.size() - at, 1 + random() % (1U << (random() % 17)));
      auto room = parser.room(piece);
      REQUIRE(room.size() >= piece);
      stream.copy(room.data(), piece, at);
      parser.received(piece);
      at += piece;
      got += told(parser);
    }
    CHECK(got == expected);
  }
}

TEST_CASE("The texts of all replies live until more is received") {
  resp_parser parser;
  std::string stream;
  for (std::uint64_t i = 0; i < 50; ++i)
    stream += push_of(test::sample_record(i));
  parser.feed(stream);
  std::vector<std::string_view> payloads;
  resp_message message;
  while (parser.next() == step::reply) {
    REQUIRE(read_message(parser.reply(), message));
    CHECK(message.channel == "usage");
    payloads.push_back(message.payload);
  }
  REQUIRE(payloads.size() == 50);
  for (std::uint64_t i = 0; i < 50; ++i)
    CHECK(payloads[i] == test::sample_record(i));
}

TEST_CASE("What arrived of a reply that never ends can be had") {
  resp_parser parser;
  parser.feed("*3\r\n" + bulk_of("first") + bulk_of("second") + "$5\r\nthi");
  REQUIRE(parser.next() == step::incomplete);
  parser.room(1U << 20); // moves everything
  const auto values = parser.unfinished();
  REQUIRE(values.size() == 3);
  CHECK(values[0].number == 3);
  CHECK(values[1].text == "first");
  CHECK(values[2].text == "second");
  CHECK(!parser.waiting().empty());
}

TEST_CASE("What is no RESP is refused, and stays refused") {
  for (const std::string bad :
       {"HTTP/1.1 400 Bad Request\r\n", "x", "\r\n", "+OK\n", "+a\rb\r\n", "$x\r\n", "$\r\n", "*1x\r\n", "$-2\r\n",
        "*-5\r\n", "$3\r\nabcd\r\n", "$3\r\nabc\n\n", ":1.5\r\n", ":+-5\r\n", ": 1\r\n", "$99999999999999999999\r\n",
        "$0000000000000000000000000001\r\n", "*1\r\nx"}) {
    INFO(bad);
    resp_parser parser;
    parser.feed(bad);
    CHECK(told(parser) == "!node_answer_malformed");
    parser.feed("+OK\r\n");
    CHECK(told(parser) == "!node_answer_malformed");
    parser.reset();
    parser.feed("+OK\r\n");
    CHECK(told(parser) == "sOK |");
  }
  CHECK(told_at_once("+" + std::string(5000, 'a')) == "!node_answer_malformed");
}

TEST_CASE("Replies before bad bytes are not lost") {
  CHECK(told_at_once("+OK\r\n" + push_of("{}") + "garbage") == "sOK |*3 bmessage busage b{} |!node_answer_malformed");
}

TEST_CASE("What is announced beyond the limits is refused before it arrives") {
  const resp_limits limits{.max_depth = 2, .max_elements = 5, .max_bulk_bytes = 10, .max_reply_bytes = 60};
  CHECK(told_at_once("$10\r\n0123456789\r\n", limits) == "b0123456789 |");
  CHECK(told_at_once("$11\r\n", limits) == "!node_answer_too_large");
  CHECK(told_at_once("*5\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", limits).ends_with("|"));
  CHECK(told_at_once("*6\r\n", limits) == "!node_answer_too_large");
  CHECK(told_at_once("*3\r\n*3\r\n", limits) == "!node_answer_too_large");
  CHECK(told_at_once("*1\r\n*1\r\n:1\r\n", limits) == "*1 *1 i1 |");
  CHECK(told_at_once("*1\r\n*1\r\n*1\r\n", limits) == "!node_answer_too_large");
  CHECK(
    told_at_once("*5\r\n" + bulk_of("0123456789") + bulk_of("0123456789") + bulk_of("0123456789") + "$10\r\n", limits)
    == "!node_answer_too_large");
  CHECK(told_at_once(push_of("0123456789"), limits).ends_with("b0123456789 |"));
  CHECK(told_at_once(push_of("01234567890"), limits) == "!node_answer_too_large");
  CHECK(told_at_once("$9223372036854775807\r\n") == "!node_answer_too_large");
  CHECK(told_at_once("*9223372036854775807\r\n") == "!node_answer_too_large");
}

TEST_CASE("Messages are told from other replies") {
  resp_message message;
  for (const std::string other :
       {"+message\r\n", "*3\r\n$9\r\nsubscribe\r\n$5\r\nusage\r\n:1\r\n", "*2\r\n$7\r\nmessage\r\n$5\r\nusage\r\n",
        "*3\r\n$7\r\nmessage\r\n:1\r\n$2\r\n{}\r\n", "*3\r\n+message\r\n$5\r\nusage\r\n$2\r\n{}\r\n"}) {
    INFO(other);
    resp_parser parser;
    parser.feed(other);
    REQUIRE(parser.next() == step::reply);
    CHECK(!read_message(parser.reply(), message));
  }
}
