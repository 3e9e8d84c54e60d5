// One function per command; each returns the exit code. Known to cli.cpp only.
#pragma once

#include "actors/cli/cli.hpp"

namespace keyportal::cli {

struct context {
  const invocation& asked;
  const settings& values;
  const console& io;
};

// commands.cpp: about the running service
int status(const context& here);
int list_snapshots(const context& here);
int show_snapshot(const context& here);
int make_snapshot(const context& here);
int restore(const context& here);
int tail_events(const context& here, const hooks& borrowed);

// usage.cpp
int show_usage(const context& here);
int show_records(const context& here);

// ledger.cpp
int check_ledger(const context& here, const hooks& borrowed); ///< exit_failed where something is wrong and stays so
// cluster.cpp: several processes that are one
int show_cluster(const context& here, bool members, bool leases);
int compare_cluster(const context& here); ///< exit_failed where ledgers differ
int repair_cluster(const context& here);
// exports.cpp
int export_rows(const context& here);

// letters.cpp: what did not arrive or could not be read
int list_incompletes(const context& here);
int list_letters(const context& here);
int show_letter(const context& here);
int replay_letters(const context& here);
int drop_letters(const context& here);

// people.cpp
int list_people(const context& here);
int show_person(const context& here);
int add_person(const context& here);
int change_person(const context& here);
int set_person_state(const context& here);

// prices.cpp
int list_prices(const context& here);
int show_price(const context& here);
int set_price(const context& here);
int drop_price(const context& here);
int import_prices(const context& here);
int list_unpriced(const context& here);
int reprice(const context& here);

// client_keys.cpp: keys and their pool
int list_client_keys(const context& here);
int show_client_key(const context& here);
int assign_client_key(const context& here);
int renew_client_key(const context& here);
int rotate_client_key(const context& here);
int step_client_key(const context& here);
int adopt_client_key(const context& here);
int show_key_drift(const context& here); ///< exit_failed where there is any
int list_renewals(const context& here);
int ask_renewal(const context& here);
int answer_renewal(const context& here);
int find_client_key(const context& here);
int change_client_key(const context& here);
int show_pool(const context& here);
int fill_pool(const context& here);

// policies.cpp
int list_policies(const context& here);
int show_policy(const context& here);
int set_policy(const context& here);
int drop_policy(const context& here);

// accounts.cpp: accounts with providers
int list_accounts(const context& here);
int show_account(const context& here);
int show_account_quota(const context& here);
int list_account_providers(const context& here);
int contribute_account(const context& here); ///< exit_failed where the login does not come to its end
int submit_account(const context& here);
int enable_account(const context& here);
int disable_account(const context& here);
int delete_account(const context& here);
int test_account(const context& here);
int import_account_mapping(const context& here);

// audit.cpp
int list_audit(const context& here);
int verify_audit(const context& here);

// node_keys.cpp: the keys and the kept configs of one node
int show_node_keys(const context& here);
int list_configs(const context& here);
int show_config(const context& here);
int diff_configs(const context& here);
int restore_config(const context& here);

// moving_in.cpp: files of the original portal
int move_in(const context& here);

// moving_usage.cpp: usage out of other tools' files, and the days among it
int move_usage_in(const context& here);
int list_history(const context& here);

// backups.cpp
int create_backup(const context& here);
int list_backups(const context& here);
int verify_backups(const context& here);
int restore_backup(const context& here);
int prune_backups(const context& here);
int show_retention(const context& here);
int run_retention(const context& here);

// notices.cpp: who was told what
int list_notices(const context& here);
int show_notice(const context& here);
int resend_notice(const context& here);
int test_channel(const context& here);
int preview_notice(const context& here);
int show_channels(const context& here);

// transfer.cpp: usage in and out
int export_usage(const context& here);
int export_from_cpa(const context& here);
int import_usage(const context& here);
int import_to_cpa(const context& here);

/// Says what went wrong and gives the exit code for it.
int fail(const context& here, const caf::error& error);
/// The node the command is about: the one named, else the only one.
class service;
caf::expected<node_name> chosen_node(const context& here, const service& portal);
/// Asks before something that cannot be undone; true without asking where nobody sits there or --yes was given.
bool confirmed(const context& here, const std::string& question);

} // namespace keyportal::cli
