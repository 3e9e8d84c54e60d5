// Logins with providers that are under way: whose, at which node, until when, and what a pasted address means for them.
// Pure; time is an argument.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <caf/expected.hpp>

#include "actors/account_keeper/callback_text.hpp"
#include "messages/accounts.hpp"

namespace keyportal {

/// How one file of a node's folder was when the login began.
struct file_mark {
  std::string name;
  std::int64_t changed_ns = 0;
  std::int64_t size = 0;
  bool operator==(const file_mark&) const = default;
};

struct login_entry {
  account_login shown;
  std::string who, name; ///< user id, and what he is called
  std::string state;     ///< a secret until the login ended; then empty
  std::vector<file_mark> before;
  bool handed_in = false;
  std::optional<moment> said_done; ///< when the node said that it worked
  std::optional<moment> told_done; ///< when its end was told to somebody: kept a while
};

/// What its owner is shown: the address of the provider's page, which holds the state, only as long as it is wanted.
account_login shown_of(const login_entry& of);

/// JSON, for keeping; and back. False for what the other does not write.
std::string write_login(const login_entry& what);
bool read_login(std::string_view text, login_entry& out);

class login_book {
public:
  using map = std::map<std::string, login_entry>; ///< by id
  /// The code of a browser login must be handed in within CPA's five minutes.
  static constexpr std::chrono::seconds browser_time{290};
  static constexpr std::chrono::seconds device_time{900};
  static constexpr std::chrono::hours kept{1}; ///< after its end, so that a late page still hears of it
  static constexpr std::size_t most_of_one = 5;
  /// A node says that it worked a moment before it shows the account.
  static constexpr std::chrono::seconds shows_within{20};

  /// May somebody begin one now? account_login_busy while somebody else's with that provider at that node is under way.
  /// The id of his own that is replaced, or empty.
  [[nodiscard]] caf::expected<std::string> may_begin(const std::string& who, const std::string& provider,
                                                     const node_name& node, moment now) const;
  login_entry& begin(login_entry what);
  /// account_login_unknown for one of somebody else's, too.
  [[nodiscard]] caf::expected<login_entry*> find(const std::string& who, const std::string& id);
  /// What was pasted, judged: which login it ends. `id` may be empty: the state says which. Errors: account_login_unknown,
  /// account_login_over, callback_foreign, callback_incomplete, callback_other_provider, callback_used.
  [[nodiscard]] caf::expected<login_entry*> judge(const std::string& who, const std::string& id, const callback& what,
                                                  const std::string& provider, moment now);
  /// Those that time ended: they are over.
  [[nodiscard]] std::vector<login_entry*> expired(moment now);
  /// Forgets those that ended long ago; their ids.
  std::vector<std::string> forget(moment now);
  void end(login_entry& which, login_stage how, errc code, std::string words, moment now);
  [[nodiscard]] map& all() { return logins_; }
  static bool is_open(login_stage s) {
    return s == login_stage::waiting || s == login_stage::finishing || s == login_stage::testing;
  }

private:
  map logins_;
};

/// Which file a login made: new, or written again since; the provider's own first. Empty: none.
std::string new_file(const std::vector<file_mark>& before, const std::vector<file_mark>& now);

} // namespace keyportal
