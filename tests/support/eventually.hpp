// Waiting for something that another thread or process does: a deadline and a condition.
#pragma once

#include <chrono>
#include <thread>

namespace keyportal::test {

/// Whether the condition became true in time. It is looked at every few milliseconds.
template <class Condition>
bool eventually(Condition&& condition, std::chrono::milliseconds most = std::chrono::seconds{20}) {
  auto deadline = std::chrono::steady_clock::now() + most;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return true;
}

} // namespace keyportal::test
