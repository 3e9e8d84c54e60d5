#include "actors/analyst/analyst.hpp"

#include <deque>

#include <caf/all.hpp>

#include "actors/analyst/analysis.hpp"

namespace keyportal {
namespace {
struct worker_free {
  std::size_t index = 0;
};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::worker_free)

namespace keyportal {
namespace {

using usage_answer_ptr = std::shared_ptr<const usage_report>;
using record_answer_ptr = std::shared_ptr<const record_page>;

/// Questions that wait when all are busy; more are told to come again.
constexpr std::size_t most_waiting = 64;

struct worker_state {
  worker_state() = default;
  static inline const char* name = "analyst";
  std::unique_ptr<analysis> desk;
};

analyst_actor::behavior_type worker(analyst_actor::stateful_pointer<worker_state> self, analyst_settings how,
                                    std::shared_ptr<const storage::ledger> store) {
  self->state.desk = std::make_unique<analysis>(std::move(store), how.zone);
  return {
    [self, now = how.now](const ask_usage& asked) -> caf::result<usage_answer_ptr> {
      auto answer = self->state.desk->answer(asked, now());
      if (!answer)
        return std::move(answer.error());
      return usage_answer_ptr{std::make_shared<const usage_report>(std::move(*answer))};
    },
    [self, now = how.now](const ask_records& asked) -> caf::result<record_answer_ptr> {
      auto answer = self->state.desk->answer(asked, now());
      if (!answer)
        return std::move(answer.error());
      return record_answer_ptr{std::make_shared<const record_page>(std::move(*answer))};
    },
  };
}

using front_impl = analyst_actor::extend<caf::reacts_to<worker_free>>;
struct front_state {
  front_state() = default;
  static inline const char* name = "analysts";
  std::vector<analyst_actor> workers;
  std::vector<std::size_t> idle;
  std::deque<std::function<void(std::size_t)>> waiting; ///< each is given a worker
};
using front_ptr = front_impl::stateful_pointer<front_state>;

void hand_out(front_ptr self) {
  auto& state = self->state;
  while (!state.idle.empty() && !state.waiting.empty()) {
    const auto index = state.idle.back();
    state.idle.pop_back();
    const auto question = std::move(state.waiting.front());
    state.waiting.pop_front();
    question(index);
  }
}

template <class Answer, class Question>
caf::typed_response_promise<Answer> take(front_ptr self, const Question& asked) {
  auto promise = self->template make_response_promise<Answer>();
  auto& state = self->state;
  if (state.waiting.size() >= most_waiting) {
    promise.deliver(make_error(errc::too_many_requests));
    return promise;
  }
  state.waiting.push_back([self, asked, promise](std::size_t index) mutable {
    self->request(self->state.workers[index], caf::infinite, asked)
      .then(
        [self, index, promise](const Answer& answer) mutable {
          promise.deliver(answer);
          self->send(self, worker_free{index});
        },
        [self, index, promise](const caf::error& error) mutable {
          promise.deliver(error);
          self->send(self, worker_free{index});
        });
  });
  hand_out(self);
  return promise;
}

front_impl::behavior_type front(front_ptr self, bool own_thread, const analyst_settings& how,
                                const std::shared_ptr<const storage::ledger>& store) {
  for (std::size_t i = 0; i < how.threads; ++i) {
    auto one = own_thread ? self->spawn<caf::detached + caf::linked>(worker, how, store)
                          : self->spawn<caf::linked>(worker, how, store);
    self->state.workers.push_back(std::move(one));
    self->state.idle.push_back(i);
  }
  return {
    [self](const ask_usage& asked) { return take<usage_answer_ptr>(self, asked); },
    [self](const ask_records& asked) { return take<record_answer_ptr>(self, asked); },
    [self](const worker_free& one) {
      self->state.idle.push_back(one.index);
      hand_out(self);
    },
  };
}

} // namespace

analyst_actor spawn_analyst(caf::actor_system& system, bool own_thread, analyst_settings how,
                            std::shared_ptr<const storage::ledger> store) {
  return system.spawn(front, own_thread, std::move(how), std::move(store));
}

} // namespace keyportal
