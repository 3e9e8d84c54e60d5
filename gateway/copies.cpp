#include "gateway/copies.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "gateway/handlers.hpp"
#include "messages/timestamp.hpp"
#include "messages/token_rules.hpp"

namespace keyportal::gateway {

namespace {

using nlohmann::json;

constexpr std::size_t longest_text = 8192; ///< as records of a queue have it
constexpr std::size_t longest_owner = 254;

/// One object, whose fields are asked for by name; remembers what was wrong first.
class one_object {
public:
  one_object(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object_.is_object())
      error_ =
        make_error(errc::bad_request, where_.empty() ? "the body is no JSON object" : name_of_all() + " is no object");
  }
  [[nodiscard]] const json* find(const char* name, bool needed = false) {
    if (!object_.is_object())
      return nullptr;
    const auto found = object_.find(name);
    if (found != object_.end()) {
      ++found_;
      return &*found;
    }
    if (needed)
      fail(name, "missing");
    return nullptr;
  }
  std::string text(const char* name, bool needed = false, std::size_t most = longest_text) {
    const auto* value = find(name, needed);
    if (value == nullptr)
      return {};
    if (!value->is_string() || value->get_ref<const std::string&>().size() > most) {
      fail(name, "no text, or too long");
      return {};
    }
    return value->get<std::string>();
  }
  std::int64_t integer(const char* name, std::int64_t least = INT64_MIN) {
    const auto* value = find(name);
    if (value == nullptr)
      return 0;
    const bool fits =
      value->is_number_unsigned() ? value->get<std::uint64_t>() <= INT64_MAX : value->is_number_integer();
    if (!fits || value->get<std::int64_t>() < least) {
      fail(name, "no whole number in its range");
      return 0;
    }
    return value->get<std::int64_t>();
  }
  bool boolean(const char* name) {
    const auto* value = find(name);
    if (value != nullptr && !value->is_boolean())
      fail(name, "neither true nor false");
    return value != nullptr && value->is_boolean() && value->get<bool>();
  }
  void fail(const char* name, std::string_view what) {
    if (!error_)
      error_ = make_error(errc::bad_request, fmt::format("{}{} is {}", where_, name, what));
  }
  /// Call last: nothing may be there that was not asked for.
  [[nodiscard]] caf::error finish() {
    if (!error_ && found_ != object_.size())
      error_ = make_error(errc::bad_request, fmt::format("a field of {} is not known here", name_of_all()));
    return std::move(error_);
  }

private:
  [[nodiscard]] std::string name_of_all() const {
    return where_.empty() ? "the body" : where_.substr(0, where_.size() - 1);
  }

  const json& object_;
  std::string where_;
  std::size_t found_ = 0; ///< of its fields
  caf::error error_;
};

/// The body's one object with its list; `each` reads an entry.
template <class Each>
caf::error read_list(std::string_view body, const char* list, bool& dry_run, std::string* source, Each each) {
  const auto all = json::parse(body.begin(), body.end(), nullptr, false);
  one_object in(all, "");
  dry_run = in.boolean("dry_run");
  if (source != nullptr)
    *source = in.text("source", true);
  const auto* entries = in.find(list, true);
  if (entries != nullptr && (!entries->is_array() || entries->size() > most_copied))
    in.fail(list, fmt::format("no list of at most {}", most_copied));
  if (auto wrong = in.finish())
    return wrong;
  for (std::size_t i = 0; i < entries->size(); ++i)
    if (auto wrong = each((*entries)[i], fmt::format("{}[{}].", list, i)))
      return wrong;
  return {};
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

caf::error read_tokens(const json& object, const std::string& where, token_evidence& out) {
  one_object in(object, where);
  out.raw = {in.integer("input"), in.integer("output"), in.integer("reasoning"), in.integer("cached"),
             in.integer("total")};
  out.cache_read = in.integer("cache_read");
  out.cache_creation = in.integer("cache_creation");
  return in.finish();
}

caf::error read_copy(const json& object, const std::string& where, copy_records::group& group, std::string& tokens_as) {
  one_object in(object, where);
  detail d;
  const auto at = parse_rfc3339(in.text("at", true));
  if (!at)
    in.fail("at", "no moment as in 2026-04-02T00:00:00.123456789Z");
  else
    d.at = *at;
  const auto key = in.text("key");
  group.key_sha256 = in.text("key_sha256");
  if (trimmed(key).empty() == group.key_sha256.empty() || !(group.key_sha256.empty() || is_sha256(group.key_sha256)))
    in.fail("key", "needed, or key_sha256 as 64 hexadecimal digits");
  group.client_key = secret{std::string{trimmed(key)}};
  group.model = normal_model(in.text("model"));
  d.source = in.text("source");
  d.auth_index = in.text("auth_index");
  d.failed = in.boolean("failed");
  d.latency_ms = in.integer("latency_ms");
  attempt_facts facts;
  facts.provider = in.text("provider", false, 1024);
  facts.alias = in.text("alias", false, 1024);
  facts.endpoint = in.text("endpoint", false, 1024);
  facts.ttft_ms = in.integer("ttft_ms", 0);
  facts.status_code = static_cast<std::int32_t>(std::min<std::int64_t>(in.integer("status_code", 0), 999));
  tokens_as = in.text("tokens_as", false, 1024);
  token_evidence tokens;
  if (const auto* counts = in.find("tokens", true))
    if (auto wrong = read_tokens(*counts, where + "tokens.", tokens))
      return wrong;
  if (auto wrong = in.finish())
    return wrong;
  tokens.model = group.model;
  tokens.provider = tokens_as.empty() ? facts.provider : tokens_as;
  d.tokens = tokens.raw;
  d.parts = normalise_tokens(tokens);
  if (facts != attempt_facts{} || tokens.cache_read != 0 || tokens.cache_creation != 0 || !tokens_as.empty())
    d.facts = std::make_shared<const attempt_facts>(std::move(facts));
  normalise(d);
  group.details.push_back(std::move(d));
  return {};
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes)
    out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

bool unhex(std::string_view text, std::string& out) {
  if (text.size() % 2 != 0 || text.find_first_not_of("0123456789abcdef") != std::string_view::npos)
    return false;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i < text.size(); i += 2)
    out += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
  return true;
}

} // namespace

caf::expected<copy_records> read_copies(std::string_view body, const node_name& node) {
  copy_records out;
  out.node = node;
  auto wrong = read_list(body, "records", out.dry_run, nullptr, [&](const json& object, const std::string& where) {
    copy_records::group group;
    std::string tokens_as;
    if (auto refused = read_copy(object, where, group, tokens_as))
      return refused;
    if (!out.groups.empty() && out.groups.back().model == group.model
        && out.groups.back().key_sha256 == group.key_sha256
        && out.groups.back().client_key.reveal() == group.client_key.reveal())
      out.groups.back().details.push_back(std::move(group.details.front()));
    else
      out.groups.push_back(std::move(group));
    return caf::error{};
  });
  if (wrong)
    return wrong;
  return out;
}

caf::expected<keep_history> read_days(std::string_view body, const node_name& node) {
  keep_history out;
  std::string from;
  auto wrong = read_list(body, "days", out.dry_run, &from, [&](const json& object, const std::string& where) {
    one_object in(object, where);
    keep_history::one one;
    const auto source = history_source_of(from);
    const auto day = day_of_text(in.text("date", true));
    if (!day)
      in.fail("date", "no day as in 2026-04-02");
    one.key_text = secret{in.text("key")};
    one.day = {node,
               day.value_or(0),
               source.value_or(history_source::usage_db),
               {},
               in.text("owner", false, longest_owner),
               in.integer("requests", 0),
               in.integer("ok", 0),
               in.integer("failed", 0),
               in.integer("tokens", 0),
               in.integer("input_tokens", 0),
               in.integer("output_tokens", 0)};
    out.days.push_back(std::move(one));
    return in.finish();
  });
  if (!wrong && !history_source_of(from))
    wrong = make_error(errc::bad_request, "source is usage-db or usage-history");
  if (wrong)
    return wrong;
  return out;
}

caf::expected<read_history> read_history_query(const question& asked, const http_request& request) {
  read_history out;
  out.limit = asked.limit;
  for (const auto& [name, value] : request.query) {
    if (name == "node") {
      out.node = value;
    } else if (name == "from" || name == "to") {
      const auto day = day_of_text(value);
      if (!day)
        return make_error(errc::bad_request, name + " is a day as in 2026-04-02");
      (name == "from" ? out.from : out.to) = *day;
    }
  }
  if (!unhex(asked.after_name, out.after))
    return make_error(errc::bad_request, "after is `next` of the page before");
  return out;
}

http_response copy_answer(const copy_report& report) {
  return json_answer({{"records", report.records}, {"added", report.added}, {"refused", report.refused}});
}

http_response kept_answer(const history_report& report) {
  return json_answer({{"added", report.added}, {"changed", report.changed}, {"known", report.known}});
}

http_response history_answer(const history_page& page) {
  auto items = json::array();
  for (const auto& [day, records] : page.days)
    items.push_back({{"node", day.node},
                     {"date", text_of_day(day.day)},
                     {"source", to_string(day.source)},
                     {"key", day.key.empty() ? json(nullptr) : json(day.key)},
                     {"owner", day.owner.empty() ? json(nullptr) : json(day.owner)},
                     {"requests", day.requests},
                     {"ok", day.ok},
                     {"failed", day.failed},
                     {"tokens", {{"total", day.tokens}, {"input", day.input_tokens}, {"output", day.output_tokens}}},
                     {"records", records}});
  return json_answer({{"items", std::move(items)},
                      {"more", !page.next.empty()},
                      {"next", page.next.empty() ? json(nullptr) : json(hex(page.next))}});
}

} // namespace keyportal::gateway
