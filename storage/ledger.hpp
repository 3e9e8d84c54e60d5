// The ledger: every usage record once, what is added up from them, restarts, gaps, what is remembered of each node,
// what was received and is not decoded yet, what waits for the stream, snapshots; the registry's log and its fold. On
// disk when a call returns. No actor, no clock, no thread of its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include <caf/expected.hpp>

#include "messages/actors.hpp"
#include "messages/pricing.hpp"
#include "storage/cells.hpp"
#include "storage/shared.hpp"

namespace rocksdb {
class Env;
}

namespace keyportal::storage {

class notice_shelf;
struct account_row;
struct account_rows_change;
enum class account_row_kind : std::uint8_t;

struct settings {
  std::filesystem::path folder; ///< made if missing; holds `db/` and the key file `seal.key`
  std::size_t block_cache_bytes = std::size_t{8} << 20;
  std::size_t write_buffer_bytes = std::size_t{8} << 20; ///< per family; all together at most three times this
  bool sync = true;                                      ///< false only to show that tests notice
  int snapshots_kept = 12;                               ///< per node, the newest ones; at least 1
  int daily_snapshots_kept = 7; ///< per node, besides: the newest one of each of that many days (UTC)
  rocksdb::Env* env = nullptr;  ///< null: the machine's own; tests put faults here; must outlive the ledger
};

/// Writing (`commit`, `forget_outbox`): one thread at a time. Methods marked const: any thread, each from one
/// consistent view. Errors are those of the storage block of errc, `bad_request` for what makes no sense,
/// `snapshot_unknown` or `snapshot_corrupt`, `config_unknown` and `audit_broken`.
class ledger {
public:
  static caf::expected<std::unique_ptr<ledger>> open(const settings& how);
  ~ledger();

  using write =
    std::variant<collection, journal_entry, received, consumer_progress, append_entry, shared_progress, shared_rows>;
  /// All of them or none, in one batch and one sync; results in the same order. Records already there, or twice among
  /// `writes`, change nothing; a record that came by `/usage` or a file and by the queue (ids with the same first
  /// 8 bytes, of one node and moment, one of the two without facts) is one record. Events without a moment happened at
  /// `now`. Numbers in `inbox_done`, `replayed_letters` and `dropped_letters` that are not there are no error.
  /// An entry of the registry whose `expected` is not the last position then, also by what comes before it in `writes`,
  /// is left out with all that belongs to it, and its result says 0 for `appended`; the other writes do not notice.
  /// With an entry, commands that are older than a week at `now` are forgotten, a few at a time.
  /// After an error nothing is acknowledged; the next call tries to recover the database first and fails when that is
  /// impossible, so nothing is ever built upon a write of unknown fate. Opening anew always tells what is there.
  [[nodiscard]] caf::expected<std::vector<committed>> commit(const std::vector<write>& writes, moment now);

  /// What records that come from now on cost; null: nothing has a price. The writing thread.
  void use_prices(std::shared_ptr<const pricing> prices);
  /// The prices of records that come now: those given, or those of the last entry that had some. The writing thread.
  [[nodiscard]] std::shared_ptr<const pricing> prices() const;

  /// A piece of a reprice: at most `most` records of a node between two moments, from where the last piece ended.
  struct reprice_step {
    node_name node;
    std::int64_t from_ns = INT64_MIN; ///< included
    std::int64_t to_ns = INT64_MAX;   ///< excluded
    std::string next;                 ///< of the piece before; empty: from the beginning
    std::size_t most = 5000;
    std::shared_ptr<const pricing> with;
    bool dry_run = false;
  };
  struct reprice_done {
    std::uint64_t records = 0;
    std::uint64_t changed = 0;                    ///< of those: have or would have another cost
    std::int64_t cost_before = 0, cost_after = 0; ///< of all of them; stops at the ends of 64 bits
    std::uint64_t unpriced_before = 0, unpriced_after = 0;
    std::vector<cost_change> changes; ///< what was written
    std::string next;                 ///< empty: there is no more
    moment at{};                      ///< of the record that comes next
  };
  /// Records and roll-ups in one batch and one sync, so each state on disk is one in which they agree. Over the same
  /// records again it changes nothing. The writing thread.
  [[nodiscard]] caf::expected<reprice_done> reprice(const reprice_step& what);

  /// Models with attempts without a price on the days (UTC) between, both included, from roll-ups; those with the most
  /// attempts first. Also those of no node that is configured any more.
  [[nodiscard]] caf::expected<std::vector<unpriced_model>> unpriced(moment from, moment to) const;
  /// What `commit` would answer now, but nothing is done. Like `commit`, one thread at a time.
  [[nodiscard]] caf::expected<std::vector<committed>> rehearse(const std::vector<write>& writes, moment now) const;
  /// The texts of the client keys with these SHA-256 (64 lower-case hex digits), as far as records or the registry have
  /// them. The first call after new keys came reads all keys, the others one row a key.
  [[nodiscard]] caf::expected<std::unordered_map<std::string, secret>>
  keys_by_sha256(const std::unordered_set<std::string>& wanted) const;

  /// Keeps days that another tool had added up, apart from the records. On disk when it returns; a day that is there
  /// with the same sums stays as it is, one with others becomes what is given. `dry_run`: only says what it would do.
  [[nodiscard]] caf::expected<history_report> keep_history(const keyportal::keep_history& what) const;
  [[nodiscard]] caf::expected<history_page> history(const read_history& what) const;

  /// The stream has these. Unknown ones are no error. Not synced: forgotten twice costs a duplicate, which is dropped.
  [[nodiscard]] caf::error forget_outbox(const std::vector<sequence>& shipped);
  /// At most `limit` (and 10,000) items with a sequence above `after`.
  [[nodiscard]] caf::expected<outbox_page> read_outbox(sequence after, std::uint32_t limit) const;

  /// So many events are kept at least, the newest ones, besides those that wait in the outbox; totals are none.
  static constexpr std::uint64_t events_kept = 20'000;
  struct event_page {
    std::vector<node_event> events; ///< ascending
    sequence horizon = 0;           ///< events up to here are not kept (any more)
    sequence last = 0;              ///< the ledger's position, at least that of the last event
  };
  /// At most `limit` (and 10,000) events with a sequence above `after`; fewer when there are no more. Any thread.
  [[nodiscard]] caf::expected<event_page> events(sequence after, std::uint32_t limit) const;

  /// At most `limit` (and 10,000) records with a sequence above `after`, in the order in which they came; fewer when
  /// there are no more. For one node: reads past those of others, which takes its time where they are many.
  /// `whole`: with client key and source.
  [[nodiscard]] caf::expected<std::vector<arrival>> arrivals(const read_arrivals& what) const;

  /// At most `limit` entries of the node with a number above `after`, ascending; also fewer, but at least one if there
  /// is any, where they are large.
  [[nodiscard]] caf::expected<std::vector<inbox_entry>> read_inbox(const node_name& node, std::uint64_t after,
                                                                   std::uint32_t limit) const;
  /// Likewise, over all nodes. Without `whole` the payloads are left out.
  [[nodiscard]] caf::expected<std::vector<dead_letter>> dead_letters(std::uint64_t after, std::uint32_t limit,
                                                                     bool whole) const;

  /// The last position of the registry's log; from memory.
  [[nodiscard]] log_position registry_position() const;
  /// At most `limit` (and 10,000) entries behind `after`, ascending; also fewer, but at least one if there is any, where
  /// they are large.
  [[nodiscard]] caf::expected<std::vector<registry_entry>> entries(log_position after, std::uint32_t limit) const;
  /// What the entries come to, from the rows kept with them: users, keys and policies in the order of their names.
  [[nodiscard]] caf::expected<registry_image> load_registry() const;
  /// Walks through the log from its beginning: the chain of hashes, that each image before is the one after of the entry
  /// that changed it last, and that the rows are what comes of it. `audit_broken` with the position where the log is at
  /// fault. Part of `verify`.
  [[nodiscard]] caf::error verify_registry() const;
  /// A key's text as it may be kept: it opens for this id only.
  [[nodiscard]] caf::expected<std::string> seal_key(std::string_view text, const key_id& id) const;
  /// `seal_broken` when a bit differs or it was sealed for another id.
  [[nodiscard]] caf::expected<secret> open_key(std::string_view sealed, const key_id& id) const;

  /// Keeps what a node's config was, sealed; on disk when it returns. The newest 20 of a node stay; the same text as the
  /// newest one is not kept again, the answer is then that one.
  [[nodiscard]] caf::expected<config_info> keep_config(const keyportal::keep_config& what) const;
  /// Newest first.
  [[nodiscard]] caf::expected<std::vector<config_info>> configs(const node_name& node) const;
  /// `config_unknown` for one that is not there (any more).
  [[nodiscard]] caf::expected<std::string> read_config(const node_name& node, std::uint64_t number) const;

  /// What is kept of accounts with providers (account_shelf.hpp); on disk when it returns.
  [[nodiscard]] caf::error keep_account_rows(const account_rows_change& what) const;
  [[nodiscard]] caf::expected<std::vector<account_row>> account_rows(account_row_kind kind) const;

  /// From now on rows of notices and accounts are given to `take` in place of being written: they come back as
  /// `shared_rows`. Before any thread uses them.
  void share_rows(std::function<caf::error(shared_rows)> take);
  /// Not set: this ledger never followed a shared log.
  [[nodiscard]] caf::expected<std::optional<shared_progress>> shared() const;

  /// 0 for a consumer that the ledger does not know.
  [[nodiscard]] caf::expected<sequence> consumer_position(const std::string& name) const;
  [[nodiscard]] caf::expected<std::vector<consumer_progress>> consumers() const;

  /// `known` is false for a node that was never polled.
  [[nodiscard]] caf::expected<node_memory> recall(const node_name& node) const;
  /// The newest `limit`, newest first.
  [[nodiscard]] caf::expected<std::vector<restart_record>> restarts(const node_name& node, std::uint32_t limit) const;
  [[nodiscard]] caf::expected<std::vector<gap_record>> gaps(const node_name& node, std::uint32_t limit) const;
  [[nodiscard]] caf::expected<std::vector<incomplete_record>> incompletes(const node_name& node,
                                                                          std::uint32_t limit) const;
  /// What was kept of the node's audit, with what the ledger holds of each credential, by its auth index; also of those
  /// that no audit has mentioned. `boot` is 0 for a node that was never compared.
  [[nodiscard]] caf::expected<audit_memory> recall_audit(const node_name& node) const;
  /// From memory; nodes in the order of their names.
  [[nodiscard]] ledger_state state() const;

  /// Sums of the records at or after `from_hour`, a full hour (what is below the hour is cut off), from roll-ups.
  [[nodiscard]] caf::expected<totals> sums_since(const node_name& node, moment from_hour) const;

  /// Which rows of roll-ups to read: those of a node whose start (since 1970, UTC, in units of `by`) lies in [first, end).
  /// Any view but `key_hours`; by minute those of the last two days, in the views that are kept (see is_kept). What is
  /// not kept otherwise is made of what is.
  struct cell_question {
    granularity by = granularity::hour;
    cell_view view = cell_view::kinds;
    std::int32_t first = 0;
    std::int32_t end = 0;
    const lead_filter* leads = nullptr; ///< null: all; asked about leads that are in the dictionary only
    const kind_filter* kinds = nullptr; ///< null: all
    /// Null: all. Of what is left out by it `kinds` leaves out everything: what need not be looked at.
    const lead_filter* models = nullptr;
  };
  using sums_visitor = std::function<void(std::int32_t start, const cell_id& id, const cell_sums& sums)>;
  using distributions_visitor =
    std::function<void(std::int32_t start, const cell_id& id, cell_distributions&& distributions)>;
  /// One consistent state of the ledger; reads of several calls fit together. Holds back what RocksDB would tidy up:
  /// not for long. One thread at a time. Must not outlive the ledger.
  class reading {
  public:
    ~reading();
    /// Of leads that are neighbours in order of start; of the newest hour and its day in any order, maybe in parts.
    [[nodiscard]] caf::error sums(const node_name& node, const cell_question& what, const sums_visitor& visit) const;
    [[nodiscard]] caf::error distributions(const node_name& node, const cell_question& what,
                                           const distributions_visitor& visit) const;
    /// The same rows as they lie, for who adds up very many (cell_sums.hpp): what is not wanted of them is the visitor's to
    /// leave out. They may be of a view that tells more apart than the question's. `start` is in units of the question; of
    /// rows of the view `key_hours`, of which the question asks by hour, it is that of the day's first hour. Ends with
    /// storage_corrupt when the visitor returns false.
    using row_visitor = std::function<bool(std::int32_t start, cell_view stored, std::string_view row)>;
    [[nodiscard]] caf::error rows(const node_name& node, const cell_question& what, cell_part part,
                                  const row_visitor& visit) const;
    /// The last sequence that this state has.
    [[nodiscard]] sequence position() const;
    /// Grows from one reading to the next whenever roll-ups changed in between.
    [[nodiscard]] std::uint64_t stamp() const;
    /// Whether the roll-ups of the days (since 1970, UTC) in [first, end) are the same here and in a reading of that
    /// stamp. False also when it cannot be said. As long as the ledger is open.
    [[nodiscard]] bool same_as(std::uint64_t stamp, const node_name& node, std::int32_t first, std::int32_t end) const;
    /// In the order of their names.
    [[nodiscard]] std::vector<node_name> nodes() const;
    /// Rows by minute of before (minutes since 1970, UTC) are gone.
    [[nodiscard]] std::int32_t first_minute() const;
    /// Of a name that a cell has; the id of a client key.
    [[nodiscard]] caf::expected<std::string> text(name_kind kind, name_number number) const;
    /// In the order of records over all nodes.
    struct record_place {
      std::int64_t at_ns = 0;
      node_name node;
      record_id id;
      auto operator<=>(const record_place&) const = default;
    };
    struct record_walk {
      std::vector<node_name> nodes; ///< records of these
      std::int64_t first_ns = INT64_MIN;
      std::int64_t end_ns = INT64_MAX; ///< excluded
      bool newest_first = true;
      std::optional<record_place> after; ///< only what lies behind it, in the direction of the walk
      sequence up_to = UINT64_MAX;       ///< what came later is passed over
      std::uint32_t limit = 100;
      /// Hours and days since 1970, UTC. Asked for each kind of an hour; not set: all are.
      std::function<bool(std::int32_t hour, const sieve_kind& kind)> wanted;
      /// Whether a cell of a day may hold records that are wanted: days without any are passed over. Not set: any may.
      std::function<bool(std::int32_t day, const cell_id& id)> possible;
      cell_view view = cell_view::kinds; ///< of the cells that `possible` is asked about
      const lead_filter* leads = nullptr;
    };
    struct records_found {
      std::vector<stored_record> records;
      bool more = false;                   ///< behind the last one, or behind `reached`
      std::optional<record_place> reached; ///< set where the walk ended before the limit: it had become long
    };
    /// Only hours that hold a record that is wanted are looked into, and of them only such records are read.
    [[nodiscard]] caf::expected<records_found> records(const record_walk& what) const;
    /// Every name of a kind with its number; ids of client keys. Takes time in proportion to the dictionary.
    [[nodiscard]] caf::expected<std::vector<std::pair<name_number, std::string>>> all_names(name_kind kind) const;

    // What goes through very many rows, one by one: each until the visitor returns false.
    /// Records of the walk, the oldest first whatever it says, of equal moments by the node's name and the id; names as
    /// numbers. Looks at every record of the days that may hold one that is wanted. `limit` is not looked at.
    using record_visitor = std::function<bool(const node_name&, const record_key&, const record_value&)>;
    [[nodiscard]] caf::error each_record(const record_walk& what, const record_visitor& visit) const;
    /// Of a client key, in clear.
    [[nodiscard]] caf::expected<secret> key_text(name_number number) const;
    /// The first and the last minute, hour or day (since 1970, UTC) that has any usage; nothing where none has.
    [[nodiscard]] caf::expected<std::optional<std::pair<std::int32_t, std::int32_t>>> starts(granularity by) const;
    /// Behind `after`, in the order of their ids.
    [[nodiscard]] caf::error each_user(const user_id& after, const std::function<bool(user&&)>& visit) const;
    [[nodiscard]] caf::error each_key(const key_id& after, const std::function<bool(client_key&&)>& visit) const;
    [[nodiscard]] caf::error each_policy(const std::function<bool(policy&&)>& visit) const;
    /// In the order of the log.
    [[nodiscard]] caf::error each_entry(log_position after, const std::function<bool(registry_entry&&)>& visit) const;

  private:
    friend class ledger;
    struct parts;
    explicit reading(std::unique_ptr<parts> with);
    std::unique_ptr<parts> parts_;
  };
  [[nodiscard]] std::unique_ptr<reading> read() const;

  struct usage_day {
    node_name node;
    std::int32_t day = 0; ///< since 1970, UTC
  };
  /// The days of which roll-ups can be compared with records, by node, ascending.
  [[nodiscard]] caf::expected<std::vector<usage_day>> days_of_rollups() const;
  /// How many rows of roll-ups of a day are not what its records come to.
  [[nodiscard]] caf::expected<std::uint64_t> check_rollups(const usage_day& which) const;
  /// Makes them what the records come to, in one batch; how many were wrong. The writing thread.
  [[nodiscard]] caf::expected<std::uint64_t> mend_rollups(const usage_day& which);

  struct record_use {
    key_id key;
    moment at;
    std::int64_t tokens = 0;
    std::int64_t cost_nano = 0; ///< 0 without a price
  };
  /// Of each record in [from, to) what budgets count, in order of time.
  [[nodiscard]] caf::expected<std::vector<record_use>> uses_between(const node_name& node, moment from,
                                                                    moment to) const;

  // --- letting records go (retirement.cpp) ---

  /// What the ledger has of a node's records; from memory.
  struct kept_records {
    node_name node;
    std::int64_t first_ns = INT64_MIN; ///< none from before is entered any more; INT64_MIN: nothing went
    std::uint64_t records = 0;         ///< with a row
    std::uint64_t gone = 0;            ///< counted, added up, without a row
    std::uint64_t refused = 0;         ///< tries to enter one from before `first_ns`
    std::int64_t refused_first_ns = 0, refused_last_ns = 0; ///< between which moments those lay
    totals sums;                                            ///< of those with a row
  };
  [[nodiscard]] std::vector<kept_records> kept() const;
  /// Days before `before` of which a node has records, by node, ascending.
  [[nodiscard]] caf::expected<std::vector<usage_day>> days_of_records(std::int32_t before) const;
  /// Lowest sequence that waits in the outbox or that one of these consumers has not read; those the ledger does not know
  /// have read nothing and hold nothing back.
  [[nodiscard]] caf::expected<sequence> first_unread(const std::vector<std::string>& consumers) const;
  /// No record of the node from before that day (UTC) is entered any more. To be committed in a journal_entry.
  [[nodiscard]] static std::shared_ptr<const retirement> close_before(const usage_day& which);
  struct day_check {
    std::shared_ptr<const retirement> ready; ///< to be committed in a journal_entry; null: the day stays
    bool may_close = false;                  ///< nothing speaks against it but that it is not closed yet
    std::string why;                         ///< it stays; a sentence
    bool broken = false;                     ///< since its roll-ups are not what its records come to
    std::uint64_t records = 0;
  };
  /// Whether all records of a day are added up, none of them has a sequence from `unread` on, and it is closed.
  [[nodiscard]] caf::expected<day_check> check_day(const usage_day& which, sequence unread) const;
  /// Gives back the disk of what went from [from, to) days of a node, a day at a time; takes its time, holds no write up.
  [[nodiscard]] caf::error give_back(const node_name& node, std::int32_t from, std::int32_t to) const;

  /// A copy of the database as it is, in a folder that is not there yet, on the same file system: tables are hard links.
  [[nodiscard]] caf::error checkpoint(const std::filesystem::path& folder) const;
  /// So many sequences are never given: in a ledger out of a backup, since the stream may have events under them already.
  /// On disk when it returns. The writing thread.
  [[nodiscard]] caf::error skip_sequences(sequence count);

  /// Adds everything up anew from the records and compares: roll-ups, sums, counts, arrivals, credentials,
  /// outbox, inbox, dead letters, sequences, the registry.
  [[nodiscard]] caf::error verify() const;

  /// Walks over all records of a node in order of time, as they were when the walk began, with key and source in
  /// clear. One thread at a time. May outlive the ledger; the database stays open as long.
  class scan {
  public:
    ~scan();
    /// The next records, at most `max_records` (0 counts as 1), grouped by key and model; empty at the end.
    [[nodiscard]] caf::expected<std::vector<record_group>> next(std::size_t max_records);

  private:
    friend class ledger;
    struct parts;
    explicit scan(std::unique_ptr<parts> with);
    std::unique_ptr<parts> parts_;
  };
  /// Leaves out the records in `present`, and then copies too: they never go back to a node. Null: all. `facts->extra` is filled only `with_extra`: it lies
  /// elsewhere.
  [[nodiscard]] std::unique_ptr<scan> records(const node_name& node,
                                              std::shared_ptr<const std::unordered_set<record_id>> present,
                                              bool with_extra = false) const;

  /// Keeps an export file: `node`, `made_at`, `reason`, `position` and `sums` of `info` are the caller's, the rest is
  /// filled in. On disk when it returns; older ones beyond what the settings keep are dropped.
  [[nodiscard]] caf::expected<snapshot_info> keep_snapshot(snapshot_info info, const std::string& json) const;
  /// Newest first.
  [[nodiscard]] caf::expected<std::vector<snapshot_info>> snapshots(const node_name& node) const;
  /// The file as it was given, byte for byte, or an error.
  [[nodiscard]] caf::expected<std::string> read_snapshot(std::uint64_t id) const;

  [[nodiscard]] key_id id_of_key(std::string_view client_key) const;

  /// Who was told what (notices.hpp). May outlive the ledger; the database stays open as long.
  [[nodiscard]] std::shared_ptr<notice_shelf> notices() const;

  /// Merges all files into their final form; for measurements and for maintenance. Takes long.
  [[nodiscard]] caf::error compact() const;

private:
  struct parts;
  explicit ledger(std::unique_ptr<parts> with);
  std::unique_ptr<parts> parts_;
};

} // namespace keyportal::storage
