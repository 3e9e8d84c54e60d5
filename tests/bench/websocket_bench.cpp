// Very many WebSockets at a service that runs already: how long one update takes to reach all of them, what each costs the
// service, and whether anything grows while they are idle. Loopback only.
//
//   websocket_bench --port PORT --token-file FILE --pid PID [--clients 10000] [--rounds 5] [--idle SECONDS]
//
// When all are connected it says `ready` on standard error and waits for updates (frames usage_update) that somebody else
// causes; after each that everybody got it says `round`.
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include "tests/bench/figure.hpp"

namespace {

using clock_type = std::chrono::steady_clock;

struct options {
  int port = 0, clients = 10'000, rounds = 5, idle_s = 0;
  std::string token, pid;
};

struct client {
  int socket = -1;
  bool open = false;
  std::string in; ///< what is not a whole frame yet
};

double ms_between(clock_type::time_point a, clock_type::time_point b) {
  return std::chrono::duration<double, std::milli>(b - a).count();
}

[[noreturn]] void stop(const std::string& why) {
  fmt::print(stderr, "websocket_bench: {}\n", why);
  std::exit(1);
}

class crowd {
public:
  explicit crowd(const options& how) : how_(how), clients_(static_cast<std::size_t>(how.clients)) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    const auto wanted = static_cast<rlim_t>(how.clients + 64);
    if (files.rlim_cur < wanted) {
      files.rlim_cur = wanted;
      if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        stop(fmt::format("{} open files are not allowed here", wanted));
    }
    poll_ = epoll_create1(0);
  }

  /// So many at a time, until all have their overview.
  void connect_all() {
    std::size_t next = 0;
    const auto deadline = clock_type::now() + std::chrono::seconds(120);
    while (greeted_ < clients_.size()) {
      while (next < clients_.size() && next < greeted_ + 256)
        connect(next++);
      turn(100);
      if (clock_type::now() > deadline)
        stop(fmt::format("{} of {} clients are connected after two minutes", greeted_, clients_.size()));
    }
  }

  /// From the first client that had it to the last one, of the next update that all get.
  double next_update() {
    const auto had = rounds_.size();
    const auto deadline = clock_type::now() + std::chrono::seconds(60);
    while (rounds_.size() == had) {
      turn(50);
      if (clock_type::now() > deadline)
        stop("no update came to all within a minute");
    }
    return rounds_.back();
  }

  void idle(int seconds) {
    const auto until = clock_type::now() + std::chrono::seconds(seconds);
    while (clock_type::now() < until)
      turn(1000);
  }
  [[nodiscard]] std::size_t lost() const { return lost_; }

private:
  void connect(std::size_t index) {
    auto& c = clients_[index];
    c.socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(how_.port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int buffer = 4096; // the kernel's memory is shared with the service here
    setsockopt(c.socket, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (c.socket < 0 || ::connect(c.socket, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
      stop(fmt::format("client {}: {}", index, std::strerror(errno)));
    const auto request =
      fmt::format("GET /ws?topics=nodes HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                  "Authorization: Bearer {}\r\n\r\n",
                  how_.port, how_.token);
    if (::send(c.socket, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      stop("the request was not taken");
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.u64 = index;
    epoll_ctl(poll_, EPOLL_CTL_ADD, c.socket, &wanted);
  }

  void turn(int at_most_ms) {
    epoll_event events[1024];
    const int count = epoll_wait(poll_, events, 1024, at_most_ms);
    for (int i = 0; i < count; ++i)
      read(clients_[events[i].data.u64]);
  }

  void read(client& c) {
    char bytes[16 << 10];
    const auto got = ::recv(c.socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (got <= 0) {
      ++lost_;
      epoll_ctl(poll_, EPOLL_CTL_DEL, c.socket, nullptr);
      return;
    }
    c.in.append(bytes, static_cast<std::size_t>(got));
    if (!c.open) {
      const auto end = c.in.find("\r\n\r\n");
      if (end == std::string::npos)
        return;
      if (!c.in.starts_with("HTTP/1.1 101"))
        stop(c.in.substr(0, c.in.find("\r\n")));
      c.open = true;
      c.in.erase(0, end + 4);
    }
    std::string_view rest = c.in;
    while (take_frame(c, rest)) {}
    c.in = std::string(rest);
    if (c.in.empty())
      c.in.shrink_to_fit();
  }

  /// Servers do not mask.
  bool take_frame(client& c, std::string_view& rest) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(rest[at]); };
    if (rest.size() < 2)
      return false;
    std::size_t size = byte(1) & 0x7f, head = 2;
    if (size >= 126) {
      head = size == 126 ? 4 : 10;
      if (rest.size() < head)
        return false;
      size = 0;
      for (std::size_t i = 2; i < head; ++i)
        size = size << 8 | byte(i);
    }
    if (rest.size() < head + size)
      return false;
    const auto opcode = byte(0) & 0x0f;
    const auto payload = rest.substr(head, size);
    if (opcode == 9)
      pong(c, payload);
    else if (opcode == 1)
      take_text(payload);
    rest.remove_prefix(head + size);
    return true;
  }

  void pong(const client& c, std::string_view payload) {
    std::string out{'\x8a', static_cast<char>(0x80 | payload.size()), 0, 0, 0, 0}; // a mask of zeros
    out.append(payload);
    if (::send(c.socket, out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
      ++lost_;
  }

  void take_text(std::string_view text) {
    if (text.find(R"("type":"overview")") != std::string_view::npos) {
      ++greeted_;
      return;
    }
    if (text.find(R"("type":"usage_update")") == std::string_view::npos)
      return;
    const auto at = text.find(R"("position":)");
    const auto position = std::string(text.substr(at + 11, text.find_first_of(",}", at) - at - 11));
    auto& of = updates_[position];
    const auto now = clock_type::now();
    if (of.clients == 0)
      of.first = now;
    if (++of.clients == clients_.size())
      rounds_.push_back(ms_between(of.first, now));
  }

  struct update {
    std::size_t clients = 0;
    clock_type::time_point first;
  };
  options how_;
  int poll_ = -1;
  std::vector<client> clients_;
  std::size_t greeted_ = 0, lost_ = 0;
  std::map<std::string, update> updates_; ///< by the ledger's position
  std::vector<double> rounds_;
};

options read_options(int count, char** arguments) {
  options out;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = arguments[i];
    const std::string value = arguments[i + 1];
    if (name == "--port")
      out.port = std::stoi(value);
    else if (name == "--clients")
      out.clients = std::stoi(value);
    else if (name == "--rounds")
      out.rounds = std::stoi(value);
    else if (name == "--idle")
      out.idle_s = std::stoi(value);
    else if (name == "--pid")
      out.pid = value;
    else if (name == "--token-file")
      std::getline(std::ifstream{value} >> std::ws, out.token);
    else
      stop("there is no option " + std::string(name));
  }
  if (out.port == 0 || out.pid.empty() || out.clients < 1)
    stop("--port, --pid and --clients are needed");
  return out;
}

} // namespace

int main(int count, char** arguments) {
  using namespace keyportal::bench;
  const auto how = read_options(count, arguments);
  const auto clients = static_cast<std::uint64_t>(how.clients);
  const auto before = status_kb("VmRSS", how.pid);
  crowd all{how};
  all.connect_all();
  fmt::print(stderr, "ready\n");
  const auto connected = status_kb("VmRSS", how.pid);
  std::vector<double> took;
  for (int i = 0; i < how.rounds; ++i) {
    took.push_back(all.next_update());
    fmt::print(stderr, "round {:.1f}\n", took.back());
  }
  const auto loaded = status_kb("VmRSS", how.pid);
  if (!took.empty()) {
    figure(fmt::format("ws.broadcast.{}", how.clients), percentile(took, 0.5), "ms", took.size());
    figure(fmt::format("ws.broadcast.{}.worst", how.clients), took.back(), "ms", took.size());
  }
  figure("ws.bytes_per_client", 1024.0 * static_cast<double>(std::max(connected, loaded) - before) / double(clients),
         "bytes", clients);
  if (how.idle_s > 0) {
    const auto start = status_kb("VmRSS", how.pid);
    all.idle(how.idle_s);
    figure("ws.idle.growth", static_cast<double>(status_kb("VmRSS", how.pid) - start), "kB",
           static_cast<std::uint64_t>(how.idle_s));
  }
  if (all.lost() > 0)
    stop(fmt::format("{} connections were lost", all.lost()));
}
