// Folders, records and shorthand for the tests of storage.
#pragma once

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "storage/ledger.hpp"

namespace keyportal::storage::test {

/// A folder of its own, gone at the end.
class scratch_folder {
public:
  scratch_folder();
  ~scratch_folder();
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

settings small_settings(const std::filesystem::path& folder);

/// Throws with the error's text when there is one: a test ends there.
std::unique_ptr<ledger> must_open(const settings& how);
template <class T>
T must(caf::expected<T> result) {
  if (!result)
    throw std::runtime_error(render(result.error()));
  return std::move(*result);
}
void must(const caf::error& error);

/// 2026-01-01T00:00:00Z.
inline constexpr std::int64_t new_year_ns = 1'767'225'600'000'000'000;
inline moment at_seconds(std::int64_t seconds) { return moment_of(new_year_ns + seconds * 1'000'000'000); }

/// A record that differs from others by `number` only; the same number gives the same record.
detail numbered_detail(const node_name& node, const std::string& client_key, const std::string& model,
                       std::uint64_t number);
/// The same attempt as the node's queue tells it: with facts, and an id of which the first 8 bytes are the same.
/// `attempt` tells apart several in the same nanosecond.
detail queued_detail(const node_name& node, const std::string& client_key, const std::string& model,
                     std::uint64_t number, std::uint8_t attempt = 0);
std::vector<record_group> queued_groups(const node_name& node, std::uint64_t first, std::uint64_t count,
                                        std::uint8_t attempt = 0);
/// `count` records from number `first` on, spread over a few keys and models.
std::vector<record_group> numbered_groups(const node_name& node, std::uint64_t first, std::uint64_t count);
collection polled(const node_name& node, std::vector<record_group> groups, moment seen_at = at_seconds(0));
/// Records without anything to remember of the node.
collection decoded(const node_name& node, std::vector<record_group> groups);
received received_now(const node_name& node, const std::vector<std::string>& payloads);
committed must_commit(ledger& into, ledger::write what);

/// Registry: one that differs from others by `number` and its later forms by `form`.
user numbered_user(std::uint64_t number, std::uint64_t form = 0);
/// Its text, sealed by the ledger, is "sk-registry-secret-<number>".
client_key numbered_key(const ledger& by, std::uint64_t number, std::uint64_t form = 0);
policy numbered_policy(std::uint64_t number, std::uint64_t form = 0);
append_entry entry_of(log_position expected, registry_entry entry, std::vector<node_event> events = {});
std::vector<registry_entry> all_entries(const ledger& from, std::uint32_t piece = 100);

/// All records of a node, as `records` walks over them in pieces.
std::vector<record_group> all_records(const ledger& from, const node_name& node, std::size_t piece = 100);
std::uint64_t count_details(const std::vector<record_group>& groups);

/// All records of all nodes in order of arrival, with all that is known of them.
std::vector<arrival> all_arrivals(const ledger& from, std::uint32_t piece = 100);

/// All bytes of all files below a folder.
std::string all_bytes(const std::filesystem::path& folder);

} // namespace keyportal::storage::test
