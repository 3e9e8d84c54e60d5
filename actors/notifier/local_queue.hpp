// The queue of deliveries in the ledger's own database: for one process that needs no other to deliver.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "actors/notifier/delivery_queue.hpp"
#include "storage/notices.hpp"

namespace keyportal {

class local_queue : public delivery_queue {
public:
  local_queue(std::shared_ptr<storage::notice_shelf> shelf, callbacks told);
  ~local_queue() override;
  caf::error put(const std::vector<order>& orders) override;
  void done(const std::string& lease) override;

private:
  void hand_out();

  std::shared_ptr<storage::notice_shelf> shelf_;
  callbacks told_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<std::uint64_t, std::string>> waiting_;
  std::map<std::uint64_t, std::string> there_; ///< all that is not done: number and "id/attempt"
  std::uint64_t last_ = 0;
  bool stopped_ = false;
  std::thread thread_;
};

} // namespace keyportal
