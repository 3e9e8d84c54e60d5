#include "config/settings.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include <arpa/inet.h>

#include <fmt/format.h>

#include "config/value.hpp"
#include "messages/networks.hpp"

namespace keyportal {

namespace {

bool only_of(std::string_view text, std::string_view extra) {
  return std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
           || extra.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_ip(const std::string& text) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 || inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

bool read_port(std::string_view text, int least, std::uint16_t& port) {
  int number = -1;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size() || number < least || number > 65535)
    return false;
  port = static_cast<std::uint16_t>(number);
  return true;
}

std::string check_nats_url(std::string_view url) {
  if (url.size() > 2048)
    return "it is too long";
  while (!url.empty()) { // several servers of one cluster are separated by commas
    const auto comma = url.find(',');
    auto one = url.substr(0, comma);
    url = comma == std::string_view::npos ? std::string_view{} : url.substr(comma + 1);
    if (one.starts_with("nats://") || one.starts_with("tls://"))
      one.remove_prefix(one.find("://") + 3);
    else
      return "it must begin with nats:// or tls://";
    if (one.find('@') != std::string_view::npos)
      return "credentials do not belong in it; set nats.user and nats.password_file, or nats.token_file";
    std::string host;
    if (auto wrong = split_authority(one, host); !wrong.empty())
      return wrong;
  }
  return {};
}

bool readable(const std::filesystem::path& file) {
  std::error_code none;
  return std::filesystem::is_regular_file(file, none);
}

bool is_usable_key(const std::string& key) {
  return key.size() <= 512
         && std::none_of(key.begin(), key.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

void check_nodes(settings& values, std::vector<finding>& errors, std::vector<finding>& warnings) {
  std::set<std::string> names, urls;
  int number = 0;
  for (auto& node : values.nodes) {
    ++number;
    const auto key = [&](std::string_view field) {
      return fmt::format("node.{}.{}", is_node_name(node.name) ? node.name : std::to_string(number), field);
    };
    if (node.name.empty())
      errors.push_back({key("name"), "every [[node]] needs a name"});
    else if (!is_node_name(node.name))
      errors.push_back({key("name"), "a name is 1 to 32 of a-z, 0-9 and -"});
    else if (!names.insert(node.name).second)
      errors.push_back({key("name"), "two nodes have this name"});
    for (const auto& group : node.groups) {
      if (!is_node_name(group) || group == "all")
        errors.push_back({key("groups"), "the name of a group is 1 to 32 of a-z, 0-9 and -, and not all"});
      else if (std::any_of(values.nodes.begin(), values.nodes.end(), [&](const auto& n) { return n.name == group; }))
        errors.push_back({key("groups"), "a node has the name of this group, so nobody could tell them apart"});
    }
    if (auto wrong = check_node_url(node.url); !wrong.empty())
      errors.push_back({key("url"), wrong});
    else if (!urls.insert(node.url).second)
      errors.push_back({key("url"), "two nodes have this url; one CLIProxyAPI would be counted twice"});
    else if (node.url.starts_with("http://")) {
      std::string host;
      const auto authority = std::string_view(node.url).substr(7);
      split_authority(authority.substr(0, authority.find('/')), host);
      if (!is_loopback(host))
        warnings.push_back({key("url"), "the management key goes to another host unencrypted; https or a private "
                                        "network keeps it safe"});
    }
    const auto& management_key = node.management_key.reveal();
    if (management_key.empty())
      errors.push_back({key("management_key"), "the node needs its management_key or a management_key_file"});
    else if (!is_usable_key(management_key))
      errors.push_back({key("management_key"), "it is too long or holds control characters"});
  }
  if (values.nodes.empty())
    warnings.push_back({"node", "no node is configured; set KEYPORTAL_CPA_URL and KEYPORTAL_CPA_KEY, or write [[node]] "
                                "into the configuration file"});
}

/// Empty, or a path that none of our own begins like.
bool is_base_path(std::string_view path) {
  if (path.empty())
    return true;
  if (path.size() > 256 || path.front() != '/' || path.back() == '/' || !only_of(path, "/._-")
      || path.find("//") != path.npos || path.find("/.") != path.npos)
    return false;
  const auto first = path.substr(1, path.find('/', 1) - 1);
  constexpr std::string_view ours[] = {"api",      "assets",  "ws",       "admin",    "sign-in", "healthz", "readyz",
                                       "metrics",  "login",   "register", "reset",    "setup",   "my-keys", "account",
                                       "accounts", "records", "overview", "analysis", "status",  "nodes"};
  return std::find(std::begin(ours), std::end(ours), first) == std::end(ours);
}

/// scheme://host or scheme://host:port
bool is_origin(std::string_view text) {
  const auto scheme = text.starts_with("https://") ? 8U : text.starts_with("http://") ? 7U : 0U;
  std::string host;
  return scheme > 0 && text.size() > scheme && text.size() < 256 && text.find('/', scheme) == text.npos
         && only_of(text.substr(scheme), ".-:[]") && split_authority(text.substr(scheme), host).empty();
}

/// Whether a server of the list is another machine that is spoken to in the clear.
bool is_open_to_listeners(std::string_view urls) {
  while (!urls.empty()) {
    const auto comma = std::min(urls.find(','), urls.size());
    const auto one = urls.substr(0, comma);
    urls.remove_prefix(std::min(comma + 1, urls.size()));
    std::string host;
    if (one.starts_with("nats://") && split_authority(one.substr(7), host).empty() && !is_loopback(host))
      return true;
  }
  return false;
}

void check_nats(const settings::nats_settings& nats, std::vector<finding>& errors, std::vector<finding>& warnings) {
  if (nats.url.empty()) {
    const std::pair<const char*, bool> outside_only[] = {
      {"nats.user", !nats.user.empty()},
      {"nats.password", !nats.password.empty()},
      {"nats.token", !nats.token.empty()},
      {"nats.credentials_file", !nats.credentials_file.empty()},
      {"nats.nkey_seed_file", !nats.nkey_seed_file.empty()},
      {"nats.tls_ca", !nats.tls_ca.empty()},
      {"nats.tls_cert", !nats.tls_cert.empty()},
      {"nats.tls_key", !nats.tls_key.empty()},
    };
    for (const auto& [key, set] : outside_only)
      if (set)
        errors.push_back({key, "it is for a server outside; set nats.url too, or remove it"});
  } else if (auto wrong = check_nats_url(nats.url); !wrong.empty()) {
    errors.push_back({"nats.url", wrong});
  } else if (is_open_to_listeners(nats.url)) {
    warnings.push_back({"nats.url",
                        "what is published goes to another host unencrypted; tls:// or a private network keeps it "
                        "from others"});
  }
  if (nats.user.empty() != nats.password.empty())
    errors.push_back({"nats.user", "nats.user and nats.password (or nats.password_file) go together"});
  if (nats.nkey.empty() != nats.nkey_seed_file.empty())
    errors.push_back({"nats.nkey", "nats.nkey and nats.nkey_seed_file go together"});
  if (nats.tls_cert.empty() != nats.tls_key.empty())
    errors.push_back({"nats.tls_cert", "nats.tls_cert and nats.tls_key go together"});
  if (int{!nats.user.empty()} + int{!nats.token.empty()} + int{!nats.credentials_file.empty()}
        + int{!nats.nkey_seed_file.empty()}
      > 1)
    errors.push_back({"nats.user", "several ways to sign in are set; keep one of user, token, credentials_file and "
                                   "nkey_seed_file"});
  const std::pair<const char*, const std::filesystem::path*> files[] = {
    {"nats.credentials_file", &nats.credentials_file},
    {"nats.nkey_seed_file", &nats.nkey_seed_file},
    {"nats.tls_ca", &nats.tls_ca},
    {"nats.tls_cert", &nats.tls_cert},
    {"nats.tls_key", &nats.tls_key},
  };
  for (const auto& [key, file] : files)
    if (!file->empty() && !readable(*file))
      errors.push_back({key, fmt::format("there is no file {}", file->string())});
  if (nats.server_binary.empty())
    errors.push_back({"nats.server_binary", "it needs a name or path"});
}

/// Times before something, as written; longest first.
void read_reminders(const std::vector<std::string>& written, std::vector<std::chrono::milliseconds>& out,
                    const char* option, std::vector<finding>& errors) {
  out.clear();
  for (const auto& text : written) {
    const auto before = parse_duration(text);
    if (!before || before->count() <= 0 || written.size() > 16) {
      errors.push_back({option, "each is a time such as 7d or 12h; 16 at most"});
      break;
    }
    out.push_back(*before);
  }
  std::sort(out.rbegin(), out.rend());
}

void check_keys(settings& values, std::vector<finding>& errors) {
  auto& keys = values.keys;
  if (keys.prefix.size() < 2 || keys.prefix.size() > 16 || !only_of(keys.prefix, "-"))
    errors.push_back({"keys.prefix", "it is 2 to 16 of A-Z, a-z, 0-9 and -"});
  if (keys.pool_size != 0 && keys.pool_size < keys.pool_low_water)
    errors.push_back({"keys.pool_size", "it is not below keys.pool_low_water"});
  read_reminders(keys.reminders, keys.reminded, "keys.reminders", errors);
  read_reminders(values.accounts.reminders, values.accounts.reminded, "accounts.reminders", errors);
}

void check_compat(settings& values, std::vector<finding>& errors, std::vector<finding>& warnings) {
  auto& compat = values.compat;
  if (compat.listen.empty())
    return;
  if (auto wrong = split_listen(compat.listen, compat.address, compat.port); !wrong.empty())
    errors.push_back({"compat.listen", wrong});
  else if (!is_loopback(compat.address))
    warnings.push_back({"compat.listen", "keys and usage, client keys with it, go over the network unencrypted"});
  for (const auto& host : compat.hosts)
    if (host.empty() || host.size() > 253 || !only_of(host, ".-:[]"))
      errors.push_back({"compat.hosts", "each is the name of a host, with or without :port"});

  std::set<std::string> names{"default"}, keys; // "default" is whoever has the management key
  const auto take_key = [&](const std::string& option, const secret& key) {
    if (!is_usable_key(key.reveal()))
      errors.push_back({option, "it is too long or holds control characters"});
    else if (!keys.insert(key.reveal()).second)
      errors.push_back({option, "two consumers have this key, so nobody could tell them apart"});
    else if (std::any_of(values.nodes.begin(), values.nodes.end(),
                         [&](const auto& node) { return node.management_key == key; }))
      errors.push_back({option, "it is the management key of a node; tools get one of their own"});
  };
  if (!compat.management_key.empty())
    take_key("compat.management_key", compat.management_key);
  else if (compat.consumers.empty())
    errors.push_back({"compat.management_key", "the listener needs it, or its file, or a [[compat.consumer]]"});
  int number = 0;
  for (auto& consumer : compat.consumers) {
    ++number;
    const auto key = [&](std::string_view field) {
      return fmt::format("compat.consumer.{}.{}", is_node_name(consumer.name) ? consumer.name : std::to_string(number),
                         field);
    };
    if (!is_node_name(consumer.name))
      errors.push_back({key("name"), "every consumer needs a name: 1 to 32 of a-z, 0-9 and -"});
    else if (!names.insert(consumer.name).second)
      errors.push_back({key("name"), "two consumers have this name, or it is default"});
    if (consumer.key.empty())
      errors.push_back({key("key"), "the consumer needs its key or a key_file"});
    else
      take_key(key("key"), consumer.key);
    if (!consumer.node.empty() && std::none_of(values.nodes.begin(), values.nodes.end(), [&](const auto& node) {
          return node.name == consumer.node;
        }))
      errors.push_back({key("node"), "no node has this name"});
  }
}

void check_store(const settings& values, std::vector<finding>& errors, std::vector<finding>& warnings) {
  const auto records = values.retention.records;
  if (records.count() > 0 && records < std::chrono::hours{24 * 32})
    errors.push_back({"retention.records", "32d at the least, for budgets of a month; 0s keeps them for ever"});
  const auto& backup = values.backup;
  if (backup.folder.empty()) {
    if (!backup.key_file.empty() || !backup.passphrase_file.empty())
      warnings.push_back({"backup.folder", "it is not set, so no backups are made"});
    return;
  }
  if (!backup.folder.is_absolute())
    errors.push_back({"backup.folder", "write it from / on"});
  const auto inside = backup.folder.lexically_normal().lexically_relative(values.data_dir.lexically_normal());
  if (!inside.empty() && *inside.begin() != "..")
    errors.push_back({"backup.folder", "it lies in data_dir; what is lost with the data would be no backup"});
  if (backup.key_file.empty() == backup.passphrase_file.empty())
    errors.push_back({"backup.key_file", "set it or backup.passphrase_file, and only one of them"});
}

} // namespace

std::string split_authority(std::string_view authority, std::string& host) {
  std::string_view port_text;
  bool has_port = false;
  if (!authority.empty() && authority.front() == '[') {
    const auto close = authority.find(']');
    if (close == std::string_view::npos || !is_ip(std::string(authority.substr(1, close - 1))))
      return "the address in brackets is no IPv6 address";
    host = authority.substr(1, close - 1);
    const auto rest = authority.substr(close + 1);
    has_port = !rest.empty();
    if (has_port && rest.front() != ':')
      return "after the closing bracket only a port may follow";
    port_text = has_port ? rest.substr(1) : rest;
  } else {
    const auto colon = authority.find(':');
    has_port = colon != std::string_view::npos;
    host = authority.substr(0, colon);
    port_text = has_port ? authority.substr(colon + 1) : std::string_view{};
    if (host.empty() || host.size() > 253 || !only_of(host, ".-_") || host.front() == '-' || host.front() == '.')
      return "it needs the name or address of a host";
  }
  std::uint16_t port = 0;
  if (has_port && !read_port(port_text, 1, port))
    return "the port must be a number from 1 to 65535";
  return {};
}

bool is_node_name(std::string_view name) {
  return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_loopback(std::string_view address) {
  if (address == "localhost" || address == "::1")
    return true;
  in_addr v4{};
  return inet_pton(AF_INET, std::string(address).c_str(), &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

std::string split_listen(std::string_view listen, std::string& address, std::uint16_t& port) {
  const auto colon = listen.rfind(':');
  if (colon == std::string_view::npos)
    return "write address:port, for example 127.0.0.1:8390";
  auto host = std::string(listen.substr(0, colon));
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed)
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string::npos)
    return "an IPv6 address stands in brackets, for example [::1]:8390";
  if (host == "localhost")
    host = "127.0.0.1";
  if (!is_ip(host))
    return "the address must be an IP address of this machine, for example 127.0.0.1 or 0.0.0.0";
  if (!read_port(listen.substr(colon + 1), 0, port))
    return "the port must be a number from 0 (any free one) to 65535";
  address = host;
  return {};
}

std::string check_node_url(std::string& url) {
  if (url.empty())
    return "every node needs the url of its CLIProxyAPI";
  if (url.size() > 1024)
    return "it is too long";
  std::string_view rest = url;
  if (rest.starts_with("http://"))
    rest.remove_prefix(7);
  else if (rest.starts_with("https://"))
    rest.remove_prefix(8);
  else
    return "it must begin with http:// or https://";
  if (rest.find('@') != std::string_view::npos)
    return "credentials do not belong in a url; use management_key or management_key_file";
  const auto slash = rest.find('/');
  const auto path = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash);
  std::string host;
  if (auto wrong = split_authority(rest.substr(0, slash), host); !wrong.empty())
    return wrong;
  if (!only_of(path, "/._~-"))
    return "its path may hold letters, digits and / . _ ~ - only; no query, no fragment";
  if (path.find("//") != std::string_view::npos || fmt::format("{}/", path).find("/../") != std::string::npos
      || fmt::format("{}/", path).find("/./") != std::string::npos)
    return "its path may hold neither // nor . or .. as a part";
  while (url.back() == '/')
    url.pop_back();
  if (url.ends_with("/v0/management"))
    return "leave /v0/management away; only what comes before it belongs here";
  return {};
}

void check_cluster(const settings& values, std::vector<finding>& errors) {
  const auto& c = values.cluster;
  if (c.name.empty() || c.name.size() > 32
      || c.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
    errors.push_back({"cluster.name", "it is 1 to 32 of a-z, 0-9 and -"});
  for (const auto& role : c.roles)
    if (role != "collect" && role != "serve" && role != "notify")
      errors.push_back({"cluster.roles", "each is collect, serve or notify"});
  if (!c.enabled)
    return;
  if (c.key.reveal().size() < 16)
    errors.push_back(
      {"cluster.key", "all processes of a cluster share a key of at least 16 characters: set it, or cluster.key_file"});
  if (values.nats.url.empty())
    errors.push_back({"nats.url", "processes of a cluster meet at NATS servers of their own: set nats.url"});
}

void check(settings& values, std::vector<finding>& errors, std::vector<finding>& warnings) {
  check_nodes(values, errors, warnings);
  check_cluster(values, errors);
  check_nats(values.nats, errors, warnings);

  auto& gateway = values.gateway;
  if (auto wrong = split_listen(gateway.listen, gateway.address, gateway.port); !wrong.empty())
    errors.push_back({"gateway.listen", wrong});
  else if (!is_loopback(gateway.address) && gateway.tls.certificate.empty() && gateway.trusted_proxies.empty())
    warnings.push_back({"gateway.listen", "this address is reached without TLS: set gateway.tls.certificate, or put a "
                                          "proxy with TLS before it and name it in "
                                          "gateway.trusted_proxies"});
  if (gateway.tls.certificate.empty() != gateway.tls.key.empty())
    errors.push_back({"gateway.tls.certificate", "gateway.tls.certificate and gateway.tls.key go together"});
  for (const auto& [key, file] :
       {std::pair{"gateway.tls.certificate", &gateway.tls.certificate}, std::pair{"gateway.tls.key", &gateway.tls.key}})
    if (!file->empty() && !readable(*file))
      errors.push_back({key, fmt::format("there is no file {}", file->string())});
  if (!is_base_path(gateway.base_path))
    errors.push_back({"gateway.base_path",
                      "it is a path as in /keys: of letters, digits, '-', '_', '.' and '/', with a '/' "
                      "before it and none behind, and none of the portal's own (/api, /assets, /ws)"});
  for (const auto& origin : gateway.frame_ancestors)
    if (!is_origin(origin))
      errors.push_back(
        {"gateway.frame_ancestors", "each is an origin as in https://intranet.example.com, without a path"});
  for (const auto& host : gateway.hosts)
    if (host.empty() || host.size() > 253 || !only_of(host, ".-:[]"))
      errors.push_back({"gateway.hosts", "each is the name of a host, with or without :port"});
  for (const auto& [key, all] :
       {std::pair{"gateway.trusted_proxies", &gateway.trusted_proxies}, std::pair{"gateway.inside", &gateway.inside}})
    if (!std::all_of(all->begin(), all->end(), [](const auto& one) { return network::read(one).has_value(); }))
      errors.push_back(
        {key, "each is a numeric address, or a network such as 10.0.0.0/8 with no bits behind its prefix"});

  const auto& prices = values.prices;
  if (prices.currency.size() != 3
      || !std::all_of(prices.currency.begin(), prices.currency.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
    errors.push_back({"prices.currency", "three capital letters, for example EUR"});
  const auto point = prices.rate.find('.');
  const auto whole = std::min(point, prices.rate.size());
  if (prices.rate.find_first_not_of("0123456789.") != std::string::npos || point != prices.rate.rfind('.') || whole == 0
      || whole > 6 || (point != std::string::npos && prices.rate.size() - point > 10)
      || prices.rate.find_first_not_of("0.") == std::string::npos)
    errors.push_back({"prices.rate", "a number above 0 and below a million, for example 0.92, with nine digits behind "
                                     "the point at most"});

  check_keys(values, errors);
  check_store(values, errors, warnings);
  check_compat(values, errors, warnings);
  check_providers(values, errors);
  check_notices(values, errors, warnings);

  const auto& zone = values.display.time_zone;
  if (!zone.empty()
      && (zone.size() > 64 || !only_of(zone, "/_+-") || zone.front() == '/'
          || (zone != "UTC" && !readable(std::filesystem::path("/usr/share/zoneinfo") / zone))))
    errors.push_back({"display.time_zone", "no such time zone on this machine; write for example Asia/Shanghai (the "
                                           "zones come with the package tzdata)"});
  if (values.poll.probe_interval > values.poll.interval)
    warnings.push_back(
      {"poll.probe_interval", "it is longer than poll.interval, so a restart is noticed by polls only"});
}

} // namespace keyportal
