#include "messages/errors.hpp"

#include <set>
#include <string>

#include <caf/sec.hpp>
#include <catch2/catch_test_macros.hpp>

using namespace keyportal;

TEST_CASE("Every error has its own number and name, and a sentence that says what to do") {
  std::set<int> numbers;
  std::set<std::string_view> names;
  for (auto row = error_rows_begin(); row != error_rows_end(); ++row) {
    CHECK(numbers.insert(static_cast<int>(row->code)).second);
    CHECK(names.insert(row->name).second);
    CHECK(row->sentence.size() > 15);
    CHECK(row->http_status >= 200);
    CHECK(row->http_status < 600);
  }
}

TEST_CASE("An error says what it is about") {
  const auto e = make_error(errc::node_unreachable, "shanghai");
  CHECK(code_of(e) == errc::node_unreachable);
  CHECK(about_of(e) == "shanghai");
  CHECK(render(e).starts_with("shanghai: the node does not answer"));
  CHECK(render(make_error(errc::timed_out)) == row_of(errc::timed_out).sentence);
}

TEST_CASE("CAF's own errors are told as ours") {
  CHECK(code_of(caf::error{}) == errc::none);
  CHECK(code_of(caf::sec::request_timeout) == errc::timed_out);
  CHECK(code_of(caf::sec::request_receiver_down) == errc::shutting_down);
  CHECK(code_of(caf::sec::runtime_error) == errc::internal);
}

TEST_CASE("An unknown number is told as an internal error") {
  CHECK(row_of(static_cast<errc>(19)).code == errc::internal);
}
