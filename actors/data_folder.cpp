#include "actors/data_folder.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/rand.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace keyportal {

namespace {

caf::error because(const std::filesystem::path& file) {
  return make_error(errno == ENOSPC ? errc::storage_full : errc::storage_failed,
                    fmt::format("{}: {}", file.string(), std::strerror(errno)));
}

constexpr std::size_t token_bytes = 32;

} // namespace

caf::error prepare_data_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    return make_error(errc::storage_failed, fmt::format("{}: {}", folder.string(), failed.message()));
  if (chmod(folder.c_str(), 0700) != 0 || access(folder.c_str(), R_OK | W_OK | X_OK) != 0)
    return because(folder);
  return {};
}

caf::error write_file(const std::filesystem::path& file, const std::string& content) {
  const auto fresh = file.string() + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return because(fresh);
  const bool written =
    write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) && fsync(fd) == 0;
  const auto why = because(fresh);
  close(fd);
  if (!written)
    return why;
  if (rename(fresh.c_str(), file.c_str()) != 0)
    return because(file);
  return {};
}

caf::expected<secret> control_token(const std::filesystem::path& folder) {
  const auto file = folder / "control.token";
  struct stat kept {};
  if (lstat(file.c_str(), &kept) == 0) {
    if (!S_ISREG(kept.st_mode) || kept.st_uid != geteuid() || (kept.st_mode & 077) != 0)
      return make_error(errc::seal_key_unusable, file.string());
    std::ifstream in{file};
    std::string text;
    if (!std::getline(in, text) || text.size() < token_bytes)
      return make_error(errc::seal_key_unusable, file.string());
    return secret{std::move(text)};
  }
  unsigned char random[token_bytes];
  if (RAND_bytes(random, sizeof random) != 1)
    return make_error(errc::internal, "no random bytes");
  std::string text;
  for (const auto b : random)
    text += fmt::format("{:02x}", b);
  if (auto error = write_file(file, text + "\n"))
    return error;
  return secret{std::move(text)};
}

void notify_service_manager(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (!path || (*path != '/' && *path != '@'))
    return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof to.sun_path)
    return;
  std::strcpy(to.sun_path, path);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  if (*path == '@')
    to.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), length);
  close(fd);
}

} // namespace keyportal
