// Commands run in the test's process, against a server that says what it was told to.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "actors/cli/cli.hpp"
#include "canned_server.hpp"
#include "tests/support/temporary_folder.hpp"

namespace keyportal::test {

inline constexpr const char* token = "0123456789abcdef-control-token";
inline constexpr const char* management_key = "a-management-key";

/// A data folder, a server that stands for the service or a CLIProxyAPI, and a console that keeps what is said.
struct bench {
  temporary_folder folder;
  canned_server server;
  std::istringstream in;
  std::ostringstream out, err;
  bool at_terminal = false;
  bool out_at_terminal = false;
  cli::hooks hooks;

  bench() {
    write("gateway.url", server.url() + "\n");
    write("control.token", std::string(token) + "\n");
    write("cpa.key", std::string(management_key) + "\n");
    server.answer("GET /api/v1/nodes", R"({"items":[{"node":"default"}]})");
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder.path() / name, std::ios::binary) << text;
  }
  std::string file(const std::string& name) const { return (folder.path() / name).string(); }

  int run(std::vector<std::string> words) {
    words.insert(words.begin(), {"keyportal", "--data-dir", folder.path().string()});
    std::vector<const char*> pointers;
    for (const auto& word : words)
      pointers.push_back(word.c_str());
    const auto asked = parse_command_line(static_cast<int>(pointers.size()), pointers.data());
    setting_sources sources;
    sources.overrides = asked.overrides;
    out.str({});
    err.str({});
    const int code =
      cli::run(asked, load_settings(sources), {in, out, err, at_terminal, at_terminal, out_at_terminal}, hooks);
    for (const auto& said : {out.str(), err.str()}) {
      CHECK(said.find(token) == std::string::npos);
      CHECK(said.find(management_key) == std::string::npos);
    }
    return code;
  }
  std::string last_head() const { return server.asked().empty() ? "" : server.asked().back().head; }
};

inline bool has(const std::ostringstream& stream, const std::string& text) {
  return stream.str().find(text) != std::string::npos;
}

} // namespace keyportal::test
