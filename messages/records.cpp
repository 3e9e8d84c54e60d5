#include "messages/records.hpp"

#include <cstring>
#include <limits>

#include <openssl/evp.h>

namespace keyportal {

namespace {

/// SHA-256 over length-prefixed fields, so that no two different field lists give the same bytes.
/// One per thread: fetching the algorithm costs more than hashing a record.
class field_hash {
public:
  field_hash() : md_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), ctx_(EVP_MD_CTX_new()) {}
  ~field_hash() {
    EVP_MD_CTX_free(ctx_);
    EVP_MD_free(md_);
  }
  field_hash(const field_hash&) = delete;
  field_hash& operator=(const field_hash&) = delete;

  void begin() { text_.clear(); }
  void text(std::string_view s) {
    number(static_cast<std::int64_t>(s.size()));
    text_.append(s);
  }
  void number(std::int64_t n) {
    char bytes[8];
    for (int i = 7; i >= 0; --i, n >>= 8)
      bytes[i] = static_cast<char>(n & 0xff);
    text_.append(bytes, sizeof bytes);
  }
  record_id end() {
    unsigned char out[EVP_MAX_MD_SIZE];
    EVP_DigestInit_ex2(ctx_, md_, nullptr);
    EVP_DigestUpdate(ctx_, text_.data(), text_.size());
    EVP_DigestFinal_ex(ctx_, out, nullptr);
    record_id id;
    std::memcpy(id.bytes.data(), out, id.bytes.size());
    return id;
  }

private:
  EVP_MD* md_;
  EVP_MD_CTX* ctx_;
  std::string text_;
};

} // namespace

std::string to_string(const record_id& id) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out;
  out.reserve(32);
  for (const auto b : id.bytes) {
    out.push_back(hex[b >> 4]);
    out.push_back(hex[b & 15]);
  }
  return out;
}

record_id make_record_id(std::string_view node, std::string_view client_key, std::string_view model, const detail& d) {
  thread_local field_hash hash;
  hash.begin();
  hash.text(node);
  hash.text(client_key);
  hash.text(model);
  hash.number(d.at.unix_ns);
  hash.text(d.source);
  hash.text(d.auth_index);
  hash.number(d.failed ? 1 : 0);
  hash.number(d.tokens.input);
  hash.number(d.tokens.output);
  hash.number(d.tokens.reasoning);
  hash.number(d.tokens.cached);
  hash.number(d.tokens.total);
  return hash.end();
}

// Wraps round as CPA's own sums do: absurd counts of a node must not be undefined behaviour here.
static void add_to(std::int64_t& sum, std::int64_t more) {
  sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) + static_cast<std::uint64_t>(more));
}

std::int64_t token_parts::total() const {
  std::int64_t sum = 0;
  for (const auto part : {uncached_input, cache_read, cache_write, output, reasoning, unclassified})
    if (__builtin_add_overflow(sum, part, &sum))
      sum = part < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  return sum;
}

void normalise(detail& d) {
  auto& t = d.tokens;
  if (t.total == 0)
    for (const auto part : {t.input, t.output, t.reasoning})
      add_to(t.total, part);
  if (t.total == 0)
    t.total = t.cached;
  if (d.latency_ms < 0)
    d.latency_ms = 0;
}

std::string_view trimmed(std::string_view name) {
  constexpr std::string_view blank = " \t\n\v\f\r";
  const auto first = name.find_first_not_of(blank);
  if (first == std::string_view::npos)
    return {};
  return name.substr(first, name.find_last_not_of(blank) - first + 1);
}

std::string_view normal_model(std::string_view model) {
  const auto name = trimmed(model);
  return name.empty() ? std::string_view{"unknown"} : name;
}

void totals::add(const totals& other) {
  add_to(requests, other.requests);
  add_to(ok, other.ok);
  add_to(failed, other.failed);
  add_to(tokens.input, other.tokens.input);
  add_to(tokens.output, other.tokens.output);
  add_to(tokens.reasoning, other.tokens.reasoning);
  add_to(tokens.cached, other.tokens.cached);
  add_to(tokens.total, other.tokens.total);
  add_to(parts.uncached_input, other.parts.uncached_input);
  add_to(parts.cache_read, other.parts.cache_read);
  add_to(parts.cache_write, other.parts.cache_write);
  add_to(parts.output, other.parts.output);
  add_to(parts.reasoning, other.parts.reasoning);
  add_to(parts.unclassified, other.parts.unclassified);
  add_to(latency_ms_sum, other.latency_ms_sum);
}

void totals::add(const token_counts& t, const token_parts& p, std::int64_t latency_ms, bool is_failed) {
  add({.requests = 1,
       .ok = is_failed ? 0 : 1,
       .failed = is_failed ? 1 : 0,
       .tokens = t,
       .parts = p,
       .latency_ms_sum = latency_ms});
}

} // namespace keyportal
