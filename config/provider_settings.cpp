#include "config/provider_settings.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "config/settings.hpp"

namespace keyportal {

namespace {

bool is_domain(std::string_view text) {
  return text.size() >= 3 && text.size() <= 253 && text.find('.') != std::string_view::npos && text.front() != '.'
         && text.back() != '.' && text.find("..") == std::string_view::npos
         && std::all_of(text.begin(), text.end(), [](char c) {
              return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
            });
}

/// A word of RFC 6749: printable, without blanks, quotes and backslashes.
bool is_scope(std::string_view text) {
  return !text.empty() && text.size() <= 128
         && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

using findings = std::vector<finding>;

/// Checks one provider; `key` makes the key of a field.
template <typename Key>
void check_provider(const provider_settings& one, const Key& key, findings& errors) {
  const bool oidc = one.kind == "oidc";
  if (one.kind.empty())
    errors.push_back({key("kind"), "every [[sign_in.provider]] needs its kind: oidc, feishu or lark"});
  if (one.client_id.empty() || one.client_id.size() > 512)
    errors.push_back({key("client_id"), "the provider needs the client_id that Key Portal has there"});
  if (one.client_secret.empty())
    errors.push_back({key("client_secret"), "the provider needs the client_secret or a client_secret_file"});
  if (oidc && one.issuer.empty())
    errors.push_back({key("issuer"), "an oidc provider needs its issuer"});
  if (oidc && !one.issuer.empty()) {
    if (auto wrong = check_provider_url(one.issuer); !wrong.empty())
      errors.push_back({key("issuer"), std::move(wrong)});
    else if (one.issuer.find('?') != std::string::npos)
      errors.push_back({key("issuer"), "an issuer has no query"});
  }
  const std::pair<const char*, const std::string*> urls[] = {{"authorize_url", &one.authorize_url},
                                                             {"token_url", &one.token_url},
                                                             {"keys_url", &one.keys_url},
                                                             {"user_info_url", &one.user_info_url}};
  for (const auto& [name, url] : urls)
    if (!url->empty())
      if (auto wrong = check_provider_url(*url); !wrong.empty())
        errors.push_back({key(name), std::move(wrong)});
  if (one.scopes.size() > 32 || !std::all_of(one.scopes.begin(), one.scopes.end(), is_scope))
    errors.push_back({key("scopes"), "a scope is one word; 32 at most"});
  else if (oidc && !one.scopes.empty() && std::find(one.scopes.begin(), one.scopes.end(), "openid") == one.scopes.end())
    errors.push_back({key("scopes"), "openid must be among them"});
  if (!std::all_of(one.domains.begin(), one.domains.end(), is_domain))
    errors.push_back({key("domains"), "each is a domain in lower case, such as example.com"});
  const auto not_of_this_kind = [&](const char* name, bool set, std::string_view kinds) {
    if (set)
      errors.push_back({key(name), fmt::format("it is for providers of kind {} only", kinds)});
  };
  if (oidc) {
    not_of_this_kind("tenants", !one.tenants.empty(), "feishu and lark");
    not_of_this_kind("token_encoding", !one.token_encoding.empty() && one.token_encoding != "auto", "feishu and lark");
  } else if (!one.kind.empty()) {
    not_of_this_kind("issuer", !one.issuer.empty(), "oidc");
    not_of_this_kind("keys_url", !one.keys_url.empty(), "oidc");
    not_of_this_kind("domains", !one.domains.empty(), "oidc"); // an address that Feishu tells of is not verified
    if (one.tenants.empty() || std::any_of(one.tenants.begin(), one.tenants.end(), [](const auto& t) {
          return t.empty() || t.size() > 128;
        }))
      errors.push_back({key("tenants"),
                        "it needs the tenant keys of the organisations whose people may sign in; anybody "
                        "with an account there could otherwise"});
  }
}

} // namespace

std::string check_provider_url(std::string_view url, bool* on_this_machine) {
  if (url.size() > 2048 || !std::all_of(url.begin(), url.end(), [](char c) {
        return c > 0x20 && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '\\';
      }))
    return "an address is at most 2048 printable characters, without blanks";
  const bool plain = url.starts_with("http://");
  if (!plain && !url.starts_with("https://"))
    return "it must begin with https://";
  auto rest = url.substr(plain ? 7 : 8);
  if (rest.find('#') != std::string_view::npos)
    return "it must have no fragment (#…)";
  const auto authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.find('@') != std::string_view::npos)
    return "credentials do not belong in it";
  std::string host;
  if (auto wrong = split_authority(authority, host); !wrong.empty())
    return wrong;
  const bool loopback = is_loopback(host);
  if (on_this_machine)
    *on_this_machine = loopback;
  if (plain && !loopback)
    return "it must begin with https://; http is only for this machine";
  return {};
}

void check_providers(settings& values, std::vector<finding>& errors) {
  for (auto& domain : values.sign_in.domains) {
    std::transform(domain.begin(), domain.end(), domain.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (!is_domain(domain.starts_with("*.") ? std::string_view{domain}.substr(2) : domain))
      errors.push_back({"sign_in.domains", "domains look like example.com or *.example.com"});
  }
  if (values.sign_in.registration == "domain" && values.sign_in.domains.empty())
    errors.push_back({"sign_in.domains", "sign_in.registration is domain, so it must say which"});
  if (values.sign_in.absolute < values.sign_in.idle)
    errors.push_back({"sign_in.absolute", "it may not be shorter than sign_in.idle"});
  std::set<std::string> names;
  int number = 0;
  if (values.sign_in.providers.size() > 32)
    errors.push_back({"sign_in.provider", "32 at most"});
  for (auto& one : values.sign_in.providers) {
    ++number;
    const auto key = [&](std::string_view field) {
      return fmt::format("sign_in.provider.{}.{}", is_node_name(one.name) ? one.name : std::to_string(number), field);
    };
    if (!is_node_name(one.name))
      errors.push_back({key("name"), "every provider needs a name: 1 to 32 of a-z, 0-9 and -"});
    else if (!names.insert(one.name).second)
      errors.push_back({key("name"), "two providers have this name"});
    if (one.title.size() > 64)
      errors.push_back({key("title"), "64 characters at most"});
    check_provider(one, key, errors);
  }
}

} // namespace keyportal
