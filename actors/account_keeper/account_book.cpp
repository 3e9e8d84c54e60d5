#include "actors/account_keeper/account_book.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "messages/account_words.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {

using nlohmann::json;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// Changes whenever CPA wrote the file.
std::int64_t stamp_of(const cpa::auth_file& f) { return (f.changed_at ? unix_ns(*f.changed_at) : 0) * 31 + f.size; }

json ms_of(const std::optional<moment>& at) { return at ? json(unix_ns(*at) / 1'000'000) : json(nullptr); }

std::optional<moment> moment_in(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_number_integer()
           ? std::optional(moment_of(found->get<std::int64_t>() * 1'000'000))
           : std::nullopt;
}

std::string text_in(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::int64_t number_in(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

bool is_bad(account_condition c) { return c == account_condition::login_needed || c == account_condition::not_renewed; }

} // namespace

account_entry* account_book::find(const account_id& id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

account_entry* account_book::find(const node_name& node, const std::string& file) {
  return find(id_of_(node + '\n' + file));
}

std::string account_book::version_of(const node_name& node) const {
  const auto found = versions_.find(node);
  return found == versions_.end() ? "" : found->second;
}

// --- keeping ---------------------------------------------------------------------------------

std::string account_book::write_account(const account_entry& of) {
  return dump({{"node", of.node},
               {"file", of.file.name},
               {"provider", of.file.provider},
               {"email", of.file.email},
               {"present", of.present},
               {"owner", of.owner},
               {"owner_name", of.owner_name},
               {"owner_email", of.owner_email},
               {"contributed", ms_of(of.contributed_at)},
               {"seen", ms_of(of.seen_at)},
               {"tested", ms_of(of.tested_at)},
               {"ends", ms_of(of.token.ends)},
               {"refreshed", ms_of(of.token.refreshed)},
               {"project", of.token.project},
               {"token_stamp", of.token_stamp},
               {"status", of.provider_status},
               {"status_stamp", of.provider_stamp},
               {"plan", of.plan},
               {"told", static_cast<int>(of.told)},
               {"told_once", of.told_once},
               {"reminders", of.reminders},
               {"reminded_of", ms_of(of.reminded_of)}});
}

bool account_book::load_account(std::string_view text) {
  const auto j = json::parse(text, nullptr, false);
  if (!j.is_object())
    return false;
  account_entry e;
  e.node = text_in(j, "node");
  e.file.name = text_in(j, "file");
  if (e.node.empty() || e.file.name.empty())
    return false;
  e.id = id_of_(e.node + '\n' + e.file.name);
  e.file.provider = text_in(j, "provider");
  e.file.email = text_in(j, "email");
  e.present = j.value("present", json()) == true;
  e.owner = text_in(j, "owner");
  e.owner_name = text_in(j, "owner_name");
  e.owner_email = text_in(j, "owner_email");
  e.contributed_at = moment_in(j, "contributed");
  e.seen_at = moment_in(j, "seen");
  e.tested_at = moment_in(j, "tested");
  e.token.ends = moment_in(j, "ends");
  e.token.refreshed = moment_in(j, "refreshed");
  e.token.project = text_in(j, "project");
  e.token_stamp = number_in(j, "token_stamp");
  e.provider_status = static_cast<int>(number_in(j, "status"));
  e.provider_stamp = number_in(j, "status_stamp");
  e.plan = text_in(j, "plan");
  const auto told = number_in(j, "told");
  e.told = told >= 0 && told <= static_cast<int>(account_condition::gone) ? static_cast<account_condition>(told)
                                                                          : account_condition::fine;
  e.told_once = j.value("told_once", json()) == true;
  e.reminders = static_cast<std::uint32_t>(number_in(j, "reminders"));
  e.reminded_of = moment_in(j, "reminded_of");
  const auto id = e.id;
  entries_[id] = std::move(e);
  return true;
}

bool account_book::load_windows(const account_id& id, std::string_view text) {
  auto* const of = find(id);
  return of != nullptr && of->windows.read(text);
}

void account_book::load_mapping(std::string_view text) {
  const auto j = json::parse(text, nullptr, false);
  if (j.is_object() && !text_in(j, "email").empty())
    mapping_[text_in(j, "email")] = {text_in(j, "owner"), text_in(j, "name"), text_in(j, "owner_email")};
}

std::vector<std::pair<std::string, std::string>> account_book::mapping_rows() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [email, p] : mapping_)
    out.emplace_back(id_of_("mapping\n" + email),
                     dump({{"email", email}, {"owner", p.owner}, {"name", p.name}, {"owner_email", p.email}}));
  return out;
}

// --- telling -----------------------------------------------------------------------------------

node_event account_book::event(event_kind kind, const account_entry& of, moment now, std::string words) const {
  const auto found = finding(of, now);
  json data = {{"account", of.id},
               {"node", of.node},
               {"provider", of.file.provider},
               {"address", shown_address(of.file.email)},
               {"owner", of.owner.empty() ? json(nullptr) : json(of.owner)},
               {"condition", to_text(found.condition)},
               {"words", std::move(words)},
               {"at", to_rfc3339_ms(now)}};
  if (of.owner.empty() && !of.owner_email.empty())
    data["owner_email"] = of.owner_email; // somebody who has no account of ours
  if (found.rests_until)
    data["until"] = to_rfc3339_ms(*found.rests_until);
  if (of.token.ends && is_bad(found.condition))
    data["token_ends"] = to_rfc3339_ms(*of.token.ends);
  return {.kind = kind, .node = of.node, .at = now, .data = dump(data), .about = of.id};
}

account_finding account_book::finding(const account_entry& of, moment now) const {
  if (!of.present)
    return {account_condition::gone, "it is not at its node any more", {}};
  if (!of.seen_now)
    return {of.told, "as it was when its node was seen last", {}};
  account_facts facts;
  facts.file = &of.file;
  facts.provider = find_provider(of.file.provider);
  const auto version = version_of(of.node);
  facts.version = version;
  if (of.token_stamp == of.stamp)
    facts.token_ends = of.token.ends;
  if (of.provider_stamp == of.stamp)
    facts.provider_status = of.provider_status;
  return fold_account(facts, now);
}

void account_book::judge(account_entry& of, moment now, std::vector<node_event>& out) {
  const auto found = finding(of, now);
  const auto was = of.told;
  const bool first = !std::exchange(of.told_once, true);
  if (found.condition != was || first) {
    of.told = found.condition;
    changed_.accounts.insert(of.id);
    if (found.condition == account_condition::login_needed)
      out.push_back(event(event_kind::account_login_needed, of, now, found.why));
    else if (found.condition == account_condition::resting)
      out.push_back(event(event_kind::account_limited, of, now, found.why));
    else if (!first && was == account_condition::resting && !is_bad(found.condition))
      out.push_back(event(event_kind::account_limited, of, now, "it need not rest any more"));
    else if (!first && is_bad(was) && !is_bad(found.condition) && found.condition != account_condition::off
             && found.condition != account_condition::gone)
      out.push_back(event(event_kind::account_recovered, of, now, "it works again"));
  }
  if (found.condition != account_condition::not_renewed || !of.token.ends)
    return;
  if (of.reminded_of != of.token.ends) {
    of.reminded_of = of.token.ends;
    of.reminders = 0;
  }
  // Of several that are due at once only the last is told.
  bool due = false;
  for (std::size_t i = 0; i < reminders_.size() && i < 32; ++i)
    if (*of.token.ends - now <= reminders_[i] && (of.reminders >> i & 1U) == 0) {
      of.reminders |= 1U << i;
      due = true;
    }
  if (!due)
    return;
  changed_.accounts.insert(of.id);
  out.push_back(event(event_kind::account_login_due, of, now, found.why));
}

// --- what is seen --------------------------------------------------------------------------------

void account_book::take_mapping(account_entry& of) const {
  if (of.contributed_at)
    return; // who gave it himself is known better
  const auto found = mapping_.find(lower(of.file.email));
  if (of.file.email.empty() || found == mapping_.end())
    return;
  of.owner = found->second.owner;
  of.owner_name = found->second.name;
  of.owner_email = found->second.email;
}

std::vector<node_event> account_book::seen(const node_name& node, const std::string& version,
                                           std::vector<cpa::auth_file> files, moment now) {
  std::vector<node_event> out;
  versions_[node] = version;
  std::set<account_id> there;
  for (auto& file : files) {
    if (file.runtime_only)
      continue;
    const auto id = id_of_(node + '\n' + file.name);
    there.insert(id);
    auto [at, fresh] = entries_.try_emplace(id);
    auto& e = at->second;
    if (fresh || !e.present) {
      e.id = id;
      e.node = node;
      e.present = true;
      changed_.accounts.insert(id);
    }
    e.seen_now = true;
    e.stamp = stamp_of(file);
    if (!file.plan.empty())
      e.plan = file.plan;
    e.last_error = file.status == "error" ? shown_error(file.message) : "";
    const bool renamed = e.file.email != file.email || e.file.provider != file.provider;
    e.file = std::move(file);
    e.seen_at = now;
    if (fresh || renamed) {
      take_mapping(e);
      changed_.accounts.insert(id);
    }
    judge(e, now, out);
  }
  for (auto& [id, e] : entries_) {
    if (e.node != node || !e.present || there.contains(id))
      continue;
    e.present = false;
    e.told = account_condition::gone;
    changed_.accounts.insert(id);
    out.push_back(event(event_kind::account_removed, e, now, "it is not at its node any more"));
  }
  return out;
}

std::vector<node_event> account_book::token_seen(const account_id& id, const cpa::token_times& token, moment now) {
  std::vector<node_event> out;
  if (auto* const of = find(id)) {
    of->token = token;
    of->token_stamp = of->stamp;
    changed_.accounts.insert(id);
    judge(*of, now, out);
  }
  return out;
}

std::vector<node_event> account_book::provider_said(const account_id& id, int status, std::string_view body,
                                                    moment now) {
  std::vector<node_event> out;
  auto* const of = find(id);
  if (of == nullptr)
    return out;
  if (of->provider_status != status || of->provider_stamp != of->stamp)
    changed_.accounts.insert(id);
  of->provider_status = status;
  of->provider_stamp = of->stamp;
  of->tested_at = now;
  of->quota_problem.clear();
  if (status == 200) {
    auto reading = read_quota(of->file.provider, body, now);
    if (reading) {
      if (!reading->plan.empty())
        of->plan = reading->plan;
      for (const auto& reached : of->windows.take(reading->windows, now)) {
        auto words =
          fmt::format("{} of its window {} are used",
                      reached.percent == 100 ? "all" : fmt::format("{:.0f} %", reached.used), reached.window);
        auto told = event(event_kind::account_quota, *of, now, std::move(words));
        auto data = json::parse(told.data);
        data["window"] = reached.window;
        data["percent"] = reached.percent;
        data["used"] = reached.used;
        data["begins_anew"] = reached.begins_anew ? json(to_rfc3339_ms(*reached.begins_anew)) : json(nullptr);
        told.data = dump(data);
        out.push_back(std::move(told));
      }
      changed_.windows.insert(id);
    } else {
      of->quota_problem = render(reading.error());
    }
  } else if (status == 401 || status == 402) {
    of->quota_problem = "the provider does not accept the account any more";
  } else if (status == 429) {
    of->quota_problem = "the provider wants to be asked less often; it is asked again later";
  } else {
    of->quota_problem = fmt::format("the provider answers {}; it is asked again later", status);
  }
  judge(*of, now, out);
  return out;
}

void account_book::provider_silent(const account_id& id, std::string why) {
  if (auto* const of = find(id))
    of->quota_problem = std::move(why);
}

std::vector<node_event> account_book::pass_time(moment now) {
  std::vector<node_event> out;
  for (auto& [id, e] : entries_)
    if (e.present && e.seen_now)
      judge(e, now, out);
  return out;
}

// --- whose they are --------------------------------------------------------------------------------

bool account_book::contributed(const account_id& id, const std::string& who, const std::string& name, moment now) {
  auto* const of = find(id);
  if (of == nullptr)
    return false;
  changed_.accounts.insert(id);
  if (of->contributed_at && !of->owner.empty())
    return of->owner == who;
  const bool mapped_to_other = !of->owner.empty() && of->owner != who;
  if (mapped_to_other)
    return false;
  of->owner = who;
  of->owner_name = name;
  of->owner_email.clear();
  of->contributed_at = now;
  return true;
}

std::uint64_t account_book::map_owner(const std::string& email, const std::string& owner_email, const std::string& name,
                                      const std::string& owner) {
  const auto key = lower(email);
  mapping_[key] = {owner, name, lower(owner_email)};
  std::uint64_t out = 0;
  for (auto& [id, e] : entries_) {
    if (lower(e.file.email) != key)
      continue;
    take_mapping(e);
    changed_.accounts.insert(id);
    ++out;
  }
  return out;
}

account_view account_book::view(const account_entry& of, moment now) const {
  const auto found = finding(of, now);
  account_view v;
  v.id = of.id;
  v.node = of.node;
  v.provider = of.file.provider;
  v.plan = of.plan;
  v.owner = of.owner;
  v.owner_name = of.owner_name;
  v.condition = found.condition;
  v.why = found.why;
  v.rests_until = found.rests_until;
  v.token_ends = of.token.ends;
  v.refreshed_at = of.file.refreshed_at ? of.file.refreshed_at : of.token.refreshed;
  v.contributed_at = of.contributed_at;
  v.seen_at = of.seen_at;
  v.tested_at = of.tested_at;
  v.used = of.used;
  v.quota = of.windows.last(now);
  v.quota_at = of.windows.taken_at();
  v.quota_problem = of.quota_problem;
  v.file = of.file.name;
  v.email = of.file.email;
  v.owner_email = of.owner_email;
  v.auth_index = of.file.auth_index;
  v.last_error = of.last_error;
  return v;
}

std::vector<account_view> account_book::views(moment now) const {
  std::vector<account_view> out;
  for (const auto& [id, e] : entries_)
    if (e.present && e.seen_at)
      out.push_back(view(e, now));
  std::sort(out.begin(), out.end(), [](const account_view& a, const account_view& b) {
    return std::tie(a.node, a.provider, a.file) < std::tie(b.node, b.provider, b.file);
  });
  return out;
}

} // namespace keyportal
