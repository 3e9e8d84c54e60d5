#include "actors/spawn.hpp"

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/account_keeper/account_keeper.hpp"
#include "actors/analyst/analyst.hpp"
#include "actors/analyst/calendar.hpp"
#include "actors/authenticator/authenticator.hpp"
#include "actors/backup/backup_keeper.hpp"
#include "actors/collector/collector.hpp"
#include "actors/cpa/upstream.hpp"
#include "actors/exporter/exporter.hpp"
#include "actors/cpa/key_upstream.hpp"
#include "actors/key_keeper/key_keeper.hpp"
#include "actors/key_registry/auditor.hpp"
#include "actors/key_registry/registry_start.hpp"
#include "actors/ledger/checker.hpp"
#include "actors/ledger/ledger.hpp"
#include "actors/notifier/notifier.hpp"
#include "actors/poller/poller.hpp"
#include "actors/retention/retention_keeper.hpp"
#include "actors/restart_detector/restart_detector.hpp"
#include "actors/snapshot_keeper/snapshot_keeper.hpp"

namespace keyportal {

namespace {

constexpr bool own_thread = true;

/// The nodes as the ledger knows them, before anything is asked of them.
std::vector<node_overview> remembered_nodes(const surroundings& around) {
  std::vector<node_overview> out;
  const auto state = around.store->state();
  for (const auto& node : around.configured.nodes) {
    node_overview n;
    n.condition.node = node.name;
    n.condition.url = node.url;
    n.condition.since = around.now();
    for (const auto& [name, sums] : state.sums)
      if (name == node.name)
        n.sums = sums;
    if (auto restarts = around.store->restarts(node.name, 1); restarts && !restarts->empty()) {
      n.last_restart = restarts->front();
      n.restarts = restarts->front().number;
    }
    if (auto snapshots = around.store->snapshots(node.name); snapshots && !snapshots->empty()) {
      n.last_snapshot = snapshots->front();
      n.snapshots = snapshots->size();
    }
    out.push_back(std::move(n));
  }
  return out;
}

std::shared_ptr<board> make_board(const surroundings& around) {
  auto sums_since = [store = around.store](const node_name& node, moment from) {
    auto sums = store->sums_since(node, from);
    return sums ? *sums : totals{};
  };
  auto out = std::make_shared<board>(remembered_nodes(around), &local_midnight, std::move(sums_since), around.now());
  out->begin_at(around.store->state().last);
  return out;
}

feed_settings feed_of(const surroundings& around) {
  feed_settings out;
  out.now_board = make_board(around);
  out.now = around.now;
  out.midnight = &local_midnight;
  out.position = around.store->state().last;
  out.stored = [store = around.store](sequence after, std::uint32_t limit) -> caf::expected<stored_events> {
    auto page = store->events(after, limit);
    if (!page)
      return page.error();
    return stored_events{std::move(page->events), page->horizon, page->last};
  };
  return out;
}

key_registry_settings registry_settings(const surroundings& around) {
  const auto& keys = around.configured.keys;
  key_registry_settings out;
  out.rules.prefix = keys.prefix;
  out.rules.pool_low_water = static_cast<std::uint64_t>(keys.pool_low_water);
  out.rules.pool_size = static_cast<std::uint64_t>(keys.pool_size);
  out.rules.reminders.clear();
  for (const auto before : keys.reminded)
    out.rules.reminders.push_back(std::chrono::duration_cast<std::chrono::seconds>(before));
  out.rules.longest_grace_s = std::chrono::duration_cast<std::chrono::seconds>(keys.longest_grace).count();
  for (const auto& node : around.configured.nodes) {
    out.rules.nodes.push_back(node.name);
    for (const auto& group : node.groups)
      out.rules.node_groups[group].push_back(node.name);
  }
  out.sentinel = sentinel_of(*around.store);
  out.now = around.now;
  if (const auto part = around.cluster) {
    out.shared = true;
    out.sees_to_time = [part] { return part->may_act(duties::schedule); };
  }
  return out;
}

backup_keeper_settings backups_of(const surroundings& around) {
  const auto& s = around.configured;
  return {.folder = s.backup.folder,
          .key = {s.backup.key_file, s.backup.passphrase_file},
          .ledger = s.data_dir / "ledger",
          .interval = s.backup.interval,
          .keep = {static_cast<std::size_t>(s.backup.keep), static_cast<std::size_t>(s.backup.keep_daily),
                   static_cast<std::size_t>(s.backup.keep_weekly)},
          .now = around.now};
}

retention_settings retention_of(const surroundings& around) {
  const auto& s = around.configured;
  retention_settings out;
  out.rules = {std::chrono::duration_cast<std::chrono::seconds>(s.retention.records), s.retention.max_bytes};
  if (!s.compat.listen.empty()) {
    if (!s.compat.management_key.empty())
      out.consumers.emplace_back("default");
    for (const auto& one : s.compat.consumers)
      out.consumers.push_back(one.name);
  }
  out.size = [folder = s.data_dir] { return backup::size_of_folder(folder); };
  out.free = [folder = s.data_dir]() -> std::uint64_t {
    std::error_code problem;
    const auto space = std::filesystem::space(folder, problem);
    return problem ? 0 : space.available;
  };
  out.now = around.now;
  return out;
}

/// What a text hashes to with the installation's key: the same in each of its lives, and no other installation's. No client
/// key has a line's end in it, so none has this id.
random_bits installation_key(const storage::ledger& store) {
  return sha256(store.id_of_key("what tokens and codes are hashed with\n1")
                + store.id_of_key("what tokens and codes are hashed with\n2"));
}

authenticator_settings authenticator_of(const surroundings& around, const notifier_actor& mailer) {
  const auto& s = around.configured.sign_in;
  const auto seconds = [](std::chrono::milliseconds what) {
    return std::chrono::duration_cast<std::chrono::seconds>(what);
  };
  const auto vault = vault_of(around.store);
  authenticator_settings out;
  out.sessions.idle = seconds(s.idle);
  out.sessions.absolute = seconds(s.absolute);
  out.registration.mode = registration_mode_of(s.registration).value_or(registration_mode::closed);
  out.registration.domains = s.domains;
  out.passwords = s.password;
  out.hash_threads = static_cast<std::size_t>(s.hash_threads);
  out.requests_per_minute = static_cast<std::uint32_t>(s.requests_per_minute);
  out.anonymous_requests_per_minute = static_cast<std::uint32_t>(s.anonymous_requests_per_minute);
  out.providers = s.providers;
  out.first_admin_file = around.configured.data_dir / "first-admin.token";
  out.key = installation_key(*around.store);
  out.shared = around.cluster != nullptr;
  out.seal = {vault.seal, vault.open};
  out.draw = vault.draw;
  out.now = around.now;
  const auto& channels = around.configured.notices.channels;
  if (std::any_of(channels.begin(), channels.end(), [](const auto& one) { return one.kind == "mail"; }))
    out.mail = [mailer](send_code what) { caf::anon_send(mailer, std::move(what)); };
  return out;
}

notifier_settings notices_of(const surroundings& around) {
  const auto& s = around.configured;
  const auto& zone = s.display.time_zone;
  notifier_settings out;
  out.notices = s.notices;
  out.zone = zone.empty() ? calendar::zone_of_this_machine() : zone;
  out.now = around.now;
  out.certificate_days = [numbers = around.numbers] { return numbers->certificate_ends.Value(); };
  out.make_queue = around.make_queue;
  if (const auto part = around.cluster)
    out.may_decide = [part] { return part->may_act(duties::notices); };
  out.wire.authorities = s.notices.authorities;
  return out;
}

account_keeper_settings account_settings(const surroundings& around) {
  const auto& s = around.configured.accounts;
  account_keeper_settings out;
  out.refresh_interval = s.refresh_interval;
  out.quota_interval = s.quota_interval;
  out.reminders = s.reminded;
  out.everybody = s.contribute != "admins";
  out.now = around.now;
  const auto name_of = [store = around.store](const std::string& text) {
    // No client key has a line's end in it, so none has this id.
    auto id = store->id_of_key("account\n" + text);
    id.front() = 'a';
    return id;
  };
  out.id_of = name_of;
  out.draw = [draw = vault_of(around.store).draw, name_of] {
    std::array<std::uint8_t, 24> bits{};
    draw(bits);
    return "l" + name_of("login\n" + std::string(bits.begin(), bits.end())).substr(1);
  };
  out.is_kept = [store = around.store](const node_event& wanted) {
    for (sequence after = 0;;) {
      const auto page = store->events(after, 10'000);
      if (!page || page->events.empty())
        return false;
      for (const auto& one : page->events)
        if (one.kind == wanted.kind && one.about == wanted.about && one.at == wanted.at && one.data == wanted.data)
          return true;
      after = page->events.back().seq;
    }
  };
  out.keep = [store = around.store](const storage::account_rows_change& what) {
    return store->keep_account_rows(what);
  };
  out.kept = [store = around.store](storage::account_row_kind kind) { return store->account_rows(kind); };
  if (const auto part = around.cluster)
    out.may_act = [part] { return part->may_act(duties::accounts); };
  return out;
}

/// Its connections are its own, two of each node: a provider that is slow holds no login up.
void spawn_accounts(caf::actor_system& system, const surroundings& around, shared_actors& a) {
  for (const auto& node : around.configured.nodes)
    a.key_watches.emplace(node.name, std::make_shared<cpa::key_watch>());
  account_keeper_peers peers{{}, a.ledger, a.registry, a.analyst};
  for (const auto& node : around.configured.nodes) {
    const auto connect = [&] {
      a.account_clients.push_back(
        std::make_shared<cpa::account_client>(cpa::account_client_settings{.node = node.name,
                                                                           .url = node.url,
                                                                           .management_key = node.management_key,
                                                                           .watch = a.key_watches.at(node.name)}));
      a.account_upstreams.push_back(spawn_account_upstream(system, a.account_clients.back()));
      return a.account_upstreams.back();
    };
    auto calls = connect(), questions = connect();
    peers.nodes.push_back({node.name, std::move(calls), std::move(questions)});
  }
  auto how = account_settings(around);
  how.answers = [watches = a.key_watches](const node_name& node) {
    return watches.at(node)->is() == cpa::key_watch::state::taken;
  };
  a.accounts = spawn_account_keeper(system, own_thread, std::move(how), std::move(peers), *around.numbers);
}

replicator_settings replication_of(const surroundings& around) {
  replicator_settings out;
  const auto part = around.cluster;
  out.member = part->member;
  out.cluster = part->id;
  out.store = around.store;
  out.seal = part->seal;
  out.open = part->open;
  out.fence = [part](const std::string& duty) { return part->fence(duty); };
  out.now = around.now;
  return out;
}

/// Notices and accounts write rows of their own from their own threads: these go the way of all else.
void share_rows(caf::actor_system& system, const surroundings& around, const replicator_actor& replicator) {
  // The ledger outlives the actor, whose thread waits until nobody holds it any more.
  around.store->share_rows(
    [&system, to = caf::actor_cast<caf::actor_addr>(replicator)](storage::shared_rows rows) -> caf::error {
      const auto strong = caf::actor_cast<caf::strong_actor_ptr>(to);
      if (!strong)
        return make_error(errc::shutting_down);
      const auto who = caf::actor_cast<replicator_actor>(strong);
      caf::scoped_actor self{system};
      caf::error failed;
      self->request(who, std::chrono::seconds{5}, std::move(rows))
        .receive([](const committed&) {}, [&](caf::error& why) { failed = std::move(why); });
      return failed;
    });
}

} // namespace

std::vector<cluster::duty> duties_of(const settings& configured) {
  std::vector<cluster::duty> out;
  for (const auto& node : configured.nodes)
    out.push_back({duty_of_node(node.name), cluster::role::collect});
  out.push_back({duties::accounts, cluster::role::collect});
  out.push_back({duties::notices, cluster::role::notify});
  for (const auto* one : {duties::publish, duties::schedule, duties::sign_in, duties::house})
    out.push_back({one, cluster::role::serve});
  return out;
}

shared_actors spawn_shared(caf::actor_system& system, const surroundings& around) {
  shared_actors a;
  const auto writer = spawn_ledger(system, own_thread, around.store, around.now, *around.numbers, !around.cluster);
  if (around.cluster) {
    a.replicator = spawn_replicator(system, own_thread, replication_of(around), writer);
    a.ledger = a.replicator;
    share_rows(system, around, a.replicator);
  } else
    a.ledger = writer;
  a.checker = spawn_checker(system, own_thread, around.store, writer);
  a.publisher = system.spawn<caf::detached>(publisher, a.ledger, around.shipping, around.make_sink);
  a.notifier = spawn_notifier(system, own_thread, notices_of(around), around.store, *around.numbers);
  auto signing_in = authenticator_of(around, a.notifier);
  auto who = authenticator_start_of(signing_in, *around.registry.image); // before the registry takes the image
  a.callers = who.directory;
  a.registry = spawn_key_registry(system, own_thread, registry_settings(around), vault_of(around.store),
                                  around.registry, a.ledger, *around.numbers);
  a.authenticator =
    spawn_authenticator(system, own_thread, std::move(signing_in), std::move(who), a.registry, a.ledger);
  audit_log log;
  log.prove = [store = around.store]() -> caf::expected<log_position> {
    if (auto broken = store->verify_registry())
      return broken;
    return store->registry_position();
  };
  log.last = [store = around.store] { return store->registry_position(); };
  log.hash_of = [store = around.store](log_position at) -> caf::expected<std::array<std::uint8_t, 32>> {
    auto found = store->entries(at - 1, 1);
    if (!found)
      return std::move(found.error());
    if (found->empty() || found->front().position != at)
      return make_error(errc::audit_broken, fmt::format("entry {}: is missing", at));
    return found->front().hash;
  };
  log.now = around.now;
  a.auditor = spawn_auditor(system, own_thread, std::move(log), a.ledger);
  const auto& zone = around.configured.display.time_zone;
  a.analyst =
    spawn_analyst(system, own_thread,
                  {.zone = zone.empty() ? calendar::zone_of_this_machine() : zone, .now = around.now}, around.store);
  export_limits exports;
  exports.scratch =
    around.configured.data_dir; // as large as what is exported; the system's folder for such may be in memory
  a.exporter = spawn_exporter(system, own_thread, around.now, around.store, *around.numbers, std::move(exports));
  a.backups = spawn_backup_keeper(system, own_thread, backups_of(around), a.ledger, around.store, *around.numbers);
  a.retention =
    spawn_retention_keeper(system, own_thread, retention_of(around), a.ledger, around.store, *around.numbers);
  spawn_accounts(system, around, a);
  a.feed = spawn_feed(system, feed_of(around), {a.registry, a.analyst, a.checker, a.ledger, a.backups, a.retention});
  a.gateway = system.spawn(gateway::gateway,
                           gateway::gateway_handles{a.feed,
                                                    a.ledger,
                                                    a.publisher,
                                                    {},
                                                    a.registry,
                                                    a.auditor,
                                                    a.analyst,
                                                    a.checker,
                                                    a.exporter,
                                                    a.backups,
                                                    a.retention,
                                                    a.authenticator,
                                                    a.callers,
                                                    a.feed,
                                                    a.notifier,
                                                    a.accounts},
                           around.gateway_hooks);
  caf::anon_send(a.ledger, add_listener{a.feed});
  caf::anon_send(a.ledger, add_listener{a.registry});
  caf::anon_send(a.ledger, add_listener{a.authenticator});
  caf::anon_send(a.ledger, add_listener{a.notifier});
  if (a.replicator)
    caf::anon_send(a.replicator, begin_following{});
  return a;
}

node_actors spawn_node(caf::actor_system& system, const surroundings& around, const node_settings& node,
                       const shared_actors& shared) {
  const auto& s = around.configured;
  node_actors a;
  a.name = node.name;
  a.client = std::make_shared<cpa::management_client>(cpa::client_settings{.node = node.name,
                                                                           .url = node.url,
                                                                           .management_key = node.management_key,
                                                                           .timeout = s.poll.timeout,
                                                                           .max_answer_bytes = s.poll.max_answer_bytes,
                                                                           .watch = shared.key_watches.at(node.name)});
  a.upstream = system.spawn<caf::detached>(upstream, a.client);
  a.detector = system.spawn(restart_detector);
  a.keeper = spawn_snapshot_keeper(system, own_thread,
                                   {.node = node.name,
                                    .snapshot_interval = s.snapshot.interval,
                                    .restore_enabled = s.restore.enabled,
                                    .piece_records = static_cast<std::size_t>(s.restore.piece_records),
                                    .retries = s.restore.retries,
                                    .now = around.now},
                                   {a.upstream, shared.ledger, shared.feed}, around.store, *around.numbers);
  a.collector =
    spawn_collector(system, own_thread,
                    {.node = node.name,
                     .setting = collect_setting_of(s.collect.mode),
                     .pop_interval = s.collect.pop_interval,
                     .now = around.now,
                     .first_ns =
                       [store = around.store, name = node.name] {
                         for (const auto& one : store->kept())
                           if (one.node == name)
                             return one.first_ns;
                         return std::int64_t{INT64_MIN};
                       }},
                    {a.upstream, shared.ledger,
                     [tapped = tap_settings{.node = node.name,
                                            .url = node.url,
                                            .management_key = node.management_key,
                                            .pop_interval = s.collect.resp_pop_interval,
                                            .window_bytes = static_cast<std::size_t>(s.collect.window_bytes)}](
                       tap::callbacks told) { return make_resp_tap(tapped, std::move(told)); }},
                    *around.numbers);
  a.key_client = std::make_shared<cpa::key_client>(
    cpa::key_client_settings{.node = node.name, .url = node.url, .management_key = node.management_key});
  a.key_upstream = spawn_key_upstream(system, a.key_client);
  a.keys = spawn_key_keeper(
    system, own_thread,
    {.node = node.name, .reconcile_interval = s.keys.reconcile_interval, .after_first_look = true, .now = around.now},
    {a.key_upstream, shared.ledger, shared.registry}, *around.numbers);
  a.poller =
    spawn_poller(system, own_thread,
                 {.node = node.name,
                  .url = node.url,
                  .poll = {s.poll.interval, s.poll.probe_interval, s.poll.slack_factor},
                  .audit_interval = s.collect.audit_interval,
                  .boot_marker = s.restore.boot_marker,
                  .mend_settings = s.collect.manage_cpa_settings,
                  .now = around.now},
                 {a.upstream, a.detector, shared.ledger, a.keeper, shared.feed, a.collector, a.keys}, *around.numbers);
  caf::anon_send(a.keeper, meet_poller{a.poller});
  caf::anon_send(a.collector, meet_poller{a.poller});
  return a;
}

} // namespace keyportal
