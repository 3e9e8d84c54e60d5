// All words of the page in both languages, and how numbers and times are written.

const words = {
  en: {
    skip: "Skip to the nodes", demo: "Demo: made-up traffic", other: "中文", other_label: "切换到中文",
    tokens: "Tokens", requests: "Requests", today: "Today", ok: "ok", failed: "failed",
    per_minute: "tokens a minute", now: "now",
    tokens_small: "tokens", tokens_in: "tokens in", requests_small: "requests",
    safe: "Records safe in the ledger", stream: "Events sent to NATS",
    nodes: "Nodes", node: "Node", version: "Version", live: "Live", last_snapshot: "Last snapshot",
    restarts: "Restarts", snapshots: "Snapshots", snapshot: "Snapshot", made: "Made", size: "Size",
    footer: "Numbers rise as requests are made. Every record is on disk before it is shown.",
    link_wait: "Connecting", link_live: "Live", link_lost: "Reconnecting", link_lost_hint: "The numbers are from {when}.",
    chart: "Tokens a minute over the last two minutes, now {n}",
    split: "{ok} of {all} requests were ok",
    survived_none: "No restart yet",
    survived_one: "1 restart survived, nothing known lost",
    survived_many: "{n} restarts survived, nothing known lost",
    survived_lost_one: "1 restart, about {lost} lost between polls",
    survived_lost: "{n} restarts, about {lost} lost between polls",
    stream_up: "NATS connected", stream_down: "NATS away; events wait safely", stream_none: "not available",
    up: "up", down: "down", starting: "starting", refused: "refused",
    state_since: "{state} since {when}",
    no_version: "–", none: "none yet", each_minute: "{n}/min",
    no_nodes: "No node is configured yet.",
    no_nodes_hint: "Set KEYPORTAL_CPA_URL and KEYPORTAL_CPA_KEY, or add a [[node]] to the configuration, and start Key Portal again.",
    no_restarts: "No restart so far.",
    no_restarts_hint: "When a node restarts, what it forgot is put back from the ledger and told here. To see it happen, restart a CLIProxyAPI.",
    no_snapshots: "No snapshot yet.",
    no_snapshots_hint: "The first one is made within minutes by itself, and one at every restart.",
    restart: "{node} restarted", number: "#{n}",
    restore_pending: "restoring", restore_complete: "restored", restore_incomplete: "incomplete", restore_impossible: "kept",
    kept_here: "the node takes nothing back; the ledger goes on",
    before: "before", after: "after restart", put_back: "after restore", reqs: "requests",
    imported: "{n} records put back", nothing_to_import: "nothing had to be put back",
    lost: "about {n} may be lost: nobody looked for {span}", lost_none: "nothing known lost",
    lacking: "{n} records still missing in the node; the ledger has them",
    reason_interval: "every few minutes", reason_restart: "at a restart", reason_shutdown: "at shutdown", reason_request: "on request",
    stored: "{n} stored",
    collecting_usage: "usage list", collecting_subscribe: "pushed", collecting_resp_pop: "popped", collecting_http_pop: "popped over HTTP",
    collecting_usage_hint: "Its list of usage is read again and again; nothing is taken from it",
    collecting_subscribe_hint: "The node pushes each record as it is made",
    collecting_resp_pop_hint: "Records are taken out of the node's queue over RESP",
    collecting_http_pop_hint: "Records are taken out of the node's queue over HTTP",
    missing: "{n} records that it counted have not arrived",
    missing_all: "{n} records that nodes counted have not arrived",
    letters: "{n} payloads could not be read and wait: keyportal deadletters list",
    events: "Missing and refused", no_events: "Nothing is missing, nothing was refused.",
    no_events_hint: "Records that a node counted and that never arrived, spans of time that nobody saw, and accounts that their provider refuses while this page is open are told here.",
    has_missing: "{node}: {n} records are missing", had_missing: "{node}: {n} records were missing",
    account: "account {name}", missing_opened: "missing", missing_grown: "growing", missing_closed: "all arrived",
    missing_between: "counted by the node between {from} and {to}", missing_failed: "{n} of them failed requests",
    gap: "{node} was not seen for {span}", gap_expected: "about {n} may be lost",
    refused_account: "{node}: {provider} refused an account", upstream: "the provider", retryable: "it is tried again", times: "{n} times",
    toast_missing_opened: "{node}: {n} records that it counted have not arrived.",
    toast_missing_grown: "{node}: {n} records are missing by now.", toast_missing_closed: "{node}: all missing records have arrived.",
    toast_restarted: "{node} restarted. Putting back what it forgot …", toast_restored: "{node} has all its records again.",
    toast_down: "{node} does not answer.", toast_up: "{node} answers again.", toast_incomplete: "{node} did not take back all of its records; the ledger has them.",
  },
  zh: {
    skip: "跳到节点", demo: "演示：模拟流量", other: "English", other_label: "Switch to English",
    tokens: "Token 总量", requests: "请求", today: "今日", ok: "成功", failed: "失败",
    per_minute: "Token / 分钟", now: "现在",
    tokens_small: "Token", tokens_in: "Token，共", requests_small: "次请求",
    safe: "已安全入账的记录", stream: "已发往 NATS 的事件",
    nodes: "节点", node: "节点", version: "版本", live: "实时", last_snapshot: "最近快照",
    restarts: "重启", snapshots: "快照", snapshot: "快照", made: "时间", size: "大小",
    footer: "数字随请求实时上升；每条记录都先落盘，再显示。",
    link_wait: "连接中", link_live: "实时", link_lost: "重新连接中", link_lost_hint: "当前数字截至{when}。",
    chart: "最近两分钟每分钟的 Token 数，现在为 {n}",
    split: "{all} 次请求中 {ok} 次成功",
    survived_none: "尚无重启",
    survived_one: "经历 1 次重启，未发现丢失", survived_many: "经历 {n} 次重启，未发现丢失",
    survived_lost_one: "经历 1 次重启，两次轮询之间约丢失 {lost} 条",
    survived_lost: "经历 {n} 次重启，两次轮询之间约丢失 {lost} 条",
    stream_up: "NATS 已连接", stream_down: "NATS 不可用；事件安全等待中", stream_none: "不可用",
    up: "正常", down: "无响应", starting: "启动中", refused: "被拒绝",
    state_since: "{state}，始于{when}",
    no_version: "–", none: "暂无", each_minute: "{n}/分",
    no_nodes: "尚未配置节点。",
    no_nodes_hint: "请设置 KEYPORTAL_CPA_URL 与 KEYPORTAL_CPA_KEY，或在配置文件中加入 [[node]]，然后重新启动 Key Portal。",
    no_restarts: "目前没有重启。",
    no_restarts_hint: "节点重启后，它遗忘的记录会从账本中补回，并在这里说明。重启一个 CLIProxyAPI 即可看到。",
    no_snapshots: "还没有快照。",
    no_snapshots_hint: "几分钟内会自动生成第一个快照，每次重启时也会生成。",
    restart: "{node} 已重启", number: "第 {n} 次",
    restore_pending: "恢复中", restore_complete: "已恢复", restore_incomplete: "未完全恢复", restore_impossible: "已留存",
    kept_here: "节点不接受导入；账本继续累计",
    before: "重启前", after: "重启后", put_back: "恢复后", reqs: "次请求",
    imported: "补回 {n} 条记录", nothing_to_import: "无需补回",
    lost: "可能丢失约 {n} 条：其间 {span} 未能观察", lost_none: "未发现丢失",
    lacking: "节点仍缺 {n} 条记录；账本中都有",
    reason_interval: "定时", reason_restart: "重启时", reason_shutdown: "停止时", reason_request: "手动",
    stored: "存储 {n}",
    collecting_usage: "用量列表", collecting_subscribe: "推送", collecting_resp_pop: "队列拉取", collecting_http_pop: "队列拉取（HTTP）",
    collecting_usage_hint: "反复读取节点的用量列表，不取走任何内容",
    collecting_subscribe_hint: "节点在记录产生时即时推送",
    collecting_resp_pop_hint: "通过 RESP 从节点队列中取出记录",
    collecting_http_pop_hint: "通过 HTTP 从节点队列中取出记录",
    missing: "节点已计数的 {n} 条记录尚未到达",
    missing_all: "各节点已计数的 {n} 条记录尚未到达",
    letters: "{n} 条数据无法解析，等待处理：keyportal deadletters list",
    events: "缺失与拒绝", no_events: "没有缺失，也没有拒绝。",
    no_events_hint: "节点已计数却未到达的记录、无人观察的时段，以及本页打开期间被上游拒绝的账号，都会在这里说明。",
    has_missing: "{node}：缺失 {n} 条记录", had_missing: "{node}：曾缺失 {n} 条记录",
    account: "账号 {name}", missing_opened: "缺失", missing_grown: "仍在增加", missing_closed: "已全部到达",
    missing_between: "节点在 {from} 至 {to} 之间计数", missing_failed: "其中 {n} 条为失败请求",
    gap: "{node} 有 {span} 未被观察", gap_expected: "可能丢失约 {n} 条",
    refused_account: "{node}：{provider} 拒绝了一个账号", upstream: "上游", retryable: "将会重试", times: "共 {n} 次",
    toast_missing_opened: "{node}：已计数的 {n} 条记录尚未到达。",
    toast_missing_grown: "{node}：目前缺失 {n} 条记录。", toast_missing_closed: "{node}：缺失的记录已全部到达。",
    toast_restarted: "{node} 已重启，正在补回记录……", toast_restored: "{node} 的记录已全部恢复。",
    toast_down: "{node} 没有响应。", toast_up: "{node} 恢复响应。", toast_incomplete: "{node} 未能收回全部记录；账本中都有。",
  },
};

let language = "en";
let formats = {};

/// The language kept by the person, else the browser's.
export function first_language() {
  let kept = null;
  try { kept = localStorage.getItem("keyportal.language"); } catch { /* storage may be forbidden */ }
  if (kept in words) return kept;
  const wanted = new URLSearchParams(location.search).get("lang") ?? navigator.language ?? "en";
  return wanted.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export function set_language(name, keep) {
  language = name;
  const locale = name === "zh" ? "zh-CN" : "en";
  formats = {
    whole: new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }),
    compact: new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 }),
    ago: new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" }),
    moment: new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" }),
  };
  document.documentElement.lang = locale;
  if (keep) try { localStorage.setItem("keyportal.language", name); } catch { /* as above */ }
}

export const current_language = () => language;
export const other_language = () => (language === "zh" ? "en" : "zh");

/// The words of that name with {places} filled in.
export function say(name, places = {}) {
  const text = words[language][name] ?? words.en[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (_, place) => String(places[place] ?? ""));
}

export const whole = (n) => formats.whole.format(n ?? 0);
export const compact = (n) => (Math.abs(n ?? 0) < 10000 ? whole(n) : formats.compact.format(n));
export const moment = (text) => (text ? formats.moment.format(new Date(text)) : "–");

export function ago(text) {
  if (!text) return "–";
  const seconds = Math.min(0, (new Date(text).getTime() - Date.now()) / 1000);
  if (seconds > -60) return formats.ago.format(Math.round(seconds), "second");
  if (seconds > -3600) return formats.ago.format(Math.round(seconds / 60), "minute");
  if (seconds > -86400) return formats.ago.format(Math.round(seconds / 3600), "hour");
  return formats.ago.format(Math.round(seconds / 86400), "day");
}

export function bytes(n) {
  const units = ["B", "KB", "MB", "GB"];
  let value = n ?? 0, unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function span(from, to) {
  const seconds = Math.max(0, (new Date(to) - new Date(from)) / 1000);
  const of = (value, unit) => new Intl.NumberFormat(document.documentElement.lang,
    { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
  return seconds < 90 ? of(seconds, "second") : seconds < 5400 ? of(seconds / 60, "minute") : of(seconds / 3600, "hour");
}
