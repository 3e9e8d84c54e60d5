// One change at a time, the following of the log, and what time brings.
#include <algorithm>

#include "actors/authenticator/authenticator_core.hpp"
#include "actors/telemetry/log.hpp"

namespace keyportal {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t upkeep_most = 2000; ///< records in one change
constexpr std::uint32_t entries_at_once = 500;
constexpr std::size_t most_changes = 10'000; ///< that wait

/// Often enough that a session does not end early by much when the process is killed; seldom enough for the log.
std::chrono::seconds upkeep_pause(const authenticator_settings& settings) {
  return std::clamp<std::chrono::seconds>(settings.sessions.idle / 3, 60s, 600s);
}

random_bits drawn(const authenticator_settings& settings) {
  random_bits out;
  settings.draw(out);
  return out;
}
} // namespace

authenticator_core::authenticator_core(authenticator_settings settings, authenticator_start start, actor_port port)
  : settings_(std::move(settings)), port_(std::move(port)), book_(std::move(start.book)),
    directory_(std::move(start.directory)), first_admin_(settings_.first_admin_file, settings_.key),
    own_key_(drawn(settings_)), throttle_(settings_.throttle, own_key_),
    register_address_({10, 3600s}, 10'000, own_key_), register_domain_({100, 3600s}, 10'000, own_key_),
    register_all_({500, 3600s}, 1, own_key_), code_address_({20, 3600s}, 10'000, own_key_),
    code_person_({5, 3600s}, 10'000, own_key_),
    workers_(std::make_unique<password_workers>(settings_.hash_threads, settings_.hash_waiting, settings_.cost)) {
  settings_.registration.prove_address = static_cast<bool>(settings_.mail);
  for (const auto& one : settings_.providers)
    providers_.push_back(identity::make_provider(one));
  if (!settings_.ask_elsewhere && !providers_.empty()) {
    caller_ = std::make_unique<identity::http_caller>();
    settings_.ask_elsewhere = [caller = caller_.get()](identity::http_call call, identity::http_caller::done done) {
      caller->ask(std::move(call), std::move(done));
    };
  }
  upkeep_at_ = settings_.now() + upkeep_pause(settings_);
  offer_first_admin();
}

// --- changes ---------------------------------------------------------------------------------------------------------

void authenticator_core::enter(pending_change what) {
  if (draining_)
    return what.then(make_error(errc::shutting_down));
  if (changes_.size() >= most_changes)
    return what.then(make_error(errc::sign_in_busy));
  changes_.push_back(std::move(what));
  next_change();
}

void authenticator_core::next_change() {
  while (!changing_ && !changes_.empty()) {
    auto one = std::move(changes_.front());
    changes_.pop_front();
    auto decided = one.decide();
    if (!decided) {
      one.then(std::move(decided.error()));
      continue;
    }
    if (decided->put.empty() && decided->drop.empty() && !decided->person) {
      one.then(command_done{});
      continue;
    }
    changing_ = true;
    if (settings_.shared)
      decided->upon = book_.position();
    // The book may have people whom the log did not say to have asked: nobody, who is the system.
    port_.ask_registry(
      {{one.who.empty() ? "system" : one.who, one.from.empty() ? "local" : one.from, {}}, std::move(*decided)},
      [this, then = one.then, again = one](caf::expected<command_done> done) {
        if (!done && settings_.shared && code_of(done.error()) == errc::registry_conflict) {
          // Somebody else was faster: what he did is learnt first, and then decided anew.
          const auto next = book_.position() + 1;
          awaited_.position = next;
          awaited_.then = [this, again] {
            changing_ = false;
            changes_.push_front(again);
            next_change();
          };
          return follow(next);
        }
        if (!done) {
          changing_ = false;
          then(std::move(done));
          return next_change();
        }
        const auto position = done->position;
        awaited_.position = position;
        awaited_.then = [this, then, kept = std::make_shared<command_done>(std::move(*done))] {
          changing_ = false;
          then(std::move(*kept));
          next_change();
        };
        follow(position);
      });
  }
  if (draining_ && !changing_ && changes_.empty() && drained_)
    std::exchange(drained_, {})();
}

// --- the log ---------------------------------------------------------------------------------------------------------

void authenticator_core::follow(log_position at_least) {
  wanted_ = std::max(wanted_, at_least);
  if (awaited_.then && book_.position() >= awaited_.position)
    std::exchange(awaited_.then, {})();
  for (auto at = catching_up_.begin(); at != catching_up_.end() && at->first <= book_.position();
       at = catching_up_.erase(at))
    at->second.done({});
  if (reading_ || book_.position() >= wanted_)
    return;
  reading_ = true;
  port_.read({book_.position(), entries_at_once}, [this](caf::expected<std::vector<registry_entry>> entries) {
    reading_ = false;
    if (!entries || entries->empty()) { // what was committed is there, so this passes; `tick` looks again
      if (!entries)
        log::error("authenticator", "read", "{}", render(entries.error()));
      return;
    }
    for (const auto& one : *entries)
      learn(book_.apply(one));
    offer_first_admin();
    follow(0);
  });
}

void authenticator_core::answer(const catch_up& m, asked q) {
  catching_up_.emplace(m.position, std::move(q));
  follow(m.position);
}

void authenticator_core::learn(const access_news& news) {
  const auto ended = directory_->learn(news);
  for (const auto& one : ended)
    note(access_event::session_ended, {{one.address, {}, {}}, {}, {}}, one.subject, "done", one.name);
  for (const auto& who : news.changed)
    pending_totp_.erase(who.id);
  for (auto told : news.notices) {
    if (!settings_.tell)
      break;
    if (told.what == notice::kind::registration_waits)
      told.to = book_.addresses_of_admins();
    settings_.tell(std::move(told));
  }
}

// --- what time brings ------------------------------------------------------------------------------------------------

void authenticator_core::tick() {
  for (const auto& one : directory_->expire())
    note(access_event::session_expired, {{one.address, {}, {}}, {}, {}}, one.subject, "done", one.name);
  follow(0);
  const auto now = settings_.now();
  std::erase_if(pending_totp_, [now](const auto& one) { return one.second.until <= now; });
  if (now >= upkeep_at_ && !draining_) {
    upkeep_at_ = now + upkeep_pause(settings_);
    upkeep();
  }
}

/// Stores when sessions and tokens were used last, and takes out what is over.
void authenticator_core::upkeep() {
  enter({"system", "local",
         [this]() -> caf::expected<put_access> {
           auto change = book_.drop_old(settings_.now(), upkeep_most);
           for (const auto& id : book_.sessions()) {
             if (change.drop.size() >= upkeep_most)
               break;
             if (!directory_->find(id))
               change.drop.push_back(access_book::session_id(id));
           }
           const auto active = directory_->take_activity();
           for (const auto& one : active.sessions)
             if (change.put.size() < upkeep_most && book_.sessions().contains(one.id))
               if (auto failed = book_.put_session(change, one))
                 return failed;
           for (const auto& one : active.tokens)
             if (change.put.size() < upkeep_most && book_.find_token(one.hash) != nullptr)
               if (auto failed = book_.put(change, access_id(record_kind::token, one.hash), one.owner, one))
                 return failed;
           change.what = "access.upkeep";
           return change;
         },
         [](const caf::expected<command_done>& done) {
           if (!done && code_of(done.error()) != errc::shutting_down)
             log::error("authenticator", "upkeep", "{}", render(done.error()));
         }});
}

void authenticator_core::drain(std::function<void()> drained) {
  upkeep(); // before the doors close: so that sessions go on where they were
  draining_ = true;
  drained_ = std::move(drained);
  next_change();
}

void authenticator_core::offer_first_admin() {
  if (book_.active_admins() > 0) {
    if (first_admin_.offered()) {
      first_admin_.withdraw();
      log::info("authenticator", "first-admin", "There is an admin; the token for the first one is over");
    }
    return;
  }
  if (first_admin_.offered() || settings_.first_admin_file.empty())
    return;
  if (auto failed = first_admin_.offer(bits(), settings_.now()))
    log::error("authenticator", "first-admin", "{}", render(failed));
  else
    log::warn(
      "authenticator", "first-admin",
      "There is no admin yet. Whoever registers with the token in {} becomes the first one; it is good for a week",
      settings_.first_admin_file.string());
}

} // namespace keyportal
