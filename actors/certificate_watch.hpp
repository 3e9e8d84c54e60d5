// Looks at the gateway's certificate every few seconds, takes a new one, and says when it is about to end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "actors/telemetry/metrics.hpp"
#include "gateway/tls.hpp"

namespace keyportal {

/// What is to be said of a certificate's end. Pure.
class certificate_calendar {
public:
  /// Whether to warn now: from 21 days before the end on, once a day.
  [[nodiscard]] bool warns(std::chrono::system_clock::time_point ends, std::chrono::system_clock::time_point now);
  /// Whole days that are left; negative once it is over.
  static long days_left(std::chrono::system_clock::time_point ends, std::chrono::system_clock::time_point now);

private:
  std::chrono::system_clock::time_point warned_{};
};

/// A thread of its own, since it reads files; ends with this.
class certificate_watch {
public:
  /// `pin_file`: where the pin of the key in use is written, for our own command line.
  certificate_watch(std::shared_ptr<gateway::tls_identity> identity, std::filesystem::path pin_file, metrics& numbers);
  ~certificate_watch();
  certificate_watch(const certificate_watch&) = delete;
  certificate_watch& operator=(const certificate_watch&) = delete;

private:
  void look();
  void tell();
  void write_pin();

  std::shared_ptr<gateway::tls_identity> identity_;
  std::filesystem::path pin_file_;
  metrics& numbers_;
  certificate_calendar calendar_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_; ///< last: it uses all of the above
};

} // namespace keyportal
