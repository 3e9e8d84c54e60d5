// The data folder and the small files in it.
#pragma once

#include <filesystem>
#include <string>

#include "messages/errors.hpp"
#include "messages/secret.hpp"

namespace keyportal {

/// Makes the folder (mode 0700) where it is missing. storage_failed with the cause if it cannot be used.
caf::error prepare_data_folder(const std::filesystem::path& folder);

/// The token that the command line shows to the running service: `control.token`, mode 0600, made at first use from
/// 256 random bits.
caf::expected<secret> control_token(const std::filesystem::path& folder);

/// Replaces a file as a whole, mode 0600: readers see the old or the new one.
caf::error write_file(const std::filesystem::path& file, const std::string& content);

/// Tells systemd, if it started us (NOTIFY_SOCKET); otherwise nothing.
void notify_service_manager(const std::string& state);

} // namespace keyportal
