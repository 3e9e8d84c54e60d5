#include "actors/cli/sqlite_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

namespace keyportal::cli {

namespace {

constexpr int largest_row = 16 << 20;
constexpr int most_tries = 5;
constexpr std::array<const char*, 2> companions = {"-wal", "-journal"};

caf::error unreadable(const std::filesystem::path& file, std::string_view why) {
  return make_error(errc::file_unreadable, fmt::format("{}: {}", file.string(), why));
}
caf::error malformed(const std::filesystem::path& file, std::string_view why) {
  return make_error(errc::file_malformed, fmt::format("{}: {}", file.string(), why));
}

/// What changes when somebody writes to a file.
struct trace {
  dev_t device{};
  ino_t inode{};
  off_t size = -1; ///< -1: it is not there
  timespec changed{};
  bool operator==(const trace& other) const {
    return device == other.device && inode == other.inode && size == other.size
           && changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec;
  }
};
trace trace_of(const std::filesystem::path& file) {
  struct stat is {};
  if (::stat(file.c_str(), &is) != 0)
    return {};
  return {is.st_dev, is.st_ino, is.st_size, is.st_mtim};
}

using traces = std::array<trace, 1 + companions.size()>;
std::filesystem::path beside(const std::filesystem::path& file, const char* what) { return file.string() + what; }
traces traces_of(const std::filesystem::path& file) {
  traces out{trace_of(file)};
  for (std::size_t i = 0; i < companions.size(); ++i)
    out[i + 1] = trace_of(beside(file, companions[i]));
  return out;
}
bool has_companion(const traces& all) {
  for (std::size_t i = 1; i < all.size(); ++i)
    if (all[i].size > 0)
      return true;
  return false;
}

/// A folder that only we can look into.
class private_folder {
public:
  private_folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "keyportal-import-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr)
      path_ = pattern;
  }
  ~private_folder() { clear(); }
  private_folder(const private_folder&) = delete;
  private_folder& operator=(const private_folder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; } ///< empty: there is none
  void clear() {
    std::error_code ignored;
    if (!path_.empty())
      std::filesystem::remove_all(path_, ignored);
    path_.clear();
  }

private:
  std::filesystem::path path_;
};

caf::error copy_one(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::ifstream in(from, std::ios::binary);
  std::ofstream out(to, std::ios::binary | std::ios::trunc);
  if (!in || !out)
    return unreadable(from, std::strerror(errno));
  if (std::filesystem::file_size(from) > 0)
    out << in.rdbuf();
  out.flush();
  return in && out ? caf::error{} : unreadable(to, "a copy could not be written; is the disk full?");
}

/// All of it as it was at one moment; fails when somebody keeps writing.
caf::error copy_all(const std::filesystem::path& file, const std::filesystem::path& to) {
  for (int i = 0; i < most_tries; ++i) {
    const auto before = traces_of(file);
    if (auto failed = copy_one(file, to))
      return failed;
    for (std::size_t c = 0; c < companions.size(); ++c)
      if (before[c + 1].size > 0) {
        if (auto failed = copy_one(beside(file, companions[c]), beside(to, companions[c])))
          return failed;
      } else {
        std::error_code ignored;
        std::filesystem::remove(beside(to, companions[c]), ignored);
      }
    if (traces_of(file) == before)
      return {};
  }
  return malformed(file, "a program keeps writing to it; stop that program, then try again");
}

/// As SQLite takes a file's name with options behind it.
std::string uri_of(const std::filesystem::path& file, bool as_it_is) {
  std::string out = "file:";
  for (const char c : std::filesystem::absolute(file).string())
    if (c == '?' || c == '#' || c == '%')
      out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    else
      out += c;
  return out + (as_it_is ? "?mode=ro&immutable=1" : "?mode=rw");
}

} // namespace

struct sqlite_file::parts {
  std::filesystem::path file; ///< as it was named
  traces as_opened;
  bool copied = false;
  std::unique_ptr<private_folder> folder;
  sqlite3* db = nullptr;

  ~parts() { sqlite3_close_v2(db); }
  [[nodiscard]] caf::error problem() const {
    const int code = sqlite3_errcode(db) & 0xff;
    switch (code) {
      case SQLITE_NOTADB: return malformed(file, "this is no SQLite database");
      case SQLITE_CORRUPT: return malformed(file, "the database is damaged");
      case SQLITE_TOOBIG: return malformed(file, fmt::format("a row is larger than {} MiB", largest_row >> 20));
      case SQLITE_CANTOPEN:
      case SQLITE_IOERR:
      case SQLITE_PERM:
      case SQLITE_FULL: return unreadable(file, sqlite3_errmsg(db));
      default: return malformed(file, sqlite3_errstr(code)); // its own words may quote what is in the file
    }
  }
};

sqlite_file::sqlite_file(std::unique_ptr<parts> with) : parts_(std::move(with)) {}
sqlite_file::~sqlite_file() = default;
sqlite_file::sqlite_file(sqlite_file&&) noexcept = default;
sqlite_file& sqlite_file::operator=(sqlite_file&&) noexcept = default;

caf::expected<sqlite_file> sqlite_file::open(const std::filesystem::path& file) {
  std::error_code problem;
  if (!std::filesystem::is_regular_file(file, problem))
    return unreadable(file, problem ? problem.message() : "this is no file; a database cannot come from elsewhere");
  auto with = std::make_unique<parts>();
  with->file = file;
  with->as_opened = traces_of(file);
  auto source = file;
  if (has_companion(with->as_opened)) {
    with->copied = true;
    with->folder = std::make_unique<private_folder>();
    if (with->folder->path().empty())
      return unreadable(std::filesystem::temp_directory_path(), std::strerror(errno));
    source = with->folder->path() / "copy.db";
    if (auto failed = copy_all(file, source))
      return failed;
  }
  const int how = (with->copied ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(uri_of(source, !with->copied).c_str(), &with->db, how, nullptr) != SQLITE_OK)
    return with->db == nullptr ? unreadable(file, "no memory") : with->problem();
  // The file is not trusted: its schema runs nothing, and nothing in it makes us hold much of it.
  sqlite3_db_config(with->db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(with->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_limit(with->db, SQLITE_LIMIT_LENGTH, largest_row);
  for (const char* how_to_read : {"PRAGMA mmap_size=0", "PRAGMA cache_size=-8192", "PRAGMA cell_size_check=1",
                                  "PRAGMA locking_mode=EXCLUSIVE", "SELECT count(*) FROM sqlite_schema"})
    if (sqlite3_exec(with->db, how_to_read, nullptr, nullptr, nullptr) != SQLITE_OK)
      return with->problem();
  return sqlite_file{std::move(with)};
}

caf::error sqlite_file::unchanged() const {
  if (parts_->copied || traces_of(parts_->file) == parts_->as_opened)
    return {};
  return malformed(parts_->file, "a program wrote to it meanwhile; stop that program, then try again");
}

caf::expected<std::set<std::string>> sqlite_file::columns(const std::string& table) const {
  std::set<std::string> out;
  auto is_table =
    select(fmt::format("SELECT 1 FROM sqlite_schema WHERE type='table' AND name='{}' AND rootpage>0", table));
  if (!is_table)
    return is_table.error();
  const auto there = is_table->next();
  if (!there)
    return there.error();
  if (!*there)
    return out;
  auto listed = select(fmt::format("SELECT name FROM pragma_table_info('{}')", table));
  if (!listed)
    return listed.error();
  for (;;) {
    const auto more = listed->next();
    if (!more)
      return more.error();
    if (!*more)
      return out;
    out.insert(listed->at(0).text);
  }
}

struct sqlite_file::query::parts {
  const sqlite_file::parts* of = nullptr;
  sqlite3_stmt* statement = nullptr;
  ~parts() { sqlite3_finalize(statement); }
};

sqlite_file::query::query(std::unique_ptr<parts> with) : parts_(std::move(with)) {}
sqlite_file::query::~query() = default;
sqlite_file::query::query(query&&) noexcept = default;

caf::expected<sqlite_file::query> sqlite_file::select(const std::string& sql) const {
  auto with = std::make_unique<query::parts>();
  with->of = parts_.get();
  if (sqlite3_prepare_v2(parts_->db, sql.c_str(), static_cast<int>(sql.size()), &with->statement, nullptr) != SQLITE_OK)
    return parts_->problem();
  return query{std::move(with)};
}

caf::expected<bool> sqlite_file::query::next() {
  switch (sqlite3_step(parts_->statement)) {
    case SQLITE_ROW: return true;
    case SQLITE_DONE: return false;
    default: return parts_->of->problem();
  }
}

cell sqlite_file::query::at(int column) const {
  auto* const row = parts_->statement;
  cell out;
  const auto take = [&](cell::kind is, const void* bytes) {
    out.is = is;
    out.bytes = static_cast<std::size_t>(sqlite3_column_bytes(row, column));
    if (bytes != nullptr)
      out.text.assign(static_cast<const char*>(bytes), std::min(out.bytes, longest_cell));
  };
  switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER:
      out.is = cell::kind::integer;
      out.integer = sqlite3_column_int64(row, column);
      break;
    case SQLITE_FLOAT:
      out.is = cell::kind::real;
      out.real = sqlite3_column_double(row, column);
      break;
    case SQLITE_TEXT: take(cell::kind::text, sqlite3_column_text(row, column)); break;
    case SQLITE_BLOB: take(cell::kind::blob, sqlite3_column_blob(row, column)); break;
    default: break;
  }
  return out;
}

} // namespace keyportal::cli
