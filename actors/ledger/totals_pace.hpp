// When a node's cumulative totals are worth an event: on change, at most one a second. Pure.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "messages/records.hpp"

namespace keyportal {

class totals_pace {
public:
  using time = std::chrono::steady_clock::time_point;

  void changed(const node_name& node, const totals& sums) { waiting_[node] = sums; }

  /// The nodes whose turn has come; they are taken as told.
  std::vector<std::pair<node_name, totals>> due(time now) {
    std::vector<std::pair<node_name, totals>> out;
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      auto& told = told_[at->first];
      if (told && now - *told < pause) {
        ++at;
        continue;
      }
      told = now;
      out.emplace_back(*at);
      at = waiting_.erase(at);
    }
    return out;
  }

  [[nodiscard]] bool waiting() const { return !waiting_.empty(); }
  static constexpr std::chrono::milliseconds pause{1000};

private:
  std::map<node_name, totals> waiting_;
  std::map<node_name, std::optional<time>> told_;
};

} // namespace keyportal
