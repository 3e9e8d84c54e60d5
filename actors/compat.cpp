#include "actors/compat.hpp"

#include <map>
#include <mutex>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/cpa/pass_through.hpp"
#include "actors/cpa/queue_record.hpp"
#include "actors/telemetry/log.hpp"
#include "gateway/compat/listener.hpp"

namespace keyportal {

namespace {

constexpr auto patience = std::chrono::seconds(30);
constexpr std::size_t records_per_commit = 20'000;

/// Cuts groups into collections of a size that a commit takes well.
std::vector<collection> collections_of(const node_name& node, std::vector<record_group> groups, moment now) {
  std::vector<collection> out;
  std::vector<record_group> some;
  std::size_t records = 0;
  const auto close = [&] {
    if (records == 0)
      return;
    collection c;
    c.node = node;
    c.seen_at = now;
    c.from_poll = false;
    c.groups = std::make_shared<const std::vector<record_group>>(std::exchange(some, {}));
    out.push_back(std::move(c));
    records = 0;
  };
  for (auto& group : groups)
    for (std::size_t at = 0; at < group.details.size();) {
      const auto n = std::min(records_per_commit - records, group.details.size() - at);
      const auto from = std::make_move_iterator(group.details.begin() + static_cast<std::ptrdiff_t>(at));
      some.push_back({group.client_key, group.model, {from, from + static_cast<std::ptrdiff_t>(n)}});
      at += n;
      records += n;
      if (records == records_per_commit)
        close();
    }
  close();
  return out;
}

/// What the listener asks for is read from the ledger right away and written by the ledger's actor.
class ledger_backend final : public compat::backend {
public:
  ledger_backend(caf::actor_system& system, const surroundings& around, const shared_actors& shared)
    : system_(system), store_(around.store), now_(around.now), shared_(shared),
      token_(around.gateway_hooks.control_token), restores_(around.configured.restore.enabled) {
    for (const auto& node : around.configured.nodes) {
      nodes_.push_back(node.name);
      nodes_behind_.try_emplace(node.name, cpa::client_settings{.node = node.name,
                                                                .url = node.url,
                                                                .management_key = node.management_key,
                                                                .timeout = around.configured.poll.timeout});
    }
  }

  void stop() {
    for (auto& [name, node] : nodes_behind_)
      node.stop();
  }

  sequence last() override { return store_->state().last; }
  caf::expected<std::vector<arrival>> arrivals(const read_arrivals& what) override { return store_->arrivals(what); }
  totals sums(const node_name& node) override {
    totals out;
    for (const auto& [name, sums] : store_->state().sums)
      if (node.empty() || name == node)
        out.add(sums);
    return out;
  }
  caf::expected<std::vector<consumer_progress>> places() override { return store_->consumers(); }

  caf::error keep_place(const std::string& name, sequence seq) override {
    const auto done = ask<committed>(shared_.ledger, consumer_progress{name, seq});
    return done ? caf::error{} : done.error();
  }

  std::vector<node_name> nodes() override { return nodes_; }

  std::string version_of(const node_name& node) override { return condition_of(node).version; }

  caf::expected<record_group> decode(const node_name& node, std::string_view record) override {
    auto item = cpa::decode_queue_record(record, {node, cpa::decode_rule::identity::as_detail});
    if (!item)
      return item.error();
    record_group out;
    if (auto* got = std::get_if<cpa::queue_record>(&*item)) {
      got->what.facts = nullptr; // so that the ledger knows it by what both eras say of it
      out = {got->client_key, got->model, {}};
      out.details.push_back(std::move(got->what));
    }
    return out;
  }

  caf::expected<import_report> take_records(const node_name& node, std::vector<record_group> groups) override {
    import_report out;
    for (auto& some : collections_of(node, std::move(groups), now_())) {
      const auto done = ask<committed>(shared_.ledger, std::move(some));
      if (!done)
        return done.error();
      out.added += done->records->size();
      out.records += done->records->size() + done->duplicates + done->refused;
      out.refused += done->refused;
    }
    return out;
  }

  void restore(const node_name& node) override {
    if (!restores_ || condition_of(node).collecting != "usage") // others take nothing back
      return;
    auto exchange = std::make_shared<http_exchange>();
    exchange->request.method = "POST";
    exchange->request.path = fmt::format("/api/v1/nodes/{}/restore", node);
    exchange->request.headers.emplace_back("authorization", "Bearer " + token_.reveal());
    exchange->reply = [](const http_response&) {}; // the keeper tells of it as of any other restore
    caf::anon_send(shared_.gateway, std::move(exchange));
  }

  caf::expected<http_response> forward(const node_name& node, const http_request& request,
                                       const std::string& target) override {
    const auto found = nodes_behind_.find(node);
    if (found == nodes_behind_.end())
      return make_error(errc::node_unknown, node);
    return found->second.forward(request, target);
  }

  moment now() override { return now_(); }

private:
  /// As it was within the last seconds; asked for by every answer.
  node_condition condition_of(const node_name& node) {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (conditions_.empty() || now - conditions_read_ > std::chrono::seconds(2)) {
      if (const auto seen = ask<overview>(shared_.feed, read_overview{}, std::chrono::seconds(1)))
        for (const auto& one : seen->nodes)
          conditions_[one.condition.node] = one.condition;
      conditions_read_ = std::chrono::steady_clock::now();
    }
    return conditions_[node];
  }

  template <class Answer, class Handle, class Question>
  caf::expected<Answer> ask(const Handle& whom, Question question, std::chrono::seconds at_most = patience) {
    caf::scoped_actor self{system_};
    caf::expected<Answer> out{caf::error{}};
    self->request(whom, at_most, std::move(question))
      .receive([&](Answer& answer) { out = std::move(answer); }, [&](caf::error& error) { out = std::move(error); });
    return out;
  }

  caf::actor_system& system_;
  const std::shared_ptr<storage::ledger> store_;
  const std::function<moment()> now_;
  const shared_actors shared_;
  const secret token_;
  const bool restores_;
  std::vector<node_name> nodes_;
  std::map<node_name, cpa::pass_through> nodes_behind_;
  std::mutex mutex_;
  std::map<node_name, node_condition> conditions_;
  std::chrono::steady_clock::time_point conditions_read_{};
};

/// The listener as the actor that hears of commits sees it: there, or gone.
struct listener_slot {
  std::mutex mutex;
  compat::listener* open = nullptr;
};

listener_actor::behavior_type bell(listener_actor::pointer, std::shared_ptr<listener_slot> slot) {
  return {
    [slot = std::move(slot)](const committed& done) {
      if (done.records->empty())
        return;
      const std::lock_guard lock(slot->mutex);
      if (slot->open)
        slot->open->ledger_moved();
    },
  };
}

class running_compat final : public compat_service {
public:
  running_compat(caf::actor_system& system, const surroundings& around, const shared_actors& shared)
    : back_(system, around, shared), slot_(std::make_shared<listener_slot>()) {}
  ~running_compat() override {
    {
      const std::lock_guard lock(slot_->mutex);
      slot_->open = nullptr;
    }
    back_.stop();
    if (listener_)
      listener_->stop();
    if (bell_)
      caf::anon_send_exit(bell_, caf::exit_reason::user_shutdown);
  }

  caf::error open(caf::actor_system& system, const ledger_actor& ledger, compat::listener_settings settings) {
    address_ = settings.address;
    auto started = compat::listener::start(std::move(settings), back_);
    if (!started)
      return started.error();
    listener_ = std::move(*started);
    slot_->open = listener_.get();
    bell_ = system.spawn(bell, slot_);
    caf::anon_send(ledger, add_listener{bell_});
    return {};
  }
  [[nodiscard]] std::string url() const override {
    const bool v6 = address_.find(':') != std::string::npos;
    return fmt::format(fmt::runtime(v6 ? "http://[{}]:{}" : "http://{}:{}"), address_, listener_->port());
  }

private:
  ledger_backend back_;
  std::shared_ptr<listener_slot> slot_;
  std::unique_ptr<compat::listener> listener_;
  listener_actor bell_;
  std::string address_;
};

} // namespace

caf::expected<std::unique_ptr<compat_service>> start_compat(caf::actor_system& system, const surroundings& around,
                                                            const shared_actors& shared) {
  const auto& s = around.configured.compat;
  if (s.listen.empty())
    return std::unique_ptr<compat_service>{};
  compat::listener_settings settings;
  settings.address = s.address;
  settings.port = s.port;
  settings.hosts = s.hosts;
  settings.pass_through = s.pass_through;
  if (!s.management_key.empty())
    settings.consumers.push_back({"default", s.management_key, {}, false});
  for (const auto& one : s.consumers)
    settings.consumers.push_back({one.name, one.key, one.node, one.from == "beginning"});
  settings.on_answer = [numbers = around.numbers](std::string_view route, int status) {
    numbers->compat_answered(route, status);
  };
  auto service = std::make_unique<running_compat>(system, around, shared);
  if (auto error = service->open(system, shared.ledger, std::move(settings)))
    return error;
  log::info("compat", "ready", "Tools made for CLIProxyAPI are served at {} with {} keys", service->url(),
            s.consumers.size() + (s.management_key.empty() ? 0 : 1));
  return std::unique_ptr<compat_service>(std::move(service));
}

} // namespace keyportal
