// How long it takes to decide who is told of 10,000 events that come at once, and to have it on disk.
#include <chrono>
#include <filesystem>
#include <stdexcept>

#include <fmt/core.h>
#include <unistd.h>

#include "actors/notifier/notice_book.hpp"
#include "figure.hpp"
#include "storage/notices.hpp"

namespace {

using namespace keyportal;
using clock_type = std::chrono::steady_clock;

template <class T>
T must(caf::expected<T> result) {
  if (!result)
    throw std::runtime_error(render(result.error()));
  return std::move(*result);
}
void must(const caf::error& error) {
  if (error)
    throw std::runtime_error(render(error));
}

constexpr std::size_t events = 10'000, people = 2'000, page = 1'000;

notice_book make_book() {
  notice_book::rules by;
  channel_settings app, mail;
  app.name = "feishu";
  app.kind = "feishu";
  mail.name = "mail";
  mail.kind = "mail";
  by.settings.channels = {app, mail};
  by.settings.language = "zh";
  by.settings.digest_above = 5;
  by.settings.give_up = std::chrono::hours{72};
  by.zone = "Asia/Shanghai";
  by.chance = [] { return 0.5; };
  notice_book out{std::move(by)};
  for (std::size_t i = 0; i < people; ++i) {
    user one;
    one.id = fmt::format("u{}", i);
    one.email = fmt::format("p{}@example.com", i);
    one.state = user_state::active;
    out.people.put(one);
    notice_preferences wishes;
    wishes.user = one.id;
    wishes.quiet_from = "22:00";
    wishes.quiet_to = "08:00";
    out.people.put(wishes);
  }
  return out;
}

} // namespace

int main() {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("notice_bench.{}", ::getpid());
  std::filesystem::create_directories(folder);
  {
    auto db = must(storage::database::open_store(
      {.folder = folder / "db", .block_cache_bytes = 8 << 20, .write_buffer_bytes = 8 << 20, .env = nullptr}));
    const storage::notice_shelf shelf{db, must(storage::sealer::load(folder / "seal.key", true)), true};
    auto book = make_book();
    std::vector<node_event> all;
    const auto now = moment_of(1'775'000'000'000'000'000);
    for (std::size_t i = 0; i < events; ++i)
      all.push_back({i + 1,
                     event_kind::key_expiring,
                     {},
                     now,
                     fmt::format(R"({{"key":"k{0}","shown":"sk-kp…{0}","owner":"u{1}","label":"laptop","state":"live",)"
                                 R"("expires_at":"2026-04-04T00:00:00Z","at":"2026-04-01T00:00:00Z"}})",
                                 i, i % people),
                     fmt::format("k{}", i)});
    const auto begin = clock_type::now();
    std::size_t made = 0;
    for (std::size_t at = 0; at < all.size(); at += page) { // as the notifier reads them
      notice_changes out;
      for (std::size_t i = at; i < at + page; ++i)
        book.decide(all[i], {}, now, out);
      out.position = all[at + page - 1].seq;
      made += out.put.size();
      must(shelf.commit(out));
    }
    notice_changes out;
    book.pick(now, out);
    must(shelf.commit(out));
    const auto took = std::chrono::duration<double>(clock_type::now() - begin).count();
    if (made != events)
      throw std::runtime_error(fmt::format("{} notices of {} events", made, events));
    bench::figure("notice.decide.10000", took, "s", events);
  }
  std::filesystem::remove_all(folder);
}
