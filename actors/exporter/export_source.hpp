// What is exported, a piece at a time: one kind of source for each thing that can be exported. Reads the disk; no actor,
// no clock. Asked twice for the same place a source says the same, byte for byte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>

#include <caf/expected.hpp>

#include "actors/analyst/ownership.hpp"
#include "actors/exporter/export_text.hpp"
#include "messages/exports.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

/// Where a piece begins; which of the fields mean something is the source's own.
struct export_place {
  bool begun = false; ///< what stands at the head is written
  std::int64_t at_ns = 0;
  std::uint64_t number = 0;
  std::uint64_t part = 0;
  std::string text;
  record_id id;
};

/// Who people and keys were, as far as exports show it.
struct export_people {
  log_position position = 0; ///< of the registry
  ownership owners;
  struct key {
    std::string shown, label;
  };
  std::unordered_map<key_id, key> keys;
  std::unordered_map<user_id, std::string> emails;
  [[nodiscard]] const std::string& email_of(const user_id& user) const;
};

/// One consistent state of the ledger, held as long as the export is.
struct export_view {
  std::unique_ptr<storage::ledger::reading> books;
  std::shared_ptr<const export_people> people; ///< of the same state
};
/// `known`: of a view before, used again where the registry is the same; else it becomes what was read.
caf::expected<std::shared_ptr<export_view>> hold_view(const storage::ledger& store,
                                                      std::shared_ptr<const export_people>& known);

/// The question with its words understood.
struct export_plan {
  export_question asked;
  calendar zone;
  std::int64_t first_ns = INT64_MIN;
  std::int64_t end_ns = INT64_MAX; ///< excluded
  moment now;
  std::uint64_t gathered = 100'000; ///< records that a document by key and model holds at a time: some 8 MB
  std::filesystem::path scratch;    ///< where the others are meanwhile, see scratch_file
};

class export_source {
public:
  virtual ~export_source() = default;
  /// Appends what comes at that place, about `bytes` of it, and moves the place behind it; whether there is more. Appends
  /// nothing, although there is more, where it took long to find something.
  virtual caf::expected<bool> write(export_place& at, std::string& out, std::size_t bytes) = 0;
};

/// All arguments live as long as the source. `bad_request` for what makes no sense.
caf::expected<std::unique_ptr<export_source>> make_record_rows(const export_plan& plan,
                                                               std::shared_ptr<const export_view> view);
caf::expected<std::unique_ptr<export_source>> make_cpa_document(const export_plan& plan,
                                                                std::shared_ptr<const export_view> view);
caf::expected<std::unique_ptr<export_source>> make_rollup_rows(const export_plan& plan,
                                                               std::shared_ptr<const export_view> view);
std::unique_ptr<export_source> make_user_rows(const export_plan& plan, std::shared_ptr<const export_view> view);
std::unique_ptr<export_source> make_key_rows(const export_plan& plan, std::shared_ptr<const export_view> view);
std::unique_ptr<export_source> make_audit_rows(const export_plan& plan, std::shared_ptr<const export_view> view);

} // namespace keyportal
