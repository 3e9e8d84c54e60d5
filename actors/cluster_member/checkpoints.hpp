// Copies of a whole ledger for processes that join: given by one of the cluster, sealed, through a stream of their own.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <caf/expected.hpp>

#include "actors/cluster_member/join.hpp"

namespace keyportal {

struct checkpoint_info {
  std::string id;
  std::string from;           ///< member that gave it
  std::uint64_t sequence = 0; ///< of the shared log: it has all up to there at least
  moment at{};
  std::uint64_t chunks = 0;
  std::uint64_t bytes = 0;
  std::uint64_t first = 0; ///< its first message of the stream
};

/// The newest whole one. Blocks for seconds at most.
caf::expected<std::optional<checkpoint_info>> newest_checkpoint(const nats::log_settings& place,
                                                                const storage::sealer& seal);
/// Puts what the ledger is now into the stream, and lets older ones go. Blocks as long as that takes.
caf::expected<checkpoint_info> give_checkpoint(const nats::log_settings& place, const storage::sealer& seal,
                                               const storage::ledger& store, const std::filesystem::path& scratch,
                                               const std::string& member, moment now,
                                               const std::function<bool()>& stopped);
/// Makes the database that a ledger in `folder` opens, which has none. All of it or nothing.
caf::error take_checkpoint(const nats::log_settings& place, const storage::sealer& seal, const checkpoint_info& which,
                           const std::filesystem::path& folder, const std::function<bool()>& stopped);

/// Gives one whenever it is time and this process's duty, and then takes from the shared log what nobody needs any more.
class checkpoint_keeper {
public:
  struct settings_of {
    cluster_places places;
    std::shared_ptr<const storage::sealer> seal;
    std::shared_ptr<storage::ledger> store;
    std::filesystem::path scratch; ///< on the ledger's file system
    std::string member;
    std::chrono::milliseconds interval{};
    std::uint64_t kept_messages = 0;
    bool at_once = false; ///< others can join by it only
    std::function<bool()> may_act;
    std::function<moment()> now;
  };
  explicit checkpoint_keeper(settings_of how);
  ~checkpoint_keeper();

private:
  void work();
  void look();
  settings_of how_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
  std::thread thread_;
};

} // namespace keyportal
