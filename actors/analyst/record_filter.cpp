#include "actors/analyst/record_filter.hpp"

#include <algorithm>

#include "actors/analyst/usage_plan.hpp"
#include "messages/errors.hpp"

namespace keyportal {

using storage::name_kind;

namespace {

constexpr std::size_t longest_text = 200;

bool is_of_owner(usage_by by) { return by == usage_by::user || by == usage_by::group; }

/// ASCII only: other scripts have no upper case, or rules of their own.
std::string in_lower_case(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return text;
}

} // namespace

caf::error record_filter::prepare(const record_question& question, const storage::ledger::reading& books,
                                  const ownership& owners) {
  if (auto wrong = check(question.where))
    return wrong;
  if (question.text.size() > longest_text)
    return make_error(errc::bad_request, "the text to look for is too long");
  names_ = [&books](name_kind kind, storage::name_number number) { return books.text(kind, number); };
  for (const auto& [by, wanted] : question.where) {
    if (by == usage_by::weekday || by == usage_by::hour)
      return make_error(errc::bad_request, "records are not chosen by weekday or hour");
    if (by == usage_by::node) {
      nodes_ = &wanted;
      continue;
    }
    keys_ = keys_ || by == usage_by::key || is_of_owner(by);
    accounts_ = accounts_ || by == usage_by::account;
    where_.emplace_back(by, &wanted, names_, owners);
  }
  has_text_ = !question.text.empty();
  const auto text = in_lower_case(question.text);
  if (has_text_)
    for (const auto kind :
         {name_kind::model, name_kind::alias, name_kind::auth_index, name_kind::source, name_kind::error}) {
      const auto all = books.all_names(kind);
      if (!all)
        return all.error();
      for (const auto& [number, name] : *all)
        if (in_lower_case(name).find(text) != std::string::npos) {
          named_.insert(number);
          beyond_cells_ = beyond_cells_ || kind == name_kind::source || kind == name_kind::error;
          accounts_ = accounts_ || kind == name_kind::auth_index;
        }
    }
  return {};
}

bool record_filter::wants_node(const node_name& node) const {
  return nodes_ == nullptr || std::find(nodes_->begin(), nodes_->end(), node) != nodes_->end();
}

void record_filter::aim(storage::ledger::reading::record_walk& walk) {
  if (where_.empty() && !has_text_)
    return;
  walk.wanted = [this](std::int32_t hour, const storage::sieve_kind& kind) {
    if (hour != hour_) {
      hour_ = hour;
      for (auto& one : where_)
        one.go_to({}, (std::int64_t{hour} + 1) * storage::ns_of(storage::granularity::hour), {});
    }
    if (has_text_ && !has(kind.id.model) && !has(kind.id.alias) && !has(kind.id.account) && !has(kind.source)
        && !has(kind.error))
      return false;
    return std::all_of(where_.begin(), where_.end(), [&](auto& one) { return one.place_of(kind.id) >= 0; });
  };
  const bool kinds = has_text_ || std::any_of(where_.begin(), where_.end(), [](const auto& one) {
                       const auto by = one.by();
                       return by != usage_by::key && by != usage_by::account && by != usage_by::outcome && !is_of_owner(by);
                     });
  walk.view = storage::view_with(keys_, accounts_, kinds);
  walk.possible = [this](std::int32_t, const storage::cell_id& id) {
    if (has_text_ && !beyond_cells_ && !has(id.model) && !has(id.alias) && !has(id.account))
      return false;
    // Within a day a key may get its owner: both are possible then.
    return std::all_of(where_.begin(), where_.end(), [&](auto& one) {
      return is_of_owner(one.by()) ? !one.leaves_out_key(id.client_key) : one.place_of(id) >= 0;
    });
  };
  leads_ = [this](storage::name_number lead) {
    return std::none_of(where_.begin(), where_.end(), [&](auto& one) {
      return keys_ ? one.leaves_out_key(lead) : accounts_ && one.leaves_out_account(lead);
    });
  };
  walk.leads = &leads_;
}

caf::error record_filter::failed() const {
  for (const auto& one : where_)
    if (one.failed())
      return one.failed();
  return {};
}

} // namespace keyportal
