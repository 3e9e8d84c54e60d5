#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <ctime>
#include <sstream>

#include "actors/cli/progress.hpp"
#include "actors/cli/table.hpp"

using namespace keyportal::cli;

TEST_CASE("wide characters take two columns and combining ones none") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("节点") == 4);
  CHECK(display_width("e\u0301") == 1);
  CHECK(display_width("\U0001F600") == 2);
  CHECK(display_width("\xff\xfe") == 2); // no UTF-8: a column each
  CHECK(display_width("\xe8\x8a") == 2); // cut off in the middle
}

TEST_CASE("nothing that a terminal would obey is left in a cell") {
  CHECK(printable("a\x1b[31mb\r\nc\td") == "a [31mb  c d");
  CHECK(printable("x\u202Ey") == "x y");   // turns the line about
  CHECK(printable("\u009b31m") == " 31m"); // the other way to begin a sequence
  CHECK(printable("ok 节点 é") == "ok 节点 é");
  CHECK(printable("\xc0\xaf\xff") == "???"); // overlong and no UTF-8
}

TEST_CASE("columns line up whatever stands in them") {
  table t({{"NODE"}, {"REQUESTS", table::side::right}, {"PROBLEM"}});
  t.add({"节点", "1,234", "x"});
  t.add({"abc", "5"});
  CHECK(t.text()
        == "NODE  REQUESTS  PROBLEM\n"
           "节点     1,234  x\n"
           "abc          5\n");
}

TEST_CASE("numbers are grouped by thousands") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(-4124185) == "-4,124,185");
  CHECK(grouped(-100) == "-100");
  CHECK(grouped(INT64_MIN) == "-9,223,372,036,854,775,808");
}

TEST_CASE("sizes are shown in the unit that fits") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(1023) == "1023 B");
  CHECK(bytes_text(1024) == "1.0 KiB");
  CHECK(bytes_text(1048575) == "1.0 MiB");
  CHECK(bytes_text(2621440) == "2.5 MiB");
}

TEST_CASE("moments are shown in the time zone of the terminal and anything else as it is") {
  setenv("TZ", "Asia/Shanghai", 1);
  tzset();
  CHECK(local_time("2026-04-02T15:59:58.123Z") == "2026-04-02 23:59:58");
  CHECK(local_time("") == "-");
  CHECK(local_time("yesterday") == "yesterday");
}

TEST_CASE("progress is shown in a terminal only, from the first second on, ten times a second at most") {
  using namespace std::chrono_literals;
  const std::chrono::steady_clock::time_point began{1h};
  std::ostringstream out;
  {
    progress bar(out, true, "receiving", began);
    bar.update(1024, 4096, began + 900ms);
    CHECK(out.str().empty());
    bar.update(0, 0, began + 1s);
    CHECK(out.str().find("receiving (1 s)") != std::string::npos);
    bar.update(1024, 4096, began + 1050ms);
    CHECK(out.str().find("KiB") == std::string::npos);
    bar.update(1024, 4096, began + 1200ms);
    CHECK(out.str().find("receiving 1.0 KiB of 4.0 KiB (25 %)") != std::string::npos);
  }
  CHECK(out.str().ends_with("\r\x1b[K")); // wiped away at the end
  std::ostringstream file;
  progress(file, false, "receiving", began).update(1024, 4096, began + 5s);
  CHECK(file.str().empty());
}
