#include "actors/cli/usage_sources.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "actors/cli/sqlite_file.hpp"
#include "messages/history.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

constexpr std::size_t longest_fact = 1024;
constexpr std::size_t longest_owner = 254;

std::string trim(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first == std::string::npos ? std::string{} : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// JSON takes nothing else.
bool is_utf8(const std::string& text) {
  try {
    (void)json(text).dump();
    return true;
  } catch (const json::exception&) {
    return false;
  }
}

/// Columns of one row by their names; remembers what was wrong first.
class row_reader {
public:
  row_reader(const sqlite_file::query& row, const std::vector<std::string>& names) : row_(row), names_(names) {}

  std::string text(const char* name, std::size_t most = longest_cell) {
    const auto value = find(name);
    if (value.is == cell::kind::null)
      return {};
    if (value.is != cell::kind::text)
      return wrong(name, "is no text");
    if (value.bytes > most)
      return wrong(name, fmt::format("is longer than {} bytes", most));
    if (!is_utf8(value.text))
      return wrong(name, "is no UTF-8");
    return trim(value.text);
  }
  /// What is only told along: too long or wrong is as good as nothing.
  std::string remark(const char* name) {
    const auto value = find(name);
    return value.is == cell::kind::text && value.bytes <= longest_fact && is_utf8(value.text) ? trim(value.text)
                                                                                              : std::string{};
  }
  std::int64_t integer(const char* name, std::int64_t least = INT64_MIN) {
    const auto value = find(name);
    if (value.is == cell::kind::null)
      return 0;
    if (value.is != cell::kind::integer)
      wrong(name, "is no whole number");
    else if (value.integer < least)
      wrong(name, "is negative");
    return value.integer;
  }
  bool boolean(const char* name) {
    const auto value = find(name);
    if (value.is == cell::kind::integer && (value.integer == 0 || value.integer == 1))
      return value.integer == 1;
    if (value.is == cell::kind::text && (value.text == "true" || value.text == "false"))
      return value.text == "true";
    if (value.is != cell::kind::null)
      wrong(name, "is neither true nor false");
    return false;
  }
  double price(const char* name) {
    const auto value = find(name);
    const auto number = value.is == cell::kind::integer ? static_cast<double>(value.integer) : value.real;
    if (value.is == cell::kind::text || value.is == cell::kind::blob || !std::isfinite(number) || number < 0)
      wrong(name, "is no price");
    return number;
  }
  std::string wrong(const char* name, const std::string& why) {
    if (refusal_.empty())
      refusal_ = fmt::format("{} {}", name, why);
    return {};
  }
  [[nodiscard]] const std::string& refusal() const { return refusal_; }

private:
  [[nodiscard]] cell find(const char* name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    return found == names_.end() ? cell{} : row_.at(static_cast<int>(found - names_.begin()));
  }

  const sqlite_file::query& row_;
  const std::vector<std::string>& names_;
  std::string refusal_;
};

/// A table with those of the wanted columns that it has.
struct shape {
  std::string table;
  std::vector<std::string> columns;

  /// None when there is no such table; `file_malformed` when a column is missing that must be there.
  static caf::expected<std::optional<shape>> of(const sqlite_file& db, const std::string& table,
                                                const std::vector<std::string>& needed,
                                                const std::vector<std::string>& wanted) {
    const auto there = db.columns(table);
    if (!there)
      return there.error();
    if (there->empty())
      return std::optional<shape>{};
    shape out{table, needed};
    for (const auto& name : needed)
      if (!there->contains(name))
        return make_error(errc::file_malformed, fmt::format("the table {} has no column {}", table, name));
    for (const auto& name : wanted)
      if (there->contains(name))
        out.columns.push_back(name);
    return std::optional(std::move(out));
  }

  caf::error each(const sqlite_file& db, const std::string& order,
                  const std::function<caf::error(row_reader&)>& take) const {
    std::string list;
    for (const auto& name : columns)
      list += fmt::format("{}\"{}\"", list.empty() ? "" : ",", name);
    auto rows =
      db.select(fmt::format("SELECT {} FROM \"{}\"{}", list, table, order.empty() ? "" : " ORDER BY " + order));
    if (!rows)
      return rows.error();
    for (;;) {
      const auto more = rows->next();
      if (!more)
        return more.error();
      if (!*more)
        return {};
      row_reader row(*rows, columns);
      if (auto stop = take(row))
        return stop;
    }
  }
};

std::string client_of(const std::string& key, const std::string& endpoint, const std::string& provider) {
  for (const auto& one : {key, endpoint, provider})
    if (!one.empty())
      return one;
  return "unknown";
}

// --- records ---------------------------------------------------------------------------

const std::vector<std::string> token_columns = {"input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens",
                                                "total_tokens"};

std::vector<std::string> with_tokens(std::vector<std::string> names) {
  names.insert(names.end(), token_columns.begin(), token_columns.end());
  return names;
}

/// What both tools call the same.
json record_of(row_reader& row, const std::string& at) {
  json what = {{"at", at},
               {"source", row.text("source")},
               {"auth_index", row.text("auth_index")},
               {"failed", row.boolean("failed")},
               {"latency_ms", std::max<std::int64_t>(0, row.integer("latency_ms"))},
               {"ttft_ms", std::max<std::int64_t>(0, row.integer("ttft_ms"))},
               {"provider", row.remark("provider")},
               {"tokens",
                {{"input", row.integer("input_tokens")},
                 {"output", row.integer("output_tokens")},
                 {"reasoning", row.integer("reasoning_tokens")},
                 {"cached", row.integer("cached_tokens")},
                 {"total", row.integer("total_tokens")},
                 {"cache_read", row.integer("cache_read_tokens")},
                 {"cache_creation", row.integer("cache_creation_tokens")}}}};
  return what;
}

source_row finished(row_reader& row, const std::string& table, std::int64_t id, std::string order, json what) {
  source_row out;
  out.where = fmt::format("{}, row {}", table, id);
  out.refusal = row.refusal();
  out.order = std::move(order);
  if (!out.refusal.empty())
    return out;
  const auto at = parse_rfc3339(what["at"].get<std::string>());
  out.identity =
    fmt::format("{}|{}|{}|{}|{}|{}", at ? at->unix_ns : 0, what.value("key", ""), what.value("key_sha256", ""),
                what["model"].get<std::string>(), what["failed"].get<bool>(), what["auth_index"].get<std::string>());
  out.what = std::move(what);
  return out;
}

/// The moment of a row, for which a refusal is remembered when it is none.
std::string moment_in(row_reader& row, const std::string& text) {
  auto at = moment_of_go(text);
  if (at.empty() && row.refusal().empty())
    row.wrong("timestamp", "is no moment with a time zone");
  return at;
}

class keeper final : public usage_source {
public:
  static caf::expected<std::unique_ptr<usage_source>> open(const std::filesystem::path& file) {
    auto db = sqlite_file::open(file);
    if (!db)
      return db.error();
    auto out = std::make_unique<keeper>(std::move(*db));
    if (auto wrong = out->look())
      return wrong;
    return std::unique_ptr<usage_source>(std::move(out));
  }
  explicit keeper(sqlite_file db) : db_(std::move(db)) {}

  [[nodiscard]] bool has_days() const override { return false; }
  [[nodiscard]] std::string name() const override { return "cpa-usage-keeper"; }
  [[nodiscard]] caf::error unchanged() const override { return db_.unchanged(); }

  [[nodiscard]] caf::error each(const std::function<caf::error(source_row)>& take) const override {
    for (const auto& table : events_)
      if (auto stop = table.each(db_, "\"timestamp\",\"id\"", [&](row_reader& row) {
            const auto id = row.integer("id");
            const auto timestamp = row.text("timestamp");
            auto what = record_of(row, moment_in(row, timestamp));
            const auto endpoint = row.remark("endpoint");
            const auto provider = row.remark("provider");
            auto key = row.text("api_group_key");
            // Without a key it put the provider first, where CLIProxyAPI counts by the endpoint.
            if (key.empty() || key == provider)
              key = client_of({}, endpoint, provider);
            what["key"] = key;
            what["model"] = row.text("model");
            what["endpoint"] = endpoint;
            what["alias"] = row.remark("model_alias");
            what["status_code"] = std::clamp<std::int64_t>(
              std::max(row.integer("failure_status_code"), row.integer("status_code")), 0, 999);
            if (counts_its_own_way_)
              what["tokens_as"] = "openai";
            return take(finished(row, table.table, id, timestamp, std::move(what)));
          }))
        return stop;
    return {};
  }

  [[nodiscard]] caf::expected<std::vector<peer_price>> prices() const override {
    std::vector<peer_price> out;
    const auto table = shape::of(db_, "model_price_settings", {"model"},
                                 {"service_tier", "prompt_price_per1_m", "completion_price_per1_m",
                                  "cache_price_per1_m", "cache_read_price_per1_m", "cache_creation_price_per1_m"});
    if (!table)
      return table.error();
    if (*table)
      if (auto failed = (*table)->each(db_, {}, [&](row_reader& row) {
            const auto cache = row.price("cache_price_per1_m"), read = row.price("cache_read_price_per1_m");
            peer_price one{
              row.text("model", longest_fact),         row.text("service_tier", longest_fact), {},
              row.price("prompt_price_per1_m"),        row.price("completion_price_per1_m"),   std::max(cache, read),
              row.price("cache_creation_price_per1_m")};
            if (row.refusal().empty() && !one.model.empty())
              out.push_back(std::move(one));
            return caf::error{};
          }))
        return failed;
    return out;
  }

  [[nodiscard]] caf::expected<std::vector<peer_alias>> aliases() const override {
    std::vector<peer_alias> out;
    const auto table = shape::of(db_, "cpa_api_keys", {"api_key", "key_alias"}, {});
    if (!table)
      return table.error();
    if (*table)
      if (auto failed = (*table)->each(db_, {}, [&](row_reader& row) {
            peer_alias one{row.text("api_key"), {}, row.text("key_alias", longest_fact)};
            if (row.refusal().empty() && !one.key.empty() && !one.alias.empty())
              out.push_back(std::move(one));
            return caf::error{};
          }))
        return failed;
    return out;
  }

private:
  caf::error look() {
    const std::vector<std::string> wanted = {
      "source",  "auth_index",        "provider",    "endpoint", "model_alias",           "latency_ms",
      "ttft_ms", "cache_read_tokens", "status_code", "failed",   "cache_creation_tokens", "failure_status_code"};
    for (const char* name : {"usage_events", "usage_events_archive"}) {
      const auto columns = db_.columns(name);
      if (columns && columns->contains("api_key_hash") && !columns->contains("api_group_key"))
        return make_error(errc::file_malformed,
                          "this is a database of CPA-Manager-Plus: keyportal import cpa-manager-plus takes it");
      auto table = shape::of(db_, name, with_tokens({"id", "api_group_key", "model", "timestamp"}), wanted);
      if (!table)
        return table.error();
      if (*table)
        events_.push_back(std::move(**table));
    }
    if (events_.empty())
      return make_error(errc::file_malformed, "this is no database of cpa-usage-keeper: it has no table usage_events");
    // Since June 2026 it keeps the tokens of all providers as OpenAI counts them, also those from before.
    const auto migrations = db_.columns("schema_migrations");
    if (!migrations)
      return migrations.error();
    if (!migrations->contains("version"))
      return {};
    auto found = db_.select("SELECT 1 FROM schema_migrations WHERE version='20260601_backfill_claude_usage_tokens'");
    if (!found)
      return found.error();
    const auto there = found->next();
    if (!there)
      return there.error();
    counts_its_own_way_ = *there;
    return {};
  }

  sqlite_file db_;
  std::vector<shape> events_;
  bool counts_its_own_way_ = false;
};

class manager_plus final : public usage_source {
public:
  static caf::expected<std::unique_ptr<usage_source>> open(const std::filesystem::path& file) {
    auto db = sqlite_file::open(file);
    if (!db)
      return db.error();
    auto out = std::make_unique<manager_plus>(std::move(*db));
    if (auto wrong = out->look())
      return wrong;
    return std::unique_ptr<usage_source>(std::move(out));
  }
  explicit manager_plus(sqlite_file db) : db_(std::move(db)) {}

  [[nodiscard]] bool has_days() const override { return false; }
  [[nodiscard]] std::string name() const override { return "cpa-manager-plus"; }
  [[nodiscard]] caf::error unchanged() const override { return db_.unchanged(); }

  [[nodiscard]] caf::error each(const std::function<caf::error(source_row)>& take) const override {
    return events_.each(db_, events_order_, [&](row_reader& row) {
      const auto id = row.integer("id");
      const auto timestamp = row.text("timestamp");
      auto what = record_of(row, moment_in(row, timestamp));
      auto endpoint = row.remark("endpoint");
      if (endpoint == "-")
        endpoint.clear();
      auto hash = row.text("api_key_hash");
      std::transform(hash.begin(), hash.end(), hash.begin(),
                     [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
      if (hash.empty())
        what["key"] = client_of({}, endpoint, row.remark("provider"));
      else if (hash.size() == 64 && hash.find_first_not_of("0123456789abcdef") == std::string::npos)
        what["key_sha256"] = hash;
      else
        row.wrong("api_key_hash", "is no SHA-256");
      // `model` is what the client asked for; CLIProxyAPI counts by the model that it came to.
      auto model = row.text("resolved_model");
      if (model.empty())
        model = row.text("model");
      what["model"] = model == "-" ? "" : model;
      what["alias"] = row.remark("requested_model");
      what["endpoint"] = endpoint;
      what["status_code"] = std::clamp<std::int64_t>(row.integer("fail_status_code"), 0, 999);
      return take(finished(row, events_.table, id, timestamp, std::move(what)));
    });
  }

  [[nodiscard]] caf::expected<std::vector<peer_price>> prices() const override {
    std::vector<peer_price> out;
    const auto models = shape::of(db_, "model_prices", {"model", "prompt_per_1m", "completion_per_1m"},
                                  {"cache_per_1m", "cache_read_per_1m", "cache_creation_per_1m", "source"});
    const auto tiers =
      shape::of(db_, "model_price_service_tiers", {"model", "service_tier", "prompt_per_1m", "completion_per_1m"},
                {"cache_per_1m", "cache_read_per_1m", "cache_creation_per_1m"});
    for (const auto* table : {&models, &tiers}) {
      if (!*table)
        return table->error();
      if (!**table)
        continue;
      auto failed = (**table)->each(db_, {}, [&](row_reader& row) {
        const auto cache = row.price("cache_per_1m"), read = row.price("cache_read_per_1m");
        peer_price one{
          row.text("model", longest_fact),   row.text("service_tier", longest_fact), row.remark("source"),
          row.price("prompt_per_1m"),        row.price("completion_per_1m"),         read > 0 ? read : cache,
          row.price("cache_creation_per_1m")};
        if (row.refusal().empty() && !one.model.empty())
          out.push_back(std::move(one));
        return caf::error{};
      });
      if (failed)
        return failed;
    }
    return out;
  }

  [[nodiscard]] caf::expected<std::vector<peer_alias>> aliases() const override {
    std::vector<peer_alias> out;
    const auto table = shape::of(db_, "api_key_aliases", {"api_key_hash", "alias"}, {});
    if (!table)
      return table.error();
    if (*table)
      if (auto failed = (*table)->each(db_, {}, [&](row_reader& row) {
            peer_alias one{{}, row.text("api_key_hash"), row.text("alias", longest_fact)};
            if (row.refusal().empty() && !one.key_sha256.empty() && !one.alias.empty())
              out.push_back(std::move(one));
            return caf::error{};
          }))
        return failed;
    return out;
  }

private:
  caf::error look() {
    const auto columns = db_.columns("usage_events");
    if (!columns)
      return columns.error();
    if (columns->contains("api_group_key"))
      return make_error(errc::file_malformed,
                        "this is a database of cpa-usage-keeper: keyportal import cpa-usage-keeper takes it");
    if (columns->empty())
      return make_error(errc::file_malformed, "this is no database of CPA-Manager-Plus: it has no table usage_events");
    auto table =
      shape::of(db_, "usage_events", with_tokens({"id", "timestamp", "model", "api_key_hash", "failed"}),
                {"timestamp_ms", "resolved_model", "requested_model", "source", "auth_index", "provider", "endpoint",
                 "latency_ms", "ttft_ms", "cache_read_tokens", "cache_creation_tokens", "fail_status_code"});
    if (!table)
      return table.error();
    events_ = std::move(**table);
    // It has an index on the one and none on the other.
    events_order_ =
      columns->contains("timestamp_ms") ? "\"timestamp_ms\",\"timestamp\",\"id\"" : "\"timestamp\",\"id\"";
    return {};
  }

  sqlite_file db_;
  shape events_;
  std::string events_order_;
};

// --- days --------------------------------------------------------------------------------

const std::vector<std::string> day_columns = {"date",         "total_requests", "success_count", "failure_count",
                                              "total_tokens", "input_tokens",   "output_tokens"};

class usage_db final : public usage_source {
public:
  static caf::expected<std::unique_ptr<usage_source>> open(const std::filesystem::path& file) {
    auto db = sqlite_file::open(file);
    if (!db)
      return db.error();
    auto out = std::make_unique<usage_db>(std::move(*db));
    for (const auto& [table, more] : {std::pair{"daily_usage", std::vector<std::string>{}},
                                      std::pair{"user_usage", std::vector<std::string>{"user_email", "api_key"}}}) {
      auto needed = day_columns;
      needed.insert(needed.end(), more.begin(), more.end());
      auto found = shape::of(out->db_, table, needed, {});
      if (!found)
        return found.error();
      if (*found)
        out->tables_.push_back(std::move(**found));
    }
    if (out->tables_.empty())
      return make_error(errc::file_malformed,
                        "this is no usage.db of the original portal: it has neither daily_usage nor user_usage");
    return std::unique_ptr<usage_source>(std::move(out));
  }
  explicit usage_db(sqlite_file db) : db_(std::move(db)) {}

  [[nodiscard]] bool has_days() const override { return true; }
  [[nodiscard]] std::string name() const override { return "usage-db"; }
  [[nodiscard]] caf::error unchanged() const override { return db_.unchanged(); }

  [[nodiscard]] caf::error each(const std::function<caf::error(source_row)>& take) const override {
    for (const auto& table : tables_) {
      std::uint64_t number = 0;
      auto stop = table.each(db_, "\"date\"", [&](row_reader& row) {
        source_row out;
        const auto date = row.text("date");
        if (row.refusal().empty() && !day_of_text(date))
          row.wrong("date", "is no day as in 2026-04-02");
        json what = {{"date", date},
                     {"requests", row.integer("total_requests", 0)},
                     {"ok", row.integer("success_count", 0)},
                     {"failed", row.integer("failure_count", 0)},
                     {"tokens", row.integer("total_tokens", 0)},
                     {"input_tokens", row.integer("input_tokens", 0)},
                     {"output_tokens", row.integer("output_tokens", 0)}};
        if (table.table == "user_usage") {
          const auto owner = row.text("user_email", longest_owner);
          what["key"] = row.text("api_key");
          if (row.refusal().empty() && what["key"] == "")
            row.wrong("api_key", "is missing");
          if (owner != "unknown") // what the original portal wrote for keys of nobody
            what["owner"] = owner;
          out.identity = what.value("owner", "") + "|" + what["key"].get<std::string>();
        }
        out.where = fmt::format("{}, row {}", table.table, ++number);
        out.refusal = row.refusal();
        out.order = table.table + date;
        if (out.refusal.empty())
          out.what = std::move(what);
        return take(std::move(out));
      });
      if (stop)
        return stop;
    }
    return {};
  }

private:
  sqlite_file db_;
  std::vector<shape> tables_;
};

class usage_history final : public usage_source {
public:
  static caf::expected<std::unique_ptr<usage_source>> open(std::string csv) {
    if (csv.starts_with("\xef\xbb\xbf"))
      csv.erase(0, 3);
    auto out = std::make_unique<usage_history>(std::move(csv));
    std::istringstream lines(out->csv_);
    std::string head;
    std::getline(lines, head);
    const auto names = fields(head);
    for (const auto& name : day_columns) {
      const auto found = std::find(names.begin(), names.end(), name);
      if (found == names.end() || std::count(names.begin(), names.end(), name) != 1)
        return make_error(errc::file_malformed, fmt::format("line 1 does not name the column {} once", name));
      out->places_.push_back(static_cast<std::size_t>(found - names.begin()));
    }
    out->columns_ = names.size();
    return std::unique_ptr<usage_source>(std::move(out));
  }
  explicit usage_history(std::string csv) : csv_(std::move(csv)) {}

  [[nodiscard]] bool has_days() const override { return true; }
  [[nodiscard]] std::string name() const override { return "usage-history"; }

  [[nodiscard]] caf::error each(const std::function<caf::error(source_row)>& take) const override {
    std::istringstream lines(csv_);
    std::string line;
    std::getline(lines, line);
    for (std::uint64_t number = 2; std::getline(lines, line); ++number) {
      if (trim(line).empty())
        continue;
      source_row out;
      out.where = fmt::format("line {}", number);
      const auto values = fields(line);
      static constexpr const char* as[] = {"date",   "requests",     "ok",           "failed",
                                           "tokens", "input_tokens", "output_tokens"};
      if (values.size() != columns_)
        out.refusal = fmt::format("has {} values, not {}", values.size(), columns_);
      else if (!day_of_text(values[places_[0]]))
        out.refusal = "date is no day as in 2026-04-02";
      for (std::size_t i = 1; i < places_.size() && out.refusal.empty(); ++i) {
        const auto& text = values[places_[i]];
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (text.empty() || error != std::errc{} || end != text.data() + text.size())
          out.refusal = day_columns[i] + " is no whole number";
        else if (value < 0)
          out.refusal = day_columns[i] + " is negative";
        out.what[as[i]] = value;
      }
      if (out.refusal.empty())
        out.what["date"] = out.identity = values[places_[0]];
      if (auto stop = take(std::move(out)))
        return stop;
    }
    return {};
  }

private:
  /// The original portal wrote dates and numbers only, so nothing is quoted.
  static std::vector<std::string> fields(const std::string& line) {
    std::vector<std::string> out;
    std::size_t at = 0;
    for (;;) {
      const auto comma = line.find(',', at);
      out.push_back(trim(line.substr(at, comma - at)));
      if (comma == std::string::npos)
        return out;
      at = comma + 1;
    }
  }

  std::string csv_;
  std::vector<std::size_t> places_;
  std::size_t columns_ = 0;
};

} // namespace

std::string moment_of_go(const std::string& text) {
  constexpr std::size_t date_and_time = 19;
  if (text.size() <= date_and_time || (text[10] != ' ' && text[10] != 'T'))
    return {};
  auto out = text.substr(0, 10) + "T" + text.substr(11, 8);
  auto at = date_and_time;
  if (text[at] == '.')
    do
      out += text[at++];
    while (at < text.size() && text[at] >= '0' && text[at] <= '9');
  at = text.find_first_not_of(' ', at);
  if (at == std::string::npos)
    return {};
  // "Z", "+08:00", and "+0800 CST" with the monotonic clock behind it
  auto zone = text.substr(at, text.find(' ', at) - at);
  if (zone == "UTC")
    zone = "Z";
  if (zone.size() == 5 && (zone[0] == '+' || zone[0] == '-'))
    zone.insert(3, ":");
  out += zone;
  return parse_rfc3339(out) ? out : std::string{};
}

caf::expected<std::unique_ptr<usage_source>> open_usage_db(const std::filesystem::path& file) {
  return usage_db::open(file);
}
caf::expected<std::unique_ptr<usage_source>> open_keeper(const std::filesystem::path& file) {
  return keeper::open(file);
}
caf::expected<std::unique_ptr<usage_source>> open_manager_plus(const std::filesystem::path& file) {
  return manager_plus::open(file);
}
caf::expected<std::unique_ptr<usage_source>> open_usage_history(std::string csv) {
  return usage_history::open(std::move(csv));
}

} // namespace keyportal::cli
