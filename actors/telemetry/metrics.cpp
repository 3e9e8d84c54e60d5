#include "actors/telemetry/metrics.hpp"

#include <prometheus/text_serializer.h>

namespace keyportal {

namespace {

const prometheus::Histogram::BucketBoundaries seconds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                      0.25,   0.5,   1,      2.5,   5,    10,    30};
const prometheus::Histogram::BucketBoundaries key_seconds{0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4,
                                                          0.5,  0.75,  1,   2,    5,   10,   30,  60};
const prometheus::Histogram::BucketBoundaries counts{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};

template <class Builder>
auto& family(Builder builder, prometheus::Registry& registry, const char* name, const char* help) {
  return builder.Name(name).Help(help).Register(registry);
}
auto& counters(prometheus::Registry& r, const char* name, const char* help) {
  return family(prometheus::BuildCounter(), r, name, help);
}
auto& gauges(prometheus::Registry& r, const char* name, const char* help) {
  return family(prometheus::BuildGauge(), r, name, help);
}
auto& histograms(prometheus::Registry& r, const char* name, const char* help) {
  return family(prometheus::BuildHistogram(), r, name, help);
}

} // namespace

metrics::metrics()
  : registry_(std::make_shared<prometheus::Registry>()),
    polls_(counters(*registry_, "keyportal_polls_total", "Polls of a node by result.")),
    poll_seconds_(histograms(*registry_, "keyportal_poll_seconds", "From asking a node to having it durable.")),
    up_(gauges(*registry_, "keyportal_node_up", "1 while the node answers.")),
    records_(counters(*registry_, "keyportal_records_total", "Records that were new to the ledger.")),
    duplicates_(counters(*registry_, "keyportal_duplicates_total", "Records seen again; they changed nothing.")),
    restarts_(counters(*registry_, "keyportal_node_restarts_total", "Restarts of the node that were noticed.")),
    restored_(counters(*registry_, "keyportal_restored_records_total", "Records put back into the node.")),
    lacking_(gauges(*registry_, "keyportal_lacking_records", "Records the node lacks after a restore; must be 0.")),
    accounts_(gauges(*registry_, "keyportal_accounts", "Accounts with providers, by how they are.")),
    quota_calls_(counters(*registry_, "keyportal_account_quota_calls_total", "Questions for the quota of an account.")),
    logins_(counters(*registry_, "keyportal_account_logins_total", "Logins with providers that ended.")),
    snapshots_(counters(*registry_, "keyportal_snapshots_total", "Snapshots made.")),
    received_(counters(*registry_, "keyportal_received_payloads_total", "Payloads taken out of the node's queue.")),
    dead_letters_(counters(*registry_, "keyportal_dead_letters_total", "Payloads that could not be decoded.")),
    inbox_waiting_(gauges(*registry_, "keyportal_inbox_waiting", "Payloads received and not yet decoded.")),
    queue_connected_(gauges(*registry_, "keyportal_queue_connected", "1 while the node's queue is taken from.")),
    missing_(gauges(*registry_, "keyportal_missing_records", "Records the node counted and the ledger lacks.")),
    keys_(gauges(*registry_, "keyportal_node_keys", "Client keys of the node by kind.")),
    open_(gauges(*registry_, "keyportal_node_open", "1 while the node lets in anybody, without a key; must be 0.")),
    drift_(gauges(*registry_, "keyportal_node_keys_drift", "1 while the node's keys are not what they should be.")),
    key_seconds_(histograms(*registry_, "keyportal_key_change_seconds",
                            "From the order to the trial that shows it: a key works, or ceases to.")),
    http_(counters(*registry_, "keyportal_http_requests_total", "HTTP answers by route and status.")),
    http_seconds_(histograms(*registry_, "keyportal_http_seconds", "Time to answer by route.")),
    compat_(counters(*registry_, "keyportal_compat_requests_total", "Answers to other tools by route and status.")),
    notices_(counters(*registry_, "keyportal_notices_total", "Attempts to deliver notices, by how they came out.")),
    notice_failing_(
      gauges(*registry_, "keyportal_notice_channel_failing", "1 while a channel of notices rests after a failure.")),
    notice_seconds_(histograms(*registry_, "keyportal_notice_seconds", "From the decision to the channel's yes.")),
    plain_(gauges(*registry_, "keyportal_build_info", "1; the version is in the label.")),
    commit_seconds(histograms(*registry_, "keyportal_commit_seconds", "One durable commit.").Add({}, seconds)),
    commit_writes(histograms(*registry_, "keyportal_commit_writes", "Writes that shared one commit.").Add({}, counts)),
    commits_failed(one(counters(*registry_, "keyportal_commits_failed_total", "Commits refused by the disk."))),
    ledger_position(one(gauges(*registry_, "keyportal_ledger_position", "The ledger's last sequence number."))),
    ledger_records(one(gauges(*registry_, "keyportal_ledger_records", "Records in the ledger."))),
    outbox_waiting(one(gauges(*registry_, "keyportal_outbox_waiting", "Events not yet in NATS."))),
    events_shipped(one(counters(*registry_, "keyportal_events_shipped_total", "Events acknowledged by NATS."))),
    nats_connected(one(gauges(*registry_, "keyportal_nats_connected", "1 while NATS is connected."))),
    websockets(one(gauges(*registry_, "keyportal_websockets", "Open WebSockets."))),
    registry_position(one(gauges(*registry_, "keyportal_registry_position", "Entries in the registry's log."))),
    registry_users(one(gauges(*registry_, "keyportal_users", "People in the registry."))),
    keys_pooled(one(gauges(*registry_, "keyportal_keys_pooled", "Keys in the pool."))),
    keys_live(one(gauges(*registry_, "keyportal_keys_live", "Keys that people have and that work."))),
    keys_by_hand(gauges(*registry_, "keyportal_keys_waiting", "Keys of which a person has to decide something.")
                   .Add({{"for", "choice"}})),
    keys_renewals(gauges(*registry_, "keyportal_keys_waiting", "Keys of which a person has to decide something.")
                    .Add({{"for", "renewal"}})),
    keys_changing(one(gauges(*registry_, "keyportal_keys_changing", "Keys not yet at the nodes as they should be."))),
    frames_sent(one(counters(*registry_, "keyportal_websocket_frames_total", "Frames sent to WebSockets."))),
    exports_held(one(gauges(*registry_, "keyportal_exports_held", "Views of the ledger that exports hold."))),
    export_bytes(one(counters(*registry_, "keyportal_export_bytes_total", "Bytes given out by exports."))),
    backup_made_at(one(gauges(*registry_, "keyportal_backup_made_timestamp_seconds",
                              "When the newest backup was made, Unix time; 0: there is none."))),
    backup_bytes(one(gauges(*registry_, "keyportal_backup_bytes", "All backups as they lie in their folder."))),
    backup_failing(
      one(gauges(*registry_, "keyportal_backup_failing", "1 while the last try to make a backup failed."))),
    data_bytes(one(gauges(*registry_, "keyportal_data_bytes", "Size of the data folder."))),
    data_limit(one(gauges(*registry_, "keyportal_data_limit_bytes", "retention.max_bytes; 0: no limit."))),
    disk_alarm(one(gauges(*registry_, "keyportal_disk_alarm", "1 while the limit is near or reached."))),
    records_retired(one(counters(*registry_, "keyportal_records_retired_total", "Raw records that went."))),
    records_refused(one(
      gauges(*registry_, "keyportal_records_refused", "Tries to enter records of days whose raw records are gone."))),
    retention_held(one(gauges(*registry_, "keyportal_retention_held_back",
                              "Days of nodes whose raw records should have gone and stay."))),
    certificate_ends(one(gauges(*registry_, "keyportal_certificate_days_left",
                                "Days until the gateway's certificate ends; 0 without TLS."))),
    certificate_read(
      counters(*registry_, "keyportal_certificate_reloads_total", "Changed certificate files that were looked at.")
        .Add({{"result", "ok"}})),
    certificate_bad(
      counters(*registry_, "keyportal_certificate_reloads_total", "Changed certificate files that were looked at.")
        .Add({{"result", "failed"}})),
    notices_waiting(
      one(gauges(*registry_, "keyportal_notices_waiting", "Notices decided and not yet at their recipients."))) {
  plain_.Add({{"version", KEYPORTAL_VERSION}}).Set(1);
}

node_metrics metrics::of_node(const std::string& node) {
  const prometheus::Labels labels{{"node", node}};
  auto with = [&](const char* result) { return prometheus::Labels{{"node", node}, {"result", result}}; };
  return {polls_.Add(with("ok")),
          polls_.Add(with("failed")),
          poll_seconds_.Add(labels, seconds),
          up_.Add(labels),
          records_.Add(labels),
          duplicates_.Add(labels),
          restarts_.Add(labels),
          restored_.Add(labels),
          lacking_.Add(labels),
          snapshots_.Add(labels),
          received_.Add(labels),
          dead_letters_.Add(labels),
          inbox_waiting_.Add(labels),
          queue_connected_.Add(labels),
          missing_.Add(labels)};
}

node_key_metrics metrics::keys_of_node(const std::string& node) {
  const auto kind = [&](const char* k) -> prometheus::Gauge& { return keys_.Add({{"node", node}, {"kind", k}}); };
  const auto change = [&](const char* c) -> prometheus::Histogram& {
    return key_seconds_.Add({{"node", node}, {"change", c}}, key_seconds);
  };
  return {kind("wanted"),
          kind("changing"),
          kind("external"),
          kind("taken_away"),
          open_.Add({{"node", node}}),
          drift_.Add({{"node", node}}),
          change("works"),
          change("ceases")};
}

notice_metrics metrics::of_channel(const std::string& channel) {
  const auto outcome = [&](const char* what) -> prometheus::Counter& {
    return notices_.Add({{"channel", channel}, {"outcome", what}});
  };
  return {outcome("delivered"),
          outcome("again"),
          outcome("refused"),
          outcome("unknown"),
          notice_failing_.Add({{"channel", channel}}),
          notice_seconds_.Add({{"channel", channel}}, seconds)};
}

node_account_metrics metrics::accounts_of_node(const std::string& node) {
  const auto condition = [&](const char* c) -> prometheus::Gauge& {
    return accounts_.Add({{"node", node}, {"condition", c}});
  };
  const auto quota = [&](const char* r) -> prometheus::Counter& {
    return quota_calls_.Add({{"node", node}, {"result", r}});
  };
  const auto login = [&](const char* r) -> prometheus::Counter& {
    return logins_.Add({{"node", node}, {"result", r}});
  };
  return {condition("fine"), condition("resting"), condition("login_needed"),
          condition("off"),  quota("ok"),          quota("failed"),
          login("done"),     login("failed")};
}

void metrics::http_answered(std::string_view route, int status, double took) {
  http_.Add({{"route", std::string{route}}, {"status", std::to_string(status)}}).Increment();
  http_seconds_.Add({{"route", std::string{route}}}, seconds).Observe(took);
}

void metrics::compat_answered(std::string_view route, int status) {
  compat_.Add({{"route", std::string{route}}, {"status", std::to_string(status)}}).Increment();
}

std::string metrics::text() const { return prometheus::TextSerializer{}.Serialize(registry_->Collect()); }

} // namespace keyportal
