#include <fstream>
#include <set>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "gateway/routes.hpp"

using namespace keyportal::gateway;

namespace {

/// "GET /path" of every operation in openapi.yaml, which keeps paths at two spaces and methods at four.
std::set<std::string> described() {
  std::ifstream file(KEYPORTAL_SOURCE_DIR "/gateway/openapi.yaml");
  REQUIRE(file);
  std::set<std::string> out;
  std::string line, path;
  bool in_paths = false;
  while (std::getline(file, line)) {
    if (!line.empty() && line[0] != ' ' && line[0] != '#')
      in_paths = line == "paths:";
    if (!in_paths)
      continue;
    if (line.starts_with("  /"))
      path = line.substr(2, line.rfind(':') - 2);
    else if (line == "    get:")
      out.insert("GET " + path);
    else if (line == "    post:")
      out.insert("POST " + path);
  }
  return out;
}

} // namespace

TEST_CASE("openapi.yaml describes every route and no other") {
  std::set<std::string> table;
  for (const auto& row : routes())
    if (row.about != topic::asset)
      table.insert(std::string(row.method) + " " + std::string(row.pattern));
  CHECK(described() == table);
}
