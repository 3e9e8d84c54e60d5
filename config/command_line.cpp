#include "config/command_line.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <sstream>
#include <tuple>

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
  void add_usage();
  void add_export();
  void add_snapshot();
  void add_letters();
  void add_people();
  void add_keys();
  void add_policies_and_audit();
  void add_accounts();
  void add_node_and_import();
  void add_prices();
  void add_store();
  void add_notices();
  void add_word(CLI::App* sub) {
    sub->add_option("--command", parsed.registry.word, "Name of this command: given twice, it is done once")
      ->type_name("NAME");
  }
  /// May be given again, or once with commas.
  static void add_list(CLI::App* sub, const std::string& name, std::vector<std::string>& to, const std::string& help) {
    sub->add_option(name, to, help)->delimiter(',')->allow_extra_args(false);
  }
  void add_cpa(CLI::App* sub);
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
  add_usage();
  add_export();
  add_snapshot();
  add_letters();
  add_people();
  add_keys();
  add_policies_and_audit();
  add_accounts();
  add_node_and_import();
  add_prices();
  add_store();
  add_notices();
  add_events_and_config();
}

void grammar::add_cpa(CLI::App* sub) {
  auto* url =
    sub->add_option("--cpa", parsed.cpa_url, "Straight at a CLIProxyAPI, without the service")->type_name("URL");
  sub->add_option("--key-file", cpa_key_file, "File with its management key (else the variable KEYPORTAL_CPA_KEY)")
    ->type_name("FILE")
    ->needs(url);
}

void grammar::add_usage() {
  auto& u = parsed.usage;
  const auto common = [&](CLI::App* sub) {
    sub->add_option("--from", u.from, "Since when: 30d (else), 2026-04-02, today, week, month, year or RFC 3339");
    sub->add_option("--to", u.to, "Until when, likewise (else now)");
    sub->add_option("--zone", u.zone, "Time zone, for example Asia/Shanghai (else the service's)")->type_name("ZONE");
    add_list(sub, "--where", u.where, "Only this, for example model=gpt-5; of one kind one of those given");
  };
  auto* usage = add(app, "usage", "What was used, added up", command::usage);
  common(usage);
  add_list(usage, "--by", u.by,
           "Apart by one or two of node, key, user, group, model, alias, provider, account, endpoint, outcome, status, "
           "weekday, hour");
  usage->add_option("--step", u.step, "In pieces of time: minute, 10m, 15m, hour, day, week or month");
  usage->add_option("--top", u.top, "So many by themselves (else 10)")->check(CLI::Range(1, 1000));
  usage->add_option("--order", u.order, "Who is at the top: requests (else), failed, tokens, cost, …");
  usage->add_flag("--sunday", u.weeks_begin_on_sunday, "Weeks begin on Sunday");
  usage->add_flag("--percentiles", u.percentiles, "With percentiles of latency");
  usage->add_flag("--compare", u.compare, "With the change against the same span of time before");
  usage->add_flag("--unused", u.unused, "With the keys (people) that used nothing");
  auto* records = add(app, "records", "Single records, newest first", command::records);
  common(records);
  records->add_option("--text", u.text, "In the model, the alias, the account or the error");
  records->add_flag("--oldest", u.oldest, "Oldest first");
  records->add_option("--limit", u.limit, "So many (else 100)")->check(CLI::Range(1, 1000));
  records->add_option("--cursor", u.cursor, "Go on where another page says");
  auto* ledger = group(app, "ledger", "What is added up from the records: verify, rebuild");
  ledger->require_subcommand(1);
  add(*ledger, "verify", "Compare it with the records, day by day; changes nothing", command::ledger_verify);
  add(*ledger, "rebuild", "Compare it, and make anew what is wrong", command::ledger_rebuild);
}

void grammar::add_export() {
  auto& u = parsed.usage;
  auto& e = parsed.exported;
  auto* sub =
    add(app, "export", "All records, roll-ups, people, keys or the audit log into a file", command::export_rows);
  sub->add_option("what", e.what, "records, rollups, users, keys or audit")
    ->required()
    ->check(CLI::IsMember({"records", "rollups", "users", "keys", "audit"}));
  sub->add_option("-f,--format", e.format, "csv (else), jsonl, or of records cpa: as CLIProxyAPI exports usage")
    ->check(CLI::IsMember({"csv", "jsonl", "cpa"}));
  sub->add_option("-o,--output", file, "The file (else, or with -, standard output)")->type_name("FILE");
  sub->add_flag("--resume", e.resume, "Go on where an export into this file broke");
  sub->add_option("--from", u.from,
                  "Since when: 30d, 2026-04-02, today, week, month, year or RFC 3339 (else the first)");
  sub->add_option("--to", u.to, "Until when, likewise (else the last)");
  sub->add_option("--zone", u.zone, "Time zone of what is shown and of days, for example Asia/Shanghai (else UTC)")
    ->type_name("ZONE");
  add_list(sub, "--where", u.where, "Only this, for example model=gpt-5; of one kind one of those given");
  sub->add_option("--text", u.text, "Of records: in the model, the alias, the account or the error");
  add_list(sub, "--by", u.by,
           "Of roll-ups: apart by node, key, user, group, model, alias, provider, account, endpoint, "
           "outcome, status, weekday, hour");
  sub->add_option("--step", u.step, "Of roll-ups: hour, day (else), week or month");
  sub->add_flag("--sunday", u.weeks_begin_on_sunday, "Weeks begin on Sunday");
  sub->add_flag("--bom", e.byte_order_mark, "CSV begins with a byte order mark, as some spreadsheets need it");
}

void grammar::add_snapshot() {
  auto* snapshot = group(app, "snapshot", "Snapshots of the nodes' usage: list, show, make, export, import, restore");
  snapshot->require_subcommand(1);
  const auto node_option = [&](CLI::App* sub) {
    sub->add_option("-n,--node", parsed.node, "Name of the node (not needed when there is only one)")
      ->type_name("NODE");
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
  add_cpa(out);
  auto* in = add(*snapshot, "import", "Take a usage export (also the original portal's cliproxy_snapshot.json)",
                 command::snapshot_import);
  in->add_option("file", file, "File to read; - is standard input")->required();
  node_option(in);
  add_cpa(in);
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

void grammar::add_people() {
  auto& r = parsed.registry;
  auto* users = group(app, "users", "People: list, show, add, change, approve, suspend, resume, delete");
  users->require_subcommand(1);
  const auto person = [&](CLI::App* sub) { sub->add_option("person", r.person, "E-mail address or id")->required(); };
  const auto details = [&](CLI::App* sub) {
    sub->add_option("--name", r.name, "Name");
    sub->add_option("--label", r.label, "Anything to remember about the person");
    sub->add_option("--role", r.role, "user, auditor or admin")->check(CLI::IsMember({"user", "auditor", "admin"}));
    add_list(sub, "--group", r.groups, "Group; may be given again; none empties");
    add_word(sub);
  };
  auto* list = add(*users, "list", "List people", command::users_list);
  list->add_option("--state", r.state, "Only these")
    ->check(CLI::IsMember({"pending", "active", "suspended", "deleted"}));
  list->add_option("--text", r.text, "Only with this in e-mail address, name or label");
  list->add_option("--limit", r.limit, "At most so many (else all)");
  person(add(*users, "show", "Show a person and the person's keys", command::users_show));
  auto* make = add(*users, "add", "Add a person", command::users_add);
  make->add_option("email", r.email, "E-mail address")->required();
  details(make);
  make->add_flag("--pending", r.pending, "Until somebody approves");
  auto* change = add(*users, "change", "Change what is given", command::users_change);
  person(change);
  change->add_option("--email", r.email, "E-mail address");
  details(change);
  add_list(change, "--budget", r.budgets, "Of all keys together, for example tokens/month=1000000; none empties");
  for (const auto& [name, help, to] :
       {std::tuple{"approve", "Let in a person that waits", "active"},
        {"suspend", "Take all keys away for a time", "suspended"},
        {"resume", "Give the keys back", "active"},
        {"delete", "Revoke all keys and forget the address; refuse a person that waits", "deleted"}}) {
    auto* sub = add(*users, name, help, command::users_state);
    sub->parse_complete_callback([this, to = to] { parsed.registry.to = to; });
    person(sub);
    sub->add_option("--reason", r.reason, "Why; whoever waited for approval is told");
    add_word(sub);
  }
}

void grammar::add_keys() {
  auto& r = parsed.registry;
  auto* keys = group(app, "keys",
                     "Client keys: list, show, assign, renew, rotate, suspend, resume, revoke, adopt, find, label, "
                     "change, renewals, drift");
  keys->require_subcommand(1);
  const auto key = [&](CLI::App* sub) { sub->add_option("key", r.key, "Its id, or the beginning of it")->required(); };
  const auto nodes = [&](CLI::App* sub) {
    add_list(sub, "--node", r.nodes,
             "Where it works: a node or a group of them; may be given again; all for everywhere");
  };
  auto* list = add(*keys, "list", "List keys; never with their texts", command::keys_list);
  list->add_option("--state", r.state, "Only these")
    ->check(CLI::IsMember({"pooled", "live", "suspended", "expired", "rotated", "revoked", "external"}));
  list->add_option("--owner", r.owner, "Only of this person");
  list->add_option("--text", r.text, "Only with this in label, id or what is shown of it");
  list->add_option("--limit", r.limit, "At most so many (else all)");
  key(add(*keys, "show", "Show one key", command::keys_show));
  auto* assign = add(*keys, "assign", "Give a person a key and print it, this once", command::keys_assign);
  assign->add_option("person", r.person, "E-mail address or id")->required();
  assign->add_option("--label", r.label, "Which device, which project");
  assign->add_option("--lifetime", r.lifetime, "Instead of the policy's, for example 90d; never ends");
  nodes(assign);
  add_word(assign);
  auto* renew = add(*keys, "renew", "Let a key end later", command::keys_renew);
  key(renew);
  renew->add_option("--lifetime", r.lifetime, "From now on, for example 90d (else the policy's); never ends");
  add_word(renew);
  auto* rotate = add(*keys, "rotate", "Put a new key in its place and print it, this once", command::keys_rotate);
  key(rotate);
  rotate->add_option("--grace", r.grace, "How long the old one works besides, for example 1h (else not at all)");
  add_word(rotate);
  for (const auto& [name, help] : {std::pair{"suspend", "Take a key away for a time"},
                                   {"resume", "Give it back"},
                                   {"revoke", "End a key for good"}}) {
    auto* sub = add(*keys, name, help, command::keys_step);
    sub->parse_complete_callback([this, step = name] { parsed.registry.to = step; });
    key(sub);
    add_word(sub);
  }
  auto* adopt = add(*keys, "adopt", "Give a key that was found at a node an owner", command::keys_adopt);
  key(adopt);
  adopt->add_option("person", r.person, "E-mail address or id")->required();
  adopt->add_option("--label", r.label, "Which device, which project");
  add_word(adopt);
  add(*keys, "find", "Say which key a text is; it is read from standard input", command::keys_find);
  auto* label = add(*keys, "label", "Change a key's label", command::keys_change);
  key(label);
  label->add_option("label", r.label, "Which device, which project")->required();
  add_word(label);
  auto* change = add(*keys, "change", "Change a key's label, budgets or nodes", command::keys_change);
  key(change);
  change->add_option("--label", r.label, "Which device, which project");
  add_list(change, "--budget", r.budgets, "For example tokens/month=1000000; may be given again; none empties");
  nodes(change);
  add_word(change);
  auto* renewals = group(*keys, "renewals", "What owners ask for: list, ask, approve, refuse");
  renewals->require_subcommand(1);
  add(*renewals, "list", "List the renewals that wait for a decision", command::renewals_list)
    ->add_option("--limit", r.limit, "At most so many (else all)");
  auto* ask = add(*renewals, "ask", "Ask an admin to let a key end later", command::renewals_ask);
  key(ask);
  ask->add_option("--reason", r.reason, "Why")->required();
  ask->add_option("--lifetime", r.lifetime, "From the approval on, for example 90d (else the policy's); never ends");
  add_word(ask);
  for (const auto& [name, help, approve] :
       {std::tuple{"approve", "Let it end as late as was asked", true}, {"refuse", "Let it end when it ends", false}}) {
    auto* sub = add(*renewals, name, help, command::renewals_answer);
    sub->parse_complete_callback([this, approve = approve] { parsed.registry.approve = approve; });
    key(sub);
    sub->add_option("--reason", r.reason, "Why; the owner is told");
    add_word(sub);
  }
  add(*keys, "drift", "Nodes whose keys are not as they should be, and keys that wait for a choice",
      command::keys_drift);
  auto* pool = group(app, "pool", "Keys that nobody has yet: show, fill");
  pool->require_subcommand(1);
  add(*pool, "show", "How many keys there are in which state", command::pool_show);
  auto* fill = add(*pool, "fill", "Make keys", command::pool_fill);
  fill->add_option("count", r.count, "How many")->required()->check(CLI::Range(1, 10'000));
  add_word(fill);
}

void grammar::add_policies_and_audit() {
  auto& r = parsed.registry;
  auto* policies = group(app, "policies", "What groups of people may: list, show, set, drop");
  policies->require_subcommand(1);
  const auto named = [&](CLI::App* sub) {
    sub->add_option("name", r.policy, "Name of the group; default is for everybody else")->required();
  };
  add(*policies, "list", "List the policies", command::policies_list);
  named(add(*policies, "show", "Show one", command::policies_show));
  auto* set = add(*policies, "set", "Make a policy, or change what is given of it", command::policies_set);
  named(set);
  set->add_option("--keys-per-user", r.keys_per_user, "Keys that a person may have");
  set->add_option("--lifetime", r.lifetime, "Of a new key, for example 90d; never ends");
  set->add_option("--longest-renewal", r.longest_renewal, "By the owner, for example 90d; never: as the lifetime");
  set->add_option("--renewal", r.renewal, "Who lets a key end later: self (its owner), approval (asked for) or none")
    ->check(CLI::IsMember({"self", "approval", "none"}));
  add_list(set, "--key-budget", r.budgets, "Of each key, for example tokens/month=1000000; none empties");
  add_list(set, "--user-budget", r.user_budgets, "Of all keys of one person");
  add_list(set, "--group-budget", r.group_budgets, "Of all keys of the group");
  add_list(set, "--node", r.nodes, "Where keys work: a node or a group of them; all for everywhere");
  add_list(set, "--model", r.models, "Models shown to people; none empties");
  add_word(set);
  auto* drop = add(*policies, "drop", "Drop a policy", command::policies_drop);
  named(drop);
  add_word(drop);
  auto* audit = group(app, "audit", "Who did what: list, verify");
  audit->require_subcommand(1);
  auto* list = add(*audit, "list", "List the newest entries", command::audit_list);
  list->add_option("--limit", r.limit, "So many (else 100)");
  list->add_option("--after", r.after, "Only behind this position");
  list->add_option("--what", r.what, "Only these, for example key.assign, or key. for all about keys");
  list->add_option("--about", r.about, "Only about this person, key or policy");
  auto* verify = add(*audit, "verify", "Prove that no entry was changed or is missing", command::audit_verify);
  verify->add_option("--last", r.last,
                     "POSITION:HASH as the event keyportal.v1.store.audit.head said them: it must still be so");
}

void grammar::add_accounts() {
  auto& a = parsed.account;
  auto* accounts = group(app, "account", "Accounts with providers: contribute them, and see how they are");
  accounts->require_subcommand(1);
  const auto node = [&](CLI::App* sub, const char* help) {
    sub->add_option("--node", parsed.node, help)->type_name("NAME");
  };
  const auto named = [&](CLI::App* sub) {
    sub->add_option("account", a.account, "Its id, file or address, or the beginning of one")->required();
    return sub;
  };
  auto* list = add(*accounts, "list", "List them with owner, condition and quota", command::account_list);
  node(list, "Only of this node");
  list->add_option("--provider", a.provider, "Only of this provider, for example claude");
  list->add_option("--condition", a.condition, "Only in this condition")
    ->check(CLI::IsMember({"fine", "degraded", "resting", "not_renewed", "login_needed", "off"}));
  named(add(*accounts, "show", "Show one", command::account_show));
  named(add(*accounts, "quota", "How its windows of quota went", command::account_quota))
    ->add_flag("--fresh", a.fresh, "Ask the provider first");
  add(*accounts, "providers", "With which providers one can sign in", command::account_providers);
  auto* contribute = add(*accounts, "contribute", "Sign in with a provider; the account joins those of a node",
                         command::account_contribute);
  contribute->add_option("provider", a.provider, "For example claude; see keyportal account providers")->required();
  node(contribute, "At this node (else where fewest accounts of it are)");
  contribute->add_option("--project", a.project, "Of gemini-cli: the Google project");
  contribute->add_flag("--no-catch", a.no_catch, "Do not listen where the browser ends; it is pasted");
  contribute->add_flag("--only-begin", a.only_begin, "Only print the address of the provider's page");
  auto* submit = add(*accounts, "submit", "Hand in the address at which the browser ended, read from standard input",
                     command::account_submit);
  submit->add_option("--login", a.login, "Of this login (else its state says which)");
  named(add(*accounts, "enable", "Switch one on", command::account_enable));
  named(add(*accounts, "disable", "Switch one off; no request goes to it then", command::account_disable));
  named(add(*accounts, "delete", "Delete one at its node; the provider is not told", command::account_delete));
  named(add(*accounts, "test", "Ask its provider now", command::account_test));
  add(*accounts, "import-mapping", "Say whose accounts are, by a user_mapping.json", command::account_import_mapping)
    ->add_option("file", file, "The file; - is standard input")
    ->required();
}

void grammar::add_node_and_import() {
  auto& r = parsed.registry;
  auto* node = group(app, "node", "One node: keys, config");
  node->require_subcommand(1);
  const auto at = [&](CLI::App* sub) { sub->add_option("node", parsed.node, "Name of the node")->required(); };
  at(add(*node, "keys", "Whether its keys are as they should be", command::node_keys));
  auto* config = group(*node, "config", "What its config.yaml was before writes: list, show, diff, restore");
  config->require_subcommand(1);
  at(add(*config, "list", "List what is kept, newest first", command::node_config_list));
  const auto numbers = [&](CLI::App* sub, const std::string& help, int most) {
    at(sub);
    sub->add_option("number", r.numbers, help)->expected(0, most)->check(CLI::PositiveNumber);
  };
  numbers(add(*config, "show", "Print one; it holds keys", command::node_config_show), "Its number (else the newest)",
          1);
  numbers(add(*config, "diff", "Show what changed; it may hold keys", command::node_config_diff),
          "Numbers of the older and the newer one (else the newest two, or up to the newest)", 2);
  auto* back = add(*config, "restore", "Give one back to the node", command::node_config_restore);
  numbers(back, "Its number (else the newest)", 1);

  auto* import = group(app, "import",
                       "Files of other tools: user-keys, key-pool, user-mapping, snapshot, usage-db, usage-history, "
                       "cpa-usage-keeper, cpa-manager-plus");
  import->require_subcommand(1);
  for (const auto& [name, help, what] :
       {std::tuple{"user-keys", "People and their keys (user_keys.json)", command::import_user_keys},
        {"key-pool", "Keys that nobody has, and that somebody has (key_pool.json)", command::import_key_pool},
        {"user-mapping", "People by their addresses (user_mapping.json)", command::import_user_mapping}}) {
    auto* sub = add(*import, name, help, what);
    sub->add_option("file", file, "File to read; - is standard input")->required();
    sub->add_flag("--dry-run", r.dry_run, "Only say what would be done");
  }
  for (const auto& [name, help, what] :
       {std::tuple{"usage-db", "Days that the original portal had added up (usage.db)", command::import_usage_db},
        {"usage-history", "The same (usage_history.csv); - is standard input", command::import_usage_history},
        {"cpa-usage-keeper", "Records of cpa-usage-keeper (app.db)", command::import_keeper},
        {"cpa-manager-plus", "Records of CPA-Manager-Plus or CPA-Manager (usage.sqlite)",
         command::import_manager_plus}}) {
    auto* sub = add(*import, name, help, what);
    sub->add_option("file", file, "File to read; it is never written to")->required();
    sub->add_flag("--dry-run", r.dry_run, "Only say what would be done");
    sub->add_option("-n,--node", parsed.node, "Name of the node (not needed when there is only one)")
      ->type_name("NODE");
  }
  auto* days = add(app, "history", "Days that other tools had added up, which are part of no total", command::history);
  days->add_option("-n,--node", parsed.node, "Only of this node")->type_name("NODE");
  days->add_option("--from", parsed.from_day, "The first day, as 2026-04-02")->type_name("DAY");
  days->add_option("--to", parsed.to_day, "The last day")->type_name("DAY");
  auto* usage =
    add(*import, "snapshot", "Usage (cliproxy_snapshot.json), as keyportal snapshot import", command::snapshot_import);
  usage->add_option("file", file, "File to read; - is standard input")->required();
  usage->add_option("-n,--node", parsed.node, "Name of the node (not needed when there is only one)")
    ->type_name("NODE");
  add_cpa(usage);
}

void grammar::add_prices() {
  auto& p = parsed.prices;
  auto* prices = group(app, "prices", "What models cost: list, show, set, drop, import, unpriced, reprice");
  prices->require_subcommand(1);
  const auto from_to = [&](CLI::App* sub) {
    sub->add_option("--from", p.from, "From this day (UTC) or moment on, for example 2026-04-02");
    sub->add_option("--to", p.to, "Until before this day or moment");
  };
  auto* list = add(*prices, "list", "List the prices that are in force", command::prices_list);
  list->add_option("text", p.model, "Only with this in model or provider");
  list->add_option("--source", p.source, "Only these")
    ->check(CLI::IsMember({"by_hand", "imported", "litellm", "models_dev"}));
  list->add_flag("--all", p.all, "Also those that ended, or are not in force yet");
  auto* show = add(*prices, "show", "Show which prices a model has, and which of them counts", command::prices_show);
  show->add_option("model", p.model, "As the upstream calls it, or as clients do")->required();
  show->add_option("--provider", p.provider, "Of this provider, for example codex");
  show->add_option("--tier", p.tier, "Of a request of this tier, for example priority");
  show->add_option("--input-tokens", p.input_tokens, "Of a request with so many of them");
  show->add_option("--at", p.from, "On this day or at this moment (else now)");
  auto* set = add(*prices, "set", "Set a price, in US dollars for a million tokens; it comes before imported ones",
                  command::prices_set);
  set->add_option("model", p.model, "Name, or a pattern with *")->required();
  set->add_option("--provider", p.provider, "Only of this provider");
  set->add_option("--input", p.input, "Of input that no cache had");
  set->add_option("--output", p.output, "Of output");
  set->add_option("--cache-read", p.cache_read, "Of input out of a cache (else as input)");
  set->add_option("--cache-write", p.cache_write, "Of input into a cache (else as input)");
  set->add_option("--reasoning", p.reasoning, "Of reasoning (else as output)");
  set->add_option("--request", p.request, "Of a request, in US dollars");
  set->add_option("--multiplier", p.multiplier, "All of it times this");
  set
    ->add_option(
      "--step", p.steps,
      "Other rates for some requests, for example tier=priority,input=6 or above=200000,input=6,output=22.5; "
      "may be given again")
    ->allow_extra_args(false);
  from_to(set);
  add_word(set);
  auto* drop = add(*prices, "drop", "Drop a model's price as if it had never been", command::prices_drop);
  drop->add_option("model", p.model, "As it was set")->required();
  drop->add_option("--provider", p.provider, "That of this provider (else the one for any)");
  drop->add_option("--source", p.source, "Of this source (else set by hand)")
    ->check(CLI::IsMember({"by_hand", "imported", "litellm", "models_dev"}));
  drop->add_option("--from", p.from, "Only the one that holds from this day or moment on");
  add_word(drop);
  auto* take = add(*prices, "import", "Take a published price list; those set by hand stay", command::prices_import);
  take->add_option("format", p.format, "litellm or models-dev")
    ->required()
    ->check(CLI::IsMember({"litellm", "models-dev"}));
  take->add_option("from", p.where, "File (- is standard input) or https address to read")->required();
  take->add_option("--only", p.only, "Only models that this pattern fits, for example gpt-*");
  take->add_flag("--dry-run", p.dry_run, "Only say what would change");
  take->add_flag("--private-address", p.private_address, "The address may be on this machine or in a private network");
  add_word(take);
  auto* without = add(*prices, "unpriced", "List models with requests that have no price", command::prices_unpriced);
  from_to(without);
  auto* again =
    add(*prices, "reprice",
        "Work out anew what records cost, by the prices of now; days whose raw records are gone stay as they are",
        command::prices_reprice);
  from_to(again);
  again->add_flag("--dry-run", p.dry_run, "Only say what would change");
  again->add_flag("--show", p.show, "Only how far the one under way has come, or what came of the last");
}

void grammar::add_store() {
  auto& b = parsed.backup;
  auto* backup = group(app, "backup", "Encrypted backups of the data folder: create, list, verify, restore, prune");
  backup->require_subcommand(1);
  const auto where = [&](CLI::App* sub) {
    sub->add_option("--folder", b.folder, "Where the backups are (else backup.folder), read without the service")
      ->type_name("FOLDER");
    sub->add_option("--key-file", b.key_file, "File with their key (else backup.key_file)")->type_name("FILE");
    sub->add_option("--passphrase-file", b.passphrase_file, "File with their passphrase (else backup.passphrase_file)")
      ->type_name("FILE");
  };
  auto* create = add(*backup, "create", "Make one, of the running service or of the data folder as it lies there",
                     command::backup_create);
  create->add_flag("--full", b.full, "Rests on no file that an earlier one kept");
  where(create);
  where(add(*backup, "list", "List them, newest first", command::backup_list));
  auto* verify = add(*backup, "verify", "Prove that every bit of them is as it was written", command::backup_verify);
  verify->add_option("id", b.id, "Only this one");
  verify->add_flag("--restore", b.restore,
                   "Besides: restore it (else the newest) into a folder that goes again, and prove the ledger in it");
  where(verify);
  auto* restore = add(*backup, "restore", "Put the ledger of a backup into a data folder; the service must not run",
                      command::backup_restore);
  restore->add_option("id", b.id, "Which one (else the newest)");
  restore->add_option("--to", b.to, "Data folder (else data_dir)")->type_name("FOLDER");
  restore->add_flag("--replace", b.replace, "Set a ledger that is there aside, under a name that tells when");
  where(restore);
  where(add(*backup, "prune", "Drop those that backup.keep, keep_daily and keep_weekly do not keep",
            command::backup_prune));
  auto* cluster = group(app, "cluster", "Several processes that are one: status, members, leases, diff, repair");
  cluster->require_subcommand(1);
  add(*cluster, "status", "How all of them are, and who sees to what", command::cluster_status);
  add(*cluster, "members", "The processes, how far each is, and what it is behind", command::cluster_members);
  add(*cluster, "leases", "Which process sees to which duty", command::cluster_leases);
  add(*cluster, "diff", "What their ledgers differ in, by node and day; fails where they do", command::cluster_diff);
  add(*cluster, "repair",
      "Set this process's ledger aside, while it is stopped: it takes the cluster's at its next start",
      command::cluster_repair);
  auto* retention = group(app, "retention", "How long single records are kept: show, run");
  retention->require_subcommand(1);
  add(*retention, "show", "How far back they go, what went, how large the data folder is", command::retention_show);
  add(*retention, "run", "Let go now of what is older than retention.records", command::retention_run);
}

void grammar::add_notices() {
  auto& n = parsed.notices;
  auto* notices = group(app, "notices", "Who was told what: list, show, resend, test, preview, channels");
  notices->require_subcommand(1);
  auto* list = add(*notices, "list", "List them, newest first", command::notices_list);
  list->add_option("--state", n.state, "waiting, sending, delivered, refused, given_up, gathered or unknown");
  list->add_option("--kind", n.kind, "Of this kind only, for example key.expiring");
  list->add_option("--channel", n.channel, "By this channel only");
  list->add_option("--about", n.about, "About this key, node or person only");
  list->add_option("--recipient", n.recipient, "To this person only (id)");
  list->add_option("--limit", n.limit, "How many at most; 0: all");
  auto* show = add(*notices, "show", "Show one with every attempt", command::notices_show);
  show->add_option("id", n.id, "Its id")->required();
  auto* resend = add(*notices, "resend", "Send one once more", command::notices_resend);
  resend->add_option("id", n.id, "Its id")->required();
  auto* test = add(*notices, "test", "Send a test by a channel, and say what came of it", command::notices_test);
  test->add_option("channel", n.channel, "Name of the channel")->required();
  test->add_option("--to", n.address, "To this address instead of the channel's own target");
  auto* preview = add(*notices, "preview", "Show how a kind looks", command::notices_preview);
  preview->add_option("kind", n.kind, "For example key.expiring")->required();
  preview->add_option("--language", n.language, "zh or en (else notices.language)");
  add(*notices, "channels", "How each channel does", command::notices_channels);
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
