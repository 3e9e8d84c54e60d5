// The whole command line as one plain value. The only file that knows the parsing library is command_line.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace keyportal {

/// Exit codes of every command.
inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_wrong_usage = 2;
inline constexpr int exit_not_reachable = 3;

enum class command : std::uint8_t {
  print_text, ///< nothing to do but to print `text` (help, version, wrong usage) and to leave with `exit_code`
  serve,
  status,
  usage,
  records,
  ledger_verify,
  ledger_rebuild,
  export_rows,
  snapshot_list,
  snapshot_show,
  snapshot_make,
  snapshot_export,
  snapshot_import,
  snapshot_restore,
  incompletes,
  deadletters_list,
  deadletters_show,
  deadletters_replay,
  deadletters_drop,
  users_list,
  users_show,
  users_add,
  users_change,
  users_state,
  keys_list,
  keys_show,
  keys_assign,
  keys_renew,
  keys_rotate,
  keys_step,
  keys_adopt,
  keys_find,
  keys_change,
  keys_drift,
  renewals_list,
  renewals_ask,
  renewals_answer,
  pool_show,
  pool_fill,
  policies_list,
  policies_show,
  policies_set,
  policies_drop,
  account_list,
  account_show,
  account_quota,
  account_providers,
  account_contribute,
  account_submit,
  account_enable,
  account_disable,
  account_delete,
  account_test,
  account_import_mapping,
  audit_list,
  audit_verify,
  prices_list,
  prices_show,
  prices_set,
  prices_drop,
  prices_import,
  prices_unpriced,
  prices_reprice,
  node_keys,
  node_config_list,
  node_config_show,
  node_config_diff,
  node_config_restore,
  backup_create,
  backup_list,
  backup_verify,
  backup_restore,
  backup_prune,
  cluster_status,
  cluster_members,
  cluster_leases,
  cluster_diff,
  cluster_repair,
  retention_show,
  retention_run,
  notices_list,
  notices_show,
  notices_resend,
  notices_test,
  notices_preview,
  notices_channels,
  import_user_keys,
  import_key_pool,
  import_user_mapping,
  import_usage_db,
  import_usage_history,
  import_keeper,
  import_manager_plus,
  history,
  events_tail,
  config_check,
  config_print,
  config_reference,
  completion,
};

/// What was said about people, keys and policies, as it was said. Lists that are empty were not given; "none" (of nodes
/// "all") alone empties what is there.
struct registry_words {
  std::string person; ///< e-mail address or id
  std::string key;    ///< id, or the beginning of one
  std::string policy;
  std::string to;   ///< state that a person is put into; of keys: suspend, resume, revoke
  std::string word; ///< idempotency key; empty: a fresh one
  std::optional<std::string> email, name, label, role;
  std::optional<std::string> lifetime, grace, longest_renewal; ///< as "90d"; "never" ends
  std::optional<std::string> renewal;                          ///< none, self or approval
  std::string reason;                                          ///< of a renewal that is asked for, or of its answer
  bool approve = false;
  std::optional<std::uint32_t> keys_per_user;
  std::vector<std::string> groups, nodes, models;
  std::vector<std::string> budgets, user_budgets, group_budgets; ///< as "tokens/month=1000000"
  bool pending = false;
  bool dry_run = false;
  // lists
  std::string state, owner, text, what, about;
  std::string last; ///< of audit verify: POSITION:HASH
  std::uint64_t after = 0;
  std::uint64_t limit = 0;            ///< 0: all
  std::uint64_t count = 0;            ///< keys for the pool
  std::vector<std::uint64_t> numbers; ///< of kept configs
};

/// What was said about accounts with providers.
struct account_words {
  std::string account; ///< id, file or address, or the beginning of one
  std::string provider, condition, project;
  std::string login;     ///< empty: the address says which
  bool no_catch = false; ///< the address is pasted in any case
  bool only_begin = false;
  bool fresh = false; ///< the provider is asked first
};

/// What was said about prices, as it was said.
struct price_words {
  std::string model; ///< or a pattern
  std::string provider, tier, source, only;
  std::optional<std::string> input, output, cache_read, cache_write, reasoning, request; ///< dollars, as "2.5"
  std::optional<std::string> multiplier;
  std::vector<std::string> steps; ///< as "tier=priority,above=200000,input=6"
  std::string from, to;           ///< a day or a moment
  std::string format;             ///< of an import: "litellm" or "models-dev"
  std::string where;              ///< of an import: a file or an address
  std::uint64_t input_tokens = 0; ///< of a request that is asked about
  bool all = false;               ///< also those that ended, or are not in force yet
  bool private_address = false;   ///< an import may come from this machine or a private network
  bool show = false;              ///< only how far it has come
  bool dry_run = false;
};

/// What was asked about usage, as it was said; what is empty or 0 was not said.
struct usage_words {
  std::string from, to, zone, step, order, text, cursor;
  std::vector<std::string> by;
  std::vector<std::string> where; ///< "model=gpt-5"
  std::uint32_t top = 0;
  std::uint32_t limit = 0;
  bool weeks_begin_on_sunday = false;
  bool percentiles = false;
  bool compare = false;
  bool unused = false;
  bool oldest = false;
};

/// What was asked of an export beside what it has in common with questions about usage, as it was said.
struct export_words {
  std::string what, format;
  bool byte_order_mark = false;
  bool resume = false;
};

/// What was said about backups.
struct backup_words {
  std::string id;     ///< empty: the newest
  std::string folder; ///< empty: backup.folder; else its key too has to be said
  std::string key_file, passphrase_file;
  std::string to; ///< empty: data_dir
  bool full = false;
  bool restore = false; ///< of verify
  bool replace = false; ///< sets the old folder aside
};

/// What was said about notices.
struct notice_words {
  std::string id; ///< of show and resend
  std::string state, kind, channel, about, recipient;
  std::string address; ///< of a test; empty: the channel's own target
  std::string language;
  std::uint64_t limit = 50;
};

struct invocation {
  command what = command::print_text;
  std::string text;  ///< of print_text; goes to standard error when `exit_code` is not 0
  int exit_code = 0; ///< of print_text

  // for every command
  std::optional<std::filesystem::path> config_file;
  std::vector<std::pair<std::string, std::string>> overrides; ///< for `setting_sources`
  bool json = false;
  bool yes = false;
  std::string url; ///< of the running service; empty: found in the data folder

  // snapshot …, incompletes, deadletters …
  std::string node;              ///< empty: the only one, or all of them
  std::uint64_t snapshot_id = 0; ///< 0: as of now
  std::filesystem::path file;    ///< "-" is standard output or input
  std::string cpa_url;           ///< not empty: straight to a CLIProxyAPI
  std::filesystem::path cpa_key_file;

  // deadletters …
  std::vector<std::uint64_t> letters; ///< their numbers; none: all, where a command allows it
  bool raw = false;                   ///< the payload byte by byte, at a terminal, too

  // events tail
  std::string from = "new"; ///< a sequence number, an RFC 3339 time, "all" or "new"
  std::string subject;      ///< empty: all
  std::uint64_t count = 0;  ///< 0: until interrupted
  std::string nats_url;     ///< empty: found in the data folder

  price_words prices;
  account_words account;
  backup_words backup;
  notice_words notices;
  // history
  std::string from_day;  ///< as "2026-04-02"; empty: from the first
  std::string to_day;    ///< likewise; empty: to the last
  usage_words usage;     ///< of usage, records and export
  export_words exported; ///< of export; it goes to `file`

  registry_words registry; ///< of users, keys, pool, policies, audit, node and import

  std::string shell;       ///< of completion
  bool as_example = false; ///< of config reference: the example file instead
};

/// Never throws, prints nothing, ends nothing.
invocation parse_command_line(int argc, const char* const* argv);

/// The script that completes commands and options in `shell` (bash, zsh, fish); empty for another one.
std::string completion_script(const std::string& shell);

} // namespace keyportal
