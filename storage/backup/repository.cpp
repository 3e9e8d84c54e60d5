#include "storage/backup/repository.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "messages/json.hpp"
#include "messages/timestamp.hpp"
#include "storage/backup/files.hpp"

namespace keyportal::backup {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* header_name = "keyportal-backup.json";
constexpr const char* staging_name = "backup.staging";
constexpr const char* lineage_name = "backup.lineage";
constexpr std::string_view extension = ".kpb";
constexpr std::uint64_t largest_manifest = std::uint64_t{256} << 20;

std::string to_hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes)
    out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string from_hex(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<char>(std::stoul(text.substr(i, 2), nullptr, 16)));
  return out;
}

caf::expected<key_header> read_header(const fs::path& file) {
  std::ifstream in{file};
  const auto text = json::parse(in, nullptr, false);
  try {
    if (text.at("format") != 1)
      return make_error(errc::storage_newer, file.string());
    key_header out;
    out.stretched = text.at("kdf") == "scrypt";
    out.salt = from_hex(text.at("salt"));
    out.check = from_hex(text.at("check"));
    if (out.stretched) {
      out.n = text.at("n");
      out.r = text.at("r");
      out.p = text.at("p");
    }
    return out;
  } catch (const std::exception&) {
    return make_error(errc::backup_broken, fmt::format("{}: cannot be read", file.string()));
  }
}

caf::error write_text(const fs::path& file, const std::string& text) {
  auto beside = file;
  beside += ".new";
  auto out = new_file::create(beside);
  if (!out)
    return out.error();
  if (auto failed = out->write(text))
    return failed;
  if (auto failed = out->finish())
    return failed;
  if (auto failed = rename_file(beside, file))
    return failed;
  return sync_folder(file.parent_path());
}

std::string random_name() {
  std::ifstream in{"/dev/urandom", std::ios::binary};
  std::string bytes(16, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return to_hex(bytes);
}

/// Which ledger this is; one that was restored is another.
caf::expected<std::string> lineage_of(const fs::path& ledger) {
  const auto file = ledger / lineage_name;
  std::string text;
  if (std::ifstream in{file}; std::getline(in, text) && text.size() == 32)
    return text;
  text = random_name();
  if (auto failed = write_text(file, text + "\n"))
    return failed;
  return text;
}

json manifest_json(const backup_list& from) {
  auto files = json::array();
  for (const auto& one : from.files)
    files.push_back({one.path, one.bytes, one.changed_ns, one.object});
  const auto& i = from.info;
  return {{"format", 1},
          {"id", i.id},
          {"made_at", unix_ns(i.made_at)},
          {"position", i.position},
          {"records", i.records},
          {"bytes", i.bytes},
          {"new_bytes", i.new_bytes},
          {"lineage", from.lineage},
          {"program", KEYPORTAL_VERSION},
          {"files", std::move(files)}};
}

bool is_object_name(const std::string& name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// Nothing that leads out of the folder it is unpacked into.
bool is_path(const std::string& path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string::npos)
    return false;
  for (const auto& part : fs::path{path})
    if (part == ".." || part == "." || part.empty())
      return false;
  return true;
}

std::optional<backup_list> manifest_of(const std::string& text) {
  const auto given = json::parse(text, nullptr, false);
  backup_list out;
  try {
    if (given.at("format") != 1)
      return std::nullopt;
    auto& i = out.info;
    i.id = given.at("id");
    i.made_at = moment_of(given.at("made_at").get<std::int64_t>());
    i.position = given.at("position");
    i.records = given.at("records");
    i.bytes = given.at("bytes");
    i.new_bytes = given.at("new_bytes");
    out.lineage = given.at("lineage");
    for (const auto& one : given.at("files")) {
      out.files.push_back({one.at(0), one.at(1), one.at(2), one.at(3)});
      if (!is_path(out.files.back().path) || !is_object_name(out.files.back().object))
        return std::nullopt;
    }
    i.files = out.files.size();
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return out;
}

std::int64_t changed_ns(const struct stat& facts) {
  return static_cast<std::int64_t>(facts.st_mtim.tv_sec) * 1'000'000'000 + facts.st_mtim.tv_nsec;
}

vault::source source_of(const descriptor& in, const fs::path& file, const repository::making& what) {
  return [&in, file, &what](std::string& to, std::size_t at_most) -> caf::error {
    const auto before = to.size();
    to.resize(before + at_most);
    ssize_t got = 0;
    do
      got = ::read(in.get(), to.data() + before, at_most);
    while (got < 0 && errno == EINTR);
    to.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0)
      return because(file);
    return what.progress ? what.progress(static_cast<std::uint64_t>(got)) : caf::error{};
  };
}

} // namespace

std::uint64_t size_of_folder(const fs::path& folder) {
  std::uint64_t out = 0;
  std::set<std::pair<dev_t, ino_t>> met;
  std::error_code problem;
  for (fs::recursive_directory_iterator at{folder, fs::directory_options::skip_permission_denied, problem}, end;
       !problem && at != end; at.increment(problem)) {
    struct stat facts {};
    if (::lstat(at->path().c_str(), &facts) != 0 || !S_ISREG(facts.st_mode))
      continue;
    if (facts.st_nlink > 1 && !met.emplace(facts.st_dev, facts.st_ino).second)
      continue;
    out += static_cast<std::uint64_t>(facts.st_blocks) * 512;
  }
  return out;
}

std::set<std::string> to_drop(const std::vector<backup_info>& given, const keep_rules& rules) {
  auto all = given;
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id > b.id; });
  std::set<std::string> kept;
  std::set<std::int64_t> days, weeks;
  std::size_t newest = 0;
  for (const auto& one : all) {
    if (!one.problem.empty()) // may be of a newer program, or a disk that comes back: a person decides
      continue;
    if (newest < rules.newest) {
      ++newest;
      kept.insert(one.id);
    }
    const auto day = std::chrono::floor<std::chrono::hours>(one.made_at.time_since_epoch()).count() / 24;
    const auto week = (day + 3) / 7; // they begin on Monday; 1970 began on a Thursday
    if (!days.contains(day) && days.size() < rules.daily)
      kept.insert(one.id);
    days.insert(day);
    if (!weeks.contains(week) && weeks.size() < rules.weekly)
      kept.insert(one.id);
    weeks.insert(week);
  }
  std::set<std::string> out;
  for (const auto& one : all)
    if (one.problem.empty() && !kept.contains(one.id))
      out.insert(one.id);
  return out;
}

// --- the folder -----------------------------------------------------------------------------------

caf::expected<repository> repository::open(const fs::path& folder, const key_source& key, bool may_make) {
  const auto header_file = folder / header_name;
  std::error_code problem;
  if (fs::exists(header_file, problem)) {
    const auto header = read_header(header_file);
    if (!header)
      return header.error();
    auto opened = vault::open(key, *header);
    if (!opened)
      return opened.error();
    return repository{folder, *opened};
  }
  if (!may_make)
    return make_error(errc::backup_unknown, fmt::format("{} holds no backups", folder.string()));
  if (auto failed = make_folder(folder))
    return failed;
  const auto lock = folder_lock::take(folder, true);
  if (!lock)
    return lock.error();
  if (fs::exists(folder / "backups", problem) && !fs::is_empty(folder / "backups", problem))
    return make_error(errc::backup_broken, fmt::format("{} is missing", header_file.string()));
  key_header header;
  auto made = vault::make(key, header);
  if (!made)
    return made.error();
  json text = {{"format", 1},
               {"kdf", header.stretched ? "scrypt" : "none"},
               {"salt", to_hex(header.salt)},
               {"check", to_hex(header.check)}};
  if (header.stretched) {
    text["n"] = header.n;
    text["r"] = header.r;
    text["p"] = header.p;
  }
  for (const char* part : {"objects", "backups", "new"})
    if (auto failed = make_folder(folder / part))
      return failed;
  if (auto failed = write_text(header_file, text.dump(2) + "\n"))
    return failed;
  return repository{folder, *made};
}

fs::path repository::object(const std::string& name) const { return folder_ / "objects" / name.substr(0, 2) / name; }

fs::path repository::manifest(const std::string& id) const {
  return folder_ / "backups" / fmt::format("{}{}", id, extension);
}

std::vector<std::string> repository::ids() const {
  std::vector<std::string> out;
  std::error_code problem;
  for (const auto& one : fs::directory_iterator(folder_ / "backups", problem)) {
    const auto name = one.path().filename().string();
    if (name.ends_with(extension))
      out.push_back(name.substr(0, name.size() - extension.size()));
  }
  std::sort(out.begin(), out.end());
  return out;
}

caf::expected<backup_list> repository::read(const std::string& id) const {
  if (id.empty() || id.find_first_not_of("0123456789TZ-") != std::string::npos)
    return make_error(errc::backup_unknown, id.substr(0, 40));
  const auto file = manifest(id);
  std::error_code problem;
  if (!fs::exists(file, problem))
    return make_error(errc::backup_unknown, id);
  std::string text;
  const auto done = vault_.read(file, {}, [&](std::string_view piece) -> caf::error {
    text.append(piece);
    return text.size() <= largest_manifest ? caf::error{} : make_error(errc::backup_broken, id);
  });
  if (!done)
    return done.error();
  auto out = manifest_of(text);
  if (!out || out->info.id != id)
    return make_error(errc::backup_broken, fmt::format("{}: its list cannot be read", id));
  return std::move(*out);
}

caf::expected<std::vector<backup_info>> repository::list() const {
  std::vector<backup_info> out;
  auto all = ids();
  std::reverse(all.begin(), all.end());
  for (const auto& id : all) {
    auto one = read(id);
    if (one) {
      out.push_back(std::move(one->info));
      continue;
    }
    backup_info info;
    info.id = id;
    info.problem = render(one.error());
    out.push_back(std::move(info));
  }
  return out;
}

std::uint64_t repository::stored_bytes() const { return size_of_folder(folder_); }

// --- making ---------------------------------------------------------------------------------------

caf::expected<backup_info> repository::make(const making& what) const {
  const auto lock = folder_lock::take(folder_, true);
  if (!lock)
    return lock.error();
  const auto lineage = lineage_of(what.ledger);
  if (!lineage)
    return lineage.error();
  if (auto failed = remove_folder(folder_ / "new"))
    return failed;
  for (const char* part : {"objects", "backups", "new"})
    if (auto failed = make_folder(folder_ / part))
      return failed;

  // Files that an earlier backup of this ledger has: tables are never written again under the same number.
  std::map<std::string, kept_file> before;
  if (!what.full) {
    auto all = ids();
    for (auto id = all.rbegin(); id != all.rend() && before.empty(); ++id)
      if (const auto one = read(*id); one && one->lineage == *lineage)
        for (const auto& file : one->files)
          before.emplace(file.path, file);
  }

  const auto staging = what.ledger / staging_name;
  if (auto failed = remove_folder(staging))
    return failed;
  struct cleaner {
    fs::path folder;
    ~cleaner() {
      std::error_code ignored;
      fs::remove_all(folder, ignored);
    }
  } at_end{staging};
  if (auto failed = what.checkpoint(staging))
    return failed;

  backup_list made;
  made.lineage = *lineage;
  made.info.made_at = what.now;
  made.info.position = what.position;
  made.info.records = what.records;
  std::vector<std::pair<std::string, fs::path>> files{{"seal.key", what.ledger / "seal.key"}};
  std::error_code problem;
  for (const auto& one : fs::directory_iterator(staging, problem))
    if (one.is_regular_file(problem))
      files.emplace_back("db/" + one.path().filename().string(), one.path());
  if (problem)
    return make_error(errc::storage_failed, fmt::format("{}: {}", staging.string(), problem.message()));
  std::sort(files.begin(), files.end());

  std::set<fs::path> folders{folder_ / "objects"};
  for (const auto& [path, file] : files) {
    const descriptor in{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    struct stat facts {};
    if (in.get() < 0 || ::fstat(in.get(), &facts) != 0)
      return because(file);
    kept_file kept{path, static_cast<std::uint64_t>(facts.st_size), changed_ns(facts), {}};
    const auto there = before.find(path);
    if (path.ends_with(".sst") && there != before.end() && there->second.bytes == kept.bytes
        && there->second.changed_ns == kept.changed_ns && fs::exists(object(there->second.object), problem)) {
      kept.object = there->second.object;
      if (what.progress)
        if (auto failed = what.progress(kept.bytes))
          return failed;
    } else {
      const auto fresh = folder_ / "new" / "file";
      const auto sealed = vault_.write(fresh, source_of(in, file, what));
      if (!sealed)
        return sealed.error();
      kept.object = sealed->name;
      kept.bytes = sealed->bytes;
      const auto place = object(sealed->name);
      if (what.full || !fs::exists(place, problem)) {
        if (auto failed = make_folder(place.parent_path()))
          return failed;
        if (auto failed = rename_file(fresh, place))
          return failed;
        made.info.new_bytes += sealed->file_bytes;
        folders.insert(place.parent_path());
      }
    }
    made.info.bytes += kept.bytes;
    made.files.push_back(std::move(kept));
  }
  made.info.files = made.files.size();
  for (const auto& folder : folders)
    if (auto failed = sync_folder(folder))
      return failed;

  // Only now it is one.
  auto shown = to_rfc3339_ms(what.now).substr(0, 19);
  std::erase_if(shown, [](char c) { return c == '-' || c == ':'; });
  made.info.id = shown + "Z";
  for (int number = 2; fs::exists(manifest(made.info.id), problem); ++number)
    made.info.id = fmt::format("{}Z-{}", shown, number);
  auto text = manifest_json(made).dump();
  const auto fresh = folder_ / "new" / "list";
  const auto sealed = vault_.write(fresh, [&](std::string& to, std::size_t at_most) -> caf::error {
    const auto part = std::min(at_most, text.size());
    to.append(text, 0, part);
    text.erase(0, part);
    return {};
  });
  if (!sealed)
    return sealed.error();
  if (auto failed = rename_file(fresh, manifest(made.info.id)))
    return failed;
  if (auto failed = sync_folder(folder_ / "backups"))
    return failed;
  return made.info;
}

// --- reading ---------------------------------------------------------------------------------------

caf::expected<std::uint64_t> repository::verify(const std::string& id, std::set<std::string>& proved,
                                                const told_progress& progress) const {
  const auto lock = folder_lock::take(folder_, false);
  if (!lock)
    return lock.error();
  const auto all = read(id);
  if (!all)
    return all.error();
  std::uint64_t bytes = 0;
  for (const auto& one : all->files) {
    if (!proved.contains(one.object)) {
      const auto done = vault_.read(object(one.object), one.object, [&](std::string_view piece) -> caf::error {
        return progress ? progress(piece.size()) : caf::error{};
      });
      if (!done)
        return done.error();
      if (*done != one.bytes)
        return make_error(errc::backup_broken, fmt::format("{}: {} has another size", id, one.path));
      proved.insert(one.object);
    }
    bytes += one.bytes;
  }
  return bytes;
}

caf::error repository::unpack(const std::string& id, const fs::path& folder, const told_progress& progress) const {
  const auto lock = folder_lock::take(folder_, false);
  if (!lock)
    return lock.error();
  const auto all = read(id);
  if (!all)
    return all.error();
  std::set<fs::path> folders{folder};
  if (auto failed = make_folder(folder))
    return failed;
  for (const auto& one : all->files) {
    const auto file = folder / one.path;
    if (auto failed = make_folder(file.parent_path()))
      return failed;
    folders.insert(file.parent_path());
    auto out = new_file::create(file);
    if (!out)
      return out.error();
    const auto done = vault_.read(object(one.object), one.object, [&](std::string_view piece) -> caf::error {
      if (progress)
        if (auto failed = progress(piece.size()))
          return failed;
      return out->write(piece);
    });
    if (!done)
      return done.error();
    if (auto failed = out->finish())
      return failed;
  }
  for (const auto& one : folders)
    if (auto failed = sync_folder(one))
      return failed;
  return {};
}

caf::expected<pruned> repository::prune(const keep_rules& rules) const {
  const auto lock = folder_lock::take(folder_, true);
  if (!lock)
    return lock.error();
  const auto all = list();
  if (!all)
    return all.error();
  pruned out;
  for (const auto& id : to_drop(*all, rules)) {
    std::error_code problem;
    if (!fs::remove(manifest(id), problem))
      return make_error(errc::storage_failed, fmt::format("{}: {}", id, problem.message()));
    ++out.backups;
  }
  if (auto failed = sync_folder(folder_ / "backups"))
    return failed;
  std::set<std::string> used;
  for (const auto& id : ids()) {
    const auto one = read(id);
    if (!one) // what it rests on nobody can say, so nothing goes
      return out;
    for (const auto& file : one->files)
      used.insert(file.object);
  }
  std::error_code problem;
  for (const auto& one : fs::recursive_directory_iterator(folder_ / "objects", problem)) {
    if (!one.is_regular_file(problem) || used.contains(one.path().filename().string()))
      continue;
    const auto bytes = one.file_size(problem);
    if (fs::remove(one.path(), problem)) {
      ++out.files;
      out.bytes += bytes;
    }
  }
  if (auto failed = remove_folder(folder_ / "new"))
    return failed;
  return out;
}

} // namespace keyportal::backup
