#include "actors/identity/discovery.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/identity/provider_answers.hpp"

namespace keyportal::identity {

http_call discovery_call(const provider_settings& of) {
  auto url = of.issuer;
  if (url.ends_with('/'))
    url.pop_back();
  return {url + "/.well-known/openid-configuration", {}, {}, {}};
}

caf::expected<discovery> read_discovery(const http_answer& answer, const provider_settings& of) {
  const auto document = object_of(answer, of, "discovery");
  if (!document)
    return document.error();
  if (answer.status != 200)
    return problem(errc::provider_answer_wrong, of, fmt::format("discovery: status {}", answer.status));
  if (text_at(*document, "issuer") != of.issuer)
    return problem(errc::provider_issuer_wrong, of, "discovery");

  discovery out;
  struct wanted {
    const char* name;
    const std::string& configured;
    std::string& to;
    bool needed;
  };
  const wanted all[] = {{"authorization_endpoint", of.authorize_url, out.authorize_url, true},
                        {"token_endpoint", of.token_url, out.token_url, true},
                        {"jwks_uri", of.keys_url, out.keys_url, true},
                        {"userinfo_endpoint", of.user_info_url, out.user_info_url, false}};
  bool issuer_here = false;
  check_provider_url(of.issuer, &issuer_here);
  for (const auto& [name, configured, to, needed] : all) {
    if (!configured.empty()) {
      to = configured;
      continue;
    }
    to = text_at(*document, name);
    if (to.empty() && !needed)
      continue;
    bool here = false;
    if (auto wrong = check_provider_url(to, &here); !wrong.empty() || (here && !issuer_here))
      return problem(errc::provider_answer_wrong, of,
                     fmt::format("discovery: {}: {}", name, wrong.empty() ? "it must not be on this machine" : wrong));
  }

  if (const auto found = document->find("authorization_response_iss_parameter_supported"); found != document->end())
    out.names_itself = *found == true;
  if (const auto ways = document->find("token_endpoint_auth_methods_supported");
      ways != document->end() && ways->is_array()) {
    const auto has = [&](const char* way) { return std::find(ways->begin(), ways->end(), way) != ways->end(); };
    if (!has("client_secret_basic") && !has("client_secret_post"))
      return problem(errc::provider_answer_wrong, of,
                     "discovery: it takes client secrets neither in a header nor in a form");
    out.secret_in_body = !has("client_secret_basic");
  }
  return out;
}

} // namespace keyportal::identity
