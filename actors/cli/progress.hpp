// How far a long transfer is, on one line that rewrites itself; nothing where no terminal is.
#pragma once

#include <chrono>
#include <ostream>
#include <string>

#include "actors/cli/table.hpp"

namespace keyportal::cli {

class progress {
public:
  progress(std::ostream& to, bool is_terminal, std::string what)
    : to_(to), shown_(is_terminal), what_(std::move(what)) {}
  ~progress() {
    if (drawn_)
      to_ << "\r\x1b[K" << std::flush;
  }
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  /// At most ten times a second it shows; `total` is 0 where it is not known.
  void update(std::uint64_t done, std::uint64_t total, std::chrono::steady_clock::time_point now) {
    if (!shown_ || done == 0 || (drawn_ && now - last_ < std::chrono::milliseconds{100}))
      return;
    last_ = now;
    drawn_ = true;
    to_ << "\r\x1b[K" << what_ << " " << bytes_text(done);
    if (total >= done && total > 0)
      to_ << " of " << bytes_text(total) << " (" << done * 100 / total << " %)";
    to_ << std::flush;
  }

private:
  std::ostream& to_;
  bool shown_;
  bool drawn_ = false;
  std::string what_;
  std::chrono::steady_clock::time_point last_{};
};

} // namespace keyportal::cli
