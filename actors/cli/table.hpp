// Text for people: tables that line up whatever the script, numbers and times as one reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keyportal::cli {

/// Columns a terminal takes for UTF-8 text: 2 for wide characters (Chinese, emoji), 0 for combining ones. Bytes that
/// are no UTF-8 count 1 each.
std::size_t display_width(std::string_view text);

/// One line without anything a terminal would obey: control characters become spaces, bytes that are no UTF-8 '?'.
std::string printable(std::string_view text);

/// Rows under a head; columns two spaces apart.
class table {
public:
  enum class side { left, right };
  struct column {
    std::string head;
    side align = side::left;
  };

  explicit table(std::vector<column> columns) : columns_(std::move(columns)) {}
  /// Missing cells are empty, further ones are left out. Cells are made `printable`.
  void add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// With a newline behind every line, no blanks at its end.
  [[nodiscard]] std::string text() const;

private:
  std::vector<column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "4,124,185"
std::string grouped(std::int64_t number);
/// "2.4 MiB"
std::string bytes_text(std::uint64_t bytes);
/// An RFC 3339 moment in the time zone of the terminal, "2026-04-02 23:59:58"; anything else as it is, "-" when empty.
std::string local_time(std::string_view rfc3339);

} // namespace keyportal::cli
