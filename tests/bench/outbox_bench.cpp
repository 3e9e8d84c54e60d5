// How fast the outbox reaches JetStream, acknowledged: the publisher, its window and the JetStream sink as they are in
// the service, before an outbox in memory (the ledger has its own figures). Beside it the plain way: one publish after
// the other, each waiting for its acknowledgement.
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/nats/child_server.hpp"
#include "actors/nats/nats_sink.hpp"
#include "actors/publisher/cloud_event.hpp"
#include "actors/publisher/publisher.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;
using seconds = std::chrono::duration<double>;

namespace {

struct outbox {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<sequence, outbox_item> items;
};

ledger_actor::behavior_type outbox_ledger(ledger_actor::pointer, std::shared_ptr<outbox> box) {
  return test::answers<ledger_actor>(test::overloaded{
    [=](const read_outbox& question) {
      std::lock_guard lock(box->mutex);
      outbox_page page;
      for (auto it = box->items.upper_bound(question.after);
           it != box->items.end() && page.items.size() < question.limit; ++it)
        page.items.push_back(it->second);
      return page;
    },
    [=](const outbox_acked& acked) {
      std::lock_guard lock(box->mutex);
      for (auto seq : acked.seqs)
        box->items.erase(seq);
      if (box->items.empty())
        box->changed.notify_all();
    },
    [=](const drain&) { return drained{}; },
  });
}

outbox_item usage_item(sequence seq) {
  outbox_item item;
  item.seq = seq;
  stored_record record;
  record.seq = seq;
  record.id.bytes = {};
  __builtin_memcpy(record.id.bytes.data(), &seq, sizeof seq);
  record.node = "alpha";
  record.key = fmt::format("kabcdefghijklmnopqrstuvwxyz{}", seq % 9);
  record.model = "claude-sonnet-4-5-20250929";
  record.auth_index = "0123456789abcdef";
  record.at = {1'760'000'000'000'000'000 + static_cast<std::int64_t>(seq) * 1'000'003, 480};
  record.latency_ms = 1234;
  record.tokens = {12000, 800, 100, 9000, 12900};
  item.record = record;
  return item;
}

/// Messages a second of one publish after the other.
double plain_way(const secret& url, sequence count) {
  nats::server_settings settings;
  settings.url = url;
  auto opts = nats::make_options(settings);
  nats::connection link;
  nats::context js;
  if (!opts || natsConnection_Connect(nats::out(link), opts->get()) != NATS_OK)
    return 0;
  if (natsConnection_JetStream(nats::out(js), link.get(), nullptr) != NATS_OK)
    return 0;
  auto began = std::chrono::steady_clock::now();
  for (sequence seq = 1; seq <= count; ++seq) {
    auto message = to_message(usage_item(1'000'000'000 + seq));
    nats::raw_message raw;
    if (natsMsg_Create(nats::out(raw), message.subject.c_str(), nullptr, message.body.data(),
                       static_cast<int>(message.body.size()))
        != NATS_OK)
      return 0;
    for (const auto& [name, value] : message.headers)
      natsMsgHeader_Set(raw.get(), name.c_str(), value.c_str());
    if (auto status = js_PublishMsg(nullptr, js.get(), raw.get(), nullptr, nullptr); status != NATS_OK) {
      fmt::print(stderr, "plain way: {}\n", natsStatus_GetText(status));
      return 0;
    }
  }
  return static_cast<double>(count) / seconds(std::chrono::steady_clock::now() - began).count();
}

} // namespace

int main() {
  spdlog::set_level(spdlog::level::err);
  const sequence count = 200'000;
  test::temporary_folder folder;
  auto server = nats::child_server::start({.folder = folder.path()});
  if (!server) {
    fmt::print(stderr, "{}\n", render(server.error()));
    return 1;
  }
  auto box = std::make_shared<outbox>();
  for (sequence seq = 1; seq <= count; ++seq)
    box->items.emplace_hint(box->items.end(), seq, usage_item(seq));
  caf::actor_system_config config;
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", std::size_t{2});
  caf::actor_system system(config);
  caf::scoped_actor self{system};
  auto ledger = self->spawn<caf::detached>(outbox_ledger, box);
  nats::sink_settings settings;
  settings.server.url = (*server)->url();
  std::chrono::steady_clock::time_point began;
  auto shipper =
    self->spawn<caf::detached>(publisher, ledger, publisher_settings{}, sink_factory{[&](sink::callbacks told) {
                                 auto on_link = told.on_link; // the time runs from the moment the link is there
                                 told.on_link = [on_link, &began](link_changed link) {
                                   began = std::chrono::steady_clock::now();
                                   on_link(std::move(link));
                                 };
                                 return std::make_unique<nats::nats_sink>(settings, std::move(told));
                               }});
  bool done = false;
  {
    std::unique_lock lock(box->mutex);
    done = box->changed.wait_for(lock, std::chrono::minutes{2}, [&] { return box->items.empty(); });
  }
  auto rate = static_cast<double>(count) / seconds(std::chrono::steady_clock::now() - began).count();
  self->send_exit(shipper, caf::exit_reason::user_shutdown);
  self->send_exit(ledger, caf::exit_reason::user_shutdown);
  self->wait_for(shipper, ledger);
  if (!done) {
    fmt::print(stderr, "the outbox was not empty after two minutes\n");
    return 1;
  }
  auto plain = plain_way((*server)->url(), 5'000);
  fmt::print(
    R"({{"bench":"outbox.jetstream","value":{:.0f},"unit":"messages/s","n":{},"ratio":{{"to":"one at a time","value":{:.1f}}}}})"
    "\n",
    rate, count, rate / plain);
}
