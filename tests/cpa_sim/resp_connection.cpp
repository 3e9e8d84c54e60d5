#include "resp_connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <thread>

namespace keyportal::cpa_sim {
namespace {

std::string trimmed(std::string text) {
  constexpr const char* blanks = " \t\n\v\f\r";
  text.erase(0, std::min(text.find_first_not_of(blanks), text.size()));
  text.erase(text.find_last_not_of(blanks) + 1);
  return text;
}

std::string in_case(std::string text, int (*change)(int)) {
  std::transform(text.begin(), text.end(), text.begin(), [&](unsigned char c) { return static_cast<char>(change(c)); });
  return text;
}

std::string error(const std::string& text) { return "-ERR " + text + "\r\n"; }
std::string bulk(std::string_view text) {
  return '$' + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}
std::string unknown(const std::string& name) { return error("unknown command '" + in_case(name, std::tolower) + '\''); }
std::string wrong_count(const std::string& name) {
  return error("wrong number of arguments for '" + in_case(name, std::tolower) + "' command");
}

/// The line that begins at `at`, without its end; false when it is not whole.
bool line_at(std::string_view bytes, std::size_t& at, std::string_view& line) {
  const std::size_t end = bytes.find('\n', at);
  if (end == std::string_view::npos)
    return false;
  line = bytes.substr(at, end - at);
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  at = end + 1;
  return true;
}

bool number_in(std::string_view text, std::int64_t& out) {
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-')
    text.remove_prefix(1);
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  return problem == std::errc{} && end == text.data() + text.size() && !text.empty();
}

constexpr std::int64_t most_words = 1024;
constexpr std::int64_t longest_word = 1 << 20;

} // namespace

parsed parse_command(std::string_view bytes, std::vector<std::string>& words, std::size_t& used) {
  words.clear();
  std::size_t at = 0;
  std::string_view line;
  std::int64_t count = 0;
  if (bytes.empty())
    return parsed::more;
  if (bytes[0] != '*')
    return parsed::bad;
  if (!line_at(bytes, at, line))
    return parsed::more;
  if (!number_in(line.substr(1), count) || count < 0 || count > most_words)
    return parsed::bad;
  for (; count > 0; --count) {
    if (at >= bytes.size())
      return parsed::more;
    const char kind = bytes[at];
    if (kind != '$' && kind != '+' && kind != ':')
      return parsed::bad;
    if (!line_at(bytes, at, line))
      return parsed::more;
    if (kind != '$') {
      words.emplace_back(line.substr(1));
      continue;
    }
    std::int64_t length = 0;
    if (!number_in(line.substr(1), length) || length > longest_word)
      return parsed::bad;
    if (length < 0) {
      words.emplace_back();
      continue;
    }
    const auto size = static_cast<std::size_t>(length);
    if (bytes.size() - at < size + 2)
      return parsed::more;
    if (bytes.substr(at + size, 2) != "\r\n")
      return parsed::bad;
    words.emplace_back(bytes.substr(at, size));
    at += size + 2;
  }
  used = at;
  return parsed::whole;
}

bool resp_connection::readable(int milliseconds) {
  std::array<pollfd, 2> fds{pollfd{fd_, POLLIN, 0}, pollfd{stop_fd_, POLLIN, 0}};
  while (::poll(fds.data(), fds.size(), milliseconds) < 0 && errno == EINTR) {}
  return fds[1].revents == 0 && fds[0].revents != 0;
}

/// False when the connection is over; what it is told before that is sent here.
bool resp_connection::next_command(std::vector<std::string>& words) {
  for (;;) {
    std::size_t used = 0;
    switch (parse_command(input_, words, used)) {
      case parsed::whole: input_.erase(0, used); return true;
      case parsed::bad: send_all(error("protocol error")); return false;
      case parsed::more: break;
    }
    if (!readable(-1))
      return false;
    char block[16'384];
    const ssize_t got = ::recv(fd_, block, sizeof block, 0);
    if (got <= 0)
      return false;
    input_.append(block, static_cast<std::size_t>(got));
  }
}

void resp_connection::run() {
  const traits& version = node_->version();
  if (version.resp_refused) {
    char ignored[4096];
    while (::recv(fd_, ignored, sizeof ignored, MSG_DONTWAIT) > 0) {}
    send_all(error("RESP AUTH disabled; use mTLS"));
    return;
  }
  std::vector<std::string> words;
  for (;;) {
    if (!node_->managed() && (!authenticated_ || version.end_without_secret))
      return;
    if (!next_command(words))
      return;
    if (words.empty()) {
      if (!send_all(error("empty command")))
        return;
      continue;
    }
    const std::string name = in_case(trimmed(words[0]), std::toupper);
    const auto faults = hooks_.faults("RESP " + name);
    const auto has = [&faults](const char* what) {
      return std::any_of(faults.begin(), faults.end(), [what](const fault& f) { return f.name == what; });
    };
    if (has("hang"))
      return hang();
    reply r;
    if (has("empty")) {
      return;
    } else if (has("garbage")) {
      r.bytes = "HTTP/1.1 502 Bad Gateway\r\n\r\n<html>\x01\xff";
    } else if (has("ban")) {
      r.bytes = error("IP banned due to too many failed attempts. Try again in 29m58s");
    } else {
      r = obey(words, name, has("wrong_key"));
    }
    const bool go_on = send(r, faults) && !r.close;
    if (subscription_)
      return go_on ? push_until_over() : node_->unsubscribe(subscription_, "cut");
    if (!go_on)
      return;
  }
}

resp_connection::reply resp_connection::obey(const std::vector<std::string>& words, const std::string& name,
                                             bool wrong_key) {
  if (name == "AUTH")
    return authenticate(words, wrong_key);
  if (!authenticated_) { // any word of a stranger is a failed try
    const auto no = node_->authenticate(peer_, "");
    return {no.error.starts_with("IP banned") ? error(no.error) : "-NOAUTH Authentication required.\r\n", {}, false};
  }
  if (name == "LPOP" || name == "RPOP")
    return pop(words, name);
  if (name == "SUBSCRIBE" && node_->version().subscribe)
    return subscribe(words);
  return {unknown(name), {}, false};
}

resp_connection::reply resp_connection::authenticate(const std::vector<std::string>& words, bool wrong_key) {
  if (words.size() != 2 && words.size() != 3) {
    const auto no = node_->authenticate(peer_, "");
    return {no.error.starts_with("IP banned") ? error(no.error) : wrong_count("auth"), {}, false};
  }
  const std::string& key = words.back(); // a user before it is not looked at
  const auto no = node_->authenticate(peer_, wrong_key && !key.empty() ? "\n" : key);
  if (no.status != 0)
    return {error(no.error), {}, false};
  authenticated_ = true;
  return {"+OK\r\n", {}, false};
}

resp_connection::reply resp_connection::pop(const std::vector<std::string>& words, const std::string& name) {
  if (words.size() != 2 && words.size() != 3)
    return {wrong_count(name), {}, false};
  std::int64_t count = 1;
  if (words.size() == 3 && (!number_in(trimmed(words[2]), count) || count <= 0))
    return {error("value is not an integer or out of range"), {}, false};
  const std::string list = trimmed(words[1]);
  if (!node_->version().any_list && in_case(list, std::tolower) != "usage")
    return {error("unsupported channel '" + list + '\''), {}, false};
  auto taken = node_->pop(static_cast<std::size_t>(count), "resp");
  reply r;
  r.popped = std::move(taken.which);
  if (words.size() == 2) {
    r.bytes = taken.payloads.empty() ? "$-1\r\n" : bulk(taken.payloads[0]);
    return r;
  }
  r.bytes = '*' + std::to_string(taken.payloads.size()) + "\r\n";
  for (const auto& payload : taken.payloads)
    r.bytes += bulk(payload);
  return r;
}

resp_connection::reply resp_connection::subscribe(const std::vector<std::string>& words) {
  if (words.size() != 2)
    return {wrong_count("subscribe"), {}, false};
  const std::string name = trimmed(words[1]);
  const std::string lower = in_case(name, std::tolower);
  const bool errors = lower == "errors" && node_->version().errors_channel;
  if (lower != "usage" && !errors)
    return {error("unsupported channel '" + name + '\''), {}, false};
  subscription_ = node_->subscribe(errors ? channel::errors : channel::usage, fd_);
  return {};
}

/// Sends a reply as the faults want it. False when the connection is over.
bool resp_connection::send(const reply& r, const std::vector<fault>& faults) {
  std::string_view bytes = r.bytes;
  bool whole = true;
  for (const auto& f : faults) {
    if (f.name == "response_lost" || f.name == "truncate") {
      const auto otherwise = f.name == "truncate" ? bytes.size() / 2 : 0;
      bytes = bytes.substr(0, static_cast<std::size_t>(number_of(f.value, static_cast<long>(otherwise))));
      whole = false;
    } else if (f.name == "kill" || f.name == "restart") {
      node_->unanswered(r.popped);
      hooks_.to_process(f);
      return false;
    }
  }
  if (!whole)
    node_->unanswered(r.popped);
  for (const auto& f : faults) {
    if (f.name != "slow")
      continue;
    const long number = number_of(f.value, 1000);
    if (!f.value.ends_with("B/s")) {
      pollfd stop{stop_fd_, POLLIN, 0};
      if (::poll(&stop, 1, static_cast<int>(number)) != 0)
        return false;
      continue;
    }
    const std::size_t piece = std::max<std::size_t>(static_cast<std::size_t>(number) / 10, 1);
    for (; bytes.size() > piece; bytes.remove_prefix(piece)) {
      pollfd stop{stop_fd_, POLLIN, 0};
      if (!send_all(bytes.substr(0, piece)) || ::poll(&stop, 1, 100) != 0)
        return false;
    }
  }
  if (!send_all(bytes)) {
    if (whole)
      node_->unanswered(r.popped);
    return false;
  }
  return whole;
}

bool resp_connection::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Says nothing more, until the other side gives up or we close.
void resp_connection::hang() {
  char ignored[4096];
  while (readable(-1) && ::recv(fd_, ignored, sizeof ignored, 0) > 0) {}
}

void resp_connection::push_until_over() {
  bool go_on = true;
  const char* why = "closed";
  while (go_on)
    why = push(go_on);
  node_->unsubscribe(subscription_, why);
}

/// One round of waiting for something to do; why the subscription is over when `go_on` becomes false.
const char* resp_connection::push(bool& go_on) {
  using namespace std::chrono;
  subscriber& s = *subscription_;
  const auto over = [&go_on](const char* why) {
    go_on = false;
    return why;
  };
  const bool ghost = s.ghost();
  const bool was_ghost = s.ghost_until() != steady_clock::time_point{};
  if (was_ghost && !ghost)
    return over("half-open");
  const bool waiting = s.waiting();
  if (s.ended() && !waiting)
    return over("dropped");
  const auto until = ghost ? duration_cast<milliseconds>(s.ghost_until() - steady_clock::now()).count() + 1 : 1000;
  std::array<pollfd, 3> fds{
    pollfd{stop_fd_, POLLIN, 0}, pollfd{s.wake_fd(), POLLIN, 0},
    pollfd{ghost ? -1 : fd_, static_cast<short>(waiting ? POLLIN | POLLOUT : POLLIN), 0}}; // NOLINT: flags
  if (::poll(fds.data(), fds.size(), static_cast<int>(std::min<std::int64_t>(until, 1000))) < 0 && errno != EINTR)
    return over("closed");
  if (fds[0].revents != 0)
    return over("restart");
  if (fds[1].revents != 0)
    s.woken();
  if (ghost)
    return "";
  if (!s.flush())
    return over("write failed");
  if (node_->split_pushes())
    std::this_thread::sleep_for(microseconds(100)); // so that the pieces arrive as pieces
  if ((fds[2].revents & (POLLIN | POLLHUP | POLLERR)) == 0)
    return "";
  char block[16'384];
  const ssize_t got = ::recv(fd_, block, sizeof block, 0);
  if (got <= 0)
    return over(got == 0 ? "closed" : "reset");
  input_.append(block, static_cast<std::size_t>(got));
  const char* why = nullptr;
  std::vector<std::string> words;
  for (std::size_t used = 0; why == nullptr; input_.erase(0, used)) {
    const parsed result = parse_command(input_, words, used);
    if (result == parsed::more)
      return "";
    if (result == parsed::bad) {
      s.answer(error("protocol error"));
      why = "protocol error";
      break;
    }
    obey_subscriber(words, why);
  }
  s.flush();
  return over(why);
}

void resp_connection::obey_subscriber(const std::vector<std::string>& words, const char*& over) {
  subscriber& s = *subscription_;
  if (words.empty())
    return s.answer(error("empty command"));
  const std::string name = in_case(trimmed(words[0]), std::toupper);
  for (const auto& f : hooks_.faults("RESP " + name)) {
    if (f.name == "kill" || f.name == "restart")
      hooks_.to_process(f);
    if (f.name == "hang")
      return;
  }
  if (name == "PING") {
    s.answer("*2\r\n$4\r\npong\r\n" + (words.size() > 1 ? bulk(words[1]) : "$-1\r\n"));
  } else if (name == "UNSUBSCRIBE") {
    s.answer("*3\r\n$11\r\nunsubscribe\r\n" + bulk(s.what() == channel::usage ? "usage" : "errors") + ":0\r\n");
    over = "unsubscribed";
  } else if (name == "QUIT") {
    s.answer("+OK\r\n");
    over = "quit";
  } else {
    s.answer(unknown(name));
  }
}

} // namespace keyportal::cpa_sim
