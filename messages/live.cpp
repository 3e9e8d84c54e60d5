#include "messages/live.hpp"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "messages/json.hpp"

namespace keyportal {

namespace {
constexpr std::array<std::string_view, live_topic_count> names{"own", "all", "nodes", "jobs"};
} // namespace

std::string_view name_of(live_topic topic) { return names[static_cast<std::size_t>(topic)]; }

std::optional<live_topic> live_topic_of(std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name)
      return static_cast<live_topic>(i);
  return std::nullopt;
}

nlohmann::json to_json(topic_set topics) {
  auto out = nlohmann::json::array();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (topics.has(static_cast<live_topic>(i)))
      out.push_back(names[i]);
  return out;
}

live_frame_ptr make_frame(const nlohmann::json& content, sequence position, std::string replaces) {
  auto out = std::make_shared<live_frame>();
  out->text = dump(content);
  // A browser keeps the id of the last one and asks on from there (Last-Event-ID).
  out->event_text =
    position == 0 ? fmt::format("data: {}\n\n", out->text) : fmt::format("id: {}\ndata: {}\n\n", position, out->text);
  out->position = position;
  out->replaces = std::move(replaces);
  return out;
}

} // namespace keyportal
