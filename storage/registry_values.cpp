// The bytes of people, keys, policies, prices and of what happened to them.
#include "storage/registry_rows.hpp"
#include "storage/value_parts.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {

using namespace value_parts;

namespace {

template <class Enum>
bool take_enum(std::string_view& in, Enum& out, Enum last) {
  std::uint8_t byte = 0;
  if (!take_byte(in, byte) || byte > static_cast<std::uint8_t>(last))
    return false;
  out = static_cast<Enum>(byte);
  return true;
}

template <class Enum>
void put_enum(std::string& out, Enum value) {
  out.push_back(static_cast<char>(value));
}

// --- lists: count, then the members --------------------------------------------------------

void put(std::string& out, const std::string& text) { put_text(out, text); }
bool take(std::string_view& in, std::string& text) { return get_text(in, text); }

void put(std::string& out, const budget& b) {
  put_enum(out, b.unit);
  put_enum(out, b.window);
  put_zigzag(out, b.amount);
}

bool take(std::string_view& in, budget& b) {
  return take_enum(in, b.unit, budget_unit::cost) && take_enum(in, b.window, budget_window::lifetime)
         && b.unit >= budget_unit::requests && b.window >= budget_window::hour && get_zigzag(in, b.amount);
}

void put(std::string& out, const budget_mark& m) {
  put(out, m.of);
  value_parts::put(out, m.window_start);
  put_varint(out, m.percent);
}

bool take(std::string_view& in, budget_mark& m) {
  return take(in, m.of) && value_parts::take(in, m.window_start) && get_varint(in, m.percent);
}

void put(std::string& out, const former_groups& f); // below
bool take(std::string_view& in, former_groups& f);
template <class T>
void put(std::string& out, const change_of<T>& change);
template <class T>
bool take(std::string_view& in, change_of<T>& change);

template <class T>
void put(std::string& out, const std::vector<T>& list) {
  put_varint(out, list.size());
  for (const auto& one : list)
    put(out, one);
}

template <class T>
bool take(std::string_view& in, std::vector<T>& list) {
  std::uint64_t count = 0;
  if (!get_varint(in, count) || count > in.size()) // each takes a byte at least
    return false;
  list.resize(count);
  for (auto& one : list)
    if (!take(in, one))
      return false;
  return true;
}

void put(std::string& out, const former_groups& f) {
  put(out, f.groups);
  value_parts::put(out, f.until);
}

bool take(std::string_view& in, former_groups& f) { return take(in, f.groups) && value_parts::take(in, f.until); }

void put(std::string& out, const std::optional<moment>& at) {
  out.push_back(at ? 1 : 0);
  if (at)
    value_parts::put(out, *at);
}

bool take(std::string_view& in, std::optional<moment>& at) {
  bool is_set = false;
  moment found{};
  if (!take_bool(in, is_set) || (is_set && !value_parts::take(in, found)))
    return false;
  at = is_set ? std::optional{found} : std::nullopt;
  return true;
}

// --- images: whether there is one before and after, its name, and it -----------------------

constexpr std::uint8_t before_flag = 1;
constexpr std::uint8_t after_flag = 2;

template <class T>
void put(std::string& out, const std::optional<T>& image) {
  if (!image)
    return;
  put_text(out, name_of(*image));
  put_text(out, encode(*image));
}

template <class T>
bool take(std::string_view& in, bool is_set, std::optional<T>& image) {
  image.reset();
  if (!is_set)
    return true;
  std::uint64_t size = 0;
  image.emplace();
  if (!get_text(in, name_of(*image)) || !get_varint(in, size) || size > in.size()
      || !decode(in.substr(0, size), *image))
    return false;
  in.remove_prefix(size);
  return true;
}

template <class T>
void put(std::string& out, const change_of<T>& change) {
  out.push_back(static_cast<char>((change.before ? before_flag : 0) | (change.after ? after_flag : 0)));
  put(out, change.before);
  put(out, change.after);
}

template <class T>
bool take(std::string_view& in, change_of<T>& change) {
  std::uint8_t flags = 0;
  return take_byte(in, flags) && flags >= before_flag && flags <= (before_flag | after_flag)
         && take(in, (flags & before_flag) != 0, change.before) && take(in, (flags & after_flag) != 0, change.after);
}

} // namespace

// --- the fold ----------------------------------------------------------------------------------

// Version 2 has the groups of before, and is written only where there are any: a row is as old as it can be.
std::string encode(const user& value) {
  auto out = value.former.empty() ? begin() : std::string(1, 2);
  put(out, value.email);
  put(out, value.name);
  put(out, value.label);
  put_enum(out, value.role);
  put_enum(out, value.state);
  put(out, value.groups);
  put(out, value.budgets);
  put(out, value.told);
  value_parts::put(out, value.created_at);
  value_parts::put(out, value.changed_at);
  if (!value.former.empty())
    put(out, value.former);
  return out;
}

bool decode(std::string_view in, user& out) {
  out.former.clear();
  char version = 0;
  return value_parts::take_version(in, 2, version) && take(in, out.email) && take(in, out.name) && take(in, out.label)
         && take_enum(in, out.role, user_role::admin) && take_enum(in, out.state, user_state::deleted)
         && take(in, out.groups) && take(in, out.budgets) && take(in, out.told) && value_parts::take(in, out.created_at)
         && value_parts::take(in, out.changed_at) && (version < 2 || (take(in, out.former) && !out.former.empty()))
         && in.empty();
}

namespace {

bool take_request(std::string_view& in, rare<renewal_request>& out) {
  renewal_request found;
  if (!value_parts::take(in, found.asked_at) || !get_zigzag(in, found.lifetime_s) || !take(in, found.reason))
    return false;
  out = std::move(found);
  return true;
}

void put(std::string& out, const rare<key_id>& id) { put(out, id ? *id : key_id{}); }
bool take(std::string_view& in, rare<key_id>& out) {
  key_id found;
  if (!take(in, found))
    return false;
  out = found.empty() ? rare<key_id>{} : rare<key_id>{std::move(found)};
  return true;
}

} // namespace

/// Beside the origin, in the same byte.
constexpr std::uint8_t guessable_mark = 0x80;

void put_origin(std::string& out, const client_key& value) {
  out.push_back(static_cast<char>(static_cast<std::uint8_t>(value.origin) | (value.guessable ? guessable_mark : 0)));
}

bool take_origin(std::string_view& in, client_key& out) {
  if (in.empty())
    return false;
  const auto byte = static_cast<std::uint8_t>(in.front());
  in.remove_prefix(1);
  out.guessable = (byte & guessable_mark) != 0;
  out.origin = static_cast<key_origin>(byte & ~guessable_mark);
  return out.origin <= key_origin::found;
}

// Version 2 has a renewal that was asked for; where there is none, version 1 is written as ever.
std::string encode(const client_key& value) {
  auto out = begin(value.renewal ? 2 : 1);
  put(out, value.sealed);
  put(out, value.shown);
  put_enum(out, value.state);
  put_origin(out, value);
  put_enum(out, value.why_suspended);
  put(out, value.owner);
  put(out, value.label);
  value_parts::put(out, value.created_at);
  value_parts::put(out, value.changed_at);
  put(out, value.assigned_at);
  put(out, value.expires_at);
  put(out, value.retires_at);
  put(out, value.successor);
  put(out, value.predecessor);
  put(out, value.budgets);
  put(out, value.told);
  put(out, value.nodes);
  put(out, value.in_force);
  put_varint(out, value.reminders);
  if (value.renewal) {
    value_parts::put(out, value.renewal->asked_at);
    put_zigzag(out, value.renewal->lifetime_s);
    put(out, value.renewal->reason);
  }
  return out;
}

bool decode(std::string_view in, client_key& out) {
  char version = 0;
  out.renewal.reset();
  return take_version(in, 2, version) && take(in, out.sealed) && take(in, out.shown)
         && take_enum(in, out.state, key_state::external) && take_origin(in, out)
         && take_enum(in, out.why_suspended, suspension::by_hand) && take(in, out.owner) && take(in, out.label)
         && value_parts::take(in, out.created_at) && value_parts::take(in, out.changed_at) && take(in, out.assigned_at)
         && take(in, out.expires_at) && take(in, out.retires_at) && take(in, out.successor) && take(in, out.predecessor)
         && take(in, out.budgets) && take(in, out.told) && take(in, out.nodes) && take(in, out.in_force)
         && get_varint(in, out.reminders) && (version == 1 || take_request(in, out.renewal)) && in.empty();
}

std::string encode(const policy& value) {
  auto out = begin();
  put_varint(out, value.keys_per_user);
  put_zigzag(out, value.key_lifetime_s);
  put_zigzag(out, value.longest_renewal_s);
  put_enum(out, value.renewal);
  put(out, value.key_budgets);
  put(out, value.user_budgets);
  put(out, value.group_budgets);
  put(out, value.nodes);
  put(out, value.models);
  put(out, value.told);
  return out;
}

bool decode(std::string_view in, policy& out) {
  return take_version_1(in) && get_varint(in, out.keys_per_user) && get_zigzag(in, out.key_lifetime_s)
         && get_zigzag(in, out.longest_renewal_s) && take_enum(in, out.renewal, renewal_rule::approval)
         && take(in, out.key_budgets) && take(in, out.user_budgets) && take(in, out.group_budgets)
         && take(in, out.nodes) && take(in, out.models) && take(in, out.told) && in.empty();
}

// --- prices ------------------------------------------------------------------------------------

namespace {

constexpr std::optional<std::int64_t> price_rates::*rate_places[] = {
  &price_rates::input,     &price_rates::output,  &price_rates::cache_read,    &price_rates::cache_write,
  &price_rates::reasoning, &price_rates::request, &price_rates::multiplier_ppm};

// Which are set, a bit each, and those.
void put(std::string& out, const price_rates& rates) {
  std::uint8_t set = 0;
  for (std::size_t i = 0; i < std::size(rate_places); ++i)
    set |= static_cast<std::uint8_t>((rates.*rate_places[i] ? 1U : 0U) << i);
  put_fixed(out, set);
  for (const auto place : rate_places)
    if (rates.*place)
      put_zigzag(out, *(rates.*place));
}

bool take(std::string_view& in, price_rates& rates) {
  std::uint8_t set = 0;
  if (!take_byte(in, set) || set >> std::size(rate_places) != 0)
    return false;
  for (std::size_t i = 0; i < std::size(rate_places); ++i) {
    auto& to = rates.*rate_places[i];
    to.reset();
    if ((set >> i & 1U) != 0 && !get_zigzag(in, to.emplace()))
      return false;
  }
  return true;
}

} // namespace

std::string encode(const price& value) {
  auto out = begin();
  put(out, value.model);
  put(out, value.provider);
  put(out, value.from);
  put(out, value.until);
  put_enum(out, value.source);
  put(out, value.rates);
  put_varint(out, value.steps.size());
  for (const auto& step : value.steps) {
    put(out, step.tier);
    put_zigzag(out, step.above);
    put(out, step.rates);
  }
  value_parts::put(out, value.set_at);
  return out;
}

bool decode(std::string_view in, price& out) {
  std::uint64_t steps = 0;
  if (!take_version_1(in) || !take(in, out.model) || !take(in, out.provider) || !take(in, out.from)
      || !take(in, out.until) || !take_enum(in, out.source, price_source::models_dev)
      || out.source < price_source::by_hand || !take(in, out.rates) || !get_varint(in, steps) || steps > in.size())
    return false;
  out.steps.resize(steps);
  for (auto& step : out.steps)
    if (!take(in, step.tier) || !get_zigzag(in, step.above) || !take(in, step.rates))
      return false;
  return value_parts::take(in, out.set_at) && in.empty();
}

// --- credentials -------------------------------------------------------------------------------

std::string encode(const access_record& value) {
  auto out = begin();
  put(out, value.owner);
  put(out, value.sealed);
  return out;
}

bool decode(std::string_view in, access_record& out) {
  return take_version_1(in) && take(in, out.owner) && take(in, out.sealed) && in.empty();
}

// --- the log -----------------------------------------------------------------------------------

// Older rows have fewer lists; a row is as old as it can be, so that its bytes and their hash stay.

std::string encode(const registry_entry& value) {
  auto out = begin(!value.access.empty() ? 3 : value.prices.empty() ? 1 : 2);
  value_parts::put(out, value.at);
  put(out, value.who);
  put(out, value.from);
  put(out, value.command);
  put(out, value.what);
  put(out, value.users);
  put(out, value.keys);
  put(out, value.policies);
  if (!value.prices.empty() || !value.access.empty())
    put(out, value.prices);
  if (!value.access.empty())
    put(out, value.access);
  put_bytes(out, value.hash);
  return out;
}

bool decode(std::string_view in, registry_entry& out) {
  char version = 0;
  out.prices.clear();
  out.access.clear();
  return take_version(in, 3, version) && value_parts::take(in, out.at) && take(in, out.who) && take(in, out.from)
         && take(in, out.command) && take(in, out.what) && take(in, out.users) && take(in, out.keys)
         && take(in, out.policies) && (version == 1 || take(in, out.prices)) && (version < 3 || take(in, out.access))
         && get_bytes(in, out.hash) && in.empty();
}

std::string encode(const registry_value& value) {
  auto out = begin(value.access > 0 ? 3 : value.prices == 0 ? 1 : 2);
  put_varint(out, value.last);
  put_bytes(out, value.hash);
  for (const auto number : {value.first_command, value.users, value.keys, value.policies, value.commands})
    put_varint(out, number);
  if (value.prices > 0 || value.access > 0)
    put_varint(out, value.prices);
  if (value.access > 0)
    put_varint(out, value.access);
  return out;
}

bool decode(std::string_view in, registry_value& out) {
  char version = 0;
  out.prices = 0;
  out.access = 0;
  return take_version(in, 3, version) && get_varint(in, out.last) && get_bytes(in, out.hash)
         && get_varint(in, out.first_command) && get_varint(in, out.users) && get_varint(in, out.keys)
         && get_varint(in, out.policies) && get_varint(in, out.commands) && (version == 1 || get_varint(in, out.prices))
         && (version < 3 || get_varint(in, out.access)) && in.empty();
}

std::string encode(const command_value& value) {
  auto out = begin();
  put_fixed(out, value.at_ns);
  put_text(out, value.command);
  return out;
}

bool decode(std::string_view in, command_value& out) {
  return take_version_1(in) && get_fixed(in, out.at_ns) && get_text(in, out.command) && in.empty();
}

std::string encode(const config_value& value) {
  auto out = begin();
  put_fixed(out, value.at_ns);
  put_varint(out, value.bytes);
  put_text(out, value.sha256);
  put_text(out, value.text);
  return out;
}

bool decode(std::string_view in, config_value& out) {
  return take_version_1(in) && get_fixed(in, out.at_ns) && get_varint(in, out.bytes) && get_text(in, out.sha256)
         && get_text(in, out.text) && in.empty();
}

} // namespace keyportal::storage
