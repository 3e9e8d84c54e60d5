#include "actors/cpa/record_extra.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "actors/cpa/plain_json.hpp"

namespace keyportal::cpa {

namespace {

constexpr std::size_t longest_text = 1024;
constexpr std::size_t longest_body = 4096;
constexpr std::size_t most_known_bytes = 8192; // numbers and small objects that we know
constexpr std::size_t most_headers_bytes = 8192;
constexpr std::size_t most_unknown_bytes = 16384;

enum class keeping : std::uint8_t { core, text, value, tokens, fail, headers, unknown };

struct known_field {
  member_name name;
  keeping how;
};

constexpr known_field known_fields[] = {
  // in order
  {"access_token_sha256", keeping::text},
  {"accounting_version", keeping::value},
  {"alias", keeping::text},
  {"api_key", keeping::core},
  {"auth_index", keeping::core},
  {"auth_type", keeping::text},
  {"client_ip", keeping::text},
  {"endpoint", keeping::text},
  {"executor_type", keeping::text},
  {"fail", keeping::fail},
  {"failed", keeping::core},
  {"generate", keeping::value},
  {"latency_ms", keeping::core},
  {"model", keeping::core},
  {"provider", keeping::text},
  {"reasoning_effort", keeping::text},
  {"request_id", keeping::text},
  {"request_service_tier", keeping::text},
  {"response_headers", keeping::headers},
  {"response_service_tier", keeping::text},
  {"service_tier", keeping::text},
  {"source", keeping::core},
  {"timestamp", keeping::core},
  {"token_breakdown", keeping::value},
  {"tokens", keeping::tokens},
  {"ttft_ms", keeping::value},
  {"user_agent", keeping::text},
  {"x_forwarded_for", keeping::text},
};
static_assert(std::is_sorted(std::begin(known_fields), std::end(known_fields),
                             [](const known_field& a, const known_field& b) { return a.name.text < b.name.text; }));

constexpr std::string_view core_counts[] = {"input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens",
                                            "total_tokens"};

bool is_kept_header(std::string_view name) {
  return std::any_of(std::begin(kept_headers), std::end(kept_headers),
                     [name](std::string_view pattern) { return fits(name, pattern); });
}

class writer {
public:
  explicit writer(const spelt& record) : record_(record) {}

  std::string write() && {
    const known_field* known = std::begin(known_fields);
    const auto* const end = std::end(known_fields);
    out_.reserve(record_.text.size());
    out_ += '{';
    for (const auto& m : record_) {
      while (known != end && known->name.head < m.head) // both are in order
        ++known;
      const auto* at = known;
      while (at != end && at->name.head == m.head && !at->name.names(m))
        ++at;
      const bool is_known = at != end && at->name.names(m);
      one(record_, m, is_known ? at->how : keeping::unknown);
    }
    if (dropped_ > 0) {
      comma();
      fmt::format_to(std::back_inserter(out_), R"("keyportal_dropped":{})", dropped_);
    }
    out_ += '}';
    return std::move(out_);
  }

private:
  using member = spelt_member;
  using type = spelt_member::type;

  void one(const spelt& in, const member& m, keeping how) {
    switch (how) {
      case keeping::core: return;
      case keeping::text:
        if (m.kind == type::string)
          return text(in, m, longest_text);
        break;
      case keeping::tokens:
        return within(m, known_room_, [](std::string_view name) {
          return std::find(std::begin(core_counts), std::end(core_counts), name) == std::end(core_counts);
        });
      case keeping::headers: return within(m, header_room_, [](std::string_view name) { return is_kept_header(name); });
      case keeping::fail: return within(m, known_room_, [](std::string_view) { return true; });
      case keeping::value: return as_is(in, m, known_room_);
      case keeping::unknown: break;
    }
    as_is(in, m, unknown_room_);
  }

  void as_is(const spelt& in, const member& m, std::size_t& room) {
    const auto spelling = in.whole(m);
    if (spelling.size() > room) {
      ++dropped_;
      return;
    }
    room -= spelling.size();
    comma();
    out_ += spelling;
  }

  void text(const spelt& in, const member& m, std::size_t most) {
    comma();
    if (m.string.size() <= most) {
      out_ += in.whole(m);
      return;
    }
    append_plain_text(out_, m.name);
    out_ += ':';
    append_plain_text(out_, first_bytes(m.string, most));
  }

  /// Those members of an object that are wanted.
  template <class Wanted>
  void within(const member& m, std::size_t& room, Wanted&& wanted) {
    if (m.kind != type::object)
      return as_is(record_, m, unknown_room_);
    const auto object = record_.inner(m);
    const auto before = out_.size();
    comma();
    append_plain_text(out_, m.name);
    out_ += ":{";
    const auto begin = out_.size();
    for (const auto& inside : object) {
      if (!wanted(inside.name))
        continue;
      if (inside.name != "body" || inside.kind != type::string) {
        as_is(object, inside, room);
        continue;
      }
      text(object, inside, longest_body);
      if (inside.string.size() > longest_body)
        fmt::format_to(std::back_inserter(out_), R"(,"body_bytes":{})", inside.string.size());
    }
    if (out_.size() == begin)
      out_.resize(before);
    else
      out_ += '}';
  }

  void comma() {
    if (out_.back() != '{')
      out_ += ',';
  }

  const spelt& record_;
  std::string out_;
  std::uint64_t dropped_ = 0;
  std::size_t known_room_ = most_known_bytes;
  std::size_t header_room_ = most_headers_bytes;
  std::size_t unknown_room_ = most_unknown_bytes;
};

} // namespace

std::string extra_of(const spelt& record) { return writer{record}.write(); }

} // namespace keyportal::cpa
