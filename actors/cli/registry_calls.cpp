#include "actors/cli/registry_calls.hpp"

#include <charconv>
#include <random>

#include <fmt/format.h>

#include "actors/cli/table.hpp"
#include "actors/prices/price_rules.hpp"
#include "config/value.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

using nlohmann::json;

std::string escaped(std::string_view text) {
  static constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@";
  std::string out;
  for (const char c : text)
    if (plain.find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

std::string fresh_word() {
  static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz234567";
  std::random_device source;
  std::string out = "cli-";
  for (int i = 0; i < 26; ++i)
    out += letters[source() & 31U];
  return out;
}

caf::expected<json> look(const service& portal, const std::string& path) {
  auto body = portal.call({}, path, true);
  if (!body)
    return body.error();
  auto parsed = json::parse(*body, nullptr, false);
  if (parsed.is_discarded())
    return make_error(errc::service_unreachable, fmt::format("{} answers, but not as Key Portal does", portal.url()));
  return parsed;
}

caf::expected<std::vector<json>> look_at_all(const service& portal, const std::string& path, std::uint64_t most) {
  std::vector<json> out;
  std::string after;
  for (;;) {
    const auto left = most == 0 ? 1000 : std::min<std::uint64_t>(1000, most - out.size());
    auto page = look(portal, fmt::format("{}&limit={}{}", path, left, after.empty() ? "" : "&after=" + escaped(after)));
    if (!page)
      return page.error();
    const auto before = after;
    for (const auto& item : items_of(*page)) {
      out.push_back(item);
      after = std::max(after, text(item, {"id"}));
    }
    if (at(*page, {"more"}) != true || after == before || (most > 0 && out.size() >= most))
      return out;
  }
}

caf::expected<json> order(const context& here, const service& portal, const std::string& method,
                          const std::string& path, const std::string& doing, const json& body) {
  const auto& word = here.asked.registry.word;
  return change(here, portal, method, path, doing, body.is_null() ? std::string{} : dump(body),
                word.empty() ? fresh_word() : word);
}

caf::expected<json> chosen_key(const service& portal, const std::string& id) {
  constexpr std::size_t whole = 27;
  if (id.size() >= whole)
    return look(portal, "/api/v1/keys/" + escaped(id));
  // Keys are in the order of their ids, so those that begin so come next.
  auto page = look(portal, "/api/v1/keys?limit=2&after=" + escaped(id));
  if (!page)
    return page.error();
  std::vector<json> fitting;
  for (const auto& item : items_of(*page))
    if (text(item, {"id"}).starts_with(id))
      fitting.push_back(item);
  if (id.empty() || fitting.empty())
    return make_error(errc::key_unknown, id);
  if (fitting.size() > 1)
    return make_error(errc::bad_request, fmt::format("more than one key begins with {}", id));
  return fitting.front();
}

std::string path_of_key(const json& key) { return "/api/v1/keys/" + escaped(text(key, {"id"})); }
std::string path_of_person(const std::string& person) { return "/api/v1/users/" + escaped(person); }

caf::expected<std::int64_t> seconds_of(const std::string& option, const std::string& text) {
  if (text == "never")
    return std::int64_t{0};
  const auto duration = parse_duration(text);
  if (!duration || duration->count() % 1000 != 0)
    return make_error(errc::bad_request, fmt::format("{} is written like 90d, 12h, 30min, or never", option));
  return duration->count() / 1000;
}

caf::expected<json> budgets_of(const std::string& option, const std::vector<std::string>& texts) {
  auto out = json::array();
  for (const auto& text : list_of(texts, "none")) {
    const auto slash = text.find('/'), equals = text.find('=');
    std::int64_t amount = 0;
    const auto wrong = [&] {
      return make_error(errc::bad_request,
                        option
                          + " is written like tokens/month=1000000 or cost/month=25.50 (requests, tokens, or cost in "
                            "US dollars; hour, day, week, month or lifetime)");
    };
    if (slash == std::string::npos || equals == std::string::npos || equals < slash)
      return wrong();
    const auto unit = text.substr(0, slash);
    if (unit == "cost") {
      amount = nano_of(std::string_view{text}.substr(equals + 1)).value_or(0);
    } else {
      const auto [end, error] = std::from_chars(text.data() + equals + 1, text.data() + text.size(), amount);
      if (error != std::errc{} || end != text.data() + text.size())
        return wrong();
    }
    if (amount <= 0)
      return wrong();
    out.push_back({{"unit", unit}, {"window", text.substr(slash + 1, equals - slash - 1)}, {"amount", amount}});
  }
  return out;
}

std::vector<std::string> list_of(const std::vector<std::string>& given, std::string_view nothing) {
  return given.size() == 1 && given.front() == nothing ? std::vector<std::string>{} : given;
}

std::string budget_amount(const json& budget, const char* name) {
  return text(budget, {"unit"}) == "cost" ? decimal_of(integer(budget, {name})) + " USD" : number(budget, {name});
}

std::string budgets_text(const json& budgets) {
  std::string out;
  for (const auto& one : budgets.is_array() ? budgets : json::array())
    out += fmt::format("{}{}/{} {}", out.empty() ? "" : ", ", text(one, {"unit"}), text(one, {"window"}),
                       budget_amount(one, "amount"));
  return out;
}

std::string joined(const json& texts) {
  std::string out;
  for (const auto& one : texts.is_array() ? texts : json::array())
    if (one.is_string())
      out += (out.empty() ? "" : ", ") + one.get<std::string>();
  return out;
}

std::string lifetime_text(std::int64_t seconds) {
  if (seconds == 0)
    return "for ever";
  return seconds % 86'400 == 0 ? fmt::format("{} d", seconds / 86'400) : fmt::format("{} s", seconds);
}

} // namespace keyportal::cli
