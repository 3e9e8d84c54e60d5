#include "gateway/handlers.hpp"

#include <fmt/format.h>

#include "gateway/assets.hpp"
#include "gateway/problem.hpp"
#include "messages/store_json.hpp"

namespace keyportal::gateway {

http_response json_answer(const nlohmann::json& body, int status) {
  http_response out;
  out.status = status;
  out.body = std::make_shared<const std::string>(dump(body));
  return out;
}

namespace {

nlohmann::json figures(const ledger_state& ledger) {
  return {{"position", ledger.last},
          {"records", ledger.records},
          {"outbox", ledger.outbox},
          {"inbox", ledger.inbox},
          {"dead_letters", ledger.dead_letters}};
}

} // namespace

http_response health_answer() { return json_answer({{"alive", true}}); }

http_response ready_answer(const ledger_state& ledger) {
  auto body = figures(ledger);
  body["ready"] = true;
  return json_answer(body);
}

http_response metrics_answer(std::string text) {
  http_response out;
  out.content_type = "text/plain; version=0.0.4; charset=utf-8";
  out.body = std::make_shared<const std::string>(std::move(text));
  return out;
}

http_response summary_answer(const summary_parts& all) {
  auto body = to_json(all.now);
  body["publisher"] = all.publisher ? to_json(*all.publisher) : nlohmann::json(nullptr);
  body["ledger"] = all.ledger ? figures(*all.ledger) : nlohmann::json(nullptr);
  body["demo"] = all.demo;
  body["alarms"] = alarms_of(all.backups ? &*all.backups : nullptr, all.retention ? &*all.retention : nullptr);
  body["money"] = {{"currency", all.currency}, {"rate", all.currency_rate}};
  return json_answer(body);
}

http_response nodes_answer(const overview& now) { return list_answer(now.nodes); }

http_response node_answer(const overview& now, const node_name& node) {
  for (const auto& one : now.nodes)
    if (one.condition.node == node)
      return json_answer(to_json(one));
  return problem(make_error(errc::node_unknown, node));
}

http_response snapshot_answer(const std::vector<snapshot_info>& all, std::uint64_t id) {
  for (const auto& one : all)
    if (one.id == id)
      return json_answer(to_json(one));
  return problem(make_error(errc::snapshot_unknown, std::to_string(id)));
}

http_response export_answer(const export_file& file) {
  http_response out;
  const auto name = file.info.id ? std::to_string(file.info.id) : std::string("now");
  out.headers.emplace_back("Content-Disposition",
                           fmt::format("attachment; filename=\"keyportal-{}-{}.json\"", file.info.node, name));
  if (!file.info.sha256.empty())
    out.headers.emplace_back("X-Keyportal-Sha256", file.info.sha256);
  if (file.json)
    out.body = file.json;
  return out;
}

http_response letter_answer(const std::vector<dead_letter>& found, std::uint64_t number) {
  for (const auto& one : found) {
    if (one.number != number)
      continue;
    http_response out;
    out.content_type = "application/octet-stream";
    out.headers.emplace_back("Content-Disposition", fmt::format("attachment; filename=\"deadletter-{}\"", number));
    out.headers.emplace_back("Cache-Control", "no-store");
    out.body = std::make_shared<const std::string>(one.payload.reveal());
    return out;
  }
  return problem(make_error(errc::dead_letter_unknown, std::to_string(number)));
}

caf::expected<replay_letters> read_replay(std::string_view body) {
  if (body.empty())
    return replay_letters{};
  const auto refused = [] {
    return make_error(errc::bad_request, R"(the body is {"numbers":[…]}, or nothing for all)");
  };
  const auto given = nlohmann::json::parse(body, nullptr, false);
  if (!given.is_object() || given.size() != 1 || !given.contains("numbers"))
    return refused();
  const auto& numbers = given["numbers"];
  if (!numbers.is_array() || numbers.empty()) // an empty list would be taken for all
    return refused();
  replay_letters out;
  for (const auto& one : numbers) {
    if (!one.is_number_unsigned() || one.get<std::uint64_t>() == 0)
      return refused();
    out.numbers.push_back(one.get<std::uint64_t>());
  }
  return out;
}

http_response asset_answer(const question& asked) {
  const auto* const one = find_asset(asked.path);
  if (one == nullptr || asked.path == "/index.html")
    return problem(make_error(errc::not_found, asked.path.substr(0, 200)));
  http_response out;
  out.content_type = one->content_type;
  out.headers.emplace_back("ETag", std::string(one->etag));
  out.headers.emplace_back("Cache-Control", one->immutable ? "public, max-age=31536000, immutable" : "no-cache");
  if (one->compressed)
    out.headers.emplace_back("Vary", "Accept-Encoding");
  if (asked.if_none_match.find(one->etag) != std::string::npos) {
    out.status = 304;
  } else if (one->compressed && asked.takes_gzip) {
    out.headers.emplace_back("Content-Encoding", "gzip");
    out.body = std::make_shared<const std::string>(one->text);
  } else {
    out.body = std::make_shared<const std::string>(plain_text(*one));
  }
  return out;
}

} // namespace keyportal::gateway
