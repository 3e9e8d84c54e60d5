// Accounts with providers, contributed by people and looked after: what is asked and what is told.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/actors.hpp"

namespace keyportal {

/// "a" and 26 lower-case base32 characters, by node and file name; tells neither.
using account_id = std::string;

// --- how an account is ---------------------------------------------------------------------

enum class account_condition : std::uint8_t {
  fine,
  degraded,     ///< some model of it failed last
  resting,      ///< until `rests_until`: its quota is used up, or the provider asked for it
  not_renewed,  ///< its token should have been renewed by now
  login_needed, ///< somebody has to sign in anew
  off,          ///< switched off
  gone          ///< was there, and is not at its node any more
};
/// Stable, for the API.
std::string_view to_text(account_condition c);

/// When a window is used up if things go on so.
struct exhaustion {
  std::optional<moment> at; ///< not set: not before the window begins anew, or nothing can be said
  bool sure = false;        ///< enough was seen, and it lies on a line
  std::string words;        ///< a sentence
};

/// One limit of a provider, e.g. of five hours.
struct quota_window {
  std::string name;         ///< "5h", "7d", "30d", or what the provider calls it, with what it is for: "7d sonnet"
  double used = 0;          ///< percent
  std::int64_t spans_s = 0; ///< how long it lasts; 0: not told
  std::optional<moment> begins_anew;
  exhaustion forecast = {};
};

/// What an account was used for within a span that ends now.
struct account_use {
  std::uint64_t ok = 0, failed = 0;
  std::int64_t tokens = 0;
};
/// The spans, in the order of `account_view::used`.
inline constexpr std::array<std::string_view, 4> account_spans{"1h", "5h", "24h", "7d"};

struct account_view {
  account_id id;
  node_name node;
  std::string provider; ///< as the node calls it: "claude", "codex", …
  std::string plan;     ///< empty: not known
  std::string owner;    ///< user id; empty: nobody's, or nobody of ours
  std::string owner_name;
  account_condition condition = account_condition::fine;
  std::string why; ///< a sentence, without anything private
  std::optional<moment> rests_until, token_ends, refreshed_at, contributed_at, seen_at, tested_at;
  std::array<account_use, 4> used{};
  std::vector<quota_window> quota;
  std::optional<moment> quota_at;
  std::string quota_problem; ///< a sentence; empty when all is well
  // private: for those who look after accounts
  std::string file, email, owner_email, auth_index;
  std::string last_error; ///< as the provider said it
};
struct account_list {
  struct node_part {
    node_name node;
    std::optional<moment> seen_at;
    std::string problem; ///< a sentence; empty when all is well
  };
  moment at{};
  std::vector<account_view> accounts; ///< by node, provider and file
  std::vector<node_part> nodes;
};

// --- contributing ----------------------------------------------------------------------------

enum class login_way : std::uint8_t {
  browser, ///< the provider's page ends at an address that is handed in
  device   ///< a code is typed at the provider's page; the node waits for it
};
struct account_offer {
  std::string provider, title;
  login_way way = login_way::browser;
  std::string ends_at; ///< how the address begins that is handed in
  std::vector<node_name> nodes;
};

enum class login_stage : std::uint8_t {
  waiting,   ///< for the address, or for the code to be typed
  finishing, ///< the node exchanges the code
  testing,   ///< the account is there and is tried
  done,
  failed,
  cancelled
};
std::string_view to_text(login_stage s);

struct account_login {
  std::string id; ///< drawn at random
  std::string provider, title;
  node_name node;
  login_way way = login_way::browser;
  std::string url;       ///< of the provider's page
  std::string user_code; ///< to be typed there; empty: none
  std::string ends_at;
  login_stage stage = login_stage::waiting;
  std::string words; ///< a sentence: what to do now, or what came of it
  std::string code;  ///< the error's name where it failed
  moment begun_at{}, ends{};
  account_id account;     ///< when it is there
  bool was_there = false; ///< an account that existed already, with a fresh login
};

struct list_account_offers {};
struct begin_account_login {
  std::string who, name; ///< user id, and what he is called
  std::string provider;
  node_name node = {};      ///< empty: where fewest accounts of that provider are
  std::string project = {}; ///< of gemini-cli
  bool admin = false;       ///< may, whoever else may not
};
/// What somebody pasted; `login` may be empty where the text says which it is.
struct submit_callback {
  std::string who, login, text;
  std::string provider = {}; ///< as the page has it; empty: not said
};
struct read_account_login {
  std::string who, login;
};
struct cancel_account_login {
  std::string who, login;
};

// --- looking after ----------------------------------------------------------------------------

struct list_accounts {};
struct change_account {
  enum class deed : std::uint8_t { enable, disable, remove, test } what = deed::test;
  std::string who;
  account_id account;
};
/// Who gave the accounts with these addresses.
struct put_account_mapping {
  struct one {
    std::string email;                   ///< of the account
    std::string owner_email, owner_name; ///< of the person
  };
  std::string who;
  std::vector<one> people;
};
struct mapping_report {
  std::uint64_t taken = 0;    ///< rows
  std::uint64_t known = 0;    ///< of these: the person is one of ours
  std::uint64_t accounts = 0; ///< that have an owner by them now
};
struct read_account_windows {
  account_id account;
};
struct window_history {
  std::string name;
  std::vector<std::pair<moment, double>> samples; ///< of the present window, oldest first
  struct past {
    moment ended{};
    double most = 0; ///< percent
  };
  std::vector<past> ended; ///< oldest first
};
using account_windows = std::vector<window_history>;

using account_list_ptr = std::shared_ptr<const account_list>;

// clang-format off
using account_keeper_actor = caf::typed_actor<
  caf::replies_to<list_accounts>::with<account_list_ptr>,
  caf::replies_to<list_account_offers>::with<std::vector<account_offer>>,
  caf::replies_to<begin_account_login>::with<account_login>,
  caf::replies_to<submit_callback>::with<account_login>,
  caf::replies_to<read_account_login>::with<account_login>,
  caf::replies_to<cancel_account_login>::with<account_login>,
  caf::replies_to<change_account>::with<account_view>,
  caf::replies_to<put_account_mapping>::with<mapping_report>,
  caf::replies_to<read_account_windows>::with<account_windows>,
  // Asks nodes nothing more; answered when what it knows is on disk.
  caf::replies_to<drain>::with<drained>>;
// clang-format on

} // namespace keyportal

// In-process only: none of these is ever serialised.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::list_accounts)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::account_list_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::list_account_offers)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::account_offer>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::begin_account_login)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::submit_callback)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::read_account_login)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::cancel_account_login)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::account_login)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::change_account)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::account_view)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::put_account_mapping)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::mapping_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::read_account_windows)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::account_windows)
