#include "actors/nats/peer_link.hpp"

#include "storage/encoding.hpp"
#include "storage/packing.hpp"

namespace keyportal::nats {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view place = "keyportal.peer";
constexpr char question = 'a', reply = 'r', news = 't';

} // namespace

peer_link::peer_link(server_settings server, std::string subject, std::string member,
                     std::shared_ptr<const storage::sealer> seal, callbacks told)
  : server_(std::move(server)), subject_(std::move(subject)), member_(std::move(member)), seal_(std::move(seal)),
    told_(std::move(told)), thread_([this] { work(); }) {}

peer_link::~peer_link() {
  {
    const std::lock_guard guard(mutex_);
    stopped_ = true;
  }
  thread_.join();
}

caf::error peer_link::send(const std::string& subject, char kind, std::uint64_t number, std::string_view from,
                           std::string_view body) {
  std::string plain(1, kind);
  storage::put_varint(plain, number);
  storage::put_text(plain, from);
  storage::put_text(plain, body);
  auto packed = storage::pack(*seal_, plain, place, storage::packing::quick);
  if (!packed)
    return packed.error();
  if (packed->size() > longest)
    return make_error(errc::body_too_large, "a message between processes");
  const std::lock_guard guard(mutex_);
  if (!sending_)
    return make_error(errc::nats_unavailable);
  const auto status =
    natsConnection_Publish(sending_.get(), subject.c_str(), packed->data(), static_cast<int>(packed->size()));
  return status == NATS_OK ? caf::error{} : to_error(status, "speaking to another process");
}

void peer_link::tell(std::string_view what) { (void)send(subject_ + ".all", news, 0, member_, what); }

void peer_link::ask(const std::string& member, std::string_view what, std::chrono::milliseconds within, answer done) {
  std::uint64_t number = 0;
  {
    const std::lock_guard guard(mutex_);
    number = ++number_;
    asked_[number] = {std::chrono::steady_clock::now() + within, std::move(done)};
  }
  if (auto failed = send(subject_ + ".to." + member, question, number, member_, what)) {
    answer refused;
    {
      const std::lock_guard guard(mutex_);
      const auto found = asked_.find(number);
      if (found == asked_.end())
        return;
      refused = std::move(found->second.done);
      asked_.erase(found);
    }
    refused(code_of(failed) == errc::body_too_large ? failed : make_error(errc::cluster_elsewhere));
  }
}

void peer_link::expire(bool all) {
  std::vector<answer> over;
  {
    const std::lock_guard guard(mutex_);
    const auto now = std::chrono::steady_clock::now();
    for (auto at = asked_.begin(); at != asked_.end();)
      if (all || at->second.until <= now) {
        over.push_back(std::move(at->second.done));
        at = asked_.erase(at);
      } else
        ++at;
  }
  for (auto& one : over)
    one(make_error(errc::cluster_elsewhere));
}

void peer_link::take(std::string_view bytes) {
  const auto plain = storage::unpack(*seal_, bytes, place);
  if (!plain)
    return; // of nobody of ours
  std::string_view in = *plain;
  if (in.empty())
    return;
  const char kind = in.front();
  in.remove_prefix(1);
  std::uint64_t number = 0;
  std::string from, body;
  if (!storage::get_varint(in, number) || !storage::get_text(in, from) || !storage::get_text(in, body))
    return;
  if (kind == news && from != member_)
    return told_.on_told(std::move(body));
  if (kind == question)
    return told_.on_asked(std::move(body), [this, number, from](const std::string& text) {
      if (send(subject_ + ".to." + from, reply, number, member_, text))
        (void)send(subject_ + ".to." + from, reply, number, member_, {});
    });
  if (kind != reply)
    return;
  answer done;
  {
    const std::lock_guard guard(mutex_);
    const auto found = asked_.find(number);
    if (found == asked_.end())
      return;
    done = std::move(found->second.done);
    asked_.erase(found);
  }
  if (body.empty())
    done(make_error(errc::body_too_large, "an answer of another process"));
  else
    done(std::move(body));
}

caf::error peer_link::open(session& over, subscription& mine, subscription& all) {
  if (auto failed = open_session(over, server_, 700ms))
    return failed;
  auto status = natsConnection_SubscribeSync(out(mine), over.link.get(), (subject_ + ".to." + member_).c_str());
  if (status == NATS_OK)
    status = natsConnection_SubscribeSync(out(all), over.link.get(), (subject_ + ".all").c_str());
  if (status != NATS_OK)
    return to_error(status, "listening to other processes");
  session fresh;
  if (auto failed = open_session(fresh, server_, 700ms))
    return failed;
  const std::lock_guard guard(mutex_);
  sending_ = std::move(fresh.link);
  return {};
}

void peer_link::work() {
  const auto stopped = [this] {
    const std::lock_guard guard(mutex_);
    return stopped_;
  };
  while (!stopped()) {
    session over;
    subscription mine, all;
    const auto failed = open(over, mine, all);
    for (auto status = NATS_OK; !failed && over.is_open() && !stopped();) {
      raw_message message;
      status = natsSubscription_NextMsg(out(message), mine.get(), 10);
      if (status == NATS_OK)
        take({natsMsg_GetData(message.get()), static_cast<std::size_t>(natsMsg_GetDataLength(message.get()))});
      raw_message heard;
      const auto also = natsSubscription_NextMsg(out(heard), all.get(), 0);
      if (also == NATS_OK)
        take({natsMsg_GetData(heard.get()), static_cast<std::size_t>(natsMsg_GetDataLength(heard.get()))});
      const bool can_send = [this] {
        const std::lock_guard guard(mutex_);
        return sending_ && !natsConnection_IsClosed(sending_.get());
      }();
      if (!can_send || (status != NATS_OK && status != NATS_TIMEOUT) || (also != NATS_OK && also != NATS_TIMEOUT))
        break;
      expire(false);
    }
    {
      const std::lock_guard guard(mutex_);
      sending_.reset();
    }
    expire(false);
    mine.reset();
    all.reset();
    over.close();
    if (failed)
      std::this_thread::sleep_for(200ms);
  }
  expire(true);
}

} // namespace keyportal::nats
