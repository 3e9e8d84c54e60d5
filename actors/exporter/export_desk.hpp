// Exports that are held: each a consistent state of the ledger, what is written of it, and where its pieces begin, so that
// whoever lost the connection goes on at the byte where it broke. Reads the disk; no actor, no clock.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <caf/expected.hpp>

#include "actors/exporter/export_source.hpp"
#include "messages/exports.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

struct export_limits {
  std::size_t piece_bytes = std::size_t{1} << 20;
  std::uint64_t gathered = 100'000; ///< see export_plan
  std::filesystem::path scratch;    ///< likewise
  std::size_t held = 16; ///< at a time; one more takes the place of one that was read to its end, or of one left alone
  std::chrono::seconds left_alone{60};    ///< so long: may have to make room
  std::chrono::seconds lease{600};        ///< since it was read last
  std::chrono::seconds longest{6 * 3600}; ///< since it began: it keeps the database from tidying up
};

/// One thread.
class export_desk {
public:
  export_desk(std::shared_ptr<const storage::ledger> store, export_limits limits = {});
  ~export_desk();

  /// `bad_request`, `too_many_requests`, and what reading the ledger brings. Of the CPA format this goes through all
  /// records once.
  [[nodiscard]] caf::expected<opened_export> open(const export_question& asked, moment now);
  /// `export_gone`; `bad_request` for a byte behind those that were given out. After another error the export is as it was.
  [[nodiscard]] caf::expected<export_piece> read(const read_export& which, moment now);
  void close(const std::string& id);
  /// Ends what nobody has read for long.
  void tidy(moment now);
  [[nodiscard]] std::size_t held() const { return all_.size(); }

private:
  struct held_export;
  [[nodiscard]] bool make_room(moment now);

  std::shared_ptr<const storage::ledger> store_;
  export_limits limits_;
  std::shared_ptr<const export_people> people_; ///< of the view that was taken last
  std::map<std::string, std::unique_ptr<held_export>> all_;
};

/// What the question's words mean at that moment. `bad_request`.
caf::expected<export_plan> plan_export(const export_question& asked, moment now);

} // namespace keyportal
