#include "actors/ledger/check_round.hpp"

#include <chrono>

#include <fmt/chrono.h>

namespace keyportal {

namespace {

std::string text_of(std::int32_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

} // namespace

caf::error check_round::begin(const storage::ledger& books) {
  auto days = books.days_of_rollups();
  if (!days)
    return days.error();
  days_ = std::move(*days);
  told_.days = days_.size();
  return {};
}

void check_round::found(std::uint64_t rows_wrong, std::uint64_t rows_mended) {
  const auto& which = day();
  told_.rows_wrong += rows_wrong;
  told_.rows_mended += rows_mended;
  if (rows_wrong > 0 && ++told_.days_wrong <= ledger_check::most_told)
    told_.wrong.push_back({which.node, text_of(which.day), rows_wrong});
  ++next_;
  told_.days_done = next_;
}

void check_round::end(std::string problem) {
  told_.running = false;
  told_.problem = std::move(problem);
}

} // namespace keyportal
