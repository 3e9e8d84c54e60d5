// A registry with made-up nodes, seals and randomness, and a clock that stands still until it is moved.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include <fmt/format.h>

#include "actors/key_registry/registry_book.hpp"

namespace keyportal::test {

inline key_vault toy_vault(std::uint64_t seed = 1) {
  auto random = std::make_shared<std::mt19937_64>(seed);
  return {[](std::string_view text) { return fmt::format("k{:026x}", std::hash<std::string_view>{}(text)); },
          [](std::string_view text, const key_id& id) -> caf::expected<std::string> {
            return fmt::format("sealed for {}: {}", id, std::string{text.rbegin(), text.rend()});
          },
          [](std::string_view sealed, const key_id& id) -> caf::expected<secret> {
            const auto head = fmt::format("sealed for {}: ", id);
            if (!sealed.starts_with(head))
              return make_error(errc::seal_broken);
            sealed.remove_prefix(head.size());
            return secret{std::string{sealed.rbegin(), sealed.rend()}};
          },
          [random](std::span<std::uint8_t> out) {
            for (auto& byte : out)
              byte = static_cast<std::uint8_t>((*random)());
          }};
}

inline registry_rules toy_rules() {
  registry_rules rules;
  rules.prefix = "sk-kp";
  rules.pool_low_water = 0;
  rules.pool_size = 0;
  rules.nodes = {"alpha", "beta"};
  return rules;
}

struct world {
  explicit world(registry_rules rules = toy_rules(), std::uint64_t seed = 1)
    : book(std::move(rules), toy_vault(seed)) {}

  /// Decides and applies; what was decided.
  caf::expected<registry_book::decision> ask(registry_question what, std::string who = "cli",
                                             std::string command = {}) {
    auto decided = book.decide({{std::move(who), "local", std::move(command)}, std::move(what)}, now);
    if (decided && decided->entry) {
      book.apply(*decided->entry);
      log.push_back(decided->entry);
    }
    return decided;
  }
  errc refusal(registry_question what, std::string who = "cli") {
    const auto before = book.position();
    auto decided = ask(std::move(what), std::move(who));
    if (decided || book.position() != before)
      return errc::none;
    return code_of(decided.error());
  }
  user_id person(const std::string& email = "ann@example.com", std::vector<group_name> groups = {}) {
    return ask(add_user{.email = email, .groups = std::move(groups)})->done.users.at(0).id;
  }
  void fill(std::uint32_t count) { (void)ask(make_keys{count}); }
  const client_key& assigned(const user_id& owner, const std::string& label = {}) {
    return *book.find(ask(assign_key{.owner = owner, .label = label})->done.keys.at(0).id);
  }
  void saw(const key_id& key, bool works, const node_name& node) {
    (void)ask(key_sighting{.node = node, .keys = {{key, works}}});
  }

  moment now{std::chrono::hours{24 * 365 * 50}};
  registry_book book;
  std::vector<std::shared_ptr<const registry_entry>> log;
};

inline bool told(const registry_book::decision& what, event_kind kind) {
  return std::any_of(what.events.begin(), what.events.end(), [kind](const auto& e) { return e.kind == kind; });
}

} // namespace keyportal::test
