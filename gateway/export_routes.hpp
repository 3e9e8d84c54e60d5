// Exports: begun, read from any byte on, ended.
#pragma once

#include "gateway/visit.hpp"

namespace keyportal::gateway {

/// For the topics open_export, export_body and close_export.
void about_exports(const visit& here);

} // namespace keyportal::gateway
