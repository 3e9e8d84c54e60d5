// Random operations on a ledger and on the plainest thing that could be one; both must agree at every look.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "messages/token_rules.hpp"
#include "sample.hpp"

namespace keyportal::storage::test {
namespace {

using id_head = std::array<std::uint8_t, 8>;

struct model_record {
  std::string client_key;
  std::string model;
  detail what;
};

struct model_ledger {
  struct node {
    std::map<sequence, model_record> records;
    std::map<std::pair<std::int64_t, id_head>, std::vector<const detail*>> forms;
    totals sums;
    std::map<std::string, std::pair<std::int64_t, std::int64_t>> credentials;
    bool known = false;
    node_counters counters;
    std::map<std::pair<std::string, std::string>, std::uint64_t> marks;
    std::uint64_t restarts = 0;
    std::uint64_t incompletes = 0;
    std::uint64_t boot = 0;
    std::map<std::uint64_t, std::string> inbox; ///< bytes of the payloads
  };
  std::map<node_name, node> nodes;
  std::set<sequence> outbox;
  std::map<std::uint64_t, std::string> letters;
  std::map<std::string, sequence> consumers;
  sequence last = 0;
  std::uint64_t last_inbox = 0;
  std::uint64_t last_letter = 0;
};

const std::vector<node_name> node_names{"alpha", "beta", "gamma"};

// Numbers that are there, and some that are not.
template <class Map>
std::vector<std::uint64_t> some_of(const Map& from, std::mt19937_64& random) {
  std::vector<std::uint64_t> out{1'000'000 + random() % 50};
  for (const auto& [number, what] : from)
    if (random() % 2 == 0)
      out.insert(out.end(), 1 + random() % 2, number);
  return out;
}

collection random_collection(const model_ledger& model, std::mt19937_64& random) {
  const auto& node = node_names[random() % node_names.size()];
  // Alpha tells of itself in both ways, beta by `/usage` only, gamma by its queue only.
  std::vector<record_group> groups;
  if (node != "gamma" && (node == "beta" || random() % 2 == 0))
    groups = numbered_groups(node, random() % 400, random() % 40);
  if (node != "beta" && (groups.empty() || random() % 3 == 0))
    for (auto& group : queued_groups(node, random() % 400, random() % 40, static_cast<std::uint8_t>(random() % 2)))
      groups.push_back(std::move(group));
  auto out = polled(node, std::move(groups), at_seconds(0));
  out.from_poll = random() % 4 != 0;
  out.forget_marks = random() % 8 == 0;
  out.counters.requests = static_cast<std::int64_t>(random() % 1000);
  for (auto count = random() % 4; count > 0; --count) {
    list_mark mark;
    mark.client_key = secret{"sk-client-secret-" + std::to_string(random() % 5)};
    mark.model = "model-" + std::to_string(random() % 3);
    mark.count = random() % 1000;
    out.marks.push_back(mark);
  }
  if (random() % 3 != 0)
    return out;
  for (const auto& [name, of] : model.nodes) // those of other nodes are not there for this one
    for (const auto number : some_of(of.inbox, random))
      out.inbox_done.push_back(number);
  out.replayed_letters = some_of(model.letters, random);
  for (auto count = random() % 3; count > 0; --count)
    out.dead.push_back({0, "", at_seconds(9), inbox_channel::http_pop, "no timestamp",
                        secret{"letter-secret-" + std::to_string(random() % 1000)}, 0});
  return out;
}

id_head head_of(const record_id& id) {
  id_head out;
  std::copy_n(id.bytes.begin(), out.size(), out.begin());
  return out;
}

bool is_known(const model_ledger::node& node, const detail& d) {
  const auto there = node.forms.find({d.at.unix_ns, head_of(d.id)});
  return there != node.forms.end() && std::any_of(there->second.begin(), there->second.end(), [&](const detail* one) {
           return one->id == d.id || !one->facts || !d.facts;
         });
}

void apply(model_ledger& model, const collection& write, const committed& result) {
  auto& node = model.nodes[write.node];
  std::vector<model_record> records;
  for (const auto& group : *write.groups)
    for (const auto& d : group.details)
      records.push_back({group.client_key.reveal(), group.model, d});
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    const auto order = [](const detail& d) { return std::tuple(d.at.unix_ns, head_of(d.id), !d.facts, d.id); };
    return order(a.what) < order(b.what);
  });
  std::uint64_t duplicates = 0;
  std::size_t fresh = 0;
  for (const auto& one : records) {
    if (is_known(node, one.what)) {
      ++duplicates;
      continue;
    }
    const auto& kept = node.records[++model.last] = one;
    node.forms[{one.what.at.unix_ns, head_of(one.what.id)}].push_back(&kept.what);
    node.sums.add(one.what.tokens, one.what.facts ? one.what.parts : parts_by_model(one.model, one.what.tokens),
                  one.what.latency_ms, one.what.failed);
    auto& [ok, failed] = node.credentials[one.what.auth_index];
    ++(one.what.failed ? failed : ok);
    model.outbox.insert(model.last);
    REQUIRE(fresh < result.records->size());
    const auto& told = (*result.records)[fresh++];
    REQUIRE(told.seq == model.last);
    REQUIRE(told.id == one.what.id);
    REQUIRE((told.facts == nullptr) == (one.what.facts == nullptr));
    REQUIRE((!told.facts || told.facts->extra.empty()));
  }
  REQUIRE(result.records->size() == fresh);
  REQUIRE(result.duplicates == duplicates);
  for (const auto number : write.inbox_done)
    node.inbox.erase(number);
  for (const auto number : write.replayed_letters)
    model.letters.erase(number);
  for (const auto& letter : write.dead)
    model.letters[++model.last_letter] = letter.payload.reveal();
  if (!write.from_poll)
    return;
  node.known = true;
  node.counters = write.counters;
  if (write.forget_marks)
    node.marks.clear();
  for (const auto& mark : write.marks)
    node.marks[{mark.client_key.reveal(), mark.model}] = mark.count;
}

// --- comparing -----------------------------------------------------------------------

void compare_record(const model_record& expected, const detail& d) {
  REQUIRE(expected.what.id == d.id);
  REQUIRE(expected.what.at == d.at);
  REQUIRE(expected.what.tokens == d.tokens);
  REQUIRE(d.parts == (expected.what.facts ? expected.what.parts : parts_by_model(expected.model, d.tokens)));
  REQUIRE((d.facts == nullptr) == (expected.what.facts == nullptr));
  if (d.facts)
    REQUIRE(*d.facts == *expected.what.facts);
}

void compare_node(const model_ledger::node& node, const node_name& name, const ledger& books, std::mt19937_64& random) {
  const auto memory = must(books.recall(name));
  REQUIRE(memory.known == node.known);
  REQUIRE(memory.counters == node.counters);
  REQUIRE(memory.marks.size() == node.marks.size());
  for (const auto& mark : memory.marks)
    REQUIRE(node.marks.at({mark.client_key.reveal(), mark.model}) == mark.count);
  REQUIRE(must(books.restarts(name, 1000)).size() == node.restarts);
  REQUIRE(must(books.incompletes(name, 1000)).size() == node.incompletes);
  const auto audit = must(books.recall_audit(name));
  REQUIRE(audit.boot == node.boot);
  REQUIRE(audit.credentials.size() == node.credentials.size());
  for (const auto& one : audit.credentials)
    REQUIRE(node.credentials.at(one.auth_index) == std::pair(one.held_ok, one.held_failed));
  std::map<record_id, const model_record*> by_id;
  for (const auto& [seq, record] : node.records)
    by_id[record.what.id] = &record;
  std::uint64_t seen = 0;
  const auto walk = books.records(name, nullptr, true);
  for (auto part = must(walk->next(17)); !part.empty(); part = must(walk->next(17)))
    for (const auto& group : part)
      for (const auto& d : group.details) {
        compare_record(*by_id.at(d.id), d);
        REQUIRE(by_id.at(d.id)->client_key == group.client_key.reveal());
        ++seen;
      }
  REQUIRE(seen == node.records.size());
  REQUIRE(must(books.sums_since(name, moment_of(0))) == node.sums);

  std::map<std::uint64_t, std::string> inbox;
  for (auto part = must(books.read_inbox(name, 0, 3)); !part.empty();
       part = must(books.read_inbox(name, part.back().number, 3)))
    for (const auto& entry : part)
      inbox[entry.number] = entry.what.payloads->bytes;
  REQUIRE(inbox == node.inbox);

  // Its arrivals alone, from anywhere.
  read_arrivals what{.after = random() % 500, .limit = 37, .node = name};
  auto expected = node.records.upper_bound(what.after);
  for (auto part = must(books.arrivals(what)); !part.empty(); part = must(books.arrivals(what))) {
    for (const auto& one : part) {
      REQUIRE(expected != node.records.end());
      REQUIRE(one.record.seq == expected->first);
      REQUIRE(one.record.id == expected->second.what.id);
      REQUIRE(one.client_key.empty());
      REQUIRE(one.extra.empty());
      ++expected;
    }
    what.after = part.back().record.seq;
  }
  REQUIRE(expected == node.records.end());
}

void compare(const model_ledger& model, const ledger& books, std::mt19937_64& random) {
  const auto state = books.state();
  REQUIRE(state.last == model.last);
  REQUIRE(state.outbox == model.outbox.size());
  REQUIRE(state.dead_letters == model.letters.size());
  std::uint64_t records = 0;
  std::uint64_t inbox = 0;
  std::map<sequence, const model_record*> all;
  for (const auto& [name, node] : model.nodes) {
    compare_node(node, name, books, random);
    records += node.records.size();
    inbox += node.inbox.size();
    for (const auto& [seq, record] : node.records)
      all[seq] = &record;
  }
  REQUIRE(state.records == records);
  REQUIRE(state.inbox == inbox);
  for (const auto& [name, sums] : state.sums)
    REQUIRE(model.nodes.at(name).sums == sums);
  const auto arrivals = all_arrivals(books, 1 + static_cast<std::uint32_t>(random() % 200));
  REQUIRE(arrivals.size() == all.size());
  auto expected = all.begin();
  for (const auto& one : arrivals) {
    const auto& d = expected->second->what;
    REQUIRE(one.record.seq == expected->first);
    REQUIRE(one.record.id == d.id);
    REQUIRE(one.client_key.reveal() == expected->second->client_key);
    REQUIRE(one.source == d.source);
    REQUIRE(one.extra == (d.facts ? d.facts->extra : ""));
    ++expected;
  }
  std::set<sequence> outbox;
  for (auto page = must(books.read_outbox(0, 50)); !page.items.empty();
       page = must(books.read_outbox(page.items.back().seq, 50)))
    for (const auto& item : page.items) {
      outbox.insert(item.seq);
      if (item.record)
        REQUIRE(item.record->id == all.at(item.seq)->what.id);
    }
  REQUIRE(outbox == model.outbox);
  std::map<std::uint64_t, std::string> letters;
  for (auto part = must(books.dead_letters(0, 2, true)); !part.empty();
       part = must(books.dead_letters(part.back().number, 2, true)))
    for (const auto& letter : part)
      letters[letter.number] = letter.payload.reveal();
  REQUIRE(letters == model.letters);
  std::map<std::string, sequence> consumers;
  for (const auto& one : must(books.consumers()))
    consumers[one.name] = one.seq;
  REQUIRE(consumers == model.consumers);
  must(books.verify());
}

// --- doing ---------------------------------------------------------------------------

journal_entry random_entry(const model_ledger& model, const node_name& node, std::mt19937_64& random) {
  journal_entry entry;
  for (auto count = random() % 3; count > 0; --count)
    entry.events.push_back({0, event_kind::totals, node, at_seconds(0), "{}"});
  if (random() % 2 == 0) {
    entry.restart = restart_record{};
    entry.restart->node = node;
  }
  if (random() % 2 == 0) {
    entry.audit = audit_memory{};
    entry.audit->node = node;
    entry.audit->boot = random() % 100;
    // Only of credentials that have records, so that the model need not remember the others.
    if (const auto of = model.nodes.find(node); of != model.nodes.end())
      for (const auto& [auth_index, counts] : of->second.credentials)
        entry.audit->credentials.push_back({auth_index, 1, 2, 3, 4, 99, 99});
  }
  for (auto count = random() % 3; count > 0; --count) {
    entry.incompletes.emplace_back();
    entry.incompletes.back().node = node;
  }
  if (random() % 3 == 0)
    entry.dropped_letters = some_of(model.letters, random);
  return entry;
}

void apply(model_ledger& model, const node_name& name, const journal_entry& entry, const committed& result) {
  for (const auto& event : *result.events) {
    REQUIRE(event.seq == ++model.last);
    model.outbox.insert(event.seq);
    model.nodes[name]; // an event makes a node known
  }
  if (entry.restart)
    REQUIRE(result.restart_number == ++model.nodes[name].restarts);
  REQUIRE(result.incomplete_numbers.size() == entry.incompletes.size());
  for (const auto number : result.incomplete_numbers)
    REQUIRE(number == ++model.nodes[name].incompletes);
  if (entry.audit)
    model.nodes[name].boot = entry.audit->boot;
  for (const auto number : entry.dropped_letters)
    model.letters.erase(number);
}

void run(std::uint64_t seed, int steps) {
  std::mt19937_64 random{seed};
  const scratch_folder folder;
  auto how = small_settings(folder.path());
  how.write_buffer_bytes = std::size_t{256} << 10; // much flushing and merging
  auto books = must_open(how);
  model_ledger model;
  for (int step = 0; step < steps; ++step) {
    const auto& node = node_names[random() % node_names.size()];
    switch (random() % 12) {
      case 0: {
        books.reset();
        books = must_open(how);
        break;
      }
      case 1: {
        std::vector<sequence> shipped;
        const auto share = 1 + random() % 3;
        for (const auto seq : model.outbox)
          if (random() % share == 0)
            shipped.push_back(seq);
        must(books->forget_outbox(shipped));
        for (const auto seq : shipped)
          model.outbox.erase(seq);
        break;
      }
      case 2: {
        const auto entry = random_entry(model, node, random);
        apply(model, node, entry, must_commit(*books, entry));
        break;
      }
      case 3: {
        const consumer_progress progress{"tool-" + std::to_string(random() % 3), random() % (model.last + 1)};
        must_commit(*books, progress);
        model.consumers[progress.name] = progress.seq;
        REQUIRE(must(books->consumer_position(progress.name)) == progress.seq);
        break;
      }
      case 4: {
        std::vector<ledger::write> writes;
        std::vector<received> batches;
        for (auto count = 1 + random() % 4; count > 0; --count) {
          std::vector<std::string> payloads(1 + random() % 20);
          for (auto& one : payloads)
            one = R"({"api_key":"payload-secret-)" + std::to_string(random() % 100) + "\"}";
          batches.push_back(received_now(node, payloads));
          writes.emplace_back(batches.back());
        }
        const auto results = must(books->commit(writes, at_seconds(0)));
        for (std::size_t i = 0; i < writes.size(); ++i) {
          REQUIRE(results[i].inbox_number == ++model.last_inbox);
          model.nodes[node].inbox[model.last_inbox] = batches[i].payloads->bytes;
        }
        break;
      }
      default: {
        std::vector<ledger::write> writes;
        std::vector<collection> collections;
        for (auto count = 1 + random() % 3; count > 0; --count) {
          collections.push_back(random_collection(model, random));
          writes.emplace_back(collections.back());
        }
        const auto results = must(books->commit(writes, at_seconds(0)));
        REQUIRE(results.size() == writes.size());
        for (std::size_t i = 0; i < writes.size(); ++i)
          apply(model, collections[i], results[i]);
      }
    }
    if (random() % 5 == 0)
      compare(model, *books, random);
  }
  compare(model, *books, random);
}

} // namespace

TEST_CASE("Whatever is done in whatever order, the ledger agrees with a map in memory") {
  const std::uint64_t seed = std::random_device{}();
  for (std::uint64_t i = 0; i < 6; ++i) {
    INFO("seed " << seed + i);
    run(seed + i, 120);
  }
}

} // namespace keyportal::storage::test
