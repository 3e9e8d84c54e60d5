#include "actors/cluster_member/checkpoints.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include <fmt/format.h>

#include "actors/nats/exact_publish.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/timestamp.hpp"
#include "storage/encoding.hpp"
#include "storage/packing.hpp"

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using namespace storage;

constexpr std::string_view place_name = "keyportal.checkpoint";
constexpr std::size_t chunk_bytes = 512 * 1024;
constexpr char chunk_kind = 'c', manifest_kind = 'm';
constexpr int not_found = 10037;

struct chunk {
  std::string id, file;
  std::uint64_t offset = 0;
  std::string bytes;
};

std::string encode_chunk(const chunk& what) {
  std::string out(1, chunk_kind);
  put_text(out, what.id);
  put_text(out, what.file);
  put_varint(out, what.offset);
  put_text(out, what.bytes);
  return out;
}
bool decode_chunk(std::string_view in, chunk& out) {
  if (in.empty() || in.front() != chunk_kind)
    return false;
  in.remove_prefix(1);
  return get_text(in, out.id) && get_text(in, out.file) && get_varint(in, out.offset) && get_text(in, out.bytes)
         && in.empty();
}
std::string encode_manifest(const checkpoint_info& what) {
  std::string out(1, manifest_kind);
  put_text(out, what.id);
  put_text(out, what.from);
  for (const auto number : {what.sequence, what.chunks, what.bytes, what.first})
    put_varint(out, number);
  put_fixed(out, unix_ns(what.at));
  return out;
}
bool decode_manifest(std::string_view in, checkpoint_info& out) {
  std::int64_t ns = 0;
  if (in.empty() || in.front() != manifest_kind)
    return false;
  in.remove_prefix(1);
  if (!get_text(in, out.id) || !get_text(in, out.from) || !get_varint(in, out.sequence) || !get_varint(in, out.chunks)
      || !get_varint(in, out.bytes) || !get_varint(in, out.first) || !get_fixed(in, ns))
    return false;
  out.at = moment_of(ns);
  return in.empty();
}

caf::error put_message(nats::session& over, const nats::log_settings& place, const sealer& seal,
                       const std::string& plain, std::uint64_t& stored) {
  const auto packed = pack(seal, plain, place_name, packing::quick);
  if (!packed)
    return packed.error();
  for (int attempt = 0;; ++attempt) {
    const auto got =
      nats::publish_exactly(over.link.get(), place.subject, *packed, {{"Nats-Expected-Stream", place.stream}}, 5000ms);
    if (got.what == nats::publish_answer::kind::stored) {
      stored = got.sequence;
      return {};
    }
    if (attempt == 3) // a chunk that is there twice does no harm
      return make_error(errc::nats_unavailable, "giving a checkpoint: " + got.text);
    std::this_thread::sleep_for(300ms);
  }
}

caf::expected<std::string> get_message(nats::session& over, const nats::log_settings& place, const sealer& seal,
                                       std::uint64_t which) {
  nats::raw_message there;
  auto code = jsErrCode{};
  const auto status = js_GetMsg(nats::out(there), over.js.get(), place.stream.c_str(), which, nullptr, &code);
  if (status == NATS_NOT_FOUND || static_cast<int>(code) == not_found)
    return std::string{};
  if (status != NATS_OK)
    return nats::to_error(status, "reading a checkpoint");
  return unpack(seal, {natsMsg_GetData(there.get()), static_cast<std::size_t>(natsMsg_GetDataLength(there.get()))},
                place_name);
}

/// A name of a file of the database; nothing that leads elsewhere.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos && name.size() < 200;
}

} // namespace

caf::expected<std::optional<checkpoint_info>> newest_checkpoint(const nats::log_settings& place, const sealer& seal) {
  const auto reach = nats::reach_of_log(place);
  if (!reach)
    return reach.error();
  nats::session over;
  if (auto failed = nats::open_session(over, place.server, 1500ms))
    return failed;
  // Chunks of one that is being given, or was not finished, may lie behind it.
  for (auto at = reach->last; at >= std::max<std::uint64_t>(reach->first, 1); --at) {
    const auto plain = get_message(over, place, seal, at);
    if (!plain)
      return plain.error();
    checkpoint_info out;
    if (decode_manifest(*plain, out))
      return std::optional{std::move(out)};
  }
  return std::optional<checkpoint_info>{};
}

caf::expected<checkpoint_info> give_checkpoint(const nats::log_settings& place, const sealer& seal, const ledger& store,
                                               const std::filesystem::path& scratch, const std::string& member,
                                               moment now, const std::function<bool()>& stopped) {
  const auto progress = store.shared();
  if (!progress)
    return progress.error();
  checkpoint_info out;
  out.id = fmt::format("{}-{}", member, unix_ns(now));
  out.from = member;
  out.sequence = *progress ? (*progress)->sequence : 0;
  out.at = now;
  std::error_code problem;
  std::filesystem::remove_all(scratch, problem);
  if (auto failed = store.checkpoint(scratch))
    return failed;
  const auto end = [&](caf::error why) {
    std::filesystem::remove_all(scratch, problem);
    return why;
  };
  if (const auto there = nats::reach_of_log(place); !there)
    return end(there.error());
  nats::session over;
  if (auto failed = nats::open_session(over, place.server, 1500ms))
    return end(std::move(failed));
  std::string buffer(chunk_bytes, '\0');
  for (const auto& file : std::filesystem::recursive_directory_iterator(scratch, problem)) {
    if (!file.is_regular_file(problem))
      continue;
    std::ifstream in(file.path(), std::ios::binary);
    for (std::uint64_t offset = 0;;) {
      in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
      const auto count = static_cast<std::size_t>(in.gcount());
      if (count == 0 && offset > 0)
        break;
      if (stopped())
        return end(make_error(errc::shutting_down));
      std::uint64_t stored = 0;
      if (auto failed = put_message(
            over, place, seal, encode_chunk({out.id, file.path().filename().string(), offset, buffer.substr(0, count)}),
            stored))
        return end(std::move(failed));
      out.first = out.first == 0 ? stored : out.first;
      ++out.chunks;
      out.bytes += count;
      offset += count;
      if (count < buffer.size())
        break;
    }
  }
  std::uint64_t last = 0;
  if (auto failed = put_message(over, place, seal, encode_manifest(out), last))
    return end(std::move(failed));
  (void)nats::trim_log(place, out.first); // what is left of older ones goes next time
  std::filesystem::remove_all(scratch, problem);
  return out;
}

caf::error take_checkpoint(const nats::log_settings& place, const sealer& seal, const checkpoint_info& which,
                           const std::filesystem::path& folder, const std::function<bool()>& stopped) {
  const auto fresh = folder / "db.joining";
  std::error_code problem;
  std::filesystem::remove_all(fresh, problem);
  std::filesystem::create_directories(fresh, problem);
  std::filesystem::permissions(fresh, std::filesystem::perms::owner_all, problem);
  nats::session over;
  if (auto failed = nats::open_session(over, place.server, 1500ms))
    return failed;
  std::map<std::string, std::set<std::uint64_t>> had;
  std::uint64_t chunks = 0, bytes = 0;
  for (auto at = which.first; chunks < which.chunks; ++at) {
    if (stopped())
      return make_error(errc::shutting_down);
    const auto plain = get_message(over, place, seal, at);
    if (!plain)
      return plain.error();
    checkpoint_info ends;
    if (plain->empty() || (decode_manifest(*plain, ends) && ends.id == which.id))
      return make_error(errc::cluster_trimmed, "a part of the checkpoint is gone: another one has come");
    chunk part;
    if (!decode_chunk(*plain, part) || part.id != which.id || !had[part.file].insert(part.offset).second)
      continue;
    if (!is_plain_name(part.file))
      return make_error(errc::file_malformed, "a checkpoint");
    const int fd = ::open((fresh / part.file).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    const bool fine = fd >= 0
                      && ::pwrite(fd, part.bytes.data(), part.bytes.size(), static_cast<off_t>(part.offset))
                           == static_cast<ssize_t>(part.bytes.size())
                      && ::fsync(fd) == 0;
    if (fd >= 0)
      ::close(fd);
    if (!fine)
      return make_error(errc::storage_failed, fresh.string());
    ++chunks;
    bytes += part.bytes.size();
  }
  if (bytes != which.bytes)
    return make_error(errc::file_malformed, "a checkpoint");
  std::filesystem::rename(fresh, folder / "db", problem);
  return problem ? make_error(errc::storage_failed, fresh.string()) : caf::error{};
}

checkpoint_keeper::checkpoint_keeper(settings_of how) : how_(std::move(how)), thread_([this] { work(); }) {}

checkpoint_keeper::~checkpoint_keeper() {
  {
    const std::lock_guard guard(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void checkpoint_keeper::work() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, how_.at_once ? 200ms : 5000ms, [this] { return stopped_; }))
        return;
    }
    if (how_.may_act())
      look();
  }
}

void checkpoint_keeper::look() {
  const auto stopped = [this] {
    const std::lock_guard guard(mutex_);
    return stopped_;
  };
  const auto before = newest_checkpoint(how_.places.checkpoints, *how_.seal);
  if (!before)
    return log::warn("cluster", "checkpoint", "{}", render(before.error()));
  const auto progress = how_.store->shared();
  if (!progress || !*progress)
    return;
  const auto now = how_.now();
  const auto here = (*progress)->sequence;
  if (*before && ((*before)->sequence >= here || now - (*before)->at < how_.interval)) {
    how_.at_once = false;
    return;
  }
  if (!*before && !how_.at_once && here < how_.kept_messages) // all who join can still follow from the beginning
    return;
  const auto given =
    give_checkpoint(how_.places.checkpoints, *how_.seal, *how_.store, how_.scratch, how_.member, now, stopped);
  if (!given)
    return log::warn("cluster", "checkpoint", "{}", render(given.error()));
  how_.at_once = false;
  log::info("cluster", "checkpoint", "A checkpoint of {} bytes at {} of the shared log is there for those who join",
            given->bytes, given->sequence);
  if (!*before)
    return;
  const auto keep_from = here > how_.kept_messages ? here - how_.kept_messages : 0;
  if (const auto first = std::min((*before)->sequence, keep_from); first > 1)
    if (auto failed = nats::trim_log(how_.places.log, first))
      log::warn("cluster", "trim", "{}", render(failed));
}

} // namespace keyportal
