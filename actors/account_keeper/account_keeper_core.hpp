// What the parts of the account keeper share. For its own files only.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <caf/all.hpp>

#include "actors/account_keeper/account_book.hpp"
#include "actors/account_keeper/account_keeper.hpp"
#include "actors/account_keeper/login_book.hpp"
#include "actors/account_keeper/quota_plan.hpp"

namespace keyportal {

struct accounts_tick {
  std::uint64_t number = 0; ///< only the newest one counts
};
struct accounts_tell_again {};

using account_keeper_impl =
  account_keeper_actor::extend<caf::reacts_to<accounts_tick>, caf::reacts_to<accounts_tell_again>>;

/// Promises are handles: a copy answers as well as the first.
template <class Promise, class Value>
void give(Promise answer, Value&& value) {
  answer.deliver(std::forward<Value>(value));
}

/// The files of a provider, as they are now.
std::vector<file_mark> marks_of(const std::vector<cpa::auth_file>& files, std::string_view provider);

struct account_keeper_core;
struct account_keeper_state {
  account_keeper_state() = default;
  static inline const char* name = "account-keeper";
  std::unique_ptr<account_keeper_core> core;
};

struct account_keeper_core {
  using self_ptr = account_keeper_impl::stateful_pointer<account_keeper_state>;
  using login_promise = caf::typed_response_promise<account_login>;
  using view_promise = caf::typed_response_promise<account_view>;

  account_keeper_core(account_keeper_settings s, account_keeper_peers p, metrics& m);

  struct node_part {
    account_upstream_actor calls, questions;
    node_account_metrics numbers;
    std::optional<moment> seen_at;
    std::optional<moment> looked_at; ///< whatever came of it
    std::string problem;
    bool looking = false;
    bool token_under_way = false;
    std::set<std::string> not_offered; ///< providers that it refused to begin with, at `not_offered_by`
    std::string not_offered_by;
  };

  account_keeper_settings settings;
  account_keeper_peers peers;
  std::map<node_name, node_part> nodes;
  std::vector<node_name> order; ///< as configured
  account_book book;
  login_book logins;
  quota_plan plan;
  std::map<std::string, moment> asked_logins; ///< when the node was asked how one is
  std::set<std::string> calls_of_logins;      ///< with a call under way
  std::optional<moment> used_asked_at, kept_at;
  std::uint64_t tick_number = 0;
  bool draining = false;
  bool is_ours = false; ///< see settings.may_act
  bool takes_turn(self_ptr self);
  caf::typed_response_promise<drained> drain_promise;

  struct waiting_event {
    std::string id;
    node_event what;
  };
  std::deque<waiting_event> events;
  std::uint64_t event_number = 0;
  bool event_under_way = false;
  bool event_in_doubt = true; ///< the first of them may be in the ledger already: an end, or an error, hid its answer

  // account_keeper.cpp
  void load();
  void tick(self_ptr self);
  void act(self_ptr self);
  void look(self_ptr self, const node_name& node, std::function<void(const caf::error&)> then = {});
  void looked(self_ptr self, const node_name& node, const cpa::auth_files_answer& answer);
  void fetch_tokens(self_ptr self, const node_name& node);
  void ask_quotas(self_ptr self);
  void ask_quota(self_ptr self, const account_id& id, std::function<void()> then);
  void ask_used(self_ptr self);
  void took_used(std::size_t span, const usage_report& report);
  void change(self_ptr self, const change_account& m, view_promise answer);
  void map_people(self_ptr self, std::shared_ptr<const put_account_mapping> m, std::size_t at, mapping_report so_far,
                  caf::typed_response_promise<mapping_report> answer);
  [[nodiscard]] account_list_ptr list() const;
  void count();

  // keeping.cpp
  void tell(self_ptr self, std::vector<node_event> what);
  void send_events(self_ptr self);
  bool keep(storage::account_rows_change what);
  void keep_changes(bool all);
  void keep_login(const login_entry& which);

  // login_flow.cpp
  [[nodiscard]] std::vector<account_offer> offers() const;
  [[nodiscard]] bool offers(const node_name& node, const provider_row& row) const;
  [[nodiscard]] caf::expected<node_name> choose_node(const provider_row& row, const node_name& wanted) const;
  void begin(self_ptr self, const begin_account_login& m, login_promise answer);
  void begin_at(self_ptr self, const std::string& id, const provider_row& row, const std::string& project,
                login_promise answer);
  void submit(self_ptr self, const submit_callback& m, login_promise answer);
  void cancel(self_ptr self, login_entry& of, login_stage how, errc code, const std::string& words);
  void follow_logins(self_ptr self);
  void ask_how(self_ptr self, login_entry& of);
  void find_file(self_ptr self, const std::string& id, const std::vector<cpa::auth_file>& files);
  void try_account(self_ptr self, login_entry& of);
  void finish(self_ptr self, const std::string& id, const account_id& account, bool tested);
  void fail(login_entry& of, errc code, const std::string& detail);
  [[nodiscard]] login_entry* open_login(const std::string& id);
};

} // namespace keyportal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::accounts_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::accounts_tell_again)
