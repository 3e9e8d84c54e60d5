#include "gateway/compat/import_reader.hpp"

#include <algorithm>
#include <istream>
#include <optional>

#include <nlohmann/json.hpp>

#include "messages/token_rules.hpp"

namespace keyportal::compat {

namespace {

constexpr std::size_t most_entries = 1000; ///< without records

/// Where in the document something stands, and so what it must be.
enum class place : std::uint8_t {
  root,
  version,
  usage,
  count, ///< a number that is computed anew
  counts,
  apis,
  api,
  models,
  model,
  details,
  detail,
  timestamp,
  latency,
  source,
  auth_index,
  failed,
  tokens,
  input,
  output,
  reasoning,
  cached,
  total,
  elsewhere ///< below a field that is not known
};

struct child {
  place in;
  std::string_view name; ///< in lower case
  place is;
};
constexpr child table[] = {
  {place::root, "version", place::version},
  {place::root, "usage", place::usage},
  {place::usage, "total_requests", place::count},
  {place::usage, "success_count", place::count},
  {place::usage, "failure_count", place::count},
  {place::usage, "total_tokens", place::count},
  {place::usage, "apis", place::apis},
  {place::usage, "requests_by_day", place::counts},
  {place::usage, "requests_by_hour", place::counts},
  {place::usage, "tokens_by_day", place::counts},
  {place::usage, "tokens_by_hour", place::counts},
  {place::api, "total_requests", place::count},
  {place::api, "total_tokens", place::count},
  {place::api, "models", place::models},
  {place::model, "total_requests", place::count},
  {place::model, "total_tokens", place::count},
  {place::model, "details", place::details},
  {place::detail, "timestamp", place::timestamp},
  {place::detail, "latency_ms", place::latency},
  {place::detail, "source", place::source},
  {place::detail, "auth_index", place::auth_index},
  {place::detail, "tokens", place::tokens},
  {place::detail, "failed", place::failed},
  {place::tokens, "input_tokens", place::input},
  {place::tokens, "output_tokens", place::output},
  {place::tokens, "reasoning_tokens", place::reasoning},
  {place::tokens, "cached_tokens", place::cached},
  {place::tokens, "total_tokens", place::total},
};

bool is_object(place p) {
  switch (p) {
    case place::root:
    case place::usage:
    case place::counts:
    case place::apis:
    case place::api:
    case place::models:
    case place::model:
    case place::detail:
    case place::tokens:
    case place::elsewhere: return true;
    default: return false;
  }
}

/// Called by the parser with every piece of the document; false ends it.
class reader {
public:
  using json = nlohmann::json;

  reader(const import_settings& how, const std::function<bool(std::vector<record_group>)>& on_piece,
         std::vector<std::string>& entries)
    : how_(how), on_piece_(on_piece), entries_(entries) {}

  import_outcome why = import_outcome::malformed;

  bool finish() { return version_ == 0 || version_ == 1 ? hand_on() : refuse(import_outcome::unknown_version); }

  bool null() {
    return scalar(
      place::elsewhere, [] {}, true);
  }
  bool boolean(bool value) {
    return scalar(place::failed, [&] { detail_.failed = value; });
  }
  bool number_integer(std::int64_t value) { return integer(value); }
  bool number_unsigned(std::uint64_t value) {
    if (value > INT64_MAX && expected() != place::elsewhere)
      return refuse(import_outcome::malformed);
    return integer(static_cast<std::int64_t>(value));
  }
  bool number_float(double, const std::string&) {
    return scalar(place::elsewhere, [] {});
  }
  bool string(std::string& value) {
    const auto here = expected();
    if (here == place::source)
      detail_.source = std::move(value);
    else if (here == place::auth_index)
      detail_.auth_index = std::move(value);
    else if (here == place::timestamp)
      return time(value);
    else if (here != place::elsewhere)
      return refuse(import_outcome::malformed);
    return true;
  }
  bool binary(json::binary_t&) { return false; }

  bool start_object(std::size_t) {
    const auto here = expected();
    if (!is_object(here))
      return refuse(import_outcome::malformed);
    path_.push_back(here);
    if (here == place::detail) {
      detail_ = {};
      has_time_ = false;
    }
    return true;
  }
  bool key(std::string& name) {
    const auto in = path_.back();
    next_ = place::elsewhere;
    if (in == place::counts) {
      next_ = place::count;
    } else if (in == place::apis) {
      next_ = place::api;
      client_key_ = trimmed(name);
      if (!client_key_.empty() && entries_.size() < most_entries)
        entries_.push_back(client_key_);
    } else if (in == place::models) {
      next_ = place::model;
      model_ = normal_model(name);
    } else if (in != place::elsewhere) {
      std::transform(name.begin(), name.end(), name.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
      for (const auto& row : table)
        if (row.in == in && row.name == name)
          next_ = row.is;
    }
    return true;
  }
  bool end_object() {
    const auto here = path_.back();
    path_.pop_back();
    return here != place::detail || take_detail();
  }
  bool start_array(std::size_t) {
    const auto here = expected();
    if (here != place::details && here != place::elsewhere)
      return refuse(import_outcome::malformed);
    path_.push_back(here);
    return true;
  }
  bool end_array() {
    path_.pop_back();
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) { return false; }

private:
  bool refuse(import_outcome outcome) {
    why = outcome;
    return false;
  }

  /// What the next value stands for.
  [[nodiscard]] place expected() const {
    if (path_.empty())
      return place::root;
    if (path_.back() == place::details)
      return place::detail;
    return path_.back() == place::elsewhere ? place::elsewhere : next_;
  }

  template <class Take>
  bool scalar(place allowed, Take&& take, bool anywhere = false) {
    const auto here = expected();
    if (here == allowed && here != place::elsewhere)
      take();
    else if (here != place::elsewhere && !anywhere)
      return refuse(import_outcome::malformed);
    // A null among the details is an empty one.
    if (anywhere && here == place::detail) {
      detail_ = {};
      has_time_ = false;
      return take_detail();
    }
    return true;
  }

  bool integer(std::int64_t value) {
    auto& t = detail_.tokens;
    switch (expected()) {
      case place::version: version_ = value; return true;
      case place::latency: detail_.latency_ms = value; return true;
      case place::input: t.input = value; return true;
      case place::output: t.output = value; return true;
      case place::reasoning: t.reasoning = value; return true;
      case place::cached: t.cached = value; return true;
      case place::total: t.total = value; return true;
      case place::count:
      case place::elsewhere: return true;
      default: return refuse(import_outcome::malformed);
    }
  }

  bool time(const std::string& text) {
    if (text == "0001-01-01T00:00:00Z") // Go's zero time: none was given
      return true;
    const auto at = parse_rfc3339(text);
    if (!at)
      return refuse(import_outcome::malformed);
    detail_.at = *at;
    has_time_ = true;
    return true;
  }

  bool take_detail() {
    if (client_key_.empty())
      return true;
    if (!has_time_)
      detail_.at = {unix_ns(how_.now) + static_cast<std::int64_t>(without_time_++), 0};
    normalise(detail_);
    detail_.parts = parts_by_model(model_, detail_.tokens);
    detail_.id = make_record_id(how_.node, client_key_, model_, detail_);
    if (groups_.empty() || groups_.back().model != model_ || groups_.back().client_key.reveal() != client_key_)
      groups_.push_back({secret{client_key_}, model_, {}});
    groups_.back().details.push_back(std::move(detail_));
    detail_ = {};
    return ++records_ < how_.piece_records || hand_on();
  }

  bool hand_on() {
    if (records_ == 0)
      return true;
    // The version usually stands first; where it comes last, records of a small file still wait for it.
    if (version_ != 0 && version_ != 1)
      return refuse(import_outcome::unknown_version);
    records_ = 0;
    return on_piece_(std::exchange(groups_, {})) || refuse(import_outcome::stopped);
  }

  const import_settings& how_;
  const std::function<bool(std::vector<record_group>)>& on_piece_;
  std::vector<std::string>& entries_;
  std::vector<place> path_; ///< of the containers that are open
  place next_ = place::elsewhere;
  std::string client_key_, model_;
  detail detail_;
  bool has_time_ = false;
  std::uint64_t without_time_ = 0;
  std::int64_t version_ = 0;
  std::vector<record_group> groups_;
  std::size_t records_ = 0;
};

constexpr std::size_t largest_record = 1 << 20;

/// The next character that is no blank; -1 at the end.
int next_character(std::streambuf& in) {
  int c = in.sbumpc();
  while (c == ' ' || c == '\n' || c == '\r' || c == '\t')
    c = in.sbumpc();
  return c;
}

/// From behind `{` to its `}`; whether what lies between is JSON is judged by who decodes it.
bool read_object(std::streambuf& in, std::string& out) {
  out = "{";
  bool in_string = false;
  for (int depth = 1; depth > 0;) {
    const int c = in.sbumpc();
    if (c < 0 || out.size() == largest_record)
      return false;
    out += static_cast<char>(c);
    if (in_string && c == '\\') {
      const int escaped = in.sbumpc();
      if (escaped < 0)
        return false;
      out += static_cast<char>(escaped);
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    }
  }
  return true;
}

} // namespace

import_outcome read_record_list(std::istream& in, const std::function<bool(std::string_view)>& on_record) {
  auto& from = *in.rdbuf();
  std::string record;
  int c = next_character(from);
  if (c != '[')
    return import_outcome::malformed;
  do {
    if (next_character(from) != '{' || !read_object(from, record) || !on_record(record))
      return import_outcome::malformed;
    c = next_character(from);
  } while (c == ',');
  return c == ']' && next_character(from) < 0 ? import_outcome::done : import_outcome::malformed;
}

import_outcome read_import(std::istream& in, const import_settings& how,
                           const std::function<bool(std::vector<record_group>)>& on_piece,
                           std::vector<std::string>& entries) {
  reader handler{how, on_piece, entries};
  if (!nlohmann::json::sax_parse(in, &handler) || !handler.finish())
    return handler.why;
  return import_outcome::done;
}

} // namespace keyportal::compat
