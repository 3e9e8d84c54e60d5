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
    restore_pending: "restoring", restore_complete: "restored", restore_incomplete: "incomplete",
    before: "before", after: "after restart", put_back: "after restore", reqs: "requests",
    imported: "{n} records put back", nothing_to_import: "nothing had to be put back",
    lost: "about {n} may be lost: nobody looked for {span}", lost_none: "nothing known lost",
    lacking: "{n} records still missing in the node; the ledger has them",
    reason_interval: "every few minutes", reason_restart: "at a restart", reason_shutdown: "at shutdown", reason_request: "on request",
    stored: "{n} stored",
    toast_restarted: "{node} restarted. Putting back what it forgot …", toast_restored: "{node} has all its records again.",
    toast_down: "{node} does not answer.", toast_up: "{node} answers again.", toast_incomplete: "{node} counts more than the ledger holds.",
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
    restore_pending: "恢复中", restore_complete: "已恢复", restore_incomplete: "未完全恢复",
    before: "重启前", after: "重启后", put_back: "恢复后", reqs: "次请求",
    imported: "补回 {n} 条记录", nothing_to_import: "无需补回",
    lost: "可能丢失约 {n} 条：其间 {span} 未能观察", lost_none: "未发现丢失",
    lacking: "节点仍缺 {n} 条记录；账本中都有",
    reason_interval: "定时", reason_restart: "重启时", reason_shutdown: "停止时", reason_request: "手动",
    stored: "存储 {n}",
    toast_restarted: "{node} 已重启，正在补回记录……", toast_restored: "{node} 的记录已全部恢复。",
    toast_down: "{node} 没有响应。", toast_up: "{node} 恢复响应。", toast_incomplete: "{node} 的计数多于账本。",
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
