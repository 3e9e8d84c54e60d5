#include "actors/service.hpp"

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "actors/certificate_watch.hpp"
#include "actors/cluster_member/checkpoints.hpp"
#include "actors/cluster_member/join.hpp"
#include "actors/cluster_member/member.hpp"
#include "actors/compat.hpp"
#include "actors/data_folder.hpp"
#include "actors/key_registry/registry_start.hpp"
#include "actors/nats/child_server.hpp"
#include "actors/nats/nats_sink.hpp"
#include "actors/nats/notice_queue.hpp"
#include "actors/prices/price_preview.hpp"
#include "actors/publisher/gated_sink.hpp"
#include "actors/supervisor/signals.hpp"
#include "actors/supervisor/supervisor.hpp"
#include "actors/telemetry/fail_point.hpp"
#include "actors/telemetry/log.hpp"
#include "gateway/problem.hpp"
#include "messages/subjects.hpp"

namespace keyportal {

namespace {

moment wall_clock() { return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()); }

/// The server as actors see it: there, or not there (yet, any more).
class server_slot {
public:
  void set(std::unique_ptr<gateway::server> server) {
    std::lock_guard guard{mutex_};
    server_ = std::move(server);
  }
  std::unique_ptr<gateway::server> take() {
    std::lock_guard guard{mutex_};
    return std::move(server_);
  }
  template <class Use>
  void with(Use&& use) {
    std::lock_guard guard{mutex_};
    if (server_)
      use(*server_);
  }

private:
  std::mutex mutex_;
  std::unique_ptr<gateway::server> server_;
};

/// Who speaks with the other processes: there, or not there yet, any more.
class member_slot {
public:
  void set(const member_actor& who) {
    const std::lock_guard guard(mutex_);
    who_ = caf::actor_cast<caf::actor_addr>(who);
  }
  template <class Message>
  void send(Message what) {
    caf::actor_addr to;
    {
      const std::lock_guard guard(mutex_);
      to = who_;
    }
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(to))
      caf::anon_send(caf::actor_cast<member_actor>(strong), std::move(what));
    else
      refuse(what);
  }

private:
  static void refuse(forward_request& what) { what.reply(gateway::problem(make_error(errc::cluster_elsewhere))); }
  template <class Message>
  static void refuse(Message& what) {
    what.reply(make_error(errc::cluster_elsewhere));
  }
  std::mutex mutex_;
  caf::actor_addr who_;
};

/// Of options that were checked.
std::vector<network> networks_of(const std::vector<std::string>& texts) {
  std::vector<network> out;
  for (const auto& text : texts)
    if (const auto one = network::read(text))
      out.push_back(*one);
  return out;
}

std::vector<nats::stream_settings> streams(const settings& s) {
  auto out = nats::default_streams();
  for (auto& stream : out) {
    stream.duplicates = std::chrono::duration_cast<std::chrono::seconds>(s.nats.duplicate_window);
    stream.max_age = std::chrono::duration_cast<std::chrono::hours>(
      stream.name == subjects::usage_stream ? s.nats.usage_max_age : s.nats.events_max_age);
    // A server refuses streams that could outgrow its disk. At a foreign one age is the only limit we set.
    const auto share = static_cast<std::int64_t>(s.nats.max_store_bytes) / 8;
    stream.max_bytes = !s.nats.url.empty() ? -1 : stream.name == subjects::usage_stream ? share * 6 : share;
  }
  return out;
}

/// Our own nats-server may stay unusable after its disk was full, though it runs: then it is ended, and started anew by
/// its supervision. Called from the sink's threads.
class child_doctor {
public:
  explicit child_doctor(nats::child_server* child) : child_(child) {}
  void on(const link_changed& link) {
    std::lock_guard guard{mutex_};
    const auto now = std::chrono::steady_clock::now();
    if (!child_ || (link.connected && link.problem.empty())) {
      ill_since_.reset();
      return;
    }
    if (!ill_since_ || now - last_said_ > patience / 2) // a complaint now and then is no illness
      ill_since_ = now;
    last_said_ = now;
    if (now - *ill_since_ < patience)
      return;
    ill_since_ = now;
    const int process = child_->process();
    if (process > 0) {
      log::warn("nats", "child-ended", "nats-server has been unusable for {} s and is started anew", patience.count());
      kill(process, SIGKILL);
    }
  }

private:
  static constexpr std::chrono::seconds patience{20};
  std::mutex mutex_;
  nats::child_server* child_;
  std::optional<std::chrono::steady_clock::time_point> ill_since_;
  std::chrono::steady_clock::time_point last_said_{};
};

/// Our own server has the streams bounded by age and together by the store's size.
caf::expected<std::unique_ptr<nats::child_server>> child_if_wanted(const settings& s) {
  if (!s.nats.url.empty())
    return std::unique_ptr<nats::child_server>{};
  return nats::child_server::start({.folder = s.data_dir / "nats",
                                    .port = static_cast<std::uint16_t>(s.nats.port),
                                    .binary = s.nats.server_binary,
                                    .max_store_bytes = static_cast<std::int64_t>(s.nats.max_store_bytes)});
}

/// Descriptors besides those of the gateway's connections: the database's tables, nodes, NATS, compat, files.
constexpr std::uint64_t other_descriptors = 512;

/// So many connections may be open at once, and all else besides.
caf::error raise_descriptors(std::uint64_t connections) {
  const auto wanted = static_cast<rlim_t>(connections + other_descriptors);
  rlimit now{};
  if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur == RLIM_INFINITY || now.rlim_cur >= wanted)
    return {};
  if (now.rlim_max != RLIM_INFINITY && now.rlim_max < wanted)
    return make_error(
      errc::config_invalid,
      fmt::format("gateway.max_connections = {} needs {} open files, and this process may have {}: lower "
                  "it, or raise the limit (LimitNOFILE in the systemd unit, ulimit -n)",
                  connections, wanted, now.rlim_max));
  now.rlim_cur = wanted;
  return setrlimit(RLIMIT_NOFILE, &now) == 0 ? caf::error{} : make_error(errc::internal, "setrlimit");
}

/// Signals wait until somebody watches for them.
bool asked_to_stop() {
  sigset_t waiting;
  return sigpending(&waiting) == 0 && (sigismember(&waiting, SIGTERM) == 1 || sigismember(&waiting, SIGINT) == 1);
}

std::shared_ptr<cluster_part> cluster_part_of(const settings& s, const cluster_identity& who) {
  const auto places = places_of(s);
  auto out = std::make_shared<cluster_part>();
  out->member = who.member;
  out->address = s.cluster.address.empty() ? who.member : s.cluster.address;
  out->id = who.cluster;
  out->subject = places.subject;
  out->seal = who.seal;
  out->server = places.log.server;
  out->open = [log = places.log](std::uint64_t after, cluster::log_callbacks told) {
    return nats::make_jetstream_log(log, after, std::move(told));
  };
  out->duties = duties_of(s);
  return out;
}

/// A process without a ledger begins with what another one gave, where there is something; where it has to, it waits for it.
caf::error begin_with_checkpoint(const settings& s, const cluster_identity& who) {
  std::error_code ignored;
  if (std::filesystem::exists(s.data_dir / "ledger" / "db" / "CURRENT", ignored))
    return {};
  const auto places = places_of(s);
  for (bool is_said = false;;) {
    const auto there = newest_checkpoint(places.checkpoints, *who.seal);
    if (there && *there) {
      log::info("cluster", "joining", "Taking over {} bytes that {} gave", (*there)->bytes, (*there)->from);
      auto failed = take_checkpoint(places.checkpoints, *who.seal, **there, s.data_dir / "ledger", &asked_to_stop);
      if (!failed)
        return {};
      if (code_of(failed) != errc::cluster_trimmed && code_of(failed) != errc::nats_unavailable)
        return failed;
    } else if (there) {
      const auto reach = nats::reach_of_log(places.log);
      if (reach && !who.begins_with_checkpoint && reach->first <= 1)
        return {}; // the log tells all
    }
    if (!std::exchange(is_said, true))
      log::warn("cluster", "joining", "Waiting for a process of the cluster to give a checkpoint");
    if (asked_to_stop())
      return make_error(errc::shutting_down);
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
  }
}

cluster::role_set roles_of(const settings& s) {
  cluster::role_set out = 0;
  for (const auto& role : s.cluster.roles)
    out |= static_cast<cluster::role_set>(role == "collect" ? cluster::role::collect
                                          : role == "serve" ? cluster::role::serve
                                                            : cluster::role::notify);
  return out;
}

int fail(const caf::error& why) {
  log::error("service", "cannot-start", "{}", render(why));
  return 1;
}

} // namespace

nats::server_settings nats_server(const settings& s) {
  nats::server_settings out;
  out.url = secret{s.nats.url};
  out.user = s.nats.user;
  out.password = s.nats.password;
  out.token = s.nats.token;
  out.creds_file = s.nats.credentials_file;
  out.nkey = s.nats.nkey;
  out.nkey = s.nats.nkey;
  out.nkey_seed_file = s.nats.nkey_seed_file;
  out.ca_file = s.nats.tls_ca;
  out.cert_file = s.nats.tls_cert;
  out.key_file = s.nats.tls_key;
  return out;
}

int run_service(const settings& s, const std::string& shown_settings) {
  block_signals();
  umask(077);
  const rlimit no_cores{0, 0}; // a core holds keys in clear
  setrlimit(RLIMIT_CORE, &no_cores);
  if (!s.display.time_zone.empty())
    setenv("TZ", s.display.time_zone.c_str(), 1);
  tzset();
  log::start(s.log.level, s.log.format == "json");
  if (const char* point = std::getenv("KEYPORTAL_END_AT"); point && choose_fail_point(point))
    log::warn("service", "test", "this process will end itself at {}, for a test", point);

  if (auto error = raise_descriptors(static_cast<std::uint64_t>(s.gateway.max_connections)))
    return fail(error);
  if (auto error = prepare_data_folder(s.data_dir))
    return fail(error);
  auto token = control_token(s.data_dir);
  if (!token)
    return fail(token.error());

  std::shared_ptr<gateway::tls_identity> identity;
  if (!s.gateway.tls.certificate.empty()) {
    auto loaded = gateway::tls_identity::load({s.gateway.tls.certificate, s.gateway.tls.key});
    if (!loaded)
      return fail(loaded.error());
    identity = std::move(*loaded);
  }

  metrics numbers;
  server_slot server;
  auto around = std::make_shared<surroundings>();
  around->configured = s;
  around->numbers = &numbers;
  around->now = &wall_clock;

  caf::expected<cluster_identity> who{cluster_identity{}};
  bool is_founder = false; ///< had something before the cluster was there
  if (s.cluster.enabled) {
    who = join(s, &asked_to_stop);
    if (!who)
      return code_of(who.error()) == errc::shutting_down ? 0 : fail(who.error());
    around->cluster = cluster_part_of(s, *who);
    if (auto failed = begin_with_checkpoint(s, *who))
      return code_of(failed) == errc::shutting_down ? 0 : fail(failed);
  }

  auto store = storage::ledger::open({.folder = s.data_dir / "ledger",
                                      .block_cache_bytes = s.storage.block_cache_bytes,
                                      .write_buffer_bytes = s.storage.write_buffer_bytes,
                                      .snapshots_kept = s.snapshot.kept,
                                      .daily_snapshots_kept = s.snapshot.daily_kept});
  if (!store)
    return fail(store.error());
  around->store = std::move(*store);
  if (around->cluster) {
    const auto history = check_history(*around->store, *who, s);
    if (!history)
      return fail(history.error());
    if (history->needs_checkpoint)
      return fail(make_error(errc::cluster_trimmed));
    is_founder = history->is_founder;
    if (is_founder)
      if (auto failed = say_begins_with_checkpoint(s))
        return fail(failed);
    if (const auto progress = around->store->shared(); !progress || !*progress) {
      const auto begun = around->store->commit({storage::shared_progress{0, who->cluster, {}}}, around->now());
      if (!begun)
        return fail(begun.error());
    }
  }
  std::vector<node_name> names;
  for (const auto& node : s.nodes)
    names.push_back(node.name);
  auto registry = registry_start(*around->store, names, around->now());
  if (!registry)
    return fail(registry.error());
  around->registry = std::move(*registry);
  around->store->use_prices(around->registry.prices);

  auto child = child_if_wanted(s);
  if (!child)
    return fail(child.error());
  nats::sink_settings sink{.server = nats_server(s), .streams = streams(s)};
  if (*child)
    sink.server.url = (*child)->url();
  around->shipping.url = *child ? (*child)->reader_url() : nats::without_credentials(s.nats.url);
  child_doctor doctor{child->get()};
  around->make_sink = [sink, &numbers, &doctor](sink::callbacks told) -> std::unique_ptr<keyportal::sink> {
    told.on_link = [&numbers, &doctor, next = std::move(told.on_link)](link_changed link) {
      doctor.on(link);
      numbers.nats_connected.Set(link.connected ? 1 : 0);
      next(std::move(link));
    };
    return std::make_unique<nats::nats_sink>(sink, std::move(told));
  };
  if (const auto part = around->cluster)
    around->make_sink = [part, make = around->make_sink](sink::callbacks told) -> std::unique_ptr<keyportal::sink> {
      return std::make_unique<gated_sink>([part] { return part->may_act(duties::publish); }, make, std::move(told));
    };

  if (s.notices.queue == "nats" && !s.notices.channels.empty())
    around->make_queue = [server = sink.server, own = *child != nullptr,
                          share =
                            static_cast<std::int64_t>(s.nats.max_store_bytes) / 16](delivery_queue::callbacks told) {
      return nats::make_notice_queue({.server = server, .max_bytes = own ? share : -1}, std::move(told));
    };

  around->gateway_hooks = {
    .metrics_text =
      [&] {
        server.with([&](gateway::server& it) {
          numbers.websockets.Set(static_cast<double>(it.websockets()));
          const auto sent = static_cast<double>(it.figures().frames_sent);
          numbers.frames_sent.Increment(std::max(0.0, sent - numbers.frames_sent.Value()));
        });
        return numbers.text();
      },
    .on_answer = [&](std::string_view route, int status,
                     double seconds) { numbers.http_answered(route, status, seconds); },
    .control_token = *token,
    .demo = s.demo,
    .currency = s.prices.currency,
    .currency_rate = s.prices.rate,
    .base_path = s.gateway.base_path,
    .frame_ancestors = s.gateway.frame_ancestors,
    .anonymous = s.sign_in.anonymous == "status" ? right_set{right::read_nodes} : right_set{},
    .proxies = networks_of(s.gateway.trusted_proxies),
    .inside = networks_of(s.gateway.inside),
    .anonymous_inside = s.sign_in.anonymous == "inside" ? right_set{right::read_nodes} : right_set{},
    .registration = s.sign_in.registration,
    .passwords = s.sign_in.password,
    .settings_text = shown_settings,
    .preview_prices =
      [now = around->now](const std::vector<price>& there, const std::string& format, const std::string& list,
                          const std::string& only) { return preview_prices(there, format, list, only, now()); },
    .door = {},
    .on_session_end =
      [&](std::string_view tag) {
        server.with([&](gateway::server& it) { it.close_websockets_of(tag, "signed out"); });
      },
  };
  auto speaker = std::make_shared<member_slot>();
  if (const auto part = around->cluster) {
    auto& hooks = around->gateway_hooks;
    hooks.sees_to = [part](const std::string& duty) { return part->may_act(duty); };
    hooks.stale_s = [part] { return part->stale_s.load(); };
    hooks.forward = [speaker](std::string duty, const http_request& request, bool by_control,
                              std::function<void(http_response)> reply) {
      speaker->send(forward_request{std::move(duty), request, by_control, std::move(reply)});
    };
    hooks.cluster_state = [speaker](std::function<void(caf::expected<std::string>)> reply) {
      speaker->send(read_cluster{std::move(reply)});
    };
    hooks.cluster_compared = [speaker](std::function<void(caf::expected<std::string>)> reply) {
      speaker->send(compare_cluster{std::move(reply)});
    };
    around->spawn_member = [part, speaker, name = s.cluster.name, store = around->store, control = token->reveal(),
                            now = around->now](caf::actor_system& system, const shared_actors& shared) {
      auto fresh = spawn_member(system, {part, name, store, control, now}, shared);
      speaker->set(fresh);
      return caf::actor_cast<caf::actor>(fresh);
    };
  }
  around->gateway_hooks.door = gateway::make_entrance(around->gateway_hooks);
  std::optional<checkpoint_keeper> checkpoints;
  if (const auto part = around->cluster)
    around->begin_duties = [&s, part, store = around->store, now = around->now, is_founder,
                            &checkpoints](std::function<void()> changed) {
      const auto ttl = s.cluster.lease;
      part->keeper = std::make_unique<nats::lease_keeper>(
        places_of(s).table, cluster::lease_settings{ttl, ttl / 4, ttl / 6, std::chrono::milliseconds{200}},
        cluster::member{part->member, roles_of(s)}, part->duties, std::move(changed));
      part->leases = part->keeper.get();
      checkpoints.emplace(checkpoint_keeper::settings_of{
        places_of(s), part->seal, store, s.data_dir / "ledger" / "checkpoint", part->member, s.cluster.checkpoint,
        s.cluster.stream_records, is_founder, [part] { return part->may_act(duties::house); }, now});
    };
  around->open_gateway = [&](const shared_actors& shared) -> caf::error {
    auto opened =
      gateway::server::start({.address = s.gateway.address,
                              .port = s.gateway.port,
                              .threads = s.gateway.threads,
                              .base_path = s.gateway.base_path,
                              .hosts = s.gateway.hosts,
                              .tls = identity,
                              .max_connections = static_cast<std::size_t>(s.gateway.max_connections),
                              .max_websocket_frames = static_cast<std::size_t>(s.gateway.max_frames)},
                             gateway::callbacks_for(shared.gateway, shared.feed, around->gateway_hooks.door));
    if (!opened)
      return opened.error();
    const bool v6 = s.gateway.address.find(':') != std::string::npos;
    const auto url = fmt::format(fmt::runtime(v6 ? "{}://[{}]:{}" : "{}://{}:{}"), identity ? "https" : "http",
                                 s.gateway.address, (*opened)->port());
    server.set(std::move(*opened));
    if (auto error = write_file(s.data_dir / "gateway.url", url + "\n"))
      return error;
    log::info("service", "ready", "Key Portal {} serves {} with {} nodes; data in {}", KEYPORTAL_VERSION, url,
              s.nodes.size(), s.data_dir.string());
    fmt::print("{}\n", url); // for scripts that asked for any free port
    std::fflush(stdout);
    notify_service_manager("READY=1");
    return {};
  };

  std::optional<certificate_watch> certificates;
  if (identity)
    certificates.emplace(identity, s.data_dir / "gateway.pin", numbers);
  auto end = std::make_shared<service_end>();
  {
    caf::actor_system_config config;
    config.set("scheduler.policy", caf::atom("sharing"));
    config.set("scheduler.max-threads", std::size_t{2});
    caf::actor_system system{config};
    std::unique_ptr<compat_service> compat;
    around->open_compat = [&](const shared_actors& shared) -> caf::error {
      auto opened = start_compat(system, *around, shared);
      if (!opened)
        return opened.error();
      compat = std::move(*opened);
      return compat ? write_file(s.data_dir / "compat.url", fmt::format("{}\n", compat->url())) : caf::error{};
    };
    auto supervisor = spawn_supervisor(system, around, end);
    signal_watch signals{[weak = caf::actor_cast<caf::actor_addr>(supervisor)](int which) {
      if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(weak))
        caf::anon_send(caf::actor_cast<supervisor_actor>(strong), shut_down{which == SIGINT   ? "interrupted"
                                                                            : which == SIGHUP ? "hung up"
                                                                                              : "asked to stop"});
    }};
    caf::scoped_actor self{system};
    self->wait_for(supervisor);
    supervisor = nullptr;
    compat.reset();
    if (auto open = server.take()) {
      notify_service_manager("STOPPING=1");
      open->close_websockets("Key Portal is stopping");
      open->stop();
    }
  }                                        // waits for all actors
  if (const auto part = around->cluster) { // what is left to do others may see to now
    checkpoints.reset();
    part->leases = nullptr;
    part->keeper.reset();
  }
  std::error_code ignored;
  std::filesystem::remove(s.data_dir / "gateway.url", ignored);
  std::filesystem::remove(s.data_dir / "compat.url", ignored);
  around->begin_duties = {};
  around->spawn_member = {};
  around->store.reset();
  if (*child)
    (*child)->stop();
  log::info("service", "stopped", "Stopped: {}", end->reason);
  return end->exit_code;
}

} // namespace keyportal
