#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "gateway/gateway.hpp"
#include "messages/exports.hpp"
#include "tests/support/fixture.hpp"

using namespace keyportal;
using namespace keyportal::gateway;
using nlohmann::json;

namespace {

/// 100 bytes, ten in a piece; any byte may be asked for.
const std::string whole = [] {
  std::string out;
  for (int i = 0; i < 100; ++i)
    out += static_cast<char>('!' + i % 90);
  return out;
}();

struct exporter_state {
  exporter_state() = default;
  static inline const char* name = "fake exporter";
};
struct record_of_questions {
  std::vector<export_question> opened;
  std::vector<std::string> closed;
  std::size_t fails_at = 1'000;
};

caf::expected<export_piece> piece_at(const read_export& which, const record_of_questions& told) {
  if (which.id != "0123")
    return make_error(errc::export_gone);
  if (which.offset >= told.fails_at)
    return make_error(errc::storage_failed);
  if (which.offset > whole.size())
    return make_error(errc::bad_request, "beyond");
  const auto at = static_cast<std::size_t>(which.offset);
  const auto size = std::min<std::size_t>(10 - at % 10, whole.size() - at);
  return export_piece{std::make_shared<const std::string>(whole, at, size), which.offset, at + size == whole.size(),
                      "text/csv", "all.csv"};
}

exporter_actor::behavior_type fake_exporter(exporter_actor::stateful_pointer<exporter_state>,
                                            std::shared_ptr<record_of_questions> told) {
  return {
    [told](const open_export& asked) {
      told->opened.push_back(asked.what);
      return opened_export{"0123", 7, "text/csv", "all.csv"};
    },
    [told](const read_export& which) -> caf::result<export_piece> {
      auto piece = piece_at(which, *told);
      if (!piece)
        return std::move(piece.error());
      return std::move(*piece);
    },
    [told](const pull_export& wanted) { wanted.give(piece_at(wanted.which, *told)); },
    [told](const close_export& which) { told->closed.push_back(which.id); },
  };
}

struct desk_scene : test::fixture {
  desk_scene() {
    handles.exporter = spawn(fake_exporter, told);
    hooks.control_token = secret{"token"};
    it = spawn(gateway::gateway, handles, hooks);
  }

  struct heard {
    http_response head;
    std::string body;
    bool broken = false;
    [[nodiscard]] std::string header(std::string_view name) const {
      for (const auto& [key, value] : head.headers)
        if (key == name)
          return value;
      return {};
    }
  };
  heard ask(std::string method, std::string path, std::string body = {}, std::string range = {},
            std::string if_range = {}) {
    auto exchange = std::make_shared<http_exchange>();
    exchange->request.method = std::move(method);
    const auto mark = path.find('?');
    exchange->request.path = path.substr(0, mark);
    if (mark != std::string::npos)
      exchange->request.query.emplace_back(path.substr(mark + 1, path.find('=') - mark - 1),
                                           path.substr(path.find('=') + 1));
    exchange->request.body = std::move(body);
    exchange->request.headers.emplace_back("authorization", "Bearer token");
    if (!range.empty())
      exchange->request.headers.emplace_back("range", range);
    if (!if_range.empty())
      exchange->request.headers.emplace_back("if-range", if_range);
    auto out = std::make_shared<heard>();
    exchange->reply = [out](http_response response) { out->head = std::move(response); };
    caf::anon_send(it, std::move(exchange));
    settle();
    if (out->head.body)
      out->body = *out->head.body;
    // As the server does it: one piece after the other.
    for (bool more = static_cast<bool>(out->head.pieces); more;) {
      more = false;
      out->head.pieces([&](const body_piece& piece) {
        out->broken = !piece.text;
        if (piece.text)
          out->body += *piece.text;
        more = piece.text && !piece.last;
      });
      settle();
    }
    return *out;
  }

  std::shared_ptr<record_of_questions> told = std::make_shared<record_of_questions>();
  gateway_handles handles;
  gateway_hooks hooks;
  gateway_actor it;
};

} // namespace

TEST_CASE_METHOD(desk_scene, "an export is begun with a body and read under the path that is told") {
  const auto begun = ask(
    "POST", "/api/v1/exports",
    R"({"what":"rollups","format":"jsonl","from":"30d","where":{"model":["a","b"]},"by":["key","day"],"bom":false})");
  CHECK(begun.head.status == 400); // there is no dimension of that name
  const auto good = ask(
    "POST", "/api/v1/exports",
    R"({"what":"rollups","format":"jsonl","from":"30d","zone":"Asia/Shanghai","step":"hour","week":"sunday","where":{"model":["a","b"]},"by":["key","model"]})");
  REQUIRE(good.head.status == 201);
  CHECK(json::parse(good.body)["path"] == "/api/v1/exports/0123");
  CHECK(good.header("Location") == "/api/v1/exports/0123");
  REQUIRE(told->opened.size() == 1);
  const auto& asked = told->opened[0];
  CHECK(asked.what == export_what::rollups);
  CHECK(asked.format == export_format::jsonl);
  CHECK(asked.step == usage_step::hour);
  CHECK(asked.weeks_begin_on_sunday);
  CHECK(asked.by == std::vector<usage_by>{usage_by::key, usage_by::model});
  CHECK(asked.where.at(usage_by::model) == std::vector<std::string>{"a", "b"});
  const auto read = ask("GET", "/api/v1/exports/0123");
  CHECK(read.head.status == 200);
  CHECK(read.body == whole);
  CHECK(read.header("Accept-Ranges") == "bytes");
  CHECK(read.header("ETag") == "\"0123\"");
  CHECK(read.header("Content-Disposition") == "attachment; filename=\"all.csv\"");
  CHECK(ask("DELETE", "/api/v1/exports/0123").head.status == 204);
  CHECK(told->closed == std::vector<std::string>{"0123"});
}

TEST_CASE_METHOD(desk_scene, "any part of an export can be asked for") {
  for (std::size_t first = 0; first < whole.size(); ++first) {
    const auto rest = ask("GET", "/api/v1/exports/0123", {}, "bytes=" + std::to_string(first) + "-");
    REQUIRE(rest.head.status == 206);
    REQUIRE(rest.body == whole.substr(first));
    REQUIRE(rest.header("Content-Range") == "bytes " + std::to_string(first) + "-9007199254740991/*");
    const auto some = ask("GET", "/api/v1/exports/0123", {},
                          "bytes=" + std::to_string(first) + "-" + std::to_string(first + first % 37));
    REQUIRE(some.body == whole.substr(first, first % 37 + 1));
  }
  CHECK(ask("GET", "/api/v1/exports/0123", {}, "bytes=100-").head.status == 416);
  CHECK(ask("GET", "/api/v1/exports/0123", {}, "bytes=101-").head.status == 416);
  CHECK(ask("GET", "/api/v1/exports/0123", {}, "bytes=-5").body == whole); // ranges that are not taken are ignored
  CHECK(ask("GET", "/api/v1/exports/0123", {}, "bytes=1-2,4-5").body == whole);
  CHECK(ask("GET", "/api/v1/exports/0123", {}, "bytes=9-3").body == whole);
  CHECK(ask("GET", "/api/v1/exports/0123", {}, "bytes=50-", "\"0123\"").body == whole.substr(50));
  CHECK(ask("GET", "/api/v1/exports/0123", {}, "bytes=50-", "\"other\"").body == whole);
}

TEST_CASE_METHOD(desk_scene, "an export may be begun and read at once") {
  const auto read = ask("GET", "/api/v1/exports/users?format=jsonl", {}, "bytes=5-");
  CHECK(read.head.status == 200);
  CHECK(read.body == whole); // what is new has no part that is there already
  CHECK(read.header("Content-Location") == "/api/v1/exports/0123");
  REQUIRE(told->opened.size() == 1);
  CHECK(told->opened[0].what == export_what::users);
  CHECK(told->opened[0].format == export_format::jsonl);
  CHECK(ask("GET", "/api/v1/exports/users?format=xls").head.status == 400);
  CHECK(ask("GET", "/api/v1/exports/users?step=hour").head.status == 400);
  CHECK(told->opened.size() == 1);
}

TEST_CASE_METHOD(desk_scene, "an export that is gone says so, one that fails in the middle breaks off") {
  const auto gone = ask("GET", "/api/v1/exports/4567", {}, "bytes=10-");
  CHECK(gone.head.status == 410);
  CHECK(json::parse(gone.body)["code"] == "export_gone");
  told->fails_at = 40;
  const auto broken = ask("GET", "/api/v1/exports/0123");
  CHECK(broken.body == whole.substr(0, 40));
  CHECK(broken.broken);
  told->fails_at = 0;
  CHECK(ask("GET", "/api/v1/exports/0123").head.status == 503);
}
