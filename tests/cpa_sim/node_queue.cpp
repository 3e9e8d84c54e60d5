// The queue of a node: what is recorded, who is told, who takes it.
#include "faults.hpp"
#include "json.hpp"
#include "node.hpp"

#include <algorithm>

namespace keyportal::cpa_sim {
namespace {

constexpr std::size_t largest_batch = subscriber::most_waiting;
constexpr std::string_view usage_channel = "usage";
constexpr std::string_view errors_channel = "errors";

std::int64_t now_ms() { return unix_now_ns() / 1'000'000; }

} // namespace

void node::note(const std::string& fields) { around_.memory.note(fields, now_ms()); }

bool node::managed() const {
  const std::lock_guard guard(lock_);
  return managed_;
}

management_auth::refusal node::authenticate(const std::string& peer, const std::string& key) {
  const std::lock_guard guard(lock_);
  return auth_.check(peer, key, std::chrono::steady_clock::now());
}

/// Drops what is older than the retention.
void node::forget_old() {
  const auto keep = traits_.retention_option ? retention_of(retention_) : std::chrono::seconds(60);
  const auto gone = queue_.expire(keep, std::chrono::steady_clock::now());
  if (gone.empty())
    return;
  counted_.expired += count_of(gone);
  note("\"expired\":" + to_text(gone));
}

node::made node::record_live(std::span<const attempt> attempts, bool patient) {
  const std::lock_guard guard(lock_);
  return record(attempts, patient);
}

/// Writes the lines of attempts to the oracle, and their messages when anybody is to get them.
bool node::keep(std::span<const attempt> attempts, const std::string& fate, const std::string& to, messages* out,
                const twist& how) {
  lines_.clear();
  const std::int64_t moment = now_ms();
  birth b{fate, to, 0, boot_};
  std::uint64_t number = around_.memory.next_number();
  for (const attempt& a : attempts) {
    payload_.clear();
    if (traits_.resp || traits_.queue_http) {
      b.number = number++;
      append_payload(payload_, a, traits_);
    }
    append_line(lines_, moment, a, traits_, b, options_.oracle_brief ? std::string_view() : payload_);
    if (out == nullptr)
      continue;
    if (!how.before.empty())
      out->add_raw(how.before);
    const std::string_view payload =
      how.malformed ? std::string_view(payload_).substr(0, payload_.size() / 2) : std::string_view(payload_);
    out->add(usage_channel, payload, b.number);
    if (how.twice)
      out->add(usage_channel, payload, 0);
  }
  return around_.memory.write(lines_, attempts.size());
}

node::made node::record(std::span<const attempt> attempts, bool patient) {
  made done;
  const instant now = wall_now();
  const auto count = [&](std::span<const attempt> list) {
    for (const attempt& a : list) {
      static const std::string silence;
      counters_.count(a.way->credential, a.failed(), now, a.complaint ? *a.complaint : silence);
      if (a.failed())
        push_errors(a);
    }
    done.made += list.size();
    counted_.attempts += list.size();
  };
  if (!flags_["usage-statistics-enabled"]) {
    count(attempts);
    return done;
  }
  while (!attempts.empty()) {
    std::vector<std::shared_ptr<subscriber>> listening;
    for (const auto& s : subscribers_) {
      if (s->what() == channel::usage && !s->ended())
        listening.push_back(s);
    }
    std::size_t size = std::min(attempts.size(), largest_batch);
    twist how;
    std::string fate = !queueing() ? "none" : listening.empty() ? "queued" : "pushed";
    if (const auto twisted = around_.next_twist(fate == "pushed" ? path_of_push : path_of_queue)) {
      how = *twisted;
      size = 1;
    }
    std::string to;
    if (fate == "pushed") {
      std::size_t room = size;
      for (const auto& s : listening)
        room = std::min(room, how.overflow ? 0 : s->room());
      if (room == 0 && patient && !how.overflow)
        return done;
      size = std::max<std::size_t>(room, 1);
      for (const auto& s : listening) {
        if (how.overflow || s->room() < size) { // the slow one is dropped; what it was to get is lost to it
          ++counted_.dropped_subscribers;
          note("\"dropped\":" + std::to_string(s->id()) + ",\"why\":\"slow\"");
          s->end();
        } else {
          to += (to.empty() ? "[" : ",") + std::to_string(s->id());
        }
      }
      if (to.empty()) {
        fate = "lost";
      } else {
        to += ']';
      }
    }
    const auto part = attempts.first(size);
    if (how.odd_fields)
      odd_ = part.front(), odd_.odd_fields = true;
    const auto kept = how.odd_fields ? std::span<const attempt>(&odd_, 1) : part;
    const std::uint64_t first = around_.memory.next_number();
    batch_.clear();
    if (!keep(kept, fate, to, fate == "pushed" ? &batch_ : nullptr, how))
      return done;
    count(part);
    done.recorded += size;
    if (traits_.usage) {
      for (const attempt& a : kept) {
        const auto r = record_of(a, traits_);
        usage_.record(r.api, r.model, r.what, now);
      }
    }
    if (fate == "queued") {
      forget_old();
      std::uint64_t number = first;
      for (const attempt& a : kept)
        queue_.push(number++, a, std::chrono::steady_clock::now());
    } else if (fate == "pushed") {
      for (const auto& s : listening) {
        if (!s->ended())
          s->take(batch_);
      }
      counted_.pushed += size;
    } else if (fate == "lost") {
      counted_.lost += size;
    }
    attempts = attempts.subspan(size);
  }
  return done;
}

bool node::wait_for_room(std::chrono::milliseconds most) {
  std::shared_ptr<subscriber> slow;
  {
    const std::lock_guard guard(lock_);
    for (const auto& s : subscribers_) {
      if (s->what() == channel::usage && !s->ended() && s->room() == 0)
        slow = s;
    }
  }
  if (!slow)
    return true;
  slow->wait_for_room(most);
  return slow->ended() || slow->room() > 0;
}

node::popped node::pop(std::size_t count, const char* by) {
  const std::lock_guard guard(lock_);
  return take(count, by);
}

node::popped node::take(std::size_t count, const char* by) {
  popped out;
  forget_old();
  const auto items = queue_.pop(count);
  if (items.empty())
    return out;
  for (const auto& i : items)
    add_number(out.which, i.number);
  counted_.popped += items.size();
  note("\"popped\":" + to_text(out.which) + ",\"by\":" + json_text(by));
  out.payloads.reserve(items.size());
  for (const auto& i : items) {
    std::string& payload = out.payloads.emplace_back();
    payload.reserve(1400);
    append_payload(payload, i.what, traits_);
    const auto how = around_.next_twist(path_of_pop);
    if (how && how->malformed) {
      payload.resize(payload.size() / 2);
      out.spoilt = true;
    }
  }
  return out;
}

void node::unanswered(const record_ranges& which) {
  if (!which.empty())
    note("\"unanswered\":" + to_text(which));
}

std::shared_ptr<subscriber> node::subscribe(channel what, int fd) {
  const std::lock_guard guard(lock_);
  auto s = std::make_shared<subscriber>(++subscribers_ever_ + boot_ * 1'000'000, what, fd, around_.manner);
  note("\"subscribed\":" + std::to_string(s->id()) + ",\"channel\":"
       + (what == channel::usage ? "\"usage\"" : "\"errors\"") + ",\"inner\":" + (fd < 0 ? "true" : "false"));
  if (fd >= 0) {
    const std::string_view name = what == channel::usage ? usage_channel : errors_channel;
    s->answer("*3\r\n$9\r\nsubscribe\r\n$" + std::to_string(name.size()) + "\r\n" + std::string(name) + "\r\n:1\r\n");
    if (what == channel::usage && traits_.refresh_messages) {
      messages first;
      first.add(usage_channel, R"({"support_refresh":true})", 0);
      s->take(first);
    }
  }
  subscribers_.push_back(s);
  return s;
}

void node::unsubscribe(const std::shared_ptr<subscriber>& s, const char* why) {
  const std::lock_guard guard(lock_);
  s->end();
  if (std::erase(subscribers_, s) == 0)
    return;
  const auto missed = s->undelivered();
  counted_.lost += count_of(missed);
  note("\"gone\":" + std::to_string(s->id()) + ",\"why\":" + json_text(why)
       + ",\"delivered\":" + std::to_string(s->delivered()) + ",\"undelivered\":" + to_text(missed));
}

void node::push_control(const std::string& payload) {
  const std::lock_guard guard(lock_);
  messages m;
  m.add(usage_channel, payload, 0);
  for (const auto& s : subscribers_) {
    if (s->what() != channel::usage || s->ended())
      continue;
    if (s->room() == 0) {
      s->end();
    } else {
      s->take(m);
    }
  }
}

/// Credentials or config were loaded anew.
void node::refresh() {
  if (!traits_.refresh_messages)
    return;
  messages m;
  m.add(usage_channel, R"({"refresh":true})", 0);
  for (const auto& s : subscribers_) {
    if (s->what() == channel::usage && !s->ended() && s->room() > 0)
      s->take(m);
  }
}

void node::push_errors(const attempt& a) {
  std::string payload;
  messages m;
  for (const auto& s : subscribers_) {
    if (s->what() != channel::errors || s->ended())
      continue;
    if (payload.empty()) {
      const route& way = *a.way;
      std::string id = way.credential;
      for (const auto& c : counters_.all()) {
        if (c.name == way.credential)
          id = c.id;
      }
      const std::string body = json_text(a.complaint ? *a.complaint : std::string());
      const std::string quota = a.status == 429 ? R"(,"quota":{"exceeded":false,"reason":"quota"})" : "";
      payload = "{\"timestamp\":\"";
      append_instant(payload, wall_now());
      payload += "\",\"provider\":" + json_text(way.provider) + ",\"model\":" + json_text(way.alias);
      payload += ",\"auth_id\":" + json_text(id) + ",\"auth_index\":" + json_text(way.auth_index);
      payload += ",\"status_code\":" + std::to_string(a.status) + ",\"body\":" + body;
      payload += R"(,"auth_status":{"status":"error","status_message":)" + body;
      payload += R"(,"disabled":false,"unavailable":false,"model":{"name":)" + json_text(way.alias);
      payload += R"(,"status":"error","status_message":)" + body + ",\"unavailable\":false" + quota + "}}}";
      m.add(errors_channel, payload, 0);
    }
    if (s->room() == 0) {
      s->end();
    } else {
      s->take(m);
    }
  }
}

void node::make_ghosts(std::chrono::milliseconds time) {
  const std::lock_guard guard(lock_);
  for (const auto& s : subscribers_) {
    if (s->what() == channel::usage)
      s->become_ghost(std::chrono::steady_clock::now() + time);
  }
}

void node::wake_subscribers() {
  const std::lock_guard guard(lock_);
  for (const auto& s : subscribers_)
    s->wake();
}

/// The management secret is gone: so are queue and subscribers.
void node::remove_secret() {
  managed_ = false;
  const auto gone = queue_.clear();
  if (!gone.empty())
    note("\"cleared\":" + to_text(gone));
  counted_.lost += count_of(gone);
  for (const auto& s : subscribers_)
    s->end();
}

} // namespace keyportal::cpa_sim
