#include <catch2/catch_test_macros.hpp>

#include "gateway/compat/resp_command.hpp"
#include "tool.hpp"

using namespace keyportal::compat;

namespace {

command_state state_of(std::string_view bytes) {
  std::vector<std::string> words;
  std::size_t used = 0;
  return read_command(bytes, words, used);
}

} // namespace

TEST_CASE("A command is the same wherever its bytes are split") {
  const std::string bytes = "*4\r\n$4\r\nLPOP\r\n+usage\r\n:12\r\n$-1\r\n";
  std::vector<std::string> words;
  std::size_t used = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    REQUIRE(read_command(std::string_view(bytes).substr(0, i), words, used) == command_state::more);
  REQUIRE(read_command(bytes + "*1", words, used) == command_state::whole);
  CHECK(words == std::vector<std::string>{"LPOP", "usage", "12", ""});
  CHECK(used == bytes.size());
}

TEST_CASE("What is no command is told from what is not whole yet") {
  for (const auto* wrong : {"$4\r\nPING\r\n", "+PING\r\n", ":1\r\n", "-x\r\n", "*x\r\n", "*-1\r\n", "*65\r\n",
                            "*1\r\nPING\r\n", "*1\r\n$x\r\n", "*1\r\n$99999999999\r\n", "*1\r\n$4\r\nPINGxx",
                            "*1\r\n*1\r\n", "*99999999999999999999\r\n", "*1\r\n$65537\r\n"})
    CHECK(state_of(wrong) == command_state::malformed);
  for (const auto* part : {"", "*", "*1", "*1\r", "*1\r\n", "*1\r\n$", "*1\r\n$4\r\nPIN", "*1\r\n$4\r\nPING\r"})
    CHECK(state_of(part) == command_state::more);
  CHECK(state_of("*0\r\n") == command_state::whole);
  CHECK(state_of("*" + std::string(70'000, '1')) == command_state::malformed);
}

TEST_CASE("The first byte tells RESP from HTTP") {
  for (const char c : std::string("*$+-:"))
    CHECK(begins_resp(c));
  for (const char c : std::string("GPH\x16 \r\n{"))
    CHECK_FALSE(begins_resp(c));
}
