#include "actors/telemetry/fail_point.hpp"

#include <charconv>
#include <csignal>
#include <iterator>

namespace keyportal {

namespace {

std::atomic<std::uint64_t> passings_left{0};

constexpr std::string_view names[] = {"",
                                      "received",
                                      "kept",
                                      "decoded",
                                      "committed",
                                      "published",
                                      "decided",
                                      "appended",
                                      "ordered",
                                      "written",
                                      "seen",
                                      "closed",
                                      "retired",
                                      "copied",
                                      "decided_notice",
                                      "queued_notice",
                                      "taken_notice",
                                      "begun_notice",
                                      "sent_notice",
                                      "noted_notice"};

} // namespace

void fail_point_detail::passed() {
  if (passings_left.fetch_sub(1) == 1)
    std::raise(SIGKILL);
}

bool choose_fail_point(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos)
    return false;
  const auto count = text.substr(colon + 1);
  std::uint64_t n = 0;
  const auto [end, failed] = std::from_chars(count.data(), count.data() + count.size(), n);
  if (failed != std::errc{} || end != count.data() + count.size() || n == 0)
    return false;
  for (std::size_t i = 1; i < std::size(names); ++i)
    if (names[i] == text.substr(0, colon)) {
      passings_left = n;
      fail_point_detail::chosen = static_cast<fail_at>(i);
      return true;
    }
  return false;
}

} // namespace keyportal
