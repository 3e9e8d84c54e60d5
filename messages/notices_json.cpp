#include "messages/notices_json.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "messages/json.hpp"

namespace keyportal {

using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 7> states = {"waiting",  "sending",  "delivered", "refused",
                                                    "given_up", "gathered", "unknown"};
constexpr std::array<std::string_view, 3> weights = {"news", "warning", "alarm"};

std::string to_hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<std::uint8_t>(c) >> 4];
    out += digits[static_cast<std::uint8_t>(c) & 15];
  }
  return out;
}

int digit_of(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

bool from_hex(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 2 != 0)
    return false;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit_of(text[i]), low = digit_of(text[i + 1]);
    if (high < 0 || low < 0)
      return false;
    out += static_cast<char>(high * 16 + low);
  }
  return true;
}

json facts_of(const notice_record& n) {
  auto facts = json::parse(n.facts, nullptr, false);
  return facts.is_object() ? facts : json::object();
}

json attempts_of(const notice_record& n) {
  auto out = json::array();
  for (const auto& one : n.attempts)
    out.push_back(
      {{"at", to_rfc3339_ms(one.at)}, {"took_ms", one.took_ms}, {"outcome", one.outcome}, {"answer", one.answer}});
  return out;
}

/// Reads the fields of an object; what is not there, or of another kind, is empty.
class reader {
public:
  explicit reader(const json& from) : from_(from) {}
  void text(const char* name, std::string& to) const {
    if (const auto found = from_.find(name); found != from_.end() && found->is_string())
      to = found->get<std::string>();
  }
  void texts(const char* name, std::vector<std::string>& to) const {
    if (const auto found = from_.find(name); found != from_.end() && found->is_array())
      for (const auto& one : *found)
        if (one.is_string())
          to.push_back(one.get<std::string>());
  }
  void moment(const char* name, keyportal::moment& to) const {
    if (const auto found = from_.find(name); found != from_.end() && found->is_number_integer())
      to = moment_of(found->get<std::int64_t>());
  }
  template <class Number>
  void number(const char* name, Number& to) const {
    if (const auto found = from_.find(name); found != from_.end() && found->is_number_integer())
      to = found->get<Number>();
  }

private:
  const json& from_;
};

} // namespace

std::string_view name_of(notice_state state) { return states[static_cast<std::size_t>(state)]; }
std::string_view name_of(notice_weight weight) { return weights[static_cast<std::size_t>(weight)]; }

std::optional<notice_state> notice_state_of(std::string_view name) {
  const auto found = std::find(states.begin(), states.end(), name);
  return found == states.end() ? std::nullopt : std::optional(static_cast<notice_state>(found - states.begin()));
}

json to_json(const notice_record& n) {
  json out = {{"id", n.id},
              {"kind", n.kind},
              {"event", n.event},
              {"about", n.about},
              {"at", to_rfc3339_ms(n.at)},
              {"weight", name_of(n.weight)},
              {"why", n.why},
              {"recipient", n.recipient},
              {"address", n.address},
              {"channel", n.channel},
              {"language", n.language},
              {"facts", facts_of(n)},
              {"state", name_of(n.state)},
              {"attempts", attempts_of(n)}};
  if (!is_over(n.state)) {
    out["due_at"] = to_rfc3339_ms(n.due_at);
    out["until"] = to_rfc3339_ms(n.until);
  }
  if (!n.digest.empty())
    out["digest"] = n.digest;
  if (!n.members.empty())
    out["members"] = n.members;
  if (!n.message.empty())
    out["message"] = n.message;
  return out;
}

json to_json(const notice_page& p) {
  json items = json::array();
  for (const auto& one : p.notices)
    items.push_back(to_json(one));
  json out = {{"items", std::move(items)}, {"more", p.more}};
  if (p.more && !p.notices.empty())
    out["next"] = p.notices.back().id;
  return out;
}

json to_json(const notice_preview& p) {
  json channels = json::array();
  for (const auto& [name, text] : p.by_channel)
    channels.push_back({{"channel", name}, {"text", text}});
  return {{"title", p.title}, {"lines", p.lines}, {"button", p.button}, {"link", p.link}, {"channels", channels}};
}

json to_json(const notice_preferences& p) {
  return {{"channels", p.channels ? json(*p.channels) : json(nullptr)},
          {"muted", p.muted},
          {"language", p.language},
          {"quiet_from", p.quiet_from},
          {"quiet_to", p.quiet_to},
          {"zone", p.zone},
          {"digest_at", p.digest_at},
          {"open_id", p.open_id},
          {"mobile", p.mobile}};
}

json to_json(const notices_state& s) {
  json channels = json::array();
  for (const auto& one : s.channels)
    channels.push_back({{"name", one.name},
                        {"kind", one.kind},
                        {"personal", one.personal},
                        {"waiting", one.waiting},
                        {"resting_until", one.resting_until ? json(to_rfc3339_ms(*one.resting_until)) : json(nullptr)},
                        {"problem", one.problem.empty() ? json(nullptr) : json(one.problem)},
                        {"delivered", one.delivered},
                        {"refused", one.refused},
                        {"again", one.again},
                        {"unknown", one.unknown}});
  return {{"position", s.position},
          {"waiting", s.waiting},
          {"queue", s.queue},
          {"problem", s.problem.empty() ? json(nullptr) : json(s.problem)},
          {"channels", std::move(channels)},
          {"kinds", s.kinds}};
}

std::string dump_stored(const notice_record& n) {
  json attempts = json::array();
  for (const auto& one : n.attempts)
    attempts.push_back({unix_ns(one.at), one.took_ms, one.outcome, one.answer});
  return dump({{"id", n.id},
               {"kind", n.kind},
               {"event", n.event},
               {"about", n.about},
               {"at", unix_ns(n.at)},
               {"weight", static_cast<int>(n.weight)},
               {"why", n.why},
               {"recipient", n.recipient},
               {"address", n.address},
               {"channel", n.channel},
               {"language", n.language},
               {"facts", n.facts},
               {"sealed", to_hex(n.sealed)},
               {"due", unix_ns(n.due_at)},
               {"until", unix_ns(n.until)},
               {"digest", n.digest},
               {"members", n.members},
               {"attempts", std::move(attempts)},
               {"message", n.message}});
}

bool read_stored(std::string_view text, notice_record& out) {
  const auto all = json::parse(text.begin(), text.end(), nullptr, false);
  if (!all.is_object())
    return false;
  const reader in{all};
  int weight = 0;
  std::string sealed;
  in.text("id", out.id);
  in.text("kind", out.kind);
  in.number("event", out.event);
  in.text("about", out.about);
  in.moment("at", out.at);
  in.number("weight", weight);
  in.text("why", out.why);
  in.text("recipient", out.recipient);
  in.text("address", out.address);
  in.text("channel", out.channel);
  in.text("language", out.language);
  in.text("facts", out.facts);
  in.text("sealed", sealed);
  in.moment("due", out.due_at);
  in.moment("until", out.until);
  in.text("digest", out.digest);
  in.texts("members", out.members);
  in.text("message", out.message);
  out.weight = static_cast<notice_weight>(std::clamp(weight, 0, 2));
  for (const auto& one : all.value("attempts", json::array()))
    if (one.is_array() && one.size() == 4 && one[0].is_number_integer() && one[1].is_number_integer()
        && one[2].is_string() && one[3].is_string())
      out.attempts.push_back({moment_of(one[0].get<std::int64_t>()), one[1].get<std::int64_t>(),
                              one[2].get<std::string>(), one[3].get<std::string>()});
  return !out.id.empty() && from_hex(sealed, out.sealed);
}

std::string dump_stored(const notice_preferences& p) { return dump(to_json(p)); }

bool read_stored(std::string_view text, notice_preferences& out) {
  const auto all = json::parse(text.begin(), text.end(), nullptr, false);
  if (!all.is_object())
    return false;
  const reader in{all};
  if (all.contains("channels") && all["channels"].is_array())
    in.texts("channels", out.channels.emplace());
  in.texts("muted", out.muted);
  in.text("language", out.language);
  in.text("quiet_from", out.quiet_from);
  in.text("quiet_to", out.quiet_to);
  in.text("zone", out.zone);
  in.text("digest_at", out.digest_at);
  in.text("open_id", out.open_id);
  in.text("mobile", out.mobile);
  return true;
}

caf::expected<notice_preferences> read_notice_preferences_body(std::string_view body) {
  const auto all = json::parse(body.begin(), body.end(), nullptr, false);
  if (!all.is_object())
    return make_error(errc::bad_request, "the body is a JSON object");
  const auto is_list = [](const json& v) {
    return v.is_array() && v.size() <= 100 && std::all_of(v.begin(), v.end(), [](const json& one) {
             return one.is_string() && one.get_ref<const std::string&>().size() <= 64;
           });
  };
  for (const auto& [name, value] : all.items()) {
    const bool list = name == "channels" || name == "muted";
    const bool text = name == "language" || name == "quiet_from" || name == "quiet_to" || name == "zone"
                      || name == "digest_at" || name == "open_id" || name == "mobile";
    if (!list && !text)
      return make_error(errc::bad_request, name.substr(0, 60) + " is not known here");
    if (list && !is_list(value) && !(name == "channels" && value.is_null()))
      return make_error(errc::bad_request, name + " is a list of at most 100 texts");
    if (text && (!value.is_string() || value.get_ref<const std::string&>().size() > 128))
      return make_error(errc::bad_request, name + " is a text of at most 128 characters");
  }
  notice_preferences out;
  if (!read_stored(body, out))
    return make_error(errc::bad_request, "the body is a JSON object");
  return out;
}

} // namespace keyportal
