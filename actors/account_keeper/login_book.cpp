#include "actors/account_keeper/login_book.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "actors/account_keeper/provider_table.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {

using nlohmann::json;

std::optional<moment> moment_in(const json& from, const char* name) {
  const auto found = from.find(name);
  if (found == from.end() || !found->is_number_integer())
    return std::nullopt;
  return moment_of(found->get<std::int64_t>());
}

int number_in(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_number_integer() ? found->get<int>() : 0;
}

bool flag_in(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_boolean() && found->get<bool>();
}

std::string text_in(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

} // namespace

account_login shown_of(const login_entry& of) {
  auto out = of.shown;
  if (out.stage != login_stage::waiting) {
    out.url.clear();
    out.user_code.clear();
  }
  return out;
}

std::string write_login(const login_entry& what) {
  const auto& s = what.shown;
  auto before = json::array();
  for (const auto& f : what.before)
    before.push_back({f.name, f.changed_ns, f.size});
  json out = {{"id", s.id},
              {"provider", s.provider},
              {"title", s.title},
              {"node", s.node},
              {"way", static_cast<int>(s.way)},
              {"url", s.url},
              {"user_code", s.user_code},
              {"ends_at", s.ends_at},
              {"stage", static_cast<int>(s.stage)},
              {"words", s.words},
              {"code", s.code},
              {"begun", unix_ns(s.begun_at)},
              {"ends", unix_ns(s.ends)},
              {"account", s.account},
              {"was_there", s.was_there},
              {"who", what.who},
              {"name", what.name},
              {"state", what.state},
              {"before", std::move(before)},
              {"handed_in", what.handed_in}};
  if (what.said_done)
    out["said_done"] = unix_ns(*what.said_done);
  if (what.told_done)
    out["told_done"] = unix_ns(*what.told_done);
  return dump(out);
}

bool read_login(std::string_view text, login_entry& out) {
  const auto j = json::parse(text, nullptr, false);
  if (!j.is_object())
    return false;
  auto& s = out.shown;
  s.id = text_in(j, "id");
  s.provider = text_in(j, "provider");
  s.title = text_in(j, "title");
  s.node = text_in(j, "node");
  s.url = text_in(j, "url");
  s.user_code = text_in(j, "user_code");
  s.ends_at = text_in(j, "ends_at");
  s.words = text_in(j, "words");
  s.code = text_in(j, "code");
  s.account = text_in(j, "account");
  const auto way = number_in(j, "way"), stage = number_in(j, "stage");
  if (s.id.empty() || way < 0 || way > 1 || stage < 0 || stage > static_cast<int>(login_stage::cancelled))
    return false;
  s.way = static_cast<login_way>(way);
  s.stage = static_cast<login_stage>(stage);
  s.begun_at = moment_in(j, "begun").value_or(moment{});
  s.ends = moment_in(j, "ends").value_or(moment{});
  s.was_there = flag_in(j, "was_there");
  out.who = text_in(j, "who");
  out.name = text_in(j, "name");
  out.state = text_in(j, "state");
  out.handed_in = flag_in(j, "handed_in");
  out.said_done = moment_in(j, "said_done");
  out.told_done = moment_in(j, "told_done");
  if (j.contains("before") && j["before"].is_array())
    for (const auto& f : j["before"])
      if (f.is_array() && f.size() == 3 && f[0].is_string() && f[1].is_number_integer() && f[2].is_number_integer())
        out.before.push_back({f[0], f[1], f[2]});
  return true;
}

caf::expected<std::string> login_book::may_begin(const std::string& who, const std::string& provider,
                                                 const node_name& node, moment now) const {
  std::string replaced;
  std::size_t own = 0;
  for (const auto& [id, one] : logins_) {
    if (!is_open(one.shown.stage) || one.shown.ends + std::chrono::seconds{30} <= now)
      continue;
    own += one.who == who ? 1 : 0;
    if (one.shown.provider != provider || one.shown.node != node)
      continue;
    if (one.who != who || one.shown.stage != login_stage::waiting)
      return make_error(errc::account_login_busy, provider);
    replaced = id;
  }
  if (replaced.empty() && own >= most_of_one)
    return make_error(errc::account_login_busy, "five of your own logins are under way; cancel one");
  return replaced;
}

login_entry& login_book::begin(login_entry what) {
  const auto id = what.shown.id;
  return logins_[id] = std::move(what);
}

caf::expected<login_entry*> login_book::find(const std::string& who, const std::string& id) {
  const auto found = logins_.find(id);
  if (found == logins_.end() || found->second.who != who)
    return make_error(errc::account_login_unknown);
  return &found->second;
}

caf::expected<login_entry*> login_book::judge(const std::string& who, const std::string& id, const callback& what,
                                              const std::string& provider, moment now) {
  login_entry* of = nullptr;
  if (!id.empty()) {
    auto found = find(who, id);
    if (!found)
      return found.error();
    of = *found;
  } else {
    for (auto& [key, one] : logins_)
      if (one.who == who && !one.state.empty() && one.state == what.state)
        of = &one;
    if (of == nullptr) {
      // Cut at its end it is still told what it is.
      for (auto& [key, one] : logins_)
        if (one.who == who && is_open(one.shown.stage) && one.state.starts_with(what.state))
          return make_error(errc::callback_incomplete, "the end of its state is missing");
      return make_error(errc::callback_foreign);
    }
  }
  auto& s = of->shown;
  if (of->handed_in && (is_open(s.stage) || s.stage == login_stage::done)
      && (of->state.empty() || of->state == what.state))
    return make_error(errc::callback_used);
  if (!is_open(s.stage) || s.ends <= now)
    return make_error(errc::account_login_over);
  if (s.way == login_way::device)
    return make_error(errc::callback_other_provider,
                      "this login wants no address; type the code at the provider's page");
  const auto* const said = find_provider(provider);
  if ((!what.provider.empty() && what.provider != s.provider) || (said != nullptr && said->name != s.provider))
    return make_error(errc::callback_other_provider);
  if (what.state != of->state)
    return make_error(of->state.starts_with(what.state) ? errc::callback_incomplete : errc::callback_foreign);
  return of;
}

std::vector<login_entry*> login_book::expired(moment now) {
  std::vector<login_entry*> out;
  for (auto& [id, one] : logins_) {
    const auto grace = one.shown.stage == login_stage::waiting ? std::chrono::seconds{0} : std::chrono::seconds{60};
    if (is_open(one.shown.stage) && one.shown.ends + grace <= now)
      out.push_back(&one);
  }
  return out;
}

std::vector<std::string> login_book::forget(moment now) {
  std::vector<std::string> out;
  for (auto at = logins_.begin(); at != logins_.end();)
    if (!is_open(at->second.shown.stage) && at->second.shown.ends + kept <= now) {
      out.push_back(at->first);
      at = logins_.erase(at);
    } else {
      ++at;
    }
  return out;
}

void login_book::end(login_entry& which, login_stage how, errc code, std::string words, moment now) {
  auto& s = which.shown;
  s.stage = how;
  s.code = code == errc::none ? "" : std::string(row_of(code).name);
  s.words = std::move(words);
  s.url.clear();
  s.user_code.clear();
  s.ends = now;
  which.before.clear();
  if (how != login_stage::done)
    which.state.clear();
}

std::string new_file(const std::vector<file_mark>& before, const std::vector<file_mark>& now) {
  std::string rewritten;
  for (const auto& f : now) {
    const auto was = std::find_if(before.begin(), before.end(), [&](const file_mark& b) { return b.name == f.name; });
    if (was == before.end())
      return f.name;
    if (f.changed_ns > was->changed_ns)
      rewritten = f.name;
  }
  return rewritten;
}

} // namespace keyportal
