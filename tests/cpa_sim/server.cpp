#include "server.hpp"

#include "json.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace keyportal::cpa_sim {
namespace {

constexpr std::size_t batch = 1000; // records of the preload that are written together

listener::first_byte first_byte_of(const options& o) {
  const traits t = traits_of(o.version);
  return {o.silent_socket_blocks && t.silent_blocks, t.first_byte_limit ? o.first_byte : std::chrono::milliseconds(0)};
}

} // namespace

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
    .count();
}

server::server(options o)
  : options_(std::move(o)), memory_(options_.oracle_file),
    accounts_(credentials_of(options_, traits_of(options_.version)), unix_now_ns() / 1'000'000),
    traffic_(options_.seed, credentials_of(options_, traits_of(options_.version)), traits_of(options_.version)),
    rate_(options_.rate), front_({[this](const request& r) { return serve(r); },
                                  traits_of(options_.version).resp
                                    ? [this](int fd, int stop, const std::string& peer) { serve_resp(fd, stop, peer); }
                                    : std::function<void(int, int, const std::string&)>(),
                                  [this](const answer& a) { current()->unanswered(a.popped); }},
                                 first_byte_of(options_)),
    control_({[this](const request& r) { return control(r); }, {}, {}}, {}) {
  const auto place = zone::named(options_.time_zone);
  if (!place) {
    problem_ = "unknown time zone " + options_.time_zone;
  } else if (!memory_.problem().empty()) {
    problem_ = memory_.problem();
  } else {
    place_ = *place;
    if (begin(problem_)) {
      preload();
      problem_ = front_.open(options_.port);
    }
    port_ = front_.port();
    options_.port = port_;
    if (problem_.empty())
      problem_ = control_.open(options_.control_port);
  }
  if (!problem_.empty()) {
    ended_ = true;
    return;
  }
  worker_ = std::thread([this] { worker(); });
}

/// A day's worth of records that were there before anybody looked.
void server::preload() {
  if (memory_.size() != 0 || options_.preload == 0)
    return;
  const std::int64_t now = unix_now_ns();
  const std::int64_t step =
    std::min<std::int64_t>(86'400'000'000'000 / static_cast<std::int64_t>(options_.preload), 5'000'000'000);
  std::vector<attempt> attempts;
  for (std::size_t left = options_.preload; left > 0;) {
    attempts.push_back(traffic_.next(now - static_cast<std::int64_t>(left) * step, place_));
    if (--left % batch == 0) {
      node_->record_live(attempts, false);
      attempts.clear();
    }
  }
}

server::~server() {
  {
    const std::lock_guard guard(lock_);
    stopping_ = true;
  }
  down_ = true; // ends a long POST /records
  changed_.notify_all();
  control_.close(); // may be waiting for a restart, which `stopping_` ends
  if (worker_.joinable())
    worker_.join();
  front_.close();
}

/// Reads the config file and makes the node of this start.
bool server::begin(std::string& why) {
  config_values config;
  config.keys = options_.keys;
  config.has_keys = true;
  config.has_secret = !options_.secret.empty();
  config.statistics = options_.statistics;
  config.retention = options_.retention;
  const std::string& path = options_.state_file;
  if (!path.empty()) {
    if (const auto text = read_file(path)) {
      if (text->empty()) {
        why = "failed to create auth directory : mkdir :"; // era A's last words when config.yaml is empty
        return false;
      }
      config = read_config(*text);
    } else if (why = write_in_place(path, config_text(options_, config)); !why.empty()) {
      return false;
    }
  } else if (const auto before = current()) {
    config = before->config();
  }
  auto fresh = std::make_shared<node>(
    options_, place_,
    surroundings{memory_, accounts_, manner_, [this](const std::string& when) { return next_twist(when); }}, config);
  for (const auto& f : faults_.all()) {
    if (f.name == "cap1000")
      fresh->keep_newest(1000);
  }
  starting_until_ms_ = steady_ms() + options_.starting_up.count();
  const std::lock_guard guard(lock_);
  node_ = std::move(fresh);
  return true;
}

std::shared_ptr<node> server::current() const {
  const std::lock_guard guard(lock_);
  return node_;
}

answer server::serve(const request& r) {
  const auto taken = faults_.take(r.path);
  {
    const std::lock_guard guard(lock_);
    if (calls_by_path_.size() < 1000 || calls_by_path_.contains(r.path))
      ++calls_by_path_[r.path];
  }
  switches s;
  s.starting_up = steady_ms() < starting_until_ms_;
  std::optional<answer> a;
  for (const auto& f : taken) {
    s.save_fails = s.save_fails || f.name == "save_fails";
    s.lose_write = s.lose_write || f.name == "lost_write";
    s.wrong_key = s.wrong_key || f.name == "wrong_key";
    s.starting_up = s.starting_up || f.name == "startup_502";
    if (!a)
      a = instead(f);
  }
  const auto here = current();
  if (!a)
    a = here->handle(r, s);
  for (const auto& f : taken) {
    if (f.name == "response_lost" || f.name == "truncate_json" || f.name == "kill" || f.name == "restart") {
      here->unanswered(a->popped);
      a->popped.clear();
    }
    spoil(*a, f);
    if (f.name == "kill" && options_.may_kill_itself)
      ::kill(::getpid(), SIGKILL);
    if (f.name == "restart" || f.name == "kill") {
      ask_restart(std::chrono::milliseconds(number_of(f.value, 0)), false);
      a->how.close_silently = true;
    }
  }
  return std::move(*a);
}

void server::worker() {
  constexpr std::chrono::milliseconds quick{1}, tick{10}; // quick: so that invented records come one by one
  auto last = std::chrono::steady_clock::now();
  std::unique_lock guard(lock_);
  while (!stopping_) {
    if (restart_asked_) {
      const auto down = *restart_asked_;
      restart_asked_.reset();
      const std::uint64_t asked = restarts_asked_;
      guard.unlock();
      restart_now(down);
      guard.lock();
      restarts_done_ = asked;
      changed_.notify_all();
      last = std::chrono::steady_clock::now();
      continue;
    }
    const auto now = std::chrono::steady_clock::now();
    if (thaw_at_ && now >= *thaw_at_) {
      thaw_at_.reset();
      front_.freeze(false);
    }
    if (push_on_at_ && now >= *push_on_at_) {
      push_on_at_.reset();
      manner_.paused = false;
      node_->wake_subscribers();
    }
    guard.unlock();
    if (!down_ && !ended_)
      current()->reload_config();
    emit_traffic(std::chrono::duration<double>(now - last).count());
    let_rival_work();
    guard.lock();
    last = now;
    const auto busy = [this] {
      return rate_ > 0 || thaw_at_ || push_on_at_ || rival_mode_ != "off" || !options_.state_file.empty();
    };
    const auto woken = [&] { return stopping_ || restart_asked_ || busy(); };
    if (busy()) {
      changed_.wait_for(guard, rate_ > 100 ? quick : tick, [this] { return stopping_ || restart_asked_; });
    } else {
      changed_.wait(guard, woken);
      last = std::chrono::steady_clock::now();
    }
  }
}

std::map<std::uint64_t, fate> server::fates() const { return read_fates(memory_.records(), memory_.fates()); }

void server::restart(std::chrono::milliseconds down) { ask_restart(down, true); }

void server::ask_restart(std::chrono::milliseconds down, bool wait) {
  std::unique_lock guard(lock_);
  restart_asked_ = down;
  const std::uint64_t mine = ++restarts_asked_;
  changed_.notify_all();
  if (wait)
    changed_.wait(guard, [&] { return stopping_ || restarts_done_ >= mine; });
}

void server::restart_now(std::chrono::milliseconds down) {
  {
    const std::lock_guard guard(record_lock_); // a batch that is being recorded is recorded whole
    down_ = true;
  }
  front_.close();
  {
    std::unique_lock guard(lock_);
    changed_.wait_for(guard, down, [this] { return stopping_; });
    if (stopping_)
      return;
  }
  for (const auto& f : faults_.all()) {
    if (f.name != "tz")
      continue;
    if (const auto place = zone::named(f.value)) {
      const std::lock_guard guard(lock_);
      place_ = *place;
    }
  }
  faults_.remove("tz");
  std::string why;
  if (!begin(why) || !front_.open(port_).empty()) {
    ended_ = true;
    return;
  }
  ++restarts_;
  down_ = false;
}

std::vector<remembered> server::oracle_records() const { return memory_.records(); }

node::numbers server::numbers() const { return current()->now(); }

} // namespace keyportal::cpa_sim
