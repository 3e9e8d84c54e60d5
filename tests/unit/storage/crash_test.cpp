// What is on disk after the process died, the power went, or a file was damaged.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <set>

#include <csignal>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faulty_files.hpp"
#include "sample.hpp"

extern char** environ;

namespace keyportal::storage::test {
namespace {

// Starts the writer, kills it after it told `commits` commits; the highest number it told.
std::uint64_t write_until_killed(const std::filesystem::path& folder, std::uint64_t first, std::string mode,
                                 int commits, int delay_us) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  auto program = std::string(CRASH_WRITER);
  auto where = folder.string();
  auto from = std::to_string(first);
  char* arguments[] = {program.data(), where.data(), from.data(), mode.data(), nullptr};
  pid_t writer = 0;
  REQUIRE(::posix_spawn(&writer, program.c_str(), &actions, nullptr, arguments, environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string told;
  char buffer[4096];
  const auto read_more = [&] {
    const auto n = ::read(ends[0], buffer, sizeof buffer);
    if (n > 0)
      told.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  };
  while (std::count(told.begin(), told.end(), '\n') < commits && read_more()) {}
  ::usleep(static_cast<useconds_t>(delay_us)); // a random moment within the next commits
  ::kill(writer, SIGKILL);
  int status = 0;
  ::waitpid(writer, &status, 0);
  while (read_more()) {}
  ::close(ends[0]);
  CHECK(WIFSIGNALED(status));
  std::uint64_t last = first;
  for (std::size_t at = 0, end = 0; (end = told.find('\n', at)) != std::string::npos; at = end + 1)
    std::from_chars(told.data() + at, told.data() + end, last);
  return last;
}

std::filesystem::path newest_log(const std::filesystem::path& db) {
  std::filesystem::path newest;
  for (const auto& entry : std::filesystem::directory_iterator(db))
    if (entry.path().extension() == ".log" && std::filesystem::file_size(entry.path()) > 0
        && (newest.empty() || entry.path().filename() > newest.filename()))
      newest = entry.path();
  return newest;
}

void flip_byte(const std::filesystem::path& file, std::uintmax_t at) {
  std::fstream bytes{file, std::ios::binary | std::ios::in | std::ios::out};
  bytes.seekg(static_cast<std::streamoff>(at));
  const auto byte = static_cast<char>(bytes.get() ^ 0x5a);
  bytes.seekp(static_cast<std::streamoff>(at));
  bytes.put(byte);
}

// Ten commits of ten records, closed. All of it is in the log.
settings written(const std::filesystem::path& folder) {
  const auto how = small_settings(folder);
  const auto books = must_open(how);
  for (std::uint64_t i = 0; i < 10; ++i)
    must_commit(*books, polled("alpha", numbered_groups("alpha", i * 10, 10)));
  return how;
}

} // namespace

TEST_CASE("Killed while costs are worked out anew, records and roll-ups agree, and what was told is done") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const scratch_folder folder;
  std::uint64_t next = 0;
  for (int kill = 0; kill < 8; ++kill) {
    next = write_until_killed(folder.path(), next, "reprice", static_cast<int>(1 + random() % 5),
                              static_cast<int>(random() % 20'000));
    const auto books = must_open(small_settings(folder.path()));
    INFO("kill " << kill << ", told " << next);
    for (const auto& one : all_arrivals(*books, 1000)) // of the last price, or the one under way
      REQUIRE((one.record.cost_nano >= static_cast<std::int64_t>(next)
               && one.record.cost_nano <= static_cast<std::int64_t>(next + 2)));
    for (const auto& day : must(books->days_of_rollups()))
      CHECK(must(books->check_rollups(day)) == 0);
    must(books->verify());
  }
}

TEST_CASE("Killed at any moment, the ledger has all it told, nothing by halves, and goes on") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const scratch_folder folder;
  std::uint64_t next = 0;
  for (int kill = 0; kill < 20; ++kill) {
    const auto told = write_until_killed(folder.path(), next, "usage", static_cast<int>(random() % 30),
                                         static_cast<int>(random() % 3000));
    const auto books = must_open(small_settings(folder.path()));
    const auto state = books->state();
    INFO("kill " << kill << ", told " << told);
    CHECK(state.records >= told);
    CHECK(state.records % 40 == 0);
    // What one batch wrote together is there together.
    CHECK(state.records == static_cast<std::uint64_t>(must(books->recall("alpha")).counters.requests));
    must(books->verify());
    next = state.records;
  }
  CHECK(next > 0);
}

TEST_CASE("Killed at any moment, each payload received is in the inbox or decoded, never neither and never both") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const scratch_folder folder;
  std::uint64_t next = 0;
  for (int kill = 0; kill < 20; ++kill) {
    const auto told = write_until_killed(folder.path(), next, "queue", static_cast<int>(random() % 30),
                                         static_cast<int>(random() % 3000));
    const auto books = must_open(small_settings(folder.path()));
    INFO("kill " << kill << ", told " << told);
    std::map<std::string, int> found; // payload -> in how many places
    std::uint64_t entries = 0;
    for (const auto& entry : must(books->read_inbox("alpha", 0, 1000))) {
      ++entries;
      for (std::size_t i = 0; i < entry.what.payloads->size(); ++i)
        ++found[std::string{(*entry.what.payloads)[i]}];
    }
    CHECK(books->state().inbox == entries);
    for (const auto& letter : must(books->dead_letters(0, 10'000, true)))
      ++found[letter.payload.reveal()];
    std::map<record_id, std::string> numbers;
    for (std::uint64_t number = 0; number < told + 4000; ++number)
      for (const auto& group : queued_groups("alpha", number, 1))
        numbers[group.details[0].id] = std::to_string(number);
    for (const auto& one : all_arrivals(*books, 1000))
      ++found[numbers.at(one.record.id)];
    CHECK(found.size() >= told);
    CHECK(found.size() % 40 == 0);
    for (std::uint64_t number = 0; number < found.size(); ++number)
      if (found[std::to_string(number)] != 1)
        FAIL("payload " << number << " is in " << found[std::to_string(number)] << " places");
    must(books->verify());
    next = found.size();
  }
  CHECK(next > 0);
}

TEST_CASE("Killed at any moment, the registry has every entry that was told, without a hole, and its fold") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const scratch_folder folder;
  std::uint64_t next = 0;
  for (int kill = 0; kill < 20; ++kill) {
    const auto told = write_until_killed(folder.path(), next, "registry", static_cast<int>(random() % 30),
                                         static_cast<int>(random() % 3000));
    const auto books = must_open(small_settings(folder.path()));
    INFO("kill " << kill << ", told " << told);
    const auto image = must(books->load_registry());
    CHECK(image.position >= told);
    CHECK(image.position % 4 == 0);
    const auto log = all_entries(*books, 1000);
    REQUIRE(log.size() == image.position);
    for (std::uint64_t i = 0; i < log.size(); ++i)
      if (log[i].position != i + 1 || log[i].command != "command-" + std::to_string(i + 1))
        FAIL("entry " << i + 1 << " is " << log[i].command << " at " << log[i].position);
    REQUIRE(image.users.size() == image.position);
    for (const auto& person : image.users) {
      const auto number = std::stoull(person.id.substr(1));
      if (person != numbered_user(number, number < image.position ? 1 : 0))
        FAIL("user " << person.id << " is not what the entries say");
    }
    CHECK(books->state().outbox == image.position + books->state().records); // an event each
    must(books->verify());
    next = image.position;
  }
  CHECK(next > 0);
}

TEST_CASE("Power that goes takes nothing that was received, nor what it became") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const scratch_folder folder;
  faulty_files files;
  auto how = small_settings(folder.path());
  how.env = files.env();
  how.write_buffer_bytes = std::size_t{256} << 10;
  std::uint64_t given = 0;
  std::set<std::uint64_t> waiting;
  std::uint64_t consumed = 0;
  for (int cut = 0; cut < 8; ++cut) {
    auto books = must_open(how);
    REQUIRE(books->state().inbox == waiting.size());
    REQUIRE(must(books->consumer_position("tool")) == consumed);
    must(books->verify());
    for (auto commits = random() % 40; commits > 0; --commits) {
      REQUIRE(must_commit(*books, received_now("alpha", {std::to_string(given)})).inbox_number == ++given);
      waiting.insert(given);
      if (random() % 3 == 0)
        continue;
      auto done = decoded("alpha", queued_groups("alpha", given, 1));
      done.inbox_done = {*waiting.begin()};
      waiting.erase(waiting.begin());
      must_commit(*books, done);
      if (random() % 4 == 0)
        must_commit(*books, consumer_progress{"tool", consumed = books->state().last});
    }
    // The last write before the cut has nothing behind it that would carry it to the disk.
    if (cut % 2 == 0) {
      must_commit(*books, received_now("alpha", {std::to_string(given)}));
      waiting.insert(++given);
    } else if (consumed > 0) {
      must_commit(*books, consumer_progress{"tool", --consumed});
    }
    books.reset();
    files.cut_power();
  }
  CHECK(given > 0);
}

TEST_CASE("Power that goes takes nothing that was committed") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const scratch_folder folder;
  faulty_files files;
  auto how = small_settings(folder.path());
  how.env = files.env();
  how.write_buffer_bytes = std::size_t{256} << 10;
  std::uint64_t records = 0;
  for (int cut = 0; cut < 8; ++cut) {
    auto books = must_open(how);
    REQUIRE(books->state().records == records);
    must(books->verify());
    for (auto commits = random() % 60; commits > 0; --commits, records += 20)
      must_commit(*books, polled("alpha", numbered_groups("alpha", records, 20)));
    books.reset();
    files.cut_power();
  }
  CHECK(records > 0);
}

TEST_CASE("Without the sync, power that goes does take records: the test above can fail") {
  const scratch_folder folder;
  faulty_files files;
  auto how = small_settings(folder.path());
  how.env = files.env();
  must_open(how); // made and closed: the schema is synced either way
  how.sync = false;
  auto books = must_open(how);
  must_commit(*books, polled("alpha", numbered_groups("alpha", 0, 20)));
  CHECK(books->state().records == 20);
  books.reset();
  files.cut_power();
  CHECK(must_open(how)->state().records == 0);
}

TEST_CASE("One sync makes a commit durable, however many writes it has") {
  const scratch_folder folder;
  faulty_files files;
  auto how = small_settings(folder.path());
  how.env = files.env();
  const auto books = must_open(how);
  std::vector<ledger::write> writes;
  for (std::uint64_t i = 0; i < 20; ++i)
    writes.emplace_back(polled("alpha", numbered_groups("alpha", i * 10, 10)));
  must_commit(*books, received_now("alpha", {"x"}));
  auto done = decoded("alpha", queued_groups("alpha", 1000, 10));
  done.inbox_done = {1};
  done.dead = {{0, "", at_seconds(0), inbox_channel::errors, "why", secret{"x"}, 0}};
  writes.emplace_back(received_now("alpha", {"y"}));
  writes.emplace_back(done);
  writes.emplace_back(consumer_progress{"tool", 5});
  const auto before = files.syncs();
  must(books->commit(writes, at_seconds(0)));
  CHECK(files.syncs() == before + 1);
}

TEST_CASE("A log cut short loses the unfinished last write only") {
  const scratch_folder folder;
  const auto how = written(folder.path());
  const auto log = newest_log(how.folder / "db");
  const auto size = std::filesystem::file_size(log);
  for (const std::uintmax_t cut : {1, 50, 300}) {
    const auto copy = folder.path() / ("cut" + std::to_string(cut));
    std::filesystem::create_directory(copy);
    std::filesystem::copy(how.folder, copy / "data", std::filesystem::copy_options::recursive);
    std::filesystem::permissions(copy / "data" / "seal.key", std::filesystem::perms{0600});
    std::filesystem::resize_file(copy / "data" / "db" / log.filename(), size - cut);
    const auto books = must_open(small_settings(copy));
    CHECK(books->state().records == 90);
    must(books->verify());
    CHECK(must_commit(*books, polled("alpha", numbered_groups("alpha", 0, 100))).records->size() == 10);
    must(books->verify());
  }
}

TEST_CASE("A log that ends in zeros, as a file system may leave it, loses nothing") {
  const scratch_folder folder;
  const auto how = written(folder.path());
  const auto log = newest_log(how.folder / "db");
  std::filesystem::resize_file(log, std::filesystem::file_size(log) + 5000);
  const auto books = must_open(how);
  CHECK(books->state().records == 100);
  must(books->verify());
}

TEST_CASE("A log damaged in its middle is refused, not shortened in silence") {
  const scratch_folder folder;
  const auto how = written(folder.path());
  const auto log = newest_log(how.folder / "db");
  flip_byte(log, std::filesystem::file_size(log) / 2);
  const auto books = ledger::open(how);
  REQUIRE_FALSE(books);
  CHECK(code_of(books.error()) == errc::storage_corrupt);
}

TEST_CASE("Of several logs, one that is missing or cut short before the last is refused") {
  const scratch_folder folder;
  auto how = small_settings(folder.path());
  how.write_buffer_bytes = std::size_t{256} << 10;
  std::vector<std::filesystem::path> logs;
  {
    const auto books = must_open(how);
    // The snapshot stays in memory and holds its log while records fill, flush and begin others.
    must(books->keep_snapshot({0, "alpha", at_seconds(0), "request", 0, {}, 0, 0, {}}, "{}"));
    for (std::uint64_t i = 0; i < 40; ++i)
      must_commit(*books, polled("alpha", numbered_groups("alpha", i * 100, 100)));
  }
  for (const auto& entry : std::filesystem::directory_iterator(how.folder / "db"))
    if (entry.path().extension() == ".log" && std::filesystem::file_size(entry.path()) > 0)
      logs.push_back(entry.path());
  std::sort(logs.begin(), logs.end());
  REQUIRE(logs.size() >= 2);
  const auto damage = GENERATE(0, 1);
  if (damage == 0)
    std::filesystem::resize_file(logs[0], std::filesystem::file_size(logs[0]) - 10);
  else
    std::filesystem::remove(logs[0]);
  const auto books = ledger::open(how);
  REQUIRE_FALSE(books);
  CHECK(code_of(books.error()) == errc::storage_corrupt);
}

TEST_CASE("A damaged table is noticed when it is read") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  {
    const auto books = must_open(how);
    must_commit(*books, polled("alpha", numbered_groups("alpha", 0, 2000)));
    must(books->compact());
  }
  for (const auto& entry : std::filesystem::directory_iterator(how.folder / "db"))
    if (entry.path().extension() == ".sst" && std::filesystem::file_size(entry.path()) > 20'000)
      flip_byte(entry.path(), std::filesystem::file_size(entry.path()) / 3);
  const auto books = ledger::open(how);
  const auto error = books ? (*books)->verify() : books.error();
  REQUIRE(error);
  CHECK(code_of(error) == errc::storage_corrupt);
}

} // namespace keyportal::storage::test
