// A ledger in memory, for tests of the compatibility listener.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "gateway/compat/backend.hpp"
#include "messages/errors.hpp"

namespace keyportal::compat::test {

class fake_backend : public backend {
public:
  sequence last() override {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  caf::expected<std::vector<arrival>> arrivals(const read_arrivals& what) override {
    const std::lock_guard lock(mutex_);
    if (broken)
      return make_error(errc::storage_failed, "broken");
    std::vector<arrival> out;
    const auto limit = std::min<std::uint32_t>(what.limit, 10'000);
    for (auto one = std::upper_bound(all_.begin(), all_.end(), what.after,
                                     [](sequence after, const arrival&a) { return after < a.record.seq; });
         one != all_.end() && out.size() < limit; ++one)
      if (!what.node || one->record.node == *what.node) {
        out.push_back(*one);
        if (!what.with_extra)
          out.back().extra.clear();
        if (!what.whole) {
          out.back().client_key = {};
          out.back().source.clear();
        }
      }
    return out;
  }
  totals sums(const node_name& node) override {
    const std::lock_guard lock(mutex_);
    totals out;
    for (const auto& a : all_)
      if (node.empty() || a.record.node == node)
        out.add(a.record.tokens, a.record.parts, a.record.latency_ms, a.record.failed);
    return out;
  }
  caf::expected<std::vector<consumer_progress>> places() override {
    const std::lock_guard lock(mutex_);
    std::vector<consumer_progress> out;
    for (const auto& [name, seq] : kept)
      out.push_back({name, seq});
    return out;
  }
  caf::error keep_place(const std::string& name, sequence seq) override {
    const std::lock_guard lock(mutex_);
    if (broken)
      return make_error(errc::storage_failed, "broken");
    kept[name] = seq;
    return {};
  }
  std::vector<node_name> nodes() override { return configured; }
  std::string version_of(const node_name& node) override { return versions.contains(node) ? versions[node] : ""; }
  caf::expected<record_group> decode(const node_name& node, std::string_view text) override {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("timestamp"))
      return make_error(errc::file_malformed);
    record_group out{secret{json.value("api_key", "")}, json.value("model", ""), {}};
    auto& d = out.details.emplace_back();
    d.at = *parse_rfc3339(json["timestamp"].get<std::string>());
    d.source = json.value("source", "");
    d.auth_index = json.value("auth_index", "");
    d.failed = json.value("failed", false);
    const auto& t = json["tokens"];
    d.tokens = {t["input_tokens"], t["output_tokens"], t["reasoning_tokens"], t["cached_tokens"], t["total_tokens"]};
    d.id = make_record_id(node, out.client_key.reveal(), out.model, d);
    return out;
  }
  caf::expected<import_report> take_records(const node_name& node, std::vector<record_group> groups) override {
    import_report out;
    for (const auto& group : groups)
      for (const auto& d : group.details) {
        ++out.records;
        out.added += add(node, group.client_key.reveal(), group.model, d) ? 1 : 0;
      }
    return out;
  }
  void restore(const node_name& node) override { restored.push_back(node); }
  caf::expected<http_response> forward(const node_name& node, const http_request& request,
                                       const std::string& target) override {
    passed.push_back(node + " " + request.method + " " + target + " " + request.body);
    for (const auto& [name, value] : request.headers)
      passed_headers += name + "=" + value + "\n";
    http_response out;
    out.status = 200;
    out.content_type = "application/json; charset=utf-8";
    out.body = std::make_shared<const std::string>(R"({"api-keys":["k"]})");
    return out;
  }
  moment now() override { return moment_of(1'700'000'000'000'000'000); }

  /// False when it was there already.
  bool add(const node_name& node, const std::string& client_key, const std::string& model, const detail& d,
           const std::string& extra = {}) {
    const std::lock_guard lock(mutex_);
    if (!ids_.insert(d.id).second)
      return false;
    arrival a;
    a.record = {++last_,  d.id,     node,    "k-hidden", model, d.auth_index, d.at, d.latency_ms,
                d.tokens, d.failed, d.parts, d.facts,    {}};
    a.client_key = secret{client_key};
    a.source = d.source;
    a.extra = extra;
    all_.push_back(std::move(a));
    return true;
  }
  /// `count` records of a node, each another one.
  void add_some(const node_name& node, int count, const std::string& client_key = "sk-alice") {
    for (int i = 0; i < count; ++i) {
      detail d;
      d.at = {1'700'000'000'000'000'000 + ++made_ * 1'000'000, 480};
      d.source = "alice@example.com";
      d.auth_index = "a35e8f28ad4fc014";
      d.tokens = {made_, 2, 0, 0, made_ + 2};
      d.failed = made_ % 10 == 0;
      d.id = make_record_id(node, client_key, "gpt-5.4", d);
      add(node, client_key, "gpt-5.4", d);
    }
  }
  void event() { // sequences have holes
    const std::lock_guard lock(mutex_);
    ++last_;
  }

  std::atomic<bool> broken{false};
  std::map<std::string, sequence> kept;
  std::vector<node_name> configured{"one"};
  std::map<node_name, std::string> versions;
  std::vector<node_name> restored;
  std::vector<std::string> passed;
  std::string passed_headers;

private:
  std::mutex mutex_;
  std::vector<arrival> all_;
  std::set<record_id> ids_;
  sequence last_ = 0;
  std::int64_t made_ = 0;
};

} // namespace keyportal::compat::test
