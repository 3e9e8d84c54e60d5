#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.hpp"
#include "storage/backup/files.hpp"
#include "storage/backup/repository.hpp"

namespace keyportal::storage::test {
namespace {

namespace fs = std::filesystem;

fs::path key_file(const fs::path& folder, const std::string& name = "key", char digit = 'a') {
  const auto file = folder / name;
  std::ofstream{file} << std::string(64, digit) << "\n";
  ::chmod(file.c_str(), 0600);
  return file;
}

/// A data folder, the folder of its backups and their key.
struct stand {
  scratch_folder scratch;
  settings how = small_settings(scratch.path() / "data");
  fs::path kept = scratch.path() / "backups";
  backup::key_source key{key_file(scratch.path()), {}};
  std::unique_ptr<ledger> books = must_open(how);
  std::int64_t second = 0;

  backup::repository open(bool may_make = true) const { return must(backup::repository::open(kept, key, may_make)); }
  backup::repository::making making(bool full = false) {
    const auto state = books->state();
    return {how.folder,
            [this](const fs::path& folder) { return books->checkpoint(folder); },
            state.last,
            state.records,
            at_seconds(++second),
            full,
            {}};
  }
  backup_info make(bool full = false) { return must(open().make(making(full))); }
};

std::vector<fs::path> objects_of(const fs::path& kept) {
  std::vector<fs::path> out;
  for (const auto& one : fs::recursive_directory_iterator(kept / "objects"))
    if (one.is_regular_file())
      out.push_back(one.path());
  std::sort(out.begin(), out.end());
  return out;
}

template <class T>
errc code(const caf::expected<T>& result) {
  return result ? errc::none : code_of(result.error());
}

} // namespace

TEST_CASE("A backup of a ledger that is written to is restored on an empty machine, with the key alone") {
  stand s;
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 1, 500)));
  const auto sums = s.books->state().sums;
  const auto made = s.make();
  CHECK(made.records == 500);
  CHECK(made.new_bytes >= made.bytes);
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 501, 100))); // is not in it
  const auto to = s.scratch.path() / "other" / "data";
  const auto done = must(backup::restore(s.open(false), {}, to, false, at_seconds(0)));
  CHECK(done.from.id == made.id);
  CHECK(done.aside.empty());
  auto how = s.how;
  how.folder = to;
  const auto copy = must_open(how);
  must(copy->verify());
  CHECK(copy->state().sums == sums);
  CHECK(copy->state().last > s.books->state().last);        // no sequence that was given is given again
  CHECK(count_details(all_records(*copy, "alpha")) == 500); // seal.key came along: keys open
  CHECK(fs::exists(to / backup::restored_note));
  must(s.books->verify());
}

TEST_CASE("A second backup keeps only what is new, and both are restored as they were") {
  stand s;
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 1, 5000)));
  must(s.books->compact());
  const auto first = s.make();
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 5001, 10)));
  const auto second = s.make();
  CHECK(second.new_bytes < first.new_bytes / 4);
  const auto unchanged = s.make();
  CHECK(unchanged.new_bytes < first.new_bytes / 4);
  const auto all = must(s.open().list());
  REQUIRE(all.size() == 3);
  CHECK(all[2].id == first.id);
  for (const auto& [info, records] : {std::pair{first, 5000}, std::pair{second, 5010}}) {
    const auto to = s.scratch.path() / info.id;
    must(backup::restore(s.open(), info.id, to, false, at_seconds(0)));
    auto how = s.how;
    how.folder = to;
    const auto copy = must_open(how);
    must(copy->verify());
    CHECK(copy->state().records == static_cast<std::uint64_t>(records));
  }
}

TEST_CASE("After a restore files of the same number may be others: nothing of the time before is taken for them") {
  stand s;
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 1, 300)));
  const auto first = s.make();
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 301, 300)));
  s.make();
  s.books.reset();
  must(backup::restore(s.open(), first.id, s.how.folder, true, at_seconds(0)));
  s.books = must_open(s.how);
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 1000, 300)));
  const auto sums = s.books->state().sums;
  const auto third = s.make();
  const auto to = s.scratch.path() / "third";
  must(backup::restore(s.open(), third.id, to, false, at_seconds(0)));
  auto how = s.how;
  how.folder = to;
  const auto copy = must_open(how);
  must(copy->verify());
  CHECK(copy->state().sums == sums);
}

TEST_CASE("A table of another ledger is never taken for one that was kept, though name, size and time are the same") {
  stand s;
  // Two ledgers, the second one as it is after a restore: tables get the numbers of before again.
  const auto time = fs::last_write_time(s.scratch.path() / "key");
  const auto make = [&](const fs::path& ledger, const std::string& text) {
    auto what = s.making();
    what.ledger = ledger;
    what.checkpoint = [&](const fs::path& folder) -> caf::error {
      fs::create_directories(folder);
      std::ofstream{folder / "000010.sst"} << text;
      fs::last_write_time(folder / "000010.sst", time);
      return {};
    };
    return must(s.open().make(what)).id;
  };
  const auto other = s.scratch.path() / "other";
  fs::create_directories(other);
  fs::copy_file(s.how.folder / "seal.key", other / "seal.key");
  const auto kept = [&](const std::string& id) {
    const auto to = s.scratch.path() / ("out-" + id);
    must(s.open().unpack(id, to, {}));
    std::string text;
    std::getline(std::ifstream{to / "db" / "000010.sst"}, text);
    return text;
  };
  CHECK(kept(make(s.how.folder, "of before")) == "of before");
  CHECK(kept(make(other, "of  after")) == "of  after");
  CHECK(kept(make(s.how.folder, "not  read")) == "of before"); // of the same ledger it is not read again
}

TEST_CASE("Any changed bit, cut-off file or swapped file is found, and nothing is restored of it") {
  stand s;
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 1, 400)));
  const auto made = s.make();
  const auto objects = objects_of(s.kept);
  REQUIRE(objects.size() > 3);
  const auto proves = [&] {
    std::set<std::string> proved;
    return code(s.open().verify(made.id, proved, {}));
  };
  CHECK(proves() == errc::none);
  for (const auto& file : objects) {
    const auto size = fs::file_size(file);
    std::string before(size, '\0');
    std::ifstream{file, std::ios::binary}.read(before.data(), static_cast<std::streamsize>(size));
    const auto put = [&](const std::string& text) { std::ofstream{file, std::ios::binary} << text; };
    for (const auto place : {std::size_t{0}, std::size_t{9}, size / 2, size - 1}) {
      auto changed = before;
      changed[place] = static_cast<char>(changed[place] ^ 1);
      put(changed);
      CHECK(proves() == errc::backup_broken);
    }
    put(before.substr(0, size - 1));
    CHECK(proves() == errc::backup_broken);
    put(before);
  }
  // Two files in each other's place: each is sound by itself.
  fs::rename(objects[0], s.kept / "aside");
  fs::rename(objects[1], objects[0]);
  fs::rename(s.kept / "aside", objects[1]);
  CHECK(proves() == errc::backup_broken);
  const auto to = s.scratch.path() / "to";
  CHECK(code(backup::restore(s.open(), made.id, to, false, at_seconds(0))) == errc::backup_broken);
  CHECK_FALSE(fs::exists(to));
  CHECK_FALSE(fs::exists(s.scratch.path() / "to.restoring"));
  // A full one rests on none of them.
  const auto full = s.make(true);
  std::set<std::string> proved;
  CHECK(s.open().verify(full.id, proved, {}));
  CHECK(code(backup::prove(s.open(), full.id, s.scratch.path() / "proof", {})) == errc::none);
  CHECK_FALSE(fs::exists(s.scratch.path() / "proof"));
}

TEST_CASE("Pieces of more than a megabyte cannot be cut at a piece's end, nor put in another order") {
  const scratch_folder scratch;
  backup::key_header header;
  const auto vault = must(backup::vault::make({key_file(scratch.path()), {}}, header));
  std::string text(std::size_t{3} << 20, 'x');
  for (std::size_t i = 0; i < text.size(); i += 997)
    text[i] = static_cast<char>('a' + i % 26);
  const auto file = scratch.path() / "file";
  std::size_t given = 0;
  const auto sealed = must(vault.write(file, [&](std::string& to, std::size_t most) -> caf::error {
    const auto part = std::min(most, text.size() - given);
    to.append(text, given, part);
    given += part;
    return {};
  }));
  CHECK(sealed.bytes == text.size());
  const auto read = [&](const std::string& name) {
    std::string out;
    const auto done = vault.read(file, name, [&](std::string_view piece) -> caf::error {
      out.append(piece);
      return {};
    });
    return std::pair{code(done), out};
  };
  CHECK(read(sealed.name) == std::pair{errc::none, text});
  CHECK(read(std::string(64, '0')).first == errc::backup_broken);
  const auto size = fs::file_size(file);
  constexpr std::size_t piece = (std::size_t{1} << 20) + 16;
  CHECK(size == 20 + 3 * piece);
  fs::resize_file(file, 20 + 2 * piece);
  CHECK(read({}).first == errc::backup_broken);
  fs::resize_file(file, 20);
  CHECK(read({}).first == errc::backup_broken);
}

TEST_CASE("Backups open with their own key only, whether it is a file or a passphrase") {
  stand s;
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 1, 10)));
  s.make();
  const auto other = key_file(s.scratch.path(), "other", 'b');
  CHECK(code(backup::repository::open(s.kept, {other, {}}, false)) == errc::backup_key_unusable);
  const auto phrase = s.scratch.path() / "phrase";
  const auto write = [&](const std::string& text, mode_t mode = 0600) {
    std::ofstream{phrase} << text;
    ::chmod(phrase.c_str(), mode);
  };
  write("correct horse battery\nignored\n");
  CHECK(code(backup::repository::open(s.kept, {{}, phrase}, false)) == errc::backup_key_unusable);
  const auto second = s.scratch.path() / "second";
  CHECK(backup::repository::open(second, {{}, phrase}, true));
  CHECK(backup::repository::open(second, {{}, phrase}, false));
  write("correct horse batterz\n");
  CHECK(code(backup::repository::open(second, {{}, phrase}, false)) == errc::backup_key_unusable);
  write("correct horse battery\n", 0640);
  CHECK(code(backup::repository::open(second, {{}, phrase}, false)) == errc::backup_key_unusable);
  write("too short\n");
  CHECK(code(backup::repository::open(s.scratch.path() / "third", {{}, phrase}, true)) == errc::backup_key_unusable);
  // Neither the key nor a client key is there in clear.
  const auto bytes = all_bytes(s.kept);
  CHECK(bytes.find(std::string(64, 'a')) == std::string::npos);
  CHECK(bytes.find("MANIFEST") == std::string::npos);
  CHECK(bytes.find("alpha") == std::string::npos);
}

TEST_CASE("A try that breaks off at any file leaves the earlier backups, and nothing that is listed") {
  stand s;
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 1, 200)));
  const auto first = s.make();
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 201, 200)));
  std::uint64_t steps = 0;
  for (std::uint64_t end = 1;; ++end) {
    auto what = s.making(true);
    steps = 0;
    what.progress = [&](std::uint64_t) -> caf::error {
      return ++steps == end ? make_error(errc::shutting_down) : caf::error{};
    };
    const auto result = s.open().make(what);
    if (result)
      break;
    CHECK(code(result) == errc::shutting_down);
    const auto all = must(s.open().list());
    REQUIRE(all.size() == 1);
    std::set<std::string> proved;
    CHECK(s.open().verify(first.id, proved, {}));
    CHECK_FALSE(fs::exists(s.how.folder / "backup.staging"));
  }
  CHECK(steps > 5);
  CHECK(must(s.open().list()).size() == 2);
  // What they left goes, and what is used stays.
  must(s.open().prune({100, 0, 0}));
  for (const auto& one : must(s.open().list())) {
    std::set<std::string> proved;
    CHECK(s.open().verify(one.id, proved, {}));
  }
}

TEST_CASE("Prune keeps the newest, and the last of days and weeks; files that others need stay") {
  std::vector<backup_info> all;
  const auto add = [&](int day, int hour) {
    backup_info one;
    one.made_at = at_seconds(day * 86'400 + hour * 3600);
    one.id = to_rfc3339_ms(one.made_at);
    all.push_back(one);
    return one.id;
  };
  // 2026-01-01 is a Thursday.
  std::map<std::pair<int, int>, std::string> ids;
  for (int day = 0; day < 30; ++day)
    for (const int hour : {6, 18})
      ids[{day, hour}] = add(day, hour);
  backup_info broken;
  broken.id = "2025-01-01";
  broken.problem = "cannot be read";
  all.push_back(broken);
  const auto kept = [&](backup::keep_rules rules) {
    std::set<std::string> out;
    const auto dropped = backup::to_drop(all, rules);
    for (const auto& one : all)
      if (!dropped.contains(one.id))
        out.insert(one.id);
    out.erase(broken.id);
    return out;
  };
  CHECK(kept({3, 0, 0}) == std::set<std::string>{ids[{29, 18}], ids[{29, 6}], ids[{28, 18}]});
  CHECK(kept({1, 3, 0}) == std::set<std::string>{ids[{29, 18}], ids[{28, 18}], ids[{27, 18}]});
  // Weeks begin on Monday: 26 Jan is day 25, so the last of the week before is day 24.
  CHECK(kept({1, 0, 3}) == std::set<std::string>{ids[{29, 18}], ids[{24, 18}], ids[{17, 18}]});
  CHECK_FALSE(backup::to_drop(all, {1, 0, 0}).contains(broken.id));

  stand s;
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 1, 1000)));
  s.make();
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 1001, 1000)));
  const auto last = s.make();
  const auto before = s.open().stored_bytes();
  const auto gone = must(s.open().prune({1, 0, 0}));
  CHECK(gone.backups == 1);
  CHECK(gone.files > 0);
  CHECK(s.open().stored_bytes() < before);
  std::set<std::string> proved;
  CHECK(s.open().verify(last.id, proved, {}));
}

TEST_CASE("A folder that is not empty stays as it is unless it may be set aside; one in use stays in any case") {
  stand s;
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 1, 50)));
  s.make();
  CHECK(code(backup::restore(s.open(), {}, s.how.folder, false, at_seconds(0))) == errc::folder_not_empty);
  // A lock of the same process is not seen by it: ask from another one.
  const auto child = ::fork();
  if (child == 0)
    _exit(code(backup::restore(s.open(), {}, s.how.folder, true, at_seconds(0))) == errc::storage_in_use ? 7 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 7);
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 51, 50)));
  s.books.reset();
  const auto done = must(backup::restore(s.open(), {}, s.how.folder, true, at_seconds(0)));
  REQUIRE_FALSE(done.aside.empty());
  CHECK(must_open(s.how)->state().records == 50);
  auto old = s.how;
  old.folder = done.aside;
  CHECK(must_open(old)->state().records == 100);
  // An empty folder is as good as none.
  fs::create_directory(s.scratch.path() / "empty");
  CHECK(backup::restore(s.open(), {}, s.scratch.path() / "empty", false, at_seconds(0)));
  CHECK(code(backup::restore(s.open(), "20200101T000000Z", s.scratch.path() / "none", false, at_seconds(0)))
        == errc::backup_unknown);
  CHECK(code(backup::restore(s.open(), "../x", s.scratch.path() / "none", false, at_seconds(0)))
        == errc::backup_unknown);
}

TEST_CASE("While one backup is being made another is refused") {
  stand s;
  must_commit(*s.books, polled("alpha", numbered_groups("alpha", 1, 50)));
  s.make();
  auto what = s.making();
  errc other = errc::none;
  what.progress = [&](std::uint64_t) -> caf::error {
    if (other == errc::none)
      other = code(s.open().prune({1, 0, 0}));
    return {};
  };
  CHECK(s.open().make(what));
  CHECK(other == errc::backup_in_use);
}

} // namespace keyportal::storage::test
