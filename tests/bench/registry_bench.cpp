// How long the registry takes to be there again after a start, and how many entries a second its log takes.
// Usage: registry_bench [USERS [COMMANDS [FOLDER]]]
//        registry_bench make USERS FOLDER [DAYS]   a data folder with so many people, three keys each, to start the
//                                                  service on; the keys end DAYS after they were made (3650)
#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>

#include <malloc.h>
#include <unistd.h>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/key_registry/registry_book.hpp"
#include "actors/ledger/ledger.hpp"
#include "figure.hpp"
#include "storage/ledger.hpp"

namespace {

using namespace keyportal;
using namespace keyportal::bench;
using clock_type = std::chrono::steady_clock;

constexpr std::uint64_t keys_per_user = 3;
constexpr std::size_t in_flight = 64;

double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

template <class T>
T must(caf::expected<T> result) {
  if (!result)
    throw std::runtime_error(render(result.error()));
  return std::move(*result);
}

moment some_time(std::uint64_t seconds) {
  return moment_of(1'767'225'600'000'000'000 + static_cast<std::int64_t>(seconds) * 1'000'000'000);
}

// As ids are: 27 characters, in no order.
std::string id_of(char kind, std::uint64_t number) {
  return fmt::format("{}{:016x}{:010x}", kind, number * 0x9e3779b97f4a7c15, number);
}

user user_of(std::uint64_t number) {
  user out;
  out.id = id_of('u', number);
  out.email = fmt::format("somebody.{}@example.org", number);
  out.name = fmt::format("Some Body {}", number);
  out.state = user_state::active;
  out.groups = {"default"};
  out.created_at = out.changed_at = some_time(number);
  return out;
}

client_key key_of(const storage::ledger& by, std::uint64_t number, const user_id& owner, std::uint64_t days = 3'650) {
  client_key out;
  const auto text = fmt::format("sk-kp1-{:048x}", number);
  out.id = by.id_of_key(text);
  out.sealed = must(by.seal_key(text, out.id));
  out.shown = "sk-kp…" + text.substr(text.size() - 4);
  out.state = key_state::live;
  out.owner = owner;
  out.label = "laptop";
  out.created_at = out.changed_at = some_time(number);
  out.assigned_at = some_time(number);
  out.expires_at = some_time(number + days * 86'400);
  out.in_force = {"node-1", "node-2", "node-3"};
  return out;
}

append_entry appending(log_position expected, registry_entry entry) {
  entry.at = some_time(expected);
  entry.who = "cli";
  entry.from = "local";
  entry.command = fmt::format("command-{:032x}", expected);
  std::vector<node_event> events{
    {0, event_kind::key_assigned, {}, entry.at, R"({"key":"k","user":"u","label":"laptop"})", "k"}};
  return {expected, std::make_shared<const registry_entry>(std::move(entry)), std::move(events)};
}

std::unique_ptr<storage::ledger> open_in(const std::filesystem::path& folder) {
  return must(storage::ledger::open({.folder = folder}));
}

// People, each with three keys.
void make_people(const std::filesystem::path& folder, std::uint64_t users, std::uint64_t days = 3'650) {
  const auto books = open_in(folder);
  log_position last = 0;
  for (std::uint64_t done = 0; done < users;) {
    std::vector<storage::ledger::write> writes;
    for (int i = 0; i < 64 && done < users; ++i, ++last) {
      registry_entry entry;
      entry.what = "import";
      for (int j = 0; j < 8 && done < users; ++j, ++done) {
        const auto person = user_of(done);
        for (std::uint64_t k = 0; k < keys_per_user; ++k)
          entry.keys.push_back({std::nullopt, key_of(*books, done * keys_per_user + k, person.id, days)});
        entry.users.push_back({std::nullopt, person});
      }
      writes.emplace_back(appending(last, std::move(entry)));
    }
    must(books->commit(writes, some_time(last)));
  }
}

// A start with nothing in memory.
void run_start(const std::filesystem::path& folder, std::uint64_t users) {
  make_people(folder, users);
  ::malloc_trim(0); // else what was freed above would be taken again unseen
  forget_peak_memory();
  const auto before_kb = status_kb("VmRSS");
  const auto start = clock_type::now();
  const auto books = open_in(folder);
  auto image = must(books->load_registry());
  const auto spent = seconds_since(start);
  if (image.users.size() != users || image.keys.size() != users * keys_per_user)
    throw std::runtime_error("users or keys are missing");
  const auto suffix = users == 100'000 ? std::string{"100k"} : std::to_string(users);
  figure("registry.start." + suffix, spent, "s", users + image.keys.size());
  figure("registry.start." + suffix + ".kept", static_cast<double>(status_kb("VmRSS") - before_kb) / 1024, "MB",
         users + image.keys.size());
  figure("registry.start." + suffix + ".peak", static_cast<double>(status_kb("VmHWM") - before_kb) / 1024, "MB",
         users + image.keys.size());
  const auto proving = clock_type::now();
  if (const auto broken = books->verify_registry())
    throw std::runtime_error(render(broken));
  figure("registry.verify." + suffix, seconds_since(proving), "s", image.position);

  // From a key's text to the key and its owner, each time another one.
  registry_book book{{},
                     {[&](std::string_view text) { return books->id_of_key(text); },
                      [&](std::string_view text, const key_id& id) { return books->seal_key(text, id); },
                      [&](std::string_view sealed, const key_id& id) { return books->open_key(sealed, id); },
                      [](std::span<std::uint8_t>) {}}};
  book.load(std::move(image));
  std::vector<double> waits;
  constexpr std::uint64_t lookups = 100'000;
  for (std::uint64_t i = 0; i < lookups; ++i) {
    const auto text = fmt::format("sk-kp1-{:048x}", i * 7'919 % (users * keys_per_user));
    const auto asked = clock_type::now();
    const auto found = book.find_text(text);
    const auto* owner = found ? book.find_user((*found)->owner) : nullptr;
    waits.push_back(seconds_since(asked) * 1e6);
    if (owner == nullptr)
      throw std::runtime_error("a key or its owner is not found");
  }
  figure("registry.lookup." + suffix, percentile(waits, 0.5), "us", lookups);
  figure("registry.lookup." + suffix + ".p99", percentile(waits, 0.99), "us", lookups);
}

// Assignments, each answered when it is on disk.
void run_commands(const std::filesystem::path& folder, std::uint64_t commands) {
  std::shared_ptr<storage::ledger> store = open_in(folder);
  metrics numbers;
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  auto books = spawn_ledger(
    system, true, store, [] { return some_time(0); }, numbers);
  const auto owner = user_of(1).id;
  std::vector<append_entry> questions;
  for (log_position i = 0; i < commands; ++i) {
    const auto key = key_of(*store, i, owner);
    auto pooled = key;
    pooled.state = key_state::pooled;
    pooled.owner.clear();
    registry_entry entry;
    entry.what = "key.assign";
    entry.keys = {{i % 2 == 0 ? std::nullopt : std::optional{pooled}, key}};
    questions.push_back(appending(i, std::move(entry)));
  }
  std::vector<double> waits;
  waits.reserve(commands);
  std::vector<clock_type::time_point> sent(commands);
  std::uint64_t next = 0;
  const auto ask = [&] {
    sent[next] = clock_type::now();
    self->send(books, std::move(questions[next]));
    ++next;
  };
  const auto start = clock_type::now();
  while (next < std::min<std::uint64_t>(in_flight, commands))
    ask();
  while (waits.size() < commands)
    self->receive(
      [&](const appended& done) {
        waits.push_back(std::chrono::duration<double, std::milli>(clock_type::now() - sent[done.position - 1]).count());
        if (next < commands)
          ask();
      },
      [](const caf::error& error) { throw std::runtime_error(render(error)); },
      caf::after(std::chrono::seconds{60}) >> [] { throw std::runtime_error("no answer"); });
  const auto spent = seconds_since(start);
  self->send_exit(books, caf::exit_reason::user_shutdown);
  self->wait_for(books);
  figure("registry.commands", static_cast<double>(commands) / spent, "1/s", commands);
  figure("registry.append.p99", percentile(waits, 0.99), "ms", commands);
}

} // namespace

int main(int count, char** arguments) {
  const auto number = [&](int which, std::uint64_t otherwise) {
    return count > which ? std::strtoull(arguments[which], nullptr, 10) : otherwise;
  };
  if (count >= 4 && std::string_view{arguments[1]} == "make") {
    make_people(arguments[3], number(2, 0), number(4, 3'650));
    return 0;
  }
  const auto users = number(1, 100'000);
  const auto commands = number(2, 50'000);
  const std::filesystem::path parent = count > 3 ? arguments[3] : ".";
  const auto folder = parent / fmt::format("registry_bench.{}", ::getpid());
  int outcome = 0;
  try {
    std::filesystem::create_directories(folder);
    run_commands(folder / "commands", commands);
    run_start(folder / "start", users);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "registry_bench: {}\n", problem.what());
    outcome = 1;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return outcome;
}
