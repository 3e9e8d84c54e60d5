// Where this process is one of several: what another one of them sees to goes there; and how all of them are.
#pragma once

#include <string>

#include "gateway/routes.hpp"

namespace keyportal::gateway {

struct visit;

/// Whoever sees to it answers the question; empty: anybody can.
std::string duty_of(const question& asked);

/// Hands it on, where it is another process that sees to it; false: it is to be answered here.
bool goes_elsewhere(const visit& here);

/// `topic::cluster` and `topic::cluster_diff`.
void about_cluster(const visit& here);

} // namespace keyportal::gateway
