#include "messages/subjects.hpp"

#include <fmt/format.h>

namespace keyportal::subjects {

std::string usage(const node_name& node, const key_id& key) { return fmt::format("{}.usage.{}.{}", root, node, key); }

std::string of(event_kind kind, const node_name& node) {
  return kind == event_kind::totals ? fmt::format("{}.totals.{}", root, node)
                                    : fmt::format("{}.node.{}.{}", root, node, name_of(kind));
}

std::string type_of(event_kind kind) { return fmt::format("io.keyportal.{}.v1", name_of(kind)); }

std::string_view name_of(event_kind kind) {
  switch (kind) {
    case event_kind::usage: return "usage";
    case event_kind::totals: return "totals";
    case event_kind::up: return "up";
    case event_kind::down: return "down";
    case event_kind::restarted: return "restarted";
    case event_kind::restored: return "restored";
    case event_kind::gap: return "gap";
    case event_kind::snapshot: return "snapshot";
    case event_kind::incomplete: return "incomplete";
    case event_kind::account_failed: return "account_failed";
  }
  return "unknown";
}

} // namespace keyportal::subjects
