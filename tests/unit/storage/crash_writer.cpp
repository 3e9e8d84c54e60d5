// Commits numbered records one collection after the other and tells each on standard output once it is on disk, until
// it is killed. Usage: storage_crash_writer FOLDER FIRST usage|queue|registry|reprice
// With `queue` it tells of what was received instead, and decodes each some commits later, as a collector does.
// With `reprice` it works out anew what a thousand records cost, again and again, and tells the price.
// With `registry` it appends entries: each brings a person and changes the one before.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <deque>

#include <unistd.h>

#include "flat_prices.hpp"
#include "sample.hpp"

namespace {

using namespace keyportal;
using namespace keyportal::storage;

constexpr std::uint64_t each = 40;

bool tell(std::uint64_t number) {
  const auto line = std::to_string(number) + "\n";
  return ::write(STDOUT_FILENO, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

int write_usage(ledger& books, std::uint64_t number) {
  for (;; number += each) {
    auto poll = test::polled("alpha", test::numbered_groups("alpha", number, each));
    poll.counters.requests = static_cast<std::int64_t>(number + each);
    test::must_commit(books, std::move(poll));
    if (!tell(number + each) || number > 10'000'000)
      return 1; // nobody kills us
    if (number % 200 == 0)
      test::must(books.forget_outbox({number, number + 1, number + 2}));
  }
}

// Each payload is the number of its record; every seventh cannot be decoded.
collection decode_entry(const inbox_entry& entry) {
  std::vector<record_group> groups;
  collection out = test::decoded("alpha", {});
  for (std::size_t i = 0; i < entry.what.payloads->size(); ++i) {
    const auto text = (*entry.what.payloads)[i];
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    if (number % 7 == 0)
      out.dead.push_back(
        {0, "", entry.what.at, entry.what.channel, "is divisible by seven", secret{std::string{text}}, 0});
    else
      for (auto& group : test::queued_groups("alpha", number, 1))
        groups.push_back(std::move(group));
  }
  out.groups = std::make_shared<const std::vector<record_group>>(std::move(groups));
  out.inbox_done = {entry.number};
  return out;
}

int write_queue(ledger& books, std::uint64_t number) {
  // What the one before left.
  for (std::uint64_t after = 0;;) {
    const auto left = test::must(books.read_inbox("alpha", after, 16));
    if (left.empty())
      break;
    for (const auto& entry : left)
      test::must_commit(books, decode_entry(entry));
    after = left.back().number;
  }
  std::deque<inbox_entry> waiting;
  for (;; number += each) {
    std::vector<std::string> payloads;
    for (auto i = number; i < number + each; ++i)
      payloads.push_back(std::to_string(i));
    const auto what = test::received_now("alpha", payloads);
    std::vector<ledger::write> writes{what};
    // Commits of their own, and such as receive and decode at once.
    if (waiting.size() > 2 && number % 3 != 0) {
      writes.emplace_back(decode_entry(waiting.front()));
      waiting.pop_front();
    }
    const auto results = test::must(books.commit(writes, test::at_seconds(0)));
    waiting.push_back({results.front().inbox_number, what});
    if (!tell(number + each) || number > 10'000'000)
      return 1;
    if (waiting.size() > 4) {
      test::must_commit(books, decode_entry(waiting.front()));
      waiting.pop_front();
    }
  }
}

int write_costs(ledger& books, std::uint64_t number) {
  if (books.state().records == 0)
    test::must_commit(books, test::polled("alpha", test::numbered_groups("alpha", 0, 1000)));
  for (;; ++number) {
    ledger::reprice_step step;
    step.node = "alpha";
    step.most = 37;
    step.with = std::make_shared<test::flat_prices>(static_cast<std::int64_t>(number + 1));
    do
      step.next = test::must(books.reprice(step)).next;
    while (!step.next.empty());
    if (!tell(number + 1) || number > 1'000'000)
      return 1;
  }
}

int write_registry(ledger& books, std::uint64_t number) {
  for (;; number += 4) {
    std::vector<ledger::write> writes;
    for (auto i = number; i < number + 4; ++i) {
      registry_entry entry;
      entry.at = test::at_seconds(static_cast<std::int64_t>(i) * 3600); // so that commands get old
      entry.command = "command-" + std::to_string(i + 1);
      entry.users = {{std::nullopt, test::numbered_user(i + 1)}};
      if (i > 0)
        entry.users.push_back({test::numbered_user(i), test::numbered_user(i, 1)});
      node_event event{0, event_kind::user_registered, {}, entry.at, "{}", entry.users[0].after->id};
      writes.emplace_back(test::entry_of(i, entry, {event}));
      writes.emplace_back(test::entry_of(i, std::move(entry), {std::move(event)})); // too late by one
      if (i % 4 == 0)
        writes.emplace_back(test::polled("alpha", test::numbered_groups("alpha", i, 1)));
    }
    test::must(books.commit(writes, test::at_seconds(static_cast<std::int64_t>(number) * 3600)));
    if (!tell(number + 4) || number > 1'000'000)
      return 1;
  }
}

} // namespace

int main(int count, char** arguments) {
  if (count != 4)
    return 2;
  auto how = test::small_settings(arguments[1]);
  how.write_buffer_bytes = std::size_t{256} << 10; // so that the kill also meets flushes and merges
  const auto books = test::must_open(how);
  const auto first = std::strtoull(arguments[2], nullptr, 10);
  const std::string mode = arguments[3];
  if (mode == "reprice")
    return write_costs(*books, first);
  if (mode == "registry")
    return write_registry(*books, first);
  return mode == "queue" ? write_queue(*books, first) : write_usage(*books, first);
}
