#include "gateway/compat/queue_text.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "gateway/compat/go_text.hpp"

namespace keyportal::compat {

namespace {

struct member {
  std::string_view name;  ///< as it is spelt between the quotation marks
  std::string_view value; ///< its text
  bool used = false;
};

/// Members of a compact JSON object; none for anything else. Its text is our own, written when the record was decoded,
/// so only its structure is looked at.
std::vector<member> members_of(std::string_view object) {
  std::vector<member> out;
  std::size_t at = 1;
  const auto skip_string = [&] { // from its first quotation mark to behind its last one
    for (++at; at < object.size() && object[at] != '"'; ++at)
      at += object[at] == '\\' ? 1 : 0;
    ++at;
  };
  while (object.starts_with('{') && at < object.size() && object[at] == '"') {
    const auto name_begin = at + 1;
    skip_string();
    if (at + 1 >= object.size() || object[at] != ':')
      return {};
    const auto name = object.substr(name_begin, at - 1 - name_begin);
    const auto begin = ++at;
    for (std::size_t depth = 0; at < object.size(); ++at) {
      const char c = object[at];
      if (c == '"') {
        skip_string();
        --at;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (depth > 0 && (c == '}' || c == ']')) {
        --depth;
      } else if (depth == 0 && (c == ',' || c == '}')) {
        break;
      }
    }
    if (at >= object.size())
      return {};
    out.push_back({name, object.substr(begin, at - begin)});
    ++at;
  }
  return out;
}

class record_writer {
public:
  record_writer(std::string& out, const arrival& one)
    : out_(out), of_(one), r_(one.record), facts_(one.record.facts.get()), extra_(members_of(one.extra)) {}

  void write() {
    out_ += R"({"timestamp":")";
    append_rfc3339(out_, r_.at);
    fmt::format_to(end(), R"(","latency_ms":{})", r_.latency_ms);
    given_or("ttft_ms", [&] {
      if (facts_)
        fmt::format_to(end(), R"(,"ttft_ms":{})", facts_->ttft_ms);
    });
    text("source", of_.source);
    text("auth_index", r_.auth_index);
    for (const auto* name : {"access_token_sha256", "client_ip", "x_forwarded_for", "user_agent"})
      given(name);
    tokens();
    fmt::format_to(end(), R"(,"failed":{})", r_.failed);
    given("generate");
    given_or("fail", [&] {
      if (facts_)
        fmt::format_to(end(), R"(,"fail":{{"status_code":{},"body":""}})", status());
    });
    for (const auto* name : {"response_headers", "accounting_version", "token_breakdown"})
      given(name);
    text_or("provider", facts_ && !facts_->provider.empty() ? facts_->provider : "unknown");
    given("executor_type");
    text("model", r_.model);
    text_or("alias", facts_ && !facts_->alias.empty() ? facts_->alias : r_.model);
    const bool anonymous = is_anonymous();
    text_or("endpoint", facts_ ? facts_->endpoint : anonymous ? of_.client_key.reveal() : std::string{});
    text_or("auth_type", "unknown");
    text("api_key", anonymous ? std::string_view{} : std::string_view{of_.client_key.reveal()});
    text_or("request_id", facts_ ? std::string{} : to_string(r_.id).substr(0, 8));
    for (const auto* name : {"reasoning_effort", "service_tier", "response_service_tier"})
      given(name);
    for (auto& m : extra_) // what this version does not know
      if (!m.used && m.name != "keyportal_dropped" && m.name != "tokens")
        append(m);
    out_ += '}';
  }

private:
  std::back_insert_iterator<std::string> end() { return std::back_inserter(out_); }

  member* find(std::string_view name) {
    const auto at = std::find_if(extra_.begin(), extra_.end(), [&](const member& m) { return m.name == name; });
    return at == extra_.end() ? nullptr : &*at;
  }
  void append(member& m) {
    fmt::format_to(end(), R"(,"{}":{})", m.name, m.value);
    m.used = true;
  }
  bool given(std::string_view name) {
    auto* const m = find(name);
    if (m)
      append(*m);
    return m != nullptr;
  }
  template <class Otherwise>
  void given_or(std::string_view name, Otherwise&& otherwise) {
    if (!given(name))
      otherwise();
  }
  void text(std::string_view name, std::string_view value) {
    fmt::format_to(end(), R"(,"{}":)", name);
    append_go_string(out_, value);
  }
  void text_or(std::string_view name, const std::string& value) {
    given_or(name, [&] { text(name, value); });
  }

  void tokens() {
    const auto& t = r_.tokens;
    fmt::format_to(end(),
                   R"(,"tokens":{{"input_tokens":{},"output_tokens":{},"reasoning_tokens":{},"cached_tokens":{})",
                   t.input, t.output, t.reasoning, t.cached);
    if (const auto* more = find("tokens"))
      for (const auto& m : members_of(more->value))
        fmt::format_to(end(), R"(,"{}":{})", m.name, m.value);
    fmt::format_to(end(), R"(,"total_tokens":{}}})", t.total);
  }

  [[nodiscard]] int status() const { return facts_->status_code != 0 ? facts_->status_code : r_.failed ? 500 : 200; }

  /// CLIProxyAPI counts requests without a key under their route, provider, or "unknown".
  [[nodiscard]] bool is_anonymous() const {
    const std::string_view key = of_.client_key.reveal();
    if (facts_ && (key == facts_->endpoint || (facts_->endpoint.empty() && key == facts_->provider)))
      return true;
    const auto blank = key.find(" /");
    return key == "unknown"
           || (blank != std::string_view::npos && blank > 0 && blank < 8
               && std::all_of(key.begin(), key.begin() + static_cast<std::ptrdiff_t>(blank),
                              [](char c) { return c >= 'A' && c <= 'Z'; }));
  }

  std::string& out_;
  const arrival& of_;
  const stored_record& r_;
  const attempt_facts* facts_;
  std::vector<member> extra_;
};

} // namespace

void append_queue_record(std::string& out, const arrival& one) { record_writer{out, one}.write(); }

} // namespace keyportal::compat
