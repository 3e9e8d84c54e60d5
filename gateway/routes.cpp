#include "gateway/routes.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "gateway/problem.hpp"
#include "messages/errors.hpp"

namespace keyportal::gateway {

namespace {

constexpr std::size_t small = 4 << 10;
constexpr std::size_t list = 64 << 10;
constexpr std::size_t piece = 4 << 20;
constexpr std::size_t prices = 24 << 20;
constexpr std::size_t file = 64 << 20;

constexpr route table[] = {
  {"GET", "/", topic::asset, access::open, small, "the page"},
  {"GET", "/app.js", topic::asset, access::open, small, "its script"},
  {"GET", "/view.js", topic::asset, access::open, small, "its drawing"},
  {"GET", "/lists.js", topic::asset, access::open, small, "its lists"},
  {"GET", "/text.js", topic::asset, access::open, small, "its words"},
  {"GET", "/style.css", topic::asset, access::open, small, "its looks"},
  {"GET", "/icon.svg", topic::asset, access::open, small, "its icon"},
  {"GET", "/api", topic::asset, access::open, small, "the page of this API's documentation"},
  {"GET", "/api.js", topic::asset, access::open, small, "its script"},
  {"GET", "/api_parts.js", topic::asset, access::open, small, "its drawing"},
  {"GET", "/api_schema.js", topic::asset, access::open, small, "its reading of schemas"},
  {"GET", "/api_text.js", topic::asset, access::open, small, "its words"},
  {"GET", "/api.css", topic::asset, access::open, small, "its looks"},
  {"GET", "/openapi.yaml", topic::asset, access::open, small, "this table, for programs"},
  {"GET", "/openapi.json", topic::asset, access::open, small, "the same as JSON"},
  {"GET", "/ws", topic::greeting, access::open, small, "WebSocket: the overview, then what happens as it happens"},

  {"GET", "/healthz", topic::health, access::open, small, "200 as long as the process lives"},
  {"GET", "/readyz", topic::readiness, access::open, small,
   "200 when requests are answered, 503 while starting or stopping"},
  {"GET", "/metrics", topic::metrics, access::open, small, "figures for Prometheus"},

  {"GET", "/api/v1/summary", topic::summary, access::open, small,
   "all nodes together, each node, the link to NATS, the ledger"},
  {"GET", "/api/v1/nodes", topic::nodes, access::open, small, "every node as it is now"},
  {"GET", "/api/v1/nodes/{node}", topic::node, access::open, small, "one node as it is now"},
  {"GET", "/api/v1/nodes/{node}/restarts", topic::restarts, access::open, small,
   "its restarts, newest first (limit=100)"},
  {"GET", "/api/v1/nodes/{node}/gaps", topic::gaps, access::open, small,
   "spans of time nobody saw, newest first (limit=100)"},
  {"GET", "/api/v1/nodes/{node}/incompletes", topic::incompletes, access::open, small,
   "what it counted and the ledger lacks, newest first (limit=100)"},
  {"GET", "/api/v1/nodes/{node}/queue", topic::queue, access::open, small,
   "how its queue is taken, and what waits to be decoded"},
  {"GET", "/api/v1/nodes/{node}/snapshots", topic::snapshots, access::open, small, "its snapshots, newest first"},
  {"POST", "/api/v1/nodes/{node}/snapshots", topic::make_snapshot, access::control, small, "makes a snapshot now"},
  {"GET", "/api/v1/nodes/{node}/snapshots/{id}", topic::snapshot, access::open, small, "one snapshot's particulars"},
  {"GET", "/api/v1/nodes/{node}/snapshots/{id}/export", topic::export_file, access::control, small,
   "the snapshot as an export file that CLIProxyAPI takes; id `now` for the ledger as it is"},
  {"POST", "/api/v1/nodes/{node}/import", topic::import_file, access::control, file,
   "takes an export file into the ledger, then restores the node"},
  {"POST", "/api/v1/nodes/{node}/records", topic::copy_records, access::control, piece,
   "takes at most 1,000 records out of another tool's database into the ledger, each once"},
  {"POST", "/api/v1/nodes/{node}/history", topic::keep_history, access::control, piece,
   "keeps at most 1,000 days that another tool had added up, apart from the records"},
  {"POST", "/api/v1/nodes/{node}/restore", topic::restore, access::control, small,
   "puts back what the ledger holds and the node lacks"},
  {"POST", "/api/v1/nodes/{node}/deadletters/replay", topic::replay_letters, access::control, list,
   "decodes its dead letters again: all, or {\"numbers\":[…]}"},
  {"GET", "/api/v1/deadletters", topic::letters, access::open, small,
   "what could not be decoded and why, oldest first, without the payloads (after=0, limit=100)"},
  {"GET", "/api/v1/deadletters/{id}", topic::letter, access::control, small, "the payload of one, as it came"},
  {"DELETE", "/api/v1/deadletters/{id}", topic::drop_letter, access::control, small, "gives one up for good"},

  {"GET", "/api/v1/history", topic::history, access::control, small,
   "days that another tool had added up, never part of any total (node=, from=, to=, after=, limit=100)"},

  {"GET", "/api/v1/users", topic::users, access::control, small,
   "people, in the order of their ids (state=, text=, after=, limit=100)"},
  {"POST", "/api/v1/users", topic::add_user, access::control, list, "adds a person"},
  {"GET", "/api/v1/users/{name}", topic::user, access::control, small, "one person, by id or e-mail address"},
  {"PATCH", "/api/v1/users/{name}", topic::change_user, access::control, list, "changes what is given of a person"},
  {"POST", "/api/v1/users/{name}/state", topic::user_state, access::control, list,
   "approves, suspends, resumes or deletes a person: {\"to\":\"suspended\"}"},
  {"GET", "/api/v1/keys", topic::keys, access::control, small,
   "keys without their texts, in the order of their ids (state=, owner=, text=, waiting=renewal|choice, after=, "
   "limit=100)"},
  {"POST", "/api/v1/keys", topic::assign_key, access::control, list,
   "gives a person a key; the answer shows it, this once"},
  {"POST", "/api/v1/keys/find", topic::find_key, access::control, list, "which key a text is: {\"text\":\"…\"}"},
  {"POST", "/api/v1/keys/import", topic::import_keys, access::control, piece,
   "takes at most 1,000 existing keys, to their owners or into the pool"},
  {"GET", "/api/v1/keys/{name}", topic::key, access::control, small, "one key, by its id"},
  {"PATCH", "/api/v1/keys/{name}", topic::change_key, access::control, list, "changes a key's label, budgets or nodes"},
  {"POST", "/api/v1/keys/{name}/renew", topic::renew_key, access::control, list,
   "lets it end later: {\"lifetime_s\":…} from now on"},
  {"POST", "/api/v1/keys/{name}/rotate", topic::rotate_key, access::control, list,
   "puts a new key in its place, shown this once; the old one works for \"grace_s\" besides"},
  {"POST", "/api/v1/keys/{name}/suspend", topic::suspend_key, access::control, list, "takes it away for a time"},
  {"POST", "/api/v1/keys/{name}/resume", topic::resume_key, access::control, list, "gives it back"},
  {"POST", "/api/v1/keys/{name}/revoke", topic::revoke_key, access::control, list, "ends it for good"},
  {"POST", "/api/v1/keys/{name}/adopt", topic::adopt_key, access::control, list,
   "gives a key that was found at a node an owner"},
  {"POST", "/api/v1/keys/{name}/renewal", topic::ask_renewal, access::control, list,
   "asks an admin to let it end later: {\"lifetime_s\":…,\"reason\":\"…\"}"},
  {"POST", "/api/v1/keys/{name}/renewal/answer", topic::answer_renewal, access::control, list,
   "decides what was asked: {\"approve\":true,\"reason\":\"…\"}"},
  {"GET", "/api/v1/keys/{name}/budgets", topic::key_budgets, access::control, small,
   "how much of its budgets, its owner's and its group's is used"},
  {"GET", "/api/v1/pool", topic::pool, access::control, small, "how many keys there are in which state"},
  {"POST", "/api/v1/pool", topic::fill_pool, access::control, list, "makes keys for the pool: {\"count\":…}"},
  {"GET", "/api/v1/policies", topic::policies, access::control, small, "every policy"},
  {"PUT", "/api/v1/policies/{name}", topic::put_policy, access::control, list,
   "makes it what is given, as a whole; its name is that of the group"},
  {"DELETE", "/api/v1/policies/{name}", topic::drop_policy, access::control, small, "drops it"},
  {"GET", "/api/v1/audit", topic::audit, access::control, small,
   "who did what, in its order (after=0, limit=100, what=, about=); go on behind `next` while there is `more`"},
  {"GET", "/api/v1/audit/verify", topic::verify_audit, access::control, small,
   "proves that no entry was changed or is missing"},
  {"GET", "/api/v1/prices", topic::prices, access::control, small,
   "what models cost, in the order of their ids (text=, after=, limit=100)"},
  {"POST", "/api/v1/prices", topic::put_prices, access::control, prices, "sets prices, all or none: {\"prices\":[…]}"},
  {"POST", "/api/v1/prices/drop", topic::drop_prices, access::control, piece, "drops prices: {\"ids\":[…]}"},
  {"GET", "/api/v1/prices/unpriced", topic::unpriced, access::control, small,
   "models with requests that have no price (from=, to=; else the last 30 days)"},
  {"GET", "/api/v1/prices/reprice", topic::reprice_state, access::control, small,
   "how far working out costs anew has come, or what came of it last"},
  {"POST", "/api/v1/prices/reprice", topic::reprice, access::control, small,
   "works out anew what records cost: {\"from\",\"to\",\"dry_run\"}"},
  {"GET", "/api/v1/usage", topic::usage, access::control, small,
   "what was used, added up: from, to, zone, step, by, filters, top, order, percentiles, compare, unused"},
  {"POST", "/api/v1/usage", topic::usage, access::control, list, "the same, asked in a body: long filters"},
  {"GET", "/api/v1/records", topic::records, access::control, small,
   "single records: from, to, filters, text, order, cursor, limit"},
  {"POST", "/api/v1/records", topic::records, access::control, list, "the same, asked in a body"},
  {"GET", "/api/v1/ledger/check", topic::ledger_check, access::control, small,
   "how far comparing roll-ups with the records has come, or what came of it last"},
  {"POST", "/api/v1/ledger/check", topic::check_ledger, access::control, small,
   "begins it, unless it is under way; {\"mend\":true} also puts right what is wrong"},
  {"POST", "/api/v1/exports", topic::open_export, access::control, list,
   "holds the state of now for an export: {\"what\",\"format\",…}; the answer says where it is read"},
  {"GET", "/api/v1/exports/{name}", topic::export_body, access::control, small,
   "an export that was begun, or records, rollups, users, keys or audit at once (format=csv|jsonl|cpa, from, to, zone, "
   "filters, text, step, week, by, bom); Range: bytes=N- goes on where it broke"},
  {"DELETE", "/api/v1/exports/{name}", topic::close_export, access::control, small, "ends one before its time"},
  {"GET", "/api/v1/backups", topic::backups, access::control, small,
   "the backups, newest first, and what is under way with them"},
  {"POST", "/api/v1/backups", topic::make_backup, access::control, small, "begins to make one: {\"full\":false}"},
  {"POST", "/api/v1/backups/verify", topic::verify_backups, access::control, small,
   "begins to prove them: {\"id\":\"…\",\"restore\":true}; without an id all of them"},
  {"POST", "/api/v1/backups/prune", topic::prune_backups, access::control, small,
   "begins to drop those that backup.keep and its like do not keep"},
  {"GET", "/api/v1/retention", topic::retention, access::open, small,
   "how far back single records go, what went, the size of the data folder and its limit"},
  {"POST", "/api/v1/retention", topic::run_retention, access::control, small, "looks now for records that may go"},
  {"GET", "/api/v1/nodes/{node}/keys", topic::node_keys, access::open, small, "whether its keys are as they should be"},
  {"GET", "/api/v1/nodes/{node}/configs", topic::configs, access::control, small,
   "what its config.yaml was, newest first"},
  {"GET", "/api/v1/nodes/{node}/configs/{id}", topic::config, access::control, small, "one of them, as it was"},
  {"POST", "/api/v1/nodes/{node}/configs/{id}/restore", topic::restore_config, access::control, small,
   "gives it back to the node"},
};

/// Takes the next segment off a path that begins with '/'.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const auto end = std::min(path.find('/'), path.size());
  const auto segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

bool is_node_name(std::string_view text) {
  return !text.empty() && text.size() <= 32
         && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty())
    return std::nullopt;
  return value;
}

struct places {
  std::string_view node;
  std::string_view id;
  std::string_view name;
};

std::optional<places> match(std::string_view pattern, std::string_view path) {
  places found;
  while (!pattern.empty() && !path.empty()) {
    const auto wanted = take_segment(pattern);
    const auto given = take_segment(path);
    if (wanted == "{node}" && !given.empty())
      found.node = given;
    else if (wanted == "{id}" && !given.empty())
      found.id = given;
    else if (wanted == "{name}" && !given.empty())
      found.name = given;
    else if (wanted != given) // also where `given` has an escaped slash: only names may
      return std::nullopt;
  }
  return pattern.empty() && path.empty() ? std::optional(found) : std::nullopt;
}

std::string_view header(const http_request& request, std::string_view name) {
  for (const auto& [key, value] : request.headers)
    if (key == name)
      return value;
  return {};
}

bool has_token(const http_request& request, const secret& token) {
  static constexpr std::string_view scheme = "Bearer ";
  const auto given = header(request, "authorization");
  return given.starts_with(scheme) && same_secret(given.substr(scheme.size()), token);
}

std::string_view method_of(const http_request& request) {
  const std::string_view method = request.method;
  return method == "HEAD" ? "GET" : method;
}

struct finding {
  const route* row = nullptr;
  places in;
  std::string allow; ///< methods of that path, when none of them is the request's
};

finding find(const http_request& request) {
  finding out;
  if (request.path.empty() || request.path.front() != '/')
    return out;
  // An address that the table has as it is names no person or key: /api/v1/keys/find.
  const bool as_it_is =
    std::any_of(std::begin(table), std::end(table), [&](const route& row) { return row.pattern == request.path; });
  for (const auto& row : table) {
    if (as_it_is && row.pattern != request.path)
      continue;
    const auto at = match(row.pattern, request.path);
    if (!at)
      continue;
    if (row.method == method_of(request))
      return {&row, *at, {}};
    fmt::format_to(std::back_inserter(out.allow), "{}{}", out.allow.empty() ? "" : ", ",
                   row.method == "GET" ? "GET, HEAD" : row.method);
  }
  return out;
}

/// What the numbers in {id} are of.
enum class counted : std::uint8_t { snapshots, letters, configs };
counted counted_by(topic about) {
  switch (about) {
    case topic::letter:
    case topic::drop_letter: return counted::letters;
    case topic::config:
    case topic::restore_config: return counted::configs;
    default: return counted::snapshots;
  }
}

http_response bad_request(std::string about) { return problem(make_error(errc::bad_request, std::move(about))); }

} // namespace

std::span<const route> routes() { return table; }

bool same_secret(std::string_view given, const secret& wanted) {
  if (wanted.empty())
    return false;
  // Digests have one length, so that of the token does not show either.
  std::array<unsigned char, SHA256_DIGEST_LENGTH> a{}, b{};
  SHA256(reinterpret_cast<const unsigned char*>(given.data()), given.size(), a.data());
  SHA256(reinterpret_cast<const unsigned char*>(wanted.reveal().data()), wanted.reveal().size(), b.data());
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::variant<question, http_response> understand(const http_request& request, const secret& token) {
  const auto found = find(request);
  if (!found.row) {
    if (found.allow.empty())
      return problem(make_error(errc::not_found, request.path.substr(0, 200)));
    auto refusal = problem(make_error(errc::method_not_allowed, request.method.substr(0, 20)));
    refusal.headers.emplace_back("Allow", found.allow);
    return refusal;
  }
  if (found.row->needs == access::control && !has_token(request, token))
    return problem(make_error(errc::not_authorised));
  question out;
  out.row = found.row;
  out.path = request.path;
  out.if_none_match = header(request, "if-none-match");
  if (!found.in.node.empty()) {
    if (!is_node_name(found.in.node))
      return problem(make_error(errc::node_unknown, std::string(found.in.node.substr(0, 40))));
    out.node = found.in.node;
  }
  if (!found.in.id.empty()) {
    const auto of = counted_by(out.row->about);
    const bool may_be_now = of == counted::snapshots;
    const auto id =
      found.in.id == "now" && may_be_now ? std::optional<std::uint64_t>(0) : number<std::uint64_t>(found.in.id);
    if (!id || (!may_be_now && *id == 0))
      return bad_request(of == counted::letters   ? "a dead letter's id is a number from 1 on"
                         : of == counted::configs ? "a kept config's number is one from 1 on"
                                                  : "a snapshot's id is a number or `now`");
    out.id = *id;
  }
  out.name = found.in.name;
  std::replace(out.name.begin(), out.name.end(), escaped_slash, '/');
  const bool by_name = out.row->about == topic::users || out.row->about == topic::keys
                       || out.row->about == topic::history || out.row->about == topic::prices;
  for (const auto& [name, value] : request.query) {
    if (name == "after" && by_name) {
      out.after_name = value;
    } else if (name == "limit") {
      const auto limit = number<std::uint32_t>(value);
      if (!limit || *limit < 1 || *limit > 1000)
        return bad_request("limit is a number from 1 to 1000");
      out.limit = *limit;
    } else if (name == "after") {
      const auto after = number<std::uint64_t>(value);
      if (!after)
        return bad_request("after is a number");
      out.after = *after;
    }
  }
  return out;
}

body_rule rule_for_body(const http_request& head, const secret& token) {
  auto read = understand(head, token);
  if (auto* refusal = std::get_if<http_response>(&read))
    return {small, std::move(*refusal)};
  return {std::get<question>(read).row->max_body_bytes, std::nullopt};
}

} // namespace keyportal::gateway
