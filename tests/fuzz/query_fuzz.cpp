// Addresses and what is asked in them: what is read says the same when it is written again, a browser is sent to pages of
// ours only, and a refusal is one of the list.
#include <algorithm>

#include "actors/identity/attempt_book.hpp"
#include "actors/identity/provider.hpp"
#include "actors/identity/text_codes.hpp"
#include "gateway/access_bodies.hpp"
#include "gateway/copies.hpp"
#include "gateway/live_clients.hpp"
#include "gateway/target.hpp"
#include "messages/errors.hpp"
#include "messages/exports_json.hpp"
#include "messages/usage_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace keyportal;
using namespace keyportal::gateway;

namespace {

template <class T>
void check(const caf::expected<T>& read) {
  if (read)
    return;
  must(code_of(read.error()) == errc::bad_request, "what is wrong with a question is said as such");
  must(about_of(read.error()).size() < 400, "a refusal is short");
}

/// As browsers do: without tabs and line ends, a backslash is a slash.
void check_return(std::string_view to) {
  std::string seen;
  for (const char c : to)
    if (c != '\t' && c != '\r' && c != '\n')
      seen += c == '\\' ? '/' : c;
  must(seen.starts_with('/') && !seen.starts_with("//"), "one comes back to a page of ours");
}

void check_questions(const http_request& request) {
  const auto& query = request.query;
  check(read_usage_question(query));
  check(read_record_question(query));
  for (const auto what : {export_what::records, export_what::rollups, export_what::users, export_what::audit})
    check(read_export_question(what, query));
  question asked;
  check(read_history_query(asked, request));
  const auto live = read_live_query(request);
  check(live);
  must(!live || live->topics.size() <= 16, "what is listened to is bounded");
  const auto back = identity::read_callback(query);
  if (back)
    must(!back->state.empty() && back->state.size() <= 256 && back->code.size() <= 4096, "a callback is bounded");
  for (const auto& [name, value] : query) {
    check_return(safe_return(value));
    if (identity::is_local_path(value))
      check_return(value);
  }
}

std::string written(const http_request& request) {
  std::string out;
  for (std::size_t from = 0; from <= request.path.size();) {
    const auto slash = std::min(request.path.find('/', from), request.path.size());
    auto segment = request.path.substr(from, slash - from);
    std::replace(segment.begin(), segment.end(), escaped_slash, '/');
    out += identity::percent_encoded(segment) + (slash < request.path.size() ? "/" : "");
    from = slash + 1;
  }
  auto separator = '?';
  for (const auto& [name, value] : request.query) {
    out += separator + identity::percent_encoded(name) + "=" + identity::percent_encoded(value);
    separator = '&';
  }
  return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view target{reinterpret_cast<const char*>(data), size};
  check_return(safe_return(target));
  http_request request;
  if (!read_target(target, request))
    return 0;
  must(request.path.starts_with('/') && request.query.size() <= 64, "an address is plain and bounded");
  http_request again;
  must(read_target(written(request), again) && again.path == request.path && again.query == request.query,
       "what was read says the same when it is written again");
  check_questions(request);
  return 0;
}
