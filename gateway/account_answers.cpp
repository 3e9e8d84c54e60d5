#include "gateway/account_answers.hpp"

#include <cmath>

#include "messages/account_words.hpp"
#include "messages/json.hpp"

namespace keyportal::gateway {

using nlohmann::json;

namespace {

json at_of(const std::optional<moment>& at) { return at ? json(to_rfc3339_ms(*at)) : json(nullptr); }

double one_digit(double value) { return std::round(value * 10) / 10; }

json quota_of(const account_view& a) {
  auto out = json::array();
  for (const auto& w : a.quota)
    out.push_back(
      {{"name", w.name},
       {"used", one_digit(w.used)},
       {"spans_s", w.spans_s},
       {"begins_anew", at_of(w.begins_anew)},
       {"forecast", {{"at", at_of(w.forecast.at)}, {"sure", w.forecast.sure}, {"words", w.forecast.words}}}});
  return out;
}

} // namespace

json to_json(const account_view& a, const std::string& me) {
  json used = json::object();
  for (std::size_t i = 0; i < account_spans.size(); ++i)
    used[std::string(account_spans[i])] = {
      {"ok", a.used[i].ok}, {"failed", a.used[i].failed}, {"tokens", a.used[i].tokens}};
  return {{"id", a.id},
          {"node", a.node},
          {"provider", a.provider},
          {"plan", a.plan},
          {"address", shown_address(a.email)},
          {"owner_name", a.owner_name},
          {"mine", !me.empty() && a.owner == me},
          {"condition", to_text(a.condition)},
          {"why", a.why},
          {"rests_until", at_of(a.rests_until)},
          {"token_ends", at_of(a.token_ends)},
          {"refreshed_at", at_of(a.refreshed_at)},
          {"contributed_at", at_of(a.contributed_at)},
          {"seen_at", at_of(a.seen_at)},
          {"tested_at", at_of(a.tested_at)},
          {"used", std::move(used)},
          {"quota", quota_of(a)},
          {"quota_at", at_of(a.quota_at)},
          {"quota_problem", a.quota_problem}};
}

json to_full_json(const account_view& a, const std::string& me) {
  auto out = to_json(a, me);
  out["file"] = a.file;
  out["email"] = a.email;
  out["owner"] = a.owner.empty() ? json(nullptr) : json(a.owner);
  out["owner_email"] = a.owner_email;
  out["auth_index"] = a.auth_index;
  out["last_error"] = a.last_error;
  return out;
}

json to_json(const account_login& l) {
  return {{"id", l.id},
          {"provider", l.provider},
          {"title", l.title},
          {"node", l.node},
          {"way", l.way == login_way::device ? "device" : "browser"},
          {"url", l.url},
          {"user_code", l.user_code},
          {"ends_at", l.ends_at},
          {"stage", to_text(l.stage)},
          {"words", l.words},
          {"code", l.code},
          {"begun_at", to_rfc3339_ms(l.begun_at)},
          {"ends", to_rfc3339_ms(l.ends)},
          {"account", l.account.empty() ? json(nullptr) : json(l.account)},
          {"was_there", l.was_there}};
}

json to_json(const account_offer& o) {
  return {{"provider", o.provider},
          {"title", o.title},
          {"way", o.way == login_way::device ? "device" : "browser"},
          {"ends_at", o.ends_at},
          {"nodes", o.nodes}};
}

json to_json(const account_windows& all) {
  auto out = json::array();
  for (const auto& w : all) {
    auto samples = json::array(), ended = json::array();
    for (const auto& [at, used] : w.samples)
      samples.push_back({{"at", to_rfc3339_ms(at)}, {"used", one_digit(used)}});
    for (const auto& e : w.ended)
      ended.push_back({{"ended", to_rfc3339_ms(e.ended)}, {"most", one_digit(e.most)}});
    out.push_back({{"name", w.name}, {"samples", std::move(samples)}, {"ended", std::move(ended)}});
  }
  return out;
}

json sums_of(const account_list& all) {
  json conditions = json::object();
  for (const auto c : {account_condition::fine, account_condition::degraded, account_condition::resting,
                       account_condition::not_renewed, account_condition::login_needed, account_condition::off})
    conditions[std::string(to_text(c))] = 0;
  for (const auto& a : all.accounts) {
    auto& count = conditions[std::string(to_text(a.condition))];
    count = count.is_number() ? count.get<std::uint64_t>() + 1 : 1;
  }
  auto nodes = json::array();
  for (const auto& n : all.nodes)
    nodes.push_back({{"node", n.node}, {"seen_at", at_of(n.seen_at)}, {"problem", n.problem}});
  return {{"at", to_rfc3339_ms(all.at)},
          {"total", all.accounts.size()},
          {"conditions", std::move(conditions)},
          {"nodes", std::move(nodes)}};
}

} // namespace keyportal::gateway
