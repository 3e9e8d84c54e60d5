// `keyportal serve`: prepares what the actors live in, runs them, and takes it all down again.
#pragma once

#include <string>

#include "actors/nats/server.hpp"
#include "config/settings.hpp"

namespace keyportal {

/// Returns when the service has ended: 0 after a stop that was asked for, 1 after a failure (said on standard error).
/// `shown_settings`: what is in force, as JSON without secrets, for whoever asks over the API.
int run_service(const settings& configured, const std::string& shown_settings);

/// The configured NATS server with all it takes to sign in.
nats::server_settings nats_server(const settings& configured);

} // namespace keyportal
