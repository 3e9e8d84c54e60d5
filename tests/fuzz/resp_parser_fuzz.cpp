// Any cut of the same bytes gives the same replies and the same end.
#include <algorithm>

#include "actors/cpa/resp_parser.hpp"
#include "messages/errors.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace keyportal;
using namespace keyportal::cpa;

namespace {

constexpr resp_limits limits{.max_depth = 3, .max_elements = 50, .max_bulk_bytes = 3000, .max_reply_bytes = 9000};

void tell(resp_parser& parser, std::string& into) {
  for (;;) {
    const auto step = parser.next();
    if (step == resp_parser::step::incomplete)
      return;
    if (step == resp_parser::step::refused) {
      const auto& row = row_of(code_of(parser.problem()));
      must(row.code == errc::node_answer_malformed || row.code == errc::node_answer_too_large, "a known refusal");
      if (!into.ends_with('!'))
        into += about_of(parser.problem()) + "!";
      return;
    }
    must(!parser.reply().empty() && parser.reply().size() <= limits.max_elements + 1, "a bounded reply");
    for (const auto& v : parser.reply()) {
      into += static_cast<char>('a' + static_cast<int>(v.kind));
      into += std::to_string(v.number) + ",";
      into += v.text;
      into += ';';
    }
    into += '|';
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  // The first byte says how to cut the rest.
  const std::string_view bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
  resp_parser whole{limits};
  std::string at_once, in_pieces;
  whole.feed(bytes);
  tell(whole, at_once);

  resp_parser pieces{limits};
  std::uint32_t state = data[0];
  for (std::size_t at = 0; at < bytes.size();) {
    state = state * 1664525 + 1013904223;
    const auto piece = std::min<std::size_t>(bytes.size() - at, 1 + (state >> 16) % (1U + (data[0] & 127U)));
    pieces.feed(bytes.substr(at, piece));
    tell(pieces, in_pieces);
    at += piece;
  }
  must(at_once == in_pieces, "cuts change nothing");
  must(whole.unfinished().size() == pieces.unfinished().size(), "cuts change nothing of what is unfinished");
  must(std::equal(whole.unfinished().begin(), whole.unfinished().end(), pieces.unfinished().begin()),
       "the same values");
  return 0;
}
