// key.activate.p99, key.revoke.p99: from the order to the trial that shows it, one change after the other, at a stand-in
// whose management calls cost what CPA's do. key.many: from 500 orders to three nodes until all of them work everywhere.
// key.call: one management call by itself, which every change needs at least once. The plain names are 6.9.49, which takes 150 ms itself until a write is in force; `.era_b` is 7.2.140;
// with MANAGEMENT_PASSWORD CPA spends no 70 ms on a call.
#include <cstdlib>

#include "actors/telemetry/log.hpp"
#include "tests/bench/figure.hpp"
#include "tests/support/key_stand.hpp"

using namespace keyportal;
using namespace keyportal::bench;
using keyportal::test::key_stand;
using namespace std::chrono_literals;

namespace {

double seconds_of(const std::function<bool()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  if (!work()) {
    std::fputs("a change was not seen in time\n", stderr);
    std::exit(1);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

cpa_sim::options real_one(const std::string& version, std::chrono::milliseconds bcrypt = 70ms) {
  cpa_sim::options o;
  o.version = version;
  o.secret = "s";
  o.keys = {"sk-elsewhere-1"};
  o.bcrypt = bcrypt;
  return o;
}

void one_by_one(const cpa_sim::options& cpa, const std::string& suffix, int n) {
  key_stand stand{1, cpa};
  stand.order({{"first", true}});
  seconds_of([&] { return stand.wait_for({"first"}); });
  std::this_thread::sleep_for(3s); // its config.yaml is kept
  std::vector<double> activate, revoke, call;
  for (int i = 0; i < n; ++i)
    call.push_back(seconds_of([&] {
      caf::scoped_actor self{stand.system()};
      bool good = false;
      self->request(stand.node(0).upstream, 20s, fetch_keys{})
        .receive([&](const keys_answer&) { good = true; }, [](const caf::error&) {});
      return good;
    }));
  for (int i = 0; i < n; ++i) {
    const auto id = fmt::format("k{}", i);
    for (const bool works : {true, false})
      (works ? activate : revoke).push_back(seconds_of([&] {
        stand.order({{id, works}});
        return stand.wait_for({id});
      }));
  }
  const auto count = static_cast<std::uint64_t>(n);
  figure("key.call.p50" + suffix, percentile(call, 0.5), "s", count);
  figure("key.call.p99" + suffix, percentile(call, 0.99), "s", count);
  figure("key.activate.p50" + suffix, percentile(activate, 0.5), "s", count);
  figure("key.activate.p99" + suffix, percentile(activate, 0.99), "s", count);
  figure("key.revoke.p50" + suffix, percentile(revoke, 0.5), "s", count);
  figure("key.revoke.p99" + suffix, percentile(revoke, 0.99), "s", count);
}

void many(const std::string& version, const std::string& suffix) {
  key_stand stand{3, real_one(version)};
  std::vector<std::pair<key_id, bool>> keys;
  for (int i = 0; i < 500; ++i)
    keys.emplace_back(fmt::format("k{}", i), true);
  seconds_of([&] { return stand.wait_for({}); });
  figure("key.many.500x3" + suffix, seconds_of([&] {
           stand.order(keys);
           return stand.wait_for_all();
         }),
         "s", 1500);
}

} // namespace

int main(int argc, char** argv) {
  const int n = argc > 1 ? std::atoi(argv[1]) : 200;
  log::start("error", false);
  one_by_one(real_one("6.9.49"), "", n);
  one_by_one(real_one("7.2.140"), ".era_b", n);
  one_by_one(real_one("7.2.140", 0ms), ".era_b.management_password", n);
  many("6.9.49", "");
  many("7.2.140", ".era_b");
}
