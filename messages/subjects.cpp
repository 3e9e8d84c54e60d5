#include "messages/subjects.hpp"

#include <fmt/format.h>

namespace keyportal::subjects {

namespace {

/// Whose events these are; empty: a node's.
std::string_view about_of(event_kind kind) {
  return is_of_account(kind)  ? "account"
         : is_of_key(kind)    ? "key"
         : is_of_user(kind)   ? "user"
         : is_of_policy(kind) ? "policy"
         : is_of_store(kind)  ? "store"
                              : "";
}

} // namespace

std::string usage(const node_name& node, const key_id& key) { return fmt::format("{}.usage.{}.{}", root, node, key); }

std::string of(const node_event& event) {
  if (const auto whose = about_of(event.kind); !whose.empty())
    return fmt::format("{}.{}.{}.{}", root, whose, event.about, name_of(event.kind));
  return of(event.kind, event.node);
}

std::string of(event_kind kind, const node_name& node) {
  return kind == event_kind::totals ? fmt::format("{}.totals.{}", root, node)
                                    : fmt::format("{}.node.{}.{}", root, node, name_of(kind));
}

std::string type_of(event_kind kind) {
  const auto whose = about_of(kind);
  return fmt::format("io.keyportal.{}{}{}.v1", whose, whose.empty() ? "" : ".", name_of(kind));
}

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
    case event_kind::drift: return "drift";
    case event_kind::open_access: return "open_access";
    case event_kind::account_contributed: return "contributed";
    case event_kind::account_changed: return "changed";
    case event_kind::account_removed: return "removed";
    case event_kind::account_limited: return "limited";
    case event_kind::account_login_needed: return "login_needed";
    case event_kind::account_recovered: return "recovered";
    case event_kind::account_quota: return "quota";
    case event_kind::account_login_due: return "login_due";
    case event_kind::key_assigned: return "assigned";
    case event_kind::key_active: return "active";
    case event_kind::key_renewed: return "renewed";
    case event_kind::key_expiring: return "expiring";
    case event_kind::key_expired: return "expired";
    case event_kind::key_suspended: return "suspended";
    case event_kind::key_resumed: return "resumed";
    case event_kind::key_rotated: return "rotated";
    case event_kind::key_revoked: return "revoked";
    case event_kind::key_found: return "found";
    case event_kind::key_adopted: return "adopted";
    case event_kind::key_changed: return "changed";
    case event_kind::key_budget: return "budget";
    case event_kind::pool_low: return "low";
    case event_kind::key_renewal_asked: return "renewal_asked";
    case event_kind::key_renewal_refused: return "renewal_refused";
    case event_kind::user_registered: return "registered";
    case event_kind::user_approved: return "approved";
    case event_kind::user_changed: return "changed";
    case event_kind::user_suspended: return "suspended";
    case event_kind::user_resumed: return "resumed";
    case event_kind::user_deleted: return "deleted";
    case event_kind::user_budget: return "budget";
    case event_kind::user_refused: return "refused";
    case event_kind::policy_changed: return "changed";
    case event_kind::policy_dropped: return "dropped";
    case event_kind::policy_budget: return "budget";
    case event_kind::backup_made: return "made";
    case event_kind::backup_failed: return "failed";
    case event_kind::records_retired: return "retired";
    case event_kind::disk_alarm: return "alarm";
    case event_kind::backup_restored: return "recovered";
    case event_kind::audit_head: return "head";
  }
  return "unknown";
}

} // namespace keyportal::subjects
