// How far a long transfer is, on one line that rewrites itself; nothing where no terminal is.
#pragma once

#include <chrono>
#include <ostream>
#include <string>

#include "actors/cli/table.hpp"

namespace keyportal::cli {

class progress {
public:
  using moment = std::chrono::steady_clock::time_point;

  progress(std::ostream& to, bool is_terminal, std::string what, moment began = std::chrono::steady_clock::now())
    : to_(to), shown_(is_terminal), what_(std::move(what)), began_(began) {}
  ~progress() {
    if (drawn_)
      to_ << "\r\x1b[K" << std::flush;
  }
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  /// Shows at most ten times a second, from the first second on; `total` is 0 where it is not known. As long as no byte
  /// has gone, how long it has been is all there is to say.
  void update(std::uint64_t done, std::uint64_t total, moment now) {
    if (!shown_ || now - began_ < std::chrono::seconds{1} || (drawn_ && now - last_ < std::chrono::milliseconds{100}))
      return;
    last_ = now;
    drawn_ = true;
    to_ << "\r\x1b[K" << what_;
    if (done == 0)
      to_ << " (" << std::chrono::duration_cast<std::chrono::seconds>(now - began_).count() << " s)";
    else
      to_ << " " << bytes_text(done);
    if (done > 0 && total >= done)
      to_ << " of " << bytes_text(total) << " (" << done * 100 / total << " %)";
    to_ << std::flush;
  }

private:
  std::ostream& to_;
  bool shown_;
  bool drawn_ = false;
  std::string what_;
  moment began_;
  moment last_{};
};

} // namespace keyportal::cli
