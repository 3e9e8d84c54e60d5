#include "usage_disk.hpp"

#include <stdexcept>
#include <string>

#include <fmt/core.h>
#include <rocksdb/table_properties.h>

#include "figure.hpp"
#include "messages/errors.hpp"
#include "storage/cells.hpp"
#include "storage/database.hpp"

namespace keyportal::bench {

namespace {

using namespace keyportal::storage;

const char* name_of(granularity by) {
  return by == granularity::minute ? "minute" : by == granularity::hour ? "hour" : "day";
}
const char* name_of(cell_view view) {
  constexpr const char* names[] = {"kinds", "keys", "accounts", "all", "total", "key_totals", "account_totals"};
  return names[static_cast<std::size_t>(view)];
}

class disk_figures {
public:
  disk_figures(const database& db, std::uint64_t records) : db_(&db), records_(records) {}

  void tell(family which, const std::string& name) const {
    rocksdb::TablePropertiesCollection tables;
    if (auto failed = to_error(db_->raw().GetPropertiesOfAllTables(db_->handle(which), &tables)))
      throw std::runtime_error(render(failed));
    std::uint64_t data = 0, index = 0, filter = 0, rows = 0, plain = 0;
    for (const auto& [file, table] : tables) {
      data += table->data_size;
      index += table->index_size;
      filter += table->filter_size;
      rows += table->num_entries;
      plain += table->raw_key_size + table->raw_value_size;
    }
    say(name, data + index + filter);
    say(name + ".index", index);
    say(name + ".filter", filter);
    say(name + ".uncompressed", plain);
    figure("usage.disk." + name + ".rows", static_cast<double>(rows) / static_cast<double>(records_), "rows/record",
           records_);
  }

  void tell(const std::string& prefix, const std::string& name) const {
    const auto end = prefix_end(prefix);
    const rocksdb::Range range{prefix, end};
    rocksdb::SizeApproximationOptions how;
    how.include_memtables = false;
    how.include_files = true;
    std::uint64_t bytes = 0;
    if (auto failed = to_error(db_->raw().GetApproximateSizes(how, db_->handle(family::rollups), &range, 1, &bytes)))
      throw std::runtime_error(render(failed));
    if (bytes > records_ / 50)
      say(name, bytes);
  }

private:
  void say(const std::string& name, std::uint64_t bytes) const {
    figure("usage.disk." + name, static_cast<double>(bytes) / static_cast<double>(records_), "bytes/record", records_);
  }
  const database* db_;
  std::uint64_t records_;
};

} // namespace

void tell_disk(const std::filesystem::path& folder, std::uint64_t records) {
  const auto db = database::open_store({folder / "db", std::size_t{8} << 20, std::size_t{8} << 20, nullptr});
  if (!db)
    throw std::runtime_error(render(db.error()));
  const disk_figures figures{**db, records};
  figures.tell(family::records, "records");
  figures.tell(family::arrivals, "arrivals");
  figures.tell(family::rollups, "rollups");
  for (const auto by : {granularity::minute, granularity::hour, granularity::day})
    for (unsigned view = 0; view <= static_cast<unsigned>(cell_view::account_totals); ++view)
      for (const auto part : {cell_part::sums, cell_part::distributions})
        figures.tell(key_prefix<cells_key>(static_cast<std::uint8_t>(by), static_cast<std::uint8_t>(view),
                                           static_cast<std::uint8_t>(part)),
                     fmt::format("rollups.{}.{}.{}", name_of(by), name_of(static_cast<cell_view>(view)),
                                 part == cell_part::sums ? "sums" : "distributions"));
  figures.tell(key_prefix<sieve_key>(), "sieves");
}

} // namespace keyportal::bench
