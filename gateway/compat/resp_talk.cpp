#include <deque>
#include <thread>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/compat/go_text.hpp"
#include "gateway/compat/resp_command.hpp"
#include "gateway/compat/talk.hpp"
#include "messages/records.hpp"

namespace keyportal::compat {

namespace {

constexpr auto patience = std::chrono::seconds(30);
/// A subscriber whose system takes nothing for so long is dropped.
constexpr auto subscriber_patience = std::chrono::seconds(10);
constexpr std::size_t largest_input = 256 << 10;
constexpr std::size_t records_per_read = 500;

std::string in_case(std::string_view text, char first, char last, int step) {
  std::string out(text);
  for (char& c : out)
    if (c >= first && c <= last)
      c = static_cast<char>(c + step);
  return out;
}
std::string upper(std::string_view text) { return in_case(text, 'a', 'z', 'A' - 'a'); }
std::string lower(std::string_view text) { return in_case(text, 'A', 'Z', 'a' - 'A'); }

std::string unknown_command(std::string_view name) {
  return resp_error("unknown command '" + lower(name).substr(0, 200) + "'");
}
std::string wrong_count(std::string_view name) {
  return resp_error("wrong number of arguments for '" + lower(name) + "' command");
}

/// Readable when the ledger has grown.
class waker {
public:
  explicit waker(common_ground& ground) : ground_(ground), fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    ground_.add_waker(fd_);
  }
  ~waker() {
    ground_.remove_waker(fd_);
    ::close(fd_);
  }
  waker(const waker&) = delete;
  waker& operator=(const waker&) = delete;
  [[nodiscard]] int fd() const { return fd_; }
  void calm() const {
    std::uint64_t ignored = 0;
    [[maybe_unused]] const auto n = ::read(fd_, &ignored, sizeof ignored);
  }

private:
  common_ground& ground_;
  int fd_;
};

class conversation {
public:
  conversation(common_ground& ground, line& with, std::string first)
    : ground_(ground), line_(with), input_(std::move(first)) {}

  ~conversation() { leave(); }
  conversation(const conversation&) = delete;
  conversation& operator=(const conversation&) = delete;

  void run() {
    while (!ground_.stopping) {
      std::size_t used = 0;
      switch (read_command(input_, words_, used)) {
        case command_state::malformed:
          told("malformed");
          line_.write(resp_error("protocol error"), patience);
          return line_.close_gently();
        case command_state::more:
          if (input_.size() > largest_input || !read_more(patience_for_more()))
            return;
          continue;
        case command_state::whole: break;
      }
      input_.erase(0, used);
      if (!line_.write(obey(), patience))
        return;
      if (channel_)
        return subscription();
    }
  }

private:
  void told(std::string_view what) const { ground_.told("resp " + std::string(what), 200); }

  /// Whoever has not come in yet has little time; who has may be silent for days.
  [[nodiscard]] std::chrono::milliseconds patience_for_more() const {
    return who_ ? std::chrono::hours(24) : std::chrono::milliseconds(patience);
  }
  bool read_more(std::chrono::milliseconds at_most) {
    return line_.read(input_, 16 << 10, line::clock::now() + at_most) == line::got::bytes;
  }

  std::string obey() {
    if (words_.empty())
      return resp_error("empty command");
    const auto name = upper(trimmed(words_.front()));
    if (name == "AUTH")
      return authenticate();
    if (!who_) { // any word of a stranger is a failed try
      const auto verdict = judge({});
      return verdict.banned ? resp_error(verdict.why) : "-NOAUTH Authentication required.\r\n";
    }
    if (name == "LPOP" || name == "RPOP")
      return pop(name);
    if (name == "SUBSCRIBE")
      return subscribe();
    told("unknown");
    return unknown_command(name);
  }

  key_guard::verdict judge(std::string_view key) {
    return ground_.guard.judge(key, line_.peer(), key_guard::clock::now());
  }

  std::string authenticate() {
    told("auth");
    if (words_.size() != 2 && words_.size() != 3) {
      const auto verdict = judge({});
      return verdict.banned ? resp_error(verdict.why) : wrong_count("auth");
    }
    const auto verdict = judge(words_.back()); // a user before it is not looked at: the key says who it is
    if (!verdict.who)
      return resp_error(verdict.why);
    const auto place = ground_.all_places.of(*verdict.who, verdict.who->node);
    if (!place)
      return resp_error("the place of this consumer cannot be read");
    who_ = verdict.who;
    place_ = *place;
    return "+OK\r\n";
  }

  std::string pop(std::string_view name) {
    told("pop");
    if (words_.size() != 2 && words_.size() != 3)
      return wrong_count(name);
    const bool many = words_.size() == 3;
    const auto count = many ? positive_number(words_[2]) : 1;
    if (count == 0)
      return resp_error("value is not an integer or out of range");
    if (lower(trimmed(words_[1])) != "usage")
      return unsupported();
    const auto records = place_->pop(static_cast<std::size_t>(count));
    if (!records)
      return resp_error("the ledger cannot be read");
    std::string out;
    if (!many) {
      if (records->empty())
        return "$-1\r\n";
      append_bulk(out, records->front());
      return out;
    }
    out = "*" + std::to_string(records->size()) + "\r\n";
    for (const auto& record : *records)
      append_bulk(out, record);
    return out;
  }

  [[nodiscard]] std::string unsupported() const {
    return resp_error("unsupported channel '" + std::string(trimmed(words_[1])).substr(0, 200) + "'");
  }

  std::string subscribe() {
    told("subscribe");
    if (words_.size() != 2)
      return wrong_count("subscribe");
    const auto name = lower(trimmed(words_[1]));
    if (name != "usage" && name != "errors")
      return unsupported();
    channel_ = name == "usage" ? "usage" : "errors";
    if (name == "usage") {
      cursor_ = place_->subscribe();
      counted_ = true;
    }
    std::string out = "*3\r\n$9\r\nsubscribe\r\n";
    append_bulk(out, channel_);
    out += ":1\r\n";
    if (name == "usage")
      append_message(out, channel_, R"({"support_refresh":true})");
    return out;
  }

  // --- subscribed -----------------------------------------------------------------------

  /// Pushes what comes until the connection ends. The place moves with what the other end's system has confirmed: what
  /// a subscriber that vanishes had not got is still there for it when it comes back.
  void subscription() {
    const waker wake{ground_};
    while (!ground_.stopping) {
      wake.calm(); // before looking, so that what comes meanwhile wakes again
      if (!obey_all_subscribed())
        break;
      if (counted_ && !push_new())
        break;
      if (more_ahead_)
        continue;
      const auto pause = in_flight_.empty() ? std::chrono::milliseconds(60'000) : std::chrono::milliseconds(20);
      switch (line_.wait(wake.fd(), line::clock::now() + pause)) {
        case line::woken::readable:
          if (!read_more(std::chrono::milliseconds(0))) {
            settle();
            return;
          }
          break;
        case line::woken::wake:
        case line::woken::timeout: break;
      }
      if (!settle())
        return;
    }
    settle();
  }

  /// Commands within a subscription. False when it is over.
  bool obey_all_subscribed() {
    for (;;) {
      std::size_t used = 0;
      switch (read_command(input_, words_, used)) {
        case command_state::malformed:
          send(resp_error("protocol error"));
          line_.close_gently();
          return false;
        case command_state::more: return input_.size() <= largest_input;
        case command_state::whole: break;
      }
      input_.erase(0, used);
      const auto name = words_.empty() ? std::string{} : upper(trimmed(words_.front()));
      std::string out;
      if (name == "PING") {
        out = "*2\r\n$4\r\npong\r\n";
        if (words_.size() > 1)
          append_bulk(out, words_[1]);
        else
          out += "$-1\r\n";
      } else if (name == "UNSUBSCRIBE") {
        out = "*3\r\n$11\r\nunsubscribe\r\n";
        append_bulk(out, channel_);
        out += ":0\r\n";
      } else if (name == "QUIT") {
        out = "+OK\r\n";
      } else {
        out = name.empty() ? resp_error("empty command") : unknown_command(name);
      }
      const bool leaving = name == "UNSUBSCRIBE" || name == "QUIT";
      if (leaving) // before it is said, so that whoever hears it can pop at once
        leave_in_order();
      if (!send(out))
        return false;
      if (leaving) {
        line_.close_gently();
        return false;
      }
    }
  }

  void leave() {
    if (std::exchange(counted_, false))
      place_->unsubscribe();
  }
  /// What was sent is on its way: a moment later it has arrived, and pops go on behind it.
  void leave_in_order() {
    const auto deadline = line::clock::now() + std::chrono::seconds(1);
    while (settle() && !in_flight_.empty() && line::clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    leave();
  }

  bool push_new() {
    more_ahead_ = false;
    const auto page = place_->read(cursor_, records_per_read);
    if (!page)
      return false;
    std::string out;
    for (const auto& [seq, text] : page->records) {
      append_message(out, channel_, text);
      in_flight_.emplace_back(sent_ + out.size(), seq);
    }
    cursor_ = page->read_to;
    if (!send(out))
      return false;
    more_ahead_ = page->records.size() == records_per_read; // there is more: do not wait
    return !more_ahead_ || settle();
  }

  /// Sends all, or drops the subscriber.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = line_.write_some(bytes);
      if (n < 0)
        return false;
      sent_ += static_cast<std::uint64_t>(n);
      bytes.remove_prefix(static_cast<std::size_t>(n));
      if (!bytes.empty() && !line_.wait_writable(line::clock::now() + subscriber_patience)) {
        dropped_ = true;
        return false;
      }
    }
    return true;
  }

  /// Moves the place to what has arrived. False when that cannot be kept.
  bool settle() {
    const auto unconfirmed = line_.unconfirmed();
    const auto arrived = sent_ > unconfirmed ? sent_ - unconfirmed : 0;
    sequence to = 0;
    for (; !in_flight_.empty() && in_flight_.front().first <= arrived; in_flight_.pop_front())
      to = in_flight_.front().second;
    if (dropped_)
      line_.abort(); // what has not arrived must not arrive later: it is sent again
    return to == 0 || !place_->reached(to);
  }

  common_ground& ground_;
  line& line_;
  std::string input_;
  std::vector<std::string> words_;
  const consumer* who_ = nullptr;
  std::shared_ptr<queue_place> place_;
  const char* channel_ = nullptr; ///< subscribed to
  sequence cursor_ = 0;
  std::uint64_t sent_ = 0;                                   ///< bytes, since subscribing
  std::deque<std::pair<std::uint64_t, sequence>> in_flight_; ///< where each record ends in what was sent
  bool counted_ = false;                                     ///< among the subscribers of its place
  bool more_ahead_ = false;
  bool dropped_ = false;
};

} // namespace

void talk_resp(common_ground& ground, line& with, std::string first) {
  conversation{ground, with, std::move(first)}.run();
}

} // namespace keyportal::compat
