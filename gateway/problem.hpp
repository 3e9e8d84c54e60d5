// Every answer that is an error, as RFC 9457 problem details. Pure.
#pragma once

#include <caf/error.hpp>

#include "messages/http.hpp"

namespace keyportal::gateway {

/// `application/problem+json` with type, title (the sentence of the error list), status, detail (what it is about) and
/// code (stable, for programs). `status` other than 0 takes the place of the one in the error list. Retryable errors
/// carry Retry-After, 401 carries WWW-Authenticate.
http_response problem(const caf::error& error, int status = 0);

} // namespace keyportal::gateway
