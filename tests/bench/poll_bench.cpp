// poll.diff: CPU and memory of looking at a /usage answer in which ten details are new, against a full DOM pass.
#include <cstdlib>
#include <memory>
#include <random>

#include <malloc.h>
#include <nlohmann/json.hpp>

#include "actors/cpa/export_document.hpp"
#include "actors/cpa/usage_document.hpp"
#include "tests/bench/figure.hpp"

using namespace keyportal;
using namespace keyportal::bench;

namespace {

constexpr std::size_t spare = 64;

/// `count` details in the shape of a busy team: 28 keys, 8 models, e-mail sources.
std::vector<record_group> usage(std::size_t count, std::mt19937_64& random) {
  std::vector<record_group> groups;
  for (int key = 0; key < 28; ++key)
    for (int model = 0; model < 8; ++model)
      groups.push_back(
        {secret{fmt::format("sk-team-{:04}-abcdefghijklmnop", key)}, fmt::format("model-{}-preview", model), {}});
  std::int64_t now = 1'790'000'000'000'000'000;
  for (std::size_t i = 0; i < count; ++i) {
    detail d;
    now += static_cast<std::int64_t>(random() % 2'000'000'000);
    d.at = {now, 480};
    d.latency_ms = static_cast<std::int64_t>(random() % 20'000);
    d.source = fmt::format("person{:02}@example.com", random() % 40);
    d.auth_index = fmt::format("{:016x}", random() % 40);
    d.tokens = {static_cast<std::int64_t>(random() % 30'000), static_cast<std::int64_t>(random() % 4'000),
                static_cast<std::int64_t>(random() % 1'000), static_cast<std::int64_t>(random() % 20'000), 0};
    d.tokens.total = d.tokens.input + d.tokens.output;
    d.failed = random() % 7 == 0;
    groups[random() % groups.size()].details.push_back(std::move(d));
  }
  return groups;
}

/// A /usage answer with room behind it, as the client gives it.
std::string body_of(const std::vector<record_group>& groups) {
  cpa::export_writer writer;
  writer.add(groups);
  auto json = std::move(writer).finish(moment{});
  json.erase(1, json.find("\"usage\"") - 1);
  json.reserve(json.size() + spare);
  return json;
}

void measure(const std::string& name, std::size_t details, int rounds) {
  std::mt19937_64 random{7};
  auto groups = usage(details, random);
  cpa::usage_book book{"bench"};
  {
    const auto before = body_of(groups);
    auto first = book.read(before);
    if (!first || first->details != details)
      std::abort();
    book.accept(*first, false);
  }
  // Ten new ones in five lists, at their ends, as a busy three seconds bring them.
  for (std::size_t i = 0; i < 10; ++i) {
    auto& list = groups[(i % 5) * 37 % groups.size()].details;
    auto d = list.empty() ? detail{} : list.back();
    d.at.unix_ns += 1'000'000 + static_cast<std::int64_t>(i);
    list.push_back(d);
  }
  const auto body = body_of(groups);
  groups = {};
  malloc_trim(0);

  std::vector<double> ms;
  forget_peak_memory();
  const auto rss_before = status_kb("VmRSS"); // the answer itself is in it already
  for (int i = 0; i < rounds; ++i) {
    const auto begin = cpu_ms();
    auto reading = book.read(body);
    ms.push_back(cpu_ms() - begin);
    std::size_t fresh = 0;
    for (const auto& g : reading->fresh)
      fresh += g.details.size();
    if (!reading || fresh != 10 || reading->lists_broken != 0)
      std::abort();
  }
  const auto peak = static_cast<double>(status_kb("VmHWM") - rss_before) * 1024 + static_cast<double>(body.size());
  const auto ours = percentile(ms, 0.5);

  std::vector<double> plain;
  for (int i = 0; i < std::max(1, rounds / 10); ++i) {
    const auto begin = cpu_ms();
    const auto dom = nlohmann::json::parse(body);
    std::int64_t seen = 0;
    for (const auto& [key, api] : dom["usage"]["apis"].items())
      for (const auto& [model, list] : api["models"].items())
        for (const auto& d : list["details"])
          seen += d["tokens"]["total_tokens"].get<std::int64_t>() != 0;
    if (seen == 0)
      std::abort();
    plain.push_back(cpu_ms() - begin);
  }
  figure("poll.diff." + name, ours, "ms", details + 10, "nlohmann DOM", percentile(plain, 0.5) / ours);
  figure("poll.memory." + name, peak / static_cast<double>(body.size()), "x payload", body.size());
}

} // namespace

int main() {
  measure("250kB", 1'000, 200);
  measure("2500kB", 9'800, 100); // 2.5 MB of this shape; the 5,360 details are 1.4 MB
  measure("5360", 5'360, 100);
  measure("25MB", 98'000, 20);
  measure("100MB", 392'000, 10);
}
