// All settings of Key Portal as plain values. Actors get the part they need, never an option's name.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/notice_settings.hpp"
#include "config/provider_settings.hpp"
#include "messages/ids.hpp"
#include "messages/secret.hpp"

namespace keyportal {

/// One CLIProxyAPI.
struct node_settings {
  node_name name;        ///< unique, 1 to 32 of [a-z0-9-]
  std::string url;       ///< http(s)://host[:port][/path], without credentials and without a slash at its end
  secret management_key; ///< given as such or read from `management_key_file`
  std::filesystem::path management_key_file;
  std::vector<std::string> groups; ///< names that keys and policies may say instead of each node's
};

/// A tool with a key, and so a place in the queue, of its own at the compatibility listener.
struct consumer_settings {
  std::string name; ///< unique, 1 to 32 of [a-z0-9-]
  secret key;       ///< given as such or read from `key_file`
  std::filesystem::path key_file;
  node_name node;   ///< it sees that one only; empty: all
  std::string from; ///< "end" or "beginning" of the ledger: where it begins; empty: "end"
};

/// What `load` made of file, environment and command line. Defaults stand in the table of options, not here.
struct settings {
  std::filesystem::path data_dir; ///< never empty after loading
  bool demo = false;              ///< shown on the page: these numbers are made up

  std::vector<node_settings> nodes; ///< in configured order; may be empty

  struct poll_settings {
    std::chrono::milliseconds interval{};
    std::chrono::milliseconds probe_interval{};
    std::chrono::milliseconds timeout{};
    std::uint64_t max_answer_bytes = 0;
    int slack_factor = 0; ///< the next poll comes at the earliest this many times the last one's duration later
  } poll;

  struct collect_settings {
    std::string mode; ///< "auto", "subscribe", "resp_pop", "http_pop", "off"
    std::chrono::milliseconds pop_interval{};
    std::chrono::milliseconds resp_pop_interval{};
    std::chrono::milliseconds audit_interval{};
    std::uint64_t window_bytes = 0;
    bool manage_cpa_settings = false;
  } collect;

  struct snapshot_settings {
    std::chrono::milliseconds interval{};
    int kept = 0;
    int daily_kept = 0;
  } snapshot;

  struct restore_settings {
    bool enabled = false;
    int piece_records = 0;
    int retries = 0;
    bool boot_marker = false;
  } restore;

  struct keys_settings {
    std::string prefix;
    int pool_low_water = 0;
    int pool_size = 0;
    std::vector<std::string> reminders;              ///< as written
    std::vector<std::chrono::milliseconds> reminded; ///< of them, longest first
    std::chrono::milliseconds longest_grace{};
    std::chrono::milliseconds reconcile_interval{};
  } keys;

  struct accounts_settings {
    std::string contribute;                          ///< "everybody" or "admins"
    std::chrono::milliseconds refresh_interval{};    ///< of the lists of accounts
    std::chrono::milliseconds quota_interval{};      ///< of the quota of each account; 0: never asked by itself
    std::vector<std::string> reminders;              ///< as written
    std::vector<std::chrono::milliseconds> reminded; ///< of them, longest first
  } accounts;

  struct gateway_settings {
    std::string listen;     ///< as written: address:port
    std::string address;    ///< of it: an IP address without brackets
    std::uint16_t port = 0; ///< of it; 0: any free one
    std::vector<std::string> hosts;
    std::vector<std::string> trusted_proxies;
    std::vector<std::string> inside;
    int threads = 0;
    struct tls_settings {
      std::filesystem::path certificate; ///< empty: plain HTTP
      std::filesystem::path key;
    } tls;
    int max_connections = 0; ///< WebSockets included
    int max_frames = 0;      ///< waiting for one WebSocket
    std::string base_path;   ///< before all paths; begins with '/', does not end with it; empty: none
    std::vector<std::string> frame_ancestors;
  } gateway;

  struct compat_settings {
    std::string listen;     ///< as written: address:port; empty: off
    std::string address;    ///< of it: an IP address without brackets
    std::uint16_t port = 0; ///< of it; 0: any free one
    secret management_key;
    std::filesystem::path management_key_file;
    std::vector<std::string> hosts;
    bool pass_through = false;
    std::vector<consumer_settings> consumers; ///< in configured order
  } compat;

  struct sign_in_settings {
    std::chrono::milliseconds idle{};
    std::chrono::milliseconds absolute{};
    bool password = false;            ///< whether people may have passwords of ours
    std::string registration;         ///< "closed", "open", "domain", "invitation", "approval"
    std::vector<std::string> domains; ///< lower case; "*.example.com": everything below
    std::string anonymous;            ///< "nothing", "inside" or "status": what is shown to those who did not sign in
    int hash_threads = 0;
    int requests_per_minute = 0;              ///< of a person or token; 0: no limit
    int anonymous_requests_per_minute = 0;    ///< of an address; 0: no limit
    std::vector<provider_settings> providers; ///< in configured order, which is that of their buttons; may be empty
  } sign_in;

  struct nats_settings {
    std::string url; ///< empty: a server of our own, as a child on loopback
    std::string user;
    secret password;
    std::filesystem::path password_file;
    secret token;
    std::filesystem::path token_file;
    std::filesystem::path credentials_file;
    std::string nkey; ///< public key that belongs to `nkey_seed_file`
    std::filesystem::path nkey_seed_file;
    std::filesystem::path tls_ca;
    std::filesystem::path tls_cert;
    std::filesystem::path tls_key;
    std::string server_binary;
    int port = 0; ///< of our own server; 0: any free one
    std::uint64_t max_store_bytes = 0;
    std::chrono::milliseconds duplicate_window{};
    std::chrono::milliseconds usage_max_age{};
    std::chrono::milliseconds events_max_age{};
  } nats;

  struct storage_settings {
    std::uint64_t block_cache_bytes = 0;
    std::uint64_t write_buffer_bytes = 0;
  } storage;

  struct retention_settings {
    std::chrono::milliseconds records{}; ///< 0: for ever
    std::uint64_t max_bytes = 0;         ///< 0: no limit
  } retention;

  struct backup_settings {
    std::filesystem::path folder; ///< empty: none are made
    std::filesystem::path key_file;
    std::filesystem::path passphrase_file;
    std::chrono::milliseconds interval{}; ///< 0: only when asked
    int keep = 0;
    int keep_daily = 0;
    int keep_weekly = 0;
  } backup;

  notice_settings notices;

  struct prices_settings {
    std::string currency; ///< in which costs are shown
    std::string rate;     ///< of it for one US dollar, as written
  } prices;

  struct cluster_settings {
    bool enabled = false;
    std::string name; ///< 1 to 32 of [a-z0-9-]
    secret key;       ///< what all processes of the cluster share; given as such or read from `key_file`
    std::filesystem::path key_file;
    std::vector<std::string> roles;         ///< "collect", "serve", "notify"
    int replicas = 0;                       ///< of the streams; 0: as many as the NATS servers allow, 3 at most
    std::string address;                    ///< how others call this process; empty: host name
    std::chrono::milliseconds lease{};      ///< so long after its last sign of life a process counts as gone
    std::chrono::milliseconds checkpoint{}; ///< how often one is given to those who join
    std::uint64_t stream_records = 0;       ///< messages that the stream keeps at least, behind the newest checkpoint
  } cluster;

  struct log_settings {
    std::string level;
    std::string format;
  } log;

  struct display_settings {
    std::string time_zone; ///< IANA name; empty: the system's
  } display;

  struct shutdown_settings {
    std::chrono::milliseconds grace{};
  } shutdown;
};

/// Something to say about one option (`key` as in the file, e.g. "gateway.listen" or "node.default.url").
struct finding {
  std::string key;
  std::string what; ///< a sentence; holds no secret
};

/// What no single option can tell: addresses, urls, names, options that need or exclude each other.
/// Fills in `gateway.address` and `gateway.port`, and brings node urls into their normal form.
void check(settings& values, std::vector<finding>& errors, std::vector<finding>& warnings);

/// Empty when `url` may be asked as a node, else why not. Cuts slashes off its end.
std::string check_node_url(std::string& url);
/// Splits "address:port" ("localhost" becomes 127.0.0.1); empty when it is fine, else why not.
std::string split_listen(std::string_view listen, std::string& address, std::uint16_t& port);
/// Takes the host out of "host", "host:port" or "[v6]:port" of a url; empty when that is fine, else why not.
std::string split_authority(std::string_view authority, std::string& host);
/// The part of `check` about `sign_in.providers`.
void check_providers(settings& values, std::vector<finding>& errors);
/// The part of `check` about `notices`.
void check_notices(settings& values, std::vector<finding>& errors, std::vector<finding>& warnings);
/// Whether only this machine reaches the address.
bool is_loopback(std::string_view address);
bool is_node_name(std::string_view name);

} // namespace keyportal
