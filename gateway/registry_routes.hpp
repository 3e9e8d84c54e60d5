// Routes about people, keys, policies and the audit: each a question to the registry, the ledger or a node's key keeper.
#pragma once

#include "gateway/visit.hpp"

namespace keyportal::gateway {

/// Answers a request about the registry; 404 when its topic is none of these.
void about_registry(const visit& here);
/// Answers a request about the keys or the kept configs of one node; 404 when its topic is none of these.
void about_keys_of(const visit& here, const node_handles& node);

} // namespace keyportal::gateway
