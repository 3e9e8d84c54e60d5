#include "actors/cpa/queue_record.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <tuple>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <simdjson.h>

#include "actors/cpa/plain_json.hpp"
#include "actors/cpa/record_extra.hpp"
#include "actors/cpa/token_rules.hpp"
#include "messages/errors.hpp"

namespace keyportal::cpa {

namespace {

namespace dom = simdjson::dom;

constexpr std::size_t largest_record = 16U << 20;
constexpr std::size_t deepest = 32;
constexpr std::size_t longest_core_text = 8192; // a key, a model, a source
constexpr std::size_t longest_body = 4096;
constexpr std::size_t longest_fact = 1024;
constexpr std::size_t kept_room = 1U << 20; // scratch made larger than this by one huge record is given back

/// Thrown inside this file only and caught at its entrances.
struct malformed {
  std::string why;
};

/// A member of an object. Comparing the first eight bytes as a number decides nearly always.
struct field {
  std::uint64_t head;
  std::string_view name;
  dom::element value;

  field(std::string_view n, dom::element v) : head(0), name(n), value(v) {
    for (std::size_t i = 0; i < 8; ++i)
      head = head << 8 | (i < n.size() ? static_cast<unsigned char>(n[i]) : 0);
  }
  bool operator<(const field& other) const { return head != other.head ? head < other.head : name < other.name; }
};

/// Members of an object in the order of their names; of several with one name the last, as everybody reads them.
void append_sorted(std::vector<field>& out, dom::object object) {
  const auto first = out.size();
  for (const auto member : object)
    out.emplace_back(member.key, member.value);
  const auto begin = out.begin() + static_cast<std::ptrdiff_t>(first);
  if (!std::is_sorted(begin, out.end()))
    std::stable_sort(begin, out.end());
  const auto kept = std::unique(out.rbegin(), out.rend() - static_cast<std::ptrdiff_t>(first),
                                [](const field& a, const field& b) { return a.name == b.name; });
  out.erase(begin, kept.base());
}

const dom::element* find(const std::vector<field>& fields, std::string_view name) {
  const field wanted{name, {}};
  const auto at = std::lower_bound(fields.begin(), fields.end(), wanted);
  return at != fields.end() && at->name == name && !at->value.is_null() ? &at->value : nullptr;
}

/// Everything that decoding needs room for; one per thread.
struct workshop {
  dom::parser parser;
  std::vector<field> fields;  ///< of the record
  std::vector<field> members; ///< of objects within it, as a stack
  spelt_record spelt;
  EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* hash = EVP_MD_CTX_new();

  workshop() = default;
  workshop(const workshop&) = delete;
  workshop& operator=(const workshop&) = delete;
  ~workshop() {
    EVP_MD_free(sha256);
    EVP_MD_CTX_free(hash);
  }

  void open(std::string_view json) {
    if (json.size() > largest_record)
      throw malformed{"it is longer than 16 MB"};
    fields.clear();
    members.clear();
    dom::object root;
    dom::element document;
    if (const auto error = parser.parse(json.data(), json.size()).get(document))
      throw malformed{fmt::format("it is no JSON: {}", simdjson::error_message(error))};
    if (document.get_object().get(root) != simdjson::SUCCESS)
      throw malformed{"it is no JSON object"};
    append_sorted(fields, root);
  }

  /// Writes a value without blanks and with the members of objects in the order of their names.
  void append_value(std::string& out, dom::element value, std::size_t depth) {
    if (depth == 0)
      throw malformed{"it is nested too deeply"};
    const char* comma = "";
    switch (value.type()) {
      case dom::element_type::STRING: append_plain_text(out, value.get_string().value_unsafe()); break;
      case dom::element_type::INT64: append_plain_number(out, value.get_int64().value_unsafe()); break;
      case dom::element_type::UINT64: append_plain_number(out, value.get_uint64().value_unsafe()); break;
      case dom::element_type::DOUBLE: append_plain_number(out, value.get_double().value_unsafe()); break;
      case dom::element_type::BOOL: out += value.get_bool().value_unsafe() ? "true" : "false"; break;
      case dom::element_type::NULL_VALUE: out += "null"; break;
      case dom::element_type::ARRAY: {
        dom::array list;
        std::ignore = value.get_array().get(list);
        out += '[';
        for (const auto element : list) {
          out += comma;
          append_value(out, element, depth - 1);
          comma = ",";
        }
        out += ']';
        break;
      }
      case dom::element_type::OBJECT:
        out += '{';
        each_member(value.get_object().value_unsafe(), [&](const field& member) {
          out += comma;
          append_member(out, member, depth - 1);
          comma = ",";
        });
        out += '}';
        break;
    }
  }

  void append_member(std::string& out, const field& member, std::size_t depth) {
    append_plain_text(out, member.name);
    out += ':';
    append_value(out, member.value, depth);
  }

  /// Calls `each` with the members of an object in order. It may do the same with objects within.
  template <class Each>
  void each_member(dom::object object, Each&& each) {
    const auto first = members.size();
    append_sorted(members, object);
    for (auto i = first; i < members.size(); ++i)
      each(field{members[i]}); // a copy: objects within use the same stack
    members.resize(first, field{{}, {}});
  }

  /// The record in one spelling.
  void spell() {
    auto& text = spelt.text;
    text.assign(1, '{');
    spelt.members.clear();
    spelt.inner.clear();
    for (const auto& f : fields) {
      if (text.size() > 1)
        text += ',';
      auto m = begun(f);
      if (m.is_object) {
        append_plain_text(text, f.name);
        const char* before = ":{";
        m.first_inner = spelt.inner.size();
        each_member(f.value.get_object().value_unsafe(), [&](const field& inside) {
          text += before;
          before = ",";
          auto within = begun(inside);
          append_member(text, inside, deepest);
          within.end = text.size();
          spelt.inner.push_back(within);
        });
        m.last_inner = spelt.inner.size();
        text += m.first_inner == m.last_inner ? ":{}" : "}";
      } else {
        append_member(text, f, deepest);
      }
      m.end = text.size();
      spelt.members.push_back(m);
    }
    text += '}';
  }

  [[nodiscard]] spelt_record::member begun(const field& f) const {
    spelt_record::member m;
    m.name = f.name;
    m.begin = spelt.text.size();
    m.is_string = f.value.get_string().get(m.string) == simdjson::SUCCESS;
    m.is_object = f.value.is_object();
    return m;
  }

  /// The first eight bytes of the spelling's hash.
  std::array<std::uint8_t, 8> digest() {
    unsigned char out[EVP_MAX_MD_SIZE];
    EVP_DigestInit_ex2(hash, sha256, nullptr);
    EVP_DigestUpdate(hash, spelt.text.data(), spelt.text.size());
    EVP_DigestFinal_ex(hash, out, nullptr);
    std::array<std::uint8_t, 8> first;
    std::memcpy(first.data(), out, first.size());
    return first;
  }

  void tidy() {
    if (spelt.text.capacity() > kept_room || spelt.inner.capacity() + spelt.members.capacity() > 4096)
      spelt = {};
    if (parser.capacity() > kept_room)
      parser = dom::parser{};
    if (fields.capacity() + members.capacity() > 4096) {
      fields = {};
      members = {};
    }
  }
};

std::string_view text_of(const std::vector<field>& fields, std::string_view name, std::size_t most) {
  const auto* value = find(fields, name);
  std::string_view text;
  if (value == nullptr)
    return text;
  if (value->get_string().get(text) != simdjson::SUCCESS)
    throw malformed{
      fmt::format("{} is not a string{}", name, name == "auth_index" && value->is_number() ? " but a number" : "")};
  if (text.size() > most)
    throw malformed{fmt::format("{} is longer than {} bytes", name, most)};
  return text;
}

std::int64_t integer_of(const dom::element* value, std::string_view name) {
  std::int64_t n = 0;
  if (value != nullptr && value->get_int64().get(n) != simdjson::SUCCESS)
    throw malformed{fmt::format("{} is not an integer", name)};
  return n;
}

bool boolean_of(const std::vector<field>& fields, std::string_view name) {
  bool b = false;
  const auto* value = find(fields, name);
  if (value != nullptr && value->get_bool().get(b) != simdjson::SUCCESS)
    throw malformed{fmt::format("{} is not a boolean", name)};
  return b;
}

stamped_time time_of(const std::vector<field>& fields) {
  if (find(fields, "timestamp") == nullptr)
    throw malformed{"timestamp is missing"};
  const auto at = parse_rfc3339(text_of(fields, "timestamp", longest_core_text));
  if (!at)
    throw malformed{"timestamp is not an RFC 3339 time of the years 1678 to 2261"};
  return *at;
}

/// A number that may be missing or anything else; 0 then.
std::int64_t number_in(dom::object object, const char* name) {
  std::int64_t n = 0;
  return object[name].get_int64().get(n) == simdjson::SUCCESS ? n : 0;
}

std::optional<token_breakdown> breakdown_of(const std::vector<field>& fields) {
  const auto* value = find(fields, "token_breakdown");
  dom::object all, input, output;
  std::string_view quality;
  // Another schema may mean other things by the same names: then the rules decide.
  if (value == nullptr || value->get_object().get(all) != simdjson::SUCCESS || number_in(all, "schema_version") != 2
      || all["input"].get_object().get(input) != simdjson::SUCCESS
      || all["output"].get_object().get(output) != simdjson::SUCCESS
      || all["quality"].get_string().get(quality) != simdjson::SUCCESS)
    return std::nullopt;
  token_breakdown out;
  if (quality == "complete")
    out.how = token_breakdown::quality::complete;
  else if (quality == "inconsistent")
    out.how = token_breakdown::quality::inconsistent;
  else if (quality != "unclassified")
    return std::nullopt;
  out.parts = {number_in(input, "uncached_tokens"),    number_in(input, "cache_read_tokens"),
               number_in(input, "cache_write_tokens"), number_in(output, "non_reasoning_tokens"),
               number_in(output, "reasoning_tokens"),  number_in(all, "unclassified_tokens")};
  return out;
}

token_evidence tokens_of(const std::vector<field>& fields) {
  const auto* value = find(fields, "tokens");
  dom::object object;
  if (value == nullptr)
    throw malformed{"tokens is missing"};
  if (value->get_object().get(object) != simdjson::SUCCESS)
    throw malformed{"tokens is not an object"};
  token_evidence out;
  const auto count = [](const dom::element& n) { return n.is_null() ? nullptr : &n; };
  for (const auto [name, n] : object) {
    if (name == "input_tokens")
      out.raw.input = integer_of(count(n), "tokens.input_tokens");
    else if (name == "output_tokens")
      out.raw.output = integer_of(count(n), "tokens.output_tokens");
    else if (name == "reasoning_tokens")
      out.raw.reasoning = integer_of(count(n), "tokens.reasoning_tokens");
    else if (name == "cached_tokens")
      out.raw.cached = integer_of(count(n), "tokens.cached_tokens");
    else if (name == "total_tokens")
      out.raw.total = integer_of(count(n), "tokens.total_tokens");
    else if (name == "cache_read_tokens")
      out.cache_read = integer_of(count(n), "tokens.cache_read_tokens");
    else if (name == "cache_creation_tokens")
      out.cache_creation = integer_of(count(n), "tokens.cache_creation_tokens");
  }
  out.breakdown = breakdown_of(fields);
  return out;
}

/// What is only looked up by people: nothing depends on it, so anything else in its place is as good as nothing.
std::string_view text_if_any(const std::vector<field>& fields, std::string_view name) {
  std::string_view text;
  const auto* value = find(fields, name);
  if (value != nullptr && value->get_string().get(text) == simdjson::SUCCESS)
    return text.substr(0, longest_fact);
  return {};
}

/// Whom CPA counts a record under: as the key of `/usage`, so that both ways lead to the same id.
std::string_view client_of(const std::vector<field>& fields) {
  for (const std::string_view name : {"api_key", "endpoint", "provider"})
    if (const auto text = trimmed(text_of(fields, name, longest_core_text)); !text.empty())
      return text;
  return "unknown";
}

queue_item decode(workshop& shop, std::string_view json, const decode_rule& rule) {
  shop.open(json);
  const auto& fields = shop.fields;
  if (find(fields, "timestamp") == nullptr) {
    if (find(fields, "support_refresh") != nullptr)
      return queue_control::support_refresh;
    if (find(fields, "refresh") != nullptr)
      return queue_control::refresh;
  }
  queue_record record;
  auto& d = record.what;
  d.at = time_of(fields);
  auto evidence = tokens_of(fields);
  if (find(fields, "model") == nullptr)
    throw malformed{"model is missing"};
  const auto client = client_of(fields);
  const auto model = normal_model(text_of(fields, "model", longest_core_text));
  d.latency_ms = integer_of(find(fields, "latency_ms"), "latency_ms");
  d.source = text_of(fields, "source", longest_core_text);
  d.auth_index = text_of(fields, "auth_index", longest_core_text);
  d.failed = boolean_of(fields, "failed");
  evidence.provider = text_of(fields, "provider", longest_core_text);
  evidence.model = model;
  d.tokens = evidence.raw;
  d.parts = normalise_tokens(evidence);
  normalise(d);
  d.id = make_record_id(rule.node, client, model, d);
  shop.spell();
  if (rule.how == decode_rule::identity::as_queue_record) {
    const auto second_half = shop.digest();
    std::copy(second_half.begin(), second_half.end(), d.id.bytes.begin() + 8);
  }
  record.client_key = secret{std::string{client}};
  record.model = model;
  auto facts = std::make_shared<attempt_facts>();
  facts->provider = evidence.provider;
  facts->alias = text_if_any(fields, "alias");
  facts->endpoint = text_if_any(fields, "endpoint");
  if (const auto* ttft = find(fields, "ttft_ms"))
    std::ignore = ttft->get_int64().get(facts->ttft_ms);
  dom::object fail;
  if (const auto* outcome = find(fields, "fail");
      outcome != nullptr && outcome->get_object().get(fail) == simdjson::SUCCESS)
    facts->status_code = static_cast<std::int32_t>(std::clamp<std::int64_t>(number_in(fail, "status_code"), 0, 999));
  facts->extra = extra_of(shop.spelt);
  d.facts = std::move(facts);
  return record;
}

account_error decode_error(workshop& shop, std::string_view json) {
  shop.open(json);
  const auto& fields = shop.fields;
  account_error out;
  out.at = time_of(fields);
  out.provider = text_of(fields, "provider", longest_core_text);
  out.model = text_of(fields, "model", longest_core_text);
  out.auth_id = text_of(fields, "auth_id", longest_core_text);
  out.auth_index = text_of(fields, "auth_index", longest_core_text);
  out.status_code = integer_of(find(fields, "status_code"), "status_code");
  out.code = text_of(fields, "code", longest_core_text);
  out.retryable = boolean_of(fields, "retryable");
  out.body = first_bytes(text_of(fields, "body", largest_record), longest_body);
  return out;
}

template <class Decode>
auto guarded(const node_name& node, Decode&& decode_with)
  -> caf::expected<decltype(decode_with(std::declval<workshop&>()))> {
  thread_local workshop shop;
  try {
    auto result = decode_with(shop);
    shop.tidy();
    return result;
  } catch (const malformed& m) {
    shop.tidy();
    return make_error(errc::record_malformed, fmt::format("{}: {}", node, m.why));
  } catch (const std::bad_alloc&) {
    return make_error(errc::node_answer_too_large, node);
  }
}

} // namespace

caf::expected<queue_item> decode_queue_record(std::string_view json, const decode_rule& rule) {
  return guarded(rule.node, [&](workshop& shop) { return decode(shop, json, rule); });
}

caf::expected<account_error> decode_account_error(std::string_view json, const node_name& node) {
  return guarded(node, [&](workshop& shop) { return decode_error(shop, json); });
}

} // namespace keyportal::cpa
