// Moving in from the original portal: its people and keys, file by file. The file is checked as a whole before anything
// is done; what is done has a name made of the file, so a run that broke off is just run again.
#include <ostream>

#include <fmt/format.h>
#include <openssl/sha.h>

#include "actors/cli/files.hpp"
#include "actors/cli/legacy_files.hpp"
#include "actors/cli/progress.hpp"
#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

constexpr std::size_t keys_at_once = 500;

/// 32 hex digits that stand for the file's bytes.
std::string fingerprint(const std::string& bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  std::string out;
  for (std::size_t i = 0; i < 16; ++i)
    out += fmt::format("{:02x}", digest[i]);
  return out;
}

struct outcome {
  std::uint64_t people_added = 0, people_known = 0, people_changed = 0;
  std::uint64_t keys_added = 0, keys_known = 0;
};

json to_json(const context& here, const outcome& done) {
  return {{"file", here.asked.file.string()},
          {"dry_run", here.asked.registry.dry_run},
          {"people", {{"added", done.people_added}, {"changed", done.people_changed}, {"known", done.people_known}}},
          {"keys", {{"added", done.keys_added}, {"known", done.keys_known}}}};
}

void report(const context& here, const outcome& done) {
  if (here.asked.json) {
    print(here, to_json(here, done));
    return;
  }
  const auto shown = [](std::uint64_t n) { return grouped(static_cast<std::int64_t>(n)); };
  here.io.out << fmt::format("{}people: {} added, {} changed, {} known already\nkeys: {} added, {} known already\n",
                             here.asked.registry.dry_run ? "this would be done, and nothing is:\n" : "",
                             shown(done.people_added), shown(done.people_changed), shown(done.people_known),
                             shown(done.keys_added), shown(done.keys_known));
}

caf::expected<legacy_file> read_any(command what, const std::string& bytes) {
  return what == command::import_user_keys  ? read_user_keys(bytes)
         : what == command::import_key_pool ? read_key_pool(bytes)
                                            : read_user_mapping(bytes);
}

/// What the person lacks that the file tells; null: nothing.
json wanting(const legacy_person& told, const json& there) {
  json out;
  if (!told.name.empty() && text(there, {"name"}).empty())
    out["name"] = told.name;
  if (!told.label.empty() && text(there, {"label"}).empty())
    out["label"] = told.label;
  return out;
}

class mover {
public:
  mover(const context& here, const service& portal, std::string name)
    : here_(here), portal_(portal), name_(std::move(name)) {}
  outcome done;

  caf::error person(const legacy_person& one) {
    const auto there = look(portal_, path_of_person(one.email));
    if (there) {
      const auto lacks = wanting(one, *there);
      ++(lacks.is_null() ? done.people_known : done.people_changed);
      if (lacks.is_null() || here_.asked.registry.dry_run)
        return {};
      return send("PATCH", path_of_person(one.email), lacks, "change-" + one.email);
    }
    if (code_of(there.error()) != errc::user_unknown)
      return there.error();
    ++done.people_added;
    if (here_.asked.registry.dry_run)
      return {};
    json body = {{"email", one.email}, {"name", one.name}, {"label", one.label}};
    return send("POST", "/api/v1/users", body, "add-" + one.email);
  }

  caf::error keys(const std::vector<legacy_key>& all, std::size_t from) {
    const auto end = std::min(all.size(), from + keys_at_once);
    if (here_.asked.registry.dry_run)
      return look_for(all, from, end);
    auto list = json::array();
    for (auto i = from; i < end; ++i) {
      json one = {{"text", all[i].text.reveal()}, {"owner", all[i].owner}, {"label", all[i].label}};
      if (!all[i].created_at.empty())
        one["created_at"] = all[i].created_at;
      list.push_back(std::move(one));
    }
    json report;
    if (auto error =
          send("POST", "/api/v1/keys/import", {{"keys", std::move(list)}}, fmt::format("keys-{}", from), &report))
      return error;
    // Counted by what it came to, since an answer that is given again does not tell what was skipped.
    const auto added = static_cast<std::uint64_t>(integer(report, {"added"}));
    done.keys_added += added;
    done.keys_known += end - from - std::min<std::uint64_t>(added, end - from);
    return {};
  }

private:
  caf::error send(const char* method, const std::string& path, const json& body, const std::string& part,
                  json* answer = nullptr) {
    // An idempotency key has at most 128 characters, an address up to 254.
    const auto word = fmt::format("import-{}", fingerprint(name_ + "/" + part));
    auto got = change(here_, portal_, method, path, "importing", dump(body), word);
    if (!got)
      return got.error();
    if (answer != nullptr)
      *answer = std::move(*got);
    return {};
  }
  caf::error look_for(const std::vector<legacy_key>& all, std::size_t from, std::size_t end) {
    for (auto i = from; i < end; ++i) {
      const auto found =
        change(here_, portal_, "POST", "/api/v1/keys/find", "looking", dump({{"text", all[i].text.reveal()}}));
      const auto code = found ? errc::none : code_of(found.error());
      if (!found && code != errc::key_unknown && code != errc::key_mistyped)
        return found.error();
      const bool taken = found && text(*found, {"state"}) != "external";
      ++(taken ? done.keys_known : done.keys_added);
    }
    return {};
  }

  const context& here_;
  const service& portal_;
  std::string name_;
};

std::string question(const context& here, const legacy_file& file) {
  const auto nobodys =
    std::count_if(file.keys.begin(), file.keys.end(), [](const legacy_key& key) { return key.owner.empty(); });
  return fmt::format("Import {} people and {} keys from {}? They cannot be taken out again.{}",
                     grouped(static_cast<std::int64_t>(file.people.size())),
                     grouped(static_cast<std::int64_t>(file.keys.size())), here.asked.file.string(),
                     nobodys == 0 ? std::string{}
                                  : fmt::format(" {} go into the pool; the original portal put keys of former owners "
                                                "back there, so fresh ones (keyportal pool fill) are safer.",
                                                grouped(nobodys)));
}

} // namespace

int move_in(const context& here) {
  const auto bytes = read_file(here.asked.file, here.io.in);
  if (!bytes)
    return fail(here, bytes.error());
  const auto file = read_any(here.asked.what, *bytes);
  if (!file)
    return fail(
      here, make_error(code_of(file.error()), fmt::format("{}: {}", here.asked.file.string(), about_of(file.error()))));
  for (const auto& remark : file->remarks)
    here.io.err << "warning: " << printable(remark) << "\n";
  return with_service(here, [&](const service& portal) {
    if (!here.asked.registry.dry_run && !confirmed(here, question(here, *file)))
      return exit_failed;
    mover work(here, portal, fingerprint(*bytes));
    const auto broke_off = [&](const caf::error& error) {
      report(here, work.done);
      here.io.err << "it is not finished; run it again when the cause is mended, and it goes on\n";
      return fail(here, error);
    };
    for (const auto& one : file->people)
      if (auto error = work.person(one))
        return broke_off(error);
    for (std::size_t from = 0; from < file->keys.size(); from += keys_at_once)
      if (auto error = work.keys(file->keys, from))
        return broke_off(error);
    report(here, work.done);
    return exit_done;
  });
}

} // namespace keyportal::cli
