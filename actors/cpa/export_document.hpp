// Writes usage as CPA exports it, for CPA's import, for snapshots and for files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "messages/records.hpp"

namespace keyportal::cpa {

/// One entry of `details`, in the order and spelling of CPA's own export, so that files compare.
void append_detail(std::string& out, const detail& d);

/// Counts by day and by hour of the day, as the head of an export has them: the wall clock of the time stamp's own zone
/// decides, as in CPA.
class bucket_counts {
public:
  bucket_counts() = default;
  bucket_counts(const bucket_counts&) = delete; // its pointers lead into itself
  bucket_counts& operator=(const bucket_counts&) = delete;

  void add(const stamped_time& at, std::int64_t tokens);
  /// ,"requests_by_day":{…},"requests_by_hour":{…},"tokens_by_day":{…},"tokens_by_hour":{…}
  void append(std::string& out) const;

private:
  struct amounts {
    std::int64_t requests = 0, tokens = 0;
  };
  std::map<std::string, amounts> days_, hours_;
  std::int64_t last_hour_ = 0; ///< as the node's clock has it, since 1970
  amounts *day_ = nullptr, *hour_of_day_ = nullptr; ///< those of it; null: nothing was added yet
};

/// Writes export documents of version 1; the totals and buckets in them are computed
/// from the details, as CPA does.
class export_writer {
public:
  /// One document for these groups (an import piece, for which CPA ignores all totals).
  static std::string piece(const std::vector<record_group>& groups);

  /// A whole export: `add` any number of times, then `finish`.
  void add(const std::vector<record_group>& groups);
  std::string finish(moment exported_at) &&;
  [[nodiscard]] const totals& sums() const { return sums_; }

private:
  struct model_list {
    std::string details; ///< JSON text of the details, comma separated
    std::int64_t requests = 0;
    std::int64_t tokens = 0;
  };
  void append_apis(std::string& out) const;

  // api -> model -> list; std::map gives CPA's order of keys.
  std::map<std::string, std::map<std::string, model_list>> apis_;
  bucket_counts buckets_;
  totals sums_;
};

} // namespace keyportal::cpa
