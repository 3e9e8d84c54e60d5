// What the processes of a cluster say to each other beside the shared log: questions with answers, and news of the moment. Sealed;
// nothing of it is kept.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "actors/nats/exact_publish.hpp"
#include "storage/seal.hpp"

namespace keyportal::nats {

class peer_link {
public:
  using answer = std::function<void(caf::expected<std::string>)>;
  /// From the link's own thread.
  struct callbacks {
    std::function<void(std::string)> on_told;
    std::function<void(std::string, std::function<void(std::string)> reply)>
      on_asked; ///< `reply`: once, from any thread
  };
  peer_link(server_settings server, std::string subject, std::string member,
            std::shared_ptr<const storage::sealer> seal, callbacks told);
  ~peer_link();

  // Any thread; none waits.
  void tell(std::string_view what);
  /// `done` once, from the link's thread or this one: the answer, `cluster_elsewhere` when there is none in time, or
  /// `body_too_large`.
  void ask(const std::string& member, std::string_view what, std::chrono::milliseconds within, answer done);

  static constexpr std::size_t longest = 900 * 1024;

private:
  struct asked {
    std::chrono::steady_clock::time_point until;
    answer done;
  };
  void work();
  caf::error open(session& over, subscription& mine, subscription& all);
  void take(std::string_view bytes);
  caf::error send(const std::string& subject, char kind, std::uint64_t number, std::string_view from,
                  std::string_view body);
  void expire(bool all);

  server_settings server_;
  std::string subject_, member_;
  std::shared_ptr<const storage::sealer> seal_;
  callbacks told_;
  std::mutex mutex_;
  connection sending_;
  std::map<std::uint64_t, asked> asked_;
  std::uint64_t number_ = 0;
  bool stopped_ = false;
  std::thread thread_;
};

} // namespace keyportal::nats
