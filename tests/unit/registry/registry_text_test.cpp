#include "actors/key_registry/registry_text.hpp"

#include <catch2/catch_test_macros.hpp>

#include "messages/errors.hpp"

using namespace keyportal;

TEST_CASE("Names of people in any script are taken, without blanks around") {
  for (const auto* name : {"Ann", "王小明", "José Ñandú", "Ann O'Neill (phone)", "🦊"})
    CHECK(*tidy_name("the name", name, false) == name);
  CHECK(*tidy_name("the name", "  Ann \t", false) == "Ann");
  CHECK(tidy_name("the name", "  ", true)->empty());
}

TEST_CASE("Hostile names are refused, and the refusal does not repeat them") {
  const std::string hostile[] = {"",
                                 "<b>Ann</b>",
                                 "=1+1",
                                 "@SUM(A1)",
                                 "-2",
                                 "+2",
                                 "a\nb",
                                 std::string{"a\0b", 3},
                                 "\x7f",
                                 "abc\xe2\x80\xae"
                                 "cba",
                                 "\xe2\x81\xa6x",
                                 "a\xe2\x80\x8b"
                                 "b",
                                 "\xff\xfe",
                                 "\xc0\xaf",
                                 "\xed\xa0\x80",
                                 std::string(10'000, 'x')};
  for (const auto& name : hostile) {
    const auto refused = tidy_name("the name", name, false);
    REQUIRE_FALSE(refused);
    CHECK(code_of(refused.error()) == errc::name_refused);
    if (name.size() > 3)
      CHECK(render(refused.error()).find(name) == std::string::npos);
  }
}

TEST_CASE("E-mail addresses are kept in lower case, and what is none is refused") {
  CHECK(*tidy_email(" Ann.B+x@Example.COM ") == "ann.b+x@example.com");
  for (const auto* text : {"", "ann", "@example.com", "ann@", "ann@example", "ann@.com", "ann@a..b", "a b@example.com",
                           "ann@example.com>", "=x@example.com", "ann@exämple.com"})
    CHECK_FALSE(tidy_email(text));
  CHECK_FALSE(tidy_email(std::string(250, 'a') + "@example.com"));
}
