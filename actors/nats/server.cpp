#include "actors/nats/server.hpp"

#include <vector>

#include <fmt/format.h>

namespace keyportal::nats {
namespace {

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    auto comma = text.find(',');
    auto part = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    auto first = part.find_first_not_of(' ');
    if (first != std::string_view::npos)
      parts.emplace_back(part.substr(first, part.find_last_not_of(' ') - first + 1));
  }
  return parts;
}

} // namespace

caf::error to_error(natsStatus status, std::string_view doing) {
  switch (status) {
    case NATS_OK: return {};
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
    case NATS_SSL_ERROR:
      return make_error(errc::nats_refused, fmt::format("{}: {}", doing, natsStatus_GetText(status)));
    default: return make_error(errc::nats_unavailable, fmt::format("{}: {}", doing, natsStatus_GetText(status)));
  }
}

std::string without_credentials(std::string_view url) {
  std::string shown;
  for (const auto& part : split_list(url)) {
    auto scheme = part.find("://");
    auto host = scheme == std::string::npos ? 0 : scheme + 3;
    auto at = part.rfind('@');
    if (!shown.empty())
      shown += ',';
    shown += part.substr(0, host);
    shown += at == std::string::npos || at < host ? part.substr(host) : part.substr(at + 1);
  }
  return shown;
}

caf::expected<client_options> make_options(const server_settings& settings) {
  client_options opts;
  if (auto status = natsOptions_Create(out(opts)); status != NATS_OK)
    return to_error(status, "the NATS client");
  auto servers = split_list(settings.url.reveal());
  if (servers.empty())
    return make_error(errc::config_invalid, "nats.url is empty");
  std::vector<const char*> pointers;
  for (const auto& server : servers)
    pointers.push_back(server.c_str());

  caf::error problem;
  auto set = [&problem](natsStatus status, const char* name) {
    if (status != NATS_OK && !problem)
      problem = make_error(errc::config_invalid, fmt::format("{}: {}", name, natsStatus_GetText(status)));
  };
  set(natsOptions_SetServers(opts.get(), pointers.data(), static_cast<int>(pointers.size())), "nats.url");
  set(natsOptions_SetName(opts.get(), settings.client_name.c_str()), "the client's name");
  if (!settings.user.empty())
    set(natsOptions_SetUserInfo(opts.get(), settings.user.c_str(), settings.password.reveal().c_str()), "nats.user");
  if (!settings.token.empty())
    set(natsOptions_SetToken(opts.get(), settings.token.reveal().c_str()), "nats.token");
  if (!settings.creds_file.empty())
    set(natsOptions_SetUserCredentialsFromFiles(opts.get(), settings.creds_file.c_str(), nullptr), "nats.creds_file");
  if (!settings.nkey_seed_file.empty())
    set(natsOptions_SetNKeyFromSeed(opts.get(), settings.nkey.c_str(), settings.nkey_seed_file.c_str()),
        "nats.nkey_seed_file");
  if (settings.tls || !settings.ca_file.empty() || !settings.cert_file.empty())
    set(natsOptions_SetSecure(opts.get(), true), "nats.tls");
  if (!settings.ca_file.empty())
    set(natsOptions_LoadCATrustedCertificates(opts.get(), settings.ca_file.c_str()), "nats.ca_file");
  if (!settings.cert_file.empty())
    set(natsOptions_LoadCertificatesChain(opts.get(), settings.cert_file.c_str(), settings.key_file.c_str()),
        "nats.cert_file or nats.key_file");
  set(natsOptions_SetTimeout(opts.get(), 3000), "the time limit");
  set(natsOptions_SetPingInterval(opts.get(), 5000), "the ping interval");
  set(natsOptions_SetMaxPingsOut(opts.get(), 2), "the ping limit");
  if (problem)
    return problem;
  return opts;
}

} // namespace keyportal::nats
