// How the quota windows of one account went: samples of the present ones, how full earlier ones became, when the present one
// is used up if it goes on so, and what was told of it. Pure; time is an argument.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "messages/accounts.hpp"

namespace keyportal {

/// A straight line through the samples of a window.
exhaustion forecast(const std::vector<std::pair<moment, double>>& samples, std::optional<moment> begins_anew,
                    moment now);

class window_book {
public:
  static constexpr std::size_t most_samples = 200, most_ended = 60, most_windows = 32;
  static constexpr std::chrono::minutes between_samples{4}; ///< unless it changed by a percent

  struct mark {
    std::string window;
    int percent = 0; ///< 80, 95 or 100, reached for the first time in this window
    double used = 0;
    std::optional<moment> begins_anew;
  };

  /// Takes what was told; sets the forecasts in it. What has been reached since.
  std::vector<mark> take(std::vector<quota_window>& windows, moment now);
  [[nodiscard]] account_windows history() const;
  [[nodiscard]] std::string write() const;
  /// False for what `write` does not write.
  bool read(std::string_view text);
  /// The windows as they were told last.
  [[nodiscard]] std::vector<quota_window> last(moment now) const;
  [[nodiscard]] std::optional<moment> taken_at() const { return taken_at_; }

private:
  struct window {
    quota_window now;
    std::vector<std::pair<moment, double>> samples;
    std::vector<window_history::past> ended;
    int told = 0; ///< percent
    double most = 0;
  };
  std::vector<window> windows_;
  std::optional<moment> taken_at_;
};

} // namespace keyportal
