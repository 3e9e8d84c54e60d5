// FEED: what is now, for pages; tells whoever listens what happens the moment it is durable, and what he missed.
#pragma once

#include <functional>

#include "actors/feed/board.hpp"
#include "actors/feed/job_board.hpp"
#include "actors/feed/own_usage.hpp"
#include "actors/feed/topic_book.hpp"
#include "messages/actors.hpp"
#include "messages/ledger_check.hpp"
#include "messages/live.hpp"
#include "messages/store_care.hpp"

namespace keyportal {

/// What others know of it, and who listens.
using live_feed_actor = feed_actor::extend_with<live_actor>;

struct feed_settings {
  std::shared_ptr<board> now_board;
  std::function<moment()> now;
  std::function<moment(moment)> midnight; ///< before a moment, where people live
  sequence position = 0;                  ///< of the ledger, before anything that the feed is told
  events_reader stored;                   ///< reads of a millisecond
};
/// Whom it asks about somebody's own, and about long work. Null: nothing is told of that.
struct feed_peers {
  key_registry_actor registry = {};
  analyst_actor analyst = {};
  checker_actor checker = {};
  ledger_actor ledger = {};
  backup_actor backups = {};
  retention_actor retention = {};
};

live_feed_actor spawn_feed(caf::actor_system& system, feed_settings settings, feed_peers peers);

} // namespace keyportal
