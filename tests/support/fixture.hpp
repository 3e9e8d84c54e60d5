// Runs actors on CAF's test scheduler: one thread, time that stands still until it is moved, so that every test of an
// actor takes the same course each time.
#pragma once

#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/detail/test_actor_clock.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>

namespace keyportal::test {

class fixture {
public:
  fixture() : system_(config_), scheduler_(dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler())) {
    scheduler_.clock().current_time += std::chrono::hours{1}; // away from zero, which means "never" to many
  }

  /// Answered requests keep their timeouts, and these keep the actors: without this the system would never end.
  ~fixture() {
    for (auto& actor : spawned_)
      caf::anon_send_exit(actor, caf::exit_reason::kill);
    spawned_.clear();
    settle();
    while (scheduler_.trigger_timeout())
      settle();
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;

  caf::actor_system& system() { return system_; }

  /// Spawns and remembers. Never detached: real threads would run beside the test.
  template <class Function, class... Arguments>
  auto spawn(Function function, Arguments&&... arguments) {
    auto handle = system_.spawn(function, std::forward<Arguments>(arguments)...);
    spawned_.push_back(caf::actor_cast<caf::strong_actor_ptr>(handle));
    return handle;
  }

  /// Runs everything that can run without time passing.
  void settle() {
    while (scheduler_.try_run_once()) {}
  }

  /// Runs the next so many messages at most, as if the process ended after them.
  void run(std::size_t messages) {
    while (messages-- > 0 && scheduler_.try_run_once()) {}
  }

  /// Lets time pass in the steps in which timeouts are due, so that a tick that plans the next one is seen each time.
  void advance(caf::timespan span) {
    auto& clock = scheduler_.clock();
    auto end = clock.current_time + span;
    settle();
    while (!clock.schedule().empty() && clock.schedule().begin()->first <= end) {
      auto due = clock.schedule().begin()->first;
      clock.advance_time(due > clock.current_time ? due - clock.current_time : caf::timespan{0});
      settle();
    }
    clock.advance_time(end - clock.current_time);
    settle();
  }

  /// Asks, settles, and gives the answer; an error when there is none without time passing.
  template <class Answer, class Handle, class Question>
  caf::expected<Answer> ask(const Handle& handle, Question question) {
    caf::scoped_actor self{system_};
    auto request = self->request(handle, std::chrono::seconds{1}, std::move(question));
    settle();
    if (self->mailbox().empty())
      scheduler_.clock().advance_time(std::chrono::seconds{2});
    caf::expected<Answer> result{caf::error{}};
    request.receive([&](Answer& answer) { result = std::move(answer); },
                    [&](caf::error& error) { result = std::move(error); });
    return result;
  }

  template <class Handle, class Message>
  void tell(const Handle& handle, Message message) {
    caf::anon_send(handle, std::move(message));
    settle();
  }

private:
  struct config : caf::actor_system_config {
    config() { set("scheduler.policy", caf::atom("testing")); }
  };
  config config_;
  caf::actor_system system_;
  caf::scheduler::test_coordinator& scheduler_;
  std::vector<caf::strong_actor_ptr> spawned_;
};

} // namespace keyportal::test
