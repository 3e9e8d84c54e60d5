// What is asked about backups and retention. For gateway.cpp.
#pragma once

#include "gateway/visit.hpp"

namespace keyportal::gateway {

/// The question is about one of backups … run_retention.
void about_store(const visit& here);
inline bool is_about_store(topic about) { return about >= topic::backups && about <= topic::run_retention; }

} // namespace keyportal::gateway
