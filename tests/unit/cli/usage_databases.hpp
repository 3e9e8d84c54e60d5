// Small databases of other tools, made from the SQL by which those tools make theirs.
#pragma once

#include <filesystem>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <sqlite3.h>

namespace keyportal::test {

/// An open database; what is not closed may leave a write-ahead log behind.
class test_database {
public:
  explicit test_database(const std::filesystem::path& file) { REQUIRE(sqlite3_open(file.c_str(), &db_) == SQLITE_OK); }
  ~test_database() { sqlite3_close_v2(db_); }
  test_database(const test_database&) = delete;
  test_database& operator=(const test_database&) = delete;
  test_database& run(const std::string& sql) {
    char* problem = nullptr;
    const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, &problem);
    INFO((problem != nullptr ? problem : ""));
    sqlite3_free(problem);
    REQUIRE(code == SQLITE_OK);
    return *this;
  }

private:
  sqlite3* db_ = nullptr;
};

/// cpa-usage-keeper of April 2026, which read CLIProxyAPI's export.
inline constexpr const char* keeper_first = R"(
CREATE TABLE usage_events (id integer PRIMARY KEY AUTOINCREMENT, snapshot_run_id integer, event_key text,
  api_group_key text, model text, timestamp datetime, source text, auth_index text, failed numeric, latency_ms integer,
  input_tokens integer, output_tokens integer, reasoning_tokens integer, cached_tokens integer, total_tokens integer,
  created_at datetime);
CREATE UNIQUE INDEX idx_usage_events_event_key ON usage_events(event_key);
CREATE TABLE model_price_settings (id integer PRIMARY KEY AUTOINCREMENT, model text, prompt_price_per1_m real,
  completion_price_per1_m real, cache_price_per1_m real, created_at datetime, updated_at datetime);)";

/// Of September 2026: the queue's fields, an archive, keys with names, prices by tier.
inline constexpr const char* keeper_late = R"(
CREATE TABLE schema_migrations (version TEXT PRIMARY KEY, applied_at DATETIME NOT NULL);
INSERT INTO schema_migrations VALUES ('20260601_backfill_claude_usage_tokens','2026-06-02T00:00:00Z');
CREATE TABLE usage_events (id integer PRIMARY KEY AUTOINCREMENT, event_key text, api_group_key text, provider text,
  endpoint text, auth_type text, request_id text, session_id text, parent_session_id text, client_ip text,
  x_forwarded_for text, user_agent text, model text, model_alias text, response_model text NOT NULL DEFAULT '',
  reasoning_effort text NOT NULL DEFAULT '', service_tier text NOT NULL DEFAULT '',
  response_service_tier text NOT NULL DEFAULT '', executor_type text NOT NULL DEFAULT '', timestamp datetime, source text,
  auth_index text, failed numeric, status_code integer, generate boolean NOT NULL DEFAULT true, stream boolean,
  latency_ms integer, ttft_ms integer, input_tokens integer, output_tokens integer, reasoning_tokens integer,
  cached_tokens integer, cache_read_tokens integer NOT NULL DEFAULT 0, cache_creation_tokens integer NOT NULL DEFAULT 0,
  total_tokens integer, cost_usd real, cost_available boolean, created_at datetime);
CREATE INDEX idx_usage_events_timestamp_id ON usage_events(timestamp DESC, id DESC);
CREATE TABLE usage_events_archive AS SELECT * FROM usage_events;
CREATE TABLE cpa_api_keys (id integer PRIMARY KEY AUTOINCREMENT, api_key text, display_key text, key_alias text,
  local_ranking_avatar_id integer, source text NOT NULL DEFAULT 'cpa', is_deleted numeric, last_synced_at datetime,
  created_at datetime, updated_at datetime);
CREATE TABLE model_price_settings (id integer PRIMARY KEY AUTOINCREMENT, model text NOT NULL,
  service_tier text NOT NULL DEFAULT '', pricing_style text NOT NULL DEFAULT 'openai', prompt_price_per1_m real,
  completion_price_per1_m real, cache_price_per1_m real, cache_creation_price_per1_m real NOT NULL DEFAULT 0,
  created_at datetime, updated_at datetime);)";

/// CPA-Manager-Plus, first version and a late one.
inline constexpr const char* manager_first = R"(
CREATE TABLE usage_events (id integer primary key autoincrement, request_id text, event_hash text not null unique,
  timestamp_ms integer not null, timestamp text not null, provider text, model text not null, endpoint text, method text,
  path text, auth_type text, auth_index text, source text, source_hash text, api_key_hash text, account_snapshot text,
  auth_label_snapshot text, auth_file_snapshot text, auth_provider_snapshot text, auth_snapshot_at_ms integer,
  input_tokens integer not null default 0, output_tokens integer not null default 0,
  reasoning_tokens integer not null default 0, cached_tokens integer not null default 0,
  cache_tokens integer not null default 0, total_tokens integer not null default 0, latency_ms integer,
  failed integer not null default 0, raw_json text, created_at_ms integer not null);
CREATE INDEX idx_usage_events_timestamp ON usage_events(timestamp_ms);
CREATE TABLE model_prices (model text primary key, prompt_per_1m real not null, completion_per_1m real not null,
  cache_per_1m real not null, source text, source_model_id text, raw_json text, updated_at_ms integer not null,
  synced_at_ms integer);
CREATE TABLE api_key_aliases (api_key_hash text primary key, alias text not null, updated_at_ms integer not null);)";
inline constexpr const char* manager_late = R"(
ALTER TABLE usage_events ADD COLUMN requested_model text;
ALTER TABLE usage_events ADD COLUMN resolved_model text;
ALTER TABLE usage_events ADD COLUMN executor_type text;
ALTER TABLE usage_events ADD COLUMN cache_read_tokens integer not null default 0;
ALTER TABLE usage_events ADD COLUMN cache_creation_tokens integer not null default 0;
ALTER TABLE usage_events ADD COLUMN ttft_ms integer;
ALTER TABLE usage_events ADD COLUMN fail_status_code integer;
ALTER TABLE model_prices ADD COLUMN cache_read_per_1m real not null default 0;
ALTER TABLE model_prices ADD COLUMN cache_creation_per_1m real not null default 0;
CREATE TABLE model_price_service_tiers (model text not null, mode text not null, service_tier text not null,
  prompt_per_1m real not null default 0, completion_per_1m real not null default 0, cache_per_1m real not null default 0,
  cache_read_per_1m real not null default 0, cache_creation_per_1m real not null default 0,
  primary key (model, mode, service_tier));)";

/// usage.db of the original portal, which names these columns in every statement.
inline constexpr const char* original_portal = R"(
CREATE TABLE daily_usage (date TEXT PRIMARY KEY, total_requests INTEGER DEFAULT 0, success_count INTEGER DEFAULT 0,
  failure_count INTEGER DEFAULT 0, total_tokens INTEGER DEFAULT 0, input_tokens INTEGER DEFAULT 0,
  output_tokens INTEGER DEFAULT 0, created_at TEXT, updated_at TEXT);
CREATE TABLE user_usage (date TEXT, user_email TEXT, api_key TEXT, total_requests INTEGER DEFAULT 0,
  success_count INTEGER DEFAULT 0, failure_count INTEGER DEFAULT 0, total_tokens INTEGER DEFAULT 0,
  input_tokens INTEGER DEFAULT 0, output_tokens INTEGER DEFAULT 0, created_at TEXT, updated_at TEXT,
  PRIMARY KEY (date, user_email, api_key));)";

} // namespace keyportal::test
