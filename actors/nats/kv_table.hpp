// A table of rows with revisions in a NATS key-value bucket: compare-and-set, and a watch.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "actors/cluster/lease_plan.hpp"
#include "actors/nats/exact_publish.hpp"

namespace keyportal::nats {

struct table_settings {
  server_settings server;
  std::string bucket; ///< letters, digits, '-' and '_'; laid out as NATS does it, so that its own tools read it
  int replicas = 0;   ///< 0: on three servers where there are three, else on one
};

/// One thread. Each call blocks for two seconds at most.
class kv_table {
public:
  explicit kv_table(table_settings how) : how_(std::move(how)) {}
  ~kv_table() { close(); }

  /// Connects, makes the bucket when there is none, and begins to watch, each time anew: all rows come again. Nothing is done
  /// while it is open.
  caf::error open();
  void close();
  [[nodiscard]] bool is_open() const { return over_.is_open() && watch_; }

  struct written {
    cluster::write_outcome how = cluster::write_outcome::unknown;
    std::uint64_t revision = 0;
  };
  /// `expected` 0: if there is no such row. An empty value takes it away.
  written put(const std::string& key, std::string_view value, std::uint64_t expected);
  /// Of a row that is not there the value is empty; its revision is 0 where it never was.
  caf::expected<cluster::lease_row> look(const std::string& key);
  /// What changed, within `within`; an error: open it again.
  caf::expected<std::vector<cluster::lease_row>> changes(std::chrono::milliseconds within);

private:
  [[nodiscard]] std::string subject(const std::string& key) const { return "$KV." + how_.bucket + "." + key; }
  caf::error ensure();
  cluster::lease_row row_of(natsMsg* message, std::string key, std::uint64_t revision);

  table_settings how_;
  session over_;
  subscription watch_;
  std::uint64_t told_here_ = 0;
  std::map<std::string, std::uint64_t> gone_; ///< rows that were taken away, and under which revision
};

} // namespace keyportal::nats
