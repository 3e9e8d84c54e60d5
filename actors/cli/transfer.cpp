// Usage into files and out of them, through the running service or straight at a CLIProxyAPI.
#include <iostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cli/client.hpp"
#include "actors/cli/commands.hpp"
#include "actors/cli/files.hpp"
#include "actors/cli/progress.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

http_call transfer_call(progress& bar) {
  http_call call;
  call.timeout = std::chrono::seconds{900};
  call.max_bytes = largest_file;
  call.on_progress = [&bar](std::uint64_t sent, std::uint64_t received, std::uint64_t total) {
    bar.update(sent > received ? sent : received, total, std::chrono::steady_clock::now());
  };
  return call;
}

/// Writes what came and says so.
int keep(const context& here, const std::string& body, const std::string& whose) {
  const auto content = look_into(body);
  if (!content)
    return fail(here, make_error(errc::file_malformed, "what came is not kept"));
  if (here.asked.file == "-") {
    here.io.out << body << std::flush;
    return here.io.out ? exit_done : exit_failed;
  }
  if (auto error = write_file(here.asked.file, body))
    return fail(here, error);
  if (here.asked.json)
    here.io.out << dump({{"file", here.asked.file.string()}, {"bytes", body.size()}, {"records", content->records}})
                << "\n";
  else
    here.io.out << fmt::format("Snapshot of {} written to {}: {} records, {}. It holds client keys: keep it safe.\n",
                               whose, here.asked.file.string(), grouped(static_cast<std::int64_t>(content->records)),
                               bytes_text(body.size()));
  return exit_done;
}

struct import_source {
  std::string body;
  usage_file content;
};
caf::expected<import_source> read_import(const context& here) {
  auto body = read_file(here.asked.file, here.io.in);
  if (!body)
    return body.error();
  const auto content = look_into(*body);
  if (!content)
    return make_error(code_of(content.error()), here.asked.file.string());
  return import_source{std::move(*body), *content};
}

std::string question(const context& here, const import_source& source, const std::string& where) {
  return fmt::format("Import {} records of {} keys from {} into {}? They cannot be taken out again.",
                     grouped(static_cast<std::int64_t>(source.content.records)),
                     grouped(static_cast<std::int64_t>(source.content.keys)), here.asked.file.string(), where);
}

std::int64_t count(const json& report, const char* name) {
  const auto found = report.is_object() ? report.find(name) : report.end();
  return report.is_object() && found != report.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

} // namespace

int export_usage(const context& here) {
  const auto portal = service::find(here.values, here.asked.url);
  if (!portal)
    return fail(here, portal.error());
  const auto node = chosen_node(here, *portal);
  if (!node)
    return fail(here, node.error());
  const auto id = here.asked.snapshot_id == 0 ? std::string("now") : std::to_string(here.asked.snapshot_id);
  caf::expected<std::string> body = std::string{};
  {
    progress bar(here.io.err, here.io.err_is_terminal, "receiving");
    body = portal->call(transfer_call(bar), fmt::format("/api/v1/nodes/{}/snapshots/{}/export", *node, id), true);
  }
  return body ? keep(here, *body, *node) : fail(here, body.error());
}

int export_from_cpa(const context& here) {
  const auto node = cpa_client::open(here.asked.cpa_url, here.asked.cpa_key_file);
  if (!node)
    return fail(here, node.error());
  caf::expected<std::string> body = std::string{};
  {
    progress bar(here.io.err, here.io.err_is_terminal, "receiving");
    body = node->call(transfer_call(bar), "/usage/export");
  }
  return body ? keep(here, *body, here.asked.cpa_url) : fail(here, body.error());
}

int import_usage(const context& here) {
  auto source = read_import(here);
  if (!source)
    return fail(here, source.error());
  const auto portal = service::find(here.values, here.asked.url);
  if (!portal)
    return fail(here, portal.error());
  const auto node = chosen_node(here, *portal);
  if (!node)
    return fail(here, node.error());
  if (!confirmed(here, question(here, *source, "the ledger of " + *node)))
    return exit_failed;
  caf::expected<std::string> answer = std::string{};
  {
    progress bar(here.io.err, here.io.err_is_terminal, "sending");
    auto call = transfer_call(bar);
    call.method = "POST";
    call.body = std::move(source->body);
    answer = portal->call(std::move(call), fmt::format("/api/v1/nodes/{}/import", *node), true);
  }
  if (!answer)
    return fail(here, answer.error());
  const auto report = json::parse(*answer, nullptr, false);
  const auto records = count(report, "records"), added = count(report, "added"), refused = count(report, "refused");
  if (here.asked.json)
    here.io.out << dump(report) << "\n";
  else
    here.io.out << fmt::format("{}: {} records in the file, {} added, {} known already{}\n", *node, grouped(records),
                               grouped(added), grouped(records - added - refused),
                               refused == 0
                                 ? std::string{}
                                 : fmt::format(", {} of days whose records are gone and not taken", grouped(refused)));
  return exit_done;
}

int import_to_cpa(const context& here) {
  auto source = read_import(here);
  if (!source)
    return fail(here, source.error());
  const auto node = cpa_client::open(here.asked.cpa_url, here.asked.cpa_key_file);
  if (!node)
    return fail(here, node.error());
  if (!confirmed(here, question(here, *source, here.asked.cpa_url)))
    return exit_failed;
  caf::expected<std::string> answer = std::string{};
  {
    progress bar(here.io.err, here.io.err_is_terminal, "sending");
    auto call = transfer_call(bar);
    call.method = "POST";
    call.body = std::move(source->body);
    answer = node->call(std::move(call), "/usage/import");
  }
  if (!answer)
    return fail(here, answer.error());
  const auto report = json::parse(*answer, nullptr, false);
  if (!report.is_object() || !report.contains("added"))
    return fail(here, make_error(errc::node_answer_malformed, here.asked.cpa_url));
  if (here.asked.json)
    here.io.out << dump(report) << "\n";
  else
    here.io.out << fmt::format("{}: {} added, {} skipped; it counts {} requests now, {} of them failed\n",
                               here.asked.cpa_url, grouped(count(report, "added")), grouped(count(report, "skipped")),
                               grouped(count(report, "total_requests")), grouped(count(report, "failed_requests")));
  return exit_done;
}

} // namespace keyportal::cli
