// What the registry knows, and every decision about it. No actor, no I/O; time and randomness are arguments.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <caf/expected.hpp>

#include "messages/actors.hpp"

namespace keyportal {

struct registry_rules {
  std::string prefix = "sk-kp";      ///< of keys that we make
  std::uint64_t pool_low_water = 10; ///< fewer keys in the pool than this: it is filled
  std::uint64_t pool_size = 50;      ///< to so many; 0: never by itself
  std::vector<std::chrono::seconds> reminders = {std::chrono::hours{7 * 24}, std::chrono::hours{3 * 24},
                                                 std::chrono::hours{24}}; ///< before a key expires; longest first
  std::int64_t longest_grace_s = 24 * 3600;
  std::vector<node_name> nodes;                              ///< all there are
  std::map<std::string, std::vector<node_name>> node_groups; ///< names that stand for several of them
};

/// What is needed to handle texts of keys. All three may be called from one thread at a time.
struct key_vault {
  std::function<key_id(std::string_view)> id_of;
  std::function<caf::expected<std::string>(std::string_view text, const key_id&)> seal;
  std::function<caf::expected<secret>(std::string_view sealed, const key_id&)> open;
  std::function<void(std::span<std::uint8_t>)> draw; ///< from the system's random source
};

/// People and keys are found by what is in them: of hundreds of thousands no name is kept twice.
struct by_id {
  using is_transparent = void;
  std::size_t operator()(std::string_view id) const { return std::hash<std::string_view>{}(id); }
  std::size_t operator()(const client_key& key) const { return operator()(key.id); }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return id_of(a) == id_of(b);
  }

private:
  static std::string_view id_of(std::string_view id) { return id; }
  static std::string_view id_of(const client_key& key) { return key.id; }
};
struct by_email {
  using is_transparent = void;
  std::size_t operator()(std::string_view email) const { return std::hash<std::string_view>{}(email); }
  std::size_t operator()(const user* person) const { return operator()(person->email); }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return email_of(a) == email_of(b);
  }

private:
  static std::string_view email_of(std::string_view email) { return email; }
  static std::string_view email_of(const user* person) { return person->email; }
};
struct in_order_of_ids {
  using is_transparent = void;
  bool operator()(const user& a, const user& b) const { return a.id < b.id; }
  bool operator()(const user& a, std::string_view b) const { return a.id < b; }
  bool operator()(std::string_view a, const user& b) const { return a < b.id; }
};
inline bool is_active_admin(const user& who) { return who.role == user_role::admin && who.state == user_state::active; }
using key_set = std::unordered_set<client_key, by_id, by_id>;

/// The fold of the log in memory, with the indexes that decisions need. Looking up: O(1). One thread.
class registry_book {
public:
  registry_book(registry_rules rules, key_vault vault) : rules_(std::move(rules)), vault_(std::move(vault)) {}

  /// What is on disk. Replaces everything.
  void load(registry_image image);

  struct decision {
    std::shared_ptr<registry_entry> entry; ///< null: nothing changes
    std::vector<node_event> events;
    command_done done;
  };
  /// What the command comes to; changes nothing. Errors: the block "people and keys" of errc, and not_authorised.
  [[nodiscard]] caf::expected<decision> decide(const registry_command& what, moment now) const;
  /// The entry is in the log, or on its way there; its position is the next one.
  void apply(const registry_entry& entry);

  /// The entry that an earlier command of this name made; 0 when there was none.
  [[nodiscard]] log_position position_of(const std::string& command) const;
  /// Whether the entry is what this command came to, as far as the entry says: same person, same question.
  [[nodiscard]] bool answers(const registry_entry& entry, const registry_command& what) const;
  /// What was answered to the command that made this entry: the same again, with the texts of the keys it gave out.
  [[nodiscard]] caf::expected<command_done> answer_again(const registry_entry& entry) const;

  [[nodiscard]] log_position position() const { return position_; }
  /// When `pass_time` should be asked next; nothing waits: not set.
  [[nodiscard]] std::optional<moment> due_at() const;
  /// Null when there is none.
  [[nodiscard]] const client_key* find(const key_id& id) const;
  [[nodiscard]] const user* find_user(const user_id& id) const;
  [[nodiscard]] const user* find_email(const std::string& email) const;
  /// key_unknown or key_mistyped when the text is no key of the registry.
  [[nodiscard]] caf::expected<const client_key*> find_text(std::string_view text) const;
  [[nodiscard]] const policy& policy_of(const user& whose) const;
  [[nodiscard]] std::vector<policy> policies() const;
  [[nodiscard]] const std::map<std::string, price>& prices() const { return prices_; } ///< by id
  [[nodiscard]] price_page prices(const list_prices& which) const;
  [[nodiscard]] key_page keys(const list_keys& which) const;
  [[nodiscard]] user_page users(const list_users& which) const;
  [[nodiscard]] registry_state state() const;
  [[nodiscard]] const std::vector<const client_key*>& keys_of(const user_id& whose) const;
  [[nodiscard]] const key_set& all_keys() const { return keys_; }
  /// Suspended because a budget is used up.
  [[nodiscard]] const std::set<key_id>& over_budget() const { return over_budget_; }
  [[nodiscard]] const registry_rules& rules() const { return rules_; }
  [[nodiscard]] caf::expected<secret> text_of(const client_key& key) const { return vault_.open(key.sealed, key.id); }
  /// Whether the key's text should be at the node.
  [[nodiscard]] bool belongs_at(const client_key& key, const node_name& node) const;
  /// For people: without the sealed text, and with the nodes that "all" and groups mean.
  [[nodiscard]] client_key shown(client_key key) const;

private:
  class draft;
  struct earlier {
    bool operator()(const std::pair<moment, const client_key*>& a,
                    const std::pair<moment, const client_key*>& b) const {
      return a.first != b.first ? a.first < b.first : a.second->id < b.second->id;
    }
  };
  void put(client_key key);
  void take_out(const client_key& key);
  void put(user person);
  void count(const client_key& key, int by);
  [[nodiscard]] std::optional<moment> due(const client_key& key) const;
  [[nodiscard]] bool changing(const client_key& key) const;

  registry_rules rules_;
  key_vault vault_;
  log_position position_ = 0;
  key_set keys_;                          ///< rows stay where they are
  std::set<user, in_order_of_ids> users_; ///< likewise
  std::map<group_name, policy> policies_;
  std::map<std::string, price> prices_;
  std::unordered_map<std::string, access_record> access_; ///< by id
  std::unordered_set<const user*, by_email, by_email> by_email_;
  std::unordered_map<const user*, std::vector<const client_key*>> by_owner_;
  std::unordered_map<std::string, log_position> commands_;
  std::set<key_id> pool_; ///< ids are hashes: their order tells nothing
  using schedule = std::set<std::pair<moment, const client_key*>, earlier>;
  void schedule_at(moment at, const client_key& key) const;
  /// In the order in which something is due; of many keys the nearest ones only.
  [[nodiscard]] const schedule& upcoming() const;
  mutable schedule schedule_;                      ///< what is due before `scheduled_until_`
  mutable moment scheduled_until_ = moment::max(); ///< the rest is looked for when these are done
  std::set<key_id> over_budget_;
  std::size_t active_admins_ = 0;
  std::array<std::uint64_t, 7> counts_{};
  std::array<std::uint64_t, 3> origins_{};
  std::uint64_t changing_ = 0, by_hand_ = 0, renewals_ = 0;
};

/// "key.assign", …: how the audit calls it.
std::string_view name_of(const registry_question& what);

} // namespace keyportal
