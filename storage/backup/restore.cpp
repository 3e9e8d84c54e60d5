// From a backup to the folder of a ledger.
#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "messages/errors.hpp"
#include "storage/backup/files.hpp"
#include "storage/backup/repository.hpp"
#include "storage/ledger.hpp"

namespace keyportal::backup {

namespace fs = std::filesystem;

namespace {

/// More than a busy service gives between two backups.
constexpr sequence sequences_skipped = 10'000'000;

/// Whether a process has the database open, by the lock that it holds then.
bool is_in_use(const fs::path& ledger) {
  const descriptor lock{::open((ledger / "db" / "LOCK").c_str(), O_RDWR | O_CLOEXEC)};
  if (lock.get() < 0)
    return false;
  struct flock asked {};
  asked.l_type = F_WRLCK;
  asked.l_whence = SEEK_SET;
  return ::fcntl(lock.get(), F_GETLK, &asked) == 0 && asked.l_type != F_UNLCK;
}

caf::expected<backup_info> find(const repository& from, const std::string& id) {
  const auto all = from.list();
  if (!all)
    return all.error();
  for (const auto& one : *all) {
    if (id.empty() ? one.problem.empty() : one.id == id) {
      if (one.problem.empty())
        return one;
      return make_error(errc::backup_broken, one.problem);
    }
  }
  return make_error(errc::backup_unknown, id.empty() ? "there is none yet" : id.substr(0, 40));
}

/// Nothing of a ledger stays where none should be.
struct cleaner {
  fs::path folder;
  explicit cleaner(fs::path of) : folder(std::move(of)) {}
  cleaner(const cleaner&) = delete;
  cleaner& operator=(const cleaner&) = delete;
  ~cleaner() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
};

fs::path beside(const fs::path& folder, std::string_view what) {
  return folder.parent_path() / fmt::format("{}.{}", folder.filename().string(), what);
}

} // namespace

caf::expected<restored> restore(const repository& from, const std::string& id, const fs::path& given, bool replace,
                                moment now) {
  std::error_code problem;
  auto to = fs::absolute(given, problem).lexically_normal();
  if (!to.has_filename())
    to = to.parent_path();
  const auto info = find(from, id);
  if (!info)
    return info.error();
  const bool there = fs::exists(to, problem);
  if (there) // it may be a link to where it is
    to = fs::canonical(to, problem);
  const bool empty = !there || (fs::is_directory(to, problem) && fs::is_empty(to, problem));
  if (!empty && !replace)
    return make_error(errc::folder_not_empty, to.string());
  if (!empty && is_in_use(to))
    return make_error(errc::storage_in_use, to.string());
  if (auto failed = make_folder(to.parent_path()))
    return failed;
  const auto half = beside(to, "restoring");
  if (auto failed = remove_folder(half))
    return failed;
  const cleaner at_end{half}; // it is elsewhere then, if all goes well
  if (auto failed = from.unpack(info->id, half, {}))
    return failed;
  {
    // To see that it is one, before anything is set aside for it.
    storage::settings how;
    how.folder = half;
    const auto opened = storage::ledger::open(how);
    if (!opened)
      return opened.error();
    if ((*opened)->state().last < info->position)
      return make_error(errc::backup_broken, fmt::format("{}: its ledger is at {}, not at {}", info->id,
                                                         (*opened)->state().last, info->position));
    // Events of the stream are known by their sequences, and those behind the backup were given already.
    if (auto failed = (*opened)->skip_sequences(sequences_skipped))
      return failed;
  }
  const nlohmann::json note = {{"backup", info->id},
                               {"made_at", to_rfc3339_ms(info->made_at)},
                               {"position", info->position},
                               {"restored_at", to_rfc3339_ms(now)}};
  auto file = new_file::create(half / restored_note);
  if (!file)
    return file.error();
  if (auto failed = file->write(note.dump() + "\n"))
    return failed;
  if (auto failed = file->finish())
    return failed;
  // Whoever has the folder has what takes its place.
  struct stat owner {};
  const auto of = there ? to : to.parent_path();
  if (::geteuid() == 0 && ::stat(of.c_str(), &owner) == 0 && owner.st_uid != 0) {
    for (fs::recursive_directory_iterator at{half, problem}, end; !problem && at != end; at.increment(problem))
      if (::lchown(at->path().c_str(), owner.st_uid, owner.st_gid) != 0)
        return because(at->path());
    if (::chown(half.c_str(), owner.st_uid, owner.st_gid) != 0)
      return because(half);
  }
  if (auto failed = sync_folder(half))
    return failed;
  restored out;
  out.from = *info;
  if (!empty) {
    auto shown = to_rfc3339_ms(now).substr(0, 19);
    std::erase_if(shown, [](char c) { return c == '-' || c == ':'; });
    const auto aside = beside(to, fmt::format("before-{}", shown));
    if (auto failed = rename_file(to, aside))
      return failed;
    out.aside = aside;
  }
  if (auto failed = rename_file(half, to)) // an empty folder is replaced in the same step
    return failed;
  if (auto failed = sync_folder(to.parent_path()))
    return failed;
  return out;
}

caf::expected<std::uint64_t> prove(const repository& from, const std::string& id, const fs::path& scratch,
                                   const told_progress& progress) {
  const auto info = find(from, id);
  if (!info)
    return info.error();
  const cleaner at_end{scratch};
  if (auto failed = remove_folder(scratch))
    return failed;
  if (auto failed = from.unpack(info->id, scratch, progress))
    return failed;
  storage::settings how;
  how.folder = scratch;
  const auto opened = storage::ledger::open(how);
  if (!opened)
    return opened.error();
  const auto state = (*opened)->state();
  if (state.last < info->position)
    return make_error(errc::backup_broken, fmt::format("{}: its ledger is another one", info->id));
  if (auto wrong = (*opened)->verify())
    return wrong;
  return state.records;
}

} // namespace keyportal::backup
