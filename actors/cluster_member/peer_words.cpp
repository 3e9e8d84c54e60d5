#include "actors/cluster_member/peer_words.hpp"

#include <algorithm>

#include "messages/timestamp.hpp"
#include "storage/encoding.hpp"
#include "storage/values.hpp"

namespace keyportal {
namespace {

using namespace storage;
using texts = std::vector<std::pair<std::string, std::string>>;

void put(std::string& out, const texts& all) {
  put_varint(out, all.size());
  for (const auto& [name, value] : all) {
    put_text(out, name);
    put_text(out, value);
  }
}
bool take(std::string_view& in, texts& all) {
  std::uint64_t count = 0;
  if (!get_varint(in, count) || count > in.size())
    return false;
  all.resize(count);
  return std::all_of(all.begin(), all.end(),
                     [&](auto& one) { return get_text(in, one.first) && get_text(in, one.second); });
}

} // namespace

std::string encode(const forwarded& what) {
  std::string out;
  put_text(out, what.request.method);
  put_text(out, what.request.path);
  put(out, what.request.query);
  put(out, what.request.headers);
  put_text(out, what.request.body);
  put_text(out, what.request.peer);
  out.push_back(static_cast<char>((what.request.encrypted ? 1 : 0) | (what.by_control ? 2 : 0)));
  return out;
}

bool decode(std::string_view in, forwarded& out) {
  std::uint8_t flags = 0;
  auto& r = out.request;
  if (!get_text(in, r.method) || !get_text(in, r.path) || !take(in, r.query) || !take(in, r.headers)
      || !get_text(in, r.body) || !get_text(in, r.peer) || !get_fixed(in, flags) || flags > 3)
    return false;
  r.encrypted = (flags & 1) != 0;
  out.by_control = (flags & 2) != 0;
  return in.empty();
}

std::string encode(const http_response& what) {
  std::string out;
  put_varint(out, static_cast<std::uint64_t>(what.status));
  put_text(out, what.content_type);
  put(out, what.headers);
  put_text(out, what.body ? std::string_view(*what.body) : std::string_view{});
  return out;
}

bool decode(std::string_view in, http_response& out) {
  std::uint64_t status = 0;
  std::string body;
  if (!get_varint(in, status) || status < 100 || status > 599 || !get_text(in, out.content_type)
      || !take(in, out.headers) || !get_text(in, body))
    return false;
  out.status = static_cast<int>(status);
  out.body = std::make_shared<const std::string>(std::move(body));
  return in.empty();
}

std::string encode(const node_condition& what) {
  std::string out;
  for (const auto* text : {&what.node, &what.url, &what.version, &what.problem, &what.collecting})
    put_text(out, *text);
  put_fixed(out, static_cast<std::uint8_t>(what.state));
  for (const auto number : {unix_ns(what.since), unix_ns(what.last_poll), what.poll_ms,
                            static_cast<std::int64_t>(what.answer_bytes), what.counters.requests, what.counters.ok,
                            what.counters.failed, what.counters.tokens, static_cast<std::int64_t>(what.missing)})
    put_zigzag(out, number);
  return out;
}

bool decode(std::string_view in, node_condition& out) {
  for (auto* text : {&out.node, &out.url, &out.version, &out.problem, &out.collecting})
    if (!get_text(in, *text))
      return false;
  std::uint8_t state = 0;
  std::int64_t since = 0, poll = 0, bytes = 0, missing = 0;
  if (!get_fixed(in, state) || state > static_cast<std::uint8_t>(node_condition::light::refused))
    return false;
  for (auto* number : {&since, &poll, &out.poll_ms, &bytes, &out.counters.requests, &out.counters.ok,
                       &out.counters.failed, &out.counters.tokens, &missing})
    if (!get_zigzag(in, *number))
      return false;
  out.state = static_cast<node_condition::light>(state);
  out.since = moment_of(since);
  out.last_poll = moment_of(poll);
  out.answer_bytes = static_cast<std::uint64_t>(bytes);
  out.missing = static_cast<std::uint64_t>(missing);
  return in.empty();
}

} // namespace keyportal
