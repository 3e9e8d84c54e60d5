// How values look in an export: cells of CSV that no spreadsheet takes for a formula, JSON, amounts of money, moments in
// the zone that was asked for. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/analyst/calendar.hpp"
#include "messages/exports.hpp"

namespace keyportal {

/// A cell of CSV. What a spreadsheet could take for a formula (it begins with = + - @, a tab, an end of a line, or one of
/// the wide forms of = + - @) gets an apostrophe before it, and so does what begins with an apostrophe: taking one off
/// the front gives the text again. Quoted where RFC 4180 needs it and where it holds a semicolon or a tab. Invalid UTF-8
/// and NUL become U+FFFD.
void append_csv_text(std::string& out, std::string_view text);

/// Billionths of a dollar as dollars, every digit and none too much: "0.0000375", "-12", "0".
void append_dollars(std::string& out, std::int64_t nano);

/// RFC 3339 with as many digits as it needs and the zone's offset then. Quick where moments follow each other.
class moment_text {
public:
  explicit moment_text(const calendar& zone) : zone_(zone) {}
  void append(std::string& out, std::int64_t unix_ns);

private:
  calendar zone_;
  calendar::clock_span clock_{1, 0, 0};
  std::int64_t minute_ = INT64_MIN; ///< since 1970, by the clocks there
  char prefix_[17] = {};            ///< of that minute
  std::string suffix_ = "Z";
};

/// Rows of CSV or JSON lines: a cell for each column, in their order. One thread.
class row_writer {
public:
  row_writer(export_format format, std::vector<std::string> columns);

  /// The first line of CSV; empty for JSON lines.
  [[nodiscard]] std::string head(bool byte_order_mark) const;
  /// A text as a cell, for `ready`.
  [[nodiscard]] std::string cell(std::string_view text) const;

  void text(std::string& out, std::string_view value);
  void ready(std::string& out, std::string_view cell) {
    next(out);
    out.append(cell);
  }
  void number(std::string& out, std::int64_t value);
  void number_or_none(std::string& out, std::int64_t value) { value != 0 ? number(out, value) : none(out); }
  void dollars(std::string& out, std::int64_t nano) {
    next(out);
    append_dollars(out, nano);
  }
  void at(std::string& out, moment_text& zone, std::int64_t unix_ns);
  void none(std::string& out) {
    next(out);
    if (json_)
      out.append("null", 4);
  }
  /// In CSV one cell with semicolons.
  void list(std::string& out, const std::vector<std::string>& values);
  /// JSON as it is; in CSV a text.
  void json(std::string& out, std::string_view value);
  void end_row(std::string& out);

private:
  void next(std::string& out) {
    if (json_)
      out.append(before_[column_]);
    else if (column_ != 0)
      out.push_back(',');
    ++column_;
  }

  bool json_;
  std::vector<std::string> columns_;
  std::vector<std::string> before_; ///< of JSON: what stands before each value
  std::size_t column_ = 0;
};

} // namespace keyportal
