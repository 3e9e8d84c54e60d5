#include "actors/analyst/usage_shape.hpp"

#include <algorithm>

#include "messages/errors.hpp"

namespace keyportal {

using storage::cell_id;
using storage::name_kind;
using storage::name_number;

namespace {
constexpr name_number most_names = 10'000'000; ///< numbers above it are damage
} // namespace

// --- dimensions --------------------------------------------------------------------------

usage_dimension::usage_dimension(usage_by by, const std::vector<std::string>* wanted, const name_reader& names,
                                 const ownership& owners)
  : by_(by), told_by_(by == usage_by::node || by == usage_by::weekday || by == usage_by::hour ? told_by::time
                      : by == usage_by::key                                                   ? told_by::key
                      : by == usage_by::user || by == usage_by::group                         ? told_by::owner
                      : by == usage_by::account                                               ? told_by::account
                                                                                              : told_by::kind),
    wanted_(wanted), names_(&names), owners_(&owners) {}

void usage_dimension::take_kinds(std::span<const cell_id> kinds) {
  if (told_by_ != told_by::kind)
    return;
  of_kinds_.clear();
  for (const auto& one : kinds)
    of_kinds_.push_back(place_of(one));
}

int usage_dimension::place_of_text(const std::string& text) {
  if (wanted_ != nullptr && std::find(wanted_->begin(), wanted_->end(), text) == wanted_->end())
    return out;
  const auto [at, fresh] = places_.emplace(text, static_cast<int>(texts_.size()));
  if (fresh)
    texts_.push_back(text);
  return at->second;
}

usage_dimension::known& usage_dimension::at(name_number number) {
  if (number >= known_.size())
    known_.resize(std::max<std::size_t>(number + std::size_t{1}, known_.size() * 2));
  return known_[number];
}

int usage_dimension::place_of_name(name_kind kind, name_number number) {
  if (number > most_names) {
    failed_ = make_error(errc::storage_corrupt, "roll-up");
    return out;
  }
  auto& one = at(number);
  if (one.place == unknown) {
    const auto text = (*names_)(kind, number);
    if (!text && !failed_)
      failed_ = text.error();
    one.place = text ? place_of_text(*text) : out;
  }
  return one.place;
}

const usage_dimension::known& usage_dimension::key_at(name_number client_key) {
  static const known nothing{.place = out};
  if (client_key > most_names) {
    failed_ = make_error(errc::storage_corrupt, "roll-up");
    return nothing;
  }
  auto& one = at(client_key);
  if (one.place != unknown)
    return one;
  const auto id = (*names_)(name_kind::client_key, client_key);
  if (!id) {
    if (!failed_)
      failed_ = id.error();
    one.place = out;
    return one;
  }
  const int nobodys = place_of_text("");
  const auto* owner = owners_->owner_of(*id);
  if (owner == nullptr) {
    one.place = one.earlier = nobodys;
    return one;
  }
  const auto since_ns = unix_ns(owner->since);
  std::vector<stretch> all{{INT64_MIN, nobodys}};
  if (by_ == usage_by::user) {
    all.push_back({since_ns, place_of_text(owner->user)});
  } else {
    for (const auto& [group, since] : owners_->memberships_of(owner->user)) {
      const auto begins = std::max(since_ns, since == moment::min() ? INT64_MIN : unix_ns(since));
      if (all.back().since_ns == begins && all.size() > 1)
        all.pop_back(); // it was another before the key was this person's
      all.push_back({begins, place_of_text(group)});
    }
  }
  std::reverse(all.begin(), all.end());
  one.place = all[0].place;
  one.since_ns = all[0].since_ns;
  one.more = all.size() > 2;
  one.earlier = one.more ? static_cast<int>(histories_.size()) : all[1].place;
  if (one.more)
    histories_.push_back(std::move(all));
  return one;
}

int usage_dimension::place_before(const known& one) const {
  if (!one.more)
    return one.earlier;
  const auto& all = histories_[static_cast<std::size_t>(one.earlier)];
  return std::find_if(all.begin() + 1, all.end() - 1, [this](const stretch& s) { return s.since_ns < ends_ns_; })
    ->place;
}

int usage_dimension::place_of_number(std::uint32_t number) {
  auto& one = at(number);
  if (one.place == unknown)
    one.place = place_of_text(std::to_string(number));
  return one.place;
}

void usage_dimension::go_to(const node_name& node, std::int64_t ends_ns, const calendar::local_hour& hour) {
  ends_ns_ = ends_ns;
  if (by_ == usage_by::node)
    here_ = place_of_text(node);
  else if (by_ == usage_by::weekday)
    here_ = place_of_number(static_cast<std::uint32_t>(hour.weekday));
  else if (by_ == usage_by::hour)
    here_ = place_of_number(static_cast<std::uint32_t>(hour.hour));
}

int usage_dimension::place_of(const cell_id& id) {
  switch (by_) {
    case usage_by::node:
    case usage_by::weekday:
    case usage_by::hour: return here_;
    case usage_by::key: return place_of_name(name_kind::client_key, id.client_key);
    case usage_by::user:
    case usage_by::group: {
      const auto& one = key_at(id.client_key);
      return one.since_ns < ends_ns_ ? one.place : place_before(one);
    }
    case usage_by::model: return place_of_name(name_kind::model, id.model);
    case usage_by::alias: return place_of_name(name_kind::alias, id.alias);
    case usage_by::provider: return place_of_name(name_kind::provider, id.provider);
    case usage_by::account: return place_of_name(name_kind::auth_index, id.account);
    case usage_by::endpoint: return place_of_name(name_kind::endpoint, id.endpoint);
    case usage_by::outcome: {
      auto& one = at(id.failed ? 1 : 0);
      if (one.place == unknown)
        one.place = place_of_text(id.failed ? "failed" : "ok");
      return one.place;
    }
    case usage_by::status: return place_of_number(static_cast<std::uint32_t>(std::clamp(id.status, 0, 999)));
  }
  return out;
}

bool usage_dimension::leaves_out_key(name_number client_key) {
  if (by_ == usage_by::key)
    return place_of_name(name_kind::client_key, client_key) == out;
  if (by_ != usage_by::user && by_ != usage_by::group)
    return false;
  const auto& one = key_at(client_key);
  if (one.place != out)
    return false;
  if (!one.more)
    return one.earlier == out;
  const auto& all = histories_[static_cast<std::size_t>(one.earlier)];
  return std::all_of(all.begin(), all.end(), [](const stretch& s) { return s.place == out; });
}

bool usage_dimension::leaves_out_account(name_number account) {
  return by_ == usage_by::account && place_of_name(name_kind::auth_index, account) == out;
}

// --- groups ------------------------------------------------------------------------------------

usage_shape::usage_shape(std::vector<usage_by> by, usage_filter where, const calendar& zone, const name_reader& names,
                         const ownership& owners)
  : filter_(std::move(where)), zone_(zone) {
  for (const auto one : by)
    by_.emplace_back(one, nullptr, names, owners);
  for (const auto& [one, wanted] : filter_)
    where_.emplace_back(one, &wanted, names, owners);
  const auto lead_by = [this](std::vector<signed char>& known, bool (usage_dimension::*leaves_out)(name_number)) {
    return [this, &known, leaves_out](name_number lead) {
      if (lead >= known.size())
        known.resize(std::max<std::size_t>(std::min(lead, most_names) + std::size_t{1}, known.size() * 2), -1);
      auto& one = known[std::min(lead, most_names)];
      if (one < 0)
        one =
          std::none_of(where_.begin(), where_.end(), [&](usage_dimension& d) { return (d.*leaves_out)(lead); }) ? 1 : 0;
      return one == 1;
    };
  };
  // Whether what is left out can be told by the kind alone.
  const auto of_kind = [](usage_by what) {
    return what == usage_by::model || what == usage_by::alias || what == usage_by::provider
           || what == usage_by::endpoint || what == usage_by::outcome || what == usage_by::status;
  };
  has_kinds_ = std::any_of(filter_.begin(), filter_.end(), [&](const auto& one) { return of_kind(one.first); });
  kind_filter_ = [this, of_kind](const cell_id& kind) {
    return std::all_of(where_.begin(), where_.end(),
                       [&](usage_dimension& d) { return !of_kind(d.by()) || d.place_of(kind) >= 0; });
  };
  model_filter_ = [this](name_number model) {
    cell_id id;
    id.model = model;
    return std::all_of(where_.begin(), where_.end(),
                       [&](usage_dimension& d) { return d.by() != usage_by::model || d.place_of(id) >= 0; });
  };
  for (const auto* all : {&by_, &where_})
    for (const auto& one : *all) {
      is_of_time_ = is_of_time_ || one.is_of_time();
      of_calendar_ = of_calendar_ || one.by() == usage_by::weekday || one.by() == usage_by::hour;
    }
  key_filter_ = lead_by(key_known_, &usage_dimension::leaves_out_key);
  account_filter_ = lead_by(account_known_, &usage_dimension::leaves_out_account);
}

const storage::lead_filter* usage_shape::leads(storage::cell_view view) {
  const auto has = [&](usage_by by) { return filter_.contains(by); };
  if (has_keys(view))
    return has(usage_by::key) || has(usage_by::user) || has(usage_by::group) ? &key_filter_ : nullptr;
  return has_accounts(view) && has(usage_by::account) ? &account_filter_ : nullptr;
}

void usage_shape::begin_row(const node_name& node, storage::granularity by, std::int32_t start) {
  // What is kept by minute for two days falls into the same groups then as later, when the whole hour is all there is.
  const auto begins = start * storage::ns_of(by);
  const auto full = storage::ns_of(storage::granularity::hour);
  const auto hour_begins = storage::start_of(storage::granularity::hour, begins) * full;
  const auto ends = std::max(begins + storage::ns_of(by), hour_begins + full);
  const auto hour = of_calendar_ ? zone_.hour_at(moment_of(hour_begins)) : calendar::local_hour{};
  for (auto* all : {&by_, &where_})
    for (auto& one : *all)
      one.go_to(node, ends, hour);
}

void usage_shape::take_kinds(std::span<const cell_id> kinds) {
  for (auto* all : {&by_, &where_})
    for (auto& one : *all)
      one.take_kinds(kinds);
}

std::int32_t usage_shape::group_of(name_number client_key, name_number account, std::uint32_t kind) {
  for (auto& one : where_)
    if (one.place_of(client_key, account, kind) < 0)
      return -1;
  const int first = by_.empty() ? 0 : by_[0].place_of(client_key, account, kind),
            second = by_.size() < 2 ? 0 : by_[1].place_of(client_key, account, kind);
  if (first < 0 || second < 0)
    return -1;
  if (table_.size() <= static_cast<std::size_t>(first))
    table_.resize(static_cast<std::size_t>(first) + 1);
  auto& row = table_[static_cast<std::size_t>(first)];
  if (row.size() <= static_cast<std::size_t>(second))
    row.resize(static_cast<std::size_t>(second) + 1, -1);
  auto& group = row[static_cast<std::size_t>(second)];
  if (group < 0) {
    group = static_cast<std::int32_t>(groups_.size());
    groups_.emplace_back(first, second);
  }
  return group;
}

const std::string& usage_shape::text_of(std::uint32_t group, std::size_t dimension) const {
  return by_[dimension].text_of(dimension == 0 ? groups_[group].first : groups_[group].second);
}

caf::error usage_shape::failed() const {
  for (const auto* all : {&by_, &where_})
    for (const auto& one : *all)
      if (one.failed())
        return one.failed();
  return {};
}

} // namespace keyportal
