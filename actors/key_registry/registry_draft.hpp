// One command being decided: copies of what it touches, and what follows from them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "actors/key_registry/key_text.hpp"
#include "actors/key_registry/registry_book.hpp"
#include "actors/key_registry/registry_text.hpp"

namespace keyportal {

/// The book stays as it is; the draft is thrown away when the command is refused.
class registry_book::draft {
public:
  draft(const registry_book& book, const command_context& by, moment now) : book_(book), by_(by), now_(now) {}

  [[nodiscard]] caf::error work(const add_user& what);
  [[nodiscard]] caf::error work(const change_user& what);
  [[nodiscard]] caf::error work(const set_user_state& what);
  [[nodiscard]] caf::error work(const put_policy& what);
  [[nodiscard]] caf::error work(const drop_policy& what);
  [[nodiscard]] caf::error work(const make_keys& what);
  [[nodiscard]] caf::error work(const import_keys& what);
  [[nodiscard]] caf::error work(const assign_key& what);
  [[nodiscard]] caf::error work(const renew_key& what);
  [[nodiscard]] caf::error work(const rotate_key& what);
  [[nodiscard]] caf::error work(const suspend_key& what);
  [[nodiscard]] caf::error work(const resume_key& what);
  [[nodiscard]] caf::error work(const revoke_key& what);
  [[nodiscard]] caf::error work(const change_key& what);
  [[nodiscard]] caf::error work(const adopt_key& what);
  [[nodiscard]] caf::error work(const ask_renewal& what);
  [[nodiscard]] caf::error work(const answer_renewal& what);
  [[nodiscard]] caf::error work(const pass_time& what);
  [[nodiscard]] caf::error work(const budgets_crossed& what);
  [[nodiscard]] caf::error work(const key_sighting& what);
  [[nodiscard]] caf::error work(const put_prices& what);
  [[nodiscard]] caf::error work(const drop_prices& what);
  [[nodiscard]] caf::error work(const put_access& what);

  /// last_admin when nobody would be left who may do everything.
  [[nodiscard]] caf::error check_admins() const;
  [[nodiscard]] decision finish(std::string_view what);

private:
  template <class T>
  struct touched {
    std::optional<T> before;
    T after;
  };

  /// A copy to be changed; null when there is none.
  client_key* key(const key_id& id);
  user* person(const user_id& id);
  [[nodiscard]] caf::expected<user*> active_person(const user_id& id);
  [[nodiscard]] caf::expected<client_key*> make(key_origin origin, const secret& text);
  [[nodiscard]] caf::expected<secret> fresh_text();
  [[nodiscard]] caf::error give(client_key& key, const user& owner, std::string label,
                                std::optional<std::int64_t> lifetime_s, std::optional<std::vector<node_name>> nodes);
  /// A live or suspended key that was not replaced, or why it cannot be renewed.
  [[nodiscard]] caf::expected<client_key*> renewable(const key_id& id);
  [[nodiscard]] const policy& policy_of(const client_key& key) const;
  void expire_after(client_key& key, std::int64_t lifetime_s) const;
  [[nodiscard]] caf::error check_nodes(const std::vector<node_name>& nodes) const;
  [[nodiscard]] std::size_t keys_held(const user_id& owner) const;
  /// too_many_requests when the owner asks for himself and got as many keys in the last hour as are for an hour.
  [[nodiscard]] caf::error check_pace(const user_id& owner) const;
  void end(client_key& key, key_state how, event_kind told);
  void suspend(client_key& key, suspension why);
  void resume(client_key& key);
  /// `reason`: what a person gave as one; empty: none.
  void tell(event_kind kind, const client_key& key, const std::string& reason = {});
  void tell(event_kind kind, const policy& rules);
  void tell(event_kind kind, const user& person, const std::string& reason = {});
  void fill_pool(std::uint64_t count, caf::error& failed);
  void pass_time_of(client_key& key);

  const registry_book& book_;
  const command_context& by_;
  moment now_;
  std::map<key_id, touched<client_key>> keys_;
  std::map<user_id, touched<user>> users_;
  std::map<group_name, change_of<policy>> policies_;
  std::map<std::string, change_of<price>> prices_;
  std::map<std::string, change_of<access_record>> access_;
  std::vector<node_event> events_;
  command_done done_;
  std::vector<key_id> shown_; ///< keys of which the answer has the text
};

} // namespace keyportal
