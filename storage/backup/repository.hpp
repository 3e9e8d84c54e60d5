// Backups of a ledger in a folder of their own: `README.md` beside the storage has the layout. Blocking; any thread,
// also several processes: who writes holds the folder's lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <caf/expected.hpp>

#include "messages/store_care.hpp"
#include "storage/backup/vault.hpp"

namespace keyportal::backup {

struct kept_file {
  std::string path; ///< below the ledger's folder
  std::uint64_t bytes = 0;
  std::int64_t changed_ns = 0; ///< when the file was last written
  std::string object;          ///< name of its content in the folder of backups
};
struct backup_list {
  backup_info info;
  std::string lineage; ///< of the ledger: its files of one name, size and moment are the same
  std::vector<kept_file> files;
};

/// What is kept: see the options of the same names.
struct keep_rules {
  std::size_t newest = 7;
  std::size_t daily = 7;
  std::size_t weekly = 4;
};
/// Which of these (any order) go; pure.
std::set<std::string> to_drop(const std::vector<backup_info>& all, const keep_rules& rules);

struct pruned {
  std::uint64_t backups = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

/// Told of bytes in clear as they are done; an error of its ends what is under way. May be unset.
using told_progress = std::function<caf::error(std::uint64_t bytes)>;

class repository {
public:
  /// Errors: `backup_unknown` when there is none and `may_make` is false, those of the key, `storage_failed`.
  static caf::expected<repository> open(const std::filesystem::path& folder, const key_source& key, bool may_make);

  struct making {
    std::filesystem::path ledger; ///< its folder
    /// Copies the database into a folder that is not there yet: storage::ledger::checkpoint.
    std::function<caf::error(const std::filesystem::path&)> checkpoint;
    sequence position = 0;     ///< the least that is in it, and
    std::uint64_t records = 0; ///< about so many, where the ledger is written to meanwhile
    moment now{};
    bool full = false;
    told_progress progress;
  };
  /// All of it is durable before it is listed. What a try that broke off left is never listed and goes at a prune.
  [[nodiscard]] caf::expected<backup_info> make(const making& what) const;
  /// Newest first; those that cannot be read with why in `problem`.
  [[nodiscard]] caf::expected<std::vector<backup_info>> list() const;
  /// Every piece of every file of a backup against its tag, every file against its name. Files in `proved` are passed
  /// over, those that are proved are added. Gives the bytes.
  [[nodiscard]] caf::expected<std::uint64_t> verify(const std::string& id, std::set<std::string>& proved,
                                                    const told_progress& progress) const;
  /// Its files, as they were, into a folder that is made; proved on the way. Durable when it returns.
  [[nodiscard]] caf::error unpack(const std::string& id, const std::filesystem::path& folder,
                                  const told_progress& progress) const;
  /// Drops backups, and files that no other one has.
  [[nodiscard]] caf::expected<pruned> prune(const keep_rules& rules) const;
  /// Of all files, as they lie there.
  [[nodiscard]] std::uint64_t stored_bytes() const;

private:
  repository(std::filesystem::path folder, const vault& with) : folder_(std::move(folder)), vault_(with) {}
  [[nodiscard]] std::filesystem::path object(const std::string& name) const;
  [[nodiscard]] std::filesystem::path manifest(const std::string& id) const;
  [[nodiscard]] std::vector<std::string> ids() const; ///< ascending
  [[nodiscard]] caf::expected<backup_list> read(const std::string& id) const;

  std::filesystem::path folder_;
  vault vault_;
};

/// The folder of a ledger out of a backup: made beside `to`, opened to see that it is one, then moved there in one step. `to`
/// is missing or empty, else `folder_not_empty`; with `replace` the old one is set aside first, unless a process uses it
/// (`storage_in_use`). Leaves a note in the folder, for the service to tell of. Gives where the old folder is now.
struct restored {
  backup_info from;
  std::filesystem::path aside; ///< empty: there was none
};
caf::expected<restored> restore(const repository& from, const std::string& id, const std::filesystem::path& to,
                                bool replace, moment now);
/// The file in which `restore` says so, in the ledger's folder.
inline constexpr const char* restored_note = "restored.json";

/// Unpacks a backup below `scratch` (a folder that is made and goes again), opens the ledger and proves it.
caf::expected<std::uint64_t> prove(const repository& from, const std::string& id, const std::filesystem::path& scratch,
                                   const told_progress& progress);

/// Size of all files below a folder, each once, as the disk counts them; 0 for one that is not there.
std::uint64_t size_of_folder(const std::filesystem::path& folder);

} // namespace keyportal::backup
