#include "actors/cli/usage_question.hpp"

#include <fmt/format.h>

#include "actors/cli/registry_calls.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

using nlohmann::json;

caf::expected<json> usage_filters(const service& portal, const std::vector<std::string>& where) {
  auto out = json::object();
  for (const auto& one : where) {
    const auto equals = one.find('=');
    if (equals == std::string::npos || equals == 0)
      return make_error(errc::bad_request, "--where takes NAME=TEXT, for example --where model=gpt-5");
    const auto name = one.substr(0, equals);
    auto value = one.substr(equals + 1);
    if (name == "user" && value.find('@') != std::string::npos) {
      const auto person = look(portal, path_of_person(value));
      if (!person)
        return person.error();
      value = text(*person, {"id"});
    }
    auto& texts = out[name];
    if (texts.is_null())
      texts = json::array();
    texts.push_back(std::move(value));
  }
  return out;
}

caf::expected<json> ask(const service& portal, const std::string& path, const json& question) {
  http_call call;
  call.method = "POST";
  call.body = dump(question);
  auto body = portal.call(std::move(call), path, true);
  if (!body)
    return body.error();
  auto parsed = json::parse(*body, nullptr, false);
  if (parsed.is_discarded())
    return make_error(errc::service_unreachable, fmt::format("{} answers, but not as Key Portal does", portal.url()));
  return parsed;
}

void put_if(json& to, const char* name, const std::string& value) {
  if (!value.empty())
    to[name] = value;
}

} // namespace keyportal::cli
