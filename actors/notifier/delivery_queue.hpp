// The port between who decides on deliveries and who makes them: a queue of work from which any worker may take.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "messages/notices.hpp"

namespace keyportal {

/// An order names a notice that is due. What is to be sent is in the notice: an order that comes twice, or late, is found
/// to be done and does no harm.
class delivery_queue {
public:
  struct order {
    notice_id id;
    std::string channel;
    std::uint32_t attempt = 0; ///< the same notice put in again is another order: when, in milliseconds
  };
  /// From the queue's own threads, never from within a call to it; not after the destructor returned.
  struct callbacks {
    std::function<void(order_taken)> on_order;
    std::function<void(queue_changed)> on_change;
  };
  virtual ~delivery_queue() = default;

  /// Durable when it returns without an error; an error means that some or none may be there. The same order again within
  /// two minutes is one.
  virtual caf::error put(const std::vector<order>& orders) = 0;
  /// What was taken is done, for good. One that is not given back is handed out again, here or to somebody else: after a
  /// crash at once or, where the queue is shared, after `lease_time`.
  virtual void done(const std::string& lease) = 0;

  static constexpr std::chrono::seconds lease_time{30};
};

} // namespace keyportal
