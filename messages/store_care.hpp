// What is done about the data folder beside the ledger's own work: backups, and letting raw records go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/actors.hpp"

namespace keyportal {

// --- BACKUP KEEPER: makes, proves and thins backups, by itself and when asked; one at a time ------------------

/// Each is begun and answered at once with the state; `backup_in_use` while another one is under way.
struct make_backup {
  bool full = false; ///< rests on no file that an earlier one kept
};
struct verify_backups {
  std::string id;       ///< empty: all
  bool restore = false; ///< besides: restores the newest of them into a folder, opens it and proves the ledger in it
};
struct prune_backups {};

struct backup_info {
  std::string id;
  moment made_at{};
  sequence position = 0;     ///< of the ledger in it
  std::uint64_t records = 0; ///< raw ones in it
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;     ///< of its files, in clear
  std::uint64_t new_bytes = 0; ///< of those that no earlier backup had, as they lie there
  std::string problem;         ///< a sentence; empty but where it cannot be read
};
struct list_backups {};
struct read_backup_state {};
struct backup_state {
  bool configured = false;
  std::string folder;
  std::string doing; ///< "making", "verifying", "pruning", or empty
  std::optional<moment> began;
  std::uint64_t done_bytes = 0; ///< of what is under way
  std::uint64_t jobs = 0;       ///< ended since the start
  // of the last one that ended
  std::string did;
  std::string result;  ///< a sentence; empty where it failed
  std::string problem; ///< a sentence; empty where it did not
  std::int64_t took_ms = 0;
  // of the backups
  std::optional<backup_info> newest; ///< readable
  std::optional<moment> due;         ///< when the next is made by itself; not set: never
  std::string alarm;                 ///< a sentence, while the last try to make one failed; else empty
  std::uint64_t stored_bytes = 0;    ///< of all of them, as they lie there
};

using backup_actor = caf::typed_actor<
  caf::replies_to<make_backup>::with<backup_state>, caf::replies_to<verify_backups>::with<backup_state>,
  caf::replies_to<prune_backups>::with<backup_state>, caf::replies_to<list_backups>::with<std::vector<backup_info>>,
  caf::replies_to<read_backup_state>::with<backup_state>>;

// --- RETENTION KEEPER: lets raw records go, watches the size of the data folder --------------------------------

/// Looks at once, also at what came within the last hour.
struct run_retention {};
struct read_retention_state {};
struct retention_state {
  struct node {
    node_name name;
    std::optional<moment> first; ///< none from before is entered any more
    std::uint64_t records = 0;
    std::uint64_t gone = 0;                         ///< counted and added up, without a row
    std::uint64_t refused = 0;                      ///< tries to enter one from before `first`
    std::optional<moment> refused_from, refused_to; ///< between which moments those lay
  };
  std::int64_t keep_s = 0; ///< 0: for ever
  std::uint64_t limit = 0; ///< bytes of the data folder; 0: none
  std::uint64_t size = 0;  ///< as last measured
  std::uint64_t free = 0;  ///< left on its disk
  bool running = false;
  std::optional<moment> ran_at;
  std::uint64_t days = 0;             ///< of nodes: went at the last run
  std::uint64_t records = 0;          ///< in them
  std::vector<std::string> held_back; ///< what should have gone and stays, and why; sentences
  std::string alarm;                  ///< a sentence while the limit is near or reached; else empty
  std::vector<node> nodes;
};

using retention_actor = caf::typed_actor<caf::replies_to<run_retention>::with<retention_state>,
                                         caf::replies_to<read_retention_state>::with<retention_state>>;

} // namespace keyportal

// In-process only: none of these is ever serialised.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::make_backup)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::verify_backups)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::prune_backups)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::list_backups)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::read_backup_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::backup_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<keyportal::backup_info>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::run_retention)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::read_retention_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::retention_state)
