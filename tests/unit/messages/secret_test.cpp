#include "messages/secret.hpp"

#include <array>
#include <cstring>
#include <new>

#include <catch2/catch_test_macros.hpp>

using namespace keyportal;

namespace {
/// Bytes of an object that is no more, as whoever reads the process's memory finds them.
struct grave {
  alignas(secret) std::array<char, sizeof(secret)> bytes{};
  [[nodiscard]] bool holds(std::string_view text) const {
    return std::string_view(bytes.data(), bytes.size()).find(text) != std::string_view::npos;
  }
};
} // namespace

TEST_CASE("A secret leaves nothing where it was when it ends or is moved away") {
  grave first, second; // short texts lie in the object itself
  auto* const one = new (first.bytes.data()) secret("short-key");
  REQUIRE(first.holds("short-key"));
  auto* const other = new (second.bytes.data()) secret(std::move(*one));
  CHECK_FALSE(first.holds("short"));
  CHECK(other->reveal() == "short-key");
  one->~secret();
  *other = secret("other-key");
  CHECK_FALSE(second.holds("short"));
  other->~secret();
  CHECK_FALSE(second.holds("other"));
}

TEST_CASE("A secret's longer text is overwritten before its memory goes to another") {
  secret long_one(std::string(100, 'a')), longer(std::string(200, 'b'));
  const char* const was = longer.reveal().data();
  const auto size = longer.reveal().size();
  longer = std::move(long_one); // the memory of the text before is now with the one that was moved from
  CHECK(longer.reveal() == std::string(100, 'a'));
  if (long_one.reveal().data() == was) // NOLINT(bugprone-use-after-move): that is what is looked at
    CHECK(std::memcmp(was, std::string(size, '\0').data(), size) == 0);
  CHECK(long_one.empty());
  const auto copy = longer;
  CHECK(copy == longer);
}
