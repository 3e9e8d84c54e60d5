// One node: whether its keys are as they should be, and what its config.yaml was.
#include <ostream>

#include <fmt/format.h>

#include "actors/cli/line_diff.hpp"
#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

caf::expected<std::string> path_of(const context& here, const std::string& rest) {
  if (!is_node_name(here.asked.node))
    return make_error(errc::node_unknown, here.asked.node);
  return fmt::format("/api/v1/nodes/{}/{}", here.asked.node, rest);
}

/// Newest first.
caf::expected<std::vector<std::uint64_t>> kept(const context& here, const service& portal) {
  const auto path = path_of(here, "configs");
  if (!path)
    return path.error();
  const auto list = look(portal, *path);
  if (!list)
    return list.error();
  std::vector<std::uint64_t> out;
  for (const auto& item : items_of(*list))
    out.push_back(static_cast<std::uint64_t>(integer(item, {"number"})));
  return out;
}

caf::expected<std::string> read_config(const context& here, const service& portal, std::uint64_t number) {
  const auto path = path_of(here, fmt::format("configs/{}", number));
  return path ? portal.call({}, *path, true) : path;
}

/// What was given, else the newest one.
caf::expected<std::uint64_t> chosen(const context& here, const service& portal) {
  if (!here.asked.registry.numbers.empty())
    return here.asked.registry.numbers.front();
  const auto all = kept(here, portal);
  if (!all)
    return all.error();
  if (all->empty())
    return make_error(errc::config_unknown, here.asked.node);
  return all->front();
}

/// The lines as they are, but at a terminal nothing that it would obey.
std::string for_console(const context& here, const std::string& text) {
  if (!here.io.out_is_terminal)
    return text;
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    out += printable(rest.substr(0, end)) + "\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

void warn(const context& here) { here.io.err << "warning: a config holds keys; show it to nobody\n"; }

} // namespace

int show_node_keys(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto path = path_of(here, "keys");
    if (!path)
      return fail(here, path.error());
    const auto now = fetch(portal, *path);
    if (!now)
      return fail(here, now.error());
    const bool open = at(*now, {"open"}) == true;
    if (here.asked.json) {
      print(here, *now);
      return open ? exit_failed : exit_done;
    }
    table rows({{"NODE"}, {here.asked.node}});
    rows.add({"keys that should work", number(*now, {"wanted"})});
    rows.add({"on their way", number(*now, {"changing"})});
    rows.add({"made elsewhere", number(*now, {"external"})});
    rows.add({"removed by somebody", number(*now, {"taken_away"})});
    rows.add({"as it should be at", local_time(text(*now, {"in_step_at"}))});
    here.io.out << rows.text();
    if (const auto problem = text(*now, {"problem"}); !problem.empty())
      here.io.out << printable(problem) << "\n";
    else if (open)
      here.io.out << "the node lets in anybody, without a key\n";
    if (at(*now, {"drift"}) == true)
      here.io.out << "its keys are not what they should be\n";
    if (integer(*now, {"taken_away"}) > 0)
      here.io.out << "`keyportal keys drift` lists the keys that wait for a choice\n";
    return open ? exit_failed : exit_done;
  });
}

int list_configs(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto path = path_of(here, "configs");
    if (!path)
      return fail(here, path.error());
    const auto all = look(portal, *path);
    if (!all)
      return fail(here, all.error());
    if (here.asked.json) {
      print(here, *all);
      return exit_done;
    }
    table list({{"NUMBER", table::side::right}, {"KEPT"}, {"SIZE", table::side::right}, {"SHA-256"}});
    for (const auto& item : items_of(*all))
      list.add({std::to_string(integer(item, {"number"})), local_time(text(item, {"at"})),
                bytes_text(static_cast<std::uint64_t>(integer(item, {"bytes"}))),
                text(item, {"sha256"}).substr(0, 16)});
    here.io.out << (list.empty() ? "no config is kept yet\n" : list.text());
    return exit_done;
  });
}

int show_config(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto number = chosen(here, portal);
    if (!number)
      return fail(here, number.error());
    const auto config = read_config(here, portal, *number);
    if (!config)
      return fail(here, config.error());
    warn(here);
    if (here.asked.json)
      print(here, {{"node", here.asked.node}, {"number", *number}, {"text", *config}});
    else
      here.io.out << for_console(here, *config) << std::flush;
    return here.io.out ? exit_done : exit_failed;
  });
}

int diff_configs(const context& here) {
  return with_service(here, [&](const service& portal) {
    auto numbers = here.asked.registry.numbers;
    if (numbers.size() < 2) {
      const auto all = kept(here, portal);
      if (!all)
        return fail(here, all.error());
      if (all->empty() || (numbers.empty() && all->size() < 2))
        return fail(here, make_error(errc::config_unknown, here.asked.node + " has nothing to compare"));
      if (numbers.empty())
        numbers.push_back((*all)[1]);
      numbers.push_back(all->front());
    }
    const auto before = read_config(here, portal, numbers[0]);
    if (!before)
      return fail(here, before.error());
    const auto after = read_config(here, portal, numbers[1]);
    if (!after)
      return fail(here, after.error());
    const auto differences = line_diff(*before, *after);
    warn(here);
    if (here.asked.json)
      print(here, {{"node", here.asked.node}, {"from", numbers[0]}, {"to", numbers[1]}, {"diff", differences}});
    else if (differences.empty())
      here.io.out << fmt::format("{} and {} are the same\n", numbers[0], numbers[1]);
    else
      here.io.out << for_console(here, differences) << std::flush;
    return here.io.out ? exit_done : exit_failed;
  });
}

int restore_config(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto number = chosen(here, portal);
    if (!number)
      return fail(here, number.error());
    const auto path = path_of(here, fmt::format("configs/{}/restore", *number));
    if (!path)
      return fail(here, path.error());
    if (!confirmed(here,
                   fmt::format("Give {} its config {} back, in place of the one it has?", here.asked.node, *number)))
      return exit_failed;
    const auto done = change(here, portal, "POST", *path, "writing");
    if (!done)
      return fail(here, done.error());
    if (here.asked.json)
      print(here, *done);
    else
      here.io.out << fmt::format("{} has its config {} again\n", here.asked.node, *number);
    return exit_done;
  });
}

} // namespace keyportal::cli
