// Arguments -> settings -> the service or a command -> exit code.
#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "actors/cli/cli.hpp"
#include "actors/nats/event_reader.hpp"
#include "actors/service.hpp"
#include "actors/stopped_ledger.hpp"
#include "config/command_line.hpp"
#include "config/load.hpp"
#include "config/reference.hpp"

// Read by jemalloc when the process starts: what was used once for a burst goes back to the system within seconds.
extern "C" const char* malloc_conf; // its name for it
const char* malloc_conf = "background_thread:true,narenas:4,dirty_decay_ms:2000,muzzy_decay_ms:0";

namespace {

using namespace keyportal;

int serve(const loaded_settings& loaded) {
  for (const auto& w : loaded.warnings)
    std::fprintf(stderr, "warning: %s\n", describe(w).c_str());
  for (const auto& e : loaded.errors)
    std::fprintf(stderr, "error: %s\n", describe(e).c_str());
  if (!loaded.errors.empty())
    return exit_wrong_usage;
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("sse4.2")) {
    std::fputs("error: this processor is too old: Key Portal needs SSE 4.2 (any x86-64 since 2010)\n", stderr);
    return exit_failed;
  }
#endif
  return run_service(loaded.values, print_json(loaded));
}

/// The sample subscriber behind `events tail`, with whatever the settings say about the server.
caf::error tail(const settings& s, const cli::tail_request& asked,
                const std::function<bool(const cli::tailed_event&)>& on_event) {
  nats::tail_settings how;
  how.server = asked.ours ? nats_server(s) : nats::server_settings{};
  how.server.url = secret{asked.url};
  how.server.client_name = "keyportal events tail";
  how.from = asked.from;
  how.subject = asked.subject;
  return nats::tail_events(how, [&](const nats::tail_event& e) {
    return on_event({e.seq, e.time, e.subject, e.id, e.type, e.body});
  });
}

} // namespace

int main(int argc, char** argv) {
  const auto asked = parse_command_line(argc, argv);
  if (asked.what == command::print_text) {
    std::fputs(asked.text.c_str(), asked.exit_code == 0 ? stdout : stderr);
    return asked.exit_code;
  }
  auto sources = process_sources();
  if (asked.config_file)
    sources.file = asked.config_file;
  sources.overrides.insert(sources.overrides.end(), asked.overrides.begin(), asked.overrides.end());
  const auto loaded = load_settings(sources);
  if (asked.what == command::serve)
    return serve(loaded);
  return cli::run(
    asked, loaded, cli::process_console(),
    {.tail = [&](const cli::tail_request& request,
                 const auto& on_event) { return tail(loaded.values, request, on_event); },
     .check_ledger = [](const settings& s, bool mends, const auto& progress) -> caf::expected<nlohmann::json> {
       const auto told = check_stopped_ledger(s, mends, progress);
       if (!told)
         return told.error();
       return to_json(*told);
     }});
}
