// Who may come in, and who has tried too often. Decides as CLIProxyAPI does; the clock is an argument. Pure.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "messages/ids.hpp"
#include "messages/secret.hpp"

namespace keyportal::compat {

/// A tool with a key of its own, and so with a place of its own in the queue.
struct consumer {
  std::string name; ///< [a-z0-9-]; the plain management key is that of "default"
  secret key;
  node_name node;              ///< sees that node only; empty: all of them together
  bool from_beginning = false; ///< where its place is when it is met for the first time; else at the end
};

/// Addresses are those of the TCP connection: what a request says of itself (`X-Forwarded-For`) is not believed, so
/// nobody can have another one banned. Any thread.
class key_guard {
public:
  using clock = std::chrono::steady_clock;

  explicit key_guard(std::vector<consumer> consumers) : consumers_(std::move(consumers)) {}

  struct verdict {
    const consumer* who = nullptr; ///< null: refused
    int status = 0;                ///< 401 or 403 then
    std::string why;
    bool banned = false;
  };
  /// Judges a key; an empty one is a missing one. Five failures of an address within two hours of each other ban it for
  /// 30 minutes, also with a good key; a good key before that forgets them.
  verdict judge(std::string_view key, const std::string& address, clock::time_point now);

  [[nodiscard]] const std::vector<consumer>& consumers() const { return consumers_; }

private:
  struct behaviour {
    int failures = 0;
    clock::time_point last{};
    std::optional<clock::time_point> banned_until;
  };
  behaviour& behaviour_of(const std::string& address, clock::time_point now);

  const std::vector<consumer> consumers_;
  std::mutex mutex_;
  std::unordered_map<std::string, behaviour> addresses_;
};

} // namespace keyportal::compat
