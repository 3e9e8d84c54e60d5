// A SQLite database of another program, read as it is: nothing is ever written to it or beside it. The only file here
// that knows SQLite is sqlite_file.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "messages/errors.hpp"

namespace keyportal::cli {

/// One column of the row that a query is at.
struct cell {
  enum class kind : std::uint8_t { null, integer, real, text, blob };
  kind is = kind::null;
  std::int64_t integer = 0;
  double real = 0;
  std::string text; ///< only up to `longest_cell` bytes of what is longer
  std::size_t bytes = 0;
};

inline constexpr std::size_t longest_cell = 8192;

/// One thread. Errors are `file_unreadable`, and `file_malformed` for what is no SQLite database, is damaged, or changed
/// while it was read.
class sqlite_file {
public:
  /// A write-ahead log or a journal beside the file means that its last changes are there: then a copy of them is made
  /// in a private folder, read in their place, and gone at the end.
  static caf::expected<sqlite_file> open(const std::filesystem::path& file);
  ~sqlite_file();
  sqlite_file(sqlite_file&&) noexcept;
  sqlite_file& operator=(sqlite_file&&) noexcept;

  /// Columns of an ordinary table; none when there is no such table. Views and virtual tables are none.
  [[nodiscard]] caf::expected<std::set<std::string>> columns(const std::string& table) const;
  /// That nobody has written to the file since it was opened, so that what was read belongs together.
  [[nodiscard]] caf::error unchanged() const;

  class query {
  public:
    ~query();
    query(query&&) noexcept;
    query& operator=(query&&) = delete;
    /// False behind the last row.
    [[nodiscard]] caf::expected<bool> next();
    [[nodiscard]] cell at(int column) const;

  private:
    friend class sqlite_file;
    struct parts;
    explicit query(std::unique_ptr<parts> with);
    std::unique_ptr<parts> parts_;
  };
  [[nodiscard]] caf::expected<query> select(const std::string& sql) const;

private:
  struct parts;
  explicit sqlite_file(std::unique_ptr<parts> with);
  std::unique_ptr<parts> parts_;
};

} // namespace keyportal::cli
