#include <catch2/catch_test_macros.hpp>

#include <sstream>

#include <fmt/format.h>

#include "gateway/compat/import_reader.hpp"

using namespace keyportal;
using namespace keyportal::compat;

namespace {

struct result {
  import_outcome outcome = import_outcome::malformed;
  std::vector<record_group> groups;
  std::vector<std::string> entries;
  [[nodiscard]] std::size_t records() const {
    std::size_t n = 0;
    for (const auto& g : groups)
      n += g.details.size();
    return n;
  }
};

result read(const std::string& text, std::size_t piece = 1000, int pieces = 1000) {
  result out;
  std::istringstream in{text};
  out.outcome = read_import(
    in, {"one", moment_of(5), piece},
    [&](std::vector<record_group> groups) {
      for (auto& g : groups)
        out.groups.push_back(std::move(g));
      return --pieces > 0;
    },
    out.entries);
  return out;
}

std::string document(const std::string& detail, const std::string& api = "k1", const std::string& model = "m1") {
  return fmt::format(R"({{"version":1,"usage":{{"apis":{{"{}":{{"models":{{"{}":{{"details":[{}]}}}}}}}}}}}})", api,
                     model, detail);
}

constexpr const char* good =
  R"({"timestamp":"2026-04-02T23:59:58.123456789+08:00","latency_ms":10,"source":"a@x","auth_index":"a35e8f28ad4fc014","tokens":{"input_tokens":100,"output_tokens":20,"reasoning_tokens":3,"cached_tokens":4,"total_tokens":120},"failed":false})";

std::string good_with(const std::string& from, const std::string& to) {
  std::string out = good;
  out.replace(out.find(from), from.size(), to);
  return out;
}

} // namespace

TEST_CASE("What CLIProxyAPI's import takes is taken") {
  for (const auto* text : {"{}", "null", R"({"usage":null})", R"({"usage":{"apis":null}})", R"({"version":0})",
                           R"({"version":1,"usage":{}})",
                           R"({"usage":{"apis":{"k10":null,"k11":{"models":null},"k12":{"models":{"m":null}}}}})",
                           R"({"other":[1,{"usage":{"version":"x"}}],"usage":{"more":1.5}})"}) {
    INFO(text);
    CHECK(read(text).outcome == import_outcome::done);
    CHECK(read(text).records() == 0);
  }
  const auto one = read(document(good));
  REQUIRE(one.outcome == import_outcome::done);
  REQUIRE(one.records() == 1);
  const auto& d = one.groups[0].details[0];
  CHECK(d.tokens == token_counts{100, 20, 3, 4, 120});
  CHECK(d.at.offset_minutes == 480);
  CHECK(d.latency_ms == 10);
  CHECK(d.id == make_record_id("one", "k1", "m1", d));
}

TEST_CASE("What it refuses is refused, as a whole") {
  for (const auto& text : {std::string{},
                           std::string{" "},
                           std::string{"[]"},
                           std::string{"[{}]"},
                           std::string{"1"},
                           std::string{"\"x\""},
                           std::string{"true"},
                           std::string{"{"},
                           std::string{"{}x"},
                           std::string{"{} {}"},
                           std::string{R"({"version":"1"})"},
                           std::string{R"({"version":1.0})"},
                           std::string{R"({"usage":[]})"},
                           std::string{R"({"usage":{"total_requests":"1"}})"},
                           std::string{R"({"usage":{"requests_by_day":{"2026-01-01":"1"}}})"},
                           document(good_with("\"a35e8f28ad4fc014\"", "123")),
                           document(good_with("2026-04-02T", "yesterday")),
                           document(good_with("100", "100.0")),
                           document(good_with("100", "99999999999999999999")),
                           document(good_with("false", "0")),
                           document(good_with("\"a@x\"", "1")),
                           document("1"),
                           document("[]"),
                           document(good).substr(0, 200)}) {
    INFO(text);
    const auto out = read(text);
    CHECK(out.outcome == import_outcome::malformed);
    CHECK(out.records() == 0);
  }
  CHECK(read(R"({"version":2})").outcome == import_outcome::unknown_version);
  CHECK(read(R"({"version":-1,"usage":{}})").outcome == import_outcome::unknown_version);
}

TEST_CASE("Oddities are brought into the form in which CLIProxyAPI stores them") {
  CHECK(read(document(good_with("120}", "0}"))).groups[0].details[0].tokens.total == 123);
  CHECK(read(document(good_with("\"latency_ms\":10", "\"latency_ms\":-5"))).groups[0].details[0].latency_ms == 0);
  CHECK(read(document(good_with("100", "-100"))).groups[0].details[0].tokens.input == -100);
  CHECK(read(document(good, " k1 ", "  ")).groups[0].client_key.reveal() == "k1");
  CHECK(read(document(good, " k1 ", "  ")).groups[0].model == "unknown");
  CHECK(read(document(good, "  ")).records() == 0);
  // Times that are missing are now, and no two of them the same.
  const auto twice = read(document(std::string(R"({"timestamp":"0001-01-01T00:00:00Z"},{},null)")));
  REQUIRE(twice.records() == 3);
  CHECK(twice.groups[0].details[0].id != twice.groups[0].details[1].id);
  // Names of fields in any case, those of keys and models as they are.
  auto text = document(good, "CI");
  for (const auto* name : {"usage", "apis", "models", "details", "tokens", "failed", "timestamp"})
    text[text.find(std::string("\"") + name + "\"") + 1] -= 'a' - 'A';
  REQUIRE(read(text).records() == 1);
  CHECK(read(text).groups[0].client_key.reveal() == "CI");
}

TEST_CASE("Keys without usage are told, since tools leave them as marks") {
  CHECK(read(R"({"usage":{"apis":{"portal-boot-3f2a":{}}}})").entries == std::vector<std::string>{"portal-boot-3f2a"});
}

TEST_CASE("A large document is handed on in pieces, and a reader that stops is obeyed") {
  std::string details = good;
  for (int i = 0; i < 99; ++i)
    details += "," + good_with("100", std::to_string(1000 + i));
  const auto whole = read(document(details), 7);
  CHECK(whole.outcome == import_outcome::done);
  CHECK(whole.records() == 100);
  CHECK(whole.groups.size() == 15);
  const auto stopped = read(document(details), 7, 3);
  CHECK(stopped.outcome == import_outcome::stopped);
  CHECK(stopped.records() == 21);
}

TEST_CASE("A list of what was popped is read record by record") {
  const auto records_of = [](const std::string& text) {
    std::vector<std::string> out;
    std::istringstream in{text};
    const auto outcome = read_record_list(in, [&](std::string_view one) {
      out.emplace_back(one);
      return one != "{}";
    });
    if (outcome != import_outcome::done)
      out = {"refused"};
    return out;
  };
  CHECK(records_of(R"( [ {"a":"}]\\\"{"} ,{"b":[{}]}
] )") == std::vector<std::string>{R"({"a":"}]\\\"{"})", R"({"b":[{}]})"});
  for (const auto& wrong : {std::string{"[]"}, std::string{"["}, std::string{"[{\"a\":1}"}, std::string{"[{\"a\":1},]"},
                            std::string{"[1]"}, std::string{"[{}]"}, std::string{"[{\"a\":1}] x"}, std::string{"{}"},
                            std::string{"[{\"a\":\""}, "[{\"a\":\"" + std::string(2 << 20, 'x') + "\"}]"})
    CHECK(records_of(wrong) == std::vector<std::string>{"refused"});
}

TEST_CASE("Deep nesting of what is not known does no harm") {
  std::string deep(200'000, '[');
  CHECK(read("{\"x\":" + deep).outcome == import_outcome::malformed);
  CHECK(read("{\"x\":" + deep + std::string(200'000, ']') + "}").outcome == import_outcome::done);
}
