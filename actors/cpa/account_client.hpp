// The accounts of one CPA with providers: logins, the folder of credentials, questions to providers. A connection of its
// own.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/expected.hpp>

#include "actors/cpa/key_watch.hpp"
#include "actors/cpa/account_files.hpp"
#include "messages/ids.hpp"
#include "messages/secret.hpp"

namespace keyportal::cpa {

struct account_client_settings {
  node_name node;
  std::string url; ///< scheme, host, port, optional path prefix; no credentials
  secret management_key;
  std::chrono::milliseconds timeout{15'000};
  std::chrono::milliseconds provider_timeout{65'000}; ///< CPA itself waits for a provider up to 60 s
  /// Nothing is asked before the key was taken, nor while it is refused; null: always.
  std::shared_ptr<key_watch> watch = {};
};

struct auth_files_answer {
  std::vector<auth_file> files;
  std::string version;
};
struct login_started {
  std::string state, url;
  std::string user_code;
  bool device = false;
  std::string ends_at;           ///< out of the url; empty: a code is typed
  std::chrono::seconds lasts{0}; ///< 0: not told
};
enum class login_word : std::uint8_t { wait, ok, failed, unknown };
struct login_said {
  login_word is = login_word::wait;
  std::string why; ///< CPA's sentence, of its known ones; else empty
};
struct provider_question {
  std::string auth_index, method, url, headers, body; ///< headers: lines "Name: value"
};
struct provider_said {
  int status = 0;
  std::string body;
};

/// Calls block; one thread at a time, except `stop`, after which the call under way and all later ones end with
/// shutting_down. No answer is quoted: it may hold tokens.
class account_client {
public:
  explicit account_client(account_client_settings settings);
  ~account_client();
  account_client(const account_client&) = delete;
  account_client& operator=(const account_client&) = delete;

  caf::expected<auth_files_answer> files();
  /// GET <route>-auth-url. account_provider_unknown where the node has no such route.
  caf::expected<login_started> start(const std::string& route, const std::string& project);
  /// POST oauth-callback: the code, or what the provider refused with. account_login_over for a state that CPA does not
  /// know (any more), callback_used, callback_other_provider, account_login_failed.
  caf::expected<login_said> hand_in(const std::string& session, const std::string& state, const std::string& code,
                                    const std::string& refused);
  caf::expected<login_said> status(const std::string& state);
  /// DELETE oauth-session; a node that has none forgets by itself.
  caf::expected<login_said> cancel(const std::string& state);
  /// account_unknown, account_too_old.
  caf::expected<bool> set_disabled(const std::string& file, bool disabled);
  caf::expected<bool> remove(const std::string& file);
  /// When the token ends: the credential is fetched, and forgotten but for that.
  caf::expected<token_times> times(const std::string& file);
  /// POST api-call. account_too_old where there is none, account_unknown.
  caf::expected<provider_said> ask(const provider_question& what);
  /// Closes the connection; the next call opens another.
  void close();
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace keyportal::cpa
