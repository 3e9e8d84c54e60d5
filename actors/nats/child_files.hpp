// The files of a child nats-server: its configuration, password, port, lock and process id.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <caf/expected.hpp>

#include "messages/errors.hpp"
#include "messages/secret.hpp"

namespace keyportal::nats {

/// A process that cannot be mistaken for a later one with the same id.
struct process_mark {
  int pid = 0;
  std::uint64_t started = 0; ///< clock ticks since boot, of /proc/<pid>/stat
  bool operator==(const process_mark&) const = default;
};

/// The mark of a process that lives (zombies do not).
std::optional<process_mark> mark_of(int pid);

/// Writes the whole file with mode 0600 under a temporary name first, so that it is never seen half written.
caf::error write_private(const std::filesystem::path& path, std::string_view text);
std::optional<std::string> read_small(const std::filesystem::path& path);

/// The password of the folder, made at first use: 32 random bytes in hex.
caf::expected<secret> password_in(const std::filesystem::path& folder);

/// The text of nats.conf.
std::string configuration(const std::filesystem::path& folder, std::uint16_t port, const secret& password,
                          std::int64_t max_store_bytes);

/// `wanted`, or for 0 the port that nats.url names if it is free, or any free one.
caf::expected<std::uint16_t> choose_port(std::uint16_t wanted, const std::filesystem::path& url_file);

/// Whether somebody listens on this port of 127.0.0.1.
bool listens(std::uint16_t port);

/// Where the program is; nothing when there is none that may be run.
std::optional<std::filesystem::path> find_program(const std::string& name);

/// Takes the lock of the folder; the child inherits it, so it stays taken while a child lives. When a child of a
/// parent that died still has it, that child is ended (by pid file, start time and program) and waited for.
caf::expected<int> lock_folder(const std::filesystem::path& folder, const std::filesystem::path& program);

/// nats.pid: who the child is and who its parent.
caf::error write_pid_file(const std::filesystem::path& folder, const process_mark& child);

} // namespace keyportal::nats
