#include "actors/notifier/notice_facts.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "messages/timestamp.hpp"

namespace keyportal {

namespace {

using nlohmann::json;

std::string text_at(const json& from, std::string_view name) {
  const auto found = from.find(name);
  return found == from.end() || found->is_null()     ? std::string{}
         : found->is_string()                        ? found->get<std::string>()
         : found->is_number() || found->is_boolean() ? found->dump()
                                                     : std::string{};
}

/// "fact=value" and "fact!=value", with ';' between; a fact that is not there is empty.
bool holds(std::string_view when, const json& facts) {
  for (std::size_t at = 0; at < when.size();) {
    const auto end = std::min(when.find(';', at), when.size());
    const auto one = when.substr(at, end - at);
    const auto equals = one.find('=');
    const bool differs = equals > 0 && one[equals - 1] == '!';
    const bool same = text_at(facts, one.substr(0, differs ? equals - 1 : equals)) == one.substr(equals + 1);
    if (same == differs)
      return false;
    at = end + 1;
  }
  return true;
}

/// Only what words can hold: no lists, no objects.
json scalars_of(const std::string& data) {
  const auto all = json::parse(data, nullptr, false);
  json out = json::object();
  if (all.is_object())
    for (const auto& [name, value] : all.items())
      if (value.is_string() || value.is_number() || value.is_boolean())
        out[name] = value;
  return out;
}

std::string key_text(const json& facts) {
  const auto label = text_at(facts, "label"), shown = text_at(facts, "shown");
  return label.empty() ? shown : shown.empty() ? label : fmt::format("{} ({})", label, shown);
}

/// People know accounts by their addresses, and whoever signed in to one is thanked, also where it is another's.
void add_account(json& facts, event_kind kind) {
  if (const auto address = text_at(facts, "address"); !address.empty())
    facts["account"] = address;
  if (kind == event_kind::account_contributed && !text_at(facts, "by").empty())
    facts["owner"] = facts["by"];
}

/// Full days left, rounded up, so that the reminder of three days says three.
void add_days(json& facts, moment now) {
  const auto at = parse_rfc3339(text_at(facts, "expires_at"));
  if (!at)
    return;
  constexpr std::int64_t day = 86'400'000'000'000, hour = day / 24;
  facts["days"] = std::max<std::int64_t>(0, (at->unix_ns - unix_ns(now) + day - hour) / day);
}

/// Money is counted in billionths of a US dollar.
void show_cost(json& facts) {
  if (text_at(facts, "unit") != "cost")
    return;
  facts["amount"] = fmt::format("{:.2f}", facts.value("amount", 0.0) / 1e9);
  facts["unit"] = "USD";
}

} // namespace

std::vector<notice_news> news_of(const node_event& event, const key_names& name_of_key) {
  std::vector<notice_news> out;
  const auto name = event_name(event.kind);
  json facts;
  for (const auto& kind : notice_kinds()) {
    if (kind.event.empty() || kind.event != name)
      continue;
    if (facts.is_null()) {
      facts = scalars_of(event.data);
      if (!event.node.empty())
        facts["node"] = event.node;
      if (!event.about.empty())
        facts["about"] = event.about;
      if (is_of_key(event.kind)) {
        auto key = key_text(facts);
        if (key.empty() && name_of_key && event.kind == event_kind::key_budget)
          key = name_of_key(event.about);
        if (!key.empty())
          facts["key"] = key;
      }
      if (is_of_account(event.kind))
        add_account(facts, event.kind);
      add_days(facts, event.at);
      show_cost(facts);
    }
    if (!holds(kind.when, facts))
      continue;
    notice_news one{&kind, facts, {}, {}};
    const auto account =
      text_at(facts, "auth_index").empty() ? text_at(facts, "account") : text_at(facts, "auth_index");
    one.about = !event.about.empty() ? event.about : account.empty() ? event.node : event.node + "/" + account;
    one.owner = is_of_user(event.kind) ? event.about : text_at(facts, "owner");
    out.push_back(std::move(one));
  }
  return out;
}

} // namespace keyportal
