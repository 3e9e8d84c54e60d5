#include "actors/cli/answers.hpp"

#include <ostream>

#include <fmt/format.h>

#include "actors/cli/progress.hpp"
#include "actors/cli/table.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

using nlohmann::json;

const json& at(const json& from, std::initializer_list<const char*> path) {
  static const json nothing;
  const auto* here = &from;
  for (const char* key : path) {
    if (!here->is_object())
      return nothing;
    const auto found = here->find(key);
    if (found == here->end())
      return nothing;
    here = &*found;
  }
  return *here;
}

std::string text(const json& from, std::initializer_list<const char*> path) {
  const auto& value = at(from, path);
  return value.is_string() ? value.get<std::string>() : std::string{};
}

std::int64_t integer(const json& from, std::initializer_list<const char*> path) {
  const auto& value = at(from, path);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

std::string number(const json& from, std::initializer_list<const char*> path) { return grouped(integer(from, path)); }

const json& items_of(const json& list) {
  static const json none = json::array();
  const auto& items = at(list, {"items"});
  return items.is_array() ? items : none;
}

caf::expected<json> fetch(const service& portal, const std::string& path) {
  auto body = portal.get(path);
  if (!body)
    return body.error();
  auto parsed = json::parse(*body, nullptr, false);
  if (parsed.is_discarded())
    return make_error(errc::service_unreachable, fmt::format("{} answers, but not as Key Portal does", portal.url()));
  return parsed;
}

caf::expected<json> change(const context& here, const service& portal, const std::string& method,
                           const std::string& path, const std::string& doing, std::string body,
                           std::string idempotency_key) {
  progress bar(here.io.err, here.io.err_is_terminal, doing);
  http_call call;
  call.method = method;
  call.body = std::move(body);
  call.idempotency_key = std::move(idempotency_key);
  call.timeout = std::chrono::seconds{900};
  call.on_progress = [&bar](auto...) { bar.update(0, 0, std::chrono::steady_clock::now()); };
  auto answer = portal.call(std::move(call), path, true);
  return answer ? caf::expected<json>(json::parse(*answer, nullptr, false)) : caf::expected<json>(answer.error());
}

caf::expected<std::vector<node_name>> chosen_nodes(const context& here, const service& portal) {
  std::vector<node_name> nodes;
  if (!here.asked.node.empty()) {
    if (!is_node_name(here.asked.node))
      return make_error(errc::node_unknown, here.asked.node);
    nodes.push_back(here.asked.node);
    return nodes;
  }
  auto known = fetch(portal, "/api/v1/nodes");
  if (!known)
    return known.error();
  for (const auto& node : items_of(*known))
    nodes.push_back(text(node, {"node"}));
  return nodes;
}

void print(const context& here, const json& value) { here.io.out << dump(value) << "\n"; }

} // namespace keyportal::cli
