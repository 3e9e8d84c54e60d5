// The management API of a node. Every function here runs under the node's lock, after authentication.
#include "json.hpp"
#include "node.hpp"

#include <array>
#include <charconv>

namespace keyportal::cpa_sim {
namespace {

answer json(std::string body, int status = 200) {
  answer a;
  a.status = status;
  a.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  a.body = std::move(body);
  return a;
}

answer error(int status, std::string_view text) { return json("{\"error\":" + json_text(text) + '}', status); }

std::string after(const std::string& text, std::string_view prefix) { return text.substr(prefix.size()); }

constexpr std::string_view prefix = "/v0/management/";

} // namespace

answer node::get_usage(const request&, const switches&) { return json(usage_.usage_json()); }

answer node::get_export(const request&, const switches&) { return json(usage_.export_json(wall_now())); }

answer node::post_import(const request& r, const switches&) {
  snapshot in;
  std::int64_t version = 0;
  if (!read_import(r.body, version, in))
    return error(400, "invalid json");
  if (version != 0 && version != 1)
    return error(400, "unsupported version");
  const auto result = usage_.merge(in, wall_now());
  return json("{\"added\":" + std::to_string(result.added) + ",\"failed_requests\":"
              + std::to_string(usage_.totals().failed) + ",\"skipped\":" + std::to_string(result.skipped)
              + ",\"total_requests\":" + std::to_string(usage_.totals().requests) + '}');
}

answer node::get_queue(const request& r, const switches&) {
  std::string text = r.query_value("count").value_or("");
  text.erase(0, std::min(text.find_first_not_of(" \t"), text.size()));
  text.erase(text.find_last_not_of(" \t") + 1);
  std::int64_t count = 1;
  if (!text.empty()) {
    const char* const digits = text.data() + (text[0] == '+' ? 1 : 0); // as Go reads numbers
    const auto [end, problem] = std::from_chars(digits, text.data() + text.size(), count);
    if (problem != std::errc{} || end != text.data() + text.size() || end == digits || count <= 0
        || (text[0] == '+' && *digits == '-')) {
      return error(400, "count must be a positive integer");
    }
  }
  popped taken = take(static_cast<std::size_t>(count), "http");
  std::string body = "[";
  for (const auto& payload : taken.payloads) {
    if (body.size() > 1)
      body += ',';
    json_reader whole(payload);
    if (taken.spoilt)
      whole.skip();
    // What is no JSON is shown as text.
    body += !taken.spoilt || whole.finish() ? payload : json_text(payload);
  }
  answer a = json(body + ']');
  a.popped = std::move(taken.which);
  return a;
}

std::string node::keys_json() const {
  if (keys_.shown_as_null())
    return "null";
  std::string list = "[";
  for (const auto& key : keys_.shown()) {
    if (list.size() > 1)
      list += ',';
    append_json_text(list, key);
  }
  return list + ']';
}

answer node::get_keys(const request&, const switches&) { return json("{\"api-keys\":" + keys_json() + '}'); }

answer node::change_keys(const request& r, const switches& s) {
  key_change change = r.method == "PUT"     ? put_keys(r.body)
                      : r.method == "PATCH" ? patch_keys(keys_.shown(), r.body)
                                            : delete_keys(keys_.shown(), r);
  if (!change.error.empty())
    return error(400, change.error);
  // The list the reload is about to install does not have this change, nor will the file.
  if (s.lose_write || keys_.reloading(std::chrono::steady_clock::now()))
    return json(R"({"status":"ok"})");
  keys_.show(std::move(change.keys));
  return saved(s);
}

/// Writes the config file as every successful management write does.
answer node::saved(const switches& s) {
  const auto failed = [](const std::string& why) { return error(500, "failed to save config: " + why); };
  const std::string& path = options_.state_file;
  if (s.save_fails)
    return failed("open " + (path.empty() ? "config.yaml" : path) + ": operation not permitted");
  if (file_wiped_)
    return failed("invalid yaml document structure");
  if (!path.empty()) {
    if (const auto text = read_file(path); text && text->empty())
      return failed("invalid yaml document structure");
    if (traits_.default_lines && retention_ < 0)
      retention_ = 60; // the first write adds the defaults
    file_seen_ = config_file_text();
    const std::string problem = write_in_place(path, file_seen_);
    if (!problem.empty())
      return failed(problem);
  }
  keys_.save(std::chrono::steady_clock::now());
  refresh();
  return json(R"({"status":"ok"})");
}

answer node::get_flag(const request& r, const switches&) {
  const std::string name = after(r.path, prefix);
  const std::string label = name.substr(name.find('/') == std::string::npos ? 0 : name.find('/') + 1);
  return json("{\"" + label + "\":" + (flags_[name] ? "true}" : "false}"));
}

answer node::put_flag(const request& r, const switches& s) {
  json_reader in(r.body);
  bool value = false;
  bool present = false;
  in.object([&](std::string_view name) {
    if (!same_name(name, "value"))
      return in.skip();
    if (in.null())
      return;
    in.boolean(value);
    present = true;
  });
  if (!in.ok() || !present)
    return error(400, "invalid body");
  flags_[after(r.path, prefix)] = value;
  return saved(s);
}

answer node::get_strategy(const request&, const switches&) { return json(R"({"strategy":"round-robin"})"); }

answer node::get_auth_files(const request& r, const switches&) {
  const bool filters = traits_.breakdown;
  return json(counters_.files_json(around_.accounts, wall_now(), started_, "/root/.cli-proxy-api",
                                   filters ? r.query_value("name").value_or("") : "",
                                   filters ? r.query_value("auth_index").value_or("") : ""));
}

answer node::get_auth_file_models(const request& r, const switches&) {
  if (r.query_value("name").value_or("").empty())
    return error(400, "name is required");
  return json(R"({"models":[]})");
}

answer node::get_key_usage(const request&, const switches&) { return json(counters_.keys_json(wall_now())); }

answer node::get_config(const request&, const switches&) {
  config_values values;
  values.statistics = flags_["usage-statistics-enabled"];
  values.retention = retention_;
  return json(config_json(options_, traits_, keys_json(), values));
}

answer node::get_config_yaml(const request&, const switches&) {
  answer a;
  a.headers = {{"Content-Type", "application/yaml; charset=utf-8"},
               {"Cache-Control", "no-store"},
               {"X-Content-Type-Options", "nosniff"}};
  const std::string text = config_file_text();
  if (!options_.state_file.empty()) {
    a.body = read_file(options_.state_file).value_or(text);
  } else if (!file_wiped_) {
    a.body = text;
  }
  return a;
}

std::string node::config_file_text() const {
  config_values values;
  values.keys = keys_.shown();
  values.has_secret = managed_;
  values.statistics = flags_.at("usage-statistics-enabled");
  values.retention = retention_;
  return config_text(options_, values);
}

/// What a reload of the config file installs.
void node::apply(const config_values& values) {
  keys_.show(values.keys, !values.has_keys);
  keys_.save(std::chrono::steady_clock::now());
  flags_["usage-statistics-enabled"] = values.statistics;
  retention_ = values.retention;
  management_off_ = !values.has_secret;
  if (!values.has_secret) {
    remove_secret();
  } else {
    managed_ = !options_.secret.empty();
  }
  refresh();
}

void node::reload_config() {
  if (options_.state_file.empty())
    return;
  const std::int64_t now_ms = unix_now_ns() / 1'000'000;
  const std::lock_guard guard(lock_);
  if (now_ms - file_looked_ms_ < 20)
    return;
  file_looked_ms_ = now_ms;
  // An empty file is what a writer in the middle of its work leaves: nothing is reloaded.
  const auto text = read_file(options_.state_file);
  if (!text || text->empty() || *text == file_seen_)
    return;
  file_seen_ = *text;
  apply(read_config(*text));
}

answer node::put_config_yaml(const request& r, const switches& s) {
  const auto refused = [](int status, const char* code, const std::string& why) {
    return json("{\"error\":\"" + std::string(code) + "\",\"message\":" + json_text(why) + '}', status);
  };
  if (s.save_fails)
    return refused(500, "write_failed", "open config.yaml: operation not permitted");
  const config_values values = read_config(r.body);
  const bool empty = r.body.find_first_not_of(" \t\r\n") == std::string::npos;
  if (const std::string problem = yaml_problem(r.body); !problem.empty())
    return refused(400, "invalid_yaml", "yaml: " + problem);
  if (!options_.state_file.empty()) {
    if (const std::string problem = write_in_place(options_.state_file, r.body); !problem.empty()) {
      return refused(500, "write_failed", problem);
    }
  }
  file_seen_ = r.body;
  // An empty file is accepted: the secret is gone at once, the client keys stay enforced until the next start.
  file_wiped_ = empty;
  if (empty) {
    auth_.set_secret("");
    remove_secret();
  } else {
    apply(values);
  }
  return json(R"({"changed":["config"],"ok":true})");
}

answer node::get_latest_version(const request&, const switches&) {
  return json(R"({"error":"request_failed","message":"Get \"https://api.github.com/\": the stand-in asks nobody"})",
              502);
}

answer node::get_logs(const request&, const switches&) { return error(400, "logging to file disabled"); }

answer node::get_error_logs(const request&, const switches&) { return json(R"({"files":[]})"); }

answer node::get_log_by_id(const request&, const switches&) { return error(404, "log directory not found"); }

answer node::get_nothing(const request& r, const switches&) {
  answer a;
  a.status = 404;
  a.length = r.method != "HEAD";
  return a;
}

answer node::get_model_definitions(const request& r, const switches&) {
  const std::string channel = after(r.path, "/v0/management/model-definitions/");
  if (channel != "codex")
    return json("{\"channel\":" + json_text(channel) + R"(,"error":"unknown channel"})", 400);
  struct row {
    const char *id, *name, *about;
  };
  static constexpr std::array rows{
    row{"gpt-5.2", "GPT 5.2", "General model"},
    row{"gpt-5.3-codex", "GPT 5.3 Codex", "Model for programming"},
    row{"gpt-5.3-codex-spark", "GPT 5.3 Codex Spark", "Quick model for programming"},
    row{"gpt-5.4", "GPT 5.4", "General model"},
    row{"gpt-5.4-mini", "GPT 5.4 Mini", "Small general model"},
    row{"gpt-5.5", "GPT 5.5", "Large general model"},
    row{"codex-auto-review", "Codex Auto Review", "Model for reviews"},
  };
  std::string models;
  for (const auto& m : rows) {
    models += "{\"id\":" + json_text(m.id)
              + R"(,"object":"model","created":1765440000,"owned_by":"openai",)"
                R"("type":"openai","display_name":)"
              + json_text(m.name) + ",\"version\":" + json_text(m.id) + ",\"description\":" + json_text(m.about)
              + R"(,"context_length":400000,"max_completion_tokens":128000,)"
                R"("supported_parameters":["tools"],"thinking":{"levels":["low","medium","high","xhigh"]}},)";
  }
  models += R"({"id":"gpt-image-2","object":"model","created":1704067200,"owned_by":"openai","type":"openai",)"
            R"("display_name":"GPT Image 2","version":"gpt-image-2"})";
  return json(R"({"channel":"codex","models":[)" + models + "]}");
}

} // namespace keyportal::cpa_sim
