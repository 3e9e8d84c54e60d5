#include "actors/supervisor/supervisor.hpp"

#include <deque>
#include <optional>

#include <caf/all.hpp>

#include "actors/supervisor/shutdown_plan.hpp"
#include "actors/telemetry/log.hpp"

namespace keyportal {
namespace {
struct start_node {
  std::size_t index = 0;
};
struct stage_over {
  std::size_t number = 0;
};
struct duties_changed {};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::start_node)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::stage_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::duties_changed)

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using supervisor_impl =
  supervisor_actor::extend<caf::reacts_to<start_node>, caf::reacts_to<stage_over>, caf::reacts_to<duties_changed>>;
struct supervisor_state;
using self_ptr = supervisor_impl::stateful_pointer<supervisor_state>;

constexpr std::size_t node_chances = 5; ///< new starts of one node's actors within an hour

struct supervisor_core {
  std::shared_ptr<surroundings> around;
  std::shared_ptr<service_end> end;
  shared_actors shared;
  caf::actor member; ///< speaks with the other processes, where there are some
  std::vector<node_actors> nodes;
  std::vector<std::deque<std::chrono::steady_clock::time_point>> failures; ///< per node
  std::optional<shutdown_plan> plan;
  std::size_t stage_number = 0;
  std::size_t waiting = 0;

  void start(self_ptr self);
  void follow_duties(self_ptr self);
  void watch_node(self_ptr self, const node_actors& node);
  void start_again(self_ptr self, std::size_t index);
  void on_down(self_ptr self, const caf::down_msg& down);
  void stop(self_ptr self, const std::string& reason, int code);
  void next_stage(self_ptr self);
  void finish(self_ptr self);
  node_directory directory() const;

  template <class Handle>
  void ask_to_drain(self_ptr self, const Handle& who, const shutdown_stage& now);
};

struct supervisor_state {
  supervisor_state() = default;
  static inline const char* name = "supervisor";
  std::unique_ptr<supervisor_core> core;
};

void end_node(const node_actors& node) {
  if (!node.client)
    return;
  node.client->stop();
  node.key_client->stop();
  caf::anon_send_exit(node.keys, caf::exit_reason::kill);
  caf::anon_send_exit(node.key_upstream, caf::exit_reason::kill);
  caf::anon_send_exit(node.poller, caf::exit_reason::kill);
  caf::anon_send_exit(node.collector, caf::exit_reason::kill);
  caf::anon_send_exit(node.keeper, caf::exit_reason::kill);
  caf::anon_send_exit(node.detector, caf::exit_reason::kill);
  caf::anon_send_exit(node.upstream, caf::exit_reason::kill);
}

node_directory supervisor_core::directory() const {
  node_directory out;
  for (const auto& n : nodes)
    out.push_back({n.name, n.poller, n.keeper, n.collector, n.keys});
  return out;
}

void supervisor_core::start(self_ptr self) {
  auto& system = self->system();
  shared = spawn_shared(system, *around);
  self->monitor(shared.ledger);
  self->monitor(shared.publisher);
  self->monitor(shared.feed);
  self->monitor(shared.registry);
  self->monitor(shared.analyst);
  self->monitor(shared.checker);
  self->monitor(shared.exporter);
  self->monitor(shared.backups);
  self->monitor(shared.retention);
  self->monitor(shared.authenticator);
  self->monitor(shared.notifier);
  self->monitor(shared.accounts);
  self->monitor(shared.gateway);
  for (const auto& node : around->configured.nodes) {
    if (around->cluster) { // seen to by one process at a time: follow_duties
      nodes.emplace_back();
      nodes.back().name = node.name;
      continue;
    }
    nodes.push_back(spawn_node(system, *around, node, shared));
    watch_node(self, nodes.back());
  }
  failures.resize(nodes.size());
  self->send(shared.gateway, directory());
  auto error = around->open_compat ? around->open_compat(shared) : caf::error{};
  if (!error) // last: who is told that we are ready finds all of it
    error = around->open_gateway(shared);
  if (error)
    return stop(self, render(error), 1);
  if (around->spawn_member)
    member = around->spawn_member(system, shared);
  if (around->begin_duties)
    around->begin_duties([to = caf::actor_cast<caf::actor_addr>(self)] {
      if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(to))
        caf::anon_send(caf::actor_cast<caf::actor>(strong), duties_changed{});
    });
}

/// Actors of a node are there while it is this process that sees to it.
void supervisor_core::follow_duties(self_ptr self) {
  if (plan || !around->cluster)
    return;
  bool is_other = false;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    auto& node = nodes[i];
    const bool should = around->may_act(duty_of_node(node.name));
    const bool is_there = node.poller != nullptr;
    if (should == is_there)
      continue;
    is_other = true;
    log::info("supervisor", "duty", "{} the node {}", should ? "Seeing to" : "No longer seeing to", node.name);
    if (should) {
      node = spawn_node(self->system(), *around, around->configured.nodes[i], shared);
      watch_node(self, node);
    } else {
      const auto name = node.name;
      const auto over = std::exchange(node, {});
      node.name = name;
      end_node(over);
    }
  }
  if (is_other)
    self->send(shared.gateway, directory());
}

void supervisor_core::watch_node(self_ptr self, const node_actors& node) {
  self->monitor(node.upstream);
  self->monitor(node.detector);
  self->monitor(node.keeper);
  self->monitor(node.collector);
  self->monitor(node.poller);
  self->monitor(node.key_upstream);
  self->monitor(node.keys);
}

void supervisor_core::on_down(self_ptr self, const caf::down_msg& down) {
  if (plan)
    return;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& n = nodes[i];
    const auto is = [&](const auto& handle) { return handle && handle.address() == down.source; };
    if (!is(n.upstream) && !is(n.detector) && !is(n.keeper) && !is(n.collector) && !is(n.poller) && !is(n.key_upstream)
        && !is(n.keys))
      continue;
    const auto now = std::chrono::steady_clock::now();
    auto& recent = failures[i];
    while (!recent.empty() && now - recent.front() > 1h)
      recent.pop_front();
    recent.push_back(now);
    log::error("supervisor", "node-actor-failed", "An actor of node {} failed ({}); failure {} within the hour", n.name,
               self->system().render(down.reason), recent.size());
    if (recent.size() > node_chances)
      return stop(self, fmt::format("the actors of node {} keep failing", n.name), 1);
    end_node(n);
    nodes[i].upstream = nullptr; // the others of the group end too: only the first one counts
    nodes[i].detector = nullptr;
    nodes[i].keeper = nullptr;
    nodes[i].collector = nullptr;
    nodes[i].poller = nullptr;
    nodes[i].key_upstream = nullptr;
    nodes[i].keys = nullptr;
    self->delayed_send(self, 1s, start_node{i});
    return;
  }
  const auto is = [&](const auto& handle) { return handle.address() == down.source; };
  const char* who = is(shared.ledger)          ? (shared.replicator ? "replicator" : "ledger")
                    : is(shared.publisher)     ? "publisher"
                    : is(shared.feed)          ? "feed"
                    : is(shared.registry)      ? "key registry"
                    : is(shared.analyst)       ? "analyst"
                    : is(shared.checker)       ? "checker"
                    : is(shared.exporter)      ? "exporter"
                    : is(shared.backups)       ? "backup keeper"
                    : is(shared.retention)     ? "retention keeper"
                    : is(shared.authenticator) ? "authenticator"
                    : is(shared.notifier)      ? "notifier"
                    : is(shared.accounts)      ? "account keeper"
                    : is(shared.gateway)       ? "gateway"
                                               : nullptr;
  if (who)
    stop(self, fmt::format("the {} failed: {}", who, self->system().render(down.reason)), 1);
}

void supervisor_core::start_again(self_ptr self, std::size_t index) {
  if (plan || !around->may_act(duty_of_node(nodes[index].name)))
    return;
  nodes[index] = spawn_node(self->system(), *around, around->configured.nodes[index], shared);
  watch_node(self, nodes[index]);
  self->send(shared.gateway, directory());
}

// --- stopping -----------------------------------------------------------------------------------------------------

void supervisor_core::stop(self_ptr self, const std::string& reason, int code) {
  if (plan)
    return;
  end->exit_code = code;
  end->reason = reason;
  log::info("supervisor", "stopping", "Stopping: {}", reason);
  plan.emplace(around->configured.shutdown.grace, std::chrono::steady_clock::now());
  next_stage(self);
}

template <class Handle>
void supervisor_core::ask_to_drain(self_ptr self, const Handle& who, const shutdown_stage& now) {
  if (!who)
    return;
  ++waiting;
  const auto left =
    std::max<std::chrono::steady_clock::duration>(plan->deadline() - std::chrono::steady_clock::now(), 50ms);
  self->request(who, std::chrono::duration_cast<std::chrono::milliseconds>(left), drain{})
    .then([self, n = stage_number](const drained&) { self->send(self, stage_over{n}); },
          [self, n = stage_number, name = now.name](const caf::error& e) {
            if (code_of(e) == errc::timed_out)
              log::warn("supervisor", "stage-late", "Stopping: the {} took too long and was left behind", name);
            self->send(self, stage_over{n});
          });
}

void supervisor_core::next_stage(self_ptr self) {
  while (!plan->done()) {
    ++stage_number;
    waiting = 0;
    const auto& now = plan->begin_next();
    switch (now.what) {
      case stage::gateway: ask_to_drain(self, shared.gateway, now); break;
      case stage::pollers:
        for (const auto& n : nodes)
          ask_to_drain(self, n.poller, now);
        break;
      case stage::collectors:
        for (const auto& n : nodes)
          ask_to_drain(self, n.collector, now);
        break;
      case stage::keepers:
        for (const auto& n : nodes) {
          if (n.client)
            n.client->stop(); // a restore under way is left to the next start
          ask_to_drain(self, n.keeper, now);
        }
        break;
      case stage::keys:
        for (const auto& n : nodes)
          ask_to_drain(self, n.keys, now);
        break;
      case stage::accounts:
        for (const auto& client : shared.account_clients)
          client->stop(); // a question under way is asked again at the next start
        ask_to_drain(self, shared.accounts, now);
        break;
      case stage::authenticator: ask_to_drain(self, shared.authenticator, now); break;
      case stage::registry: ask_to_drain(self, shared.registry, now); break;
      case stage::notifier: ask_to_drain(self, shared.notifier, now); break;
      case stage::ledger: ask_to_drain(self, shared.ledger, now); break;
      case stage::publisher: ask_to_drain(self, shared.publisher, now); break;
    }
    if (waiting > 0)
      return;
  }
  finish(self);
}

void supervisor_core::finish(self_ptr self) {
  for (const auto& n : nodes)
    end_node(n);
  for (const auto& client : shared.account_clients)
    client->stop();
  for (const auto& upstream : shared.account_upstreams)
    caf::anon_send_exit(upstream, caf::exit_reason::kill);
  if (member)
    caf::anon_send_exit(member, caf::exit_reason::user_shutdown);
  member = nullptr;
  caf::anon_send_exit(shared.accounts, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.gateway, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.auditor, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.analyst, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.checker, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.exporter, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.backups, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.retention, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.authenticator, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.notifier, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.registry, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.feed, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.publisher, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(shared.ledger, caf::exit_reason::user_shutdown);
  shared = {};
  nodes.clear();
  self->quit();
}

supervisor_impl::behavior_type supervisor(self_ptr self, std::shared_ptr<surroundings> around,
                                          std::shared_ptr<service_end> end) {
  self->state.core = std::make_unique<supervisor_core>();
  auto* core = self->state.core.get();
  core->around = std::move(around);
  core->end = std::move(end);
  self->set_down_handler([core, self](const caf::down_msg& down) { core->on_down(self, down); });
  core->start(self);
  return {
    [core, self](const shut_down& m) { core->stop(self, m.reason, 0); },
    [core, self](const start_node& m) { core->start_again(self, m.index); },
    [core, self](const duties_changed&) { core->follow_duties(self); },
    [core, self](const stage_over& m) {
      if (m.number == core->stage_number && --core->waiting == 0)
        core->next_stage(self);
    },
  };
}

} // namespace

supervisor_actor spawn_supervisor(caf::actor_system& system, std::shared_ptr<surroundings> around,
                                  std::shared_ptr<service_end> end) {
  return system.spawn(supervisor, std::move(around), std::move(end));
}

} // namespace keyportal
