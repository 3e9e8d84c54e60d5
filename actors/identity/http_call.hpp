// One question to a place to sign in at, and its answer, as values: who makes the calls is another matter.
#pragma once

#include <string>

#include "messages/secret.hpp"

namespace keyportal::identity {

struct http_call {
  std::string url;          ///< fine by `check_provider_url`; holds no secret
  std::string content_type; ///< of `body`; empty: there is none, and this is a GET; else a POST
  secret body;              ///< holds codes and client secrets
  secret authorization;     ///< the header's value; empty: no such header
};

struct http_answer {
  long status = 0;
  std::string content_type; ///< as sent, parameters included
  std::string body;
};

} // namespace keyportal::identity
