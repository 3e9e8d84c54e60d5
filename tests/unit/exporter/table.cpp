#include "table.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "sample.hpp"

namespace keyportal::test {

using storage::test::must;

std::vector<std::vector<std::string>> cells_of_csv(std::string_view text) {
  std::vector<std::vector<std::string>> out;
  std::size_t at = 0;
  while (at < text.size()) {
    auto& line = out.emplace_back();
    for (;;) {
      auto& cell = line.emplace_back();
      if (at < text.size() && text[at] == '"') {
        for (++at;; ++at) {
          REQUIRE(at < text.size());
          if (text[at] != '"')
            cell += text[at];
          else if (at + 1 < text.size() && text[at + 1] == '"')
            cell += text[++at];
          else
            break;
        }
        ++at;
      } else {
        while (at < text.size() && text[at] != ',' && text[at] != '\r') {
          REQUIRE(text[at] != '"');
          REQUIRE(text[at] != '\n');
          cell += text[at++];
        }
      }
      REQUIRE(at < text.size()); // the last line has an end, too
      if (text[at] != ',')
        break;
      ++at;
    }
    REQUIRE(text.substr(at, 2) == "\r\n");
    at += 2;
  }
  return out;
}

std::string text_of_cell(const std::string& cell) { return cell.starts_with("'") ? cell.substr(1) : cell; }

std::vector<table_row> rows_of(std::string_view text, export_format format) {
  std::vector<table_row> out;
  if (format == export_format::csv) {
    const auto lines = cells_of_csv(text);
    REQUIRE(!lines.empty());
    for (std::size_t i = 1; i < lines.size(); ++i) {
      REQUIRE(lines[i].size() == lines[0].size());
      auto& row = out.emplace_back();
      for (std::size_t c = 0; c < lines[0].size(); ++c)
        row[lines[0][c]] = text_of_cell(lines[i][c]);
    }
    return out;
  }
  while (!text.empty()) {
    const auto end = text.find('\n');
    REQUIRE(end != std::string_view::npos);
    const auto line = nlohmann::json::parse(text.substr(0, end));
    auto& row = out.emplace_back();
    for (const auto& [name, value] : line.items())
      row[name] = value.is_null() ? "" : value.is_string() ? value.get<std::string>() : value.dump();
    // The digits as they are written: what was parsed is a double.
    static constexpr std::string_view cost = "\"cost_usd\":";
    if (const auto at = text.substr(0, end).find(cost); at != std::string_view::npos && !row["cost_usd"].empty()) {
      const auto digits = text.substr(at + cost.size());
      row["cost_usd"] = digits.substr(0, digits.find_first_of(",}"));
    }
    text.remove_prefix(end + 1);
  }
  return out;
}

std::string read_all(export_desk& desk, const std::string& id, moment now) {
  std::string out;
  for (;;) {
    const auto piece = must(desk.read({id, out.size()}, now));
    REQUIRE(piece.offset == out.size());
    out += *piece.text;
    if (piece.last)
      return out;
  }
}

std::string export_now(export_desk& desk, const export_question& asked, moment now) {
  const auto opened = must(desk.open(asked, now));
  auto out = read_all(desk, opened.id, now);
  desk.close(opened.id);
  return out;
}

} // namespace keyportal::test
