// What the process is busy with, and by which settings it runs.
#pragma once

#include "gateway/visit.hpp"

namespace keyportal::gateway {

/// Of the topics jobs, job and settings.
void about_jobs(const visit& here);

/// A request that may take minutes shows among the jobs until it is answered. To be called before it is handed on.
void note_long_request(const visit& here);

} // namespace keyportal::gateway
