#include "world.hpp"

#include <algorithm>
#include <cstdlib>
#include <ctime>

namespace keyportal::test {

namespace {

/// Half of the models have a price, which depends on what was used.
class odd_prices : public pricing {
public:
  std::optional<std::int64_t> cost_of(const priced_attempt& what) const override {
    if (what.model.ends_with("2"))
      return std::nullopt;
    return 1 + what.parts.output * 7;
  }
};

constexpr std::int64_t hour_ns = 3'600'000'000'000;
std::int64_t full_hour(std::int64_t ns) { return ns - ((ns % hour_ns) + hour_ns) % hour_ns; }

} // namespace

world::world(std::uint32_t seed)
  : random(seed), store(storage::test::must_open(storage::test::small_settings(folder.path()))), desk(store, "UTC") {
  store->use_prices(std::make_shared<const odd_prices>());
  registry_entry first;
  first.position = ++log_;
  first.what = "user.add";
  for (const auto* id : {"u-ada", "u-bob"}) {
    user who;
    who.id = id;
    who.email = std::string(id + 2) + "@example.com";
    who.groups = {"nowhere", std::string(id) == "u-ada" ? "team-a" : "team-b"};
    who.state = user_state::active;
    first.users.push_back({{}, who});
    people_[who.id] = who;
  }
  policy team;
  team.name = "team-a";
  first.policies.push_back({{}, team});
  must(store->commit({storage::test::entry_of(0, first)}, now));
}

void world::give(int key, const user_id& owner, moment since) {
  client_key what;
  what.id = id_of(key);
  what.sealed = must(store->seal_key(text_of(key), what.id));
  what.label = "key " + std::to_string(key);
  what.state = key_state::live;
  what.origin = key_origin::found;
  what.owner = owner;
  what.assigned_at = since;
  registry_entry entry;
  entry.position = log_ + 1;
  entry.what = "key.adopt";
  entry.keys.push_back({{}, what});
  must(store->commit({storage::test::entry_of(log_, entry)}, now));
  ++log_;
  owners_[what.id] = {owner, since};
}

void world::move_to(const user_id& who, std::vector<group_name> groups, moment since) {
  auto& person = people_.at(who);
  const auto before = person;
  person.former.push_back({person.groups, since});
  person.groups = std::move(groups);
  registry_entry entry;
  entry.position = log_ + 1;
  entry.what = "user.change";
  entry.users.push_back({before, person});
  must(store->commit({storage::test::entry_of(log_, entry)}, now));
  ++log_;
}

void world::use(std::size_t records, moment from, moment to) {
  now = std::max(now, to);
  ++rounds;
  std::map<std::tuple<node_name, std::string, std::string>, record_group> groups;
  for (std::size_t i = 0; i < records; ++i) {
    attempt one;
    for (auto& byte : one.id.bytes)
      byte = static_cast<std::uint8_t>(random());
    const auto key = static_cast<int>(std::min(pick(keys), pick(keys)));
    one.node = pick(3) == 0 ? "beta" : "alpha";
    one.key = id_of(key);
    one.model = "model-" + std::to_string(pick(4));
    one.account = pick(9) == 0 ? "" : "account-" + std::to_string(pick(5));
    one.source = one.account.empty() ? "" : "Person-" + one.account + "@example.com";
    const auto span = static_cast<std::uint64_t>(unix_ns(to) - unix_ns(from));
    const auto draw = (std::uint64_t{random()} << 32 | random()) % span;
    // Some fall together, and on borders.
    auto at = unix_ns(from) + static_cast<std::int64_t>(draw);
    if (pick(5) == 0)
      at = full_hour(at) < unix_ns(from) ? unix_ns(from) : full_hour(at);
    one.at = {at, 480};
    one.latency_ms = static_cast<std::int64_t>(pick(20'000));
    one.failed = pick(6) == 0;
    one.round = rounds;
    if (pick(8) != 0) {
      attempt_facts facts;
      facts.provider = "provider-" + std::to_string(pick(3));
      facts.alias = pick(3) == 0 ? "" : "Alias " + one.model;
      facts.endpoint = pick(2) == 0 ? "POST /v1/messages" : "POST /v1/responses";
      facts.ttft_ms = static_cast<std::int64_t>(pick(3'000));
      facts.status_code = one.failed ? (pick(2) == 0 ? 429 : 500) : 200;
      facts.error = one.failed ? (facts.status_code == 429 ? "usage limit reached" : "upstream overloaded") : "";
      one.parts = {static_cast<std::int64_t>(pick(5000)),
                   static_cast<std::int64_t>(pick(500)),
                   static_cast<std::int64_t>(pick(50)),
                   static_cast<std::int64_t>(pick(5000)),
                   3,
                   0};
      one.facts = std::move(facts);
    }
    one.tokens = {static_cast<std::int64_t>(pick(9000)), static_cast<std::int64_t>(pick(900)), 3, 0, 0};
    one.tokens.total = one.tokens.input + one.tokens.output;
    auto& group = groups[{one.node, text_of(key), one.model}];
    group.client_key = secret{text_of(key)};
    group.model = one.model;
    group.details.push_back({one.id, one.at, one.latency_ms, one.source, one.account, one.tokens, one.failed, one.parts,
                             one.facts ? std::make_shared<const attempt_facts>(*one.facts) : nullptr});
    attempts.push_back(std::move(one));
  }
  std::map<record_id, const stored_record*> kept;
  for (const auto& node : {"alpha", "beta"}) {
    std::vector<record_group> of_node;
    for (auto& [where, group] : groups)
      if (std::get<0>(where) == node)
        of_node.push_back(std::move(group));
    const auto done = must(store->commit({storage::test::decoded(node, std::move(of_node))}, now));
    for (const auto& one : *done[0].records)
      for (auto& mine : attempts)
        if (mine.round == rounds && mine.id == one.id) {
          mine.parts = one.parts; // of those without facts the ledger works them out
          mine.cost_nano = one.cost_nano;
        }
  }
}

std::string world::value_of(const attempt& one, usage_by by, const std::string& zone) const {
  const auto facts = one.facts.value_or(attempt_facts{});
  const auto owner = [&]() -> user_id {
    const auto found = owners_.find(one.key);
    if (found == owners_.end() || full_hour(one.at.unix_ns) + hour_ns <= unix_ns(found->second.since))
      return {};
    return found->second.by;
  };
  switch (by) {
    case usage_by::node: return one.node;
    case usage_by::key: return one.key;
    case usage_by::user: return owner();
    case usage_by::group: {
      if (owner().empty())
        return "";
      const auto& who = people_.at(owner());
      auto groups = who.groups;
      for (auto former = who.former.rbegin(); former != who.former.rend(); ++former)
        if (unix_ns(former->until) >= full_hour(one.at.unix_ns) + hour_ns)
          groups = former->groups;
      return std::find(groups.begin(), groups.end(), "team-a") != groups.end() ? "team-a" : "default";
    }
    case usage_by::model: return one.model;
    case usage_by::alias: return facts.alias;
    case usage_by::provider: return facts.provider;
    case usage_by::account: return one.account;
    case usage_by::endpoint: return facts.endpoint;
    case usage_by::outcome: return one.failed ? "failed" : "ok";
    case usage_by::status: return std::to_string(facts.status_code);
    case usage_by::weekday: return std::to_string(local(full_hour(one.at.unix_ns), zone).weekday);
    case usage_by::hour: return std::to_string(local(full_hour(one.at.unix_ns), zone).hour);
  }
  return {};
}

bool world::fits(const attempt& one, const usage_filter& where, const std::string& zone) const {
  return std::all_of(where.begin(), where.end(), [&](const auto& filter) {
    const auto value = value_of(one, filter.first, zone);
    return std::find(filter.second.begin(), filter.second.end(), value) != filter.second.end();
  });
}

usage_sums sums_of(const attempt& one) {
  usage_sums out;
  out.requests = 1;
  out.failed = one.failed ? 1 : 0;
  out.tokens = one.tokens;
  out.parts = one.parts;
  out.latency_ms = one.latency_ms;
  if (one.facts && one.facts->ttft_ms > 0) {
    out.timed_first = 1;
    out.ttft_ms = one.facts->ttft_ms;
  }
  out.cost_nano = one.cost_nano.value_or(0);
  out.unpriced = one.cost_nano ? 0 : 1;
  return out;
}

local_time local(std::int64_t unix_ns, const std::string& zone) {
  ::setenv("TZ", zone.c_str(), 1);
  ::tzset();
  const auto second =
    static_cast<std::time_t>((unix_ns - ((unix_ns % 1'000'000'000) + 1'000'000'000) % 1'000'000'000) / 1'000'000'000);
  std::tm broken{};
  ::localtime_r(&second, &broken);
  return {broken.tm_year + 1900,
          broken.tm_mon + 1,
          broken.tm_mday,
          broken.tm_hour,
          broken.tm_min,
          broken.tm_sec,
          broken.tm_wday == 0 ? 7 : broken.tm_wday};
}

} // namespace keyportal::test
