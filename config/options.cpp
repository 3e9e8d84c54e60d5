#include "config/options.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include <fmt/format.h>

namespace keyportal {

namespace {

// clang-format off
#define HERE(member) [](auto& owner) -> value_place { return &owner.member; }

constexpr option table[] = {
  {"data_dir", HERE(data_dir), "", {},
   "Folder of everything that is kept. Default: $STATE_DIRECTORY (systemd sets it), else /var/lib/keyportal for "
   "root, else $XDG_DATA_HOME/keyportal or ~/.local/share/keyportal."},
  {"demo", HERE(demo), "false", {},
   "Says on the page that the numbers are made up. Set by the demo."},

  {"poll.interval", HERE(poll.interval), "3s", {"100ms", "1h", {}},
   "How often a node's usage is fetched."},
  {"poll.probe_interval", HERE(poll.probe_interval), "500ms", {"50ms", "1min", {}},
   "How often a node is asked whether it is alive, between polls. Costs the node next to nothing."},
  {"poll.timeout", HERE(poll.timeout), "30s", {"1s", "10min", {}},
   "How long an answer may take."},
  {"poll.max_answer_bytes", HERE(poll.max_answer_bytes), "256MiB", {"1MiB", "4GiB", {}},
   "Larger answers are refused."},
  {"poll.slack_factor", HERE(poll.slack_factor), "10", {"0", "1000", {}},
   "After a poll that took t, the next comes this many times t later at the earliest, so that a node with much "
   "usage is not kept busy."},

  {"collect.mode", HERE(collect.mode), "auto", {{}, {}, "auto|subscribe|resp_pop|http_pop|off"},
   "How records are taken out of a node's usage queue. auto takes the best way the node offers."},
  {"collect.pop_interval", HERE(collect.pop_interval), "1s", {"100ms", "1min", {}},
   "How often the queue is popped over HTTP. Records wait at the node meanwhile, for a minute or what it is set to."},
  {"collect.resp_pop_interval", HERE(collect.resp_pop_interval), "200ms", {"10ms", "1min", {}},
   "How often the queue is popped over RESP, where the node does not push. Costs the node next to nothing."},
  {"collect.audit_interval", HERE(collect.audit_interval), "10s", {"1s", "1h", {}},
   "How often the counters of a node without /usage are compared with the ledger. Costs the node two management calls."},
  {"collect.window_bytes", HERE(collect.window_bytes), "64MiB", {"1MiB", "4GiB", {}},
   "What may be received from a node and not yet be on disk; then no more is read from it."},
  {"collect.manage_cpa_settings", HERE(collect.manage_cpa_settings), "false", {},
   "Whether a node that records no usage, or forgets it within an hour, is set right; else it is only said."},

  {"snapshot.interval", HERE(snapshot.interval), "5min", {"10s", "24h", {}},
   "How often a snapshot of each node's usage is kept."},
  {"snapshot.kept", HERE(snapshot.kept), "12", {"1", "1000", {}},
   "How many of the newest snapshots of a node are kept."},
  {"snapshot.daily_kept", HERE(snapshot.daily_kept), "7", {"0", "3650", {}},
   "Of how many days the last snapshot is kept besides."},

  {"restore.enabled", HERE(restore.enabled), "true", {},
   "Whether usage is put back into a node that restarted. When false, restarts are only noticed and told."},
  {"restore.piece_records", HERE(restore.piece_records), "20000", {"1", "1000000", {}},
   "Records in one import at most."},
  {"restore.retries", HERE(restore.retries), "3", {"0", "100", {}},
   "How often a restore that did not come out whole is tried again."},
  {"restore.boot_marker", HERE(restore.boot_marker), "false", {},
   "Leaves an empty entry in the node's statistics by which a restart is seen at once. It shows in the pages of "
   "CLIProxyAPI."},

  {"keys.prefix", HERE(keys.prefix), "sk-kp", {},
   "What keys that are made begin with: 2 to 16 of A-Z, a-z, 0-9 and -. Scanners for leaked keys can look for it."},
  {"keys.pool_low_water", HERE(keys.pool_low_water), "10", {"0", "100000", {}},
   "When fewer keys than this are in the pool, it is filled."},
  {"keys.pool_size", HERE(keys.pool_size), "50", {"0", "100000", {}},
   "How many keys are in the pool when it was filled; 0: it is only filled by hand or by import."},
  {"keys.reminders", HERE(keys.reminders), "7d,3d,1d", {},
   "How long before a key expires this is told, longest first."},
  {"keys.longest_grace", HERE(keys.longest_grace), "1d", {"0s", "30d", {}},
   "How long after a rotation the old key may work besides the new one at most."},
  {"keys.reconcile_interval", HERE(keys.reconcile_interval), "1min", {"1s", "1d", {}},
   "How often a node's keys are compared with what they should be."},

  {"accounts.contribute", HERE(accounts.contribute), "everybody", {{}, {}, "everybody|admins"},
   "Who may contribute accounts with providers to the nodes: everybody who signed in, or admins only."},
  {"accounts.refresh_interval", HERE(accounts.refresh_interval), "1min", {"1s", "1h", {}},
   "How often each node is asked how its accounts are. Costs the node a management call."},
  {"accounts.quota_interval", HERE(accounts.quota_interval), "5min", {"0s", "1d", {}},
   "How often the provider is asked for the quota of each account, through its node; never more than once a second and "
   "account. 0s: only when somebody asks."},
  {"accounts.reminders", HERE(accounts.reminders), "3d,1d,2h", {},
   "How long before an account's token ends that is not renewed any more this is told, longest first."},

  {"gateway.listen", HERE(gateway.listen), "127.0.0.1:8390", {},
   "Where the page, the API and the WebSocket are served; port 0 takes any free one. Beyond loopback give it a "
   "certificate (gateway.tls.certificate) or put a proxy with TLS before it: browsers keep no sign-in that came over plain "
   "HTTP from elsewhere."},
  {"gateway.hosts", HERE(gateway.hosts), "", {},
   "Further names (host or host:port) by which browsers may reach the page, for example behind a reverse proxy."},
  {"gateway.base_path", HERE(gateway.base_path), "", {},
   "The path below which a proxy shows the page, for example /keys: pages, their links and cookies' ways back begin with it. "
   "Requests are taken with it and without it, so the proxy may cut it off or leave it."},
  {"gateway.frame_ancestors", HERE(gateway.frame_ancestors), "", {},
   "Origins (https://intranet.example.com) whose pages may show this one in a frame. Browsers send the sign-in there only "
   "from pages of the same site. Empty: none may."},
  {"gateway.trusted_proxies", HERE(gateway.trusted_proxies), "", {},
   "Addresses or networks (10.0.0.0/8) of proxies before the page whose X-Forwarded-For and X-Forwarded-Proto, or "
   "Forwarded, are believed. A proxy on this machine is one only when it is listed."},
  {"gateway.inside", HERE(gateway.inside), "127.0.0.0/8,::1", {},
   "Addresses or networks from which /metrics and the documentation of the API are read without signing in. What was "
   "forwarded by a proxy that is not trusted is never from there."},
  {"gateway.threads", HERE(gateway.threads), "1", {"1", "64", {}},
   "Threads that serve connections."},
  {"gateway.tls.certificate", HERE(gateway.tls.certificate), "", {},
   "PEM file with the certificate for gateway.listen and those that lead to its root. Then TLS 1.2 and newer is spoken there, "
   "and nothing else. The files are looked at every few seconds; what changed counts for new connections."},
  {"gateway.tls.key", HERE(gateway.tls.key), "", {},
   "PEM file with its private key, readable by nobody else (mode 0600)."},
  {"gateway.max_connections", HERE(gateway.max_connections), "1024", {"16", "100000", {}},
   "Connections at once, WebSockets and event streams included; one more is told 503. The process must be allowed so "
   "many open files and 512 more: it raises its own limit as far as it may, and does not start where that is not enough."},
  {"gateway.max_frames", HERE(gateway.max_frames), "256", {"128", "65536", {}},
   "Frames that may wait for one WebSocket. A client that reads so slowly that it would be more is cut, and asks again "
   "from where it was."},

  {"compat.listen", HERE(compat.listen), "", {},
   "Where tools that were made for CLIProxyAPI find its usage: /usage, /usage/export, /usage/import, /usage-queue and "
   "RESP, served from the ledger, for example 127.0.0.1:8391. Empty: off."},
  {"compat.management_key", HERE(compat.management_key), "", {},
   "What such a tool is given as CLIProxyAPI's management key: one of its own, never that of a node; better kept in "
   "compat.management_key_file."},
  {"compat.management_key_file", HERE(compat.management_key_file), "", {},
   "File with that key."},
  {"compat.hosts", HERE(compat.hosts), "", {},
   "Further names (host or host:port) by which tools reach the listener."},
  {"compat.pass_through", HERE(compat.pass_through), "false", {},
   "Whether all other management calls are handed to the node, with the node's own key. Whoever has a key of the "
   "listener can then do to the node whatever its management key can."},

  {"sign_in.idle", HERE(sign_in.idle), "30min", {"1min", "30d", {}},
   "How long a session lasts after its last request."},
  {"sign_in.absolute", HERE(sign_in.absolute), "8h", {"5min", "365d", {}},
   "How long a session lasts at most; then one signs in anew."},
  {"sign_in.password", HERE(sign_in.password), "true", {},
   "Whether people sign in with a password that is kept here. When false, only admins do, and everybody else at the "
   "places in [[sign_in.provider]]."},
  {"sign_in.registration", HERE(sign_in.registration), "closed", {{}, {}, "closed|open|domain|invitation|approval"},
   "Who may make an account by himself: nobody, anybody, people with an address of sign_in.domains, people with an "
   "invitation, or anybody whom an admin then approves. Admins can always make accounts for others."},
  {"sign_in.domains", HERE(sign_in.domains), "", {},
   "E-mail domains, for example example.com or *.example.com. Of the mode domain; in other modes, when there are any, "
   "only their people may register unless they are invited."},
  {"sign_in.anonymous", HERE(sign_in.anonymous), "inside", {{}, {}, "nothing|inside|status"},
   "What people see who did not sign in: nothing, or the state of the nodes and their totals; inside: these, but only "
   "from the networks of gateway.inside and without a proxy."},
  {"sign_in.hash_threads", HERE(sign_in.hash_threads), "1", {"1", "64", {}},
   "Threads that check passwords. Each takes 19 MiB while it works."},
  {"sign_in.requests_per_minute", HERE(sign_in.requests_per_minute), "6000", {"0", "100000000", {}},
   "Requests that one person or token may make in a minute; 0: no limit."},
  {"sign_in.anonymous_requests_per_minute", HERE(sign_in.anonymous_requests_per_minute), "600", {"0", "100000000", {}},
   "Requests that one address may make in a minute without having signed in; 0: no limit."},

  {"nats.url", HERE(nats.url), "", {},
   "The NATS server with JetStream to publish to, for example tls://nats.example.com:4222; several of one cluster "
   "with commas. Empty: a server of our own is started on loopback."},
  {"nats.user", HERE(nats.user), "", {},
   "User name at that server."},
  {"nats.password", HERE(nats.password), "", {},
   "Its password; better kept in nats.password_file."},
  {"nats.password_file", HERE(nats.password_file), "", {},
   "File with the password."},
  {"nats.token", HERE(nats.token), "", {},
   "Token instead of user and password; better kept in nats.token_file."},
  {"nats.token_file", HERE(nats.token_file), "", {},
   "File with the token."},
  {"nats.credentials_file", HERE(nats.credentials_file), "", {},
   "Credentials file (JWT and seed) instead."},
  {"nats.nkey", HERE(nats.nkey), "", {},
   "Public nkey instead, with nats.nkey_seed_file."},
  {"nats.nkey_seed_file", HERE(nats.nkey_seed_file), "", {},
   "File with the seed of nats.nkey."},
  {"nats.tls_ca", HERE(nats.tls_ca), "", {},
   "Certificate authorities (PEM) that vouch for the server. Empty: those of the system."},
  {"nats.tls_cert", HERE(nats.tls_cert), "", {},
   "Our certificate (PEM), where the server asks for one."},
  {"nats.tls_key", HERE(nats.tls_key), "", {},
   "Key of our certificate (PEM)."},
  {"nats.server_binary", HERE(nats.server_binary), "nats-server", {},
   "Program that is started when nats.url is empty."},
  {"nats.port", HERE(nats.port), "0", {"0", "65535", {}},
   "Loopback port of our own server; 0 takes any free one and keeps it from then on."},
  {"nats.max_store_bytes", HERE(nats.max_store_bytes), "2GiB", {"64MiB", "1024GiB", {}},
   "Disk that our own server's streams may take; the oldest events go first."},
  {"nats.duplicate_window", HERE(nats.duplicate_window), "2min", {"1s", "24h", {}},
   "How long the streams recognise an event that is sent twice."},
  {"nats.usage_max_age", HERE(nats.usage_max_age), "30d", {"1h", "3650d", {}},
   "How long usage stays in its stream. The ledger keeps everything in any case."},
  {"nats.events_max_age", HERE(nats.events_max_age), "365d", {"1h", "3650d", {}},
   "How long all other events stay in their stream."},

  {"storage.block_cache_bytes", HERE(storage.block_cache_bytes), "8MiB", {"1MiB", "64GiB", {}},
   "Memory for reading the ledger."},
  {"storage.write_buffer_bytes", HERE(storage.write_buffer_bytes), "8MiB", {"1MiB", "4GiB", {}},
   "Memory for writing the ledger."},

  {"retention.records", HERE(retention.records), "90d", {"0s", "36500d", {}},
   "How long single records are kept, 32d at the least; 0s: for ever. What is added up of them, by hour and day, is kept "
   "for ever; so are people, keys and the audit log. A node that restarts gets back what is kept."},
  {"retention.max_bytes", HERE(retention.max_bytes), "0", {"0", "1024TiB", {}},
   "How large the data folder may grow; 0: no limit. At 80 % an alarm is told, at 95 % the oldest days of single records "
   "go earlier, until it is below 90 %; never what waits for NATS or for a consumer, and never the last two days."},

  {"backup.folder", HERE(backup.folder), "", {},
   "Where backups are kept: a folder outside of data_dir, best on another disk. Empty: none are made."},
  {"backup.key_file", HERE(backup.key_file), "", {},
   "File with the key of the backups: 32 bytes, or 64 hexadecimal digits (openssl rand -hex 32). Keep a copy elsewhere: "
   "without it no backup can be read."},
  {"backup.passphrase_file", HERE(backup.passphrase_file), "", {},
   "File with a passphrase in its first line instead, 12 characters at the least."},
  {"backup.interval", HERE(backup.interval), "1d", {"0s", "365d", {}},
   "How often a backup is made; 0s: only when asked for."},
  {"backup.keep", HERE(backup.keep), "7", {"1", "10000", {}},
   "How many of the newest backups are kept."},
  {"backup.keep_daily", HERE(backup.keep_daily), "7", {"0", "3650", {}},
   "Of how many days (UTC) the last backup is kept besides."},
  {"backup.keep_weekly", HERE(backup.keep_weekly), "4", {"0", "520", {}},
   "Of how many weeks the last backup is kept besides."},

  {"prices.currency", HERE(prices.currency), "USD", {},
   "In which currency costs are shown: three capital letters. They are kept in US dollars."},
  {"prices.rate", HERE(prices.rate), "1", {},
   "How much of it a US dollar is, for example 0.92; with nine digits behind the point at most."},

  {"notices.base_url", HERE(notices.base_url), "", {},
   "Where people reach the pages, for example https://keys.example.com: buttons in notices lead there. Empty: no buttons."},
  {"notices.language", HERE(notices.language), "zh", {{}, {}, "zh|en"},
   "In which language people are told who chose none."},
  {"notices.personal", HERE(notices.personal), "", {},
   "Names of the channels by which people are told who chose none. Empty: the first one for people (feishu, lark, mail)."},
  {"notices.queue", HERE(notices.queue), "nats", {{}, {}, "nats|local"},
   "Where deliveries wait: nats is a work queue in JetStream (KEYPORTAL_NOTICES) that any process may take from, local is "
   "in the ledger and needs no NATS."},
  {"notices.digest_above", HERE(notices.digest_above), "5", {"0", "1000", {}},
   "More notices than this that wait for one person at one channel become one; 0: never. So nobody gets a flood after an "
   "outage."},
  {"notices.give_up", HERE(notices.give_up), "3d", {"1min", "30d", {}},
   "A notice that could not be delivered for so long is given up."},
  {"notices.kept", HERE(notices.kept), "90d", {"1d", "3650d", {}},
   "How long it is kept who was told what."},
  {"notices.authorities", HERE(notices.authorities), "", {},
   "Certificate authorities (PEM) by which channels are believed. Empty: those of the system."},

  {"cluster.enabled", HERE(cluster.enabled), "false", {},
   "Whether this process is one of several that share all they know. Each needs the same name, key and nodes, nats.url, and "
   "a data folder of its own."},
  {"cluster.name", HERE(cluster.name), "main", {},
   "Which cluster: 1 to 32 of a-z, 0-9 and -. Several may use the same NATS servers."},
  {"cluster.key", HERE(cluster.key), "", {},
   "What all processes of the cluster share and nobody else knows, at least 16 characters; better kept in "
   "cluster.key_file. It opens what goes between them."},
  {"cluster.key_file", HERE(cluster.key_file), "", {},
   "File with it."},
  {"cluster.roles", HERE(cluster.roles), "collect,serve,notify", {},
   "What this process is there for: collect sees to nodes, serve answers people and keeps the house, notify tells people."},
  {"cluster.replicas", HERE(cluster.replicas), "0", {"0", "5", {}},
   "On how many NATS servers each stream is; 0: on three where there are three, else on one."},
  {"cluster.address", HERE(cluster.address), "", {},
   "How this process is called on pages and in answers. Empty: the name of the machine."},
  {"cluster.lease", HERE(cluster.lease), "3s", {"1s", "1min", {}},
   "So long after its last sign of life a process counts as gone, and others see to its duties."},
  {"cluster.checkpoint_interval", HERE(cluster.checkpoint), "1d", {"1min", "30d", {}},
   "How often one process gives all that it has to those that join. What is older than the last two goes from the stream."},
  {"cluster.stream_messages", HERE(cluster.stream_records), "100000", {"0", "1000000000", {}},
   "So many messages behind the newest checkpoint stay in the stream besides, for processes that were away."},

  {"log.level", HERE(log.level), "info", {{}, {}, "debug|info|warn|error"},
   "What is logged, to standard error: this and all that is graver."},
  {"log.format", HERE(log.format), "text", {{}, {}, "text|json"},
   "Lines for people or JSON objects for programs."},

  {"display.time_zone", HERE(display.time_zone), "", {},
   "Time zone in which a day begins, for example Asia/Shanghai. Empty: that of the system."},

  {"shutdown.grace", HERE(shutdown.grace), "10s", {"1s", "10min", {}},
   "How long stopping may take before it is forced."},
};

constexpr node_option node_table[] = {
  {"name", HERE(name), "", {},
   "What the node is called everywhere: 1 to 32 of a-z, 0-9 and -. Its usage is kept under it, so never change it."},
  {"url", HERE(url), "", {},
   "Where its CLIProxyAPI answers, for example http://127.0.0.1:8317."},
  {"management_key", HERE(management_key), "", {},
   "Its management key (remote-management.secret-key as you typed it, or MANAGEMENT_PASSWORD); better kept in "
   "management_key_file."},
  {"management_key_file", HERE(management_key_file), "", {},
   "File with the management key."},
  {"groups", HERE(groups), "", {},
   "Groups that the node belongs to. A key or a policy that names a group is for all its nodes."},
};

constexpr consumer_option consumer_table[] = {
  {"name", HERE(name), "", {},
   "What the tool is called here: 1 to 32 of a-z, 0-9 and -. Its place in the queue is kept under it."},
  {"key", HERE(key), "", {},
   "What the tool is given as management key; better kept in key_file."},
  {"key_file", HERE(key_file), "", {},
   "File with the key."},
  {"node", HERE(node), "", {},
   "The only node that the tool sees. Empty: all of them as if they were one."},
  {"from", HERE(from), "", {{}, {}, "end|beginning"},
   "Where a tool that is new begins: at the end of the ledger (if nothing is said), or at its beginning."},
};

constexpr provider_option provider_table[] = {
  {"name", HERE(name), "", {},
   "What the place is called in addresses: 1 to 32 of a-z, 0-9 and -. Who signed in there is kept under it, so never change "
   "it. The redirect address to register there ends with it."},
  {"kind", HERE(kind), "", {{}, {}, "oidc|feishu|lark"},
   "oidc for any OpenID Connect issuer; feishu for open.feishu.cn, lark for open.larksuite.com."},
  {"title", HERE(title), "", {},
   "What people read on the button. Empty: the name."},
  {"issuer", HERE(issuer), "", {},
   "Of oidc: the issuer to the letter, a slash at its end included, for example https://accounts.google.com."},
  {"client_id", HERE(client_id), "", {},
   "What Key Portal is called there: the client id, or the App ID."},
  {"client_secret", HERE(client_secret), "", {},
   "The client secret, or the App Secret; better kept in client_secret_file."},
  {"client_secret_file", HERE(client_secret_file), "", {},
   "File with the client secret."},
  {"scopes", HERE(scopes), "", {},
   "What is asked for. Empty: openid, email and profile of oidc; what the app has been given at Feishu and Lark."},
  {"tenants", HERE(tenants), "", {},
   "Of feishu and lark: the tenant keys of the organisations whose people may sign in."},
  {"domains", HERE(domains), "", {},
   "Of oidc: people may sign in whose e-mail address is verified there and has one of these domains. Empty: everybody whom "
   "the issuer lets in."},
  {"authorize_url", HERE(authorize_url), "", {},
   "Where browsers are sent, if not to where the issuer's discovery says, or the usual address of the kind."},
  {"token_url", HERE(token_url), "", {},
   "Likewise, where codes are exchanged. Feishu's is v3 and Lark's v2 if nothing is said."},
  {"keys_url", HERE(keys_url), "", {},
   "Likewise, of oidc: where the issuer's signing keys are."},
  {"user_info_url", HERE(user_info_url), "", {},
   "Likewise, where somebody's name is asked for."},
  {"token_encoding", HERE(token_encoding), "", {{}, {}, "auto|form|json"},
   "Of feishu and lark: how token_url wants to be asked. auto, or nothing: form for feishu, json for lark."},
};

constexpr channel_option channel_table[] = {
  {"name", HERE(name), "", {},
   "What the channel is called in rules and preferences: 1 to 32 of a-z, 0-9 and -."},
  {"kind", HERE(kind), "", {{}, {}, "feishu|lark|feishu_bot|lark_bot|mail|webhook|dingtalk|wecom|telegram"},
   "feishu and lark: messages of an app to people; feishu_bot and lark_bot: the custom bot of a group; mail: SMTP; webhook: "
   "CloudEvents to an address; dingtalk, wecom, telegram: their bots."},
  {"url", HERE(url), "", {},
   "Of bots and webhooks: the address, which is a credential; better kept in url_file. Of feishu, lark and telegram: the "
   "host, where it is not the usual one."},
  {"url_file", HERE(url_file), "", {},
   "File with the address."},
  {"app_id", HERE(app_id), "", {},
   "Of feishu and lark: the App ID (cli_…)."},
  {"secret", HERE(secret_text), "", {},
   "The App Secret, the signing secret of a bot or a webhook, Telegram's token, or the password at the mail server; better "
   "kept in secret_file."},
  {"secret_file", HERE(secret_file), "", {},
   "File with the secret."},
  {"find_by", HERE(find_by), "", {{}, {}, "email|open_id|mobile"},
   "Of feishu and lark: by what people are found who gave no open_id: email (if nothing is said), or the mobile number or "
   "open_id in their preferences only."},
  {"to", HERE(to), "", {},
   "Who is told by channel:<name>: a chat's id (oc_… of feishu and lark, chat_id of telegram), or e-mail addresses with "
   "commas between."},
  {"server", HERE(server), "", {},
   "Of mail: the server, as host:port; 587 for starttls, 465 for tls."},
  {"security", HERE(security), "", {{}, {}, "starttls|tls|none"},
   "Of mail: starttls (if nothing is said) goes on encrypted or not at all; tls is encrypted from the start; none is for "
   "servers on this machine."},
  {"user", HERE(user), "", {},
   "Of mail: who signs in at the server. Empty: nobody."},
  {"from", HERE(from), "", {},
   "Of mail: the address that it comes from."},
  {"language", HERE(language), "", {{}, {}, "zh|en"},
   "In which language this channel tells, where nobody chose one. Empty: notices.language."},
  {"allow_private", HERE(allow_private), "", {},
   "Of webhooks: whether the address may lead into a private network, or be in clear."},
  {"per_second", HERE(per_second), "", {"0", "1000", {}},
   "How many are sent in a second at most. 0: four fifths of what the channel's makers allow."},
  {"per_minute", HERE(per_minute), "", {"0", "60000", {}},
   "Likewise, in a minute."},
};

constexpr rule_option rule_table[] = {
  {"name", HERE(name), "", {},
   "What the rule is called: 1 to 32 of a-z, 0-9 and -."},
  {"kinds", HERE(kinds), "", {},
   "Kinds of notices that it is for, for example key.expiring or node.*; * is all of them. The first rule that fits decides."},
  {"to", HERE(to), "", {},
   "Who hears of them: owner, admins, group:<name>, person:<e-mail>, channel:<name>. Empty: nobody."},
  {"channels", HERE(channels), "", {},
   "By which channels people among them are told, whatever they chose. Empty: as they wish."},
};
#undef HERE
// clang-format on

struct section_row {
  std::string_view name;
  std::string_view help;
};
constexpr section_row sections[] = {
  {"", "Key Portal as a whole."},
  {"poll", "Looking at the nodes."},
  {"collect", "Taking usage out of the queue of nodes that keep no totals (CLIProxyAPI 6.9.38 and newer)."},
  {"snapshot", "Snapshots of each node's usage, kept in the data folder."},
  {"restore", "Putting usage back into a node that lost it."},
  {"keys", "Keys of people: how they are made, how many wait in the pool, how they end."},
  {"accounts", "Accounts with providers: contributing them, and how they are."},
  {"gateway", "The page, the API and the WebSocket."},
  {"compat", "The listener for tools that were made for CLIProxyAPI. Each key has its own place in the queue."},
  {"sign_in", "Who gets in, and for how long."},
  {"nats", "Events on NATS JetStream."},
  {"storage", "The ledger on disk."},
  {"retention", "How long single records are kept, and how large all of it may grow."},
  {"backup", "Backups: encrypted, each only what is new since the one before. See keyportal backup."},
  {"prices", "How costs are shown."},
  {"notices", "Telling people: reminders, alarms, codes by mail."},
  {"cluster", "Several processes that are one Key Portal, joined by NATS JetStream. See docs/scale.md."},
  {"log", "What is said while running."},
  {"display", "How times are counted into days."},
  {"shutdown", "Stopping."},
  {"node", "The CLIProxyAPI nodes: one [[node]] each."},
  {"consumer", "Tools with a key, and so a place in the queue, of their own: one [[compat.consumer]] each."},
  {"provider", "Other places where people may sign in: one [[sign_in.provider]] each."},
  {"channel", "Ways by which people are told: one [[notices.channel]] each."},
  {"rule", "Who hears of what, where it is not as usual: one [[notices.rule]] each."},
};

/// Single-character edits between two texts.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

} // namespace

std::span<const option> options() { return table; }
std::span<const node_option> node_options() { return node_table; }
std::span<const consumer_option> consumer_options() { return consumer_table; }
std::span<const provider_option> provider_options() { return provider_table; }
std::span<const channel_option> channel_options() { return channel_table; }
std::span<const rule_option> rule_options() { return rule_table; }

std::string_view section_help(std::string_view section) {
  for (const auto& row : sections)
    if (row.name == section)
      return row.help;
  return {};
}

std::string environment_name(std::string_view key) {
  std::string name = "KEYPORTAL_";
  for (const char c : key)
    name.push_back(c == '.' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c));
  return name;
}

std::string nearest_key(std::string_view key) {
  if (key.size() > 100)
    return {};
  std::string best;
  std::size_t least = key.size() / 3 + 2; // farther away it is more likely something else altogether
  const auto consider = [&](std::string candidate) {
    // A name in the wrong section is a usual mistake too.
    const bool same_name =
      section_of(candidate) != section_of(key) && name_in_section(candidate) == name_in_section(key);
    const auto d = same_name ? 1 : distance(key, candidate);
    if (d < least) {
      least = d;
      best = std::move(candidate);
    }
  };
  for (const auto& row : table)
    consider(std::string(row.key));
  if (key.starts_with("node.") || key == "node") {
    const auto node = key.substr(0, key.rfind('.'));
    for (const auto& row : node_table)
      consider(fmt::format("{}.{}", node, row.key));
  }
  if (key.starts_with("compat.consumer.")) {
    const auto consumer = key.substr(0, key.rfind('.'));
    for (const auto& row : consumer_table)
      consider(fmt::format("{}.{}", consumer, row.key));
  }
  if (key.starts_with("sign_in.provider.")) {
    const auto provider = key.substr(0, key.rfind('.'));
    for (const auto& row : provider_table)
      consider(fmt::format("{}.{}", provider, row.key));
  }
  if (key.starts_with("notices.channel.")) {
    const auto channel = key.substr(0, key.rfind('.'));
    for (const auto& row : channel_table)
      consider(fmt::format("{}.{}", channel, row.key));
  }
  if (key.starts_with("notices.rule.")) {
    const auto rule = key.substr(0, key.rfind('.'));
    for (const auto& row : rule_table)
      consider(fmt::format("{}.{}", rule, row.key));
  }
  return best;
}

std::string_view section_of(std::string_view key) {
  const auto dot = key.find('.');
  return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
}

std::string_view name_in_section(std::string_view key) {
  const auto dot = key.find('.');
  return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

} // namespace keyportal
