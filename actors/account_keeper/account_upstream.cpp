#include "actors/account_keeper/account_upstream.hpp"

#include <caf/all.hpp>

namespace keyportal {
namespace {
struct idle_look {
  std::uint64_t calls = 0; ///< answered when it was sent
};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::idle_look)

namespace keyportal {
namespace {

using account_upstream_impl = account_upstream_actor::extend<caf::reacts_to<idle_look>>;
constexpr auto idle_time = std::chrono::seconds{5};

struct account_upstream_state {
  account_upstream_state() = default;
  static inline const char* name = "account-upstream";
  std::uint64_t calls = 0;
  bool look_under_way = false;
};
using self_ptr = account_upstream_impl::stateful_pointer<account_upstream_state>;

void watch(self_ptr self) {
  self->state.look_under_way = true;
  self->delayed_send(self, idle_time, idle_look{self->state.calls});
}

/// The answer of a client call as the answer to a message.
template <class T>
caf::result<T> pass(self_ptr self, caf::expected<T> answer) {
  ++self->state.calls;
  if (!self->state.look_under_way)
    watch(self);
  if (!answer)
    return std::move(answer.error());
  return std::move(*answer);
}

account_upstream_impl::behavior_type account_upstream(self_ptr self, std::shared_ptr<cpa::account_client> client) {
  return {
    [self, client](const fetch_auth_files&) { return pass(self, client->files()); },
    [self, client](const start_login& m) { return pass(self, client->start(m.route, m.project)); },
    [self, client](const hand_in_code& m) {
      return pass(self, client->hand_in(m.session, m.state, m.code, m.refused));
    },
    [self, client](const ask_login& m) { return pass(self, client->status(m.state)); },
    [self, client](const end_login& m) { return pass(self, client->cancel(m.state)); },
    [self, client](const switch_account& m) { return pass(self, client->set_disabled(m.file, m.disabled)); },
    [self, client](const delete_account_file& m) { return pass(self, client->remove(m.file)); },
    [self, client](const fetch_token_times& m) { return pass(self, client->times(m.file)); },
    [self, client](const cpa::provider_question& m) { return pass(self, client->ask(m)); },
    [self, client](const idle_look& m) {
      self->state.look_under_way = false;
      if (m.calls == self->state.calls)
        client->close();
      else
        watch(self);
    },
  };
}

} // namespace

account_upstream_actor spawn_account_upstream(caf::actor_system& system, std::shared_ptr<cpa::account_client> client) {
  return system.spawn<caf::detached>(account_upstream, std::move(client));
}

} // namespace keyportal
