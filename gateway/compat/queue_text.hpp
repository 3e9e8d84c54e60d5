// One record as CLIProxyAPI's usage queue gives it out. Pure.
#pragma once

#include <string>

#include "messages/actors.hpp"

namespace keyportal::compat {

/// Appends the record as a JSON object in the shape and order of version 7.2.140, from what the ledger has of it. A
/// record that came by `/usage` or a file has only what those say; its `alias` is its model, and its `request_id` the
/// first eight digits of its own id, since tools refuse a record without one.
/// `one` must have been read whole and with its extra.
void append_queue_record(std::string& out, const arrival& one);

} // namespace keyportal::compat
