#include "actors/cpa/answers.hpp"

#include <cctype>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace keyportal::cpa {

namespace {

std::string error_text(std::string_view body) {
  if (body.size() > 4096)
    return {};
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("error") || !json["error"].is_string())
    return {};
  return json["error"].get<std::string>();
}

constexpr std::string_view ban_words = "Try again in ";

} // namespace

caf::error judge_management_answer(const std::string& node, long status, std::string_view body) {
  const auto text = error_text(body);
  switch (status) {
    case 200: return {};
    case 401: return make_error(errc::node_wrong_key, node);
    case 403: {
      const auto at = text.find(ban_words);
      if (text.starts_with("IP banned"))
        return make_error(errc::node_banned,
                          at == std::string::npos ? node : fmt::format("{}: {}", node, text.substr(at, 40)));
      return make_error(errc::node_forbidden, node);
    }
    case 404: return make_error(errc::node_without_usage, node);
    case 400:
      return make_error(errc::node_import_refused,
                        text.size() <= 64 && !text.empty() ? fmt::format("{}: {}", node, text) : node);
    default: return make_error(errc::node_failed, fmt::format("{}: HTTP status {}", node, status));
  }
}

std::chrono::seconds ban_left(const caf::error& banned) {
  constexpr std::chrono::seconds usual{30 * 60};
  const auto about = about_of(banned);
  auto at = about.find(ban_words);
  if (at == std::string::npos)
    return usual;
  std::chrono::seconds sum{0};
  long number = 0;
  bool any = false;
  for (at += ban_words.size(); at < about.size(); ++at) { // Go's duration: 1h2m3s
    const char c = about[at];
    if (std::isdigit(static_cast<unsigned char>(c)) && number < 100'000) {
      number = number * 10 + (c - '0');
      continue;
    }
    const long unit = c == 'h' ? 3600 : c == 'm' ? 60 : c == 's' ? 1 : 0;
    if (unit == 0)
      break;
    sum += std::chrono::seconds{number * unit};
    number = 0;
    any = true;
  }
  return any && sum <= usual ? sum : usual;
}

caf::expected<import_answer> read_import_answer(const std::string& node, std::string_view body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  import_answer out;
  const auto take = [&](const char* name, std::int64_t& into) {
    if (!json.is_object() || !json.contains(name) || !json[name].is_number_integer())
      return false;
    into = json[name].get<std::int64_t>();
    return true;
  };
  if (!take("added", out.added) || !take("skipped", out.skipped) || !take("total_requests", out.counters.requests)
      || !take("failed_requests", out.counters.failed))
    return make_error(errc::node_answer_malformed, fmt::format("{}: the import's answer", node));
  return out;
}

void read_config(std::string_view body, era_answer& into) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object())
    return;
  if (const auto at = json.find("usage-statistics-enabled"); at != json.end() && at->is_boolean())
    into.statistics_enabled = at->get<bool>();
  else
    into.statistics_enabled = false; // its default
  if (const auto at = json.find("redis-usage-queue-retention-seconds"); at != json.end() && at->is_number_integer())
    into.retention_s = at->get<std::int64_t>();
}

std::optional<std::string> with_retention(std::string_view yaml, std::int64_t seconds) {
  constexpr std::string_view name = "redis-usage-queue-retention-seconds";
  bool has_keys = false, has_management = false, done = false;
  std::string out;
  while (!yaml.empty()) {
    const auto end = yaml.find('\n');
    const auto line = yaml.substr(0, end);
    has_keys |= line.starts_with("api-keys:");
    has_management |= line.starts_with("remote-management:");
    if (line.starts_with(name) && line.substr(name.size()).starts_with(":")) {
      if (done)
        return std::nullopt; // twice: no YAML that anybody wrote on purpose
      out += fmt::format("{}: {}", name, seconds);
      done = true;
    } else {
      out += line;
    }
    if (end == std::string_view::npos)
      break;
    out.push_back('\n');
    yaml.remove_prefix(end + 1);
  }
  if (!has_keys || !has_management)
    return std::nullopt;
  if (!done) {
    if (!out.ends_with('\n'))
      out.push_back('\n');
    out += fmt::format("{}: {}\n", name, seconds);
  }
  return out;
}

} // namespace keyportal::cpa
