// Exports into files: received as they are made, gone on with where they broke.
#include <iostream>
#include <thread>

#include <fmt/format.h>

#include "actors/cli/answers.hpp"
#include "actors/cli/files.hpp"
#include "actors/cli/part_file.hpp"
#include "actors/cli/progress.hpp"
#include "actors/cli/table.hpp"
#include "actors/cli/usage_question.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

/// Times in a row that a connection may break without a byte having come.
constexpr int most_tries = 5;

/// Where what comes goes to: a file that grows, or standard output.
struct target {
  part_file* file = nullptr;
  std::ostream* out = nullptr;
  std::uint64_t size = 0;
  char last = 0; ///< the last byte

  caf::error append(std::string_view bytes) {
    if (bytes.empty())
      return {};
    if (file != nullptr) {
      if (auto failed = file->append(bytes))
        return failed;
    } else if (!out->write(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
      return make_error(errc::file_unreadable, "standard output");
    }
    size += bytes.size();
    last = bytes.back();
    return {};
  }
};

caf::expected<json> question_of(const context& here, const service& portal) {
  const auto& usage = here.asked.usage;
  const auto& asked = here.asked.exported;
  json out = {{"what", asked.what}};
  put_if(out, "format", asked.format);
  put_if(out, "from", usage.from);
  put_if(out, "to", usage.to);
  put_if(out, "zone", usage.zone);
  put_if(out, "text", usage.text);
  put_if(out, "step", usage.step);
  if (!usage.where.empty()) {
    auto where = usage_filters(portal, usage.where);
    if (!where)
      return where.error();
    out["where"] = std::move(*where);
  }
  if (!usage.by.empty())
    out["by"] = usage.by;
  if (usage.weeks_begin_on_sunday)
    out["week"] = "sunday";
  if (asked.byte_order_mark)
    out["bom"] = true;
  return out;
}

/// One call, from the byte on where the target ends. The byte before is asked for again: so there is always one to get,
/// and it has to be the same.
caf::error receive(const service& portal, const std::string& path, target& to, progress& bar) {
  http_call call;
  call.timeout = std::chrono::seconds{60};
  bool again = to.size != 0;
  if (again)
    call.range = fmt::format("bytes={}-", to.size - 1);
  caf::error wrong;
  call.on_body = [&](std::string_view bytes) {
    if (again && !bytes.empty()) {
      again = false;
      if (bytes.front() != to.last) {
        wrong = make_error(errc::file_malformed, "what is there is not what the export began with");
        return false;
      }
      bytes.remove_prefix(1);
    }
    wrong = to.append(bytes);
    bar.update(to.size, 0, std::chrono::steady_clock::now());
    return !wrong;
  };
  const auto done = portal.call(std::move(call), path, true);
  return wrong ? wrong : done ? caf::error{} : done.error();
}

/// Until all of it is there.
caf::error receive_all(const context& here, const service& portal, const std::string& path, target& to) {
  progress bar(here.io.err, here.io.err_is_terminal, "receiving");
  for (int tries = 1;; ++tries) {
    const auto before = to.size;
    auto failed = receive(portal, path, to, bar);
    const auto code = code_of(failed);
    if (to.size > before)
      tries = 1;
    if (!failed || tries >= most_tries || (code != errc::service_unreachable && code != errc::timed_out))
      return failed;
    std::this_thread::sleep_for(std::chrono::seconds{1});
  }
}

/// What is written beside FILE.part: of which export it is.
std::filesystem::path note_of(const std::filesystem::path& file) { return file.string() + ".part.export"; }

/// Where the export of FILE.part is read; empty: there is none to go on with.
caf::expected<std::string> path_to_go_on(const std::filesystem::path& file, const json& question) {
  std::error_code ignored;
  if (!std::filesystem::exists(note_of(file), ignored))
    return std::string{};
  const auto line = read_line_file(note_of(file));
  if (!line)
    return line.error();
  const auto note = json::parse(*line, nullptr, false);
  const auto path = text(note, {"path"});
  if (path.empty())
    return make_error(errc::file_malformed, note_of(file).string());
  if (at(note, {"question"}) != question)
    return make_error(errc::bad_request, fmt::format("{} was begun with another question", file.string()));
  return path;
}

caf::expected<std::string> begin(const service& portal, const json& question) {
  const auto opened = ask(portal, "/api/v1/exports", question);
  if (!opened)
    return opened.error();
  auto path = text(*opened, {"path"});
  if (path.empty())
    return make_error(errc::service_unreachable, fmt::format("{} answers, but not as Key Portal does", portal.url()));
  return path;
}

void end(const service& portal, const std::string& path) {
  http_call call;
  call.method = "DELETE";
  (void)portal.call(std::move(call), path, true); // it ends by itself, too
}

int into_file(const context& here, const service& portal, const json& question) {
  const auto& file = here.asked.file;
  caf::expected<std::string> path = std::string{};
  if (here.asked.exported.resume)
    path = path_to_go_on(file, question);
  if (!path)
    return fail(here, path.error());
  const bool anew = path->empty();
  if (anew)
    path = begin(portal, question);
  if (!path)
    return fail(here, path.error());
  part_file part{file};
  if (auto failed = part.open(anew))
    return fail(here, failed);
  if (anew)
    if (auto failed = write_file(note_of(file), dump({{"path", *path}, {"question", question}}) + "\n"))
      return fail(here, failed);
  target to{&part, nullptr, part.size(), 0};
  if (to.size != 0) {
    const auto last = part.last_byte();
    if (!last)
      return fail(here, last.error());
    to.last = *last;
  }
  const auto had = to.size;
  auto failed = receive_all(here, portal, *path, to);
  if (!failed)
    failed = part.finish();
  if (failed) {
    if (code_of(failed) == errc::service_unreachable || code_of(failed) == errc::timed_out)
      here.io.err << fmt::format("{} of {} are there; --resume goes on\n", bytes_text(to.size), file.string());
    return fail(here, failed);
  }
  std::error_code ignored;
  std::filesystem::remove(note_of(file), ignored);
  end(portal, *path);
  const bool has_keys = here.asked.exported.format == "cpa";
  if (here.asked.json)
    here.io.out << dump({{"file", file.string()}, {"bytes", to.size}, {"resumed_at", had}}) << "\n";
  else
    here.io.out << fmt::format("{} written to {}: {}{}\n", here.asked.exported.what, file.string(), bytes_text(to.size),
                               has_keys ? ". It holds client keys: keep it safe." : "");
  return exit_done;
}

} // namespace

int export_rows(const context& here) {
  const auto portal = service::find(here.values, here.asked.url);
  if (!portal)
    return fail(here, portal.error());
  const auto question = question_of(here, *portal);
  if (!question)
    return fail(here, question.error());
  if (!here.asked.file.empty() && here.asked.file != "-")
    return into_file(here, *portal, *question);
  if (here.asked.exported.resume)
    return fail(here, make_error(errc::bad_request, "--resume goes on with a file; give one with -o"));
  const auto path = begin(*portal, *question);
  if (!path)
    return fail(here, path.error());
  target to{nullptr, &here.io.out, 0, 0};
  auto failed = receive_all(here, *portal, *path, to);
  here.io.out << std::flush;
  if (!failed && !here.io.out)
    failed = make_error(errc::file_unreadable, "standard output");
  end(*portal, *path);
  return failed ? fail(here, failed) : exit_done;
}

} // namespace keyportal::cli
