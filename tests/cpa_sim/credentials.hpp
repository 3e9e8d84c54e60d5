// The upstream credentials of a node and their counters, as `/auth-files` and `/api-key-usage` show them.
#pragma once

#include "attempt.hpp"
#include "options.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace keyportal::cpa_sim {

class account_room;
struct auth_file;

/// One account by OAuth (a file) or one upstream key of the config.
struct credential {
  std::string name;     ///< unique; of a file its name, of a key `base|key`
  bool file = false;    ///< listed in `/auth-files`, else in `/api-key-usage`
  std::string provider; ///< as records name it
  std::string group;    ///< as the listings name it
  std::string executor;
  std::string id;     ///< as the errors channel names it
  std::string source; ///< e-mail, or the raw key
  std::string auth_index;
  std::string model; ///< what invented traffic asks it for
  std::string alias; ///< and under which name
  counting count = counting::openai;
};

/// Those of the config: first the upstream keys, then the accounts, in their order.
std::vector<credential> credentials_of(const options& o, const traits& t);

/// The part of a route that its credential decides.
void fill_route(route& r, const credential& c);

/// Successes and failures of each credential since this start. Not thread-safe.
class credential_counters {
public:
  credential_counters(std::vector<credential> all, const traits& t) : all_(std::move(all)), traits_(t) {}

  void count(const std::string& name, bool failed, const instant& now, const std::string& complaint = {});

  /// Body of `GET /auth-files`; only that name or auth_index, when not empty. `folder`: where the files are said to be.
  [[nodiscard]] std::string files_json(const account_room& room, const instant& now, const instant& started,
                                       const std::string& folder, const std::string& name,
                                       const std::string& auth_index) const;
  /// Body of `GET /api-key-usage`.
  [[nodiscard]] std::string keys_json(const instant& now) const;

  [[nodiscard]] const std::vector<credential>& all() const { return all_; }

private:
  struct tally {
    std::int64_t success = 0;
    std::int64_t failed = 0;
    std::map<std::int64_t, std::array<std::int64_t, 2>> buckets; // by ten-minute number, wall clock
    std::string complaint;                                       // of the last attempt, when it failed
    instant changed;
  };
  [[nodiscard]] std::string recent(const tally& t, const instant& now) const;
  [[nodiscard]] std::string file_json(const auth_file& of, const instant& now, const instant& started,
                                      const std::string& folder) const;

  std::vector<credential> all_;
  traits traits_;
  std::map<std::string, tally> tallies_;
};

/// 16 lower-case hex digits made from a text; the same text gives the same.
std::string invented_auth_index(const std::string& text);

} // namespace keyportal::cpa_sim
