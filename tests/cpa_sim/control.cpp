// The control port: plain HTTP with JSON, for tests and for people.
#include "json.hpp"
#include "server.hpp"

#include <cstdlib>

namespace keyportal::cpa_sim {
namespace {

answer json(std::string body, int status = 200) {
  answer a;
  a.status = status;
  a.headers = {{"Content-Type", "application/json"}};
  a.body = std::move(body);
  return a;
}

answer refused(const std::string& why) { return json("{\"error\":" + json_text(why) + '}', 400); }

} // namespace

answer server::control(const request& r) {
  const std::string call = r.method + ' ' + r.path;
  if (call == "GET /state")
    return json(state_json());
  if (call == "POST /fault")
    return control_fault(r);
  if (call == "POST /fault/clear") {
    clear_faults();
    return json(R"({"ok":true})");
  }
  if (call == "POST /records") {
    const long count = number_of(r.query_value("count").value_or("1"), -1);
    if (count < 0 || count > 10'000'000)
      return refused("count must be 0 to 10000000");
    const long patience = number_of(r.query_value("patience_ms").value_or(""), options_.push_patience.count());
    const std::size_t done = record(static_cast<std::size_t>(count), std::chrono::milliseconds(patience));
    return json("{\"recorded\":" + std::to_string(done) + '}', done == static_cast<std::size_t>(count) ? 200 : 503);
  }
  if (call == "POST /rate") {
    set_rate(std::strtod(r.query_value("value").value_or("0").c_str(), nullptr));
    return json(R"({"ok":true})");
  }
  if (call == "POST /rival") {
    const long every = number_of(r.query_value("every_ms").value_or("100"), -1);
    const long most = number_of(r.query_value("count").value_or("1000"), -1);
    if (every < 0 || most <= 0
        || !rival(r.query_value("mode").value_or(""), std::chrono::milliseconds(every),
                  static_cast<std::size_t>(most))) {
      return refused("mode must be pop, subscribe or off");
    }
    return json(R"({"ok":true})");
  }
  if (call == "GET /accounts")
    return json(accounts_.record_json());
  if (call == "POST /account" || call == "POST /logins") {
    const auto wrong =
      call == "POST /logins" ? accounts_.control_logins(r) : accounts_.control_account(r, unix_now_ns() / 1'000'000);
    return wrong.empty() ? json(R"({"ok":true})") : refused(wrong);
  }
  if (call == "POST /device") {
    const auto state = r.query_value("state").value_or("");
    accounts_.decide_device(state.empty() ? accounts_.newest_device() : state,
                            r.query_value("what").value_or("approve"));
    return json(R"({"ok":true})");
  }
  if (call == "POST /restart") {
    const long down = number_of(r.query_value("down_ms").value_or("0"), -1);
    if (down < 0 || down > 600'000)
      return refused("down_ms must be 0 to 600000");
    ask_restart(std::chrono::milliseconds(down), r.query_value("wait").value_or("1") == "1");
    return json(R"({"ok":true})");
  }
  answer a = json(
    R"({"error":"unknown call","calls":["GET /state","POST /fault {name,value,count,path}",)"
    R"("POST /fault/clear","POST /records?count=N&patience_ms=N","POST /rate?value=R","POST /restart?down_ms=N&wait=1",)"
    R"("GET /accounts","POST /account?name=F&…","POST /logins?outcome=…","POST /device?what=approve|deny",)"
    R"("POST /rival?mode=pop|subscribe|off&every_ms=N&count=N"]})",
    404);
  return a;
}

answer server::control_fault(const request& r) {
  cpa_sim::fault f;
  std::int64_t count = 0;
  json_reader in(r.body);
  in.object([&](std::string_view name) {
    if (name == "name")
      return in.string(f.name);
    if (name == "value")
      return in.scalar(f.value);
    if (name == "path")
      return in.string(f.path);
    if (name == "count")
      return in.integer(count);
    in.fail();
  });
  if (!in.finish() || count < 0 || count > 1'000'000)
    return refused("want {\"name\":…,\"value\":…,\"count\":…,\"path\":…}");
  f.count = static_cast<int>(count);
  if (!fault(f))
    return refused("no such fault, or its value makes no sense: " + f.name);
  return json(R"({"ok":true})");
}

std::string server::state_json() const {
  const auto n = numbers();
  std::string out = "{\"listening\":" + json_text(url()) + ",\"version\":" + json_text(options_.version);
  out += ",\"seed\":" + std::to_string(options_.seed);
  out += ",\"down\":" + std::string(down_ ? "true" : "false") + ",\"ended\":" + (ended_ ? "true" : "false");
  const auto number = [&out](const char* name, auto value) {
    out += ",\"" + std::string(name) + "\":" + std::to_string(value);
  };
  number("restarts", restarts_.load());
  number("connections", front_.connections());
  number("requests", n.requests);
  number("failed", n.failed);
  number("tokens", n.tokens);
  number("details", n.details);
  number("oracle_records", memory_.size());
  number("attempts", n.attempts);
  number("queued", n.queued);
  number("subscribers", n.subscribers);
  number("pushed", n.pushed);
  number("popped", n.popped);
  number("expired", n.expired);
  number("lost", n.lost);
  number("dropped_subscribers", n.dropped_subscribers);
  number("keys", n.keys);
  number("keys_enforced", n.enforced);
  number("banned", n.banned);
  number("calls", n.calls);
  number("management_calls", n.management_calls);
  number("management_refused", n.refused);
  out += ",\"faults\":[";
  bool first = true;
  for (const auto& f : faults_.all()) {
    out += (first ? "" : ",") + ("{\"name\":" + json_text(f.name)) + ",\"value\":" + json_text(f.value)
           + ",\"count\":" + std::to_string(f.count) + ",\"path\":" + json_text(f.path) + '}';
    first = false;
  }
  out += "],\"calls_by_path\":{";
  const std::lock_guard guard(lock_);
  first = true;
  for (const auto& [path, count] : calls_by_path_) {
    out += (first ? "" : ",") + json_text(path) + ':' + std::to_string(count);
    first = false;
  }
  return out + "}}";
}

} // namespace keyportal::cpa_sim
