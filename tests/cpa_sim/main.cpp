// cpa-sim: the stand-in as a program.
#include "server.hpp"

#include "json.hpp"

#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>

namespace sim = keyportal::cpa_sim;

namespace {

constexpr const char* usage = R"(cpa-sim: stands in for CLIProxyAPI, era A (up to 6.9.49) and era B (up to 7.2.140)

  --port N           management and client port, 0 = any (default 18417)
  --control-port N   port for commands, 0 = any (default 0)
  --secret TEXT      management key (default demo-management-key); empty: no management API
  --key TEXT         a client key; repeatable (default: those of the invented traffic)
  --state FILE       config.yaml: keeps the client keys over restarts
  --oracle FILE      append-only list of everything ever recorded; FILE.fates: what became of it
  --oracle-brief     its lines without payload
  --rate R           invented records a second (default 0)
  --preload N        records to begin with, when the oracle is empty
  --seed N           of the invented traffic (default 1)
  --tz NAME          time zone (default Asia/Shanghai)
  --version TEXT     version to report and behave like (default 6.9.49; 6.10.0, 6.10.8, 7.1.17, 7.1.20, 7.2.140, …)
  --retention N      redis-usage-queue-retention-seconds of the config (default: not in it)
  --statistics 0|1   usage-statistics-enabled (default 1)
  --bcrypt-ms N      processor time of one management call (default 0; the real one: 70)
  --starting-up-ms N clients get 502 for so long after a start (default 0; the real one: 100)
  --allow-remote     let management calls come from elsewhere
  --tolerant         a silent connection keeps nobody out (the real one is frozen by it)
  --provider NAME=URL, --upstream-key TEXT (repeatable), --model ALIAS=UPSTREAM (repeatable)
                     the provider behind it, its credentials and models
  --account PROVIDER=LABEL=MODEL (repeatable), --no-accounts
                     its accounts by OAuth (PROVIDER codex, claude, antigravity, …; default: a dozen invented ones)
  --key-account PROVIDER=KEY=MODEL (repeatable)
                     upstream keys of other providers (gemini, claude, codex)
  --patience-ms N    how long invented traffic waits for a full subscriber (default 250; the real one: 0)
  --ready-file F     write the line about the ports there too, once ready
)";

bool number(const char* text, double least, double most, double& out) {
  char* end = nullptr;
  out = std::strtod(text, &end);
  return end != text && *end == '\0' && out >= least && out <= most;
}

struct settings {
  sim::options options;
  std::string ready_file;
};

/// Nothing when the command line is wrong; the reason is printed.
bool parse(int argc, char** argv, settings& s) {
  auto& o = s.options;
  o.port = 18417;
  o.may_kill_itself = true;
  double n = 0;
  const auto ms = [&n](const char* v, std::chrono::milliseconds& out) {
    const bool fine = number(v, 0, 600'000, n);
    out = std::chrono::milliseconds(static_cast<long>(n));
    return fine;
  };
  const auto port = [&n](const char* v, std::uint16_t& out) {
    const bool fine = number(v, 0, 65'535, n);
    out = static_cast<std::uint16_t>(n);
    return fine;
  };
  const auto text = [](const char* v, std::string& out) {
    out = v;
    return !out.empty();
  };
  const auto pair = [](const char* v, std::string& left, std::string& right) {
    const char* const equals = std::strchr(v, '=');
    if (equals == nullptr)
      return false;
    left.assign(v, equals);
    right = equals + 1;
    return true;
  };
  std::vector<std::string> upstream_keys;
  std::vector<sim::model_name> models;
  std::vector<sim::account> accounts;
  bool no_accounts = false;
  const auto account = [&](const char* v, bool file) {
    sim::account a{{}, {}, {}, file};
    std::string rest;
    if (!pair(v, a.provider, rest) || !pair(rest.c_str(), a.label, a.model) || a.label.empty())
      return false;
    accounts.push_back(std::move(a));
    return true;
  };
  const std::map<std::string, std::function<bool(const char*)>> with_value{
    {"--port", [&](const char* v) { return port(v, o.port); }},
    {"--control-port", [&](const char* v) { return port(v, o.control_port); }},
    {"--secret", [&](const char* v) { return o.secret = v, true; }},
    {"--provider", [&](const char* v) { return pair(v, o.provider, o.provider_url); }},
    {"--upstream-key", [&](const char* v) { return text(v, upstream_keys.emplace_back()); }},
    {"--model",
     [&](const char* v) { return models.emplace_back(), pair(v, models.back().alias, models.back().upstream); }},
    {"--key", [&](const char* v) { return text(v, o.keys.emplace_back()); }},
    {"--state", [&](const char* v) { return text(v, o.state_file); }},
    {"--oracle", [&](const char* v) { return text(v, o.oracle_file); }},
    {"--tz", [&](const char* v) { return text(v, o.time_zone); }},
    {"--version", [&](const char* v) { return text(v, o.version); }},
    {"--ready-file", [&](const char* v) { return text(v, s.ready_file); }},
    {"--account", [&](const char* v) { return account(v, true); }},
    {"--key-account", [&](const char* v) { return account(v, false); }},
    {"--patience-ms", [&](const char* v) { return ms(v, o.push_patience); }},
    {"--retention", [&](const char* v) { return number(v, 0, 1e6, n) && (o.retention = static_cast<int>(n), true); }},
    {"--statistics", [&](const char* v) { return number(v, 0, 1, n) && (o.statistics = n > 0, true); }},
    {"--rate", [&](const char* v) { return number(v, 0, 1e6, o.rate); }},
    {"--bcrypt-ms", [&](const char* v) { return ms(v, o.bcrypt); }},
    {"--starting-up-ms", [&](const char* v) { return ms(v, o.starting_up); }},
    {"--preload",
     [&](const char* v) { return number(v, 0, 1e7, n) && (o.preload = static_cast<std::size_t>(n), true); }},
    {"--seed", [&](const char* v) { return number(v, 0, 1e15, n) && (o.seed = static_cast<std::uint64_t>(n), true); }},
  };
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--allow-remote") {
      o.allow_remote = true;
    } else if (name == "--no-accounts") {
      no_accounts = true;
    } else if (name == "--oracle-brief") {
      o.oracle_brief = true;
    } else if (name == "--tolerant") {
      o.silent_socket_blocks = false;
    } else if (const auto known = with_value.find(name); known == with_value.end()) {
      fmt::print(stderr, "{}unknown option {}\n", usage, name);
      return false;
    } else if (++i >= argc || !known->second(argv[i])) {
      fmt::print(stderr, "cpa-sim: {} needs a value that fits it (see --help)\n", name);
      return false;
    }
  }
  if (!upstream_keys.empty())
    o.upstream_keys = upstream_keys;
  if (!models.empty())
    o.models = models;
  if (o.keys.empty())
    o.keys = sim::invented_keys();
  if (no_accounts || !accounts.empty())
    o.accounts = accounts;
  return true;
}

} // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--help") == 0) {
      fmt::print("{}", usage);
      return 0;
    }
  }
  settings s;
  if (!parse(argc, argv, s))
    return 2;
  // Signals are taken here, not by the server's threads.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  sim::server server(s.options);
  if (!server.problem().empty()) {
    fmt::print(stderr, "cpa-sim: {}\n", server.problem());
    // An empty config.yaml ends the real one with code 0.
    return server.problem().find("auth directory") != std::string::npos ? 0 : 1;
  }
  const std::string line =
    fmt::format("{{\"listening\":\"{}\",\"control\":\"{}\"}}\n", server.url(), server.control_url());
  fmt::print("{}", line);
  std::fflush(stdout);
  if (!s.ready_file.empty()) {
    const std::string unfinished = s.ready_file + ".new";
    if (!sim::write_in_place(unfinished, line).empty() || std::rename(unfinished.c_str(), s.ready_file.c_str()) != 0) {
      fmt::print(stderr, "cpa-sim: cannot write {}\n", s.ready_file);
      return 1;
    }
  }
  const timespec moment{0, 100'000'000};
  while (!server.ended() && sigtimedwait(&signals, nullptr, &moment) < 0) {}
  return 0;
}
