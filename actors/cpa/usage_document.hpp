// Reads CPA's `/usage` and export documents: only what is new is decoded, the rest is recognised by its hash.
// Writing is export_document.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <caf/expected.hpp>

#include "messages/events.hpp"

namespace keyportal::cpa {

/// Name of an empty entry among CPA's client keys by which a restart shows (`restore.boot_marker`); a random end follows.
inline constexpr std::string_view boot_marker_prefix = "keyportal-boot-";

/// What one document said, compared with what was remembered.
struct usage_reading {
  node_counters counters;
  std::vector<record_group> fresh; ///< details behind the intact beginnings, and all details of broken or new lists
  std::vector<list_mark> marks;    ///< of every list that is new, longer or broken: what to remember once it is durable
  std::uint64_t lists = 0;         ///< in the document
  std::uint64_t details = 0;       ///< in the document
  std::uint64_t lists_known = 0;   ///< remembered before
  std::uint64_t lists_broken = 0;  ///< of those: gone, shorter, or with another beginning; not the capped ones
  std::uint64_t lists_capped = 0;  ///< cut by a CPA that caps its lists (v6.6.96) but counts on: no sign of a restart
  std::uint64_t details_gone = 0;  ///< details of broken lists that are not where they were
  bool marker_here = false;        ///< a boot marker is in the document
  bool marker_gone = false;        ///< one was remembered and is not
};

/// What is known of one node's lists. One owner, no threads. `read` changes nothing; `accept` is called when what was
/// read is durable.
class usage_book {
public:
  explicit usage_book(node_name node);
  ~usage_book();
  usage_book(usage_book&&) noexcept;
  usage_book& operator=(usage_book&&) noexcept;

  /// Goes on from what the ledger remembers.
  void recall(const std::vector<list_mark>& marks);
  /// Decodes a `/usage` body. `body` needs 64 bytes of capacity behind its end. Costs one pass of structure finding and
  /// hashing over the body, and decoding for what is new. Errors: node_answer_malformed with the place.
  caf::expected<usage_reading> read(const std::string& body);
  /// Remembers the marks of `reading`; with `anew` everything before is forgotten first.
  void accept(const usage_reading& reading, bool anew);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// Decodes an export document of version 0 or 1, or a `/usage` body: all details, grouped. Names are normalised as CPA's
/// import would. Errors: file_malformed with the place, file_version.
caf::expected<std::vector<record_group>> read_export(node_name node, std::string json);

} // namespace keyportal::cpa
