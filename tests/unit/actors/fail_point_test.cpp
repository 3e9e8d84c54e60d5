#include "actors/telemetry/fail_point.hpp"

#include <csignal>

#include <catch2/catch_test_macros.hpp>
#include <sys/wait.h>
#include <unistd.h>

using namespace keyportal;

namespace {

/// How a process ends that passes `kept` so often, with `received` in between.
int ended(const char* chosen, int passings) {
  const auto child = ::fork();
  if (child == 0) {
    choose_fail_point(chosen);
    for (int i = 0; i < passings; ++i) {
      fail_point(fail_at::received);
      fail_point(fail_at::kept);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

} // namespace

TEST_CASE("A process ends itself at the chosen passing of the chosen point and at no other") {
  CHECK(ended("kept:3", 2) == 0);
  CHECK(ended("kept:3", 3) == SIGKILL);
  CHECK(ended("committed:1", 5) == 0);
}

TEST_CASE("Where a process shall end itself must be understood, or nothing happens") {
  for (const auto* wrong : {"", "kept", "kept:", "kept:0", "kept:-1", "kept:1x", ":1", "nowhere:1"}) {
    CAPTURE(wrong);
    CHECK(!choose_fail_point(wrong));
    CHECK(ended(wrong, 2) == 0);
  }
}
