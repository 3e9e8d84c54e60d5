// Exports read back, by readers that share nothing with what wrote them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "actors/exporter/export_desk.hpp"

namespace keyportal::test {

/// Cells of CSV as RFC 4180 has it, line by line; fails the test where it is not that.
std::vector<std::vector<std::string>> cells_of_csv(std::string_view text);
/// A cell as the text that it was: without the apostrophe that keeps spreadsheets from reckoning.
std::string text_of_cell(const std::string& cell);

using table_row = std::map<std::string, std::string>;
/// Rows by the names of their columns, as texts; of JSON lines numbers as they are written, lists as JSON, null as "".
std::vector<table_row> rows_of(std::string_view text, export_format format);

/// All of an export.
std::string read_all(export_desk& desk, const std::string& id, moment now);
std::string export_now(export_desk& desk, const export_question& asked, moment now);

} // namespace keyportal::test
