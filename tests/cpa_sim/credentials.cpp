#include "credentials.hpp"

#include "account_room.hpp"
#include "json.hpp"

#define XXH_INLINE_ALL
#include <openssl/sha.h>
#include <xxhash.h>

#include <cstdio>

namespace keyportal::cpa_sim {
namespace {

std::string number(std::int64_t value) { return std::to_string(value); }

std::string hex(const unsigned char* bytes, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += "0123456789abcdef"[bytes[i] >> 4];
    out += "0123456789abcdef"[bytes[i] & 15];
  }
  return out;
}

/// First bytes of the SHA-256 of a seed, in hex.
std::string sha256(const std::string& text, std::size_t bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return hex(digest, bytes);
}

std::string executor_of(const std::string& provider) {
  std::string name = provider;
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z')
    name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name + "Executor";
}

constexpr std::size_t buckets_shown = 20;

} // namespace

std::string invented_auth_index(const std::string& text) {
  std::uint64_t value = XXH3_64bits(text.data(), text.size());
  std::string out(16, '0');
  for (auto digit = out.rbegin(); digit != out.rend(); ++digit, value >>= 4)
    *digit = "0123456789abcdef"[value & 15];
  return out;
}

std::vector<credential> credentials_of(const options& o, const traits& t) {
  std::vector<credential> all;
  for (const auto& key : o.upstream_keys) {
    credential c;
    c.name = o.provider_url + '|' + key;
    c.group = o.provider;
    c.provider = (t.provider_prefix ? "openai-compatible-" : "") + o.provider;
    c.executor = "OpenAICompatExecutor";
    c.source = key;
    const std::string seed = "openai-compatibility:" + o.provider_url + '+' + key;
    c.auth_index = t.auth_index_by_place ? sha256(seed, 8) : invented_auth_index(o.provider_url + key);
    const std::string end(1, '\0');
    c.id = "openai-compatibility:" + o.provider + ':'
           + sha256("openai-compatibility:" + o.provider + end + key + end + o.provider_url + end, 6);
    if (!o.models.empty()) {
      c.model = o.models.front().upstream;
      c.alias = o.models.front().alias;
    }
    all.push_back(std::move(c));
  }
  for (const auto& a : o.accounts) {
    credential c;
    c.file = a.file;
    c.group = c.provider = a.provider;
    c.executor = executor_of(a.provider);
    c.source = a.label;
    c.auth_index = invented_auth_index(a.label);
    c.name = c.id = a.file ? a.provider + '-' + a.label + ".json" : '|' + a.label;
    c.model = a.model;
    c.alias = a.model;
    c.count = counting_of(a.provider);
    all.push_back(std::move(c));
  }
  return all;
}

void fill_route(route& r, const credential& c) {
  r.provider = c.provider;
  r.executor = c.executor;
  r.auth_type = c.file ? "oauth" : "apikey";
  r.source = c.source;
  r.auth_index = c.auth_index;
  r.credential = c.name;
  r.count = c.count;
  if (c.file)
    r.token_hash = sha256("token of " + c.name, 32);
}

void credential_counters::count(const std::string& name, bool failed, const instant& now,
                                const std::string& complaint) {
  tally& t = tallies_[name];
  ++(failed ? t.failed : t.success);
  auto& bucket = t.buckets[(now.seconds + now.offset_seconds) / 600];
  ++bucket[failed ? 1 : 0];
  while (t.buckets.size() > buckets_shown)
    t.buckets.erase(t.buckets.begin());
  if (t.complaint != complaint)
    t.complaint = complaint;
  t.changed = now;
}

std::string credential_counters::recent(const tally& t, const instant& now) const {
  const std::int64_t last = (now.seconds + now.offset_seconds) / 600;
  const std::int64_t first = last + 1 - static_cast<std::int64_t>(buckets_shown);
  std::string out = "[";
  for (std::int64_t bucket = first; bucket <= last; ++bucket) {
    const auto found = t.buckets.find(bucket);
    const auto counts = found == t.buckets.end() ? std::array<std::int64_t, 2>{} : found->second;
    char label[32];
    const auto clock = [](std::int64_t tens) { return static_cast<int>(tens % 144); };
    std::snprintf(label, sizeof label, "%02d:%d0-%02d:%d0", clock(bucket) / 6, clock(bucket) % 6, clock(bucket + 1) / 6,
                  clock(bucket + 1) % 6);
    out += (bucket == first ? "{\"time\":\"" : ",{\"time\":\"") + std::string(label)
           + "\",\"success\":" + number(counts[0]) + ",\"failed\":" + number(counts[1]) + '}';
  }
  return out + ']';
}

std::string credential_counters::keys_json(const instant& now) const {
  std::map<std::string, std::map<std::string, std::string>> groups;
  for (const auto& c : all_) {
    if (c.file)
      continue;
    const auto found = tallies_.find(c.name);
    const tally t = found == tallies_.end() ? tally{} : found->second;
    groups[c.group][c.name] = traits_.counters ? "{\"success\":" + number(t.success) + ",\"failed\":" + number(t.failed)
                                                   + ",\"recent_requests\":" + recent(t, now) + '}'
                                               : recent(t, now);
  }
  std::string out = "{";
  for (const auto& [group, keys] : groups) {
    out += (out.size() == 1 ? "" : ",") + json_text(group) + ":{";
    bool first = true;
    for (const auto& [name, text] : keys) {
      out += (first ? "" : ",") + json_text(name) + ':' + text;
      first = false;
    }
    out += '}';
  }
  return out + '}';
}

std::string credential_counters::file_json(const auth_file& of, const instant& now, const instant& started,
                                           const std::string& folder) const {
  const auto found = tallies_.find(of.name);
  const tally t = found == tallies_.end() ? tally{} : found->second;
  const auto moment = [&now](std::int64_t ms) {
    return to_text(instant{ms / 1000, static_cast<std::int32_t>(ms % 1000) * 1'000'000, now.offset_seconds});
  };
  const bool changed = of.version > 1 || of.changed_ms != of.made_ms || of.shown_from_ms != 0;
  const std::string made = changed ? moment(of.made_ms) : to_text(started);
  const std::string since = changed ? moment(of.changed_ms) : to_text(started);
  const std::string email = json_text(of.email), id = json_text(of.name), kind = json_text(of.provider);
  const std::string shown =
    of.provider == "gemini-cli" && !traits_.plan_told ? json_text(of.email + " (" + of.project + ')') : email;
  const bool counted = traits_.counters, recently = traits_.recent_requests;
  std::string f = "{\"account\":" + shown + ",\"account_type\":\"oauth\",\"auth_index\":" + json_text(of.auth_index);
  f += ",\"created_at\":\"" + made + "\",\"disabled\":" + (of.disabled ? "true" : "false") + ",\"email\":" + email;
  if (counted)
    f += ",\"failed\":" + number(t.failed);
  f += ",\"id\":" + id;
  if (traits_.plan_told && of.provider == "codex" && of.shown_from_ms != 0)
    f += ",\"id_token\":{\"chatgpt_account_id\":" + json_text(of.account_id) + ",\"plan_type\":" + json_text(of.plan)
         + '}';
  f += ",\"label\":" + email + ",\"modtime\":\"" + since + "\",\"name\":" + id;
  if (traits_.retry_told && of.rests_until_ms != 0)
    f += ",\"next_retry_after\":\"" + moment(of.rests_until_ms) + '"';
  if (!of.note.empty())
    f += ",\"note\":" + json_text(of.note);
  f += ",\"path\":" + json_text(folder + '/' + of.name) + ",\"provider\":" + kind;
  if (recently)
    f += ",\"recent_requests\":" + recent(t, now);
  const std::string message = of.disabled           ? "disabled via management API"
                              : !of.message.empty() ? of.message
                                                    : t.complaint;
  const std::string status = of.disabled          ? "disabled"
                             : !of.status.empty() ? of.status
                             : message.empty()    ? "active"
                                                  : "error";
  f += ",\"runtime_only\":false,\"size\":" + number(144 + static_cast<std::int64_t>(of.version));
  f += ",\"source\":\"file\",\"status\":" + json_text(status) + ",\"status_message\":" + json_text(message);
  if (counted)
    f += ",\"success\":" + number(t.success);
  f += ",\"type\":" + kind + ",\"unavailable\":" + (of.unavailable ? "true" : "false") + ",\"updated_at\":\"";
  return f + (found == tallies_.end() ? since : to_text(t.changed)) + "\"}";
}

std::string credential_counters::files_json(const account_room& room, const instant& now, const instant& started,
                                            const std::string& folder, const std::string& name,
                                            const std::string& auth_index) const {
  std::string out = "{\"files\":[";
  for (const auto& f : room.shown(now.seconds * 1000 + now.nanoseconds / 1'000'000)) {
    if ((!name.empty() && name != f.name) || (!auth_index.empty() && auth_index != f.auth_index))
      continue;
    if (out.back() == '}')
      out += ',';
    out += file_json(f, now, started, folder);
  }
  return out + "]}";
}

} // namespace keyportal::cpa_sim
