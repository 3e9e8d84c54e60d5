#include <catch2/catch_test_macros.hpp>

#include "gateway/assets.hpp"
#include "gateway/handlers.hpp"
#include "gateway/pages.hpp"

using namespace keyportal;
using namespace keyportal::gateway;
using nlohmann::json;

namespace {

overview two_nodes() {
  overview out;
  out.position = 9;
  for (const char* name : {"cpa-1", "cpa-2"}) {
    node_overview node;
    node.condition.node = name;
    node.sums.requests = 3;
    node.sums.tokens.total = 100;
    out.nodes.push_back(node);
  }
  return out;
}

json body_of(const http_response& answer) { return json::parse(*answer.body); }

std::string header_in(const http_response& answer, std::string_view wanted) {
  for (const auto& [name, value] : answer.headers)
    if (name == wanted)
      return value;
  return {};
}

question page(std::string path, std::string if_none_match = {}) {
  question out;
  out.path = std::move(path);
  out.if_none_match = std::move(if_none_match);
  return out;
}

} // namespace

TEST_CASE("the summary holds all nodes together, each node, the link to NATS and the ledger's figures") {
  summary_parts all{two_nodes(), publisher_state{}, ledger_state{}, true};
  all.publisher->connected = true;
  all.ledger->dead_letters = 2;
  const auto body = body_of(summary_answer(all));
  CHECK(body.at("totals").at("requests") == 6);
  CHECK(body.at("nodes").size() == 2);
  CHECK(body.at("publisher").at("connected") == true);
  CHECK(body.at("demo") == true);
  CHECK(body.at("ledger").at("dead_letters") == 2);
  const auto alone = body_of(summary_answer({two_nodes(), std::nullopt, std::nullopt, false}));
  CHECK(alone.at("publisher").is_null());
  CHECK(alone.at("ledger").is_null());
}

TEST_CASE("lists are objects with items, empty ones, too") {
  CHECK(body_of(nodes_answer(two_nodes())).at("items").size() == 2);
  CHECK(body_of(list_answer(std::vector<gap_record>{})) == json{{"items", json::array()}});
}

TEST_CASE("one node is found by its name") {
  CHECK(body_of(node_answer(two_nodes(), "cpa-2")).at("node") == "cpa-2");
  const auto missing = node_answer(two_nodes(), "cpa-3");
  CHECK(missing.status == 404);
  CHECK(body_of(missing).at("code") == "node_unknown");
}

TEST_CASE("one snapshot is found by its number") {
  snapshot_info one;
  one.id = 4;
  CHECK(body_of(snapshot_answer({one}, 4)).at("id") == 4);
  CHECK(body_of(snapshot_answer({one}, 5)).at("code") == "snapshot_unknown");
}

TEST_CASE("an export is sent as it is, as a download") {
  export_file file;
  file.info.id = 4;
  file.info.node = "cpa-1";
  file.json = std::make_shared<const std::string>("{}");
  const auto answer = export_answer(file);
  CHECK(answer.body == file.json); // the same one, not a copy
  REQUIRE_FALSE(answer.headers.empty());
  CHECK(answer.headers[0].second == "attachment; filename=\"keyportal-cpa-1-4.json\"");
}

TEST_CASE("readiness shows what the ledger holds and what waits in it") {
  ledger_state ledger;
  ledger.inbox = 3;
  ledger.dead_letters = 4;
  const auto body = body_of(ready_answer(ledger));
  CHECK(body.at("ready") == true);
  CHECK(body.at("inbox") == 3);
  CHECK(body.at("dead_letters") == 4);
}

TEST_CASE("a dead letter is sent byte by byte as it came, and stored nowhere on the way") {
  dead_letter one;
  one.number = 4;
  one.payload = secret{std::string("\0not \xff json\r\n", 13)};
  const auto answer = letter_answer({one}, 4);
  CHECK(answer.status == 200);
  CHECK(*answer.body == one.payload.reveal());
  CHECK(answer.content_type == "application/octet-stream");
  const std::vector<std::pair<std::string, std::string>> headers = {
    {"Content-Disposition", "attachment; filename=\"deadletter-4\""}, {"Cache-Control", "no-store"}};
  CHECK(answer.headers == headers);
  CHECK(body_of(letter_answer({one}, 3)).at("code") == "dead_letter_unknown");
  CHECK(letter_answer({}, 4).status == 404);
}

TEST_CASE("a list of dead letters tells nothing of their payloads") {
  dead_letter one;
  one.payload = secret{"sk-client"};
  CHECK(list_answer(std::vector<dead_letter>{one}).body->find("sk-client") == std::string::npos);
}

TEST_CASE("a replay is of all letters or of those that are named, and of nothing by mistake") {
  const auto all = read_replay("");
  REQUIRE(all);
  CHECK(all->numbers.empty());
  const auto some = read_replay(R"({"numbers":[3,18446744073709551615]})");
  REQUIRE(some);
  CHECK(some->numbers == std::vector<std::uint64_t>{3, ~std::uint64_t{0}});
  for (const char* bad : {"x", "null", "[]", "[1]", "{}", R"({"numbers":[]})", R"({"numbers":3})", R"({"numbers":[0]})",
                          R"({"numbers":[-1]})", R"({"numbers":[1.0]})", R"({"numbers":["1"]})",
                          R"({"numbers":[1,null]})", R"({"numbers":[18446744073709551616]})",
                          R"({"numbers":[1],"more":1})", R"({"number":[1]})", R"({"numbers":[1)"}) {
    CAPTURE(bad);
    const auto refused = read_replay(bad);
    REQUIRE_FALSE(refused);
    CHECK(code_of(refused.error()) == errc::bad_request);
  }
}

TEST_CASE(
  "files are served once and then only confirmed; those whose name tells their contents are not asked for again") {
  for (const auto& one : assets()) {
    if (one.path == "/index.html")
      continue;
    CAPTURE(one.path);
    const auto full = asset_answer(page(std::string(one.path)));
    CHECK(full.status == 200);
    CHECK(*full.body == plain_text(one));
    CHECK(full.content_type == one.content_type);
    auto compressed = page(std::string(one.path));
    compressed.takes_gzip = true;
    CHECK(*asset_answer(compressed).body == one.text);
    CHECK(header_in(asset_answer(compressed), "Content-Encoding") == (one.compressed ? "gzip" : ""));
    CHECK((header_in(full, "Cache-Control").find("immutable") != std::string::npos)
          == one.path.starts_with("/assets/"));
    const auto again = asset_answer(page(std::string(one.path), std::string(one.etag)));
    CHECK(again.status == 304);
    CHECK(again.body->empty());
  }
  CHECK(asset_answer(page("/assets/none.js")).status == 404);
  CHECK(asset_answer(page("/index.html")).status == 404);
}

TEST_CASE("every file has a route and every such route a file") {
  std::size_t asset_routes = 0;
  for (const auto& row : routes()) {
    if (row.about != topic::asset || row.pattern == "/assets/{name}")
      continue;
    ++asset_routes;
    CAPTURE(row.pattern);
    CHECK(asset_answer(page(std::string(row.pattern))).status == 200);
  }
  std::size_t files = 0;
  for (const auto& one : assets())
    files += one.path != "/index.html" && !one.path.starts_with("/assets/") ? 1 : 0;
  CHECK(asset_routes == files);
}

TEST_CASE("the page is shown below its base path, with addresses that lead there from anywhere") {
  const auto plain = make_page("", {});
  REQUIRE(plain.text);
  CHECK(plain.text->find("=\"/assets/") != std::string::npos);
  CHECK(plain.text->find("=\"./") == std::string::npos);
  const auto below = make_page("/team/keys", {"https://a.example"});
  CHECK(below.text->find("=\"/team/keys/assets/") != std::string::npos);
  CHECK(below.text->find(R"(name="base" content="/team/keys/")") != std::string::npos);
  CHECK(below.text->find("=\"/assets/") == std::string::npos);
  CHECK(below.etag != plain.etag);
  CHECK(header_in(page_answer(plain, page("/")), "Content-Security-Policy").empty());
  CHECK(header_in(page_answer(below, page("/")), "Content-Security-Policy").find("https://a.example")
        != std::string::npos);
  CHECK(page_answer(below, page("/nodes", below.etag)).status == 304);
  CHECK(*page_answer(below, page("/nodes", plain.etag)).body == *below.text);
}

TEST_CASE("gzip is sent to whoever says that he takes it") {
  for (const char* yes : {"gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.8", "deflate, gzip;q=0.001"})
    CHECK(takes_gzip(yes));
  for (const char* no : {"", "identity", "br", "gzip;q=0", "deflate, gzip;q=0.000"})
    CHECK_FALSE(takes_gzip(no));
}

TEST_CASE("the page holds nothing that its content security policy would refuse") {
  for (const auto& one : assets()) {
    if (!one.content_type.starts_with("text/html"))
      continue;
    CAPTURE(one.path);
    const auto text = plain_text(one);
    for (const auto* word : {"style=", "<style", "onclick", "<script>", "http"}) // http: nothing from elsewhere
      CHECK(text.find(word) == std::string::npos);
  }
}

TEST_CASE("the page's scripts make no code or markup out of texts, and keep nothing but the language") {
  for (const auto& one : assets()) {
    if (!one.path.ends_with(".js") || one.compressed) // the app's sources are looked at by its own build
      continue;
    CAPTURE(one.path);
    for (const auto* word : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
                             "sessionStorage", "document.cookie", "indexedDB"})
      CHECK(one.text.find(word) == std::string_view::npos);
    for (auto at = one.text.find("localStorage"); at != std::string_view::npos;
         at = one.text.find("localStorage", at + 1))
      CHECK(one.text.substr(at, 60).find("\"keyportal.language\"") != std::string_view::npos);
  }
}
