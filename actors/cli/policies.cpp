// What groups of people may.
#include <ostream>

#include <fmt/format.h>

#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

std::string path_of(const context& here) { return "/api/v1/policies/" + escaped(here.asked.registry.policy); }

/// Null when there is none of that name.
caf::expected<json> find_policy(const service& portal, const std::string& name) {
  const auto all = look(portal, "/api/v1/policies");
  if (!all)
    return all.error();
  for (const auto& one : items_of(*all))
    if (text(one, {"name"}) == name)
      return one;
  return json();
}

/// Puts what was given in the place of what is there.
caf::error amend(const registry_words& given, json& policy) {
  for (const auto& [option, value, field] : {std::tuple{"--lifetime", &given.lifetime, "key_lifetime_s"},
                                             {"--longest-renewal", &given.longest_renewal, "longest_renewal_s"}}) {
    if (!*value)
      continue;
    const auto seconds = seconds_of(option, **value);
    if (!seconds)
      return seconds.error();
    policy[field] = *seconds;
  }
  for (const auto& [option, value, field] : {std::tuple{"--key-budget", &given.budgets, "key_budgets"},
                                             {"--user-budget", &given.user_budgets, "user_budgets"},
                                             {"--group-budget", &given.group_budgets, "group_budgets"}}) {
    if (value->empty())
      continue;
    auto budgets = budgets_of(option, *value);
    if (!budgets)
      return budgets.error();
    policy[field] = std::move(*budgets);
  }
  if (given.keys_per_user)
    policy["keys_per_user"] = *given.keys_per_user;
  if (given.renewal)
    policy["renewal"] = *given.renewal;
  if (!given.nodes.empty())
    policy["nodes"] = list_of(given.nodes, "all");
  if (!given.models.empty())
    policy["models"] = list_of(given.models, "none");
  return {};
}

} // namespace

int list_policies(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto all = look(portal, "/api/v1/policies");
    if (!all)
      return fail(here, all.error());
    if (here.asked.json) {
      print(here, *all);
      return exit_done;
    }
    table list({{"POLICY"}, {"KEYS PER USER", table::side::right}, {"LIFETIME"}, {"RENEWAL"}, {"NODES"}});
    for (const auto& one : items_of(*all))
      list.add({text(one, {"name"}), number(one, {"keys_per_user"}), lifetime_text(integer(one, {"key_lifetime_s"})),
                text(one, {"renewal"}), at(one, {"nodes"}).empty() ? "all" : joined(at(one, {"nodes"}))});
    here.io.out << (list.empty() ? "no policy yet: everybody may have 3 keys, for ever\n" : list.text());
    return exit_done;
  });
}

int show_policy(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto policy = find_policy(portal, here.asked.registry.policy);
    if (!policy)
      return fail(here, policy.error());
    if (policy->is_null())
      return fail(here, make_error(errc::policy_unknown, here.asked.registry.policy));
    if (here.asked.json) {
      print(here, *policy);
      return exit_done;
    }
    table rows({{"POLICY"}, {text(*policy, {"name"})}});
    rows.add({"keys per user", number(*policy, {"keys_per_user"})});
    rows.add({"lifetime", lifetime_text(integer(*policy, {"key_lifetime_s"}))});
    rows.add({"longest renewal", integer(*policy, {"longest_renewal_s"}) == 0
                                   ? "as the lifetime"
                                   : lifetime_text(integer(*policy, {"longest_renewal_s"}))});
    rows.add({"renewal", text(*policy, {"renewal"})});
    rows.add({"of each key", budgets_text(at(*policy, {"key_budgets"}))});
    rows.add({"of each user", budgets_text(at(*policy, {"user_budgets"}))});
    rows.add({"of the group", budgets_text(at(*policy, {"group_budgets"}))});
    rows.add({"nodes", at(*policy, {"nodes"}).empty() ? "all" : joined(at(*policy, {"nodes"}))});
    rows.add({"models", joined(at(*policy, {"models"}))});
    here.io.out << rows.text();
    return exit_done;
  });
}

int set_policy(const context& here) {
  return with_service(here, [&](const service& portal) {
    auto policy = find_policy(portal, here.asked.registry.policy);
    if (!policy)
      return fail(here, policy.error());
    if (policy->is_null())
      *policy = {{"name", here.asked.registry.policy}};
    if (auto wrong = amend(here.asked.registry, *policy))
      return fail(here, wrong);
    const auto done = order(here, portal, "PUT", path_of(here), "changing", *policy);
    if (!done)
      return fail(here, done.error());
    if (here.asked.json)
      print(here, *done);
    else
      here.io.out << printable(fmt::format("the policy {} is set", here.asked.registry.policy)) << "\n";
    return exit_done;
  });
}

int drop_policy(const context& here) {
  return with_service(here, [&](const service& portal) {
    if (!confirmed(here, fmt::format("Drop the policy {}? That of default is in force for its people then.",
                                     printable(here.asked.registry.policy))))
      return exit_failed;
    const auto done = order(here, portal, "DELETE", path_of(here), "dropping");
    if (!done)
      return fail(here, done.error());
    if (here.asked.json)
      print(here, *done);
    else
      here.io.out << printable(fmt::format("the policy {} is dropped", here.asked.registry.policy)) << "\n";
    return exit_done;
  });
}

} // namespace keyportal::cli
