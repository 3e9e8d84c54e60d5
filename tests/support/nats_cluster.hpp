// Several nats-servers with JetStream that are one cluster, on loopback, each of which can be killed, paused and started again.
#pragma once

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

#include "messages/secret.hpp"
#include "tests/support/temporary_folder.hpp"

namespace keyportal::test {

/// A port that was free a moment ago.
inline std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof where;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0
      || ::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size) != 0)
    throw std::runtime_error("no free port");
  ::close(fd);
  return ntohs(where.sin_port);
}

class nats_cluster {
public:
  explicit nats_cluster(std::size_t count = 3) {
    for (std::size_t i = 0; i < count; ++i)
      servers_.push_back({free_port(), free_port(), -1});
    std::string routes;
    for (const auto& one : servers_)
      routes += fmt::format("{}\"nats://127.0.0.1:{}\"", routes.empty() ? "" : ", ", one.route);
    for (std::size_t i = 0; i < count; ++i) {
      std::ofstream out(config(i));
      out << fmt::format("server_name: s{0}\nlisten: \"127.0.0.1:{1}\"\nlog_file: \"{2}/s{0}.log\"\n"
                         "jetstream {{ store_dir: \"{2}/s{0}\", max_mem: 64MB, max_file: 2GB }}\n",
                         i, servers_[i].port, folder_.path().string());
      if (count > 1)
        out << fmt::format("cluster {{ name: test, listen: \"127.0.0.1:{}\", routes: [ {} ] }}\n", servers_[i].route,
                           routes);
      out.close();
      start(i);
    }
  }
  ~nats_cluster() {
    for (std::size_t i = 0; i < servers_.size(); ++i)
      kill(i);
  }
  nats_cluster(const nats_cluster&) = delete;
  nats_cluster& operator=(const nats_cluster&) = delete;

  [[nodiscard]] std::size_t size() const { return servers_.size(); }
  [[nodiscard]] secret url() const {
    std::string all;
    for (const auto& one : servers_)
      all += fmt::format("{}nats://127.0.0.1:{}", all.empty() ? "" : ",", one.port);
    return secret{all};
  }
  [[nodiscard]] secret url_of(std::size_t i) const {
    return secret{fmt::format("nats://127.0.0.1:{}", servers_[i].port)};
  }
  void start(std::size_t i) {
    if (servers_[i].pid > 0)
      return;
    const auto file = config(i);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent)
        ::_exit(1);
      ::execlp("nats-server", "nats-server", "-c", file.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    servers_[i].pid = pid;
  }
  /// SIGKILL.
  void kill(std::size_t i) {
    if (servers_[i].pid <= 0)
      return;
    ::kill(servers_[i].pid, SIGKILL);
    ::waitpid(servers_[i].pid, nullptr, 0);
    servers_[i].pid = -1;
  }
  void pause(std::size_t i) const { ::kill(servers_[i].pid, SIGSTOP); }
  void resume(std::size_t i) const { ::kill(servers_[i].pid, SIGCONT); }

private:
  struct server {
    std::uint16_t port, route;
    pid_t pid;
  };
  [[nodiscard]] std::string config(std::size_t i) const {
    return (folder_.path() / fmt::format("s{}.conf", i)).string();
  }

  temporary_folder folder_;
  std::vector<server> servers_;
};

} // namespace keyportal::test
