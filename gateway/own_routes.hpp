// What is one's own: keys, usage, records. Whatever is somebody else's is not there.
#pragma once

#include "gateway/visit.hpp"

namespace keyportal::gateway {

/// Answers what `is_about_oneself`.
void about_oneself(const visit& here);

} // namespace keyportal::gateway
