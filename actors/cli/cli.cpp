#include "actors/cli/cli.hpp"

#include <iostream>

#include <unistd.h>

#include <fmt/format.h>

#include "actors/cli/commands.hpp"
#include "config/reference.hpp"

namespace keyportal::cli {

namespace {

int check_config(const loaded_settings& loaded, const console& io) {
  for (const auto& warning : loaded.warnings)
    io.err << "warning: " << describe(warning) << "\n";
  for (const auto& error : loaded.errors)
    io.err << "error: " << describe(error) << "\n";
  if (!loaded.errors.empty())
    return exit_failed;
  io.out << fmt::format("the configuration is fine: {}, {} node{}\n",
                        loaded.file ? loaded.file->string() : std::string("no file"), loaded.values.nodes.size(),
                        loaded.values.nodes.size() == 1 ? "" : "s");
  return exit_done;
}

bool needs_settings(const invocation& asked) {
  switch (asked.what) {
    case command::config_check:
    case command::config_reference:
    case command::completion:
    case command::print_text: return false;
    default: return asked.cpa_url.empty();
  }
}

} // namespace

console process_console() {
  return {std::cin,
          std::cout,
          std::cerr,
          ::isatty(STDIN_FILENO) == 1,
          ::isatty(STDERR_FILENO) == 1,
          ::isatty(STDOUT_FILENO) == 1};
}

int run(const invocation& asked, const loaded_settings& loaded, const console& io, const hooks& borrowed) {
  if (needs_settings(asked) && !loaded.errors.empty()) {
    for (const auto& error : loaded.errors)
      io.err << "error: " << describe(error) << "\n";
    return exit_failed;
  }
  const context here{asked, loaded.values, io};
  switch (asked.what) {
    case command::print_text: (asked.exit_code == 0 ? io.out : io.err) << asked.text; return asked.exit_code;
    case command::status: return status(here);
    case command::snapshot_list: return list_snapshots(here);
    case command::snapshot_show: return show_snapshot(here);
    case command::snapshot_make: return make_snapshot(here);
    case command::snapshot_export: return asked.cpa_url.empty() ? export_usage(here) : export_from_cpa(here);
    case command::snapshot_import: return asked.cpa_url.empty() ? import_usage(here) : import_to_cpa(here);
    case command::snapshot_restore: return restore(here);
    case command::usage: return show_usage(here);
    case command::records: return show_records(here);
    case command::ledger_verify:
    case command::ledger_rebuild: return check_ledger(here, borrowed);
    case command::export_rows: return export_rows(here);
    case command::incompletes: return list_incompletes(here);
    case command::deadletters_list: return list_letters(here);
    case command::deadletters_show: return show_letter(here);
    case command::deadletters_replay: return replay_letters(here);
    case command::deadletters_drop: return drop_letters(here);
    case command::users_list: return list_people(here);
    case command::users_show: return show_person(here);
    case command::users_add: return add_person(here);
    case command::users_change: return change_person(here);
    case command::users_state: return set_person_state(here);
    case command::keys_list: return list_client_keys(here);
    case command::keys_show: return show_client_key(here);
    case command::keys_assign: return assign_client_key(here);
    case command::keys_renew: return renew_client_key(here);
    case command::keys_rotate: return rotate_client_key(here);
    case command::keys_step: return step_client_key(here);
    case command::keys_adopt: return adopt_client_key(here);
    case command::keys_find: return find_client_key(here);
    case command::keys_change: return change_client_key(here);
    case command::keys_drift: return show_key_drift(here);
    case command::renewals_list: return list_renewals(here);
    case command::renewals_ask: return ask_renewal(here);
    case command::renewals_answer: return answer_renewal(here);
    case command::pool_show: return show_pool(here);
    case command::pool_fill: return fill_pool(here);
    case command::policies_list: return list_policies(here);
    case command::policies_show: return show_policy(here);
    case command::policies_set: return set_policy(here);
    case command::policies_drop: return drop_policy(here);
    case command::account_list: return list_accounts(here);
    case command::account_show: return show_account(here);
    case command::account_quota: return show_account_quota(here);
    case command::account_providers: return list_account_providers(here);
    case command::account_contribute: return contribute_account(here);
    case command::account_submit: return submit_account(here);
    case command::account_enable: return enable_account(here);
    case command::account_disable: return disable_account(here);
    case command::account_delete: return delete_account(here);
    case command::account_test: return test_account(here);
    case command::account_import_mapping: return import_account_mapping(here);
    case command::audit_list: return list_audit(here);
    case command::audit_verify: return verify_audit(here);
    case command::prices_list: return list_prices(here);
    case command::prices_show: return show_price(here);
    case command::prices_set: return set_price(here);
    case command::prices_drop: return drop_price(here);
    case command::prices_import: return import_prices(here);
    case command::prices_unpriced: return list_unpriced(here);
    case command::prices_reprice: return reprice(here);
    case command::node_keys: return show_node_keys(here);
    case command::node_config_list: return list_configs(here);
    case command::node_config_show: return show_config(here);
    case command::node_config_diff: return diff_configs(here);
    case command::node_config_restore: return restore_config(here);
    case command::notices_list: return list_notices(here);
    case command::notices_show: return show_notice(here);
    case command::notices_resend: return resend_notice(here);
    case command::notices_test: return test_channel(here);
    case command::notices_preview: return preview_notice(here);
    case command::notices_channels: return show_channels(here);
    case command::backup_create: return create_backup(here);
    case command::backup_list: return list_backups(here);
    case command::backup_verify: return verify_backups(here);
    case command::backup_restore: return restore_backup(here);
    case command::backup_prune: return prune_backups(here);
    case command::cluster_status: return show_cluster(here, true, true);
    case command::cluster_members: return show_cluster(here, true, false);
    case command::cluster_leases: return show_cluster(here, false, true);
    case command::cluster_diff: return compare_cluster(here);
    case command::cluster_repair: return repair_cluster(here);
    case command::retention_show: return show_retention(here);
    case command::retention_run: return run_retention(here);
    case command::import_user_keys:
    case command::import_key_pool:
    case command::import_user_mapping: return move_in(here);
    case command::import_usage_db:
    case command::import_usage_history:
    case command::import_keeper:
    case command::import_manager_plus: return move_usage_in(here);
    case command::history: return list_history(here);
    case command::events_tail: return tail_events(here, borrowed);
    case command::config_check: return check_config(loaded, io);
    case command::config_print: io.out << (asked.json ? print_json(loaded) : print_toml(loaded)); return exit_done;
    case command::config_reference:
      io.out << (asked.as_example ? example_toml() : reference_markdown());
      return exit_done;
    case command::completion: io.out << completion_script(asked.shell); return exit_done;
    case command::serve: break;
  }
  return exit_wrong_usage;
}

} // namespace keyportal::cli
