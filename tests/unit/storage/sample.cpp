#include "sample.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <stdexcept>

#include <unistd.h>

namespace keyportal::storage::test {

scratch_folder::scratch_folder() {
  auto pattern = (std::filesystem::temp_directory_path() / "keyportal-storage-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::runtime_error("no temporary folder");
  path_ = pattern;
}

scratch_folder::~scratch_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

settings small_settings(const std::filesystem::path& folder) {
  settings how;
  how.folder = folder / "data";
  how.block_cache_bytes = std::size_t{1} << 20;
  how.write_buffer_bytes = std::size_t{1} << 20;
  return how;
}

std::unique_ptr<ledger> must_open(const settings& how) { return must(ledger::open(how)); }

void must(const caf::error& error) {
  if (error)
    throw std::runtime_error(render(error));
}

detail numbered_detail(const node_name& node, const std::string& client_key, const std::string& model,
                       std::uint64_t number) {
  const auto n = static_cast<std::int64_t>(number);
  detail d;
  d.at = {new_year_ns + n * 7'000'000'123, static_cast<std::int16_t>(n % 3 == 0 ? 480 : 0)};
  d.latency_ms = n % 5000;
  d.source = n % 4 == 0 ? "" : "account-" + std::to_string(n % 4) + "@example.com";
  d.auth_index = std::to_string(n % 3);
  d.tokens = {n % 1000, n % 300, n % 7, n % 50, n % 1000 + n % 300};
  d.failed = n % 11 == 0;
  d.id = make_record_id(node, client_key, model, d);
  return d;
}

detail queued_detail(const node_name& node, const std::string& client_key, const std::string& model,
                     std::uint64_t number, std::uint8_t attempt) {
  auto d = numbered_detail(node, client_key, model, number);
  const auto n = static_cast<std::int64_t>(number);
  for (std::size_t i = 8; i < d.id.bytes.size(); ++i)
    d.id.bytes[i] = static_cast<std::uint8_t>(~d.id.bytes[i] + attempt);
  attempt_facts facts;
  facts.provider = n % 2 == 0 ? "codex" : "claude";
  facts.alias = n % 5 == 0 ? "" : "team/" + model;
  facts.endpoint = "POST /v1/responses";
  facts.ttft_ms = n % 700;
  facts.status_code = d.failed ? 429 : 200;
  if (n % 4 != 0)
    facts.extra = R"({"request_id":"extra-secret-)" + std::to_string(number) + "-" + std::to_string(attempt) + "\"}";
  d.parts = {n, 2, 3, n % 300, 5, n % 9};
  d.facts = std::make_shared<const attempt_facts>(std::move(facts));
  return d;
}

namespace {

template <class Make>
std::vector<record_group> groups_of(std::uint64_t first, std::uint64_t count, Make make) {
  std::map<std::pair<std::string, std::string>, record_group> groups;
  for (auto number = first; number < first + count; ++number) {
    const auto client_key = "sk-client-secret-" + std::to_string(number % 5);
    const auto model = (number % 6 < 3 ? "model-" : "claude-") + std::to_string(number % 3);
    auto& group = groups[{client_key, model}];
    group.client_key = secret{client_key};
    group.model = model;
    group.details.push_back(make(client_key, model, number));
  }
  std::vector<record_group> out;
  for (auto& [name, group] : groups)
    out.push_back(std::move(group));
  return out;
}

} // namespace

std::vector<record_group> queued_groups(const node_name& node, std::uint64_t first, std::uint64_t count,
                                        std::uint8_t attempt) {
  return groups_of(first, count, [&](const auto& client_key, const auto& model, std::uint64_t number) {
    return queued_detail(node, client_key, model, number, attempt);
  });
}

std::vector<record_group> numbered_groups(const node_name& node, std::uint64_t first, std::uint64_t count) {
  return groups_of(first, count, [&](const auto& client_key, const auto& model, std::uint64_t number) {
    return numbered_detail(node, client_key, model, number);
  });
}

collection polled(const node_name& node, std::vector<record_group> groups, moment seen_at) {
  collection out;
  out.node = node;
  out.seen_at = seen_at;
  out.groups = std::make_shared<const std::vector<record_group>>(std::move(groups));
  return out;
}

collection decoded(const node_name& node, std::vector<record_group> groups) {
  auto out = polled(node, std::move(groups));
  out.from_poll = false;
  return out;
}

received received_now(const node_name& node, const std::vector<std::string>& payloads) {
  auto batch = std::make_shared<payload_batch>();
  for (const auto& one : payloads)
    batch->add(one);
  return {node, at_seconds(3), inbox_channel::subscribe, std::move(batch)};
}

committed must_commit(ledger& into, ledger::write what) {
  std::vector<ledger::write> writes;
  writes.push_back(std::move(what));
  auto results = must(into.commit(writes, at_seconds(1)));
  if (results.size() != 1)
    throw std::runtime_error("one write, one result");
  return std::move(results.front());
}

user numbered_user(std::uint64_t number, std::uint64_t form) {
  const auto n = std::to_string(number);
  user out;
  out.id = "u" + n;
  out.email = "person-" + n + "@example.org";
  out.name = "Person " + n;
  out.label = form == 0 ? "" : "form " + std::to_string(form);
  out.role = static_cast<user_role>(number % 3);
  out.state = static_cast<user_state>((number + form) % 4);
  if (number % 2 == 0)
    out.groups = {"default", "team-" + std::to_string(number % 5)};
  if (form % 2 == 1) {
    out.budgets = {{budget_unit::tokens, budget_window::month, static_cast<std::int64_t>(form) * 1000}};
    out.told = {{out.budgets[0], at_seconds(7), 80}};
    out.former = {{{}, at_seconds(1)}, {{"team-a", "team-b"}, at_seconds(2)}};
  }
  out.created_at = at_seconds(static_cast<std::int64_t>(number));
  out.changed_at = at_seconds(static_cast<std::int64_t>(number + form));
  return out;
}

client_key numbered_key(const ledger& by, std::uint64_t number, std::uint64_t form) {
  const auto text = "sk-registry-secret-" + std::to_string(number);
  client_key out;
  out.id = by.id_of_key(text);
  out.sealed = must(by.seal_key(text, out.id));
  out.shown = "sk-reg…" + std::to_string(number % 10'000);
  out.state = static_cast<key_state>(form % 7);
  out.origin = static_cast<key_origin>(number % 3);
  out.why_suspended = static_cast<suspension>(form % 5);
  out.created_at = at_seconds(static_cast<std::int64_t>(number));
  out.changed_at = at_seconds(static_cast<std::int64_t>(number + form));
  if (form == 0)
    return out;
  out.owner = "u" + std::to_string(number % 10);
  out.label = "laptop";
  out.assigned_at = at_seconds(1);
  if (form % 2 == 0)
    out.expires_at = at_seconds(2);
  if (form % 3 == 0) {
    out.retires_at = at_seconds(3);
    out.successor = key_id("k-next");
    out.predecessor = key_id("k-before");
  }
  out.budgets = {{budget_unit::cost, budget_window::lifetime, 5}};
  out.told = {{{budget_unit::requests, budget_window::hour, 9}, at_seconds(4), 95}};
  out.nodes = {"alpha"};
  out.in_force = {"alpha", "beta"};
  out.reminders = static_cast<std::uint32_t>(form);
  if (form % 3 == 1)
    out.renewal = renewal_request{at_seconds(static_cast<std::int64_t>(form)), 86'400, "the thesis is late"};
  return out;
}

policy numbered_policy(std::uint64_t number, std::uint64_t form) {
  policy out;
  out.name = "team-" + std::to_string(number);
  out.keys_per_user = static_cast<std::uint32_t>(form);
  out.key_lifetime_s = 86'400;
  out.longest_renewal_s = -1;
  out.renewal = static_cast<renewal_rule>(form % 3);
  out.key_budgets = {{budget_unit::requests, budget_window::day, 100}};
  out.user_budgets = {{budget_unit::tokens, budget_window::week, 100}};
  out.group_budgets = {{budget_unit::cost, budget_window::month, 100}, {budget_unit::cost, budget_window::hour, 1}};
  out.nodes = {"alpha"};
  out.models = {"gpt-5", "claude"};
  out.told = {{out.group_budgets[0], at_seconds(1), 100}};
  return out;
}

append_entry entry_of(log_position expected, registry_entry entry, std::vector<node_event> events) {
  return {expected, std::make_shared<const registry_entry>(std::move(entry)), std::move(events)};
}

std::vector<registry_entry> all_entries(const ledger& from, std::uint32_t piece) {
  std::vector<registry_entry> out;
  for (;;) {
    auto page = must(from.entries(out.empty() ? 0 : out.back().position, piece));
    if (page.empty())
      return out;
    std::move(page.begin(), page.end(), std::back_inserter(out));
  }
}

std::vector<record_group> all_records(const ledger& from, const node_name& node, std::size_t piece) {
  std::map<std::pair<std::string, std::string>, record_group> groups;
  const auto walk = from.records(node, nullptr);
  for (;;) {
    auto part = must(walk->next(piece));
    if (part.empty())
      break;
    if (count_details(part) > piece)
      throw std::runtime_error("more records than asked for");
    for (auto& group : part) {
      auto& whole = groups[{group.client_key.reveal(), group.model}];
      whole.client_key = group.client_key;
      whole.model = group.model;
      std::move(group.details.begin(), group.details.end(), std::back_inserter(whole.details));
    }
  }
  std::vector<record_group> out;
  for (auto& [name, group] : groups)
    out.push_back(std::move(group));
  return out;
}

std::uint64_t count_details(const std::vector<record_group>& groups) {
  std::uint64_t count = 0;
  for (const auto& group : groups)
    count += group.details.size();
  return count;
}

std::vector<arrival> all_arrivals(const ledger& from, std::uint32_t piece) {
  std::vector<arrival> out;
  for (read_arrivals what{.limit = piece, .with_extra = true, .whole = true};;) {
    auto part = must(from.arrivals(what));
    if (part.empty())
      return out;
    what.after = part.back().record.seq;
    std::move(part.begin(), part.end(), std::back_inserter(out));
  }
}

std::string all_bytes(const std::filesystem::path& folder) {
  std::string out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) {
      std::ifstream in{entry.path(), std::ios::binary};
      out.append(std::istreambuf_iterator<char>{in}, {});
    }
  return out;
}

} // namespace keyportal::storage::test
