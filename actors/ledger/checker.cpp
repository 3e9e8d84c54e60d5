#include "actors/ledger/checker.hpp"

#include <optional>

#include <caf/all.hpp>

#include "actors/ledger/check_round.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/errors.hpp"

namespace keyportal {
namespace {
struct check_next {};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::check_next)

namespace keyportal {
namespace {

using checker_impl = checker_actor::extend<caf::reacts_to<check_next>>;
struct checker_state {
  checker_state() = default;
  static inline const char* name = "checker";
  std::shared_ptr<const storage::ledger> store;
  mender_actor mender;
  std::optional<check_round> round;
  bool begun = false; ///< the days are known
};
using checker_ptr = checker_impl::stateful_pointer<checker_state>;

void end(checker_ptr self, std::string problem) {
  auto& round = *self->state.round;
  round.end(std::move(problem));
  const auto& told = round.told();
  log::info("ledger", "checked", "{} of {} days compared, {} rows of roll-ups wrong, {} mended{}{}", told.days_done,
            told.days, told.rows_wrong, told.rows_mended, told.problem.empty() ? "" : "; ended early: ", told.problem);
}

/// A day, and then whatever else waits in the mailbox.
void go_on(checker_ptr self) {
  auto& state = self->state;
  if (!state.begun) {
    state.begun = true;
    if (auto failed = state.round->begin(*state.store))
      return end(self, render(failed));
    return self->send(self, check_next{});
  }
  if (state.round->done())
    return end(self, {});
  const auto wrong = state.store->check_rollups(state.round->day());
  if (!wrong)
    return end(self, render(wrong.error()));
  if (*wrong == 0 || !state.round->told().mends) {
    state.round->found(*wrong, 0);
    return self->send(self, check_next{});
  }
  const auto day = state.round->day();
  self->request(state.mender, caf::infinite, mend_day{day.node, day.day})
    .then(
      [self, wrong = *wrong](std::uint64_t mended) {
        self->state.round->found(wrong, mended);
        self->send(self, check_next{});
      },
      [self](const caf::error& failed) { end(self, render(failed)); });
}

checker_impl::behavior_type checker(checker_ptr self, std::shared_ptr<const storage::ledger> store,
                                    mender_actor mender) {
  self->state.store = std::move(store);
  self->state.mender = std::move(mender);
  return {
    [self](const check_ledger& what) -> caf::result<ledger_check> {
      auto& state = self->state;
      if (state.round && state.round->told().running)
        return state.round->told();
      state.round.emplace(what.mends);
      state.begun = false;
      self->send(self, check_next{});
      return state.round->told();
    },
    [self](const read_ledger_check&) -> caf::result<ledger_check> {
      return self->state.round ? self->state.round->told() : ledger_check{};
    },
    [self](const check_next&) { go_on(self); },
  };
}

} // namespace

checker_actor spawn_checker(caf::actor_system& system, bool own_thread, std::shared_ptr<const storage::ledger> store,
                            mender_actor mender) {
  return own_thread ? system.spawn<caf::detached>(checker, std::move(store), std::move(mender))
                    : system.spawn(checker, std::move(store), std::move(mender));
}

} // namespace keyportal
