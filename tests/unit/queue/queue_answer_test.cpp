#include <catch2/catch_test_macros.hpp>

#include "actors/cpa/queue_record.hpp"
#include "messages/errors.hpp"
#include "tests/unit/queue/sample.hpp"

using namespace keyportal;
using namespace keyportal::cpa;

namespace {

std::vector<std::string> elements(std::string_view body) {
  const auto answer = split_queue_answer(body);
  REQUIRE(!answer.error);
  return {answer.elements.begin(), answer.elements.end()};
}

using list = std::vector<std::string>;

} // namespace

TEST_CASE("An answer of the queue is taken apart into its elements") {
  CHECK(elements("[]").empty());
  CHECK(elements(" \r\n[ \t] \n").empty());
  CHECK(elements(R"([{"a":1},{"b":[1,2,{"c":"]}"}]}])") == list{R"({"a":1})", R"({"b":[1,2,{"c":"]}"}]})"});
  CHECK(elements(R"( [ {"a" : "x,y" } , "text" ,7] )") == list{R"({"a" : "x,y" })", R"("text")", "7"});
  CHECK(elements(R"(["a\"]b","c\\"])") == list{R"("a\"]b")", R"("c\\")"});
}

TEST_CASE("A large answer gives every record back") {
  std::string body = "[";
  for (std::uint64_t i = 0; i < 500; ++i)
    body += (i == 0 ? "" : ",") + test::sample_record(i);
  body += "]";
  const auto all = elements(body);
  REQUIRE(all.size() == 500);
  for (std::uint64_t i = 0; i < 500; ++i)
    CHECK(all[i] == test::sample_record(i));
}

TEST_CASE("Anything but one array is an error, and whole elements before it are not lost") {
  struct row {
    std::string body;
    list before;
  };
  const row rows[] = {
    {"", {}},
    {"{}", {}},
    {"null", {}},
    {"<html>", {}},
    {"[", {}},
    {"[1", {}},
    {"[1,", {"1"}},
    {"[1,]", {"1"}},
    {"[,1]", {}},
    {"[1]x", {"1"}},
    {"[1][2]", {"1"}},
    {R"([{"a":1},{"b":)", {R"({"a":1})"}},
    {R"([{"a":1},{"b":"x)", {R"({"a":1})"}},
    {R"([{"a":1},{"b":2]])", {R"({"a":1})"}},
    {R"([{"a":1},{"b":"\)", {R"({"a":1})"}},
    {"[" + std::string(100, '['), {}},
  };
  for (const auto& r : rows) {
    INFO(r.body);
    const auto answer = split_queue_answer(r.body);
    CHECK(code_of(answer.error) == errc::node_answer_malformed);
    CHECK(list(answer.elements.begin(), answer.elements.end()) == r.before);
  }
}
