// THE TABLE: every actor of Key Portal and every message it takes, in the order in which usage flows.
// Messages are structs named as commands (verbs) or facts (past tense). Actors run in one process, so messages need
// no serialisation; big things travel as pointers to const.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/expected.hpp>
#include <caf/replies_to.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "messages/errors.hpp"
#include "messages/events.hpp"
#include "messages/history.hpp"
#include "messages/http.hpp"
#include "messages/pricing.hpp"
#include "messages/registry.hpp"
#include "messages/usage.hpp"

// Tables: what an actor takes, a line each.
// clang-format off
namespace keyportal {

namespace storage {
struct retirement;
}

// --- messages of several actors ---------------------------------------------

/// Finish what is under way, take nothing new, then answer. Each actor says what that means for it.
struct drain {};
struct drained {};

// --- UPSTREAM: the socket to one CPA; blocking, one request at a time ---------

struct fetch_usage {};
struct usage_answer {
  std::shared_ptr<const std::string> body; ///< with at least 64 bytes of capacity to spare behind its end (simdjson)
  std::string version;
  std::int64_t took_ms = 0;
};
/// Sends an export document (version 1) to CPA's import.
struct import_usage {
  std::shared_ptr<const std::string> body;
};
struct import_answer {
  std::int64_t added = 0;
  std::int64_t skipped = 0;
  node_counters counters; ///< `requests` and `failed` only
};
/// Which ways of giving usage out the node has. Costs it two to four management calls and takes nothing from it.
struct find_era {};
struct era_answer {
  bool has_usage = false;      ///< `/usage`: era A
  bool has_http_queue = false; ///< `/usage-queue`
  std::string version;
  std::optional<bool> statistics_enabled;  ///< not set: the node does not say
  std::optional<std::int64_t> retention_s; ///< of its queue
};
/// The counters of its upstream credentials.
struct fetch_accounts {};
struct accounts_answer {
  std::shared_ptr<const std::string> files; ///< `/auth-files`
  std::shared_ptr<const std::string> keys;  ///< `/api-key-usage`
  std::string version;
  std::int64_t took_ms = 0;
};
/// Takes records out of the node's queue over HTTP, for good.
struct pop_queue {
  std::uint32_t count = 1000;
};
struct queue_answer {
  std::shared_ptr<const std::string> body; ///< a JSON array, not looked into
};
/// Switches recording on, and raises the retention of the queue to at least `retention_s`.
struct mend_settings {
  bool enable_statistics = false;
  std::int64_t retention_s = 0; ///< 0: leave it
};
struct settings_mended {};
/// Asks whether the node is alive without a management call.
struct probe {};
struct probe_answer {
  bool new_connection = false; ///< the former connection was gone: a hint that the process may be another
};

using upstream_actor = caf::typed_actor<
  caf::replies_to<fetch_usage>::with<usage_answer>,
  caf::replies_to<import_usage>::with<import_answer>,
  caf::replies_to<find_era>::with<era_answer>,
  caf::replies_to<fetch_accounts>::with<accounts_answer>,
  caf::replies_to<pop_queue>::with<queue_answer>,
  caf::replies_to<mend_settings>::with<settings_mended>,
  caf::replies_to<probe>::with<probe_answer>>;

// --- POLLER: one per node; looks, takes what is new, hands it on ---------------

/// Look at once (an import has just changed the node, or a person asks).
struct poll_now {};
/// The node itself said that it counts so many requests: fewer later mean another process.
struct node_counted {
  std::int64_t requests = 0;
};
/// The node dropped another connection of ours: perhaps it restarted.
struct connection_dropped {};
/// Tell the keeper when the node was looked at next, so that a restart is seen before anything is restored into it.
struct tell_when_seen {};

using poller_actor = caf::typed_actor<
  caf::reacts_to<poll_now>,
  caf::reacts_to<node_counted>,
  caf::reacts_to<connection_dropped>,
  caf::reacts_to<tell_when_seen>,
  // Stops looking; answered when no poll is under way any more.
  caf::replies_to<drain>::with<drained>>;

/// Whom to tell what was noticed of the node elsewhere.
struct meet_poller {
  poller_actor poller;
};

// --- COLLECTOR: one per node; takes records out of its queue, into the inbox, then apart ---

/// What the node's queue is asked for; decided by collect_plan.
enum class queue_mode : std::uint8_t {
  off,       ///< nothing: not known yet, or not wanted
  subscribe, ///< pushed over RESP; the backlog is popped beside it
  resp_pop,
  http_pop
};
/// From the tap's own thread.
struct payloads_came {
  inbox_channel channel = inbox_channel::subscribe;
  std::shared_ptr<const payload_batch> payloads;
};
struct tap_changed {
  queue_mode mode = queue_mode::off;
  bool connected = false; ///< subscribed, or popping; the backlog that was there is taken
  caf::error why;         ///< when it is not connected
};
struct replay_letters {
  std::vector<std::uint64_t> numbers; ///< empty: all of the node
};
struct replay_report {
  std::uint64_t replayed = 0; ///< decoded after all
  std::uint64_t added = 0;    ///< records that were new
  std::uint64_t still_dead = 0;
};
/// The node was looked at: what it offers. `restarted`: it is another process than before.
struct era_found {
  era_answer era;
  bool restarted = false;
};
/// What the collector has: for the page, and for telling what belongs to which process of the node.
struct read_queue_state {};
struct queue_state {
  /// A connection to the node's queue, and what the ledger held of each credential when it was opened: all that
  /// came later came over this connection or a later one.
  struct connection {
    moment opened_at{};
    std::vector<audit_memory::credential> held;
  };
  queue_mode mode = queue_mode::off;
  bool connected = false;
  std::string problem;                 ///< a sentence, empty when all is well
  std::uint64_t waiting = 0;           ///< payloads received and not yet decoded
  std::vector<connection> connections; ///< the newest few, oldest first
};

using collector_actor = caf::typed_actor<
  caf::reacts_to<payloads_came>,
  caf::reacts_to<tap_changed>,
  caf::reacts_to<era_found>,
  caf::reacts_to<meet_poller>,
  caf::replies_to<read_queue_state>::with<queue_state>,
  // Decodes dead letters again: all of the node's, or those named.
  caf::replies_to<replay_letters>::with<replay_report>,
  // Stops taking; answered when all that came is decoded and on disk.
  caf::replies_to<drain>::with<drained>>;

// --- RESTART DETECTOR: one per node; judges what was seen -----------------------

/// What one poll saw, compared with what was remembered.
struct observation {
  node_name node;
  moment at{};
  node_counters counters;
  std::uint64_t lists_known = 0;  ///< lists remembered
  std::uint64_t lists_broken = 0; ///< of those: gone, shorter, or with another beginning
  std::uint64_t lists_capped = 0; ///< broken, but the CPA caps its lists and counts on: excused
  std::uint64_t details_gone = 0; ///< details known to have been there that are not there any more
  bool marker_gone = false;       ///< the boot marker that was there is not
  bool connection_lost = false;   ///< since the last observation
  moment last_seen_at{};          ///< of the last good poll, and
  node_counters before;           ///< what the node counted then, or said since
  // Of nodes without lists:
  std::uint64_t accounts_known = 0;  ///< credentials that had counted something
  std::uint64_t accounts_fell = 0;   ///< of those: count less now, or are gone
  std::uint64_t records_surplus = 0; ///< records of this process in the ledger beyond what it counts
  std::uint64_t records_missing = 0; ///< the other way round, when it was last compared
  std::uint64_t records_came = 0;    ///< into the ledger since it was last compared
  bool version_changed = false;
  bool by_accounts = false; ///< judged by these and not by lists
};
struct verdict {
  /// Set when it cannot be told whether the process is the one before, since nothing had been seen of that one.
  std::optional<gap_record> gap;
  enum class kind : std::uint8_t {
    same,     ///< the process that was there before
    suspect,  ///< look again at once; remember nothing yet
    restarted ///< certain; `evidence` says why
  } is = kind::same;
  restart_record restart; ///< filled for `restarted`
};

using restart_detector_actor = caf::typed_actor<
  caf::replies_to<observation>::with<verdict>>;

// --- SNAPSHOT KEEPER: one per node; snapshots, restores, files --------------------

/// The ledger has this restart; put back what the node lacks.
struct restart_noticed {
  restart_record restart;
  bool can_restore = true; ///< the node takes statistics back
};
/// The node holds fewer records than the ledger, restart or not: compare, and import what it lacks.
struct restore_wanted {};
/// Leave a boot marker in the node.
struct place_marker {};
/// The poller has looked at the node and judged it.
struct node_seen {};
struct make_snapshot {
  std::string reason;
};
struct list_snapshots {};
/// An export file of version 1: snapshot `id`, or the ledger as it is now for 0.
struct export_snapshot {
  std::uint64_t id = 0;
};
struct export_file {
  snapshot_info info;
  std::shared_ptr<const std::string> json;
};
/// Takes an export file (of CPA, of Key Portal or of the original portal) into the ledger; a restore follows by itself.
struct import_file {
  std::shared_ptr<const std::string> json;
};
struct import_report {
  std::uint64_t records = 0; ///< in the file
  std::uint64_t added = 0;   ///< new to the ledger
  std::uint64_t refused = 0; ///< older than the raw records that are kept: see `committed::refused`
};
/// Compares the node with the ledger and imports what it lacks, restart or not.
struct restore_now {};
struct restore_report {
  std::uint64_t lacking = 0;       ///< found before
  std::uint64_t imported = 0;      ///< counted by the node
  std::uint64_t still_lacking = 0; ///< found after
  std::int64_t took_ms = 0;
};

using snapshot_keeper_actor = caf::typed_actor<
  caf::reacts_to<restart_noticed>,
  caf::reacts_to<restore_wanted>,
  caf::reacts_to<place_marker>,
  caf::reacts_to<node_seen>,
  caf::reacts_to<meet_poller>,
  caf::replies_to<make_snapshot>::with<snapshot_info>,
  caf::replies_to<list_snapshots>::with<std::vector<snapshot_info>>,
  caf::replies_to<export_snapshot>::with<export_file>,
  caf::replies_to<import_file>::with<import_report>,
  caf::replies_to<restore_now>::with<restore_report>,
  // Makes the last snapshot; a restore under way is left to the next start.
  caf::replies_to<drain>::with<drained>>;

// --- LEDGER: the only writer of RocksDB; blocking ------------------------------------

/// Facts beyond records, made durable together.
struct journal_entry {
  std::vector<node_event> events;
  std::optional<restart_record> restart; ///< number 0: a new one; else the same one, amended
  std::optional<gap_record> gap;
  std::vector<incomplete_record> incompletes; ///< number 0: new ones; else the same ones, amended
  std::optional<audit_memory> audit;          ///< replaces what was remembered of its node
  std::vector<std::uint64_t> dropped_letters; ///< dead letters that a person gave up
  std::shared_ptr<const storage::retirement> retired = {}; ///< raw records that go: made by the ledger's own `check_day`
};
/// Bytes as they came out of a node's queue, several payloads one after the other. They are on disk, sealed, before
/// anybody looks into them, and stay in the inbox until a collection says that it is done with them.
struct received {
  node_name node;
  moment at{};
  inbox_channel channel = inbox_channel::subscribe;
  std::shared_ptr<const payload_batch> payloads;
};
/// Records of one node as a poll (or a file) brought them, with what to remember of the node afterwards.
struct collection {
  node_name node;
  moment seen_at{};
  std::shared_ptr<const std::vector<record_group>> groups; ///< may hold records the ledger has already
  bool from_poll = true;                                   ///< false: a file; the node's memory stays as it is
  bool forget_marks = false;                               ///< drop all marks of the node first (it restarted)
  std::vector<list_mark> marks;                            ///< new or changed ones
  node_counters counters;
  std::optional<journal_entry> facts;          ///< durable together with the records, or not at all
  std::vector<std::uint64_t> inbox_done;       ///< numbers of what was received and is decoded herein
  std::vector<dead_letter> dead;               ///< what could not be; their numbers are given by the ledger
  std::vector<std::uint64_t> replayed_letters; ///< dead letters that could be decoded after all
};
/// Records out of another tool's database. Which of them are there already is found by what such tools keep of them.
struct copy_records {
  struct group {
    secret client_key;      ///< or
    std::string key_sha256; ///< 64 hex digits, where the tool kept no more; a key nobody knows stands as "sha256:<hex>"
    std::string model;
    std::vector<detail> details; ///< without ids
  };
  node_name node;
  std::vector<group> groups;
  bool dry_run = false; ///< only says what it would do
};
struct copy_report {
  std::uint64_t records = 0;
  std::uint64_t added = 0;   ///< the others are there already, or
  std::uint64_t refused = 0; ///< older than the raw records that are kept: see `committed::refused`
};
/// How far a consumer of the ledger's records has come; it goes on behind there, also after our own restart.
struct consumer_progress {
  std::string name;
  sequence seq = 0;
};
/// Answer to these four, and what listeners are told: it is on disk.
struct committed {
  sequence last = 0;                                         ///< the ledger's position
  std::shared_ptr<const std::vector<stored_record>> records; ///< those that were new; never null
  std::shared_ptr<const std::vector<node_event>> events;     ///< never null
  std::vector<std::pair<node_name, totals>> sums;            ///< of the nodes that changed
  std::uint64_t duplicates = 0;
  std::uint64_t restart_number = 0; ///< given to `journal_entry::restart`
  std::uint64_t inbox_number = 0;   ///< given to `received`
  std::vector<std::uint64_t> incomplete_numbers; ///< given to `journal_entry::incompletes`, in their order
  log_position appended = 0;                     ///< given to `append_entry`; 0 for one that came too late
  std::shared_ptr<const std::vector<cost_change>> repriced = {}; ///< null but where costs of older records were changed
  /// Not entered: of days whose raw records are gone, so nobody can tell whether they had been counted. Not in `duplicates`.
  std::uint64_t refused = 0;
  std::vector<std::pair<node_name, std::int64_t>> at_node = {}; ///< as in ledger_state, of the nodes that changed
};
struct recall {
  node_name node;
};
struct read_outbox {
  sequence after = 0;
  std::uint32_t limit = 1000;
};
struct outbox_item {
  sequence seq = 0;
  std::optional<stored_record> record; ///< set for usage
  node_event event;                    ///< set otherwise
};
struct outbox_page {
  std::vector<outbox_item> items; ///< ascending; empty: nothing waits
};
/// These have reached the stream and may be forgotten.
struct outbox_acked {
  std::vector<sequence> seqs;
};
struct list_restarts {
  node_name node;
  std::uint32_t limit = 100; ///< the newest ones, newest first
};
struct list_gaps {
  node_name node;
  std::uint32_t limit = 100;
};
struct read_inbox {
  node_name node;
  std::uint64_t after = 0;
  std::uint32_t limit = 16;
};
struct inbox_entry {
  std::uint64_t number = 0;
  received what;
};
struct list_incompletes {
  node_name node;
  std::uint32_t limit = 100;
};
/// What the node's counters were compared with when it was last done, and what the ledger counts by credential.
struct recall_audit {
  node_name node;
};
struct list_dead_letters {
  std::uint64_t after = 0;
  std::uint32_t limit = 100;
  bool whole = false; ///< with the payloads
};
/// Records in the order in which they came, whether they were shipped or not.
struct read_arrivals {
  sequence after = 0;
  std::uint32_t limit = 1000;
  std::optional<node_name> node = {}; ///< of that one only
  bool with_extra = false;       ///< with what else the node said of the attempt
  bool whole = false;            ///< with the client key and the source in clear
};
struct arrival {
  stored_record record; ///< `facts->extra` is empty here: it is below
  secret client_key;
  std::string source;
  std::string extra; ///< a JSON object, or empty
};
struct list_consumers {};
struct ledger_state {
  sequence last = 0;
  std::uint64_t records = 0;
  std::uint64_t outbox = 0;
  std::uint64_t inbox = 0; ///< entries not yet decoded
  std::uint64_t dead_letters = 0;
  std::vector<std::pair<node_name, totals>> sums;
  /// How many records a node that takes statistics back must hold: all that were counted, without copies out of other
  /// tools, and without those that were gone from here when the node lost them.
  std::vector<std::pair<node_name, std::int64_t>> at_node = {};
};
struct read_ledger_state {};
/// Appends to the registry's log, keeps the images in it as the fold, and sends the events, all in one batch; or
/// registry_conflict when the log has gone on beyond `expected`, and nothing is changed.
struct append_entry {
  log_position expected = 0;
  std::shared_ptr<const registry_entry> entry;
  std::vector<node_event> events;
  /// Where the entry changes prices: what they are then. Records that are committed behind it cost by these.
  std::shared_ptr<const pricing> prices = {};
};
struct appended {
  log_position position = 0;
};
/// Entries of the registry's log behind `after`, ascending.
struct read_entries {
  log_position after = 0;
  std::uint32_t limit = 1000;
};
/// The fold as it is on disk.
struct load_registry {};
/// What a node's config.yaml was before a write; the newest few are kept, sealed.
struct keep_config {
  node_name node;
  moment at{};
  std::shared_ptr<const std::string> text;
};
struct config_info {
  node_name node;
  std::uint64_t number = 0; ///< 1, 2, … per node
  moment at{};
  std::uint64_t bytes = 0;
  std::string sha256; ///< in hex
};
struct list_configs {
  node_name node; ///< newest first
};
struct read_config {
  node_name node;
  std::uint64_t number = 0;
};

/// Models with attempts that have no price.
struct list_unpriced {
  moment from{}, to{}; ///< full days (UTC) that these lie in, both included
};
struct unpriced_model {
  std::string model;
  std::string provider; ///< empty where the node did not say it
  std::int64_t requests = 0;
  std::int64_t tokens = 0;
  std::string first_day, last_day; ///< "2026-04-02", UTC, with such attempts
};
/// Works out anew, by the prices as they are now, what the records between cost; the answer comes at once, and
/// `reprice_running` while another one is under way. What is done is done when the service stops in between: asked for
/// again, it goes over all of it and changes what is left.
struct reprice_prices {
  std::optional<moment> from = {}, to = {}; ///< [from, to); not set: all
  bool dry_run = false;                     ///< only works it out
};
struct read_reprice {};
/// Of the last one, or the one under way.
struct reprice_state {
  reprice_prices what;
  bool running = false;
  node_name node;           ///< under way
  std::optional<moment> at; ///< all of that node before this is done
  std::uint64_t records = 0;
  std::uint64_t changed = 0;                     ///< of those: cost something else now
  std::int64_t cost_before = 0, cost_after = 0;  ///< in billionths of a US dollar, of those with a price
  std::uint64_t unpriced_before = 0, unpriced_after = 0;
  std::string problem; ///< why it ended early; a sentence
};

/// Told of every commit, in order. What it does may not hold the ledger up: the message is all there is.
using listener_actor = caf::typed_actor<
  caf::reacts_to<committed>>;
struct add_listener {
  listener_actor who;
};

using ledger_actor = caf::typed_actor<
  caf::replies_to<collection>::with<committed>,
  caf::replies_to<journal_entry>::with<committed>,
  caf::replies_to<received>::with<committed>,
  caf::replies_to<read_inbox>::with<std::vector<inbox_entry>>,
  caf::replies_to<list_incompletes>::with<std::vector<incomplete_record>>,
  caf::replies_to<recall_audit>::with<audit_memory>,
  caf::replies_to<list_dead_letters>::with<std::vector<dead_letter>>,
  caf::replies_to<consumer_progress>::with<committed>,
  caf::replies_to<read_arrivals>::with<std::vector<arrival>>,
  caf::replies_to<list_consumers>::with<std::vector<consumer_progress>>,
  caf::replies_to<recall>::with<node_memory>,
  caf::replies_to<read_outbox>::with<outbox_page>,
  caf::reacts_to<outbox_acked>,
  caf::replies_to<list_restarts>::with<std::vector<restart_record>>,
  caf::replies_to<list_gaps>::with<std::vector<gap_record>>,
  caf::replies_to<read_ledger_state>::with<ledger_state>,
  caf::reacts_to<add_listener>,
  caf::replies_to<append_entry>::with<appended>,
  caf::replies_to<read_entries>::with<std::vector<registry_entry>>,
  caf::replies_to<load_registry>::with<std::shared_ptr<const registry_image>>,
  caf::replies_to<keep_config>::with<config_info>,
  caf::replies_to<list_configs>::with<std::vector<config_info>>,
  caf::replies_to<read_config>::with<std::shared_ptr<const std::string>>,
  caf::replies_to<list_unpriced>::with<std::vector<unpriced_model>>,
  caf::replies_to<reprice_prices>::with<reprice_state>,
  caf::replies_to<read_reprice>::with<reprice_state>,
  caf::replies_to<copy_records>::with<copy_report>,
  caf::replies_to<keep_history>::with<history_report>,
  caf::replies_to<read_history>::with<history_page>,
  // Commits what waits, then closes the database.
  caf::replies_to<drain>::with<drained>>;

// --- PUBLISHER: ships the outbox to NATS ------------------------------------------------

/// From the sink's own thread: these messages are in the stream, or are not (try again).
struct delivery_outcome {
  std::vector<sequence> stored;
  std::vector<sequence> failed;
};
struct link_changed {
  bool connected = false;
  std::string problem;
};
struct read_publisher_state {};
struct publisher_state {
  bool connected = false;
  std::string url; ///< without credentials
  std::string problem;
  sequence shipped = 0; ///< all up to here are in the stream
  std::uint64_t in_flight = 0;
};

using publisher_actor = caf::typed_actor<
  caf::reacts_to<committed>,
  caf::reacts_to<delivery_outcome>,
  caf::reacts_to<link_changed>,
  caf::replies_to<read_publisher_state>::with<publisher_state>,
  // Waits until the outbox is empty or the link is down.
  caf::replies_to<drain>::with<drained>>;

// --- FEED: what is now, for pages and metrics; pushes to WebSockets ------------------------

struct read_overview {};
struct node_overview {
  node_condition condition;
  totals sums;
  totals today; ///< since midnight in the configured time zone
  std::uint64_t restarts = 0;
  std::uint64_t snapshots = 0;
  std::optional<restart_record> last_restart;
  std::optional<snapshot_info> last_snapshot;
};
struct overview {
  moment at{};
  sequence position = 0;
  std::vector<node_overview> nodes; ///< in configured order
};
/// The overview as the JSON frame that a WebSocket gets first.
struct read_greeting {};
struct snapshot_made {
  snapshot_info info;
};

using feed_actor = caf::typed_actor<
  caf::reacts_to<committed>,
  caf::reacts_to<node_condition>,
  caf::reacts_to<restart_noticed>,
  // also when it changes (restored)
  caf::reacts_to<snapshot_made>,
  caf::replies_to<read_overview>::with<overview>,
  caf::replies_to<read_greeting>::with<std::shared_ptr<const std::string>>>;

// --- KEY REGISTRY: people, keys, policies; decides every command --------------------------------

struct find_key {
  key_id id;   ///< or
  secret text; ///< the key itself
};
struct list_keys {
  std::optional<key_state> state = {};
  user_id owner = {};  ///< empty: of anybody
  enum class wait : std::uint8_t { any, renewal, choice } waiting = wait::any; ///< for somebody to decide a renewal, or what becomes of a key that was removed by hand
  std::string text = {}; ///< in label, `shown` or id
  key_id after = {};
  std::uint32_t limit = 100;
};
struct key_page {
  /// In the order of their ids, without `sealed`; `nodes` are the nodes that "all" and groups mean.
  std::vector<client_key> keys;
  bool more = false;
};
struct list_users {
  std::optional<user_state> state = {};
  std::string text = {}; ///< in e-mail, name or label
  user_id after = {};
  std::uint32_t limit = 100;
};
struct user_page {
  std::vector<user> users;
  bool more = false;
};
struct find_user {
  std::string id_or_email;
};
struct list_policies {};
struct list_prices {
  std::string text = {};  ///< in model or provider, in lower case
  std::string after = {}; ///< id
  std::uint32_t limit = 100;
};
struct price_page {
  std::vector<price> prices; ///< in the order of their ids
  bool more = false;
};
/// Of one key, with those of its owner and group.
struct read_budgets {
  key_id key;
};
struct read_registry_state {};
struct registry_state {
  log_position position = 0;
  std::uint64_t users = 0;
  std::array<std::uint64_t, 7> keys{}; ///< by key_state
  std::uint64_t made = 0, imported = 0, found = 0;
  std::uint64_t low_water = 0; ///< of the pool
  std::uint64_t changing = 0;  ///< keys that do not yet work, or not yet no longer, where they should
  std::uint64_t by_hand = 0;   ///< keys that somebody removed at a node: a person has to choose
  std::uint64_t renewals = 0;  ///< asked for and not decided
};
/// A keeper is there (again) and wants to know what should be at its node.
struct keeper_ready;

using key_registry_actor = caf::typed_actor<
  caf::replies_to<registry_command>::with<command_done>,
  caf::replies_to<find_key>::with<client_key>,
  caf::replies_to<list_keys>::with<key_page>,
  caf::replies_to<find_user>::with<user>,
  caf::replies_to<list_users>::with<user_page>,
  caf::replies_to<list_policies>::with<std::vector<policy>>,
  caf::replies_to<list_prices>::with<price_page>,
  caf::replies_to<read_budgets>::with<std::vector<budget_use>>,
  caf::replies_to<read_registry_state>::with<registry_state>,
  caf::reacts_to<keeper_ready>,
  caf::reacts_to<committed>,
  caf::replies_to<drain>::with<drained>>;

// --- AUDITOR: proves the registry's log; blocking ------------------------------------------------

/// Walks through all of it: holes, changed entries and broken chains are audit_broken, with where.
struct verify_audit {
  log_position position = 0; ///< not 0: this entry must also have the hash below, which was kept elsewhere
  std::array<std::uint8_t, 32> hash{};
};
struct audit_verified {
  log_position position = 0; ///< up to here all is as it was written
  std::array<std::uint8_t, 32> hash{}; ///< of that entry
};

using auditor_actor = caf::typed_actor<
  caf::replies_to<verify_audit>::with<audit_verified>>;

// --- ANALYST: answers questions about usage, several at a time; blocking ---------------------------

/// Times may be words, which depend on the zone: see calendar::read. Not empty, they go before those in `what`.
struct ask_usage {
  usage_question what;
  std::string from = {}, to = {};
};
struct ask_records {
  record_question what;
  std::string zone = {}; ///< of the words
  std::string from = {}, to = {};
};

using analyst_actor = caf::typed_actor<
  caf::replies_to<ask_usage>::with<std::shared_ptr<const usage_report>>,
  caf::replies_to<ask_records>::with<std::shared_ptr<const record_page>>>;

// --- KEY UPSTREAM: a connection of its own to one CPA, for its key list; blocking ---------------

struct fetch_keys {};
struct keys_answer {
  std::vector<secret> keys; ///< as the node shows them, in its order, not trimmed
};
/// Replaces the whole list, which is never empty.
struct put_keys {
  std::vector<secret> keys;
};
/// Puts `to` in the place of `from`; where `from` is missing, `to` is appended. Both the same: adds it unless it is there.
struct swap_key {
  secret from, to;
};
struct key_written {};
/// Does the node let this key in? Without one: does it let anybody in?
struct try_key {
  std::optional<secret> key;
};
enum class key_trial : std::uint8_t { let_in, refused, unclear };
struct fetch_config {};
struct put_config {
  std::shared_ptr<const std::string> text;
};

using key_upstream_actor = caf::typed_actor<
  caf::replies_to<fetch_keys>::with<keys_answer>,
  caf::replies_to<put_keys>::with<key_written>,
  caf::replies_to<swap_key>::with<key_written>,
  caf::replies_to<try_key>::with<key_trial>,
  caf::replies_to<fetch_config>::with<std::shared_ptr<const std::string>>,
  caf::replies_to<put_config>::with<key_written>>;

// --- KEY KEEPER: one per node; keeps its keys in step with the registry ---------------------------

/// What should be at the node. Deltas come in order; `whole` replaces all before.
struct key_orders {
  struct one {
    key_id id;
    secret text;
    bool should_work = false;
    bool was_seen = false; ///< in force at this node, as the registry knows
  };
  bool whole = false;
  secret sentinel; ///< a key that nobody holds and that is always there; set where `whole`
  std::vector<one> keys;
};
struct read_node_keys {};
struct node_keys {
  std::uint64_t wanted = 0;    ///< keys that should work
  std::uint64_t changing = 0;  ///< not yet seen to work, or to work no more
  std::uint64_t external = 0;  ///< made elsewhere
  std::uint64_t taken_away = 0; ///< removed by somebody else
  bool open = false;           ///< the node lets anybody in
  bool drift = false;          ///< not as it should be for another reason than a change that is on its way
  std::optional<moment> in_step_at; ///< when the node was last seen as it should be
  std::string problem;         ///< a sentence; empty when all is well
};
struct restore_config {
  std::uint64_t number = 0;
};

using key_keeper_actor = caf::typed_actor<
  caf::reacts_to<key_orders>,
  // The node may be another process, with another list: look at once.
  caf::reacts_to<node_seen>,
  caf::replies_to<read_node_keys>::with<node_keys>,
  caf::replies_to<restore_config>::with<key_written>,
  // Writes nothing more; answered when no write is under way.
  caf::replies_to<drain>::with<drained>>;

struct keeper_ready {
  node_name node;
  key_keeper_actor keeper;
};

// --- GATEWAY: answers HTTP requests by asking the others -------------------------------------

/// The actors of one node, as the gateway needs them.
struct node_handles {
  node_name name;
  poller_actor poller;
  snapshot_keeper_actor keeper;
  collector_actor collector;
  key_keeper_actor keys = {};
};
using node_directory = std::vector<node_handles>;

using gateway_actor = caf::typed_actor<
  caf::reacts_to<std::shared_ptr<http_exchange>>,
  caf::reacts_to<node_directory>,
  // the actors of a node were started anew
  // Answers 503 to everything but liveness from now on.
  caf::replies_to<drain>::with<drained>>;

// --- SUPERVISOR: starts, watches, stops all ----------------------------------------------------

struct shut_down {
  std::string reason;
};

using supervisor_actor = caf::typed_actor<
  caf::reacts_to<shut_down>>;

} // namespace keyportal

// In-process only: none of these is ever serialised.
#define KEYPORTAL_MESSAGE(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::type)
KEYPORTAL_MESSAGE(drain)
KEYPORTAL_MESSAGE(drained)
KEYPORTAL_MESSAGE(fetch_usage)
KEYPORTAL_MESSAGE(usage_answer)
KEYPORTAL_MESSAGE(import_usage)
KEYPORTAL_MESSAGE(import_answer)
KEYPORTAL_MESSAGE(find_era)
KEYPORTAL_MESSAGE(era_answer)
KEYPORTAL_MESSAGE(fetch_accounts)
KEYPORTAL_MESSAGE(accounts_answer)
KEYPORTAL_MESSAGE(pop_queue)
KEYPORTAL_MESSAGE(queue_answer)
KEYPORTAL_MESSAGE(mend_settings)
KEYPORTAL_MESSAGE(settings_mended)
KEYPORTAL_MESSAGE(payloads_came)
KEYPORTAL_MESSAGE(tap_changed)
KEYPORTAL_MESSAGE(era_found)
KEYPORTAL_MESSAGE(read_queue_state)
KEYPORTAL_MESSAGE(queue_state)
KEYPORTAL_MESSAGE(replay_letters)
KEYPORTAL_MESSAGE(replay_report)
KEYPORTAL_MESSAGE(probe)
KEYPORTAL_MESSAGE(probe_answer)
KEYPORTAL_MESSAGE(poll_now)
KEYPORTAL_MESSAGE(node_counted)
KEYPORTAL_MESSAGE(connection_dropped)
KEYPORTAL_MESSAGE(tell_when_seen)
KEYPORTAL_MESSAGE(node_seen)
KEYPORTAL_MESSAGE(restore_wanted)
KEYPORTAL_MESSAGE(place_marker)
KEYPORTAL_MESSAGE(meet_poller)
KEYPORTAL_MESSAGE(observation)
KEYPORTAL_MESSAGE(verdict)
KEYPORTAL_MESSAGE(restart_noticed)
KEYPORTAL_MESSAGE(make_snapshot)
KEYPORTAL_MESSAGE(snapshot_info)
KEYPORTAL_MESSAGE(list_snapshots)
KEYPORTAL_MESSAGE(export_snapshot)
KEYPORTAL_MESSAGE(export_file)
KEYPORTAL_MESSAGE(import_file)
KEYPORTAL_MESSAGE(import_report)
KEYPORTAL_MESSAGE(restore_now)
KEYPORTAL_MESSAGE(restore_report)
KEYPORTAL_MESSAGE(collection)
KEYPORTAL_MESSAGE(journal_entry)
KEYPORTAL_MESSAGE(committed)
KEYPORTAL_MESSAGE(received)
KEYPORTAL_MESSAGE(read_inbox)
KEYPORTAL_MESSAGE(list_incompletes)
KEYPORTAL_MESSAGE(recall_audit)
KEYPORTAL_MESSAGE(audit_memory)
KEYPORTAL_MESSAGE(list_dead_letters)
KEYPORTAL_MESSAGE(consumer_progress)
KEYPORTAL_MESSAGE(copy_records)
KEYPORTAL_MESSAGE(copy_report)
KEYPORTAL_MESSAGE(keep_history)
KEYPORTAL_MESSAGE(history_report)
KEYPORTAL_MESSAGE(read_history)
KEYPORTAL_MESSAGE(history_page)
KEYPORTAL_MESSAGE(read_arrivals)
KEYPORTAL_MESSAGE(list_consumers)
KEYPORTAL_MESSAGE(recall)
KEYPORTAL_MESSAGE(node_memory)
KEYPORTAL_MESSAGE(read_outbox)
KEYPORTAL_MESSAGE(outbox_page)
KEYPORTAL_MESSAGE(outbox_acked)
KEYPORTAL_MESSAGE(list_restarts)
KEYPORTAL_MESSAGE(list_gaps)
KEYPORTAL_MESSAGE(read_ledger_state)
KEYPORTAL_MESSAGE(ledger_state)
KEYPORTAL_MESSAGE(add_listener)
KEYPORTAL_MESSAGE(delivery_outcome)
KEYPORTAL_MESSAGE(link_changed)
KEYPORTAL_MESSAGE(read_publisher_state)
KEYPORTAL_MESSAGE(publisher_state)
KEYPORTAL_MESSAGE(node_condition)
KEYPORTAL_MESSAGE(read_overview)
KEYPORTAL_MESSAGE(overview)
KEYPORTAL_MESSAGE(read_greeting)
KEYPORTAL_MESSAGE(snapshot_made)
KEYPORTAL_MESSAGE(node_directory)
KEYPORTAL_MESSAGE(shut_down)
KEYPORTAL_MESSAGE(append_entry)
KEYPORTAL_MESSAGE(appended)
KEYPORTAL_MESSAGE(read_entries)
KEYPORTAL_MESSAGE(load_registry)
KEYPORTAL_MESSAGE(keep_config)
KEYPORTAL_MESSAGE(config_info)
KEYPORTAL_MESSAGE(list_configs)
KEYPORTAL_MESSAGE(read_config)
KEYPORTAL_MESSAGE(registry_entry)
KEYPORTAL_MESSAGE(registry_command)
KEYPORTAL_MESSAGE(command_done)
KEYPORTAL_MESSAGE(find_key)
KEYPORTAL_MESSAGE(client_key)
KEYPORTAL_MESSAGE(list_keys)
KEYPORTAL_MESSAGE(key_page)
KEYPORTAL_MESSAGE(find_user)
KEYPORTAL_MESSAGE(user)
KEYPORTAL_MESSAGE(list_users)
KEYPORTAL_MESSAGE(user_page)
KEYPORTAL_MESSAGE(list_policies)
KEYPORTAL_MESSAGE(list_prices)
KEYPORTAL_MESSAGE(price_page)
KEYPORTAL_MESSAGE(list_unpriced)
KEYPORTAL_MESSAGE(reprice_prices)
KEYPORTAL_MESSAGE(read_reprice)
KEYPORTAL_MESSAGE(reprice_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::unpriced_model>)
KEYPORTAL_MESSAGE(read_budgets)
KEYPORTAL_MESSAGE(read_registry_state)
KEYPORTAL_MESSAGE(registry_state)
KEYPORTAL_MESSAGE(keeper_ready)
KEYPORTAL_MESSAGE(verify_audit)
KEYPORTAL_MESSAGE(audit_verified)
KEYPORTAL_MESSAGE(ask_usage)
KEYPORTAL_MESSAGE(ask_records)
KEYPORTAL_MESSAGE(fetch_keys)
KEYPORTAL_MESSAGE(keys_answer)
KEYPORTAL_MESSAGE(put_keys)
KEYPORTAL_MESSAGE(swap_key)
KEYPORTAL_MESSAGE(key_written)
KEYPORTAL_MESSAGE(try_key)
KEYPORTAL_MESSAGE(key_trial)
KEYPORTAL_MESSAGE(fetch_config)
KEYPORTAL_MESSAGE(put_config)
KEYPORTAL_MESSAGE(key_orders)
KEYPORTAL_MESSAGE(read_node_keys)
KEYPORTAL_MESSAGE(node_keys)
KEYPORTAL_MESSAGE(restore_config)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::registry_entry>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::shared_ptr<const keyportal::registry_image>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::shared_ptr<const keyportal::usage_report>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::shared_ptr<const keyportal::record_page>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::config_info>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::policy>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::budget_use>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::snapshot_info>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::restart_record>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::gap_record>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::inbox_entry>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::incomplete_record>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::dead_letter>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::arrival>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::consumer_progress>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::shared_ptr<const std::string>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::shared_ptr<keyportal::http_exchange>)
#undef KEYPORTAL_MESSAGE
// clang-format on
