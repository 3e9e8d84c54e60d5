// Files and posts of other tools, and what they say over RESP: never more is made of them than is in them, and a document
// that is refused is not half taken.
#include <sstream>

#include <nlohmann/json.hpp>

#include "actors/cpa/usage_document.hpp"
#include "gateway/compat/http_head.hpp"
#include "gateway/compat/import_reader.hpp"
#include "gateway/compat/resp_command.hpp"
#include "messages/errors.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace keyportal;
using namespace keyportal::compat;

namespace {

std::size_t records_in(const std::vector<record_group>& groups) {
  std::size_t out = 0;
  for (const auto& one : groups)
    out += one.details.size();
  return out;
}

void try_import(std::string_view text) {
  std::istringstream in{std::string(text)};
  import_settings how;
  how.node = "cpa";
  how.piece_records = 3;
  std::size_t found = 0;
  std::vector<std::string> entries;
  const auto outcome = read_import(
    in, how,
    [&](std::vector<record_group> groups) {
      found += records_in(groups);
      return found < 1000;
    },
    entries);
  must(found <= text.size(), "no more records than bytes");
  if (outcome == import_outcome::done)
    must(nlohmann::json::accept(text), "what is taken is JSON");
}

void try_list(std::string_view text) {
  std::istringstream in{std::string(text)};
  // As the listener does: whoever is handed a record looks whether it is one.
  const auto outcome = read_record_list(in, [](std::string_view one) { return nlohmann::json::accept(one); });
  if (outcome == import_outcome::done)
    must(nlohmann::json::accept(text), "what is taken is JSON");
}

void try_export(std::string_view text) {
  const auto read = cpa::read_export("cpa", std::string(text));
  if (!read) {
    const auto code = code_of(read.error());
    must(code == errc::file_malformed || code == errc::file_version, "a file that is none is said to be");
    return;
  }
  must(records_in(*read) <= text.size(), "no more records than bytes");
}

void try_usage(std::string_view text) {
  cpa::usage_book book("cpa");
  std::string body(text);
  body.reserve(body.size() + 64);
  const auto read = book.read(body);
  if (!read) {
    must(code_of(read.error()) == errc::node_answer_malformed, "an answer that is none is said to be");
    return;
  }
  book.accept(*read, false);
  const auto again = book.read(body);
  must(again && records_in(again->fresh) == 0 && again->lists_broken == 0, "what was accepted is not new again");
}

void try_command(std::string_view text) {
  for (int commands = 0; !text.empty(); ++commands) {
    std::vector<std::string> words;
    std::size_t used = 0;
    if (read_command(text, words, used) != command_state::whole)
      break;
    must(used > 0 && used <= text.size() && words.size() <= 64, "a command is bounded");
    std::vector<std::string> same;
    std::size_t same_used = 0;
    must(read_command(text.substr(0, used), same, same_used) == command_state::whole && same == words
           && same_used == used,
         "a command ends where it ends");
    if (used > 1) {
      must(read_command(text.substr(0, used - 1), same, same_used) != command_state::whole, "and not before");
    }
    text.remove_prefix(used);
  }
  http_request request;
  request.query.emplace_back("key", text);
  request.headers.emplace_back("authorization", text);
  presented_key(request);
  judges_unknown_paths(text);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text{reinterpret_cast<const char*>(data), size};
  switch (choice(text, 5)) {
    case 0: try_import(text); break;
    case 1: try_list(text); break;
    case 2: try_export(text); break;
    case 3: try_usage(text); break;
    default: try_command(text); break;
  }
  return 0;
}
