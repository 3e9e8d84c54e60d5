#include "actors/cpa/queue_record.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <new>
#include <optional>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "actors/cpa/plain_json.hpp"
#include "actors/cpa/error_line.hpp"
#include "actors/cpa/record_extra.hpp"
#include "messages/errors.hpp"
#include "messages/token_rules.hpp"

namespace keyportal::cpa {

namespace {

using type = spelt_member::type;

constexpr std::size_t longest_text = 8192; // of what the ledger counts by: a key, a model, a source
constexpr std::size_t longest_body = 4096;
constexpr std::size_t longest_fact = 1024;

/// Thrown inside this file only and caught at its entrances.
struct malformed {
  std::string why;
};

/// SHA-256, made once for each thread: fetching the algorithm costs more than hashing a record.
class hasher {
public:
  hasher() : sha256_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {}
  ~hasher() {
    EVP_MD_free(sha256_);
    EVP_MD_CTX_free(context_);
  }
  hasher(const hasher&) = delete;
  hasher& operator=(const hasher&) = delete;

  std::array<std::uint8_t, 8> first_eight(std::string_view text) {
    unsigned char all[EVP_MAX_MD_SIZE];
    EVP_DigestInit_ex2(context_, sha256_, nullptr);
    EVP_DigestUpdate(context_, text.data(), text.size());
    EVP_DigestFinal_ex(context_, all, nullptr);
    std::array<std::uint8_t, 8> first;
    std::memcpy(first.data(), all, first.size());
    return first;
  }

private:
  EVP_MD* sha256_;
  EVP_MD_CTX* context_;
};

/// The member of that name, when it is there and not null.
const spelt_member* present(const spelt& object, member_name name) {
  const auto* m = object.find(name);
  return m != nullptr && m->kind != type::null ? m : nullptr;
}

std::string_view text_in(const spelt& object, member_name name, std::size_t most = longest_text) {
  const auto* m = present(object, name);
  if (m == nullptr)
    return {};
  if (m->kind != type::string)
    throw malformed{fmt::format("{} is not a string", name.text)};
  if (m->string.size() > most)
    throw malformed{fmt::format("{} is longer than {} bytes", name.text, most)};
  return m->string;
}

std::optional<std::int64_t> read_integer(std::string_view text) {
  std::int64_t n = 0;
  const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), n);
  return problem == std::errc{} && rest == text.data() + text.size() ? std::optional{n} : std::nullopt;
}

std::int64_t integer_in(const spelt& object, member_name name, const char* where = "") {
  const auto* m = present(object, name);
  if (m == nullptr)
    return 0;
  const auto n = m->kind == type::integer ? read_integer(object.value(*m)) : std::nullopt;
  if (!n)
    throw malformed{fmt::format("{}{} is not an integer of 64 bits", where, name.text)};
  return *n;
}

/// 0 for everything that is no integer.
std::int64_t any_integer_in(const spelt& object, member_name name) {
  const auto* m = present(object, name);
  return m == nullptr ? 0 : read_integer(object.value(*m)).value_or(0);
}

bool boolean_in(const spelt& object, member_name name) {
  const auto* m = present(object, name);
  if (m != nullptr && m->kind != type::boolean)
    throw malformed{fmt::format("{} is not a boolean", name.text)};
  return m != nullptr && object.value(*m) == "true";
}

stamped_time time_in(const spelt& record) {
  if (present(record, "timestamp") == nullptr)
    throw malformed{"timestamp is missing"};
  const auto at = parse_rfc3339(text_in(record, "timestamp"));
  if (!at)
    throw malformed{"timestamp is not an RFC 3339 time of the years 1678 to 2261"};
  return *at;
}

spelt object_in(const spelt& object, member_name name) {
  const auto* m = object.find(name);
  return m == nullptr ? spelt{{}, object.members, 0, 0} : object.inner(*m);
}

std::optional<token_breakdown> breakdown_in(const spelt& record) {
  const auto all = object_in(record, "token_breakdown");
  // Another schema may mean other things by the same names: then the rules decide.
  if (any_integer_in(all, "schema_version") != 2)
    return std::nullopt;
  const auto input = object_in(all, "input"), output = object_in(all, "output");
  const auto* quality = all.find("quality");
  if (quality == nullptr || input.first == input.last || output.first == output.last)
    return std::nullopt;
  token_breakdown out;
  if (quality->string == "complete")
    out.how = token_breakdown::quality::complete;
  else if (quality->string == "inconsistent")
    out.how = token_breakdown::quality::inconsistent;
  else if (quality->string != "unclassified")
    return std::nullopt;
  out.parts.uncached_input = any_integer_in(input, "uncached_tokens");
  out.parts.cache_read = any_integer_in(input, "cache_read_tokens");
  out.parts.cache_write = any_integer_in(input, "cache_write_tokens");
  out.parts.output = any_integer_in(output, "non_reasoning_tokens");
  out.parts.reasoning = any_integer_in(output, "reasoning_tokens");
  out.parts.unclassified = any_integer_in(all, "unclassified_tokens");
  return out;
}

token_evidence tokens_in(const spelt& record) {
  const auto* m = present(record, "tokens");
  if (m == nullptr)
    throw malformed{"tokens is missing"};
  if (m->kind != type::object)
    throw malformed{"tokens is not an object"};
  const auto tokens = record.inner(*m);
  token_evidence out;
  out.raw.input = integer_in(tokens, "input_tokens", "tokens.");
  out.raw.output = integer_in(tokens, "output_tokens", "tokens.");
  out.raw.reasoning = integer_in(tokens, "reasoning_tokens", "tokens.");
  out.raw.cached = integer_in(tokens, "cached_tokens", "tokens.");
  out.raw.total = integer_in(tokens, "total_tokens", "tokens.");
  out.cache_read = integer_in(tokens, "cache_read_tokens", "tokens.");
  out.cache_creation = integer_in(tokens, "cache_creation_tokens", "tokens.");
  out.breakdown = breakdown_in(record);
  return out;
}

/// What is only looked up by people: nothing depends on it, so anything else in its place is as good as nothing.
std::string_view text_if_any(const spelt& record, member_name name, std::size_t most = longest_fact) {
  const auto* m = present(record, name);
  return m != nullptr && m->kind == type::string ? first_bytes(m->string, most) : std::string_view{};
}

/// Whom CPA counts a record under: as the keys of `/usage`, so that both ways lead to one id.
std::string_view client_in(const spelt& record) {
  for (const auto name : {member_name{"api_key"}, member_name{"endpoint"}, member_name{"provider"}})
    if (const auto text = trimmed(text_in(record, name)); !text.empty())
      return text;
  return "unknown";
}

queue_item decode(const spelt& record, const decode_rule& rule) {
  if (present(record, "timestamp") == nullptr) {
    if (present(record, "support_refresh") != nullptr)
      return queue_control::support_refresh;
    if (present(record, "refresh") != nullptr)
      return queue_control::refresh;
  }
  queue_record out;
  auto& d = out.what;
  d.at = time_in(record);
  auto evidence = tokens_in(record);
  if (present(record, "model") == nullptr)
    throw malformed{"model is missing"};
  const auto client = client_in(record);
  const auto model = normal_model(text_in(record, "model"));
  evidence.provider = text_in(record, "provider");
  evidence.model = model;
  d.latency_ms = integer_in(record, "latency_ms");
  d.source = text_in(record, "source");
  d.auth_index = text_in(record, "auth_index");
  d.failed = boolean_in(record, "failed");
  d.tokens = evidence.raw;
  d.parts = normalise_tokens(evidence);
  normalise(d);
  d.id = make_record_id(rule.node, client, model, d);
  if (rule.how == decode_rule::identity::as_queue_record) {
    thread_local hasher hash;
    const auto second_half = hash.first_eight(record.text);
    std::copy(second_half.begin(), second_half.end(), d.id.bytes.begin() + 8);
  }
  out.client_key = secret{std::string{client}};
  out.model = model;
  auto facts = std::make_shared<attempt_facts>();
  facts->provider = evidence.provider;
  facts->alias = text_if_any(record, "alias");
  facts->endpoint = text_if_any(record, "endpoint");
  facts->ttft_ms = any_integer_in(record, "ttft_ms");
  facts->status_code = static_cast<std::int32_t>(
    std::clamp<std::int64_t>(any_integer_in(object_in(record, "fail"), "status_code"), 0, 999));
  facts->extra = extra_of(record);
  if (d.failed)
    facts->error = error_line(text_if_any(object_in(record, "fail"), "body", longest_body));
  facts->service_tier = text_if_any(record, "service_tier");
  d.facts = std::move(facts);
  return out;
}

account_error decode_error(const spelt& record) {
  account_error out;
  out.at = time_in(record);
  out.provider = text_in(record, "provider");
  out.model = text_in(record, "model");
  out.auth_id = text_in(record, "auth_id");
  out.auth_index = text_in(record, "auth_index");
  out.status_code = integer_in(record, "status_code");
  out.code = text_in(record, "code");
  out.retryable = boolean_in(record, "retryable");
  out.body = first_bytes(text_in(record, "body", std::string_view::npos), longest_body);
  return out;
}

/// Spells `json` and runs `decode_with` on it; every way in which it can be wrong becomes one error.
template <class Result, class Decode>
caf::expected<Result> guarded(std::string_view json, const node_name& node, Decode&& decode_with) {
  thread_local speller spell;
  try {
    spelt record;
    auto why = spell.spell(json, record);
    if (why.empty())
      return decode_with(record);
    return make_error(errc::record_malformed, fmt::format("{}: {}", node, why));
  } catch (const malformed& m) {
    return make_error(errc::record_malformed, fmt::format("{}: {}", node, m.why));
  } catch (const std::bad_alloc&) {
    return make_error(errc::node_answer_too_large, node);
  }
}

} // namespace

caf::expected<queue_item> decode_queue_record(std::string_view json, const decode_rule& rule) {
  return guarded<queue_item>(json, rule.node, [&](const spelt& record) { return decode(record, rule); });
}

caf::expected<account_error> decode_account_error(std::string_view json, const node_name& node) {
  return guarded<account_error>(json, node, [](const spelt& record) { return decode_error(record); });
}

} // namespace keyportal::cpa
