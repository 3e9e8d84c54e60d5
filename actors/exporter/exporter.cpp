#include "actors/exporter/exporter.hpp"

#include <caf/all.hpp>

namespace keyportal {
namespace {
struct tidy_up {};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::tidy_up)

namespace keyportal {
namespace {

constexpr std::chrono::seconds tidying{30};

using impl = exporter_actor::extend<caf::reacts_to<tidy_up>>;

struct state {
  state() = default;
  static inline const char* name = "exporter";
  std::unique_ptr<export_desk> desk;
  std::function<moment()> now;
  metrics* numbers = nullptr;

  caf::expected<opened_export> open(const open_export& asked) {
    auto out = desk->open(asked.what, now());
    count();
    return out;
  }
  caf::expected<export_piece> read(const read_export& which) {
    auto out = desk->read(which, now());
    if (out)
      numbers->export_bytes.Increment(static_cast<double>(out->text->size()));
    return out;
  }
  void count() const { numbers->exports_held.Set(static_cast<double>(desk->held())); }
};
using self_pointer = impl::stateful_pointer<state>;

template <class T>
caf::result<T> answer(caf::expected<T> what) {
  if (!what)
    return std::move(what.error());
  return std::move(*what);
}

impl::behavior_type exporter(self_pointer self, std::function<moment()> now,
                             const std::shared_ptr<const storage::ledger>& store, metrics* numbers,
                             export_limits limits) {
  self->state.desk = std::make_unique<export_desk>(store, std::move(limits));
  self->state.now = std::move(now);
  self->state.numbers = numbers;
  self->delayed_send(self, tidying, tidy_up{});
  return {
    [self](const open_export& asked) -> caf::result<opened_export> { return answer(self->state.open(asked)); },
    [self](const read_export& which) -> caf::result<export_piece> { return answer(self->state.read(which)); },
    [self](const pull_export& wanted) { wanted.give(self->state.read(wanted.which)); },
    [self](const close_export& which) {
      self->state.desk->close(which.id);
      self->state.count();
    },
    [self](tidy_up) {
      self->state.desk->tidy(self->state.now());
      self->state.count();
      self->delayed_send(self, tidying, tidy_up{});
    },
  };
}

} // namespace

exporter_actor spawn_exporter(caf::actor_system& system, bool own_thread, std::function<moment()> now,
                              std::shared_ptr<const storage::ledger> store, metrics& numbers, export_limits limits) {
  if (own_thread)
    return system.spawn<caf::detached>(exporter, std::move(now), std::move(store), &numbers, std::move(limits));
  return system.spawn(exporter, std::move(now), std::move(store), &numbers, std::move(limits));
}

} // namespace keyportal
