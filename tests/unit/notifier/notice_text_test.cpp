#include "actors/notifier/notice_text.hpp"

#include <set>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace keyportal;

TEST_CASE("every kind has words in both languages, and a preview of each has no open places") {
  std::set<std::string_view> names;
  for (const auto& kind : notice_kinds()) {
    CAPTURE(kind.name);
    CHECK(names.insert(kind.name).second);
    CHECK((kind.over.empty() || find_kind(kind.over) != nullptr));
    for (const char* language : {"zh", "en"}) {
      const auto text =
        write_letter(kind, language, sample_facts(kind), "Asia/Shanghai", "https://keys.example.com", "n1");
      CHECK(text.title.find('{') == std::string::npos);
      CHECK(text.title != kind.name);
      CHECK_FALSE(text.lines.empty());
      for (const auto& line : text.lines)
        CHECK(line.find('{') == std::string::npos);
      CHECK(text.button.empty() == text.link.empty());
      CHECK(text.footer.find("n1") != std::string::npos);
    }
  }
}

TEST_CASE("a line of which a fact is missing is left out, and the others stay") {
  const auto text = write_letter(*find_kind("key.renewed"), "en", {{"key", "laptop"}}, "", "", "n1");
  REQUIRE(text.lines.size() == 1);
  CHECK(text.lines[0] == "Your key \"laptop\" was renewed.");
  CHECK(text.link.empty()); // nobody said where the pages are
}

TEST_CASE("moments are shown in the zone of who reads them") {
  const auto text =
    write_letter(*find_kind("key.renewed"), "en", {{"key", "k"}, {"expires_at", "2026-04-02T00:00:00Z"}},
                 "Asia/Shanghai", "https://keys.example.com/", "n1");
  REQUIRE(text.lines.size() == 2);
  CHECK(text.lines[1] == "It now expires on 2026-04-02 08:00 (UTC+08:00).");
  CHECK(text.link == "https://keys.example.com/my-keys");
}

TEST_CASE("what somebody else wrote can neither format nor ping") {
  for (const char* evil : {"<at user_id=\"all\">x</at>", "@all", "@channel", "**bold** [a](http://b) `c` ~~d~~",
                           "<@userid>", "# heading", "<img src=x>", "line\r\nSubject: other", "a\u202eb", "{code}"}) {
    const auto text = harmless(evil);
    CAPTURE(evil, text);
    CHECK(text.find_first_of("<>@*`~[]#{}|\\\r\n") == std::string::npos);
    CHECK(text.find("\u202e") == std::string::npos);
    CHECK(text.find("://") == std::string::npos);
  }
  CHECK(harmless("a\xff\xc0 b") == "a\ufffd\ufffd b");
  CHECK(harmless("  two   words  ") == "two words");
  CHECK(harmless(std::string(500, 'x')).size() == 303);
  // It goes through the templates, too.
  const auto text =
    write_letter(*find_kind("registration.waits"), "en",
                 {{"person", "<at id=all></at>"}, {"email", "a@b.example"}, {"reason", "**now**\n@all"}}, "", "", "n1");
  for (const auto& line : text.lines)
    CHECK(line.find_first_of("<>@*") == std::string::npos);
}

TEST_CASE("texts are cut at the end of a character") {
  CHECK(cut("short", 10) == "short");
  CHECK(cut("密钥密钥", 10) == "密钥…");
  CHECK(cut("密钥密钥", 9).size() <= 9);
}
