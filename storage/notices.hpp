// Who was told what: notices, how far they are decided, what people wish, and the local queue of deliveries.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/expected.hpp>

#include "messages/notices.hpp"
#include "storage/database.hpp"
#include "storage/seal.hpp"

namespace keyportal::storage {

/// Any thread; one writer of notices at a time, one of orders at a time.
class notice_shelf {
public:
  notice_shelf(std::shared_ptr<database> db, sealer seal, bool sync)
    : db_(std::move(db)), seal_(std::move(seal)), sync_(sync) {}

  /// On disk when it returns without an error.
  [[nodiscard]] caf::error commit(const notice_changes& what) const;

  struct progress {
    std::optional<sequence> position; ///< not set: nothing was ever decided here
    log_position people = 0;
    std::vector<std::pair<std::string, moment>> marks;
  };
  [[nodiscard]] caf::expected<progress> load_progress() const;
  /// Those that are not over, oldest first.
  [[nodiscard]] caf::expected<std::vector<notice_record>> open_notices() const;
  [[nodiscard]] caf::expected<notice_page> list(const list_notices& what) const;
  /// Nothing when there is no such notice.
  [[nodiscard]] caf::expected<std::optional<notice_record>> find(const notice_id& id) const;
  /// At most `most` that are over and whose event is from before `before`, oldest first.
  [[nodiscard]] caf::expected<std::vector<notice_id>> older_than(moment before, std::size_t most) const;

  [[nodiscard]] caf::expected<std::vector<notice_preferences>> preferences() const;
  [[nodiscard]] caf::error put(const notice_preferences& what) const;

  /// A code as it may be kept: it opens for that notice only.
  [[nodiscard]] caf::expected<std::string> seal_text(std::string_view text, const notice_id& id) const;
  [[nodiscard]] caf::expected<std::string> open_text(std::string_view sealed, const notice_id& id) const;

  // --- the local queue's rows ---
  [[nodiscard]] caf::expected<std::vector<std::pair<std::uint64_t, std::string>>> orders() const;
  [[nodiscard]] caf::error put_orders(const std::vector<std::pair<std::uint64_t, std::string>>& orders) const;
  [[nodiscard]] caf::error drop_order(std::uint64_t number) const;

private:
  std::shared_ptr<database> db_;
  sealer seal_;
  bool sync_;
};

} // namespace keyportal::storage
