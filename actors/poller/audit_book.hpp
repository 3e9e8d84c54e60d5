// Compares what a node counts by upstream credential with what the ledger holds. Pure: times are arguments.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "actors/cpa/account_book.hpp"
#include "messages/events.hpp"

namespace keyportal {

/// One look at a node: its counters between two readings of the ledger. What the ledger held before the counters were
/// read, the node had counted; what the node had counted is in the ledger a moment after, unless it was lost. So the
/// first reading bounds what is missing from above and the second from below, however busy the node is.
struct audit_look {
  moment at{};
  std::string version;
  std::vector<cpa::account_counter> counters;
  audit_memory before; ///< of the ledger, read before the counters were asked for
  audit_memory after;  ///< read once what was under way had time to arrive
};

/// Keys of the configuration are listed by address, and the index of their records is worked out from that. Those for
/// which that fails are compared as one, with the records of all credentials that are not listed.
///
/// Knows for each credential by how much the ledger's count and the node's differ for good reasons (`base`: records of
/// earlier processes of the node), and which differences have been told.
class audit_book {
public:
  using held_counts = std::vector<audit_memory::credential>;

  /// What was remembered when we were started; `newest`: the node's newest incompletes, newest first.
  void recall(audit_memory memory, const std::vector<incomplete_record>& newest);

  struct evidence {
    std::uint64_t known = 0; ///< credentials that had counted something
    std::uint64_t fell = 0;  ///< of those: count less than before, or are gone
    /// Records of this process in the ledger beyond what it counts: they are of a process before it.
    std::uint64_t surplus = 0;
    bool version_changed = false;
  };
  /// What the counters say about the process behind them being another one.
  [[nodiscard]] evidence compare_process(const audit_look& look) const;

  /// The node's process is a new one: `held_at_connect` is what the ledger held when the first connection to it was
  /// opened, or empty if that is not known; then what it has counted until now is taken as complete.
  void begin_boot(const audit_look& look, const held_counts* held_at_connect);

  struct finding {
    std::vector<incomplete_record> opened;  ///< new ones, numbered on from those before
    std::vector<incomplete_record> amended; ///< grown, shrunk or closed ones
    std::uint64_t missing = 0;              ///< over all credentials, of this boot
    bool worth_keeping = false;             ///< the memory changed in a way that a restart of ours must not lose
  };
  /// A difference counts when two looks in a row have it.
  finding compare(const audit_look& look);

  /// To be kept with what `compare` found.
  [[nodiscard]] const audit_memory& memory() const { return memory_; }

private:
  struct bounds {
    std::int64_t ok = 0, failed = 0;
  };
  using counts = std::map<std::string, bounds>; ///< by auth index

  audit_memory::credential& credential(const std::string& auth_index);
  void rebase(const std::string& auth_index, const bounds& held, const bounds& counted);
  /// Tells `index` apart from what was told of it before; what is not told any more is closed.
  void tell(const std::string& index, const bounds& least, const bounds& least_before, const bounds& most, moment at,
            finding& into);

  audit_memory memory_;
  counts least_before_; ///< missing at least, at the look before
  counts most_before_;
  std::map<std::string, incomplete_record> open_; ///< by credential, of this boot
  std::uint64_t last_number_ = 0;                 ///< of incompletes
  int looks_of_boot_ = 0;                         ///< of which the base is known, as far as it goes
  moment all_there_at_{};                         ///< the last look that found nothing missing
};

} // namespace keyportal
