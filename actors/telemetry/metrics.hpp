// Every metric of Key Portal, in one class, a comment each. Label values come from short fixed sets and node names.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace keyportal {

/// Metrics of one node.
struct node_metrics {
  prometheus::Counter& polls_ok;       ///< keyportal_polls_total{node,result="ok"}
  prometheus::Counter& polls_failed;   ///< keyportal_polls_total{node,result="failed"}
  prometheus::Histogram& poll_seconds; ///< keyportal_poll_seconds{node}: from asking to durable
  prometheus::Gauge& up;               ///< keyportal_node_up{node}: 1 answers, 0 does not
  prometheus::Counter& records;        ///< keyportal_records_total{node}: new to the ledger
  prometheus::Counter& duplicates;     ///< keyportal_duplicates_total{node}: seen again, changed nothing
  prometheus::Counter& restarts;       ///< keyportal_node_restarts_total{node}
  prometheus::Counter& restored;       ///< keyportal_restored_records_total{node}: taken by the node
  prometheus::Gauge& lacking;          ///< keyportal_lacking_records{node}: not restored yet; must be 0
  prometheus::Counter& snapshots;      ///< keyportal_snapshots_total{node}
  prometheus::Counter& received;       ///< keyportal_received_payloads_total{node}: out of its queue
  prometheus::Counter& dead_letters;   ///< keyportal_dead_letters_total{node}: payloads that could not be decoded
  prometheus::Gauge& inbox_waiting;    ///< keyportal_inbox_waiting{node}: payloads received and not yet decoded
  prometheus::Gauge& queue_connected;  ///< keyportal_queue_connected{node}: 1 while its queue is taken from
  prometheus::Gauge& missing;          ///< keyportal_missing_records{node}: it counted and the ledger lacks them
};

/// Metrics of one node's client keys.
struct node_key_metrics {
  prometheus::Gauge& wanted;     ///< keyportal_node_keys{node,kind="wanted"}: keys that should work there
  prometheus::Gauge& changing;   ///< kind="changing": not yet seen to work, or to work no more
  prometheus::Gauge& external;   ///< kind="external": made elsewhere
  prometheus::Gauge& taken_away; ///< kind="taken_away": removed by somebody else
  prometheus::Gauge& open;       ///< keyportal_node_open{node}: 1 lets in anybody, without a key
  prometheus::Gauge& drift;      ///< keyportal_node_keys_drift{node}: 1 while its keys are not what they should be
  prometheus::Histogram& works;  ///< keyportal_key_change_seconds{node,change="works"}: from the order to being let in
  prometheus::Histogram& ceases; ///< change="ceases": to being refused
};

/// Metrics of one channel by which notices go out.
struct notice_metrics {
  prometheus::Counter& delivered; ///< keyportal_notices_total{channel,outcome="delivered"}
  prometheus::Counter& again;     ///< outcome="again": did not get through, and is tried again
  prometheus::Counter& refused;   ///< outcome="refused": the channel will not take it
  prometheus::Counter& unknown;   ///< outcome="unknown": sent, and nobody knows what came of it
  prometheus::Gauge& failing;     ///< keyportal_notice_channel_failing{channel}: 1 while it rests after a failure
  prometheus::Histogram& seconds; ///< keyportal_notice_seconds{channel}: from the decision to the channel's yes
};

/// Metrics of one node's accounts with providers.
struct node_account_metrics {
  prometheus::Gauge& fine;            ///< keyportal_accounts{node,condition="fine"}, degraded ones included
  prometheus::Gauge& resting;         ///< condition="resting": until some moment
  prometheus::Gauge& login_needed;    ///< condition="login_needed", or about to be
  prometheus::Gauge& off;             ///< condition="off": switched off
  prometheus::Counter& quota_ok;      ///< keyportal_account_quota_calls_total{node,result="ok"}
  prometheus::Counter& quota_failed;  ///< result="failed"
  prometheus::Counter& logins_done;   ///< keyportal_account_logins_total{node,result="done"}
  prometheus::Counter& logins_failed; ///< result="failed"
};

/// Thread-safe. Lives as long as the process.
class metrics {
public:
  metrics();
  /// The metrics of `node`; the same ones each time.
  node_metrics of_node(const std::string& node);
  node_key_metrics keys_of_node(const std::string& node);
  notice_metrics of_channel(const std::string& channel);
  node_account_metrics accounts_of_node(const std::string& node);
  /// keyportal_http_requests_total{route,status} and keyportal_http_seconds{route}.
  /// keyportal_compat_requests_total{route,status}
  void compat_answered(std::string_view route, int status);
  void http_answered(std::string_view route, int status, double seconds);
  /// Prometheus text format 0.0.4.
  [[nodiscard]] std::string text() const;

private:
  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& polls_;
  prometheus::Family<prometheus::Histogram>& poll_seconds_;
  prometheus::Family<prometheus::Gauge>& up_;
  prometheus::Family<prometheus::Counter>& records_;
  prometheus::Family<prometheus::Counter>& duplicates_;
  prometheus::Family<prometheus::Counter>& restarts_;
  prometheus::Family<prometheus::Counter>& restored_;
  prometheus::Family<prometheus::Gauge>& lacking_;
  prometheus::Family<prometheus::Gauge>& accounts_;
  prometheus::Family<prometheus::Counter>& quota_calls_;
  prometheus::Family<prometheus::Counter>& logins_;
  prometheus::Family<prometheus::Counter>& snapshots_;
  prometheus::Family<prometheus::Counter>& received_;
  prometheus::Family<prometheus::Counter>& dead_letters_;
  prometheus::Family<prometheus::Gauge>& inbox_waiting_;
  prometheus::Family<prometheus::Gauge>& queue_connected_;
  prometheus::Family<prometheus::Gauge>& missing_;
  prometheus::Family<prometheus::Gauge>& keys_;
  prometheus::Family<prometheus::Gauge>& open_;
  prometheus::Family<prometheus::Gauge>& drift_;
  prometheus::Family<prometheus::Histogram>& key_seconds_;
  prometheus::Family<prometheus::Counter>& http_;
  prometheus::Family<prometheus::Histogram>& http_seconds_;
  prometheus::Family<prometheus::Counter>& compat_;
  prometheus::Family<prometheus::Counter>& notices_;
  prometheus::Family<prometheus::Gauge>& notice_failing_;
  prometheus::Family<prometheus::Histogram>& notice_seconds_;
  prometheus::Family<prometheus::Gauge>& plain_;

  template <class Family>
  auto& one(Family& family) {
    return family.Add({});
  }

public:
  prometheus::Histogram& commit_seconds; ///< keyportal_commit_seconds: one synced batch
  prometheus::Histogram& commit_writes;  ///< keyportal_commit_writes: messages that shared a batch
  prometheus::Counter& commits_failed;   ///< keyportal_commits_failed_total
  prometheus::Gauge& ledger_position;    ///< keyportal_ledger_position
  prometheus::Gauge& ledger_records;     ///< keyportal_ledger_records
  prometheus::Gauge& outbox_waiting;     ///< keyportal_outbox_waiting: events not yet in NATS
  prometheus::Counter& events_shipped;   ///< keyportal_events_shipped_total
  prometheus::Gauge& nats_connected;     ///< keyportal_nats_connected
  prometheus::Gauge& websockets;         ///< keyportal_websockets
  prometheus::Gauge& registry_position;  ///< keyportal_registry_position: entries in its log
  prometheus::Gauge& registry_users;     ///< keyportal_users
  prometheus::Gauge& keys_pooled;        ///< keyportal_keys_pooled
  prometheus::Gauge& keys_live;          ///< keyportal_keys_live
  prometheus::Gauge& keys_by_hand;       ///< keyportal_keys_waiting{for="choice"}: removed at a node by somebody
  prometheus::Gauge& keys_renewals;      ///< keyportal_keys_waiting{for="renewal"}: asked for and not decided
  prometheus::Gauge& keys_changing;      ///< keyportal_keys_changing: not yet at the nodes as they should be
  prometheus::Counter& frames_sent;      ///< keyportal_websocket_frames_total: broadcast, each counted once
  prometheus::Gauge& exports_held;       ///< keyportal_exports_held: views of the ledger that exports hold
  prometheus::Counter& export_bytes;     ///< keyportal_export_bytes_total: given out by exports
  prometheus::Gauge& backup_made_at;     ///< keyportal_backup_made_timestamp_seconds: newest one, Unix time; 0: none
  prometheus::Gauge& backup_bytes;       ///< keyportal_backup_bytes: all of them, as they lie there
  prometheus::Gauge& backup_failing;     ///< keyportal_backup_failing: 1 while the last try to make one failed
  prometheus::Gauge& data_bytes;         ///< keyportal_data_bytes: the data folder
  prometheus::Gauge& data_limit;         ///< keyportal_data_limit_bytes: retention.max_bytes; 0: none
  prometheus::Gauge& disk_alarm;         ///< keyportal_disk_alarm: 1 while the limit is near or reached
  prometheus::Counter& records_retired;  ///< keyportal_records_retired_total: raw records that went
  prometheus::Gauge& records_refused;    ///< keyportal_records_refused: came when those of their day had gone
  prometheus::Gauge& retention_held;     ///< keyportal_retention_held_back: days that should have gone and stay
  prometheus::Gauge& certificate_ends;   ///< keyportal_certificate_days_left: of the gateway's certificate
  prometheus::Counter& certificate_read; ///< keyportal_certificate_reloads_total{result="ok"}
  prometheus::Counter& certificate_bad;  ///< keyportal_certificate_reloads_total{result="failed"}: the old one stays
  prometheus::Gauge& notices_waiting;    ///< keyportal_notices_waiting: decided and not yet at their recipients
};

} // namespace keyportal
