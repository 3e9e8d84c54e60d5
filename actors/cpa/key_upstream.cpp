#include "actors/cpa/key_upstream.hpp"

#include <caf/all.hpp>

namespace keyportal {
namespace {
struct idle_tick {
  std::uint64_t calls = 0; ///< answered when it was sent
};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::idle_tick)

namespace keyportal {
namespace {

using key_upstream_impl = key_upstream_actor::extend<caf::reacts_to<idle_tick>>;
constexpr auto idle_time = std::chrono::seconds{5};

struct key_upstream_state {
  key_upstream_state() = default;
  static inline const char* name = "key-upstream";
  std::uint64_t calls = 0;
  bool tick_under_way = false;
};
using self_ptr = key_upstream_impl::stateful_pointer<key_upstream_state>;

void watch(self_ptr self) {
  self->state.tick_under_way = true;
  self->delayed_send(self, idle_time, idle_tick{self->state.calls});
}

/// The answer of a client call as the answer to a message.
template <class T>
caf::result<T> pass(self_ptr self, caf::expected<T> answer) {
  ++self->state.calls;
  if (!self->state.tick_under_way)
    watch(self);
  if (!answer)
    return std::move(answer.error());
  return std::move(*answer);
}

key_upstream_impl::behavior_type key_upstream(self_ptr self, std::shared_ptr<cpa::key_client> client) {
  return {
    [self, client](const fetch_keys&) { return pass(self, client->keys()); },
    [self, client](const put_keys& m) { return pass(self, client->put(m.keys)); },
    [self, client](const swap_key& m) { return pass(self, client->swap(m.from, m.to)); },
    [self, client](const try_key& m) { return pass(self, client->trial(m.key)); },
    [self, client](const fetch_config&) { return pass(self, client->config()); },
    [self, client](const put_config& m) { return pass(self, client->put_config(*m.text)); },
    [self, client](const idle_tick& m) {
      self->state.tick_under_way = false;
      if (m.calls == self->state.calls)
        client->close();
      else
        watch(self);
    },
  };
}

} // namespace

key_upstream_actor spawn_key_upstream(caf::actor_system& system, std::shared_ptr<cpa::key_client> client) {
  return system.spawn<caf::detached>(key_upstream, std::move(client));
}

} // namespace keyportal
