// What backups and letting records go cost, and what commits notice of it: over a ledger that usage_bench made.
// Usage: care_bench FOLDER (that of usage_bench; it is changed)
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <fmt/core.h>
#include <sys/stat.h>

#include "figure.hpp"
#include "storage/backup/repository.hpp"
#include "storage/cells.hpp"
#include "storage/ledger.hpp"

namespace {

using namespace keyportal;
using bench::figure;
using clock_type = std::chrono::steady_clock;
namespace fs = std::filesystem;

template <class T>
T must(caf::expected<T> result) {
  if (!result)
    throw std::runtime_error(render(result.error()));
  return std::move(*result);
}
void must(const caf::error& error) {
  if (error)
    throw std::runtime_error(render(error));
}
double ms_since(clock_type::time_point start) {
  return std::chrono::duration<double, std::milli>(clock_type::now() - start).count();
}

moment now() { return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()); }

/// Commits of ten records each, a hundred a second; the ledger has one writer, as in the service.
class writer {
public:
  explicit writer(storage::ledger& books) : books_(books), thread_([this] { run(); }) {}
  ~writer() {
    stop_ = true;
    thread_.join();
  }
  /// What the writing thread does besides.
  caf::error write(const std::vector<storage::ledger::write>& what) {
    const std::lock_guard lock{mutex_};
    const auto done = books_.commit(what, now());
    return done ? caf::error{} : done.error();
  }
  void forget(const std::vector<sequence>& seqs) {
    const std::lock_guard lock{mutex_};
    must(books_.forget_outbox(seqs));
  }
  std::vector<double> take() {
    const std::lock_guard lock{waits_mutex_};
    return std::exchange(waits_, {});
  }

private:
  void run() {
    while (!stop_) {
      std::vector<record_group> groups(1);
      groups[0].client_key = secret{"sk-care"};
      groups[0].model = "model-care";
      for (int i = 0; i < 10; ++i) {
        detail d;
        d.at = {unix_ns(now()) + i, 0};
        d.tokens = {1, 1, 0, 0, 2};
        d.id = make_record_id("node-1", "sk-care", "model-care", d);
        groups[0].details.push_back(std::move(d));
      }
      collection poll;
      poll.node = "node-1";
      poll.from_poll = false;
      poll.groups = std::make_shared<const std::vector<record_group>>(std::move(groups));
      const auto start = clock_type::now();
      {
        const std::lock_guard lock{mutex_};
        const auto done = books_.commit({poll}, now());
        if (!done)
          must(done.error());
      }
      {
        const std::lock_guard lock{waits_mutex_};
        waits_.push_back(ms_since(start));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
  }
  storage::ledger& books_;
  std::mutex mutex_, waits_mutex_;
  std::vector<double> waits_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void show(const std::string& name, std::vector<double> waits) {
  figure("care.commit." + name + ".p50", bench::percentile(waits, 0.5), "ms", waits.size());
  figure("care.commit." + name + ".p99", bench::percentile(waits, 0.99), "ms", waits.size());
  figure("care.commit." + name + ".max", waits.empty() ? 0 : waits.back(), "ms", waits.size());
}

} // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    fmt::print(stderr, "care_bench FOLDER\n");
    return 2;
  }
  try {
    const fs::path parent = arguments[1];
    storage::settings how;
    how.folder = parent / "ledger";
    auto books = must(storage::ledger::open(how));
    const auto records = books->state().records;
    for (;;) {
      std::vector<sequence> shipped;
      for (const auto& item : must(books->read_outbox(0, 10'000)).items)
        shipped.push_back(item.seq);
      if (shipped.empty())
        break;
      must(books->forget_outbox(shipped));
    }
    const auto key = parent / "backup.key";
    std::ofstream{key} << std::string(64, '1');
    ::chmod(key.c_str(), 0600);
    fs::remove_all(parent / "backups");
    const auto to = must(backup::repository::open(parent / "backups", {key, {}}, true));
    writer commits{*books};
    const auto wait = [](int seconds) { std::this_thread::sleep_for(std::chrono::seconds{seconds}); };
    wait(1);
    commits.take();
    wait(10);
    show("alone", commits.take());

    const auto make = [&](const std::string& name) {
      const auto state = books->state();
      const auto start = clock_type::now();
      const auto cpu = bench::cpu_ms();
      const auto made = must(to.make({how.folder,
                                      [&](const fs::path& folder) { return books->checkpoint(folder); },
                                      state.last,
                                      state.records,
                                      now(),
                                      false,
                                      {}}));
      figure("care.backup." + name, ms_since(start) / 1000, "s", records);
      figure("care.backup." + name + ".cpu", (bench::cpu_ms() - cpu) / 1000, "s", records);
      figure("care.backup." + name + ".bytes", static_cast<double>(made.bytes), "bytes", records);
      figure("care.backup." + name + ".new_bytes", static_cast<double>(made.new_bytes), "bytes", records);
      show("while_" + name + "_backup", commits.take());
      return made.id;
    };
    make("first");
    wait(2);
    commits.take();
    const auto last = make("second");
    {
      const auto start = clock_type::now();
      std::set<std::string> proved;
      must(to.verify(last, proved, {}));
      figure("care.backup.verify", ms_since(start) / 1000, "s", records);
    }

    std::vector<sequence> shipped;
    for (const auto& item : must(books->read_outbox(0, 10'000)).items)
      shipped.push_back(item.seq);
    commits.forget(shipped);
    commits.take();
    const auto before = backup::size_of_folder(how.folder);
    const auto start = clock_type::now();
    std::uint64_t went = 0;
    int days = 0;
    const auto all = must(books->days_of_records(INT32_MAX));
    for (const auto& which : all) {
      if (days == 60)
        break;
      journal_entry close, retire;
      close.retired = storage::ledger::close_before({which.node, which.day + 1});
      must(commits.write({close}));
      const auto checked = must(books->check_day(which, must(books->first_unread({}))));
      if (!checked.ready)
        throw std::runtime_error(checked.why);
      retire.retired = checked.ready;
      must(commits.write({retire}));
      must(books->give_back(which.node, which.day, which.day + 1));
      went += checked.records;
      ++days;
    }
    figure("care.retention.days", days, "days", went);
    figure("care.retention.time", ms_since(start) / 1000, "s", went);
    figure("care.retention.given_back", static_cast<double>(before - backup::size_of_folder(how.folder)), "bytes",
           went);
    show("while_retention", commits.take());
  } catch (const std::exception& problem) {
    fmt::print(stderr, "care_bench: {}\n", problem.what());
    return 1;
  }
  return 0;
}
