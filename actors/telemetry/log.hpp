// Log lines: time, level, component, event name (stable, for searching), then a sentence.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace keyportal::log {

enum class level { debug, info, warn, error };

/// Sets level ("debug", "info", "warn", "error") and whether lines are JSON objects; standard error. Once, at start.
void start(std::string_view least, bool as_json);

void write(level l, std::string_view component, std::string_view event, std::string_view text);
/// Whether a line of this level would be written at all.
bool wanted(level l);

template <class... Args>
void debug(std::string_view component, std::string_view event, fmt::format_string<Args...> text, Args&&... args) {
  if (wanted(level::debug))
    write(level::debug, component, event, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void info(std::string_view component, std::string_view event, fmt::format_string<Args...> text, Args&&... args) {
  if (wanted(level::info))
    write(level::info, component, event, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warn(std::string_view component, std::string_view event, fmt::format_string<Args...> text, Args&&... args) {
  write(level::warn, component, event, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void error(std::string_view component, std::string_view event, fmt::format_string<Args...> text, Args&&... args) {
  write(level::error, component, event, fmt::format(text, std::forward<Args>(args)...));
}

} // namespace keyportal::log
