// Logins under way, as long as one life of CPA lasts. No clock, no sockets; under the node's lock.
#pragma once

#include "account_room.hpp"
#include "version.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace keyportal::cpa_sim {

struct login_answer {
  int status = 200;
  std::string body; ///< JSON
};

class logins {
public:
  logins(const traits& t, std::string version, account_room& room)
    : traits_(t), version_(std::move(version)), room_(room) {}

  /// `route` is what stands before `-auth-url`; no such route: status 404.
  login_answer start(const std::string& route, const std::string& project, const std::string& state,
                     std::int64_t now_ms);
  login_answer callback(const std::string& body, std::int64_t now_ms);
  login_answer status(const std::string& state, std::int64_t now_ms);
  login_answer cancel(const std::string& state, std::int64_t now_ms);

private:
  struct session {
    std::string provider, project;
    bool device = false;
    std::int64_t began_ms = 0, ends_ms = 0;
    std::int64_t exchanged_ms = 0; ///< when the code will be; 0: none was handed in
    std::string code, refused;     ///< handed in; what the provider said instead
    std::string error;
    bool completed = false;
    std::int64_t kept_until_ms = 0;
  };
  void advance(std::int64_t now_ms);
  void finish(const std::string& state, session& s, std::int64_t now_ms);
  void fail(const std::string& state, session& s, const std::string& why, std::int64_t now_ms);
  void note(const std::string& state, const session& s, const std::string& outcome, const std::string& file);

  traits traits_;
  std::string version_;
  account_room& room_;
  std::map<std::string, session> sessions_; // by state
};

} // namespace keyportal::cpa_sim
