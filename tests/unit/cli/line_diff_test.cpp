#include <catch2/catch_test_macros.hpp>

#include "actors/cli/line_diff.hpp"

using keyportal::cli::line_diff;

TEST_CASE("equal texts have no difference") {
  CHECK(line_diff("", "").empty());
  CHECK(line_diff("a\nb\n", "a\nb\n").empty());
}

TEST_CASE("what went and what came is shown with three lines around it") {
  CHECK(line_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n")
        == "…\n  2\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n…\n");
  CHECK(line_diff("a\n", "a\nb\n") == "  a\n+ b\n");
  CHECK(line_diff("a\nb\n", "b\n") == "- a\n  b\n");
  CHECK(line_diff("", "a\n") == "+ a\n");
}

TEST_CASE("a last line without its end is told as what it is") {
  CHECK(line_diff("a", "a\n") == "only the end of the last line differs\n");
}

TEST_CASE("where very much differs it is one replacement") {
  std::string before, after;
  for (int i = 0; i < 5000; ++i) {
    before += "b" + std::to_string(i) + "\n";
    after += "a" + std::to_string(i) + "\n";
  }
  const auto all = line_diff(before, after);
  CHECK(all.starts_with("- b0\n- b1\n"));
  CHECK(all.ends_with("+ a4999\n"));
}
