// A CPA as far as its keys go, a plan for it, and time that passes only with what the plan does and waits for.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "actors/cpa/config_text.hpp"
#include "actors/key_keeper/key_plan.hpp"
#include "tests/cpa_sim/api_keys.hpp"

namespace keyportal::test {

using namespace std::chrono_literals;
using plan_time = key_plan::time;
using call_kind = key_plan::call::kind;

inline const std::string sentinel_text = "sk-sentinel-0123456789";

struct model_cpa {
  std::chrono::milliseconds delay, run;
  cpa_sim::api_keys keys;
  bool away = false, save_fails = false, empty_file = false;
  int lose_writes = 0;                  ///< answered well and lost
  int lose_answers = 0;                 ///< done and not answered
  std::optional<errc> refuses;          ///< every management call
  std::set<std::string> never_enforced; ///< whatever the list says
  int empty_file_writes = 0;

  explicit model_cpa(bool era_a, std::vector<std::string> list = {})
    : delay(era_a ? 150ms : 3ms), run(era_a ? 10ms : 0ms), keys(std::move(list), delay, run, era_a) {}

  /// Another process on the same file.
  void restart() { keys = cpa_sim::api_keys(empty_file ? std::vector<std::string>{} : keys.saved(), delay, run); }
  /// A person edits the list.
  void edit(std::vector<std::string> list, plan_time now) {
    keys.advance(now);
    keys.show(std::move(list));
    keys.save(now);
  }
  bool lets_in(const std::string& key, plan_time now) {
    keys.advance(now);
    return keys.open() || (!never_enforced.contains(key) && keys.match({key}));
  }
  errc change(std::vector<std::string> list, plan_time now) {
    keys.advance(now);
    if (lose_writes > 0) {
      --lose_writes;
      return errc::none;
    }
    if (keys.reloading(now))
      return errc::none; // lost
    keys.show(std::move(list));
    if (save_fails || empty_file)
      return errc::node_failed;
    keys.save(now);
    return errc::none;
  }
};

struct planned_node {
  explicit planned_node(bool era_a, std::vector<std::string> list = {}, std::chrono::milliseconds reconcile = 60s)
    : cpa(era_a, std::move(list)), plan(reconcile) {}

  model_cpa cpa;
  key_plan plan;
  plan_time now = plan_time{} + 1h;
  std::vector<call_kind> calls;
  std::vector<std::vector<std::string>> puts;
  std::map<key_id, bool> registry; ///< what it was told, whether the key works
  std::vector<std::string> strangers;
  std::vector<key_id> taken;
  std::vector<key_plan::change> changes;
  bool registry_away = false;
  bool must_be_closed = true; ///< a request without a key has to be refused at every moment
  bool alarm_seen = false;
  std::function<void()> between;         ///< before each call
  std::function<void(call_kind)> during; ///< each call, before it has an effect
  std::size_t sightings = 0;
  plan_time listed_at{};

  static std::string text(const key_id& id) { return "sk-portal-" + id + "-0001"; }
  static key_orders::one one(const key_id& id, bool works, bool seen = false) {
    return {id, secret{text(id)}, works, seen};
  }
  void whole(std::vector<key_orders::one> keys) { plan.ordered({true, secret{sentinel_text}, std::move(keys)}, now); }
  void order(std::vector<key_orders::one> keys) { plan.ordered({false, {}, std::move(keys)}, now); }

  std::vector<std::string> list() {
    cpa.keys.advance(now);
    return cpa.keys.shown();
  }
  std::set<std::string> enforced_of(const std::vector<std::string>& texts) {
    std::set<std::string> out;
    for (const auto& t : texts)
      if (cpa.lets_in(t, now))
        out.insert(t);
    return out;
  }
  std::size_t count(call_kind k) const { return static_cast<std::size_t>(std::count(calls.begin(), calls.end(), k)); }
  std::size_t writes() const { return count(call_kind::swap) + count(call_kind::put); }
  bool works(const key_id& id) { return registry.contains(id) && registry.at(id); }

  /// One call, or waiting for the next one, but not beyond `end`. False when nothing more happens until then.
  bool step(plan_time end) {
    if (now >= end)
      return false;
    if (between)
      between();
    const auto c = plan.next(now);
    if (c.is == call_kind::nothing) {
      const auto wake = plan.wake_at(now);
      if (wake)
        REQUIRE(*wake > now); // else it would spin
      now = wake ? std::min(*wake, end) : end;
      return true;
    }
    calls.push_back(c.is);
    perform(c);
    check();
    tell();
    return true;
  }
  void run_for(std::chrono::milliseconds span) {
    const auto end = now + span;
    while (step(end)) {}
    tell();
  }
  /// Until the condition holds, at most so long.
  template <class Condition>
  bool run_until(Condition condition, std::chrono::milliseconds most = 10min) {
    const auto end = now + most;
    while (!condition())
      if (!step(end))
        return condition();
    return true;
  }

  void perform(const key_plan::call& c) {
    if (during)
      during(c.is);
    now += c.is == call_kind::trial ? 1ms : 72ms;
    if (cpa.away)
      return plan.failed(errc::node_unreachable, now);
    if (c.is == call_kind::trial) {
      const bool in = c.key ? cpa.lets_in(c.key->reveal(), now) : (cpa.keys.advance(now), cpa.keys.open());
      return plan.tried(in ? key_trial::let_in : key_trial::refused, now);
    }
    if (cpa.refuses)
      return plan.failed(*cpa.refuses, now, 30min);
    cpa.keys.advance(now);
    auto list = cpa.keys.shown();
    switch (c.is) {
      case call_kind::list: {
        std::vector<secret> out;
        for (const auto& k : list)
          out.emplace_back(k);
        listed_at = now;
        return plan.listed(out, now);
      }
      case call_kind::config: return plan.config_kept(now);
      case call_kind::swap: {
        REQUIRE_FALSE(cpa::is_template_key(c.to.reveal()));
        REQUIRE_FALSE(c.to.empty());
        const auto at = std::find(list.begin(), list.end(), c.from.reveal());
        if (at == list.end())
          list.push_back(c.to.reveal());
        else
          *at = c.to.reveal();
        break;
      }
      case call_kind::put:
        list.clear();
        for (const auto& k : c.keys)
          list.push_back(k.reveal());
        puts.push_back(list);
        REQUIRE(std::count(list.begin(), list.end(), sentinel_text) == 1);
        for (const auto& k : list)
          REQUIRE_FALSE(cpa::is_template_key(k));
        break;
      default: FAIL("no such call");
    }
    const auto outcome = cpa.change(std::move(list), now);
    if (outcome != errc::none)
      return plan.failed(outcome, now);
    if (cpa.lose_answers > 0) {
      --cpa.lose_answers;
      return plan.failed(errc::node_unreachable, now);
    }
    plan.written(now);
  }
  void check() {
    if (must_be_closed) {
      cpa.keys.advance(now);
      REQUIRE_FALSE(cpa.keys.open());
    }
    alarm_seen |= plan.alarm();
    for (const auto& change : plan.take_changes())
      changes.push_back(change);
  }
  void tell() {
    if (registry_away)
      return;
    const auto what = plan.untold();
    if (!what)
      return;
    ++sightings;
    for (const auto& one : what->keys)
      registry[one.key] = one.works;
    for (const auto& s : what->strangers)
      strangers.push_back(s.reveal());
    for (const auto& id : what->taken_away) {
      taken.push_back(id);
      registry[id] = false;
    }
    plan.told(*what);
  }
};

} // namespace keyportal::test
