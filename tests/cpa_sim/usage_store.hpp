// CPA's in-memory usage statistics. No clock, no lock, no input or output.
#pragma once

#include "record.hpp"

#include <deque>
#include <map>
#include <string>
#include <unordered_set>

namespace keyportal::cpa_sim {

/// Everything recorded or imported since the process began. Not thread-safe.
class usage_store {
public:
  struct counts {
    std::int64_t requests = 0;
    std::int64_t failed = 0;
    std::int64_t tokens = 0;
  };
  struct merged {
    std::int64_t added = 0;
    std::int64_t skipped = 0;
  };

  /// Versions before 6.9.1 show no latency.
  explicit usage_store(bool with_latency = true) : with_latency_(with_latency) {}

  /// Files one attempt; never refuses a duplicate, as the real one does not.
  void record(const std::string& api, const std::string& model, detail d, const instant& now);

  /// Adds every detail that is not there yet; all counters are recomputed, nothing is replaced or removed.
  merged merge(const snapshot& in, const instant& now);

  [[nodiscard]] const counts& totals() const { return totals_; }
  [[nodiscard]] std::size_t details_held() const;

  /// Body of `GET /usage`.
  [[nodiscard]] std::string usage_json() const;
  /// Body of `GET /usage/export`.
  [[nodiscard]] std::string export_json(const instant& now) const;

  /// From now on keep only the newest details of each list while the totals count on, as 6.6.96 did; 0 keeps all.
  void keep_newest(std::size_t details) { newest_ = details; }

private:
  struct kept {
    std::string key;    // what import compares by, hashed to 16 bytes
    std::size_t length; // of its JSON, without comma
  };
  struct model_entry {
    std::int64_t requests = 0;
    std::int64_t tokens = 0;
    std::deque<kept> order;
    std::string json; // the details, already written and joined by commas: `/usage` only copies them
  };
  struct api_entry {
    std::int64_t requests = 0;
    std::int64_t tokens = 0;
    std::map<std::string, model_entry> models;
  };

  void append(api_entry& api, const std::string& model, const detail& d, std::string key);
  void append_snapshot(std::string& out) const;
  [[nodiscard]] std::size_t bytes() const;

  bool with_latency_;
  std::size_t newest_ = 0;
  counts totals_;
  std::map<std::string, api_entry> apis_;
  std::map<std::string, std::int64_t> requests_by_day_, tokens_by_day_;
  std::map<std::string, std::int64_t> requests_by_hour_, tokens_by_hour_;
  std::unordered_multiset<std::string> seen_;
};

} // namespace keyportal::cpa_sim
