#include "server.hpp"

#include "json.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace keyportal::cpa_sim {
namespace {

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
    .count();
}

constexpr std::size_t batch = 1000; // records that become visible together

} // namespace

/// How connections are received; versions without RESP take everything for HTTP.
listener::first_byte first_byte_of(const options& o) {
  const traits t = traits_of(o.version);
  return {o.silent_socket_blocks && t.silent_blocks, t.first_byte_limit ? o.first_byte : std::chrono::milliseconds(0)};
}

server::server(options o)
  : options_(std::move(o)), memory_(options_.oracle_file),
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
    if (begin(problem_))
      problem_ = front_.open(options_.port);
    port_ = front_.port();
    options_.port = port_;
    if (problem_.empty())
      problem_ = control_.open(options_.control_port);
  }
  if (!problem_.empty()) {
    ended_ = true;
    return;
  }
  if (memory_.size() == 0 && options_.preload != 0) {
    // A day's worth of records that were there before anybody looked.
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
  worker_ = std::thread([this] { worker(); });
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
  auto fresh =
    std::make_shared<node>(options_, place_, surroundings{memory_, manner_, [this] { return next_twist(); }}, config);
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
  constexpr std::chrono::milliseconds tick{10};
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
      changed_.wait_for(guard, tick, [this] { return stopping_ || restart_asked_; });
    } else {
      changed_.wait(guard, woken);
      last = std::chrono::steady_clock::now();
    }
  }
}

void server::emit_traffic(double seconds) {
  {
    const std::lock_guard guard(lock_);
    if (rate_ <= 0 || ended_)
      return;
    owed_ += rate_ * std::min(seconds, 1.0);
  }
  const auto count = static_cast<std::size_t>(owed_);
  owed_ -= static_cast<double>(count);
  record(count);
}

std::size_t server::record(std::size_t count) { return record(count, options_.push_patience); }

std::size_t server::record(std::size_t count, std::chrono::milliseconds patience) {
  std::size_t done = 0;
  std::vector<attempt> attempts;
  while (done < count && !down_) {
    const std::size_t size = std::min(batch, count - done);
    attempts.clear();
    zone place;
    {
      const std::lock_guard guard(lock_);
      place = place_;
    }
    {
      const std::lock_guard guard(record_lock_);
      for (std::size_t i = 0; i < size; ++i)
        attempts.push_back(traffic_.next(unix_now_ns(), place));
    }
    const std::size_t recorded = record(attempts, patience);
    done += recorded;
    if (recorded < size)
      break;
  }
  return done;
}

/// Each batch as far as subscribers have room, then the rest, until all are made.
std::size_t server::record(std::span<const attempt> attempts, std::chrono::milliseconds patience) {
  std::size_t recorded = 0;
  bool patient = patience.count() > 0;
  while (!attempts.empty()) {
    std::shared_ptr<node> here;
    {
      // Not while restarting: the process that would record is not there.
      const std::lock_guard guard(record_lock_);
      if (down_)
        return recorded;
      here = current();
      const auto result = here->record_live(attempts, patient);
      recorded += result.recorded;
      attempts = attempts.subspan(result.made);
      if (result.made != 0) {
        patient = patience.count() > 0;
        continue;
      }
      if (!patient)
        return recorded; // the oracle cannot be written
    }
    patient = here->wait_for_room(patience);
  }
  return recorded;
}

bool server::record(const std::vector<attempt>& attempts) {
  return record(std::span(attempts), options_.push_patience) == attempts.size();
}

bool server::record(const std::vector<cpa_sim::record>& records) {
  const traits t = traits_of(options_.version);
  std::vector<attempt> attempts;
  for (const auto& r : records) {
    auto way = std::make_shared<route>();
    way->api = way->api_key = r.api;
    way->model = way->alias = r.model.empty() ? "unknown" : r.model;
    way->source = r.what.source;
    way->auth_index = r.what.auth_index;
    way->provider = "unknown";
    way->executor = "unknown";
    way->count = counting_of(r.model);
    prepare(*way, t);
    attempt a;
    a.way = std::move(way);
    a.started = r.what.timestamp.is_zero() ? place_.at(unix_now_ns()) : r.what.timestamp;
    a.latency_ms = std::max<std::int64_t>(r.what.latency_ms, 0);
    a.status = r.what.failed ? 500 : 200;
    a.used = {r.what.tokens.input, r.what.tokens.output, r.what.tokens.reasoning, r.what.tokens.cached, 0,
              r.what.tokens.total};
    attempts.push_back(std::move(a));
  }
  return record(attempts);
}

std::optional<twist> server::next_twist() {
  const auto taken = faults_.take(message_path);
  if (taken.empty())
    return std::nullopt;
  twist t;
  for (const auto& f : taken) {
    t.twice = t.twice || f.name == "push_duplicate";
    t.malformed = t.malformed || f.name == "malformed_payload";
    t.odd_fields = t.odd_fields || f.name == "odd_fields";
    t.overflow = t.overflow || f.name == "overflow";
    if (f.name == "push_garbage")
      t.before += f.value.empty() ? std::string("%garbage\x00\xff\r\n", 12) : f.value;
  }
  return t;
}

void server::serve_resp(int fd, int stop_fd, const std::string& peer) {
  resp_hooks hooks;
  hooks.faults = [this](const std::string& path) {
    {
      const std::lock_guard guard(lock_);
      if (calls_by_path_.size() < 1000 || calls_by_path_.contains(path))
        ++calls_by_path_[path];
    }
    return faults_.take(path);
  };
  hooks.to_process = [this](const cpa_sim::fault& f) {
    if (f.name == "kill" && options_.may_kill_itself)
      ::kill(::getpid(), SIGKILL);
    ask_restart(std::chrono::milliseconds(number_of(f.value, 0)), false);
  };
  resp_connection(fd, stop_fd, peer, current(), std::move(hooks)).run();
}

bool server::rival(const std::string& mode, std::chrono::milliseconds every, std::size_t most) {
  if (mode != "pop" && mode != "subscribe" && mode != "off")
    return false;
  {
    const std::lock_guard guard(lock_);
    rival_mode_ = mode;
    rival_every_ = every;
    rival_most_ = most;
  }
  let_rival_work();
  changed_.notify_all();
  return true;
}

void server::let_rival_work() {
  const auto here = current();
  std::unique_lock guard(lock_);
  if (down_ || ended_ || !here)
    return;
  if (rival_ && (rival_mode_ != "subscribe" || rival_node_ != here || rival_->ended())) {
    const auto old = std::exchange(rival_, nullptr);
    const auto old_node = std::exchange(rival_node_, nullptr);
    guard.unlock();
    old_node->unsubscribe(old, "rival went");
    guard.lock();
  }
  if (rival_mode_ == "subscribe" && !rival_) {
    rival_node_ = here;
    rival_ = here->subscribe(channel::usage, -1);
  } else if (rival_mode_ == "pop" && std::chrono::steady_clock::now() - rival_last_ >= rival_every_) {
    rival_last_ = std::chrono::steady_clock::now();
    here->pop(rival_most_, "rival");
  }
}

std::map<std::uint64_t, fate> server::fates() const { return read_fates(memory_.records(), memory_.fates()); }

void server::set_rate(double records_per_second) {
  {
    const std::lock_guard guard(lock_);
    rate_ = std::clamp(records_per_second, 0.0, 1e6);
  }
  changed_.notify_all();
}

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

bool server::fault(const cpa_sim::fault& f) {
  if (f.name == "restart" && f.path.empty()) {
    ask_restart(std::chrono::milliseconds(number_of(f.value, 0)), false);
    return true;
  }
  if (f.name == "kill" && f.path.empty()) {
    if (options_.may_kill_itself)
      ::kill(::getpid(), SIGKILL);
    ask_restart(std::chrono::milliseconds(0), false);
    return true;
  }
  if (f.name == "empty_config") {
    return !options_.state_file.empty() && ::truncate(options_.state_file.c_str(), 0) == 0;
  }
  if (f.name == "frozen") {
    front_.freeze(true);
    const long time = number_of(f.value, 0);
    const std::lock_guard guard(lock_);
    if (time > 0)
      thaw_at_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(time);
    changed_.notify_all();
    return true;
  }
  if (f.name == "push_paused") {
    manner_.paused = true;
    const long time = number_of(f.value, 0);
    const std::lock_guard guard(lock_);
    if (time > 0)
      push_on_at_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(time);
    changed_.notify_all();
    return true;
  }
  if (f.name == "push_split") {
    manner_.split = static_cast<std::size_t>(number_of(f.value, 7));
    return true;
  }
  if (f.name == "half_open") {
    current()->make_ghosts(std::chrono::milliseconds(number_of(f.value, 5000)));
    return true;
  }
  if (f.name == "control_object") {
    for (int i = 0; i < std::max(f.count, 1); ++i)
      current()->push_control(f.value.empty() ? R"({"refresh":true})" : f.value);
    return true;
  }
  if (f.name == "startup_502" && !f.value.empty()) {
    starting_until_ms_ = steady_ms() + number_of(f.value, 100);
    return true;
  }
  if (f.name == "tz" && !zone::named(f.value))
    return false;
  if (f.name == "cap1000")
    current()->keep_newest(1000);
  return faults_.add(f);
}

void server::clear_faults() {
  faults_.clear();
  front_.freeze(false);
  manner_.paused = false;
  manner_.split = 0;
  current()->keep_newest(0);
  starting_until_ms_ = 0;
  const std::lock_guard guard(lock_);
  thaw_at_.reset();
  push_on_at_.reset();
}

node::numbers server::numbers() const { return current()->now(); }

} // namespace keyportal::cpa_sim
