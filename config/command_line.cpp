#include "config/command_line.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace keyportal {

namespace {

/// The parser, its commands, and which of them stands for what.
struct grammar {
  CLI::App app{
    "Key Portal stands beside CLIProxyAPI: it keeps every usage record, notices restarts and puts usage back.",
    "keyportal"};
  std::map<const CLI::App*, command> commands;
  invocation parsed;
  std::vector<std::string> sets;
  std::string data_dir;
  std::string listen;
  std::string config_file;
  std::string file;
  std::string cpa_key_file;

  grammar();

private:
  CLI::App* add(CLI::App& parent, const std::string& name, const std::string& help, command what) {
    auto* sub = group(parent, name, help);
    commands[sub] = what;
    return sub;
  }
  static CLI::App* group(CLI::App& parent, const std::string& name, const std::string& help) {
    return parent.add_subcommand(name, help)->fallthrough();
  }
  void add_snapshot();
  void add_letters();
  void add_events_and_config();
};

grammar::grammar() {
  app.set_help_flag("-h,--help", "Show this help");
  app.set_version_flag("--version", fmt::format("keyportal {}", KEYPORTAL_VERSION), "Show the version");
  app.add_option("--config", config_file, "Configuration file (TOML); see keyportal config reference")
    ->type_name("FILE");
  app.add_option("--data-dir", data_dir, "Folder of everything that is kept")->type_name("FOLDER");
  app.add_option("--listen", listen, "Where the page and the API are served; port 0 takes any free one")
    ->type_name("ADDRESS:PORT");
  app.add_option("--set", sets, "Set an option, for example --set poll.interval=1s; may be given again")
    ->type_name("KEY=VALUE")
    ->allow_extra_args(false);
  app.add_option("--url", parsed.url, "Address of the running service (else found in the data folder)")
    ->type_name("URL");
  app.add_flag("--json", parsed.json, "Answer as JSON, for programs");
  app.add_flag("-y,--yes", parsed.yes, "Do not ask before something that cannot be undone");
  app.require_subcommand(1);
  app.footer("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not reachable.");

  add(app, "serve", "Run the service", command::serve)
    ->add_flag_callback(
      "--demo", [this] { sets.emplace_back("demo=true"); }, "Say on the page that the numbers are made up");
  add(app, "status", "How the running service and its nodes are", command::status);
  add_snapshot();
  add_letters();
  add_events_and_config();
}

void grammar::add_snapshot() {
  auto* snapshot = group(app, "snapshot", "Snapshots of the nodes' usage: list, show, make, export, import, restore");
  snapshot->require_subcommand(1);
  const auto node_option = [&](CLI::App* sub) {
    sub->add_option("-n,--node", parsed.node, "Name of the node (not needed when there is only one)")
      ->type_name("NODE");
  };
  const auto cpa_options = [&](CLI::App* sub) {
    auto* url =
      sub->add_option("--cpa", parsed.cpa_url, "Straight at a CLIProxyAPI, without the service")->type_name("URL");
    sub->add_option("--key-file", cpa_key_file, "File with its management key (else the variable KEYPORTAL_CPA_KEY)")
      ->type_name("FILE")
      ->needs(url);
  };

  auto* list = add(*snapshot, "list", "List the snapshots, newest first", command::snapshot_list);
  node_option(list);
  auto* show = add(*snapshot, "show", "Show one snapshot", command::snapshot_show);
  show->add_option("id", parsed.snapshot_id, "Its number")->required()->check(CLI::PositiveNumber);
  node_option(show);
  auto* make = add(*snapshot, "make", "Make a snapshot now", command::snapshot_make);
  node_option(make);
  auto* out = add(*snapshot, "export", "Write usage to a file that CLIProxyAPI and Key Portal can import",
                  command::snapshot_export);
  out->add_option("file", file, "File to write; - is standard output")->required();
  out->add_option("--id", parsed.snapshot_id, "Snapshot to write (else usage as of now)")
    ->check(CLI::NonNegativeNumber);
  node_option(out);
  cpa_options(out);
  auto* in = add(*snapshot, "import", "Take a usage export (also the original portal's cliproxy_snapshot.json)",
                 command::snapshot_import);
  in->add_option("file", file, "File to read; - is standard input")->required();
  node_option(in);
  cpa_options(in);
  auto* restore = add(*snapshot, "restore", "Put back into the node whatever it lacks", command::snapshot_restore);
  node_option(restore);
}

void grammar::add_letters() {
  const auto node_option = [&](CLI::App* sub) {
    sub->add_option("-n,--node", parsed.node, "Only of this node")->type_name("NODE");
  };
  const auto numbers = [&](CLI::App* sub, const std::string& help) {
    return sub->add_option("number", parsed.letters, help)->check(CLI::PositiveNumber);
  };
  node_option(add(app, "incompletes", "What nodes counted and the ledger lacks, by credential", command::incompletes));
  auto* letters = group(app, "deadletters", "What nodes sent and could not be decoded: list, show, replay, drop");
  letters->require_subcommand(1);
  node_option(add(*letters, "list", "List them with their reasons, oldest first", command::deadletters_list));
  auto* show = add(*letters, "show", "Print one as it came; it may hold a client key", command::deadletters_show);
  numbers(show, "Its number")->required()->expected(1);
  show->add_flag("--raw", parsed.raw, "Byte by byte, at a terminal, too");
  auto* replay = add(*letters, "replay", "Decode them again, all or some", command::deadletters_replay);
  numbers(replay, "Numbers of those (else all)");
  node_option(replay);
  auto* drop = add(*letters, "drop", "Give them up for good", command::deadletters_drop);
  numbers(drop, "Numbers of those")->required();
}

void grammar::add_events_and_config() {
  auto* events = group(app, "events", "The events on NATS: tail");
  events->require_subcommand(1);
  auto* tail = add(*events, "tail", "Print events as they happen", command::events_tail);
  tail->add_option("--from", parsed.from, "Where to begin: a sequence number, an RFC 3339 time, all or new")
    ->type_name("WHERE")
    ->capture_default_str();
  tail->add_option("--subject", parsed.subject, "Only these, for example keyportal.v1.node.>")->type_name("SUBJECT");
  tail->add_option("--count", parsed.count, "Stop after so many")->check(CLI::NonNegativeNumber);
  tail->add_option("--nats", parsed.nats_url, "NATS server (else the one of the running service)")->type_name("URL");

  auto* config = group(app, "config", "The configuration: check, print, reference");
  config->require_subcommand(1);
  add(*config, "check", "Say everything that is wrong with it", command::config_check);
  add(*config, "print", "Print what is in force and where it comes from, without secrets", command::config_print);
  auto* reference = add(*config, "reference", "Print every option (Markdown)", command::config_reference);
  reference->add_flag("--example", parsed.as_example, "Print a commented configuration file instead");
  auto* completion = add(app, "completion", "Print the completion script of a shell", command::completion);
  completion->add_option("shell", parsed.shell, "bash, zsh or fish")
    ->required()
    ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

/// Puts what was parsed where `invocation` wants it; empty when it is fine, else what is wrong.
std::string finish(grammar& g) {
  auto& parsed = g.parsed;
  if (!g.config_file.empty())
    parsed.config_file = g.config_file;
  parsed.file = g.file;
  parsed.cpa_key_file = g.cpa_key_file;
  if (!g.data_dir.empty())
    parsed.overrides.emplace_back("data_dir", g.data_dir);
  if (!g.listen.empty())
    parsed.overrides.emplace_back("gateway.listen", g.listen);
  for (const auto& set : g.sets) {
    const auto equals = set.find('=');
    if (equals == std::string::npos || equals == 0)
      return "--set takes KEY=VALUE, for example --set poll.interval=1s";
    parsed.overrides.emplace_back(set.substr(0, equals), set.substr(equals + 1));
  }
  if (!parsed.cpa_url.empty() && !parsed.node.empty())
    return "--cpa and --node exclude each other";
  if (parsed.raw && parsed.json)
    return "--raw and --json exclude each other";
  return {};
}

/// Commands below `app` as "name name" -> words that may follow (commands and options).
void collect(const CLI::App& app, const std::string& path, std::map<std::string, std::vector<std::string>>& words) {
  auto& here = words[path];
  for (const auto* sub : app.get_subcommands({})) {
    here.push_back(sub->get_name());
    collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), words);
  }
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames())
      here.push_back("--" + name);
}

} // namespace

invocation parse_command_line(int argc, const char* const* argv) {
  invocation failed;
  failed.exit_code = exit_wrong_usage;
  try {
    grammar g;
    try {
      g.app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      std::ostringstream out, err;
      const bool wrong = g.app.exit(error, out, err) != 0;
      failed.text = wrong ? err.str() : out.str();
      failed.exit_code = wrong ? exit_wrong_usage : exit_done;
      return failed;
    }
    const CLI::App* chosen = &g.app;
    while (!chosen->get_subcommands().empty())
      chosen = chosen->get_subcommands().front();
    g.parsed.what = g.commands.at(chosen);
    if (auto wrong = finish(g); !wrong.empty()) {
      failed.text = wrong + "\n";
      return failed;
    }
    return std::move(g.parsed);
  } catch (const std::exception& error) {
    failed.text = fmt::format("the command line could not be read: {}\n", error.what());
    return failed;
  }
}

std::string completion_script(const std::string& shell) {
  grammar g;
  std::map<std::string, std::vector<std::string>> words;
  collect(g.app, "", words);
  const auto& global = words[""];
  std::string script;
  if (shell == "fish") {
    for (const auto& [path, follow] : words) {
      for (const auto& word : follow) {
        const bool is_option = word.starts_with("--");
        const auto when = path.empty()
                            ? (is_option ? std::string("true") : std::string("__fish_use_subcommand"))
                            : fmt::format("test (string join ' ' -- (commandline -opc)[2..-1]) = '{}'", path);
        script += is_option ? fmt::format("complete -c keyportal -n \"{}\" -l {}\n", when, word.substr(2))
                            : fmt::format("complete -c keyportal -f -n \"{}\" -a {}\n", when, word);
      }
    }
    return script;
  }
  if (shell != "bash" && shell != "zsh")
    return {};
  if (shell == "zsh")
    script += "autoload -U +X bashcompinit && bashcompinit\n";
  script +=
    "_keyportal() {\n  local path= word i\n  for ((i = 1; i < COMP_CWORD; i++)); do\n    word=${COMP_WORDS[i]}\n"
    "    case $word in -*) continue ;; esac\n    path=\"${path:+$path }$word\"\n  done\n  local words\n"
    "  case $path in\n";
  // Longest first, so that "snapshot export" is not taken for "snapshot"; arguments may follow any of them.
  std::vector<std::string> paths;
  for (const auto& [path, follow] : words)
    paths.push_back(path);
  std::sort(paths.begin(), paths.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (const auto& path : paths) {
    auto follow = words[path];
    if (!path.empty())
      std::copy_if(global.begin(), global.end(), std::back_inserter(follow),
                   [](const auto& w) { return w.starts_with("-"); });
    std::sort(follow.begin(), follow.end());
    follow.erase(std::unique(follow.begin(), follow.end()), follow.end());
    script += fmt::format("    \"{}\"{}) words=\"{}\" ;;\n", path, path.empty() ? "" : "*", fmt::join(follow, " "));
  }
  script += "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
            "  [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
            "complete -o filenames -F _keyportal keyportal\n";
  return script;
}

} // namespace keyportal
