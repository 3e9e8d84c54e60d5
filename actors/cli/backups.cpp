// Backups: through the running service where there is one, else at the folders themselves. And how much is kept.
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cli/answers.hpp"
#include "actors/cli/progress.hpp"
#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"
#include "messages/json.hpp"
#include "messages/store_json.hpp"
#include "storage/backup/repository.hpp"
#include "storage/ledger.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

moment wall_clock() { return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()); }

/// Which folder and key are meant: those said, else those of the configuration.
struct place {
  std::filesystem::path folder;
  backup::key_source key;
};

caf::expected<place> place_of(const context& here) {
  const auto& said = here.asked.backup;
  const auto& set = here.values.backup;
  place out{said.folder.empty() ? set.folder : std::filesystem::path{said.folder},
            {said.key_file.empty() ? set.key_file : std::filesystem::path{said.key_file},
             said.passphrase_file.empty() ? set.passphrase_file : std::filesystem::path{said.passphrase_file}}};
  if (!said.key_file.empty())
    out.key.passphrase_file.clear();
  else if (!said.passphrase_file.empty())
    out.key.key_file.clear();
  if (out.folder.empty() || (out.key.key_file.empty() && out.key.passphrase_file.empty()))
    return make_error(errc::backup_off);
  return out;
}

/// The service, unless a folder was named or nobody answers.
std::optional<service> reached(const context& here) {
  if (!here.asked.backup.folder.empty())
    return std::nullopt;
  auto portal = service::find(here.values, here.asked.url);
  if (!portal)
    return std::nullopt;
  const auto alive = portal->get("/healthz");
  return alive ? std::optional{std::move(*portal)} : std::nullopt;
}

/// Begins something at the service and waits for its end; its sentence.
int at_service(const context& here, const service& portal, const std::string& path, const json& body,
               const std::string& doing) {
  const auto begun = change(here, portal, "POST", path, doing, dump(body));
  if (!begun)
    return fail(here, begun.error());
  const auto before = integer(*begun, {"jobs"});
  for (;;) {
    const auto now = look(portal, "/api/v1/backups");
    if (!now)
      return fail(here, now.error());
    const auto& state = at(*now, {"state"});
    if (integer(state, {"jobs"}) > before) {
      const bool fine = at(state, {"last", "ok"}) == true;
      if (here.asked.json)
        print(here, state);
      else
        (fine ? here.io.out : here.io.err) << printable(text(state, {"last", "text"})) << "\n";
      return fine ? exit_done : exit_failed;
    }
    std::this_thread::sleep_for(200ms);
  }
}

int said(const context& here, const std::string& sentence, json more = json::object()) {
  if (here.asked.json) {
    more["text"] = sentence;
    print(here, more);
  } else {
    here.io.out << printable(sentence) << "\n";
  }
  return exit_done;
}

backup::keep_rules rules_of(const settings& values) {
  return {static_cast<std::size_t>(values.backup.keep), static_cast<std::size_t>(values.backup.keep_daily),
          static_cast<std::size_t>(values.backup.keep_weekly)};
}

} // namespace

int create_backup(const context& here) {
  if (const auto portal = reached(here))
    return at_service(here, *portal, "/api/v1/backups", {{"full", here.asked.backup.full}}, "making a backup");
  const auto where = place_of(here);
  if (!where)
    return fail(here, where.error());
  storage::settings how;
  how.folder = here.values.data_dir / "ledger";
  std::error_code ignored;
  if (!std::filesystem::exists(how.folder / "db" / "CURRENT", ignored))
    return fail(here, make_error(errc::storage_failed, fmt::format("{} holds no ledger", how.folder.string())));
  const auto store = storage::ledger::open(how); // and refuses while a service runs
  if (!store)
    return fail(here, store.error());
  const auto to = backup::repository::open(where->folder, where->key, true);
  if (!to)
    return fail(here, to.error());
  const auto state = (*store)->state();
  const auto made = to->make({how.folder,
                              [&](const std::filesystem::path& folder) { return (*store)->checkpoint(folder); },
                              state.last,
                              state.records,
                              wall_clock(),
                              here.asked.backup.full,
                              {}});
  if (!made)
    return fail(here, made.error());
  return said(here,
              fmt::format("backup {} is made: {} files, {} bytes, {} of them new", made->id, made->files, made->bytes,
                          made->new_bytes),
              to_json(*made));
}

int list_backups(const context& here) {
  json all;
  if (const auto portal = reached(here)) {
    auto found = look(*portal, "/api/v1/backups");
    if (!found)
      return fail(here, found.error());
    if (at(*found, {"state", "configured"}) != true)
      return fail(here, make_error(errc::backup_off));
    all = std::move(*found);
  } else {
    const auto where = place_of(here);
    if (!where)
      return fail(here, where.error());
    const auto from = backup::repository::open(where->folder, where->key, false);
    if (!from)
      return fail(here, from.error());
    const auto found = from->list();
    if (!found)
      return fail(here, found.error());
    all["items"] = json::array();
    for (const auto& one : *found)
      all["items"].push_back(to_json(one));
  }
  if (here.asked.json) {
    print(here, all);
    return exit_done;
  }
  using side = table::side;
  table list(
    {{"BACKUP"}, {"MADE"}, {"RECORDS", side::right}, {"SIZE", side::right}, {"NEW", side::right}, {"PROBLEM"}});
  for (const auto& one : items_of(all))
    list.add({text(one, {"id"}), local_time(text(one, {"made_at"})), number(one, {"records"}),
              bytes_text(static_cast<std::uint64_t>(integer(one, {"bytes"}))),
              bytes_text(static_cast<std::uint64_t>(integer(one, {"new_bytes"}))), text(one, {"problem"})});
  here.io.out << (list.empty() ? "no backup yet; keyportal backup create makes one\n" : list.text());
  if (const auto due = text(all, {"state", "due"}); !due.empty())
    here.io.out << "the next one is due " << local_time(due) << "\n";
  if (const auto alarm = text(all, {"state", "alarm"}); !alarm.empty())
    here.io.out << printable(alarm) << "\n";
  return exit_done;
}

int verify_backups(const context& here) {
  const auto& asked = here.asked.backup;
  if (const auto portal = reached(here)) {
    json body = {{"restore", asked.restore}};
    if (!asked.id.empty())
      body["id"] = asked.id;
    return at_service(here, *portal, "/api/v1/backups/verify", body, "verifying");
  }
  const auto where = place_of(here);
  if (!where)
    return fail(here, where.error());
  const auto from = backup::repository::open(where->folder, where->key, false);
  if (!from)
    return fail(here, from.error());
  const auto all = from->list();
  if (!all)
    return fail(here, all.error());
  std::set<std::string> proved;
  std::uint64_t count = 0;
  for (const auto& one : *all) {
    if (!asked.id.empty() && one.id != asked.id)
      continue;
    if (!one.problem.empty())
      return fail(here, make_error(errc::backup_broken, fmt::format("{}: {}", one.id, one.problem)));
    const auto bytes = from->verify(one.id, proved, {});
    if (!bytes)
      return fail(here, bytes.error());
    ++count;
  }
  if (count == 0)
    return fail(here, make_error(errc::backup_unknown, asked.id.empty() ? "there is none yet" : asked.id));
  auto sentence = fmt::format("{} backups with {} files are as they were written", count, proved.size());
  if (asked.restore) {
    auto scratch = here.values.data_dir;
    scratch += ".proof";
    const auto records = backup::prove(*from, asked.id, scratch, {});
    if (!records)
      return fail(here, records.error());
    sentence += fmt::format("; {} was restored, and its ledger with {} records is sound",
                            asked.id.empty() ? all->front().id : asked.id, *records);
  }
  return said(here, sentence);
}

int restore_backup(const context& here) {
  const auto& asked = here.asked.backup;
  const auto where = place_of(here);
  if (!where)
    return fail(here, where.error());
  const auto to = (asked.to.empty() ? here.values.data_dir : std::filesystem::path{asked.to}) / "ledger";
  const auto from = backup::repository::open(where->folder, where->key, false);
  if (!from)
    return fail(here, from.error());
  if (asked.replace
      && !confirmed(here, fmt::format("Put a backup in the place of {}, and set what is there aside?", to.string())))
    return exit_failed;
  caf::expected<backup::restored> done = backup::restored{};
  {
    progress bar(here.io.err, here.io.err_is_terminal, "restoring");
    done = backup::restore(*from, asked.id, to, asked.replace, wall_clock());
  }
  if (!done)
    return fail(here, done.error());
  auto sentence = fmt::format("{} is what backup {} of {} holds: {} records", to.string(), done->from.id,
                              to_rfc3339_ms(done->from.made_at), done->from.records);
  if (!done->aside.empty())
    sentence += fmt::format("; what was there is in {}", done->aside.string());
  return said(here, sentence, to_json(done->from));
}

int prune_backups(const context& here) {
  if (const auto portal = reached(here))
    return at_service(here, *portal, "/api/v1/backups/prune", json::object(), "pruning");
  const auto where = place_of(here);
  if (!where)
    return fail(here, where.error());
  const auto at = backup::repository::open(where->folder, where->key, false);
  if (!at)
    return fail(here, at.error());
  const auto gone = at->prune(rules_of(here.values));
  if (!gone)
    return fail(here, gone.error());
  return said(here, fmt::format("{} backups, {} files with {} bytes went", gone->backups, gone->files, gone->bytes));
}

// --- retention --------------------------------------------------------------------------------------

namespace {

void print_retention(const context& here, const json& state) {
  if (here.asked.json)
    return print(here, state);
  auto& out = here.io.out;
  const auto keep = integer(state, {"keep_s"});
  out << (keep == 0 ? std::string{"single records are kept for ever"}
                    : fmt::format("single records are kept for {} days", keep / 86'400))
      << fmt::format("; the data folder has {}", bytes_text(static_cast<std::uint64_t>(integer(state, {"bytes"}))));
  if (const auto limit = integer(state, {"limit_bytes"}); limit > 0)
    out << fmt::format(" of {}", bytes_text(static_cast<std::uint64_t>(limit)));
  out << fmt::format(", {} are free on its disk\n",
                     bytes_text(static_cast<std::uint64_t>(integer(state, {"free_bytes"}))));
  if (const auto ran = text(state, {"ran_at"}); !ran.empty())
    out << fmt::format("last looked {}: {} records of {} days went\n", local_time(ran), number(state, {"records"}),
                       number(state, {"days"}));
  using side = table::side;
  table nodes({{"NODE"}, {"FROM"}, {"RECORDS", side::right}, {"GONE", side::right}, {"REFUSED", side::right}, {"OF"}});
  const auto& list = at(state, {"nodes"});
  for (const auto& one : list.is_array() ? list : json::array())
    nodes.add({text(one, {"node"}), text(one, {"first"}).substr(0, 10), number(one, {"records"}), number(one, {"gone"}),
               number(one, {"refused"}),
               integer(one, {"refused"}) == 0
                 ? std::string{}
                 : text(one, {"refused_from"}).substr(0, 10) + " to " + text(one, {"refused_to"}).substr(0, 10)});
  if (!nodes.empty())
    out << "\n" << nodes.text();
  const auto& held = at(state, {"held_back"});
  for (const auto& one : held.is_array() ? held : json::array())
    if (one.is_string())
      out << printable(one.get<std::string>()) << "\n";
  if (const auto alarm = text(state, {"alarm"}); !alarm.empty())
    out << printable(alarm) << "\n";
}

} // namespace

int show_retention(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto state = fetch(portal, "/api/v1/retention");
    if (!state)
      return fail(here, state.error());
    print_retention(here, *state);
    return exit_done;
  });
}

int run_retention(const context& here) {
  return with_service(here, [&](const service& portal) {
    auto state = change(here, portal, "POST", "/api/v1/retention", "looking");
    while (state && at(*state, {"running"}) == true) {
      std::this_thread::sleep_for(200ms);
      state = fetch(portal, "/api/v1/retention");
    }
    if (!state)
      return fail(here, state.error());
    print_retention(here, *state);
    return exit_done;
  });
}

} // namespace keyportal::cli
