#include "gateway/handlers.hpp"

#include <fmt/format.h>

#include "gateway/assets.hpp"
#include "gateway/problem.hpp"

namespace keyportal::gateway {

http_response json_answer(const nlohmann::json& body, int status) {
  http_response out;
  out.status = status;
  out.body = std::make_shared<const std::string>(dump(body));
  return out;
}

http_response health_answer() { return json_answer({{"alive", true}}); }

http_response ready_answer(const ledger_state& ledger) {
  return json_answer(
    {{"ready", true}, {"position", ledger.last}, {"records", ledger.records}, {"outbox", ledger.outbox}});
}

http_response metrics_answer(std::string text) {
  http_response out;
  out.content_type = "text/plain; version=0.0.4; charset=utf-8";
  out.body = std::make_shared<const std::string>(std::move(text));
  return out;
}

http_response summary_answer(const overview& now, const std::optional<publisher_state>& publisher, bool demo) {
  auto body = to_json(now);
  body["publisher"] = publisher ? to_json(*publisher) : nlohmann::json(nullptr);
  body["demo"] = demo;
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

http_response asset_answer(const question& asked) {
  for (const auto& one : assets()) {
    if (one.path != asked.path)
      continue;
    http_response out;
    out.content_type = one.content_type;
    out.headers.emplace_back("ETag", std::string(one.etag));
    out.headers.emplace_back("Cache-Control", "no-cache"); // kept, but asked about: a new version shows at once
    if (asked.if_none_match.find(one.etag) != std::string::npos)
      out.status = 304;
    else
      out.body = std::make_shared<const std::string>(one.text);
    return out;
  }
  return problem(make_error(errc::not_found, asked.path.substr(0, 200)));
}

} // namespace keyportal::gateway
