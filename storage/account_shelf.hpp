// What is kept of accounts with providers: who gave which, logins under way, windows of quota. Sealed: texts have e-mail
// addresses in them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <caf/expected.hpp>

#include "storage/database.hpp"
#include "storage/seal.hpp"

namespace keyportal::storage {

/// On disk: a number is never changed or reused.
enum class account_row_kind : std::uint8_t {
  account = 1, ///< what is known of one account: who gave it, what was told of it
  login = 2,   ///< a login under way
  windows = 3, ///< of one account's quota
  mapping = 4, ///< whose an account with some e-mail address is
  event = 5,   ///< to be told, and not told yet
};

struct account_row {
  account_row_kind kind = account_row_kind::account;
  std::string id;   ///< 1 to 255 bytes without any e-mail address
  std::string text; ///< what it holds; as it is, unsealed
};
/// All or nothing, and on disk when it was done.
struct account_rows_change {
  std::vector<account_row> put;  ///< new, or in the place of those with the same kind and id
  std::vector<account_row> drop; ///< by kind and id; those that are not there are no error
};

/// Any thread.
class account_shelf {
public:
  account_shelf(std::shared_ptr<database> db, sealer seal) : db_(std::move(db)), seal_(std::move(seal)) {}

  [[nodiscard]] caf::error keep(const account_rows_change& what) const;
  /// In the order of their ids.
  [[nodiscard]] caf::expected<std::vector<account_row>> list(account_row_kind kind) const;

private:
  std::shared_ptr<database> db_;
  sealer seal_;
};

} // namespace keyportal::storage
