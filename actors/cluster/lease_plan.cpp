#include "actors/cluster/lease_plan.hpp"

#include <algorithm>
#include <charconv>

namespace keyportal::cluster {
namespace {

constexpr std::string_view duty_prefix = "duty/";
constexpr std::string_view member_prefix = "member/";
/// Rows of those who are gone for so long are forgotten.
constexpr auto remembered = std::chrono::hours{1};

std::string duty_key(std::string_view name) { return std::string(duty_prefix).append(name); }

} // namespace

std::string encode_lease(std::string_view holder) { return std::string("1 ").append(holder); }

std::optional<std::string> decode_lease(std::string_view value) {
  if (!value.starts_with("1 ") || value.size() < 3 || value.size() > 300)
    return std::nullopt;
  return std::string(value.substr(2));
}

std::string encode_member(role_set roles, std::uint64_t beat) {
  return "1 " + std::to_string(roles) + " " + std::to_string(beat);
}

std::optional<role_set> decode_member(std::string_view value) {
  if (!value.starts_with("1 ") || value.size() > 64)
    return std::nullopt;
  value.remove_prefix(2);
  unsigned roles = 0;
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), roles);
  if (failed != std::errc{} || end == value.data() + value.size() || *end != ' ')
    return std::nullopt;
  return static_cast<role_set>(roles & all_roles); // of roles that we do not know yet others may see to it
}

lease_plan::lease_plan(lease_settings how, member self, std::vector<duty> duties)
  : how_(how), self_(std::move(self)), duties_(std::move(duties)) {}

void lease_plan::set_duties(std::vector<duty> duties) { duties_ = std::move(duties); }

bool lease_plan::ours(const row_state& row) const { return row.value == encode_lease(self_.id); }

bool lease_plan::free(const row_state& row, local_time now) const {
  return row.value.empty() || now - row.changed >= how_.ttl;
}

void lease_plan::see(const lease_row& row, local_time now) {
  const bool is_member = row.key.starts_with(member_prefix);
  if (!is_member && !row.key.starts_with(duty_prefix))
    return;
  auto& known = rows_[row.key];
  // A read may tell of a table that was made anew, with smaller revisions. Should it be an old view of the same table
  // instead, then the next write meets a conflict.
  const bool is_news =
    !known.seen || row.revision > known.revision || (row.revision != known.revision && (known.look || is_member));
  known.look = false;
  if (!is_news)
    return;
  known.value = row.value;
  known.revision = row.revision;
  known.changed = now;
  known.seen = true;
  if (is_member)
    return;
  if (!ours(known)) {
    known.until.reset();
    known.fence = 0;
    known.unsure = false;
  } else if (known.fence == 0) {
    known.fence = row.revision; // ours by a write whose outcome we did not hear; until it is renewed we do not act
  }
}

void lease_plan::write(std::vector<lease_step>& out, lease_step::kind what, const std::string& key, std::string value,
                       local_time now) {
  auto& row = rows_[key];
  if (row.waiting || row.look || (row.was_sent && now - row.sent < how_.retry))
    return;
  row.waiting = true;
  row.was_sent = true;
  row.sent = now;
  row.written = value;
  if (what == lease_step::kind::remove)
    row.until.reset(); // before it can be another's
  out.push_back({what, key, std::move(value), row.value.empty() ? 0 : row.revision});
}

void lease_plan::plan_duty(std::vector<lease_step>& out, const std::string& key, bool mine, bool has_heir,
                           local_time now) {
  auto& row = rows_[key];
  if (ours(row)) {
    if (leaving_ || (!mine && has_heir))
      write(out, lease_step::kind::remove, key, {}, now);
    else if (!row.until || *row.until - now <= how_.ttl - how_.margin - how_.renew)
      write(out, lease_step::kind::put, key, encode_lease(self_.id), now);
  } else if (mine && !leaving_ && free(row, now)) {
    write(out, lease_step::kind::put, key, encode_lease(self_.id), now);
  }
}

void lease_plan::plan_self(std::vector<lease_step>& out, local_time now) {
  const auto key = std::string(member_prefix).append(self_.id);
  auto& row = rows_[key];
  if (leaving_) {
    if (!row.value.empty())
      write(out, lease_step::kind::remove, key, {}, now);
  } else if (!row.was_sent || row.value.empty() || now - row.sent >= how_.renew) {
    write(out, lease_step::kind::put, key, encode_member(self_.roles, ++beat_), now);
  }
}

std::vector<lease_step> lease_plan::next(local_time now) {
  std::vector<lease_step> out;
  plan_self(out, now);
  const auto shares = share_out(duties_, members(now));
  std::map<std::string, bool> still; // duties that there are
  for (const auto& one : duties_) {
    const auto share = shares.find(one.name);
    const bool mine = share != shares.end() && share->second == self_.id;
    const auto key = duty_key(one.name);
    plan_duty(out, key, mine, share != shares.end() && !mine, now);
    still.emplace(key, true);
  }
  for (auto& [key, row] : rows_) {
    if (key.starts_with(duty_prefix) && !still.contains(key) && ours(row))
      write(out, lease_step::kind::remove, key, {}, now);
    if (row.look && !row.waiting && now - row.sent >= how_.retry) {
      row.sent = now;
      out.push_back({lease_step::kind::look, key, {}, 0});
    }
  }
  std::erase_if(rows_, [&](const auto& one) {
    const auto& [key, row] = one;
    return key.starts_with(member_prefix) && row.seen && now - row.changed > remembered && !row.waiting;
  });
  return out;
}

void lease_plan::wrote(const std::string& key, write_outcome how, std::uint64_t revision, local_time now) {
  auto& row = rows_[key];
  if (!row.waiting)
    return;
  row.waiting = false;
  if (how == write_outcome::unknown) {
    row.unsure = true;
    row.look = true;
    return;
  }
  if (how == write_outcome::conflict) {
    // What we did not hear of may have been our own write. Else somebody who does not keep to the rules has changed it.
    if (!row.unsure)
      row.until.reset();
    row.look = true;
    return;
  }
  row.unsure = false;
  if (row.seen && revision < row.revision)
    return; // it has been changed since, and that was seen
  row.value = row.written;
  row.revision = revision;
  row.changed = now;
  row.seen = true;
  row.look = false;
  if (!key.starts_with(duty_prefix))
    return;
  if (row.value.empty()) {
    row.until.reset();
    row.fence = 0;
    return;
  }
  // Counted from when it was sent: whoever waits for our end began to wait later than that.
  row.until = row.sent + how_.ttl - how_.margin;
  if (row.fence == 0)
    row.fence = revision;
}

bool lease_plan::has_left() const {
  return leaving_ && std::none_of(rows_.begin(), rows_.end(), [&](const auto& one) {
           const auto& [key, row] = one;
           return ours(row) || row.waiting || (row.unsure && row.written == encode_lease(self_.id))
                  || (key == std::string(member_prefix).append(self_.id) && !row.value.empty());
         });
}

std::optional<std::uint64_t> lease_plan::fence(const std::string& name, local_time now) const {
  const auto found = rows_.find(duty_key(name));
  if (found == rows_.end() || !found->second.until || now >= *found->second.until)
    return std::nullopt;
  return found->second.fence;
}

std::vector<member> lease_plan::members(local_time now) const {
  std::vector<member> out;
  for (const auto& [key, row] : rows_) {
    if (!key.starts_with(member_prefix) || key.substr(member_prefix.size()) == self_.id)
      continue;
    const auto roles = decode_member(row.value);
    if (roles && now - row.changed < how_.ttl)
      out.push_back({key.substr(member_prefix.size()), *roles});
  }
  if (!leaving_)
    out.push_back(self_);
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return out;
}

std::string lease_plan::holder(const std::string& name) const {
  const auto found = rows_.find(duty_key(name));
  return found == rows_.end() ? std::string{} : decode_lease(found->second.value).value_or(std::string{});
}

} // namespace keyportal::cluster
