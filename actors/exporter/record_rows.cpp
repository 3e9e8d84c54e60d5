// Records as rows, the oldest first.
#include <algorithm>
#include <array>
#include <optional>

#include "actors/exporter/record_choice.hpp"
#include "messages/errors.hpp"
#include "messages/token_rules.hpp"

namespace keyportal {
namespace {

using storage::name_kind;
using storage::name_number;
using storage::record_key;
using storage::record_value;

constexpr std::int64_t hour_ns = 3'600'000'000'000;
constexpr std::int64_t day_ns = 24 * hour_ns;
/// Of a piece that holds little: days that are gone through.
constexpr std::int64_t days_at_once = 16;

std::vector<std::string> columns() {
  return {"timestamp",
          "node",
          "key_id",
          "key",
          "key_label",
          "user_id",
          "user",
          "model",
          "alias",
          "provider",
          "account",
          "endpoint",
          "outcome",
          "status_code",
          "latency_ms",
          "ttft_ms",
          "input_tokens",
          "output_tokens",
          "reasoning_tokens",
          "cached_tokens",
          "total_tokens",
          "part_uncached_input",
          "part_cache_read",
          "part_cache_write",
          "part_output",
          "part_reasoning",
          "part_unclassified",
          "service_tier",
          "cost_usd",
          "error",
          "seq",
          "id"};
}

class record_rows final : public export_source {
public:
  record_rows(const export_plan& plan, std::shared_ptr<const export_view> view)
    : view_(view), rows_(plan.asked.format, columns()), head_(rows_.head(plan.asked.byte_order_mark)), zone_(plan.zone),
      choice_(plan, view), cells_(maker{this}), ok_(rows_.cell("ok")), failed_(rows_.cell("failed")),
      nothing_(rows_.cell("")), json_(plan.asked.format != export_format::csv) {}

  caf::error prepare() {
    if (auto wrong = choice_.prepare())
      return wrong;
    const auto days = view_->books->starts(storage::granularity::day);
    if (!days)
      return days.error();
    // Beyond the days of which there are records nothing has to be looked for.
    if (*days) {
      first_day_ = (*days)->first;
      end_day_ = std::int64_t{(*days)->second} + 1;
    }
    return {};
  }

  caf::expected<bool> write(export_place& at, std::string& out, std::size_t bytes) override {
    const auto began = out.size();
    auto walk = choice_.walk();
    if (!at.begun) {
      out += head_;
      at.begun = true;
      at.at_ns = std::max(walk.first_ns, day_begin(first_day_));
    } else if (at.part != 0) {
      walk.after = storage::ledger::reading::record_place{at.at_ns, at.text, at.id};
    }
    if (choice_.finds_nothing() || first_day_ >= end_day_)
      return false;
    walk.first_ns = std::max(walk.first_ns, at.at_ns);
    const auto end = std::min(walk.end_ns, day_begin(end_day_));
    // What is passed over is not seen here: a few days at a time bound how much that is.
    const auto reach = day_begin(storage::start_of(storage::granularity::day, walk.first_ns) + days_at_once);
    walk.end_ns = choice_.is_sparse() ? std::min(end, reach) : end;
    bool more = false;
    caf::error wrong;
    bool any = false;
    record_key last;
    auto failed =
      choice_.books().each_record(walk, [&](const node_name& node, const record_key& key, const record_value& value) {
        if (out.size() - began >= bytes) {
          more = true;
          return false;
        }
        if (!row(out, node, key, value)) {
          wrong = std::move(cells_.failed());
          return false;
        }
        any = true;
        last = key;
        at.text = node;
        return true;
      });
    if (failed)
      return failed;
    if (wrong)
      return wrong;
    if (auto broken = choice_.failed())
      return broken;
    if (more) {
      if (any) {
        at.at_ns = last.at_ns;
        at.id = last.id;
        at.part = 1;
      }
      return true;
    }
    at.at_ns = walk.end_ns;
    at.part = 0;
    at.text.clear();
    return walk.end_ns < end;
  }

private:
  struct maker {
    record_rows* of;
    caf::expected<std::string> operator()(name_kind kind, name_number number) const {
      const auto text = of->view_->books->text(kind, number);
      if (!text)
        return text.error();
      return of->rows_.cell(*text);
    }
  };
  /// What a row says of its key.
  struct key_cells {
    std::string id, shown, label, user, email;
    std::int64_t since_ns = INT64_MAX;
  };

  static std::int64_t day_begin(std::int64_t day) {
    constexpr std::int64_t most = INT64_MAX / day_ns;
    return day > most ? INT64_MAX : day < -most ? INT64_MIN : day * day_ns;
  }

  const key_cells* key_of(name_number number) {
    if (const auto found = keys_.find(number); found != keys_.end())
      return &found->second;
    const auto id = view_->books->text(name_kind::client_key, number);
    if (!id) {
      cells_.failed() = id.error();
      return nullptr;
    }
    if (keys_.size() > 20'000)
      keys_.clear();
    auto& out = keys_[number];
    out.id = rows_.cell(*id);
    const auto key = view_->people->keys.find(*id);
    out.shown = key == view_->people->keys.end() ? nothing_ : rows_.cell(key->second.shown);
    out.label = key == view_->people->keys.end() ? nothing_ : rows_.cell(key->second.label);
    out.user = out.email = nothing_;
    if (const auto* owner = view_->people->owners.owner_of(*id)) {
      out.user = rows_.cell(owner->user);
      out.email = rows_.cell(view_->people->email_of(owner->user));
      out.since_ns = unix_ns(owner->since);
    }
    return &out;
  }

  bool name(std::string& out, name_kind kind, name_number number) {
    if (number == 0) {
      rows_.ready(out, nothing_);
      return true;
    }
    const auto* text = cells_.get(kind, number);
    if (text != nullptr)
      rows_.ready(out, *text);
    return text != nullptr;
  }

  const std::string* model_of(name_number number) {
    if (number != model_ || !model_there_) {
      auto text = view_->books->text(name_kind::model, number);
      if (!text) {
        cells_.failed() = text.error();
        return nullptr;
      }
      model_text_ = std::move(*text);
      model_ = number;
      model_there_ = true;
    }
    return &model_text_;
  }

  bool row(std::string& out, const node_name& node, const record_key& key, const record_value& value) {
    const auto* whose = key_of(value.client_key);
    if (whose == nullptr)
      return false;
    if (node != node_) {
      node_ = node;
      node_cell_ = rows_.cell(node);
    }
    const storage::facts_value* facts = value.facts ? &*value.facts : nullptr;
    token_parts parts;
    if (facts != nullptr) {
      parts = facts->parts;
    } else {
      const auto* model = model_of(value.model);
      if (model == nullptr)
        return false;
      parts = parts_by_model(*model, value.tokens);
    }
    rows_.at(out, zone_, key.at_ns);
    rows_.ready(out, node_cell_);
    rows_.ready(out, whose->id);
    rows_.ready(out, whose->shown);
    rows_.ready(out, whose->label);
    // As filters and roll-ups have it, to the hour: a key is its owner's from the hour on in which it became that.
    const bool owned =
      whose->since_ns < (std::int64_t{storage::start_of(storage::granularity::hour, key.at_ns)} + 1) * hour_ns;
    rows_.ready(out, owned ? whose->user : nothing_);
    rows_.ready(out, owned ? whose->email : nothing_);
    if (!name(out, name_kind::model, value.model) || !name(out, name_kind::alias, facts ? facts->alias : 0)
        || !name(out, name_kind::provider, facts ? facts->provider : 0)
        || !name(out, name_kind::auth_index, value.auth_index)
        || !name(out, name_kind::endpoint, facts ? facts->endpoint : 0))
      return false;
    rows_.ready(out, value.failed ? failed_ : ok_);
    rows_.number_or_none(out, facts ? facts->status_code : 0);
    rows_.number(out, value.latency_ms);
    rows_.number_or_none(out, facts ? facts->ttft_ms : 0);
    for (const auto count :
         {value.tokens.input, value.tokens.output, value.tokens.reasoning, value.tokens.cached, value.tokens.total,
          parts.uncached_input, parts.cache_read, parts.cache_write, parts.output, parts.reasoning, parts.unclassified})
      rows_.number(out, count);
    if (!name(out, name_kind::service_tier, facts ? facts->service_tier : 0))
      return false;
    if (value.cost_nano)
      rows_.dollars(out, *value.cost_nano);
    else
      rows_.none(out);
    if (!name(out, name_kind::error, facts ? facts->error : 0))
      return false;
    rows_.number(out, static_cast<std::int64_t>(value.seq));
    rows_.ready(out, id_cell(key.id));
    rows_.end_row(out);
    return true;
  }

  std::string_view id_cell(const record_id& id) {
    static constexpr char digits[] = "0123456789abcdef";
    char* to = id_.data();
    if (json_)
      *to++ = '"';
    for (const auto byte : id.bytes) {
      *to++ = digits[byte >> 4U];
      *to++ = digits[byte & 15U];
    }
    if (json_)
      *to++ = '"';
    return {id_.data(), static_cast<std::size_t>(to - id_.data())};
  }

  std::shared_ptr<const export_view> view_;
  row_writer rows_;
  std::string head_;
  moment_text zone_;
  record_choice choice_;
  ready_names<maker> cells_;
  std::unordered_map<name_number, key_cells> keys_;
  std::string ok_, failed_, nothing_;
  bool json_;
  node_name node_;
  std::string node_cell_;
  name_number model_ = 0;
  bool model_there_ = false;
  std::string model_text_;
  std::array<char, 34> id_{};
  std::int64_t first_day_ = 0, end_day_ = 0;
};

} // namespace

caf::expected<std::unique_ptr<export_source>> make_record_rows(const export_plan& plan,
                                                               std::shared_ptr<const export_view> view) {
  auto out = std::make_unique<record_rows>(plan, std::move(view));
  if (auto wrong = out->prepare())
    return wrong;
  return std::unique_ptr<export_source>{std::move(out)};
}

} // namespace keyportal
