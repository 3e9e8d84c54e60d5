#include "actors/cli/letters.hpp"

#include <algorithm>
#include <map>
#include <ostream>

#include <fmt/format.h>

#include "actors/cli/table.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

constexpr std::size_t most_letters = 1'000'000; ///< read at most; a service that never ends its list is none
constexpr std::size_t numbers_at_once = 1'000;  ///< in one request, whose body is limited

/// 0 for what is none.
std::uint64_t number_of(const json& letter) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, integer(letter, {"number"})));
}

/// All letters of that node, or of all nodes for "", oldest first; without their payloads.
caf::expected<std::vector<json>> all_letters(const service& portal, const node_name& node) {
  std::vector<json> found;
  std::uint64_t after = 0;
  for (std::size_t seen = 0; seen < most_letters;) {
    auto page = fetch(portal, fmt::format("/api/v1/deadletters?after={}&limit=1000", after));
    if (!page)
      return page.error();
    const auto before = after;
    for (const auto& letter : items_of(*page)) {
      ++seen;
      after = std::max(after, number_of(letter));
      if (node.empty() || text(letter, {"node"}) == node)
        found.push_back(letter);
    }
    if (after == before)
      break;
  }
  return found;
}

caf::expected<json> find_letter(const service& portal, std::uint64_t number) {
  auto page = fetch(portal, fmt::format("/api/v1/deadletters?after={}&limit=1", number - 1));
  if (!page)
    return page.error();
  for (const auto& letter : items_of(*page))
    if (number_of(letter) == number)
      return letter;
  return make_error(errc::dead_letter_unknown, std::to_string(number));
}

/// The letters that were named, each once; all of them are there and of the node that was named, or none is returned.
caf::expected<std::vector<json>> named_letters(const context& here, const service& portal) {
  auto numbers = here.asked.letters;
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::vector<json> found;
  for (const auto number : numbers) {
    auto letter = find_letter(portal, number);
    if (!letter)
      return letter.error();
    if (const auto node = text(*letter, {"node"}); !here.asked.node.empty() && node != here.asked.node)
      return make_error(errc::bad_request, fmt::format("dead letter {} is of {}", number, node));
    found.push_back(std::move(*letter));
  }
  return found;
}

std::string letter_path(std::uint64_t number) { return fmt::format("/api/v1/deadletters/{}", number); }

table letter_table(const std::vector<json>& letters) {
  using side = table::side;
  table list({{"NUMBER", side::right}, {"NODE"}, {"RECEIVED"}, {"CHANNEL"}, {"BYTES", side::right}, {"REASON"}});
  for (const auto& letter : letters)
    list.add({std::to_string(number_of(letter)), text(letter, {"node"}), local_time(text(letter, {"at"})),
              text(letter, {"channel"}), number(letter, {"bytes"}), text(letter, {"reason"})});
  return list;
}

} // namespace

void add_to_nodes(const context& here, const service& portal, json& summary) {
  const auto nodes = summary.is_object() ? summary.find("nodes") : summary.end();
  if (!summary.is_object() || nodes == summary.end() || !nodes->is_array())
    return;
  std::map<std::string, std::int64_t> letters;
  bool known = true;
  if (integer(summary, {"ledger", "dead_letters"}) > 0) {
    const auto all = all_letters(portal, {});
    known = static_cast<bool>(all);
    for (const auto& letter : known ? *all : std::vector<json>{})
      ++letters[text(letter, {"node"})];
  }
  for (auto& node : *nodes) {
    const auto name = text(node, {"node"});
    if (!is_node_name(name))
      continue;
    node["dead_letters"] = known ? json(letters[name]) : json(nullptr);
    if (!here.asked.json)
      continue;
    auto list = fetch(portal, fmt::format("/api/v1/nodes/{}/incompletes", name));
    node["incompletes"] = list ? items_of(*list) : json(nullptr);
  }
}

int list_incompletes(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto nodes = chosen_nodes(here, portal);
    if (!nodes)
      return fail(here, nodes.error());
    auto items = json::array();
    for (const auto& node : *nodes) {
      const auto list = fetch(portal, fmt::format("/api/v1/nodes/{}/incompletes?limit=1000", node));
      if (!list)
        return fail(here, list.error());
      for (const auto& item : items_of(*list))
        items.push_back(item);
    }
    if (here.asked.json) {
      print(here, {{"items", std::move(items)}});
      return exit_done;
    }
    using side = table::side;
    table list({{"NODE"},
                {"NUMBER", side::right},
                {"CREDENTIAL"},
                {"ALL THERE AT"},
                {"LAST GREW"},
                {"MISSING", side::right},
                {"OF THEM FAILED", side::right},
                {"CLOSED"}});
    for (const auto& item : items)
      list.add({text(item, {"node"}), number(item, {"number"}), text(item, {"credential"}),
                local_time(text(item, {"from"})), local_time(text(item, {"to"})), number(item, {"missing"}),
                number(item, {"missing_failed"}), local_time(text(item, {"closed_at"}))});
    here.io.out << (list.empty() ? "nothing that a node counted is missing\n" : list.text());
    return exit_done;
  });
}

int list_letters(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto letters = all_letters(portal, here.asked.node);
    if (!letters)
      return fail(here, letters.error());
    if (here.asked.json) {
      print(here, {{"items", *letters}});
      return exit_done;
    }
    here.io.out << (letters->empty() ? "no dead letter waits\n" : letter_table(*letters).text());
    return exit_done;
  });
}

int show_letter(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto number = here.asked.letters.front();
    auto letter = find_letter(portal, number);
    if (!letter)
      return fail(here, letter.error());
    const auto payload = portal.call({}, letter_path(number), true);
    if (!payload)
      return fail(here, payload.error());
    here.io.err << "warning: what the node sent may hold a client key; show it to nobody\n";
    if (here.asked.json) {
      (*letter)["payload"] = *payload;
      print(here, *letter);
    } else if (here.asked.raw || !here.io.out_is_terminal) {
      here.io.out << *payload << std::flush;
    } else {
      here.io.out << letter_table({*letter}).text() << "\n" << printable(*payload) << "\n";
    }
    return here.io.out ? exit_done : exit_failed;
  });
}

int replay_letters(const context& here) {
  return with_service(here, [&](const service& portal) {
    const bool named = !here.asked.letters.empty();
    const auto letters = named ? named_letters(here, portal) : all_letters(portal, here.asked.node);
    if (!letters)
      return fail(here, letters.error());
    std::map<std::string, std::vector<std::uint64_t>> by_node;
    for (const auto& letter : *letters)
      by_node[text(letter, {"node"})].push_back(number_of(letter));
    std::int64_t replayed = 0, added = 0, still_dead = 0;
    for (const auto& [node, numbers] : by_node) {
      if (!is_node_name(node))
        return fail(here, make_error(errc::node_unknown, node));
      for (std::size_t from = 0; from < numbers.size(); from += numbers_at_once) {
        const auto begin = numbers.begin() + static_cast<std::ptrdiff_t>(from);
        const auto end =
          numbers.begin() + static_cast<std::ptrdiff_t>(std::min(numbers.size(), from + numbers_at_once));
        const auto body = named ? dump({{"numbers", std::vector<std::uint64_t>(begin, end)}}) : std::string{};
        const auto report = change(here, portal, "POST", fmt::format("/api/v1/nodes/{}/deadletters/replay", node),
                                   "replaying the dead letters of " + node, body);
        if (!report)
          return fail(here, report.error());
        replayed += integer(*report, {"replayed"});
        added += integer(*report, {"added"});
        still_dead += integer(*report, {"still_dead"});
        if (!named)
          break; // all of the node at once
      }
    }
    if (here.asked.json)
      print(here, {{"replayed", replayed}, {"added", added}, {"still_dead", still_dead}});
    else if (by_node.empty())
      here.io.out << "no dead letter waits\n";
    else
      here.io.out << fmt::format("{} replayed, {} records were new; {} cannot be decoded still\n", grouped(replayed),
                                 grouped(added), grouped(still_dead));
    return still_dead == 0 ? exit_done : exit_failed;
  });
}

int drop_letters(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto letters = named_letters(here, portal);
    if (!letters)
      return fail(here, letters.error());
    if (!here.asked.yes && here.io.in_is_terminal)
      here.io.err << letter_table(*letters).text();
    if (!confirmed(here, letters->size() == 1 ? "Drop this dead letter? What it tells is lost for good."
                                              : fmt::format("Drop these {} dead letters? What they tell is lost for "
                                                            "good.",
                                                            letters->size())))
      return exit_failed;
    auto dropped = json::array();
    for (const auto& letter : *letters) {
      const auto done = change(here, portal, "DELETE", letter_path(number_of(letter)), "dropping");
      if (!done) {
        here.io.err << fmt::format("{} of {} are dropped\n", dropped.size(), letters->size());
        return fail(here, done.error());
      }
      dropped.push_back(letter);
    }
    if (here.asked.json)
      print(here, {{"dropped", std::move(dropped)}});
    else
      here.io.out << fmt::format("{} dropped\n", dropped.size());
    return exit_done;
  });
}

} // namespace keyportal::cli
