// Sees to it, on a thread of its own, that this process has its share of the duties, and says which it has.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "actors/cluster/lease_plan.hpp"
#include "actors/nats/kv_table.hpp"

namespace keyportal::nats {

/// CLOCK_BOOTTIME: goes on while the process or the machine sleeps.
cluster::local_time boot_time();

class lease_keeper {
public:
  /// `changed` is called from its thread whenever `held` or `members` are others than before.
  lease_keeper(table_settings table, cluster::lease_settings how, cluster::member self,
               std::vector<cluster::duty> duties, std::function<void()> changed);
  /// Gives everything back first, for which it takes two seconds at most.
  ~lease_keeper();

  // Any thread; none of these waits for the network. What is held is looked up at this very moment.
  [[nodiscard]] bool may_act(const std::string& duty) const { return fence(duty).has_value(); }
  [[nodiscard]] std::optional<std::uint64_t> fence(const std::string& duty) const;
  [[nodiscard]] std::set<std::string> held() const;
  [[nodiscard]] std::vector<cluster::member> members() const;
  [[nodiscard]] std::string holder(const std::string& duty) const; ///< by what was seen; empty: nobody
  [[nodiscard]] std::string problem() const;                       ///< a sentence; empty while all is well
  /// Gives everything back and takes nothing more; does not wait.
  void leave();

private:
  void work();
  void step();
  void see(const std::vector<cluster::lease_row>& rows);

  kv_table table_;
  std::vector<cluster::duty> duties_;
  std::function<void()> changed_;
  mutable std::mutex mutex_; ///< of all below; never held while waiting for the network
  cluster::lease_plan plan_;
  std::string problem_ = "not connected yet";
  std::set<std::string> told_held_;
  std::vector<cluster::member> told_members_;
  bool leaving_ = false, stopped_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

} // namespace keyportal::nats
