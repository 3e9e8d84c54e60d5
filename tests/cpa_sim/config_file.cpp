#include "config_file.hpp"

#include "json.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
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

traits traits_of(const std::string& version) {
  std::array<int, 3> v{6, 9, 49};
  std::sscanf(version.c_str(), "%d.%d.%d", &v[0], &v[1], &v[2]);
  traits t;
  t.latency = v >= std::array{6, 9, 1};
  t.healthz = v >= std::array{6, 9, 10};
  t.healthz_head = v >= std::array{6, 9, 31};
  t.ban_localhost = v >= std::array{6, 9, 38};
  t.api_key_usage = v >= std::array{6, 9, 47};
  t.newest = v == std::array{6, 6, 96} ? 1000 : 0;
  return t;
}

std::string config_text(const options& o, const std::vector<std::string>& keys, bool statistics) {
  std::string out = "# config of the stand-in\nhost: \"127.0.0.1\"\nport: " + std::to_string(o.port) + '\n';
  out += std::string("remote-management:\n  allow-remote: ") + (o.allow_remote ? "true" : "false") + '\n';
  out += "  secret-key: \"$2a$10$not.a.real.hash.only.a.stand.in.for.the.one.of.the.proxy\"\n";
  out += keys.empty() ? "api-keys: []\n" : "api-keys:\n";
  for (const auto& key : keys)
    out += "  - " + json_text(key) + '\n';
  out += std::string("debug: false\nusage-statistics-enabled: ") + (statistics ? "true\n" : "false\n");
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
  }
  return values;
}

std::string config_json(const options& o, const std::string& keys_json, bool statistics) {
  const auto flag = [](bool on) { return on ? "true" : "false"; };
  std::string entries, models;
  for (const auto& key : o.upstream_keys)
    entries += (entries.empty() ? "" : ",") + ("{\"api-key\":" + json_text(key) + '}');
  for (const auto& m : o.models) {
    models +=
      (models.empty() ? "" : ",") + ("{\"name\":" + json_text(m.upstream) + ",\"alias\":" + json_text(m.alias) + '}');
  }
  return R"({"proxy-url":"","disable-image-generation":false,"enable-gemini-cli-endpoint":false,)"
         R"("force-model-prefix":false,"request-log":false,"api-keys":)"
         + keys_json
         + R"(,"passthrough-headers":false,"streaming":{},"tls":{"enable":false,"cert":"","key":""},"debug":false,)"
           R"("pprof":{"enable":false,"addr":"127.0.0.1:8316"},"commercial-mode":false,"logging-to-file":false,)"
           R"("logs-max-total-size-mb":0,"error-logs-max-files":10,"usage-statistics-enabled":)"
         + flag(statistics)
         + R"(,"disable-cooling":true,"auth-auto-refresh-workers":0,"request-retry":0,"max-retry-credentials":0,)"
           R"("max-retry-interval":0,"quota-exceeded":{"switch-project":false,"switch-preview-model":false,)"
           R"("antigravity-credits":false},"routing":{},"ws-auth":false,"gemini-api-key":null,"codex-api-key":null,)"
           R"("codex-header-defaults":{"user-agent":"","beta-features":""},"claude-api-key":null,)"
           R"("claude-header-defaults":{"user-agent":"","package-version":"","runtime-version":"","os":"","arch":"",)"
           R"("timeout":""},"openai-compatibility":[{"name":)"
         + json_text(o.provider) + R"(,"base-url":)" + json_text(o.provider_url) + R"(,"api-key-entries":[)" + entries
         + R"(],"models":[)" + models
         + R"(]}],"vertex-api-key":null,"ampcode":{"upstream-url":"","upstream-api-key":"",)"
           R"("restrict-management-to-localhost":false,"model-mappings":null,"force-model-mappings":false},)"
           R"("payload":{"default":null,"default-raw":null,"override":null,"override-raw":null,"filter":null}})";
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
