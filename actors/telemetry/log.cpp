#include "actors/telemetry/log.hpp"

#include <chrono>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace keyportal::log {

namespace {

bool json_lines = false;

spdlog::level::level_enum of(level l) {
  switch (l) {
    case level::debug: return spdlog::level::debug;
    case level::info: return spdlog::level::info;
    case level::warn: return spdlog::level::warn;
    case level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

} // namespace

void start(std::string_view least, bool as_json) {
  json_lines = as_json;
  auto logger = std::make_shared<spdlog::logger>("keyportal", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_level(spdlog::level::from_str(std::string{least}));
  logger->flush_on(spdlog::level::info);
  logger->set_pattern(as_json ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z %^%-7l%$ %v");
  spdlog::set_default_logger(std::move(logger));
}

bool wanted(level l) { return spdlog::default_logger_raw()->should_log(of(l)); }

void write(level l, std::string_view component, std::string_view event, std::string_view text) {
  if (!json_lines) {
    // What came from outside must not be able to begin a line of its own.
    std::string one_line{text};
    for (auto& c : one_line)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
        c = ' ';
    spdlog::log(of(l), "{:<16} {:<18} {}", component, event, one_line);
    return;
  }
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const nlohmann::json line = {{"time", now},
                               {"level", spdlog::level::to_string_view(of(l)).data()},
                               {"component", component},
                               {"event", event},
                               {"text", text}};
  spdlog::log(of(l), "{}", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

} // namespace keyportal::log
