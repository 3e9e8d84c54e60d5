// Nodes, keepers and a registry that only remembers, each with real threads and sockets: what tests and benchmarks of
// keys at CPA share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/cpa/key_upstream.hpp"
#include "actors/key_keeper/key_keeper.hpp"
#include "actors/ledger/ledger.hpp"
#include "tests/cpa_sim/server.hpp"
#include "tests/support/temporary_folder.hpp"

namespace keyportal::test {

class key_stand {
public:
  static inline const std::string sentinel = "sk-sentinel-0123456789";
  static std::string text_of(const key_id& id) { return "sk-portal-" + id + "-0001"; }

  struct node_part {
    node_name name;
    std::unique_ptr<cpa_sim::server> cpa;
    std::shared_ptr<cpa::key_client> client;
    key_upstream_actor upstream;
    key_keeper_actor keeper;
  };

  /// `options`: of every stand-in; each gets a config.yaml of its own.
  key_stand(std::size_t nodes, const cpa_sim::options& options,
            std::chrono::milliseconds reconcile_interval = std::chrono::seconds{60})
    : system_(config_) {
    auto opened = storage::ledger::open({.folder = folder_.path() / "data"});
    if (!opened)
      throw std::runtime_error("no ledger");
    store_ = std::move(*opened);
    const auto now = [] { return moment{std::chrono::system_clock::now()}; };
    ledger_ = spawn_ledger(system_, true, store_, now, numbers_);
    system_.spawn([this](listener_actor::stateful_pointer<nothing> self) -> listener_actor::behavior_type {
      caf::anon_send(ledger_, add_listener{caf::actor_cast<listener_actor>(self->ctrl())});
      return {[this](const committed& m) {
        const std::lock_guard guard(lock_);
        events_.insert(events_.end(), m.events->begin(), m.events->end());
        changed_.notify_all();
      }};
    });
    auto registry = spawn_registry();
    for (std::size_t i = 0; i < nodes; ++i) {
      auto& n = nodes_.emplace_back();
      n.name = fmt::format("n{}", i);
      auto o = options;
      o.state_file = state_file(i);
      n.cpa = std::make_unique<cpa_sim::server>(o);
      if (!n.cpa->problem().empty())
        throw std::runtime_error(n.cpa->problem());
      n.client = std::make_shared<cpa::key_client>(
        cpa::key_client_settings{.node = n.name, .url = n.cpa->url(), .management_key = secret{options.secret}});
      n.upstream = spawn_key_upstream(system_, n.client);
      n.keeper = spawn_key_keeper(system_, true, {.node = n.name, .reconcile_interval = reconcile_interval, .now = now},
                                  {n.upstream, ledger_, registry}, numbers_);
    }
    registry_ = registry;
  }
  ~key_stand() {
    for (auto& n : nodes_) {
      n.client->stop();
      caf::anon_send_exit(n.keeper, caf::exit_reason::kill);
      caf::anon_send_exit(n.upstream, caf::exit_reason::kill);
      n.keeper = nullptr;
      n.upstream = nullptr;
    }
    caf::anon_send_exit(registry_, caf::exit_reason::kill);
    caf::anon_send_exit(ledger_, caf::exit_reason::kill);
    registry_ = nullptr;
    keepers_.clear();
    ledger_ = nullptr;
  }
  key_stand(const key_stand&) = delete;
  key_stand& operator=(const key_stand&) = delete;

  node_part& node(std::size_t i) { return nodes_[i]; }
  std::string state_file(std::size_t i) const { return (folder_.path() / fmt::format("config-{}.yaml", i)).string(); }
  metrics& numbers() { return numbers_; }
  caf::actor_system& system() { return system_; }
  ledger_actor ledger() const { return ledger_; }

  /// Orders these of every node, in one message.
  void order(const std::vector<std::pair<key_id, bool>>& keys) {
    const std::lock_guard guard(lock_);
    for (const auto& [id, works] : keys)
      wanted_[id] = works;
    for (const auto& [node, keeper] : keepers_) {
      key_orders orders;
      for (const auto& [id, works] : keys)
        orders.keys.push_back(order_of(node, id));
      caf::anon_send(keeper, std::move(orders));
    }
  }
  std::map<key_id, bool> wanted() const {
    const std::lock_guard guard(lock_);
    return wanted_;
  }
  /// Waits until every keeper has said of each of these that it is as it was ordered.
  bool wait_for(const std::vector<key_id>& keys, std::chrono::milliseconds most = std::chrono::seconds{40}) {
    std::unique_lock guard(lock_);
    return changed_.wait_for(guard, most, [&] {
      for (const auto& n : nodes_)
        for (const auto& id : keys)
          if (seen_[n.name][id] != wanted_[id])
            return false;
      return keepers_.size() == nodes_.size();
    });
  }
  bool wait_for_all(std::chrono::milliseconds most = std::chrono::seconds{40}) {
    std::vector<key_id> keys;
    for (const auto& [id, works] : wanted())
      keys.push_back(id);
    return wait_for(keys, most);
  }
  template <class Condition>
  bool wait_until(Condition condition, std::chrono::milliseconds most = std::chrono::seconds{20}) {
    std::unique_lock guard(lock_);
    return changed_.wait_for(guard, most, [&] { return condition(*this); });
  }
  // Under `wait_until` only, or when nothing happens.
  std::vector<node_event> events_;
  std::map<node_name, std::set<std::string>> strangers_;
  std::vector<key_id> taken_;

  node_keys state(std::size_t i) {
    caf::scoped_actor self{system_};
    node_keys out;
    self->request(nodes_[i].keeper, std::chrono::seconds{20}, read_node_keys{})
      .receive([&](node_keys& s) { out = std::move(s); }, [](const caf::error&) {});
    return out;
  }

private:
  struct nothing {
    nothing() = default;
    static inline const char* name = "stand";
  };

  key_orders::one order_of(const node_name& node, const key_id& id) {
    return {id, secret{text_of(id)}, wanted_[id], seen_[node][id]};
  }

  key_registry_actor spawn_registry() {
    return system_.spawn([this](key_registry_actor::stateful_pointer<nothing>) -> key_registry_actor::behavior_type {
      return {
        [this](const registry_command& m) -> caf::result<command_done> {
          const auto& what = std::get<key_sighting>(m.what);
          const std::lock_guard guard(lock_);
          for (const auto& one : what.keys)
            seen_[what.node][one.key] = one.works;
          for (const auto& text : what.strangers)
            strangers_[what.node].insert(text.reveal());
          for (const auto& id : what.taken_away) {
            seen_[what.node][id] = false;
            taken_.push_back(id);
          }
          changed_.notify_all();
          return command_done{};
        },
        [](const find_key&) -> caf::result<client_key> { return client_key{}; },
        [](const list_keys&) -> caf::result<key_page> { return key_page{}; },
        [](const find_user&) -> caf::result<user> { return user{}; },
        [](const list_users&) -> caf::result<user_page> { return user_page{}; },
        [](const list_policies&) -> caf::result<std::vector<policy>> { return std::vector<policy>{}; },
        [](const list_prices&) -> caf::result<price_page> { return price_page{}; },
        [](const read_budgets&) -> caf::result<std::vector<budget_use>> { return std::vector<budget_use>{}; },
        [](const read_registry_state&) -> caf::result<registry_state> { return registry_state{}; },
        [this](const keeper_ready& m) {
          const std::lock_guard guard(lock_);
          keepers_[m.node] = m.keeper;
          key_orders orders;
          orders.whole = true;
          orders.sentinel = secret{sentinel};
          for (const auto& [id, works] : wanted_)
            if (works || seen_[m.node][id])
              orders.keys.push_back(order_of(m.node, id));
          caf::anon_send(m.keeper, std::move(orders));
          changed_.notify_all();
        },
        [](const committed&) {},
        [](const drain&) -> caf::result<drained> { return drained{}; },
      };
    });
  }

  temporary_folder folder_;
  metrics numbers_;
  std::shared_ptr<storage::ledger> store_;
  mutable std::mutex lock_; // guards what follows
  std::condition_variable changed_;
  std::map<key_id, bool> wanted_;
  std::map<node_name, std::map<key_id, bool>> seen_;
  std::map<node_name, key_keeper_actor> keepers_;
  std::deque<node_part> nodes_;
  caf::actor_system_config config_;
  caf::actor_system system_; // waits for its actors at the end, so before all that they use goes
  ledger_actor ledger_;
  key_registry_actor registry_;
};

} // namespace keyportal::test
