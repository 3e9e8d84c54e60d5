#include "actors/certificate_watch.hpp"

#include "actors/data_folder.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/errors.hpp"

namespace keyportal {

using namespace std::chrono_literals;

namespace {
constexpr auto pause = 2s;
constexpr auto near = 21 * 24h;
} // namespace

long certificate_calendar::days_left(std::chrono::system_clock::time_point ends,
                                     std::chrono::system_clock::time_point now) {
  return static_cast<long>(std::chrono::floor<std::chrono::duration<long, std::ratio<86400>>>(ends - now).count());
}

bool certificate_calendar::warns(std::chrono::system_clock::time_point ends,
                                 std::chrono::system_clock::time_point now) {
  if (ends - now > near || now - warned_ < 24h)
    return false;
  warned_ = now;
  return true;
}

certificate_watch::certificate_watch(std::shared_ptr<gateway::tls_identity> identity, std::filesystem::path pin_file,
                                     metrics& numbers)
  : identity_(std::move(identity)), pin_file_(std::move(pin_file)), numbers_(numbers) {
  write_pin();
  tell();
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, pause, [this] { return stop_; }))
      look();
  });
}

certificate_watch::~certificate_watch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
  std::error_code ignored;
  std::filesystem::remove(pin_file_, ignored);
}

void certificate_watch::look() {
  const auto came = identity_->look();
  if (!came) {
    numbers_.certificate_bad.Increment();
    log::error("gateway", "certificate-refused", "{}; the one before stays in use", render(came.error()));
  } else if (*came == gateway::tls_identity::look_result::taken) {
    numbers_.certificate_read.Increment();
    log::info("gateway", "certificate-taken", "A new certificate is in use for new connections");
    calendar_ = {};
    write_pin();
  }
  tell();
}

void certificate_watch::tell() {
  const auto now = std::chrono::system_clock::now();
  const auto days = certificate_calendar::days_left(identity_->ends(), now);
  numbers_.certificate_ends.Set(static_cast<double>(days));
  if (calendar_.warns(identity_->ends(), now))
    log::warn("gateway", "certificate-ends", "{}",
              days < 0 ? std::string{"The certificate of the gateway has ended; browsers refuse it"}
                       : fmt::format("The certificate of the gateway ends in {} days", days));
}

void certificate_watch::write_pin() {
  if (auto failed = write_file(pin_file_, identity_->pin() + "\n"))
    log::warn("gateway", "certificate-pin", "The command line will not know the certificate: {}", render(failed));
}

} // namespace keyportal
