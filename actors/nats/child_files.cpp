#include "actors/nats/child_files.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include <fmt/format.h>

#include "actors/telemetry/log.hpp"

namespace keyportal::nats {
namespace {

namespace fs = std::filesystem;

caf::error file_error(const fs::path& path, std::string_view doing) {
  auto code = errno == ENOSPC ? errc::storage_full : errc::storage_failed;
  return make_error(code, fmt::format("{} {}: {}", doing, path.string(), std::strerror(errno)));
}

/// A loopback socket on this port, or -1. REUSEADDR, as nats-server sets it: connections of the last one may linger.
bool port_is_free(std::uint16_t& port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return false;
  int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  bool free = ::bind(fd, plain, size) == 0 && ::listen(fd, 1) == 0 && ::getsockname(fd, plain, &size) == 0;
  port = ntohs(address.sin_port);
  ::close(fd);
  return free;
}

bool runs(const process_mark& process, const fs::path& program) {
  if (mark_of(process.pid) != process)
    return false;
  std::error_code ignored;
  auto exe = fs::read_symlink(fmt::format("/proc/{}/exe", process.pid), ignored).string();
  constexpr std::string_view replaced = " (deleted)"; // by an upgrade
  if (exe.ends_with(replaced))
    exe.resize(exe.size() - replaced.size());
  return exe == program.string();
}

bool wait_for_lock(int fd, std::chrono::milliseconds most) {
  auto deadline = std::chrono::steady_clock::now() + most;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (std::chrono::steady_clock::now() >= deadline)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{10}); // the kernel tells nobody about a lock set free
  }
  return true;
}

} // namespace

std::optional<process_mark> mark_of(int pid) {
  auto stat = read_small(fmt::format("/proc/{}/stat", pid));
  if (!stat)
    return std::nullopt;
  // "pid (name) state …": the name may hold anything, so count from its closing bracket; the start is field 22.
  auto bracket = stat->rfind(')');
  if (bracket == std::string::npos)
    return std::nullopt;
  std::istringstream fields(stat->substr(bracket + 1));
  std::string state, skipped;
  fields >> state;
  for (int i = 0; i < 18; ++i)
    fields >> skipped;
  process_mark mark{pid, 0};
  if (!(fields >> mark.started) || state == "Z" || state == "X")
    return std::nullopt;
  return mark;
}

caf::error write_private(const fs::path& path, std::string_view text) {
  auto fresh = path;
  fresh += ".new";
  ::unlink(fresh.c_str());
  int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return file_error(fresh, "making");
  bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  auto error = written ? caf::error{} : file_error(fresh, "writing");
  ::close(fd);
  if (!error && ::rename(fresh.c_str(), path.c_str()) != 0)
    error = file_error(path, "renaming to");
  return error;
}

std::optional<std::string> read_small(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 4096> text{};
  file.read(text.data(), text.size());
  if (file.gcount() == 0)
    return std::nullopt;
  return std::string(text.data(), static_cast<std::size_t>(file.gcount()));
}

caf::expected<secret> password_in(const fs::path& folder) {
  auto path = folder / "nats.password";
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    auto text = read_small(path);
    if ((info.st_mode & 077) != 0 || !text || text->size() != 64
        || text->find_first_not_of("0123456789abcdef") != std::string::npos)
      return make_error(errc::storage_failed,
                        path.string() + " must hold 64 hex digits and be readable by its owner only (or be removed)");
    return secret(std::move(*text));
  }
  std::array<unsigned char, 32> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return file_error(path, "random bytes for");
  std::string text;
  for (auto byte : random)
    text += fmt::format("{:02x}", byte);
  if (auto error = write_private(path, text))
    return error;
  return secret(std::move(text));
}

std::string configuration(const fs::path& folder, std::uint16_t port, const secret& password,
                          std::int64_t max_store_bytes) {
  auto quoted = [](const std::string& text) {
    std::string result = "\"";
    for (char c : text) {
      if (c == '"' || c == '\\')
        result += '\\';
      result += c;
    }
    return result + '"';
  };
  return fmt::format(R"(# Written by keyportal at every start; changes are lost.
listen: "127.0.0.1:{}"
server_name: "keyportal"
log_file: {}
logfile_size_limit: 10MB
max_payload: 1MB
max_connections: 512
max_pending: 64MB
write_deadline: "10s"
jetstream {{
  store_dir: {}
  max_memory_store: 16MB
  max_file_store: {}
}}
authorization {{
  users: [
    {{ user: "keyportal", password: "{}" }}
    {{ user: "reader", password: "reader", permissions: {{
        publish: ["$JS.API.INFO", "$JS.API.STREAM.INFO.>", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.MSG.GET.>",
                  "$JS.API.CONSUMER.>", "$JS.ACK.>", "$JS.FC.>"]
        subscribe: ["keyportal.v1.>", "_INBOX.>"] }} }}
  ]
}}
no_auth_user: "reader"
)",
                     port, quoted((folder / "nats.log").string()), quoted((folder / "jetstream").string()),
                     max_store_bytes, password.reveal());
}

caf::expected<std::uint16_t> choose_port(std::uint16_t wanted, const fs::path& url_file) {
  if (wanted == 0) {
    auto last = read_small(url_file).value_or("");
    auto colon = last.rfind(':');
    auto number = colon == std::string::npos ? 0 : std::strtol(last.c_str() + colon + 1, nullptr, 10);
    auto port = static_cast<std::uint16_t>(number > 0 && number < 65536 ? number : 0);
    if (port != 0 && port_is_free(port))
      return port;
  }
  auto port = wanted;
  if (!port_is_free(port))
    return make_error(errc::port_in_use, fmt::format("nats-server, 127.0.0.1:{}", wanted));
  return port;
}

bool listens(std::uint16_t port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool taken = fd >= 0 && ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (fd >= 0)
    ::close(fd);
  return taken;
}

std::optional<fs::path> find_program(const std::string& name) {
  auto usable = [](const fs::path& path) -> std::optional<fs::path> {
    std::error_code failed;
    auto real = fs::canonical(path, failed);
    if (failed || !fs::is_regular_file(real, failed) || ::access(real.c_str(), X_OK) != 0)
      return std::nullopt;
    return real;
  };
  if (name.find('/') != std::string::npos)
    return usable(name);
  const char* path = std::getenv("PATH");
  // Debian puts it into /usr/sbin, which is not in everybody's PATH.
  std::istringstream folders(std::string(path != nullptr ? path : "") + ":/usr/local/bin:/usr/bin:/usr/sbin");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (auto found = folder.empty() ? std::nullopt : usable(fs::path(folder) / name))
      return found;
  return std::nullopt;
}

caf::expected<int> lock_folder(const fs::path& folder, const fs::path& program) {
  auto path = folder / "nats.lock";
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return file_error(path, "opening");
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0)
    return fd;
  process_mark child, parent;
  std::istringstream text(read_small(folder / "nats.pid").value_or(""));
  text >> child.pid >> child.started >> parent.pid >> parent.started;
  bool orphan = text && (mark_of(parent.pid) != parent);
  // A child gets SIGTERM by itself when its parent dies; it only needs time to write what it holds.
  if (orphan && !wait_for_lock(fd, std::chrono::seconds{3})) {
    log::warn("nats", "left-over-child", "ending nats-server {} that a crash left behind", child.pid);
    for (int signal : {SIGTERM, SIGKILL}) {
      if (runs(child, program))
        ::kill(child.pid, signal);
      if (wait_for_lock(fd, std::chrono::seconds{3}))
        return fd;
    }
    orphan = false;
  }
  if (orphan || wait_for_lock(fd, std::chrono::seconds{1}))
    return fd;
  ::close(fd);
  return make_error(errc::storage_in_use, folder.string());
}

caf::error write_pid_file(const fs::path& folder, const process_mark& child) {
  auto us = mark_of(::getpid()).value_or(process_mark{});
  return write_private(folder / "nats.pid", fmt::format("{} {} {} {}\n", child.pid, child.started, us.pid, us.started));
}

} // namespace keyportal::nats
