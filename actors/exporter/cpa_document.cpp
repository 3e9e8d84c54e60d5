// Records as one document of CLIProxyAPI's usage export. Such a document lists records by client key and model, and the
// ledger by time: so all of them are sorted in a file first (listed_records), and the ledger is gone through once.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "actors/cpa/export_document.hpp"
#include "actors/exporter/listed_records.hpp"
#include "actors/exporter/record_choice.hpp"
#include "messages/errors.hpp"
#include "messages/json.hpp"

namespace keyportal {
namespace {

using storage::name_kind;
using storage::name_number;
using storage::record_key;
using storage::record_value;

class cpa_document final : public export_source {
public:
  cpa_document(const export_plan& plan, std::shared_ptr<const export_view> view)
    : view_(view), choice_(plan, view), exported_at_(plan.now), records_(plan.scratch, plan.gathered),
      names_(maker{this}) {}

  caf::error prepare() {
    if (auto wrong = choice_.prepare())
      return wrong;
    return choice_.finds_nothing() ? caf::error{} : gather();
  }

  // Places: `number` is the list that is written, `part` how many of its records are.
  caf::expected<bool> write(export_place& at, std::string& out, std::size_t bytes) override {
    const auto began = out.size();
    if (!at.begun) {
      at.begun = true;
      append_head(out);
    }
    while (at.number < lists_.size()) {
      if (out.size() - began >= bytes)
        return true;
      if (auto failed = read_texts(at.number))
        return failed;
      const auto& of = lists_[at.number];
      bool first = at.part == 0; // goes with the list's head, which is written once
      if (first)
        begin_list(out, at.number);
      for (; at.part < of.requests && (first || out.size() - began < bytes); first = false) {
        if (at.part != 0)
          out += ',';
        const auto record = records_.read(at.number, at.part);
        if (!record)
          return record.error();
        if (auto failed = append(out, **record))
          return failed;
        ++at.part;
      }
      if (at.part < of.requests)
        continue;
      out += "]}";
      if (at.number + 1 == lists_.size() || lists_[at.number + 1].key != of.key)
        out += "}}";
      ++at.number;
      at.part = 0;
    }
    out += "}";
    buckets_.append(out);
    out += "}}\n";
    return false;
  }

private:
  struct maker {
    cpa_document* of;
    caf::expected<std::string> operator()(name_kind kind, name_number number) const {
      return of->view_->books->text(kind, number);
    }
  };
  /// Records of one key and one model.
  struct list {
    name_number key = 0, model = 0;
    std::uint64_t requests = 0;
    std::int64_t tokens = 0;
  };
  static std::uint64_t both(name_number key, name_number model) { return std::uint64_t{key} << 32U | model; }

  /// What the document's heads say, and the records of each list.
  caf::error gather() {
    std::unordered_map<std::uint64_t, std::uint32_t> numbers;
    std::uint64_t last = 0; // mostly several of a list come one after the other
    std::uint32_t number = 0;
    caf::error wrong;
    auto failed = choice_.books().each_record(
      choice_.walk(), [&](const node_name&, const record_key& key, const record_value& value) {
        if (const auto which = both(value.client_key, value.model); lists_.empty() || which != last) {
          const auto [at, fresh] = numbers.try_emplace(which, static_cast<std::uint32_t>(lists_.size()));
          if (fresh)
            lists_.push_back({value.client_key, value.model, 0, 0});
          last = which;
          number = at->second;
        }
        auto& one = lists_[number];
        ++one.requests;
        one.tokens += value.tokens.total;
        sums_.add(value.tokens, {}, value.latency_ms, value.failed);
        buckets_.add({key.at_ns, value.offset_minutes}, value.tokens.total);
        wrong = records_.add(number, {key.at_ns, value.latency_ms, value.tokens, value.source, value.auth_index,
                                      value.offset_minutes, value.failed});
        return !wrong;
      });
    if (failed)
      return failed;
    if (wrong)
      return wrong;
    if (auto broken = choice_.failed())
      return broken;
    return sort();
  }

  /// By the texts, as CLIProxyAPI writes them.
  caf::error sort() {
    std::unordered_map<name_number, std::string> keys, models;
    for (const auto& one : lists_) {
      if (!keys.contains(one.key)) {
        const auto text = view_->books->key_text(one.key);
        if (!text)
          return text.error();
        keys.emplace(one.key, text->reveal());
      }
      if (!models.contains(one.model)) {
        auto text = view_->books->text(name_kind::model, one.model);
        if (!text)
          return text.error();
        models.emplace(one.model, std::move(*text));
      }
    }
    std::vector<std::uint32_t> order(lists_.size()), place_of(lists_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](std::uint32_t x, std::uint32_t y) {
      const auto &a = lists_[x], &b = lists_[y];
      return a.key != b.key ? keys.at(a.key) < keys.at(b.key) : models.at(a.model) < models.at(b.model);
    });
    std::vector<list> sorted;
    std::vector<std::uint64_t> sizes;
    for (const auto one : order) {
      place_of[one] = static_cast<std::uint32_t>(sorted.size());
      sorted.push_back(lists_[one]);
      sizes.push_back(lists_[one].requests);
    }
    lists_ = std::move(sorted);
    return records_.sort(place_of, sizes);
  }

  void append_head(std::string& out) const {
    out += R"({"version":1,"exported_at":")";
    append_rfc3339(out, {unix_ns(exported_at_), 0});
    fmt::format_to(
      std::back_inserter(out),
      R"(","usage":{{"total_requests":{},"success_count":{},"failure_count":{},"total_tokens":{},"apis":{{)",
      sums_.requests, sums_.ok, sums_.failed, sums_.tokens.total);
  }

  void begin_list(std::string& out, std::size_t number) {
    const auto& one = lists_[number];
    if (number == 0 || lists_[number - 1].key != one.key) {
      std::uint64_t requests = 0;
      std::int64_t tokens = 0;
      for (auto i = number; i < lists_.size() && lists_[i].key == one.key; ++i) {
        requests += lists_[i].requests;
        tokens += lists_[i].tokens;
      }
      if (number != 0)
        out += ',';
      append_json_string(out, key_text_);
      fmt::format_to(std::back_inserter(out), R"(:{{"total_requests":{},"total_tokens":{},"models":{{)", requests,
                     tokens);
    } else {
      out += ',';
    }
    append_json_string(out, model_text_);
    fmt::format_to(std::back_inserter(out), R"(:{{"total_requests":{},"total_tokens":{},"details":[)", one.requests,
                   one.tokens);
  }

  caf::error read_texts(std::uint64_t number) {
    if (text_of_ == number + 1)
      return {};
    const auto key = view_->books->key_text(lists_[number].key);
    if (!key)
      return key.error();
    auto model = view_->books->text(name_kind::model, lists_[number].model);
    if (!model)
      return model.error();
    key_text_ = key->reveal();
    model_text_ = std::move(*model);
    text_of_ = number + 1;
    return {};
  }

  caf::error append(std::string& out, const listed_record& record) {
    detail_.at = {record.at_ns, record.offset_minutes};
    detail_.latency_ms = record.latency_ms;
    detail_.tokens = record.tokens;
    detail_.failed = record.failed;
    const auto name = [&](name_kind kind, name_number number, std::string& to) {
      to.clear();
      if (number == 0)
        return true;
      const auto* text = names_.get(kind, number);
      if (text != nullptr)
        to = *text;
      return text != nullptr;
    };
    if (!name(name_kind::source, record.source, detail_.source)
        || !name(name_kind::auth_index, record.auth_index, detail_.auth_index))
      return std::move(names_.failed());
    cpa::append_detail(out, detail_);
    return {};
  }

  std::shared_ptr<const export_view> view_;
  record_choice choice_;
  moment exported_at_;
  listed_records records_;
  ready_names<maker> names_;
  std::vector<list> lists_; ///< in the order of the document
  totals sums_;
  cpa::bucket_counts buckets_;
  detail detail_;
  std::string key_text_, model_text_;
  std::uint64_t text_of_ = 0; ///< the list whose texts these are, and one more; 0: of none
};

} // namespace

caf::expected<std::unique_ptr<export_source>> make_cpa_document(const export_plan& plan,
                                                                std::shared_ptr<const export_view> view) {
  auto out = std::make_unique<cpa_document>(plan, std::move(view));
  if (auto wrong = out->prepare())
    return wrong;
  return std::unique_ptr<export_source>{std::move(out)};
}

} // namespace keyportal
