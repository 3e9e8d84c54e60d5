// What the listener needs of the rest of Key Portal. Every call may block; from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>

#include "messages/actors.hpp"

namespace keyportal::compat {

class backend {
public:
  virtual ~backend() = default;

  /// The ledger's position: no record comes at or below it any more.
  virtual sequence last() = 0;
  virtual caf::expected<std::vector<arrival>> arrivals(const read_arrivals& what) = 0;
  /// Sums of all records, or of a node's.
  virtual totals sums(const node_name& node) = 0;

  virtual caf::expected<std::vector<consumer_progress>> places() = 0;
  /// On disk when it returns.
  virtual caf::error keep_place(const std::string& name, sequence seq) = 0;

  /// In configured order.
  virtual std::vector<node_name> nodes() = 0;
  /// What the node said last of its version; empty: nothing yet.
  virtual std::string version_of(const node_name& node) = 0;

  /// Decodes a record as the usage queue gives it out: a group of it alone, an empty one for what is none but may stand
  /// among them. It is identified as a record of `/usage` is: the texts of one record differ from one way to another.
  virtual caf::expected<record_group> decode(const node_name& node, std::string_view record) = 0;
  /// On disk when it returns. `node` is one of `nodes`.
  virtual caf::expected<import_report> take_records(const node_name& node, std::vector<record_group> groups) = 0;
  /// Records were taken: the node may lack them.
  virtual void restore(const node_name& node) = 0;

  /// Hands a management request to the node, with the node's own key, and gives back its answer. Errors: those of a
  /// node.
  virtual caf::expected<http_response> forward(const node_name& node, const http_request& request,
                                               const std::string& target) = 0;

  virtual moment now() = 0;
};

} // namespace keyportal::compat
