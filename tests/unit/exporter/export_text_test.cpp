#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "actors/exporter/export_text.hpp"
#include "sample.hpp"
#include "table.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

std::string csv(std::string_view text) {
  std::string out;
  append_csv_text(out, text);
  return out;
}

std::string dollars(std::int64_t nano) {
  std::string out;
  append_dollars(out, nano);
  return out;
}

std::string shown(const char* zone, const char* utc) {
  moment_text text{storage::test::must(calendar::of(zone))};
  std::string out;
  text.append(out, parse_rfc3339(utc).value().unix_ns);
  return out;
}

} // namespace

TEST_CASE("a cell never begins as a formula does, and its text can be read back", "[exporter]") {
  CHECK(csv("gpt-5") == "gpt-5");
  CHECK(csv("") == "");
  CHECK(csv("=1+1") == "'=1+1");
  CHECK(csv("+49") == "'+49");
  CHECK(csv("-2") == "'-2");
  CHECK(csv("@SUM(A1)") == "'@SUM(A1)");
  CHECK(csv("\t=1") == "\"'\t=1\"");
  CHECK(csv("\r=1") == "\"'\r=1\"");
  CHECK(csv("\n=1") == "\"'\n=1\"");
  CHECK(csv("\uff1d1") == "'\uff1d1");
  CHECK(csv("'quoted'") == "''quoted'");
  CHECK(csv("=HYPERLINK(\"http://x\",\"y\")") == "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
  CHECK(csv("a,b") == "\"a,b\"");
  CHECK(csv("a;=1") == "\"a;=1\"");
  CHECK(csv("a\"b") == "\"a\"\"b\"");
  CHECK(csv("a=b") == "a=b");
  CHECK(csv("é ü 漢") == "é ü 漢");
}

TEST_CASE("a cell is UTF-8 whatever was in the name", "[exporter]") {
  CHECK(csv(std::string_view("a\0b", 3)) == "a\uFFFDb");
  CHECK(csv("a\xff") == "a\uFFFD");
  CHECK(csv("\xc3") == "\uFFFD");
  CHECK(csv("\xed\xa0\x80") == "\uFFFD\uFFFD\uFFFD"); // half of a pair
  CHECK(csv("\xc0\xaf") == "\uFFFD\uFFFD");           // a slash in two bytes
  CHECK(csv("\xf0\x9f\x98\x80") == "\xf0\x9f\x98\x80");
  CHECK(csv("\xf4\x90\x80\x80,") == "\"\uFFFD\uFFFD\uFFFD\uFFFD,\"");
}

TEST_CASE("random texts come back out of a line of CSV and of JSON", "[exporter]") {
  const auto seed = make_seed();
  std::mt19937 random{static_cast<std::uint32_t>(seed)};
  const std::vector<std::string> bits{"=", "+", "-", "@",  "\t",     "\r", "\n", "'", "\"", ",",
                                      ";", "a", "é", "漢", "\uff1d", "0",  " ",  "|", "\\"};
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> texts(1 + random() % 5);
    std::vector<std::string> names;
    for (auto& text : texts) {
      names.push_back("column " + std::to_string(names.size()));
      for (auto left = random() % 6; left-- > 0;)
        text += bits[random() % bits.size()];
    }
    for (const auto format : {export_format::csv, export_format::jsonl}) {
      row_writer rows{format, names};
      auto out = rows.head(false);
      for (int twice = 0; twice < 2; ++twice) {
        for (const auto& text : texts)
          if (random() % 2 == 0)
            rows.text(out, text);
          else
            rows.ready(out, rows.cell(text));
        rows.end_row(out);
      }
      const auto read = rows_of(out, format);
      REQUIRE(read.size() == 2);
      for (std::size_t i = 0; i < texts.size(); ++i)
        for (const auto& row : read)
          REQUIRE(row.at(names[i]) == texts[i]);
      if (format == export_format::csv)
        for (const auto& line : cells_of_csv(out))
          for (const auto& cell : line)
            REQUIRE((cell.empty() || std::string_view("=+-@\t\r\n").find(cell[0]) == std::string_view::npos));
    }
  }
}

TEST_CASE("numbers stay numbers, also below zero", "[exporter]") {
  row_writer rows{export_format::csv, {"a", "b", "c", "d"}};
  std::string out;
  rows.number(out, -5);
  rows.number(out, INT64_MIN);
  rows.none(out);
  rows.number_or_none(out, 0);
  rows.end_row(out);
  CHECK(out == "-5,-9223372036854775808,,\r\n");
  row_writer lines{export_format::jsonl, {"a", "b", "c", "d"}};
  out.clear();
  lines.number(out, -5);
  lines.none(out);
  lines.list(out, {"x", "y;z"});
  lines.json(out, R"([{"k":1}])");
  lines.end_row(out);
  CHECK(out == "{\"a\":-5,\"b\":null,\"c\":[\"x\",\"y;z\"],\"d\":[{\"k\":1}]}\n");
}

TEST_CASE("dollars have every digit", "[exporter]") {
  CHECK(dollars(0) == "0");
  CHECK(dollars(1) == "0.000000001");
  CHECK(dollars(37'500) == "0.0000375");
  CHECK(dollars(1'000'000'000) == "1");
  CHECK(dollars(12'340'000'000) == "12.34");
  CHECK(dollars(-1) == "-0.000000001");
  CHECK(dollars(-2'500'000'000) == "-2.5");
  CHECK(dollars(INT64_MAX) == "9223372036.854775807");
  CHECK(dollars(INT64_MIN) == "-9223372036.854775808");
}

TEST_CASE("moments are shown by the clocks of the zone", "[exporter]") {
  CHECK(shown("UTC", "2026-04-02T23:59:58.123456789Z") == "2026-04-02T23:59:58.123456789Z");
  CHECK(shown("UTC", "2026-04-02T23:59:58Z") == "2026-04-02T23:59:58Z");
  CHECK(shown("Asia/Shanghai", "2026-04-02T23:59:58.5Z") == "2026-04-03T07:59:58.5+08:00");
  CHECK(shown("Asia/Kolkata", "1969-12-31T18:29:59.25Z") == "1969-12-31T23:59:59.25+05:30");
  CHECK(shown("America/St_Johns", "2026-01-01T00:00:00Z") == "2025-12-31T20:30:00-03:30");
  // Where the clocks are changed, one after the other in one export.
  moment_text text{storage::test::must(calendar::of("Europe/Berlin"))};
  std::string out;
  for (const char* at :
       {"2026-03-29T00:59:59.999Z", "2026-03-29T01:00:00Z", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z"}) {
    text.append(out, parse_rfc3339(at).value().unix_ns);
    out += ' ';
  }
  CHECK(
    out
    == "2026-03-29T01:59:59.999+01:00 2026-03-29T03:00:00+02:00 2026-10-25T02:59:59+02:00 2026-10-25T02:00:00+01:00 ");
}

TEST_CASE("any moment reads back as itself", "[exporter]") {
  const auto seed = make_seed();
  std::mt19937_64 random{seed};
  for (const char* zone : {"UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"}) {
    moment_text text{storage::test::must(calendar::of(zone))};
    for (int i = 0; i < 2'000; ++i) {
      // From 1973 on, when all of these have had whole minutes.
      const auto ns = static_cast<std::int64_t>(100'000'000'000'000'000 + random() % 4'000'000'000'000'000'000);
      std::string out;
      text.append(out, ns);
      INFO(zone << " " << out);
      REQUIRE(parse_rfc3339(out).value().unix_ns == ns);
    }
  }
}
