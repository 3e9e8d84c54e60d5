#include "usage_peer.hpp"

#include <stdexcept>

#include <sqlite3.h>

namespace keyportal::bench {

namespace {
void must_be(int expected, int found, sqlite3* db) {
  if (found != expected)
    throw std::runtime_error(sqlite3_errmsg(db));
}
} // namespace

usage_peer::usage_peer(const std::filesystem::path& file) {
  must_be(SQLITE_OK, sqlite3_open(file.c_str(), &db_), db_);
  run(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA mmap_size = 268435456;"
    "PRAGMA temp_store = MEMORY;"
    "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, at INTEGER, node TEXT, key TEXT, model TEXT, alias "
    "TEXT,"
    " provider TEXT, account TEXT, source TEXT, endpoint TEXT, status INTEGER, failed INTEGER, input INTEGER,"
    " output INTEGER, cached INTEGER, total INTEGER, latency INTEGER, ttft INTEGER, cost INTEGER, error TEXT)");
  must_be(SQLITE_OK,
          sqlite3_prepare_v2(db_, "INSERT INTO events VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1,
                             &insert_, nullptr),
          db_);
}

usage_peer::~usage_peer() {
  sqlite3_finalize(insert_);
  sqlite3_close(db_);
}

void usage_peer::run(const char* sql) { must_be(SQLITE_OK, sqlite3_exec(db_, sql, nullptr, nullptr, nullptr), db_); }

void usage_peer::insert(const std::string& node, const std::vector<record_group>& groups) {
  run("BEGIN");
  const auto text = [&](int at, std::string_view what) {
    sqlite3_bind_text(insert_, at, what.data(), static_cast<int>(what.size()), SQLITE_TRANSIENT);
  };
  for (const auto& group : groups)
    for (const auto& d : group.details) {
      sqlite3_bind_int64(insert_, 1, d.at.unix_ns);
      text(2, node);
      text(3, group.client_key.reveal());
      text(4, group.model);
      text(5, d.facts->alias);
      text(6, d.facts->provider);
      text(7, d.auth_index);
      text(8, d.source);
      text(9, d.facts->endpoint);
      sqlite3_bind_int64(insert_, 10, d.facts->status_code);
      sqlite3_bind_int64(insert_, 11, d.failed ? 1 : 0);
      sqlite3_bind_int64(insert_, 12, d.tokens.input);
      sqlite3_bind_int64(insert_, 13, d.tokens.output);
      sqlite3_bind_int64(insert_, 14, d.tokens.cached);
      sqlite3_bind_int64(insert_, 15, d.tokens.total);
      sqlite3_bind_int64(insert_, 16, d.latency_ms);
      sqlite3_bind_int64(insert_, 17, d.facts->ttft_ms);
      sqlite3_bind_int64(insert_, 18, d.tokens.total * 3'000);
      text(19, d.facts->error);
      must_be(SQLITE_DONE, sqlite3_step(insert_), db_);
      sqlite3_reset(insert_);
    }
  run("COMMIT");
}

void usage_peer::finish() {
  run(
    "CREATE INDEX by_time ON events (at); CREATE INDEX by_key ON events (key, at);"
    "CREATE INDEX by_model ON events (model, at); CREATE INDEX by_account ON events (account, at);"
    "CREATE INDEX by_failed ON events (failed, at);"
    "CREATE TABLE hourly AS SELECT at / 3600000000000 AS hour, node, key, model, account, failed, count(*) AS requests,"
    " sum(input) AS input, sum(output) AS output, sum(cached) AS cached, sum(total) AS total, sum(latency) AS latency,"
    " sum(ttft) AS ttft, sum(cost) AS cost FROM events GROUP BY 1, 2, 3, 4, 5, 6;"
    "CREATE INDEX hourly_by_hour ON hourly (hour); CREATE INDEX hourly_by_key ON hourly (key, hour);"
    "ANALYZE;");
}

std::size_t usage_peer::ask(const char* question, std::int64_t from_ns, std::int64_t to_ns) {
  sqlite3_stmt* statement = nullptr;
  must_be(SQLITE_OK, sqlite3_prepare_v2(db_, question, -1, &statement, nullptr), db_);
  sqlite3_bind_int64(statement, 1, from_ns);
  sqlite3_bind_int64(statement, 2, to_ns);
  std::size_t rows = 0;
  while (sqlite3_step(statement) == SQLITE_ROW)
    ++rows;
  sqlite3_finalize(statement);
  return rows;
}

} // namespace keyportal::bench
