#include "actors/cli/commands.hpp"

#include <iostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cli/answers.hpp"
#include "actors/cli/letters.hpp"
#include "actors/cli/table.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

std::string restart_sentence(const json& node) {
  const auto& restart = at(node, {"last_restart"});
  if (!restart.is_object())
    return {};
  const auto state = text(restart, {"restore", "state"});
  auto line =
    fmt::format("{}: Restart {} noticed {}, {}", text(node, {"node"}), integer(restart, {"number"}),
                local_time(text(restart, {"noticed_at"})),
                state == "impossible" ? "the node takes nothing back; the ledger has it all" : "restore " + state);
  if (const auto imported = integer(restart, {"restore", "imported"}); imported > 0)
    line += fmt::format(", {} records put back", grouped(imported));
  if (const auto lacking = integer(restart, {"restore", "still_lacking"}); lacking > 0)
    line += fmt::format(", {} still lacking", grouped(lacking));
  if (const auto lost = integer(restart, {"lost", "expected_records"}); lost > 0)
    line += fmt::format(", about {} not seen before it ended", grouped(lost));
  return line;
}

/// How a node's records are taken, in words.
std::string collecting(const json& node) {
  const auto how = text(node, {"condition", "collecting"});
  return how == "usage"       ? "usage list"
         : how == "subscribe" ? "pushed"
         : how == "resp_pop"  ? "popped (RESP)"
         : how == "http_pop"  ? "popped (HTTP)"
         : how.empty()        ? "-"
                              : how;
}

void print_status(const context& here, const std::string& url, const json& summary) {
  using side = table::side;
  auto& out = here.io.out;
  out << "Key Portal at " << url << ", " << number(summary, {"totals", "requests"}) << " records kept\n";
  const auto& nats = at(summary, {"publisher"});
  if (nats.is_object())
    out << "NATS " << (at(nats, {"connected"}) == true ? "connected" : "not connected") << " "
        << printable(text(nats, {"url"}))
        << (text(nats, {"problem"}).empty() ? "" : ": " + printable(text(nats, {"problem"}))) << "\n";
  table nodes({{"NODE"},
               {"STATE"},
               {"VERSION"},
               {"COLLECTED"},
               {"REQUESTS", side::right},
               {"FAILED", side::right},
               {"TOKENS", side::right},
               {"TODAY", side::right},
               {"MISSING", side::right},
               {"DEAD LETTERS", side::right},
               {"LAST POLL"},
               {"RESTARTS", side::right},
               {"SNAPSHOTS", side::right}});
  std::vector<std::string> remarks;
  const auto& list = at(summary, {"nodes"});
  for (const auto& node : list.is_array() ? list : json::array()) {
    nodes.add({text(node, {"node"}), text(node, {"condition", "state"}), text(node, {"condition", "version"}),
               collecting(node), number(node, {"totals", "requests"}), number(node, {"totals", "failed"}),
               number(node, {"totals", "tokens", "total"}), number(node, {"today", "requests"}),
               number(node, {"condition", "missing"}), number(node, {"dead_letters"}),
               local_time(text(node, {"condition", "last_poll"})), number(node, {"restarts"}),
               number(node, {"snapshots"})});
    if (const auto problem = text(node, {"condition", "problem"}); !problem.empty())
      remarks.push_back(fmt::format("{}: {}", text(node, {"node"}), problem));
    if (const auto missing = integer(node, {"condition", "missing"}); missing > 0)
      remarks.push_back(fmt::format("{}: {} records that it counted have not arrived; see keyportal incompletes",
                                    text(node, {"node"}), grouped(missing)));
    if (auto restart = restart_sentence(node); !restart.empty())
      remarks.push_back(std::move(restart));
  }
  const auto& alarms = at(summary, {"alarms"});
  for (const auto& one : alarms.is_array() ? alarms : json::array())
    if (one.is_string())
      remarks.push_back(one.get<std::string>());
  if (const auto dead = integer(summary, {"ledger", "dead_letters"}); dead > 0)
    remarks.push_back(
      fmt::format("{} dead letters wait for being replayed or dropped; see keyportal deadletters list", grouped(dead)));
  if (nodes.empty()) {
    out << "no node is configured\n";
    return;
  }
  out << "\n" << nodes.text();
  for (std::size_t i = 0; i < remarks.size(); ++i)
    out << (i == 0 ? "\n" : "") << printable(remarks[i]) << "\n";
}

/// All snapshots, or those of the chosen node, newest first.
caf::expected<std::vector<json>> all_snapshots(const context& here, const service& portal) {
  const auto nodes = chosen_nodes(here, portal);
  if (!nodes)
    return nodes.error();
  std::vector<json> found;
  for (const auto& node : *nodes) {
    auto list = fetch(portal, fmt::format("/api/v1/nodes/{}/snapshots", node));
    if (!list)
      return list.error();
    for (const auto& item : items_of(*list))
      found.push_back(item);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const json& a, const json& b) { return integer(a, {"id"}) > integer(b, {"id"}); });
  return found;
}

} // namespace

int fail(const context& here, const caf::error& error) {
  if (here.asked.json)
    here.io.out << dump(json{{"error", to_json(error)}}) << "\n";
  here.io.err << "error: " << printable(render(error)) << "\n";
  switch (code_of(error)) {
    case errc::service_unreachable:
    case errc::timed_out:
    case errc::nats_unavailable:
    case errc::node_unreachable:
    case errc::node_timeout: return exit_not_reachable;
    case errc::bad_request: return exit_wrong_usage;
    default: return exit_failed;
  }
}

caf::expected<node_name> chosen_node(const context& here, const service& portal) {
  if (!here.asked.node.empty())
    return is_node_name(here.asked.node) ? caf::expected<node_name>(here.asked.node)
                                         : caf::expected<node_name>(make_error(errc::node_unknown, here.asked.node));
  auto known = fetch(portal, "/api/v1/nodes");
  if (!known)
    return known.error();
  const auto& nodes = items_of(*known);
  if (nodes.size() == 1)
    return text(nodes[0], {"node"});
  std::string names;
  for (const auto& node : nodes)
    names += (names.empty() ? "" : ", ") + text(node, {"node"});
  return make_error(errc::bad_request,
                    nodes.empty() ? "no node is configured" : "say which node with --node: " + names);
}

bool confirmed(const context& here, const std::string& question) {
  if (here.asked.yes || !here.io.in_is_terminal)
    return true;
  here.io.err << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(here.io.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

int status(const context& here) {
  return with_service(here, [&](const service& portal) {
    auto summary = fetch(portal, "/api/v1/summary");
    if (!summary)
      return fail(here, summary.error());
    add_to_nodes(here, portal, *summary);
    if (here.asked.json)
      print(here, *summary);
    else
      print_status(here, portal.url(), *summary);
    return exit_done;
  });
}

int list_snapshots(const context& here) {
  return with_service(here, [&](const service& portal) {
    auto found = all_snapshots(here, portal);
    if (!found)
      return fail(here, found.error());
    if (here.asked.json) {
      print(here, {{"items", *found}});
      return exit_done;
    }
    using side = table::side;
    table list({{"ID", side::right},
                {"NODE"},
                {"MADE"},
                {"REASON"},
                {"REQUESTS", side::right},
                {"TOKENS", side::right},
                {"FILE", side::right},
                {"KEPT AS", side::right}});
    for (const auto& item : *found)
      list.add({std::to_string(integer(item, {"id"})), text(item, {"node"}), local_time(text(item, {"made_at"})),
                text(item, {"reason"}), number(item, {"totals", "requests"}),
                number(item, {"totals", "tokens", "total"}),
                bytes_text(static_cast<std::uint64_t>(integer(item, {"json_bytes"}))),
                bytes_text(static_cast<std::uint64_t>(integer(item, {"stored_bytes"})))});
    here.io.out << (list.empty() ? "no snapshot yet; keyportal snapshot make makes one\n" : list.text());
    return exit_done;
  });
}

int show_snapshot(const context& here) {
  return with_service(here, [&](const service& portal) {
    auto found = all_snapshots(here, portal);
    if (!found)
      return fail(here, found.error());
    for (const auto& item : *found) {
      if (integer(item, {"id"}) != static_cast<std::int64_t>(here.asked.snapshot_id))
        continue;
      if (here.asked.json) {
        print(here, item);
        return exit_done;
      }
      table rows({{"SNAPSHOT"}, {std::to_string(here.asked.snapshot_id)}});
      rows.add({"node", text(item, {"node"})});
      rows.add({"made", local_time(text(item, {"made_at"}))});
      rows.add({"reason", text(item, {"reason"})});
      rows.add({"requests", number(item, {"totals", "requests"})});
      rows.add({"  ok", number(item, {"totals", "ok"})});
      rows.add({"  failed", number(item, {"totals", "failed"})});
      for (const char* kind : {"total", "input", "output", "reasoning", "cached"})
        rows.add({std::string(kind == std::string_view("total") ? "" : "  ") + "tokens " + kind,
                  number(item, {"totals", "tokens", kind})});
      rows.add({"ledger position", number(item, {"position"})});
      rows.add({"as a file", bytes_text(static_cast<std::uint64_t>(integer(item, {"json_bytes"})))});
      rows.add({"kept as", bytes_text(static_cast<std::uint64_t>(integer(item, {"stored_bytes"})))});
      rows.add({"sha256", text(item, {"sha256"})});
      here.io.out << rows.text();
      return exit_done;
    }
    return fail(here, make_error(errc::snapshot_unknown, std::to_string(here.asked.snapshot_id)));
  });
}

int make_snapshot(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto node = chosen_node(here, portal);
    if (!node)
      return fail(here, node.error());
    const auto made =
      change(here, portal, "POST", fmt::format("/api/v1/nodes/{}/snapshots", *node), "making a snapshot");
    if (!made)
      return fail(here, made.error());
    if (here.asked.json)
      print(here, *made);
    else
      here.io.out << fmt::format("snapshot {} of {}: {} requests\n", integer(*made, {"id"}), *node,
                                 number(*made, {"totals", "requests"}));
    return exit_done;
  });
}

int restore(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto node = chosen_node(here, portal);
    if (!node)
      return fail(here, node.error());
    if (!confirmed(here, fmt::format("Put back into {} whatever the ledger holds and it lacks?", *node)))
      return exit_failed;
    const auto done =
      change(here, portal, "POST", fmt::format("/api/v1/nodes/{}/restore", *node), "restoring " + *node);
    if (!done)
      return fail(here, done.error());
    const auto lacking = integer(*done, {"still_lacking"});
    if (here.asked.json)
      print(here, *done);
    else
      here.io.out << fmt::format("{} lacked {} records; {} put back, {} still lacking ({} ms)\n", *node,
                                 number(*done, {"lacking"}), number(*done, {"imported"}), grouped(lacking),
                                 number(*done, {"took_ms"}));
    return lacking == 0 ? exit_done : exit_failed;
  });
}

int tail_events(const context& here, const hooks& borrowed) {
  tail_request request{here.asked.nats_url, false, here.asked.from, here.asked.subject};
  if (request.url.empty() && !here.values.nats.url.empty()) {
    request.url = here.values.nats.url;
    request.ours = true;
  }
  if (request.url.empty()) {
    auto written = read_line_file(here.values.data_dir / "nats" / "nats.url");
    if (!written)
      return fail(here, make_error(errc::service_unreachable, written.error() ? about_of(written.error()) : ""));
    request.url = *written;
  }
  if (!borrowed.tail)
    return fail(here, make_error(errc::internal, "this program was built without events"));
  std::uint64_t shown = 0;
  auto& out = here.io.out;
  const auto error = borrowed.tail(request, [&](const tailed_event& event) {
    if (here.asked.json) {
      auto body = json::parse(event.body, nullptr, false);
      out << dump({{"seq", event.seq},
                   {"time", event.time},
                   {"subject", event.subject},
                   {"id", event.id},
                   {"type", event.type},
                   {"data", body.is_discarded() ? json(event.body) : std::move(body)}})
          << "\n";
    } else {
      out << printable(fmt::format("{}  {:>8}  {}  {}", local_time(event.time), event.seq, event.subject, event.body))
          << "\n";
    }
    out << std::flush; // whoever reads a pipe wants it now
    return static_cast<bool>(out) && (here.asked.count == 0 || ++shown < here.asked.count);
  });
  return error ? fail(here, error) : exit_done;
}

} // namespace keyportal::cli
