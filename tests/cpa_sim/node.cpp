#include "node.hpp"

#include "json.hpp"

#include <ctime>

namespace keyportal::cpa_sim {
namespace {

constexpr std::string_view management_prefix = "/v0/management/";
constexpr const char* exposed =
  "X-CPA-TRACE-ID, X-CPA-VERSION, X-CPA-COMMIT, X-CPA-BUILD-DATE, X-CPA-SUPPORT-PLUGIN, X-CPA-HOME-VERSION, "
  "X-CPA-HOME-BUILD-DATE, X-SERVER-VERSION, X-SERVER-BUILD-DATE, Location, Retry-After, X-Request-Id, "
  "OpenAI-Request-Id";

void allow_browsers(answer& a) {
  a.headers.emplace_back("Access-Control-Allow-Origin", "*");
  a.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS");
  a.headers.emplace_back("Access-Control-Allow-Headers", "*");
}

answer not_found() {
  answer a;
  a.status = 404;
  a.headers = {{"Content-Type", "text/plain"}};
  a.body = "404 page not found";
  allow_browsers(a);
  return a;
}

std::string html_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

answer redirect(const request& r, const std::string& path) {
  answer a;
  const std::string target = r.query.empty() ? path : path + '?' + r.query;
  a.headers = {{"Location", target}};
  a.status = r.method == "GET" ? 301 : 307;
  if (r.method == "GET") {
    a.headers.emplace_back("Content-Type", "text/html; charset=utf-8");
    a.body = "<a href=\"" + html_escaped(target) + "\">Moved Permanently</a>.\n\n";
  }
  return a;
}

answer error(int status, const std::string& text) {
  answer a;
  a.status = status;
  a.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  a.body = "{\"error\":" + json_text(text) + '}';
  return a;
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.pop_back();
  text.erase(0, std::min(text.find_first_not_of(" \t"), text.size()));
  return text;
}

/// Every place a client key may be in, in the order CPA looks.
std::vector<std::string> client_keys_of(const request& r) {
  std::vector<std::string> keys;
  const auto add = [&keys](std::string value) {
    if (!value.empty())
      keys.push_back(std::move(value));
  };
  if (const auto* value = r.header("authorization"))
    add(trimmed(bearer_value(*value).value_or(*value)));
  if (const auto* value = r.header("x-goog-api-key"))
    add(*value);
  if (const auto* value = r.header("x-api-key"))
    add(*value);
  add(r.query_value("key").value_or(""));
  add(r.query_value("auth_token").value_or(""));
  return keys;
}

/// Uses the processor as long as one bcrypt comparison would.
void burn(std::chrono::milliseconds time) {
  if (time.count() <= 0)
    return;
  timespec begin{}, now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
  do {
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  } while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1'000'000 < time.count());
}

} // namespace

std::int64_t unix_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
    .count();
}

node::node(const options& o, const zone& place, surroundings around, const config_values& config)
  : options_(o), traits_(traits_of(o.version)), place_(place), around_(std::move(around)), started_(wall_now()),
    usage_(traits_.latency), auth_(o.secret, o.allow_remote, traits_.ban_localhost),
    keys_(config.keys, traits_.quick_reload ? std::chrono::milliseconds(3) : o.reload_delay,
          traits_.quick_reload ? std::chrono::milliseconds(0) : o.reload_run, !traits_.quick_reload),
    upstream_(o, traits_, started_.seconds), counters_(credentials_of(o, traits_), traits_),
    logins_(traits_, o.version, around_.accounts), retention_(config.retention), managed_(!o.secret.empty()) {
  for (const char* name : {"debug", "request-log", "logging-to-file", "quota-exceeded/switch-project",
                           "quota-exceeded/switch-preview-model"}) {
    flags_[name] = false;
  }
  flags_["ws-auth"] = traits_.default_lines;
  flags_["usage-statistics-enabled"] = config.statistics;
  usage_.keep_newest(traits_.newest);
  if (!options_.state_file.empty())
    file_seen_ = read_file(options_.state_file).value_or("");
  boot_ = around_.memory.boot(o.version, unix_now_ns() / 1'000'000);
}

instant node::wall_now() const { return place_.at(unix_now_ns()); }

const std::map<std::string, node::action>& node::routes() {
  static const std::map<std::string, action> table = [] {
    std::map<std::string, action> t{
      {"GET /", &node::get_root},
      {"GET /healthz", &node::get_healthz},
      {"HEAD /healthz", &node::get_healthz},
      {"GET /management.html", &node::get_management_page},
      {"GET /v1/models", &node::get_models},
      {"GET /v1beta/models", &node::get_gemini_models},
      {"POST /v1/chat/completions", &node::post_chat},
      {"POST /v1/completions", &node::post_chat},
      {"POST /v1/messages", &node::post_messages},
      {"POST /v1/messages/count_tokens", &node::post_count_tokens},
      {"POST /v1/responses", &node::post_responses},
    };
    const auto manage = [&t](const std::string& method, const std::string& path, action act) {
      t[method + ' ' + std::string(management_prefix) + path] = act;
    };
    manage("GET", "usage", &node::get_usage);
    manage("GET", "usage/export", &node::get_export);
    manage("POST", "usage/import", &node::post_import);
    manage("GET", "usage-queue", &node::get_queue);
    manage("GET", "api-keys", &node::get_keys);
    for (const char* method : {"PUT", "PATCH", "DELETE"})
      manage(method, "api-keys", &node::change_keys);
    for (const char* flag : {"usage-statistics-enabled", "debug", "request-log", "logging-to-file", "ws-auth",
                             "quota-exceeded/switch-project", "quota-exceeded/switch-preview-model"}) {
      manage("GET", flag, &node::get_flag);
      manage("PUT", flag, &node::put_flag);
      manage("PATCH", flag, &node::put_flag);
    }
    manage("GET", "routing/strategy", &node::get_strategy);
    manage("GET", "auth-files", &node::get_auth_files);
    manage("GET", "auth-files/models", &node::get_auth_file_models);
    manage("DELETE", "auth-files", &node::delete_auth_files);
    manage("GET", "auth-files/download", &node::get_auth_file);
    manage("PATCH", "auth-files/status", &node::patch_auth_file);
    manage("PATCH", "auth-files/fields", &node::patch_auth_file);
    manage("POST", "oauth-callback", &node::post_callback);
    manage("GET", "get-auth-status", &node::get_login_status);
    manage("DELETE", "oauth-session", &node::delete_login);
    manage("POST", "api-call", &node::post_api_call);
    for (const char* provider : {"anthropic", "codex", "antigravity", "gemini-cli", "kimi", "xai"})
      manage("GET", std::string(provider) + "-auth-url", &node::get_login);
    manage("GET", "api-key-usage", &node::get_key_usage);
    manage("GET", "config", &node::get_config);
    manage("GET", "config.yaml", &node::get_config_yaml);
    manage("PUT", "config.yaml", &node::put_config_yaml);
    manage("GET", "latest-version", &node::get_latest_version);
    manage("GET", "logs", &node::get_logs);
    manage("GET", "request-error-logs", &node::get_error_logs);
    return t;
  }();
  return table;
}

node::action node::find_route(const std::string& method, const std::string& path) {
  if (const auto found = routes().find(method + ' ' + path); found != routes().end())
    return found->second;
  const auto below = [&path](std::string_view prefix) {
    return path.starts_with(prefix) && path.size() > prefix.size()
           && path.find('/', prefix.size()) == std::string::npos;
  };
  if (method == "POST" && path.starts_with("/v1beta/models/"))
    return &node::post_gemini;
  if (method == "GET" && below("/v0/management/model-definitions/"))
    return &node::get_model_definitions;
  if (method == "GET" && below("/v0/management/request-log-by-id/"))
    return &node::get_log_by_id;
  return nullptr;
}

answer node::handle(const request& r, const switches& s) {
  reload_config();
  {
    const std::lock_guard guard(lock_);
    ++counted_.calls;
  }
  const auto expose = [this](answer a) {
    if (traits_.exposed_headers)
      a.headers.emplace_back("Access-Control-Expose-Headers", exposed);
    return a;
  };
  if (r.method == "OPTIONS") {
    answer a;
    a.status = 204;
    a.length = false;
    allow_browsers(a);
    return expose(std::move(a));
  }
  const bool within = r.path.starts_with(management_prefix);
  const bool managed_path = within || (traits_.unknown_checked && r.path + '/' == management_prefix);
  const bool never = options_.secret.empty();
  action act = within && never ? nullptr : find_route(r.method, r.path);
  if (r.path == "/healthz" && !(r.method == "HEAD" ? traits_.healthz_head : traits_.healthz))
    act = nullptr;
  const std::string name = within ? r.path.substr(management_prefix.size()) : "";
  if ((name == "api-key-usage" && !traits_.api_key_usage) || (name == "usage-queue" && !traits_.queue_http)
      || (name == "api-call" && !traits_.api_call) || (name == "auth-files/status" && !traits_.account_switch)
      || (name == "auth-files/fields" && !traits_.account_fields) || (name == "oauth-session" && !traits_.login_cancel)
      || (name == "gemini-cli-auth-url" && !traits_.gemini_login) || (name == "kimi-auth-url" && !traits_.kimi_login)
      || (name == "xai-auth-url" && !traits_.xai_login)
      || ((name == "usage" || name.starts_with("usage/")) && !traits_.usage)) {
    act = nullptr;
  }
  if (act == nullptr) {
    const std::string other = r.path.ends_with('/') ? r.path.substr(0, r.path.size() - 1) : r.path + '/';
    if (other.size() > 1 && find_route(r.method, other) != nullptr && !(within && never))
      return redirect(r, other);
    if (!traits_.unknown_checked)
      return not_found();
    if (!managed_path) {
      answer a;
      a.status = 404;
      a.length = r.method != "HEAD";
      allow_browsers(a);
      return expose(std::move(a));
    }
    act = &node::get_nothing;
  }
  if (managed_path && never) {
    answer a;
    a.status = 404;
    allow_browsers(a);
    return expose(std::move(a));
  }
  if (act == &node::post_callback && traits_.callback_open) { // the state alone protects it
    const std::lock_guard guard(lock_);
    answer free = post_callback(r, s);
    allow_browsers(free);
    return expose(std::move(free));
  }
  answer a = managed_path ? management(r, s, act) : client(r, s, act);
  allow_browsers(a);
  return expose(std::move(a));
}

void node::add_version_headers(answer& a) const {
  a.headers.emplace_back("X-Cpa-Version", options_.version);
  a.headers.emplace_back("X-Cpa-Commit", traits_.commit);
  a.headers.emplace_back("X-Cpa-Build-Date", "2026-01-01T00:00:00Z");
  if (traits_.plugin_header)
    a.headers.emplace_back("X-Cpa-Support-Plugin", "0");
}

answer node::management(const request& r, const switches& s, action act) {
  const std::string address = believed_address(r);
  const std::string key = shown_management_key(r);
  answer a;
  management_auth::refusal no;
  {
    const std::lock_guard guard(lock_);
    ++counted_.management_calls;
    if (management_off_) {
      a.status = 404;
      return a;
    }
    no = auth_.before_key(address, std::chrono::steady_clock::now());
  }
  if (no.status == 0) {
    if (!key.empty())
      burn(options_.bcrypt);
    const std::lock_guard guard(lock_);
    no = auth_.check(address, s.wrong_key && !key.empty() ? "\n" : key, std::chrono::steady_clock::now());
    if (no.status == 0) {
      keys_.advance(std::chrono::steady_clock::now());
      a = (this->*act)(r, s);
    }
  }
  if (no.status != 0) {
    const std::lock_guard guard(lock_);
    ++counted_.refused;
    a = error(no.status, no.error);
  }
  add_version_headers(a);
  return a;
}

answer node::client(const request& r, const switches& s, action act) {
  const std::lock_guard guard(lock_);
  keys_.advance(std::chrono::steady_clock::now());
  client_key_.clear();
  if (traits_.safe_mode && r.path.starts_with("/v1") && unsafe()) {
    answer a = error(403, "unsafe_example_api_key");
    a.body.back() = ',';
    a.body += R"("message":"Proxy API endpoints are disabled because api-keys contains template values. )"
              R"(Open /management.html?safe-mode=configure, update api-keys in Management, then retry."})";
    a.headers.emplace_back("X-Cpa-Safe-Mode", "example-api-key");
    return a;
  }
  if (r.path.starts_with("/v1") && !keys_.open()) {
    const auto shown = client_keys_of(r);
    const auto match = keys_.match(shown);
    if (!match)
      return error(401, shown.empty() ? "Missing API key" : "Invalid API key");
    client_key_ = *match;
  }
  return (this->*act)(r, s);
}

void node::keep_newest(std::size_t details) {
  const std::lock_guard guard(lock_);
  usage_.keep_newest(details != 0 ? details : traits_.newest);
}

node::numbers node::now() const {
  const std::lock_guard guard(lock_);
  numbers n = counted_;
  if (traits_.usage) {
    n.requests = usage_.totals().requests;
    n.failed = usage_.totals().failed;
    n.tokens = usage_.totals().tokens;
  }
  n.details = usage_.details_held();
  n.keys = keys_.shown().size();
  n.enforced = keys_.enforced();
  n.queued = queue_.size();
  n.subscribers = subscribers_.size();
  n.banned = auth_.banned(std::chrono::steady_clock::now());
  return n;
}

config_values node::config() const {
  const std::lock_guard guard(lock_);
  config_values values;
  values.keys = keys_.saved();
  values.has_keys = true;
  values.has_secret = managed_;
  values.statistics = flags_.at("usage-statistics-enabled");
  values.retention = retention_;
  return values;
}

bool node::unsafe() const {
  for (const char* example : {"your-api-key-1", "your-api-key-2", "your-api-key-3"}) {
    if (keys_.match({example}))
      return true;
  }
  return false;
}

} // namespace keyportal::cpa_sim
