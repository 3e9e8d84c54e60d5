#include "actors/authenticator/authenticator.hpp"

#include <caf/all.hpp>

#include "actors/authenticator/authenticator_core.hpp"
#include "actors/telemetry/log.hpp"
#include "storage/sha256.hpp"

namespace keyportal {
namespace {
struct run_here {
  std::function<void()> what;
};
struct access_tick {};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::run_here)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::access_tick)

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using authenticator_impl = authenticator_actor::extend<caf::reacts_to<run_here>, caf::reacts_to<access_tick>>;
struct authenticator_state {
  authenticator_state() = default;
  static inline const char* name = "authenticator";
  std::unique_ptr<authenticator_core> core;
};
using self_ptr = authenticator_impl::stateful_pointer<authenticator_state>;

constexpr auto tick = 1s;

/// Asks another actor; the answer or the error comes to `then`.
template <class Answer, class Handle, class Question>
void ask(self_ptr self, const Handle& whom, Question what, std::function<void(caf::expected<Answer>)> then) {
  self->request(whom, caf::infinite, std::move(what))
    .then([then](Answer& answer) { then(std::move(answer)); }, [then](caf::error& why) { then(std::move(why)); });
}

actor_port port_of(self_ptr self, const key_registry_actor& registry, const ledger_actor& ledger) {
  actor_port out;
  out.post = [weak = caf::actor_cast<caf::actor_addr>(self)](std::function<void()> what) {
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(weak))
      caf::anon_send(caf::actor_cast<caf::actor>(std::move(strong)), run_here{std::move(what)});
  };
  out.ask_registry = [self, registry](registry_command what, actor_port::decided then) {
    ask<command_done>(self, registry, std::move(what), std::move(then));
  };
  out.find_key = [self, registry](secret key, std::function<void(caf::expected<client_key>)> then) {
    ask<client_key>(self, registry, find_key{{}, std::move(key)}, std::move(then));
  };
  out.read = [self, ledger](read_entries what, std::function<void(caf::expected<std::vector<registry_entry>>)> then) {
    ask<std::vector<registry_entry>>(self, ledger, what, std::move(then));
  };
  return out;
}

authenticator_impl::behavior_type authenticator(self_ptr self, std::shared_ptr<authenticator_settings> settings,
                                                std::shared_ptr<authenticator_start> start, key_registry_actor registry,
                                                ledger_actor ledger) {
  self->state.core =
    std::make_unique<authenticator_core>(std::move(*settings), std::move(*start), port_of(self, registry, ledger));
  auto* core = self->state.core.get();
  self->delayed_send(self, tick, access_tick{});
  return {
    [core, self](const access_command& m) -> caf::result<access_done> {
      auto answer = self->make_response_promise<access_done>();
      core->work(m, {m.from, m.who, answer});
      return answer;
    },
    [core](const committed& m) {
      if (m.appended > 0)
        core->follow(m.appended);
    },
    [core, self](const drain&) -> caf::result<drained> {
      auto answer = self->make_response_promise<drained>();
      core->drain([answer]() mutable {
        if (answer.pending())
          answer.deliver(drained{});
      });
      return answer;
    },
    [](const run_here& m) { m.what(); },
    [core, self](const access_tick&) {
      core->tick();
      self->delayed_send(self, tick, access_tick{});
    },
  };
}

} // namespace

authenticator_start authenticator_start_of(const authenticator_settings& settings, const registry_image& image) {
  access_book book{settings.seal, settings.key};
  random_bits own;
  if (settings.shared) // what one process gives out, another one takes
    own = storage::sha256("own key of a directory\n" + std::string(settings.key.begin(), settings.key.end()));
  else
    settings.draw(own);
  auto directory = std::make_shared<session_directory>(
    directory_settings{.limits = settings.sessions,
                       .token_key = settings.key,
                       .own_key = own,
                       .requests_per_minute = settings.requests_per_minute,
                       .anonymous_requests_per_minute = settings.anonymous_requests_per_minute,
                       .now = settings.now});
  directory->learn(book.load(image));
  if (book.unreadable() > 0)
    log::error("authenticator", "unreadable", "{} credentials cannot be read and are left out", book.unreadable());
  return {std::move(book), std::move(directory)};
}

authenticator_actor spawn_authenticator(caf::actor_system& system, bool own_thread, authenticator_settings settings,
                                        authenticator_start start, key_registry_actor registry, ledger_actor ledger) {
  auto all = std::make_shared<authenticator_settings>(std::move(settings));
  auto begin = std::make_shared<authenticator_start>(std::move(start));
  return own_thread
           ? system.spawn<caf::detached>(authenticator, std::move(all), std::move(begin), std::move(registry),
                                         std::move(ledger))
           : system.spawn(authenticator, std::move(all), std::move(begin), std::move(registry), std::move(ledger));
}

} // namespace keyportal
