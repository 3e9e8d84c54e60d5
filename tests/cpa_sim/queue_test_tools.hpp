// What the tests of the queue have in common.
#pragma once

#include "json.hpp"
#include "server.hpp"
#include "test_client.hpp"

namespace keyportal::cpa_sim::test {

/// Of a stand-in of that version, with one client key and no accounts.
inline options of(const std::string& version) {
  options o;
  o.version = version;
  o.secret = "s";
  o.keys = {"sk-alice"};
  o.accounts.clear();
  return o;
}

/// One call of a client; the prompt steers the upstream, see upstream.hpp.
inline void chat(const server& s, const std::string& prompt, const headers& more = {{"X-Api-Key", "sk-alice"}}) {
  call(s.port(), "POST", "/v1/chat/completions", more,
       R"({"model":"team-model","messages":[{"role":"user","content":")" + prompt + "\"}]}");
}

/// What a pop over HTTP answers.
inline std::string pop(const server& s, const std::string& query = "?count=1000") {
  return manage(s.port(), "GET", "usage-queue" + query).body;
}

/// How many objects a JSON array of records holds.
inline std::size_t records_in(const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find("{\"timestamp\":", at)) != std::string::npos; ++at)
    ++count;
  return count;
}

/// The names of an object's members in their order.
inline std::string names_in(const std::string& object) {
  std::string names;
  json_reader in(object);
  in.object([&](std::string_view name) {
    names += (names.empty() ? "" : " ") + std::string(name);
    in.skip();
  });
  return in.finish() ? names : "no JSON";
}

} // namespace keyportal::cpa_sim::test
