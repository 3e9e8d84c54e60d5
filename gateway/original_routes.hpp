// The endpoints of the Python Key Portal that this one takes the place of, with sign-in, rights and limits of today.
#pragma once

#include "gateway/visit.hpp"

namespace keyportal::gateway {

/// Of a route for which `is_about_original` is true. What it answers has the original's names; errors are problems as
/// everywhere else.
void about_original(const visit& here);

} // namespace keyportal::gateway
