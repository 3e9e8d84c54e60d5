// ACCOUNT UPSTREAM: the accounts of one CPA as an actor. Blocks, so it is spawned with a thread of its own. Each node has two:
// one for logins and the folder, one for questions that go on to providers, which may take a minute.
#pragma once

#include <memory>

#include <caf/actor_system.hpp>

#include "actors/cpa/account_client.hpp"
#include "messages/accounts.hpp"

namespace keyportal {

struct fetch_auth_files {};
struct start_login {
  std::string route, project;
};
struct hand_in_code {
  std::string session, state, code, refused;
};
struct ask_login {
  std::string state;
};
struct end_login {
  std::string state;
};
struct switch_account {
  std::string file;
  bool disabled = false;
};
struct delete_account_file {
  std::string file;
};
struct fetch_token_times {
  std::string file;
};

// clang-format off
using account_upstream_actor = caf::typed_actor<
  caf::replies_to<fetch_auth_files>::with<cpa::auth_files_answer>,
  caf::replies_to<start_login>::with<cpa::login_started>,
  caf::replies_to<hand_in_code>::with<cpa::login_said>,
  caf::replies_to<ask_login>::with<cpa::login_said>,
  caf::replies_to<end_login>::with<cpa::login_said>,
  caf::replies_to<switch_account>::with<bool>,
  caf::replies_to<delete_account_file>::with<bool>,
  caf::replies_to<fetch_token_times>::with<cpa::token_times>,
  caf::replies_to<cpa::provider_question>::with<cpa::provider_said>>;
// clang-format on

/// `client` is shared with whoever must be able to stop a call under way. Its connection is closed when nothing was asked
/// for five seconds.
account_upstream_actor spawn_account_upstream(caf::actor_system& system, std::shared_ptr<cpa::account_client> client);

} // namespace keyportal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::fetch_auth_files)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::start_login)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::hand_in_code)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::ask_login)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::end_login)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::switch_account)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::delete_account_file)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::fetch_token_times)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::cpa::auth_files_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::cpa::login_started)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::cpa::login_said)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::cpa::token_times)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::cpa::provider_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::cpa::provider_said)
