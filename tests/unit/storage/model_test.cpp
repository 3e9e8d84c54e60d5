// Random operations on a ledger and on the plainest thing that could be one; both must agree at every look.
#include <catch2/catch_test_macros.hpp>

#include <map>
#include <set>

#include "sample.hpp"

namespace keyportal::storage::test {
namespace {

struct model_ledger {
  struct node {
    std::map<record_id, stored_record> records;
    totals sums;
    bool known = false;
    node_counters counters;
    std::map<std::pair<std::string, std::string>, std::uint64_t> marks;
    std::uint64_t restarts = 0;
  };
  std::map<node_name, node> nodes;
  std::set<sequence> outbox;
  sequence last = 0;
};

const std::vector<node_name> node_names{"alpha", "beta", "gamma"};

collection random_collection(std::mt19937_64& random) {
  const auto& node = node_names[random() % node_names.size()];
  auto out = polled(node, numbered_groups(node, random() % 400, random() % 40), at_seconds(0));
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
  return out;
}

void apply(model_ledger& model, const collection& write, const committed& result) {
  auto& node = model.nodes[write.node];
  std::uint64_t fresh = 0;
  std::uint64_t duplicates = 0;
  for (const auto& group : *write.groups)
    for (const auto& d : group.details)
      if (node.records.try_emplace(d.id).second) {
        node.sums.add(d.tokens, d.facts ? d.parts : parts_by_model(group.model, d.tokens), d.latency_ms, d.failed);
        ++fresh;
      } else {
        ++duplicates;
      }
  REQUIRE(result.records->size() == fresh);
  REQUIRE(result.duplicates == duplicates);
  for (const auto& record : *result.records) {
    REQUIRE(record.seq == ++model.last);
    node.records[record.id] = record;
    model.outbox.insert(record.seq);
  }
  if (!write.from_poll)
    return;
  node.known = true;
  node.counters = write.counters;
  if (write.forget_marks)
    node.marks.clear();
  for (const auto& mark : write.marks)
    node.marks[{mark.client_key.reveal(), mark.model}] = mark.count;
}

void compare(const model_ledger& model, const ledger& books) {
  const auto state = books.state();
  REQUIRE(state.last == model.last);
  REQUIRE(state.outbox == model.outbox.size());
  std::uint64_t records = 0;
  for (const auto& [name, node] : model.nodes) {
    records += node.records.size();
    const auto memory = must(books.recall(name));
    REQUIRE(memory.known == node.known);
    REQUIRE(memory.counters == node.counters);
    REQUIRE(memory.marks.size() == node.marks.size());
    for (const auto& mark : memory.marks)
      REQUIRE(node.marks.at({mark.client_key.reveal(), mark.model}) == mark.count);
    REQUIRE(must(books.restarts(name, 1000)).size() == node.restarts);
    std::uint64_t seen = 0;
    for (const auto& group : all_records(books, name, 17))
      for (const auto& d : group.details) {
        const auto& expected = node.records.at(d.id);
        REQUIRE(expected.at == d.at);
        REQUIRE(expected.tokens == d.tokens);
        REQUIRE(expected.key == books.id_of_key(group.client_key.reveal()));
        ++seen;
      }
    REQUIRE(seen == node.records.size());
    REQUIRE(must(books.sums_since(name, moment_of(0))) == node.sums);
  }
  REQUIRE(state.records == records);
  for (const auto& [name, sums] : state.sums)
    REQUIRE(model.nodes.at(name).sums == sums);
  std::set<sequence> outbox;
  for (auto page = must(books.read_outbox(0, 50)); !page.items.empty();
       page = must(books.read_outbox(page.items.back().seq, 50)))
    for (const auto& item : page.items)
      outbox.insert(item.seq);
  REQUIRE(outbox == model.outbox);
  must(books.verify());
}

void run(std::uint64_t seed, int steps) {
  std::mt19937_64 random{seed};
  const scratch_folder folder;
  auto how = small_settings(folder.path());
  how.write_buffer_bytes = std::size_t{256} << 10; // much flushing and merging
  auto books = must_open(how);
  model_ledger model;
  for (int step = 0; step < steps; ++step) {
    switch (random() % 10) {
      case 0: {
        books.reset();
        books = must_open(how);
        break;
      }
      case 1: {
        std::vector<sequence> shipped;
        for (const auto seq : model.outbox)
          if (random() % 2 == 0)
            shipped.push_back(seq);
        must(books->forget_outbox(shipped));
        for (const auto seq : shipped)
          model.outbox.erase(seq);
        break;
      }
      case 2: {
        journal_entry entry;
        const auto& node = node_names[random() % node_names.size()];
        for (auto count = random() % 3; count > 0; --count)
          entry.events.push_back({0, event_kind::totals, node, at_seconds(0), "{}"});
        if (random() % 2 == 0) {
          entry.restart = restart_record{};
          entry.restart->node = node;
        }
        const auto result = must_commit(*books, entry);
        for (const auto& event : *result.events) {
          REQUIRE(event.seq == ++model.last);
          model.outbox.insert(event.seq);
          model.nodes[node]; // an event makes a node known
        }
        if (entry.restart)
          REQUIRE(result.restart_number == ++model.nodes[node].restarts);
        break;
      }
      default: {
        std::vector<ledger::write> writes;
        std::vector<collection> collections;
        for (auto count = 1 + random() % 3; count > 0; --count) {
          collections.push_back(random_collection(random));
          writes.emplace_back(collections.back());
        }
        const auto results = must(books->commit(writes, at_seconds(0)));
        REQUIRE(results.size() == writes.size());
        for (std::size_t i = 0; i < writes.size(); ++i)
          apply(model, collections[i], results[i]);
      }
    }
    if (random() % 5 == 0)
      compare(model, *books);
  }
  compare(model, *books);
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
