#include "actors/cluster_member/member.hpp"

#include <caf/all.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cluster_member/comparison.hpp"
#include "actors/cluster_member/peer_words.hpp"
#include "actors/telemetry/log.hpp"
#include "gateway/problem.hpp"
#include "messages/json.hpp"

namespace keyportal {
namespace {
struct member_tick {};
struct told_condition {
  node_condition what;
};
struct asked_state {
  std::function<void(std::string)> reply;
};
struct asked_request {
  forwarded what;
  std::function<void(std::string)> reply;
};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::member_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::told_condition)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::asked_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::asked_request)

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using member_impl = member_actor::extend<caf::reacts_to<member_tick>, caf::reacts_to<told_condition>,
                                         caf::reacts_to<asked_state>, caf::reacts_to<asked_request>>;
struct member_holder;
using self_ptr = member_impl::stateful_pointer<member_holder>;

constexpr auto state_wait = 1500ms;
constexpr auto summary_wait = 60s;
constexpr auto forward_wait = 60s;
constexpr auto forwarded_header = "x-keyportal-forwarded";

// What a message between members is about.
constexpr char about_request = 'h', about_state = 's', about_summary = 'd', about_condition = 'c';

struct member_core {
  member_settings settings;
  ledger_actor ledger;
  replicator_actor replicator;
  live_feed_actor feed;
  gateway_actor door;
  std::unique_ptr<nats::peer_link> link; ///< last: its thread ends before the rest goes

  [[nodiscard]] const nats::lease_keeper* leases() const { return settings.part->leases.load(); }
  json state(const replicator_state& r, const ledger_state& l) const;
  void answer_state(self_ptr self, std::function<void(std::string)> reply);
  void ask_all(self_ptr self, char about, std::chrono::milliseconds within,
               std::function<void(std::vector<std::pair<std::string, json>>)> done);
  void tell_conditions(self_ptr self);
  void forward(const forward_request& m);
  void take_over(self_ptr self, asked_request& m);
};
struct member_holder {
  member_holder() = default;
  static inline const char* name = "member";
  std::unique_ptr<member_core> core;
};

json member_core::state(const replicator_state& r, const ledger_state& l) const {
  json out{{"member", settings.part->member},
           {"address", settings.part->address},
           {"version", KEYPORTAL_VERSION},
           {"linked", r.linked},
           {"problem", r.problem},
           {"applied", r.applied},
           {"behind", r.end > r.applied ? r.end - r.applied : 0},
           {"stale_s", r.stale_s},
           {"waiting", r.proposed},
           {"left_out", r.left_out},
           {"position", l.last},
           {"records", l.records},
           {"registry", settings.store->registry_position()},
           {"duties", json::array()}};
  if (const auto* now = leases())
    for (const auto& duty : now->held())
      out["duties"].push_back(duty);
  return out;
}

void member_core::answer_state(self_ptr self, std::function<void(std::string)> reply) {
  self->request(replicator, 1s, read_replicator_state{})
    .then(
      [this, self, reply](const replicator_state& r) {
        self->request(ledger, 1s, read_ledger_state{})
          .then([this, reply, r](const ledger_state& l) { reply(state(r, l).dump()); },
                [reply](const caf::error&) { reply("{}"); });
      },
      [reply](const caf::error&) { reply("{}"); });
}

/// Everybody's answer, ours included, by member; those who did not answer with null.
void member_core::ask_all(self_ptr self, char about, std::chrono::milliseconds within,
                          std::function<void(std::vector<std::pair<std::string, json>>)> done) {
  struct gathered {
    std::mutex mutex;
    std::map<std::string, json> answers;
    std::size_t left = 0;
    std::function<void(std::vector<std::pair<std::string, json>>)> done;
  };
  auto all = std::make_shared<gathered>();
  all->done = std::move(done);
  std::vector<std::string> members;
  if (const auto* now = leases())
    for (const auto& one : now->members())
      members.push_back(one.id);
  if (std::find(members.begin(), members.end(), settings.part->member) == members.end())
    members.push_back(settings.part->member);
  all->left = members.size();
  const auto came = [all](const std::string& who, json what) {
    std::unique_lock lock(all->mutex);
    all->answers[who] = std::move(what);
    if (--all->left > 0)
      return;
    std::vector<std::pair<std::string, json>> list(all->answers.begin(), all->answers.end());
    lock.unlock();
    all->done(std::move(list));
  };
  for (const auto& who : members) {
    if (who != settings.part->member)
      link->ask(who, std::string(1, about), within, [came, who](caf::expected<std::string> text) {
        auto what = text ? json::parse(*text, nullptr, false) : json();
        came(who, what.is_object() && !what.empty() ? std::move(what) : json());
      });
    else if (about == about_state)
      answer_state(self, [came, who](const std::string& text) { came(who, json::parse(text, nullptr, false)); });
    else {
      auto own = summary_of(*settings.store);
      came(who, own ? std::move(*own) : json());
    }
  }
}

void member_core::tell_conditions(self_ptr self) {
  self->request(replicator, 1s, read_replicator_state{})
    .then([this](const replicator_state& r) { settings.part->stale_s = r.stale_s; }, [](const caf::error&) {});
  self->request(feed, 1s, read_overview{})
    .then(
      [this](const overview& now) {
        for (const auto& node : now.nodes)
          if (settings.part->may_act(duty_of_node(node.condition.node)))
            link->tell(about_condition + encode(node.condition));
      },
      [](const caf::error&) {});
}

void member_core::forward(const forward_request& m) {
  const auto* now = leases();
  const auto holder = now != nullptr ? now->holder(m.duty) : std::string{};
  const auto fail = [reply = m.reply](const caf::error& why) { reply(gateway::problem(why)); };
  if (holder.empty() || holder == settings.part->member)
    return fail(make_error(errc::cluster_elsewhere));
  forwarded what{m.request, m.by_control};
  what.request.headers.emplace_back(forwarded_header, settings.part->member);
  link->ask(holder, about_request + encode(what), forward_wait,
            [reply = m.reply, fail](caf::expected<std::string> text) {
              http_response out;
              if (!text)
                return fail(text.error());
              if (!decode(*text, out))
                return fail(make_error(errc::cluster_elsewhere));
              reply(std::move(out));
            });
}

/// As if it had come to us: who it is from was looked at where it came, and is looked at again here.
void member_core::take_over(self_ptr self, asked_request& m) {
  auto exchange = std::make_shared<http_exchange>();
  exchange->request = std::move(m.what.request);
  if (m.what.by_control) {
    std::erase_if(exchange->request.headers, [](const auto& one) { return one.first == "authorization"; });
    exchange->request.headers.emplace_back("authorization", "Bearer " + settings.control_token);
  }
  exchange->reply = [reply = m.reply](http_response answer) {
    if (answer.pieces) {
      http_response no;
      no.status = 503;
      return reply(encode(no));
    }
    reply(encode(answer));
  };
  self->send(door, std::move(exchange));
}

member_impl::behavior_type member(self_ptr self, member_settings settings, ledger_actor ledger,
                                  replicator_actor replicator, live_feed_actor feed, gateway_actor door) {
  self->state.core = std::make_unique<member_core>();
  auto* core = self->state.core.get();
  core->settings = std::move(settings);
  core->ledger = std::move(ledger);
  core->replicator = std::move(replicator);
  core->feed = std::move(feed);
  core->door = std::move(door);
  const auto& part = *core->settings.part;
  const auto post = [weak =
                       caf::actor_cast<caf::weak_actor_ptr>(caf::actor_cast<caf::strong_actor_ptr>(self))](auto m) {
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(weak))
      caf::anon_send(caf::actor_cast<caf::actor>(strong), std::move(m));
  };
  nats::peer_link::callbacks told;
  told.on_told = [post](const std::string& text) {
    told_condition heard;
    if (text.starts_with(about_condition) && decode(std::string_view(text).substr(1), heard.what))
      post(std::move(heard));
  };
  told.on_asked = [post, store = core->settings.store](const std::string& text,
                                                       std::function<void(std::string)> reply) {
    if (text.starts_with(about_state))
      return post(asked_state{std::move(reply)});
    if (text.starts_with(about_summary)) {
      auto own = summary_of(*store); // on the link's thread: may take a while, and is asked for seldom
      return reply(own ? own->dump() : "{}");
    }
    asked_request request;
    request.reply = std::move(reply);
    if (text.starts_with(about_request) && decode(std::string_view(text).substr(1), request.what))
      post(std::move(request));
  };
  core->link = std::make_unique<nats::peer_link>(part.server, part.subject, part.member, part.seal, std::move(told));
  self->delayed_send(self, 1s, member_tick{});
  return {
    [core](const forward_request& m) { core->forward(m); },
    [core, self](const read_cluster& m) {
      core->ask_all(self, about_state, state_wait,
                    [core, reply = m.reply](std::vector<std::pair<std::string, json>> all) {
                      const auto* now = core->leases();
                      json out{{"name", core->settings.name},
                               {"answered_by", core->settings.part->address},
                               {"problem", now != nullptr ? now->problem() : "starting"},
                               {"members", json::array()},
                               {"leases", json::array()}};
                      std::map<std::string, std::string> addresses;
                      for (auto& [who, state] : all) {
                        if (state.is_null())
                          state = {{"member", who}, {"address", who}, {"problem", "does not answer"}};
                        addresses[who] = state.value("address", who);
                        out["members"].push_back(std::move(state));
                      }
                      for (const auto& duty : core->settings.part->duties) {
                        const auto holder = now != nullptr ? now->holder(duty.name) : std::string{};
                        out["leases"].push_back({{"duty", duty.name},
                                                 {"holder", holder},
                                                 {"address", addresses.contains(holder) ? addresses[holder] : holder}});
                      }
                      reply(out.dump());
                    });
    },
    [core, self](const compare_cluster& m) {
      core->ask_all(self, about_summary, summary_wait,
                    [reply = m.reply](std::vector<std::pair<std::string, json>> all) {
                      json out{{"members", json::array()}, {"silent", json::array()}};
                      std::vector<std::pair<std::string, json>> answered;
                      for (auto& [who, summary] : all) {
                        if (summary.is_null()) {
                          out["silent"].push_back(who);
                          continue;
                        }
                        out["members"].push_back({{"member", who},
                                                  {"position", summary.at("position")},
                                                  {"registry", summary.at("registry")},
                                                  {"days", summary.at("days").size()}});
                        answered.emplace_back(who, std::move(summary));
                      }
                      out["differences"] = differences(answered);
                      reply(out.dump());
                    });
    },
    [core, self](const member_tick&) {
      core->tell_conditions(self);
      self->delayed_send(self, 1s, member_tick{});
    },
    [core, self](const told_condition& m) {
      if (!core->settings.part->may_act(duty_of_node(m.what.node)))
        self->send(core->feed, m.what);
    },
    [core, self](const asked_state& m) { core->answer_state(self, m.reply); },
    [core, self](asked_request& m) { core->take_over(self, m); },
  };
}

} // namespace

member_actor spawn_member(caf::actor_system& system, member_settings settings, const shared_actors& shared) {
  return system.spawn<caf::detached>(member, std::move(settings), shared.ledger, shared.replicator, shared.feed,
                                     shared.gateway);
}

} // namespace keyportal
