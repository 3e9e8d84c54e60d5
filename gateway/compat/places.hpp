// How far each consumer has come. A place outlives the connection, Key Portal itself, and CLIProxyAPI.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <caf/expected.hpp>

#include "gateway/compat/backend.hpp"
#include "gateway/compat/key_guard.hpp"

namespace keyportal::compat {

/// One consumer's way through the records of one node, or of all. Any thread.
class queue_place {
public:
  queue_place(backend& back, std::string name, node_name node, sequence at)
    : backend_(back), name_(std::move(name)), node_(std::move(node)), at_(at) {}

  /// The next records, oldest first, as texts. Their place is durable before this returns: whatever happens to the
  /// answer, nobody gets them a second time. At most 10,000 and about 16 MB at once. Nothing while a subscriber is
  /// there: it gets them.
  caf::expected<std::vector<std::string>> pop(std::size_t at_most);

  /// From now on records go to subscribers, each of which reads on from what this returns by itself.
  sequence subscribe();
  void unsubscribe();
  /// A subscriber has got everything up to `seq`. Durable when it returns.
  caf::error reached(sequence seq);

  /// What comes behind `after`, for a subscriber.
  struct page {
    std::vector<std::pair<sequence, std::string>> records;
    sequence read_to = 0; ///< all up to here was looked at
  };
  caf::expected<page> read(sequence after, std::size_t at_most_records) const;

private:
  backend& backend_;
  const std::string name_;
  const node_name node_;
  std::mutex mutex_;
  sequence at_;         ///< durable
  sequence looked_ = 0; ///< up to here there is nothing of this node behind `at_`
  int subscribers_ = 0;
};

/// All places; each is made when it is first needed, or when the listener starts.
class places {
public:
  explicit places(backend& back) : backend_(back) {}
  /// Reads what the ledger keeps, and gives a place to each consumer that has none.
  caf::error open(const std::vector<consumer>& consumers);
  /// `node`: empty for all nodes together.
  caf::expected<std::shared_ptr<queue_place>> of(const consumer& who, const node_name& node);

private:
  backend& backend_;
  std::mutex mutex_;
  std::map<std::string, sequence> known_; ///< as the ledger has them
  std::map<std::string, std::shared_ptr<queue_place>> open_;
};

} // namespace keyportal::compat
