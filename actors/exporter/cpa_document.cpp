// Records as one document of CLIProxyAPI's usage export. Such a document lists records by client key and model, and the
// ledger by time: so what is written next is gathered in one go through the records, as much as memory is meant for, then
// what comes behind it in another.
#include <algorithm>

#include <fmt/format.h>

#include "actors/cpa/export_document.hpp"
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
    : view_(view), choice_(plan, view), exported_at_(plan.now), most_gathered_(plan.gathered), names_(maker{this}) {}

  caf::error prepare() {
    if (auto wrong = choice_.prepare())
      return wrong;
    return choice_.finds_nothing() ? caf::error{} : count();
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
      if (auto failed = gather(at))
        return failed;
      const auto& of = lists_[at.number];
      bool first = at.part == 0; // goes with the list's head, which is written once
      if (first)
        begin_list(out, at.number);
      for (; at.part < of.requests && (first || out.size() - began < bytes); first = false) {
        if (at.number == first_list_ && at.part >= gathered_of_first())
          break; // the list is longer than what is held of it
        if (at.part != 0)
          out += ',';
        if (auto failed = append(out, held_[place_of(at)]))
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
  struct held_record {
    std::int64_t at_ns = 0;
    std::int64_t latency_ms = 0;
    token_counts tokens;
    name_number source = 0, auth_index = 0;
    std::int16_t offset_minutes = 0;
    bool failed = false;
  };

  static std::uint64_t both(name_number key, name_number model) { return std::uint64_t{key} << 32U | model; }

  /// What the document's heads say, and where each list will stand.
  caf::error count() {
    auto failed = choice_.books().each_record(
      choice_.walk(), [&](const node_name&, const record_key& key, const record_value& value) {
        const auto [at, fresh] = numbers_.try_emplace(both(value.client_key, value.model), lists_.size());
        if (fresh)
          lists_.push_back({value.client_key, value.model, 0, 0});
        auto& one = lists_[at->second];
        ++one.requests;
        one.tokens += value.tokens.total;
        sums_.add(value.tokens, {}, value.latency_ms, value.failed);
        buckets_.add({key.at_ns, value.offset_minutes}, value.tokens.total);
        return true;
      });
    if (failed)
      return failed;
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
    std::sort(lists_.begin(), lists_.end(), [&](const list& a, const list& b) {
      return a.key != b.key ? keys.at(a.key) < keys.at(b.key) : models.at(a.model) < models.at(b.model);
    });
    for (std::size_t i = 0; i < lists_.size(); ++i)
      numbers_[both(lists_[i].key, lists_[i].model)] = i;
    return {};
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

  // --- what is held of the lists -------------------------------------------------------------

  [[nodiscard]] std::uint64_t gathered_of_first() const {
    return first_part_ + (starts_.size() > 1 ? starts_[1] : held_.size());
  }
  [[nodiscard]] std::size_t place_of(const export_place& at) const {
    return starts_[at.number - first_list_] + at.part - (at.number == first_list_ ? first_part_ : 0);
  }
  [[nodiscard]] bool holds(const export_place& at) const {
    if (starts_.empty() || at.number < first_list_ || at.number >= first_list_ + starts_.size())
      return false;
    return at.number != first_list_ || (at.part >= first_part_ && at.part < gathered_of_first());
  }

  /// Sees to it that the record at that place is held, and some of those behind it.
  caf::error gather(const export_place& at) {
    if (!holds(at)) {
      first_list_ = at.number;
      first_part_ = at.part;
      starts_.clear();
      std::uint64_t all = 0;
      for (auto i = at.number; i < lists_.size(); ++i) {
        const auto here = lists_[i].requests - (i == at.number ? at.part : 0);
        if (i != at.number && all + here > most_gathered_)
          break;
        starts_.push_back(all);
        all += std::min(here, most_gathered_);
      }
      held_ = {}; // never two of them at a time
      held_.resize(all);
      auto next = starts_;
      std::uint64_t skipped = 0;
      auto failed = choice_.books().each_record(
        choice_.walk(), [&](const node_name&, const record_key& key, const record_value& value) {
          const auto found = numbers_.find(both(value.client_key, value.model));
          if (found == numbers_.end() || found->second < first_list_ || found->second >= first_list_ + starts_.size())
            return true;
          const auto which = found->second - first_list_;
          if (which == 0 && skipped++ < first_part_)
            return true;
          if (next[which] < (which + 1 < starts_.size() ? starts_[which + 1] : held_.size()))
            held_[next[which]++] = {key.at_ns,        value.latency_ms,     value.tokens, value.source,
                                    value.auth_index, value.offset_minutes, value.failed};
          return true;
        });
      if (failed)
        return failed;
    }
    if (text_of_ != at.number + 1) {
      const auto key = view_->books->key_text(lists_[at.number].key);
      if (!key)
        return key.error();
      auto model = view_->books->text(name_kind::model, lists_[at.number].model);
      if (!model)
        return model.error();
      key_text_ = key->reveal();
      model_text_ = std::move(*model);
      text_of_ = at.number + 1;
    }
    return {};
  }

  caf::error append(std::string& out, const held_record& record) {
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
  std::uint64_t most_gathered_;
  ready_names<maker> names_;
  std::vector<list> lists_; ///< in the order of the document
  std::unordered_map<std::uint64_t, std::size_t> numbers_;
  totals sums_;
  cpa::bucket_counts buckets_;
  detail detail_;
  std::string key_text_, model_text_;
  std::uint64_t text_of_ = 0; ///< the list whose texts these are, and one more; 0: of none
  std::uint64_t first_list_ = 0, first_part_ = 0;
  std::vector<std::size_t> starts_; ///< in `held_`, of the lists from the first on
  std::vector<held_record> held_;
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
