#include "actors/stopped_ledger.hpp"

#include "actors/ledger/check_round.hpp"
#include "messages/errors.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

caf::expected<ledger_check> check_stopped_ledger(const settings& values, bool mends,
                                                 const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  const auto folder = values.data_dir / "ledger";
  std::error_code ignored;
  if (!std::filesystem::exists(folder / "db" / "CURRENT", ignored)) // none is made
    return make_error(errc::storage_failed, folder.string() + ": there is no ledger");
  auto books = storage::ledger::open({.folder = folder,
                                      .block_cache_bytes = values.storage.block_cache_bytes,
                                      .write_buffer_bytes = values.storage.write_buffer_bytes,
                                      .snapshots_kept = values.snapshot.kept,
                                      .daily_snapshots_kept = values.snapshot.daily_kept});
  if (!books)
    return books.error();
  check_round round{mends};
  if (auto failed = round.begin(**books))
    return failed;
  while (!round.done()) {
    const auto wrong = (*books)->check_rollups(round.day());
    if (!wrong)
      return wrong.error();
    std::uint64_t mended = 0;
    if (*wrong > 0 && mends) {
      const auto done = (*books)->mend_rollups(round.day());
      if (!done)
        return done.error();
      mended = *done;
    }
    round.found(*wrong, mended);
    progress(round.told().days_done, round.told().days);
  }
  round.end();
  return round.told();
}

} // namespace keyportal
