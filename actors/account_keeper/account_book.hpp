// All accounts of all nodes: what was seen of them, whose they are, how their quota went, and what is to be told. Pure; time
// and ids are arguments.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "actors/account_keeper/account_fold.hpp"
#include "actors/account_keeper/quota_reader.hpp"
#include "actors/account_keeper/window_book.hpp"
#include "messages/accounts.hpp"

namespace keyportal {

struct account_entry {
  account_id id;
  node_name node;
  cpa::auth_file file;    ///< as the node told it last
  std::int64_t stamp = 0; ///< of the file; another one after every change
  bool present = false;
  bool seen_now = false; ///< since we started
  std::string owner, owner_name, owner_email;
  std::optional<moment> contributed_at, seen_at, tested_at;
  // of the credential
  cpa::token_times token;
  std::int64_t token_stamp = -1; ///< of the file whose token that is
  // of the provider
  int provider_status = 0;
  std::int64_t provider_stamp = -1; ///< of the file about which it was said
  std::string plan, quota_problem, last_error;
  window_book windows;
  std::array<account_use, 4> used{};
  // what was told
  account_condition told = account_condition::fine;
  bool told_once = false;
  std::uint32_t reminders = 0;       ///< bits, in the order of the option
  std::optional<moment> reminded_of; ///< the end they are about
};

class account_book {
public:
  /// `id_of`: of node and file name. `reminders`: longest first.
  account_book(std::function<account_id(const std::string&)> id_of, std::vector<std::chrono::milliseconds> reminders)
    : id_of_(std::move(id_of)), reminders_(std::move(reminders)) {}

  /// What was kept; false for a row that is none.
  bool load_account(std::string_view text);
  bool load_windows(const account_id& id, std::string_view text);
  void load_mapping(std::string_view text);

  /// A whole list of a node. What is to be told of it.
  std::vector<node_event> seen(const node_name& node, const std::string& version, std::vector<cpa::auth_file> files,
                               moment now);
  std::vector<node_event> token_seen(const account_id& id, const cpa::token_times& token, moment now);
  /// What the provider answered to the question for quota.
  std::vector<node_event> provider_said(const account_id& id, int status, std::string_view body, moment now);
  void provider_silent(const account_id& id, std::string why);
  /// What time brings.
  std::vector<node_event> pass_time(moment now);

  /// Somebody signed in to it. Who gave it first keeps it; true where that is this one.
  bool contributed(const account_id& id, const std::string& who, const std::string& name, moment now);
  /// The number of accounts that have an owner by it.
  std::uint64_t map_owner(const std::string& email, const std::string& owner_email, const std::string& name,
                          const std::string& owner);
  /// Of each mapping: its id and text, for keeping.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> mapping_rows() const;

  [[nodiscard]] account_entry* find(const account_id& id);
  [[nodiscard]] account_entry* find(const node_name& node, const std::string& file);
  [[nodiscard]] std::map<account_id, account_entry>& all() { return entries_; }
  [[nodiscard]] account_view view(const account_entry& of, moment now) const;
  [[nodiscard]] std::vector<account_view> views(moment now) const;
  [[nodiscard]] std::string version_of(const node_name& node) const;
  [[nodiscard]] static std::string write_account(const account_entry& of);
  /// Accounts and windows that changed since this was asked last, for keeping.
  struct changes {
    std::set<account_id> accounts, windows;
  };
  changes take_changes() { return std::exchange(changed_, {}); }
  [[nodiscard]] node_event event(event_kind kind, const account_entry& of, moment now, std::string words) const;

private:
  void judge(account_entry& of, moment now, std::vector<node_event>& out);
  [[nodiscard]] account_finding finding(const account_entry& of, moment now) const;
  void take_mapping(account_entry& of) const;

  struct person {
    std::string owner, name, email;
  };
  std::function<account_id(const std::string&)> id_of_;
  std::vector<std::chrono::milliseconds> reminders_;
  std::map<account_id, account_entry> entries_;
  std::map<node_name, std::string> versions_;
  std::map<std::string, person> mapping_; ///< by the account's address, lower case
  changes changed_;
};

} // namespace keyportal
