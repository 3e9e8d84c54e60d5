#include "gateway/routes.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "gateway/live_clients.hpp"
#include "gateway/problem.hpp"
#include "messages/errors.hpp"

namespace keyportal::gateway {

namespace {

constexpr std::size_t small = 4 << 10;
constexpr std::size_t list = 64 << 10;
constexpr std::size_t piece = 4 << 20;
constexpr std::size_t prices = 24 << 20;
constexpr std::size_t file = 64 << 20;

constexpr route table[] = {
  // Each page is the same file, which shows what its address says.
  {"GET", "/", topic::page, access::open, small, "page: what this is, and how to use it"},
  {"GET", "/login", topic::page, access::open, small, "page: signing in"},
  {"GET", "/register", topic::page, access::open, small, "page: an account of one's own"},
  {"GET", "/reset", topic::page, access::open, small, "page: a new password by a code"},
  {"GET", "/setup", topic::page, access::open, small, "page: the first node"},
  {"GET", "/my-keys", topic::page, access::open, small, "page: one's keys"},
  {"GET", "/account", topic::page, access::open, small, "page: how one signs in"},
  {"GET", "/records", topic::page, access::open, small, "page: single requests"},
  {"GET", "/overview", topic::page, access::open, small, "page: what was used, at a glance"},
  {"GET", "/analysis", topic::page, access::open, small, "page: what was used, by anything"},
  {"GET", "/accounts", topic::page, access::open, small, "page: accounts with providers"},
  {"GET", "/status", topic::page, access::open, small, "page: how nodes and accounts are"},
  {"GET", "/nodes", topic::page, access::open, small, "page: the nodes, for admins"},
  {"GET", "/admin/users", topic::page, access::open, small, "page: people"},
  {"GET", "/admin/keys", topic::page, access::open, small, "page: keys and their pool"},
  {"GET", "/admin/policies", topic::page, access::open, small, "page: policies"},
  {"GET", "/admin/prices", topic::page, access::open, small, "page: prices"},
  {"GET", "/admin/notices", topic::page, access::open, small, "page: who was told what"},
  {"GET", "/admin/audit", topic::page, access::open, small, "page: who did what"},
  {"GET", "/admin/settings", topic::page, access::open, small, "page: settings"},
  {"GET", "/admin/cluster", topic::page, access::open, small, "page: the processes that are one"},
  {"GET", "/admin/jobs", topic::page, access::open, small, "page: long work"},
  {"GET", "/assets/{name}", topic::asset, access::open, small,
   "scripts and styles of the pages, never another under the same name"},
  {"GET", "/icon.svg", topic::asset, access::open, small, "its icon"},
  {"GET", "/api", topic::asset, access::inside, small, "the page of this API's documentation"},
  {"GET", "/api.js", topic::asset, access::inside, small, "its script"},
  {"GET", "/api_parts.js", topic::asset, access::inside, small, "its drawing"},
  {"GET", "/api_schema.js", topic::asset, access::inside, small, "its reading of schemas"},
  {"GET", "/api_text.js", topic::asset, access::inside, small, "its words"},
  {"GET", "/api.css", topic::asset, access::inside, small, "its looks"},
  {"GET", "/openapi.yaml", topic::asset, access::inside, small, "this table, for programs"},
  {"GET", "/openapi.json", topic::asset, access::inside, small, "the same as JSON"},
  {"GET", "/ws", topic::websocket, access::listening, small,
   "WebSocket: the overview, then what happens as it happens (topics=own,all,nodes,jobs, after=)"},

  {"GET", "/healthz", topic::health, access::open, small, "200 as long as the process lives"},
  {"GET", "/readyz", topic::readiness, access::open, small,
   "200 when requests are answered, 503 while starting or stopping"},
  {"GET", "/metrics", topic::metrics, access::inside, small, "figures for Prometheus"},

  {"GET", "/api/v1/events", topic::events, access::listening, small,
   "the same as /ws as Server-Sent Events (topics=, after= or Last-Event-ID)"},
  {"GET", "/api/v1/summary", topic::summary, right::read_nodes, small,
   "all nodes together, each node, the link to NATS, the ledger"},
  {"GET", "/api/v1/nodes", topic::nodes, right::read_nodes, small, "every node as it is now"},
  {"GET", "/api/v1/nodes/{node}", topic::node, right::read_nodes, small, "one node as it is now"},
  {"GET", "/api/v1/nodes/{node}/restarts", topic::restarts, right::read_nodes, small,
   "its restarts, newest first (limit=100)"},
  {"GET", "/api/v1/nodes/{node}/gaps", topic::gaps, right::read_nodes, small,
   "spans of time nobody saw, newest first (limit=100)"},
  {"GET", "/api/v1/nodes/{node}/incompletes", topic::incompletes, right::read_nodes, small,
   "what it counted and the ledger lacks, newest first (limit=100)"},
  {"GET", "/api/v1/nodes/{node}/queue", topic::queue, right::read_nodes, small,
   "how its queue is taken, and what waits to be decoded"},
  {"GET", "/api/v1/nodes/{node}/snapshots", topic::snapshots, right::read_nodes, small, "its snapshots, newest first"},
  {"POST", "/api/v1/nodes/{node}/snapshots", topic::make_snapshot, right::write_nodes, small, "makes a snapshot now"},
  {"GET", "/api/v1/nodes/{node}/snapshots/{id}", topic::snapshot, right::read_nodes, small,
   "one snapshot's particulars"},
  {"GET", "/api/v1/nodes/{node}/snapshots/{id}/export", topic::export_file, right::read_secrets, small,
   "the snapshot as an export file that CLIProxyAPI takes; id `now` for the ledger as it is"},
  {"POST", "/api/v1/nodes/{node}/import", topic::import_file, right::write_nodes, file,
   "takes an export file into the ledger, then restores the node"},
  {"POST", "/api/v1/nodes/{node}/records", topic::copy_records, right::write_nodes, piece,
   "takes at most 1,000 records out of another tool's database into the ledger, each once"},
  {"POST", "/api/v1/nodes/{node}/history", topic::keep_history, right::write_nodes, piece,
   "keeps at most 1,000 days that another tool had added up, apart from the records"},
  {"POST", "/api/v1/nodes/{node}/restore", topic::restore, right::write_nodes, small,
   "puts back what the ledger holds and the node lacks"},
  {"POST", "/api/v1/nodes/{node}/deadletters/replay", topic::replay_letters, right::write_nodes, list,
   "decodes its dead letters again: all, or {\"numbers\":[…]}"},
  {"GET", "/api/v1/deadletters", topic::letters, right::read_nodes, small,
   "what could not be decoded and why, oldest first, without the payloads (after=0, limit=100)"},
  {"GET", "/api/v1/deadletters/{id}", topic::letter, right::read_secrets, small, "the payload of one, as it came"},
  {"DELETE", "/api/v1/deadletters/{id}", topic::drop_letter, right::write_nodes, small, "gives one up for good"},

  {"GET", "/api/v1/history", topic::history, right::read_usage, small,
   "days that another tool had added up, never part of any total (node=, from=, to=, after=, limit=100)"},

  {"GET", "/api/v1/users", topic::users, right::read_people, small,
   "people, in the order of their ids (state=, text=, after=, limit=100)"},
  {"POST", "/api/v1/users", topic::add_user, right::write_people, list, "adds a person"},
  {"GET", "/api/v1/users/{name}", topic::user, right::read_people, small, "one person, by id or e-mail address"},
  {"PATCH", "/api/v1/users/{name}", topic::change_user, right::write_people, list, "changes what is given of a person"},
  {"POST", "/api/v1/users/{name}/state", topic::user_state, right::write_people, list,
   "approves, suspends, resumes or deletes a person: {\"to\":\"suspended\"}"},
  {"GET", "/api/v1/keys", topic::keys, right::read_keys, small,
   "keys without their texts, in the order of their ids (state=, owner=, text=, waiting=renewal|choice, after=, "
   "limit=100)"},
  {"POST", "/api/v1/keys", topic::assign_key, right::write_keys, list,
   "gives a person a key; the answer shows it, this once"},
  {"POST", "/api/v1/keys/find", topic::find_key, right::read_keys, list, "which key a text is: {\"text\":\"…\"}"},
  {"POST", "/api/v1/keys/import", topic::import_keys, right::write_keys, piece,
   "takes at most 1,000 existing keys, to their owners or into the pool"},
  {"GET", "/api/v1/keys/{name}", topic::key, right::read_keys, small, "one key, by its id"},
  {"PATCH", "/api/v1/keys/{name}", topic::change_key, right::write_keys, list,
   "changes a key's label, budgets or nodes"},
  {"POST", "/api/v1/keys/{name}/renew", topic::renew_key, right::write_keys, list,
   "lets it end later: {\"lifetime_s\":…} from now on"},
  {"POST", "/api/v1/keys/{name}/rotate", topic::rotate_key, right::write_keys, list,
   "puts a new key in its place, shown this once; the old one works for \"grace_s\" besides"},
  {"POST", "/api/v1/keys/{name}/suspend", topic::suspend_key, right::write_keys, list, "takes it away for a time"},
  {"POST", "/api/v1/keys/{name}/resume", topic::resume_key, right::write_keys, list, "gives it back"},
  {"POST", "/api/v1/keys/{name}/revoke", topic::revoke_key, right::write_keys, list, "ends it for good"},
  {"POST", "/api/v1/keys/{name}/adopt", topic::adopt_key, right::write_keys, list,
   "gives a key that was found at a node an owner"},
  {"POST", "/api/v1/keys/{name}/renewal", topic::ask_renewal, right::write_keys, list,
   "asks an admin to let it end later: {\"lifetime_s\":…,\"reason\":\"…\"}"},
  {"POST", "/api/v1/keys/{name}/renewal/answer", topic::answer_renewal, right::write_keys, list,
   "decides what was asked: {\"approve\":true,\"reason\":\"…\"}"},
  {"GET", "/api/v1/keys/{name}/budgets", topic::key_budgets, right::read_keys, small,
   "how much of its budgets, its owner's and its group's is used"},
  {"GET", "/api/v1/pool", topic::pool, right::read_keys, small, "how many keys there are in which state"},
  {"POST", "/api/v1/pool", topic::fill_pool, right::write_keys, list, "makes keys for the pool: {\"count\":…}"},
  {"GET", "/api/v1/policies", topic::policies, right::read_policies, small, "every policy"},
  {"PUT", "/api/v1/policies/{name}", topic::put_policy, right::write_policies, list,
   "makes it what is given, as a whole; its name is that of the group"},
  {"DELETE", "/api/v1/policies/{name}", topic::drop_policy, right::write_policies, small, "drops it"},
  {"GET", "/api/v1/audit", topic::audit, right::read_audit, small,
   "who did what, in its order (after=0, limit=100, what=, about=); go on behind `next` while there is `more`"},
  {"GET", "/api/v1/audit/verify", topic::verify_audit, right::read_audit, small,
   "proves that no entry was changed or is missing"},
  {"GET", "/api/v1/prices", topic::prices, right::read_prices, small,
   "what models cost, in the order of their ids (text=, after=, limit=100)"},
  {"POST", "/api/v1/prices", topic::put_prices, right::write_prices, prices,
   "sets prices, all or none: {\"prices\":[…]}"},
  {"POST", "/api/v1/prices/preview", topic::preview_prices, right::read_prices, prices,
   "what taking a published list would change, and the prices to put for it: {\"format\",\"only\",\"list\"}"},
  {"POST", "/api/v1/prices/drop", topic::drop_prices, right::write_prices, piece, "drops prices: {\"ids\":[…]}"},
  {"GET", "/api/v1/prices/unpriced", topic::unpriced, right::read_prices, small,
   "models with requests that have no price (from=, to=; else the last 30 days)"},
  {"GET", "/api/v1/prices/reprice", topic::reprice_state, right::read_prices, small,
   "how far working out costs anew has come, or what came of it last"},
  {"POST", "/api/v1/prices/reprice", topic::reprice, right::write_prices, small,
   "works out anew what records cost: {\"from\",\"to\",\"dry_run\"}"},
  {"GET", "/api/v1/usage", topic::usage, right::read_usage, small,
   "what was used, added up: from, to, zone, step, by, filters, top, order, percentiles, compare, unused"},
  {"POST", "/api/v1/usage", topic::usage, right::read_usage, list, "the same, asked in a body: long filters"},
  {"GET", "/api/v1/records", topic::records, right::read_usage, small,
   "single records: from, to, filters, text, order, cursor, limit"},
  {"POST", "/api/v1/records", topic::records, right::read_usage, list, "the same, asked in a body"},
  {"GET", "/api/v1/ledger/check", topic::ledger_check, right::read_settings, small,
   "how far comparing roll-ups with the records has come, or what came of it last"},
  {"POST", "/api/v1/ledger/check", topic::check_ledger, right::write_settings, small,
   "begins it, unless it is under way; {\"mend\":true} also puts right what is wrong"},
  {"POST", "/api/v1/exports", topic::open_export, right::read_usage, list,
   "holds the state of now for an export: {\"what\",\"format\",…}; the answer says where it is read"},
  {"GET", "/api/v1/exports/{name}", topic::export_body, right::read_usage, small,
   "an export that was begun, or records, rollups, users, keys or audit at once (format=csv|jsonl|cpa, from, to, zone, "
   "filters, text, step, week, by, bom); Range: bytes=N- goes on where it broke"},
  {"DELETE", "/api/v1/exports/{name}", topic::close_export, right::read_usage, small, "ends one before its time"},
  {"GET", "/api/v1/backups", topic::backups, right::read_settings, small,
   "the backups, newest first, and what is under way with them"},
  {"POST", "/api/v1/backups", topic::make_backup, right::write_settings, small, "begins to make one: {\"full\":false}"},
  {"POST", "/api/v1/backups/verify", topic::verify_backups, right::write_settings, small,
   "begins to prove them: {\"id\":\"…\",\"restore\":true}; without an id all of them"},
  {"POST", "/api/v1/backups/prune", topic::prune_backups, right::write_settings, small,
   "begins to drop those that backup.keep and its like do not keep"},
  {"GET", "/api/v1/cluster", topic::cluster, right::read_nodes, small,
   "the processes that are one Key Portal, how far each is, and who sees to what"},
  {"GET", "/api/v1/cluster/diff", topic::cluster_diff, right::read_settings, small,
   "what the ledgers of the processes differ in, by node and day"},
  {"GET", "/api/v1/retention", topic::retention, right::read_nodes, small,
   "how far back single records go, what went, the size of the data folder and its limit"},
  {"POST", "/api/v1/retention", topic::run_retention, right::write_settings, small,
   "looks now for records that may go"},
  {"GET", "/api/v1/jobs", topic::jobs, right::read_settings, small,
   "long work that is under way or was done last, with how far it is"},
  {"GET", "/api/v1/jobs/{name}", topic::job, right::read_settings, small, "one of them"},
  {"GET", "/api/v1/settings", topic::settings, right::read_settings, small,
   "the settings in force and where each comes from, without secrets; they are changed in the configuration only"},
  {"GET", "/api/v1/nodes/{node}/keys", topic::node_keys, right::read_nodes, small,
   "whether its keys are as they should be"},
  {"GET", "/api/v1/nodes/{node}/configs", topic::configs, right::read_settings, small,
   "what its config.yaml was, newest first"},
  {"GET", "/api/v1/nodes/{node}/configs/{id}", topic::config, right::read_secrets, small, "one of them, as it was"},
  {"POST", "/api/v1/nodes/{node}/configs/{id}/restore", topic::restore_config, right::write_nodes, small,
   "gives it back to the node"},

  {"GET", "/api/v1/session", topic::session, access::open, small,
   "who one is, what one may, and the CSRF token for what changes something"},
  {"POST", "/api/v1/session", topic::sign_in, access::open, small,
   "signs in: {\"email\",\"password\"}, or {\"key\"} for a view of that key's usage"},
  {"DELETE", "/api/v1/session", topic::sign_out, access::session, small, "signs out"},
  {"POST", "/api/v1/session/second-factor", topic::second_factor, access::session, small,
   "the second step: {\"code\"} of the authenticator app, or a recovery code"},
  {"GET", "/api/v1/sessions", topic::sessions, right::own_account, small, "one's sessions, with place and time"},
  {"DELETE", "/api/v1/sessions", topic::end_other_sessions, right::own_account, small, "ends all of them but this one"},
  {"DELETE", "/api/v1/sessions/{name}", topic::end_session, right::own_account, small, "ends one of them"},
  {"POST", "/api/v1/registration", topic::registration, access::open, small,
   "registers: {\"email\",\"name\",\"password\",\"invitation\",\"reason\",\"code\",\"external\"}"},
  {"POST", "/api/v1/password", topic::password, right::own_account, small,
   "changes it: {\"old\",\"new\"}; all other sessions end"},
  {"POST", "/api/v1/password/reset", topic::ask_password, access::open, small,
   "asks for a code by mail: {\"email\"}; the answer is the same whether there is such a person or not"},
  {"POST", "/api/v1/password/set", topic::set_password, access::open, small,
   "a new one by such a code: {\"email\",\"code\",\"password\"}"},
  {"GET", "/api/v1/account", topic::account, right::own_account, small, "how one may sign in: factors and identities"},
  {"POST", "/api/v1/account/identities/drop", topic::drop_identity, right::own_account, small,
   "takes an identity off: {\"provider\",\"subject\"}"},
  {"POST", "/api/v1/account/totp", topic::begin_totp, right::own_account, small,
   "a key for an authenticator app, shown this once: {\"password\"}"},
  {"POST", "/api/v1/account/totp/confirm", topic::finish_totp, right::own_account, small,
   "from now on its codes are asked for: {\"code\"}; the answer has recovery codes, shown this once"},
  {"POST", "/api/v1/account/totp/drop", topic::drop_totp, right::own_account, small,
   "its codes are asked for no more: {\"password\"}"},
  {"POST", "/api/v1/account/recovery-codes", topic::recovery_codes, right::own_account, small,
   "new ones in the place of those there are, shown this once: {\"password\"}"},
  {"GET", "/api/v1/tokens", topic::tokens, right::own_tokens, small, "one's API tokens"},
  {"POST", "/api/v1/tokens", topic::make_token, right::own_tokens, small,
   "makes one, shown this once: {\"label\",\"scopes\",\"lifetime_s\"}"},
  {"DELETE", "/api/v1/tokens/{name}", topic::end_token, right::own_tokens, small, "ends one"},
  {"GET", "/api/v1/tokens/all", topic::all_tokens, right::read_people, small, "everybody's API tokens (user=)"},
  {"DELETE", "/api/v1/tokens/all/{name}", topic::end_any_token, right::write_people, small,
   "ends one of anybody's; of an admin's only with write.roles"},
  {"GET", "/api/v1/invitations", topic::invitations, right::read_people, small, "those that may still be used"},
  {"POST", "/api/v1/invitations", topic::invite, right::write_people, small,
   "makes one, shown this once: {\"email\",\"uses\",\"lifetime_s\"}"},
  {"DELETE", "/api/v1/invitations/{name}", topic::end_invitation, right::write_people, small, "ends one"},
  {"GET", "/api/v1/sign-in", topic::ways_in, access::open, small,
   "who may register, and whether people have passwords here"},
  {"GET", "/api/v1/sign-in/providers", topic::providers, access::open, small, "other places to sign in at"},
  {"GET", "/sign-in/{name}", topic::begin_external, access::open, small,
   "sends the browser to sign in there (return_to=/, link=true to add that identity to one's account)"},
  {"GET", "/sign-in/{name}/callback", topic::finish_external, access::open, small, "where it comes back to"},

  {"GET", "/api/v1/me/keys", topic::my_keys, right::own_keys_read, small, "one's keys (state=, after=, limit=100)"},
  {"POST", "/api/v1/me/keys", topic::take_key, right::own_keys_write, small,
   "takes a key out of the pool; the answer shows it, this once: {\"label\"}"},
  {"GET", "/api/v1/me/keys/{name}", topic::my_key, right::own_keys_read, small, "one of them"},
  {"PATCH", "/api/v1/me/keys/{name}", topic::label_key, right::own_keys_write, small, "its label: {\"label\"}"},
  {"POST", "/api/v1/me/keys/{name}/renew", topic::renew_my_key, right::own_keys_write, small,
   "lets it end later, as far as the policy allows: {\"lifetime_s\"}"},
  {"POST", "/api/v1/me/keys/{name}/renewal", topic::ask_my_renewal, right::own_keys_write, small,
   "asks an admin to let it end later: {\"lifetime_s\",\"reason\"}"},
  {"POST", "/api/v1/me/keys/{name}/rotate", topic::rotate_my_key, right::own_keys_write, small,
   "puts a new key in its place, shown this once; the old one works for \"grace_s\" besides"},
  {"POST", "/api/v1/me/keys/{name}/revoke", topic::revoke_my_key, right::own_keys_write, small, "ends it for good"},
  {"GET", "/api/v1/me/keys/{name}/budgets", topic::my_key_budgets, right::own_keys_read, small,
   "how much of its budgets is used"},
  {"GET", "/api/v1/me/usage", topic::my_usage, right::own_usage, small,
   "what one's keys used, added up: as /api/v1/usage, but for accounts and other people"},
  {"GET", "/api/v1/me/records", topic::my_records, right::own_usage, small,
   "single records of one's keys: as /api/v1/records, but for accounts"},

  {"GET", "/api/v1/accounts", topic::accounts, right::own_accounts, small,
   "accounts with providers, without what is private (node=, provider=, condition=, mine=true, after=, limit=100)"},
  {"GET", "/api/v1/accounts/all", topic::accounts_in_full, right::read_accounts, small,
   "the same with addresses, files and what providers answered"},
  {"POST", "/api/v1/accounts/mapping", topic::map_accounts, right::write_accounts, piece,
   "whose accounts are, as user_mapping.json has it: {\"users\":[{\"claude_email\",\"feishu_email\",\"name\"}]}"},
  {"GET", "/api/v1/accounts/{name}", topic::account_of, right::own_accounts, small, "one of them"},
  {"DELETE", "/api/v1/accounts/{name}", topic::delete_account, right::write_accounts, small,
   "deletes it at its node; the provider is not told"},
  {"GET", "/api/v1/accounts/{name}/quota", topic::account_quota, right::own_accounts, small,
   "how its windows of quota went"},
  {"POST", "/api/v1/accounts/{name}/enable", topic::enable_account, right::write_accounts, small, "switches it on"},
  {"POST", "/api/v1/accounts/{name}/disable", topic::disable_account, right::write_accounts, small,
   "switches it off; no request goes to it then"},
  {"POST", "/api/v1/accounts/{name}/test", topic::test_account, right::write_accounts, small,
   "asks its provider now, once a second at most"},
  {"GET", "/api/v1/account-providers", topic::account_offers, right::own_accounts, small,
   "with which providers one can sign in, and at which nodes"},
  {"POST", "/api/v1/account-logins", topic::begin_login, right::own_accounts, small,
   "begins a login: {\"provider\",\"node\",\"project\"}; the answer has the address of the provider's page"},
  {"POST", "/api/v1/account-logins/callback", topic::submit_any_login, right::own_accounts, list,
   "hands in where the browser ended: {\"text\"}; its state says which login it is of"},
  {"GET", "/api/v1/account-logins/{name}", topic::login_now, right::own_accounts, small, "how far it is"},
  {"POST", "/api/v1/account-logins/{name}/callback", topic::submit_login, right::own_accounts, list,
   "hands in where the browser ended: {\"text\",\"provider\"}"},
  {"DELETE", "/api/v1/account-logins/{name}", topic::cancel_login, right::own_accounts, small, "cancels it"},

  {"POST", "/api/v1/users/{name}/password-code", topic::password_code, right::write_people, small,
   "a code for a new password, shown this once, for whoever cannot get mail"},
  {"GET", "/api/v1/users/{name}/sessions", topic::sessions_of, right::read_people, small, "a person's sessions"},
  {"DELETE", "/api/v1/users/{name}/sessions", topic::end_sessions_of, right::write_people, small, "ends them all"},
  {"DELETE", "/api/v1/users/{name}/totp", topic::drop_totp_of, right::write_people, small,
   "takes off the second factor of somebody who lost it"},

  {"GET", "/api/v1/notices", topic::notices, right::read_people, small,
   "who was told what, newest first (state=, kind=, channel=, about=, recipient=, before=, limit=100)"},
  {"GET", "/api/v1/notices/{name}", topic::notice, right::read_people, small, "one notice, with every attempt"},
  {"POST", "/api/v1/notices/{name}/resend", topic::resend_notice, right::write_settings, small, "sends it once more"},
  {"POST", "/api/v1/notices/preview", topic::preview_notice, right::read_settings, list,
   "how a kind looks: {\"kind\",\"language\",\"facts\"}"},
  {"POST", "/api/v1/notices/reminders", topic::remind, right::write_people, list,
   "reminds people by hand: {\"kind\":\"reminder.account\",\"users\":[…],\"group\",\"text\"}"},
  {"GET", "/api/v1/notice-channels", topic::notice_channels, right::read_settings, small,
   "how each channel does, and which kinds of notices there are"},
  {"POST", "/api/v1/notice-channels/{name}/test", topic::test_channel, right::write_settings, small,
   "sends a test by it: {\"address\"}"},
  {"GET", "/api/v1/me/notices", topic::my_notices, right::own_account, small, "how one wants to be told"},
  {"PUT", "/api/v1/me/notices", topic::set_my_notices, right::own_account, small, "makes it what is given, as a whole"},

  // As the Python Key Portal had them.
  {"GET", "/api/usage", topic::original_usage, right::read_usage, small, "totals and what each key used, by key id"},
  {"GET", "/api/usage-summary", topic::original_usage_summary, right::read_nodes, small, "totals, and those of today"},
  {"GET", "/api/usage-history", topic::original_usage_history, right::read_usage, small, "by day (days=30)"},
  {"GET", "/api/auth-stats", topic::original_auth_stats, right::read_usage, small, "by account"},
  {"GET", "/api/keys", topic::original_keys, right::read_keys, small,
   "keys and their owners, without texts (after=, limit=100)"},
  {"POST", "/api/register-key", topic::original_register_key, right::own_keys_write, small,
   "takes a key out of the pool, shown this once: {\"email\",\"name\",\"label\"}"},
  {"GET", "/api/my-keys", topic::original_my_keys, right::own_keys_read, small, "one's keys and what they used"},
  {"POST", "/api/revoke-key", topic::original_revoke_key, right::own_keys_write, small,
   "ends one for good: {\"key\"}, its text or id"},
  {"GET", "/api/user-stats/{name}", topic::original_user_stats, right::own_usage, small,
   "a person's usage, by e-mail address; of others only with read.usage"},
  {"GET", "/api/all-users-stats", topic::original_all_users_stats, right::read_usage, small,
   "everybody's usage, most tokens first (period=total|day|month|year)"},
  {"GET", "/api/key-pool-status", topic::original_pool_status, right::read_keys, small, "how full the pool is"},
  {"POST", "/api/query-by-key", topic::original_query_by_key, access::open, small,
   "what the key whose text is given used: {\"key\"}"},
  {"POST", "/api/sync-usage", topic::original_sync_usage, right::read_usage, small,
   "looks at the nodes now; they are looked at all the time anyway"},
  {"GET", "/api/accounts", topic::original_accounts, right::own_accounts, small,
   "accounts with owner, state and the hours that their token has left"},
  {"GET", "/api/auth-url", topic::original_auth_url, right::own_accounts, small,
   "begins a login with a provider (provider=claude)"},
  {"POST", "/api/submit-callback", topic::original_submit_callback, right::own_accounts, list,
   "hands in where the browser ended: {\"callback_url\"}"},
  {"POST", "/api/send-notification", topic::original_notices, right::read_nodes, small, "is told what takes its place"},
  {"POST", "/api/check-expiry", topic::original_notices, right::read_nodes, small, "likewise"},
};

/// Takes the next segment off a path that begins with '/'.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const auto end = std::min(path.find('/'), path.size());
  const auto segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

bool is_node_name(std::string_view text) {
  return !text.empty() && text.size() <= 32
         && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty())
    return std::nullopt;
  return value;
}

struct places {
  std::string_view node;
  std::string_view id;
  std::string_view name;
};

std::optional<places> match(std::string_view pattern, std::string_view path) {
  places found;
  while (!pattern.empty() && !path.empty()) {
    const auto wanted = take_segment(pattern);
    const auto given = take_segment(path);
    if (wanted == "{node}" && !given.empty())
      found.node = given;
    else if (wanted == "{id}" && !given.empty())
      found.id = given;
    else if (wanted == "{name}" && !given.empty())
      found.name = given;
    else if (wanted != given) // also where `given` has an escaped slash: only names may
      return std::nullopt;
  }
  return pattern.empty() && path.empty() ? std::optional(found) : std::nullopt;
}

std::string_view method_of(const http_request& request) {
  const std::string_view method = request.method;
  return method == "HEAD" ? "GET" : method;
}

struct finding {
  const route* row = nullptr;
  places in;
  std::string allow; ///< methods of that path, when none of them is the request's
};

finding find(const http_request& request) {
  finding out;
  if (request.path.empty() || request.path.front() != '/')
    return out;
  // An address that the table has as it is names no person or key: /api/v1/keys/find.
  const bool as_it_is =
    std::any_of(std::begin(table), std::end(table), [&](const route& row) { return row.pattern == request.path; });
  for (const auto& row : table) {
    if (as_it_is && row.pattern != request.path)
      continue;
    const auto at = match(row.pattern, request.path);
    if (!at)
      continue;
    if (row.method == method_of(request))
      return {&row, *at, {}};
    fmt::format_to(std::back_inserter(out.allow), "{}{}", out.allow.empty() ? "" : ", ",
                   row.method == "GET" ? "GET, HEAD" : row.method);
  }
  return out;
}

/// What the numbers in {id} are of.
enum class counted : std::uint8_t { snapshots, letters, configs };
counted counted_by(topic about) {
  switch (about) {
    case topic::letter:
    case topic::drop_letter: return counted::letters;
    case topic::config:
    case topic::restore_config: return counted::configs;
    default: return counted::snapshots;
  }
}

/// About oneself: whoever is nobody in particular has no such things.
constexpr bool is_own(right one) { return one <= right::own_keys_write; }

http_response bad_request(std::string about) { return problem(make_error(errc::bad_request, std::move(about))); }

} // namespace

std::span<const route> routes() { return table; }

std::optional<http_response> refusal(const route& row, const visitor& by) {
  const auto& who = by.who;
  const auto missing = [&](std::string about) -> http_response {
    if (who.kind != caller_kind::nobody && !by.unknown)
      return problem(make_error(errc::right_missing, std::move(about)));
    return problem(by.unknown ? by.unknown : make_error(errc::sign_in_needed));
  };
  switch (row.needs.how) {
    case access::open: break;
    case access::inside:
      if (!by.inside) // as if it were not there
        return problem(make_error(errc::not_found, std::string(row.pattern)));
      break;
    case access::session:
      if (!who.held)
        return missing("this is about a session");
      break;
    case access::listening:
      if (person_of(by).may.empty())
        return missing("own.usage or read.nodes");
      break;
    case access::with_right:
      if (!who.rights.has(row.needs.what))
        return missing(std::string(to_text(row.needs.what)));
      if (is_own(row.needs.what) && who.subject.empty())
        return problem(make_error(errc::right_missing, "these are somebody's own things, and this token is nobody's"));
      break;
  }
  if (row.method != "GET" && by.forged)
    return problem(by.forged);
  return std::nullopt;
}

bool takes_gzip(std::string_view accepted) {
  while (!accepted.empty()) {
    const auto comma = std::min(accepted.find(','), accepted.size());
    auto one = accepted.substr(0, comma);
    accepted.remove_prefix(std::min(comma + 1, accepted.size()));
    one.remove_prefix(std::min(one.find_first_not_of(" \t"), one.size()));
    if (!one.starts_with("gzip"))
      continue;
    const auto rest = one.substr(4); // of gzip;q=0 it wants none
    return rest.find("q=0") == rest.npos || rest.find_first_of("123456789") != rest.npos;
  }
  return false;
}

std::variant<question, http_response> understand(const http_request& request, const visitor& by) {
  const auto found = find(request);
  if (!found.row) {
    if (found.allow.empty())
      return problem(make_error(errc::not_found, request.path.substr(0, 200)));
    auto refusal = problem(make_error(errc::method_not_allowed, request.method.substr(0, 20)));
    refusal.headers.emplace_back("Allow", found.allow);
    return refusal;
  }
  if (auto refused = refusal(*found.row, by))
    return std::move(*refused);
  question out;
  out.row = found.row;
  out.path = request.path;
  out.if_none_match = header_of(request, "if-none-match");
  out.takes_gzip = takes_gzip(header_of(request, "accept-encoding"));
  if (!found.in.node.empty()) {
    if (!is_node_name(found.in.node))
      return problem(make_error(errc::node_unknown, std::string(found.in.node.substr(0, 40))));
    out.node = found.in.node;
  }
  if (!found.in.id.empty()) {
    const auto of = counted_by(out.row->about);
    const bool may_be_now = of == counted::snapshots;
    const auto id =
      found.in.id == "now" && may_be_now ? std::optional<std::uint64_t>(0) : number<std::uint64_t>(found.in.id);
    if (!id || (!may_be_now && *id == 0))
      return bad_request(of == counted::letters   ? "a dead letter's id is a number from 1 on"
                         : of == counted::configs ? "a kept config's number is one from 1 on"
                                                  : "a snapshot's id is a number or `now`");
    out.id = *id;
  }
  out.name = found.in.name;
  std::replace(out.name.begin(), out.name.end(), escaped_slash, '/');
  const bool by_name = out.row->about == topic::users || out.row->about == topic::keys
                       || out.row->about == topic::my_keys || out.row->about == topic::history
                       || out.row->about == topic::prices || out.row->about == topic::original_keys
                       || out.row->about == topic::accounts || out.row->about == topic::accounts_in_full;
  for (const auto& [name, value] : request.query) {
    if (name == "after" && by_name) {
      out.after_name = value;
    } else if (name == "limit") {
      const auto limit = number<std::uint32_t>(value);
      if (!limit || *limit < 1 || *limit > 1000)
        return bad_request("limit is a number from 1 to 1000");
      out.limit = *limit;
    } else if (name == "after") {
      const auto after = number<std::uint64_t>(value);
      if (!after)
        return bad_request("after is a number");
      out.after = *after;
    }
  }
  return out;
}

body_rule rule_for_body(const http_request& head, const visitor& by) {
  auto read = understand(head, by);
  if (auto* refusal = std::get_if<http_response>(&read))
    return {small, std::move(*refusal)};
  return {std::get<question>(read).row->max_body_bytes, std::nullopt};
}

} // namespace keyportal::gateway
