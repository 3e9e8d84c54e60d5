#include "config_file.hpp"

#include "json.hpp"
#include "usage_queue.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

namespace keyportal::cpa_sim {
namespace {

std::string error_words() {
  std::string words = std::strerror(errno);
  if (!words.empty())
    words[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(words[0])));
  return words;
}

std::string list_item(std::string_view text) {
  std::string value;
  if (!text.empty() && text[0] == '"') {
    json_reader in(text);
    in.string(value);
    return value;
  }
  return std::string(text.substr(0, text.find(" #")));
}

} // namespace

std::string config_text(const options& o, const config_values& values) {
  std::string out = "# config of the stand-in\nhost: \"127.0.0.1\"\nport: " + std::to_string(o.port) + '\n';
  out += std::string("remote-management:\n  allow-remote: ") + (o.allow_remote ? "true" : "false") + '\n';
  if (values.has_secret)
    out += "  secret-key: \"$2a$10$not.a.real.hash.only.a.stand.in.for.the.one.of.the.proxy\"\n";
  out += values.keys.empty() ? "api-keys: []\n" : "api-keys:\n";
  for (const auto& key : values.keys)
    out += "  - " + json_text(key) + '\n';
  out += std::string("debug: false\nusage-statistics-enabled: ") + (values.statistics ? "true\n" : "false\n");
  if (values.retention >= 0)
    out += "redis-usage-queue-retention-seconds: " + std::to_string(values.retention) + '\n';
  out += "request-retry: 0\ndisable-cooling: true\nlogging-to-file: false\nopenai-compatibility:\n";
  out += "  - name: " + json_text(o.provider) + "\n    base-url: " + json_text(o.provider_url) + '\n';
  out += "    api-key-entries:\n";
  for (const auto& key : o.upstream_keys)
    out += "      - api-key: " + json_text(key) + '\n';
  out += "    models:\n";
  for (const auto& m : o.models) {
    out += "      - name: " + json_text(m.upstream) + "\n        alias: " + json_text(m.alias) + '\n';
  }
  return out;
}

config_values read_config(std::string_view text) {
  config_values values;
  bool in_keys = false;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t content = line.find_first_not_of(' ');
    if (content == std::string_view::npos || line[content] == '#')
      continue;
    const std::string_view rest = line.substr(content);
    if (in_keys && rest.starts_with("- ")) {
      values.keys.push_back(list_item(rest.substr(2)));
      continue;
    }
    if (rest.starts_with("secret-key:") && rest.size() > std::string_view("secret-key: \"\"").size()) {
      values.has_secret = true;
    }
    if (content != 0)
      continue;
    in_keys = rest.starts_with("api-keys:");
    values.has_keys = values.has_keys || in_keys;
    if (rest.starts_with("usage-statistics-enabled: true"))
      values.statistics = true;
    constexpr std::string_view retention = "redis-usage-queue-retention-seconds:";
    if (rest.starts_with(retention))
      values.retention = std::atoi(std::string(rest.substr(retention.size())).c_str());
  }
  return values;
}

std::string yaml_problem(std::string_view text) {
  struct typed {
    std::string_view name, type;
  };
  static constexpr typed settings[] = {{"port", "int"},
                                       {"redis-usage-queue-retention-seconds", "int"},
                                       {"usage-statistics-enabled", "bool"},
                                       {"debug", "bool"}};
  bool mapping = false;
  int line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    const std::string where = "line " + std::to_string(line_number);
    const std::size_t colon = line.find(':');
    mapping = mapping || colon != std::string_view::npos;
    std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    if ((value.starts_with('[') && !value.ends_with(']')) || (value.starts_with('{') && !value.ends_with('}')))
      return where + ": did not find expected node content";
    for (const auto& s : settings) {
      if (colon == std::string_view::npos || line.substr(0, colon) != s.name || value.empty())
        continue;
      const bool fits = s.type == "int" ? value.find_first_not_of("-0123456789") == std::string_view::npos
                                        : value == "true" || value == "false";
      if (fits)
        continue;
      std::string word(value);
      if (word.size() > 1 && word.front() == '"' && word.back() == '"')
        word = word.substr(1, word.size() - 2);
      return "unmarshal errors:\n  " + where + ": cannot unmarshal !!str `" + word + "` into " + std::string(s.type);
    }
  }
  const bool blank = text.find_first_not_of(" \t\r\n") == std::string_view::npos;
  return blank || mapping ? "" : "no mapping";
}

std::string config_json(const options& o, const traits& t, const std::string& keys_json, const config_values& values) {
  const auto flag = [](bool on) { return std::string(on ? "true" : "false"); };
  std::string entries, models;
  for (const auto& key : o.upstream_keys)
    entries += (entries.empty() ? "" : ",") + ("{\"api-key\":" + json_text(key) + '}');
  for (const auto& m : o.models) {
    models +=
      (models.empty() ? "" : ",") + ("{\"name\":" + json_text(m.upstream) + ",\"alias\":" + json_text(m.alias) + '}');
  }
  const std::string upstream = R"("openai-compatibility":[{"name":)" + json_text(o.provider) + R"(,"base-url":)"
                               + json_text(o.provider_url) + R"(,"api-key-entries":[)" + entries + R"(],"models":[)"
                               + models + "]}],";
  const std::string payload =
    R"("payload":{"default":null,"default-raw":null,"override":null,"override-raw":null,"filter":null}})";
  std::string out = R"({"proxy-url":"","disable-image-generation":false,)";
  if (t.usage)
    out += R"("enable-gemini-cli-endpoint":false,)";
  out += R"("force-model-prefix":false,"request-log":false,)";
  if (t.default_lines)
    out += R"("claude-code":{"disable-cloaking-model-list":false},)";
  out += "\"api-keys\":" + keys_json
         + R"(,"passthrough-headers":false,"streaming":{},"tls":{"enable":false,"cert":"","key":""},)";
  if (t.default_lines) {
    out += R"("credential-concurrency":{"lifecycle-config-revision":0,"observation-barrier-revision":0,)"
           R"("cpa-heartbeat-timeout":3000000000,"cpa-cancel-bound":5000000000,"reclaim-grace":5000000000,)"
           R"("cleanup-interval":5000000000,"release-flush-interval":250000000,"release-max-backoff":2000000000,)"
           R"("busy-retry-min":250000000,"busy-retry-max":1000000000,"max-limit":1000000},)"
           R"("credential-in-flight":{"snapshot-interval":"2s","stale-after":"10s","max-part-bytes":262144,)"
           R"("max-part-count":64,"max-revision-bytes":16777216,"max-aggregate-groups":100000,"max-details":10000,)"
           R"("max-string-bytes":256,"staging-retention":"1m"},)"
           R"("plugins":{"enabled":false,"dir":"plugins","configs":{}},)";
  }
  out += R"("debug":false,"pprof":{"enable":false,"addr":"127.0.0.1:8316"},"commercial-mode":false,)"
         R"("logging-to-file":false,"logs-max-total-size-mb":0,"error-logs-max-files":10,"usage-statistics-enabled":)"
         + flag(values.statistics) + ',';
  if (t.retention_option) {
    out += "\"redis-usage-queue-retention-seconds\":" + std::to_string(retention_of(values.retention).count()) + ',';
  }
  out += "\"disable-cooling\":true,";
  if (t.default_lines)
    out += R"("save-cooldown-status":false,"transient-error-cooldown-seconds":0,)";
  out += R"("auth-auto-refresh-workers":0,"request-retry":0,"max-retry-credentials":0,)"
         R"("max-retry-interval":0,"quota-exceeded":{"switch-project":false,"switch-preview-model":false,)"
         R"("antigravity-credits":false},"routing":{},"ws-auth":)"
         + flag(t.default_lines) + ',';
  if (!t.default_lines) {
    return out
           + R"("gemini-api-key":null,"codex-api-key":null,)"
             R"("codex-header-defaults":{"user-agent":"","beta-features":""},"claude-api-key":null,)"
             R"("claude-header-defaults":{"user-agent":"","package-version":"","runtime-version":"","os":"","arch":"",)"
             R"("timeout":""},)"
           + upstream
           + R"("vertex-api-key":null,"ampcode":{"upstream-url":"","upstream-api-key":"",)"
             R"("restrict-management-to-localhost":false,"model-mappings":null,"force-model-mappings":false},)"
           + payload;
  }
  return out
         + R"("antigravity":{},"gemini-api-key":null,"interactions-api-key":null,"codex-api-key":null,)"
           R"("xai-api-key":null,"xai":{"inject-x-search":false},"codex":{"identity-confuse":false,)"
           R"("disable-codex-cloaking":false,"stream-bootstrap-buffering":false,"optimize-multi-agent-v2":false,)"
           R"("live-media-relay":{"enabled":false,"max-sessions":0,"disable-private-remote-ips":false,"public-ip":"",)"
           R"("udp-port-min":0,"udp-port-max":0,"ice-servers":null}},)"
           R"("codex-header-defaults":{"user-agent":"","beta-features":""},"claude-api-key":null,)"
           R"("claude-header-defaults":{"user-agent":"","package-version":"","runtime-version":"","os":"","arch":"",)"
           R"("timeout":"","timezone":""},"disable-claude-cloak-mode":false,)"
         + upstream + R"("vertex-api-key":null,)" + payload;
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(file), {}};
}

std::string write_in_place(const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0)
    return "open " + path + ": " + error_words();
  const ssize_t written = ::write(fd, text.data(), text.size());
  std::string problem;
  if (written != static_cast<ssize_t>(text.size()))
    problem = "write " + path + ": " + error_words();
  ::close(fd);
  return problem;
}

} // namespace keyportal::cpa_sim
