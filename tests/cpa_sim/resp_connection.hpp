// One connection that speaks RESP: AUTH, LPOP, RPOP, SUBSCRIBE.
#pragma once

#include "faults.hpp"
#include "node.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace keyportal::cpa_sim {

/// Takes one command off the front of `bytes`.
enum class parsed { whole, more, bad };
parsed parse_command(std::string_view bytes, std::vector<std::string>& words, std::size_t& used);

/// What a connection needs from its stand-in. Commands are matched by faults as paths `RESP LPOP`, `RESP AUTH`, …
struct resp_hooks {
  std::function<std::vector<fault>(const std::string& path)> faults;
  std::function<void(const fault&)> to_process; ///< kill, restart
};

class resp_connection {
public:
  /// `stop_fd` is readable when the stand-in closes its connections.
  resp_connection(int fd, int stop_fd, std::string peer, std::shared_ptr<node> n, resp_hooks hooks)
    : fd_(fd), stop_fd_(stop_fd), peer_(std::move(peer)), node_(std::move(n)), hooks_(std::move(hooks)) {}
  /// Serves until the connection is to be closed.
  void run();

private:
  struct reply {
    std::string bytes;
    record_ranges popped;
    bool close = false;
  };
  bool next_command(std::vector<std::string>& words);
  bool readable(int milliseconds);
  reply obey(const std::vector<std::string>& words, const std::string& name, bool wrong_key);
  reply authenticate(const std::vector<std::string>& words, bool wrong_key);
  reply pop(const std::vector<std::string>& words, const std::string& name);
  reply subscribe(const std::vector<std::string>& words);
  bool send(const reply& r, const std::vector<fault>& faults);
  bool send_all(std::string_view bytes);
  void push_until_over();
  const char* push(bool& go_on);
  void obey_subscriber(const std::vector<std::string>& words, const char*& over);
  void hang();

  int fd_, stop_fd_;
  std::string peer_;
  std::shared_ptr<node> node_;
  resp_hooks hooks_;
  std::string input_;
  bool authenticated_ = false;
  std::shared_ptr<subscriber> subscription_;
};

} // namespace keyportal::cpa_sim
