// Draws the restarts, the snapshots and what is missing or was refused.

import { ago, bytes, compact, moment, say, span, whole } from "./text.js";
import { empty, make } from "./view.js";

const most_shown = 12;
const by_id = (id) => document.getElementById(id);

const time = (text) => make("time", { textContent: ago(text), title: moment(text), dateTime: text ?? "", attributes: { "data-ago": text ?? "" } });

function newest_first(map, moment_of) {
  return [...map.values()].flat().sort((a, b) => (moment_of(a) < moment_of(b) ? 1 : -1));
}

function step(label, counters, kind, tokens_known) {
  return make("div", { className: `step ${kind}` },
    make("span", { className: "sub", textContent: say(label) }),
    make("strong", { textContent: counters ? whole(counters.requests) : "…" }),
    make("span", { className: "sub", textContent: counters && tokens_known ? `${compact(counters.tokens)} ${say("tokens_small")}` : "" }));
}

function restart_item(one) {
  const { restore, lost } = one;
  const done = restore.state !== "pending";
  const possible = restore.state !== "impossible"; // else the node takes nothing back, and needs nothing
  const tokens = one.before.tokens > 0; // some nodes count none
  const arrow = () => make("i", { className: "arrow", attributes: { "aria-hidden": "true" } });
  const facts = [];
  if (!possible) facts.push(["good", say("kept_here")]);
  else if (done) facts.push(["good", restore.imported > 0 ? say("imported", { n: whole(restore.imported) }) : say("nothing_to_import")]);
  if (restore.still_lacking > 0) facts.push(["bad", say("lacking", { n: whole(restore.still_lacking) })]);
  facts.push(lost.expected_records > 0
    ? ["warn", say("lost", { n: whole(lost.expected_records), span: span(lost.from, lost.to) })]
    : ["good", say("lost_none")]);
  return make("li", { className: `restart ${restore.state}` },
    make("div", { className: "line" },
      make("span", { className: "title", textContent: say("restart", { node: one.node }) }),
      make("span", { className: "tag", textContent: say("number", { n: one.number }) }),
      make("span", { className: `chip ${restore.state}`, textContent: say(`restore_${restore.state}`) }),
      time(one.noticed_at)),
    make("div", { className: "steps" },
      step("before", one.before, "", tokens), arrow(), step("after", one.after, possible ? "low" : "", tokens),
      ...(possible ? [arrow(), step("put_back", done ? restore.counters : null, done ? "high" : "", tokens)] : [])),
    make("ul", { className: "facts" }, ...facts.map(([kind, text]) => make("li", { className: kind, textContent: text }))),
    one.evidence.length ? make("p", { className: "sub evidence", textContent: one.evidence.join(" · ") }) : null);
}

export function draw_restarts(state) {
  const all = newest_first(state.restarts, (one) => one.noticed_at);
  by_id("restart-list").replaceChildren(...all.slice(0, most_shown).map(restart_item));
  let known = 0;
  for (const one of state.nodes.values()) known += one.overview.restarts;
  const n = Math.max(known, all.length);
  by_id("restart-count").textContent = n ? whole(n) : "";
  empty("no-restarts", "no_restarts", "no_restarts_hint", state.known && all.length === 0 && state.restarts.size >= state.nodes.size);
}

function snapshot_row(one) {
  const reasons = ["interval", "restart", "shutdown", "request"];
  const cell = (label, ...children) => make("td", { className: "right", attributes: { "data-label": say(label) } }, ...children);
  return make("tr", {},
    make("th", { attributes: { scope: "row" } },
      make("span", { className: "title", textContent: one.node }), make("span", { className: "tag", textContent: `#${one.id}` })),
    make("td", { attributes: { "data-label": say("made") } }, time(one.made_at),
      make("span", { className: "sub", textContent: reasons.includes(one.reason) ? say(`reason_${one.reason}`) : one.reason })),
    cell("requests", make("span", { textContent: whole(one.totals.requests) }),
      make("span", { className: "sub", textContent: `${compact(one.totals.tokens.total)} ${say("tokens_small")}` })),
    cell("size", make("span", { textContent: bytes(one.json_bytes) }),
      make("span", { className: "sub", textContent: say("stored", { n: bytes(one.stored_bytes) }) })));
}

export function draw_snapshots(state) {
  const all = newest_first(state.snapshots, (one) => one.made_at);
  by_id("snapshot-rows").replaceChildren(...all.slice(0, most_shown).map(snapshot_row));
  by_id("snapshot-table").hidden = all.length === 0;
  by_id("snapshot-count").textContent = all.length ? whole(all.length) : "";
  empty("no-snapshots", "no_snapshots", "no_snapshots_hint", state.known && all.length === 0 && state.snapshots.size >= state.nodes.size);
}

// --- what is missing or was refused ---------------------------------------------------------

function event_item(title, tag, chip, at, facts) {
  return make("li", { className: "restart" },
    make("div", { className: "line" },
      make("span", { className: "title", textContent: title }),
      tag ? make("span", { className: "tag", textContent: tag }) : null,
      chip ? make("span", { className: `chip ${chip.kind}`, textContent: chip.text }) : null,
      time(at)),
    make("ul", { className: "facts sub" }, ...facts.filter(Boolean).map((text) => make("li", { textContent: text }))));
}

function incomplete_item(one, grown) {
  const now = one.closed_at ? "closed" : grown ? "grown" : "opened";
  return event_item(
    say(one.closed_at ? "had_missing" : "has_missing", { node: one.node, n: whole(one.missing) }), say("account", { name: one.credential }),
    { kind: one.closed_at ? "complete" : "incomplete", text: say(`missing_${now}`) }, one.closed_at ?? one.to,
    [say("missing_between", { from: moment(one.from), to: moment(one.to) }),
      one.missing_failed ? say("missing_failed", { n: whole(one.missing_failed) }) : null]);
}

function gap_item(one) {
  return event_item(say("gap", { node: one.node, span: span(one.from, one.to) }), null,
    one.expected_records ? { kind: "", text: say("gap_expected", { n: whole(one.expected_records) }) } : null, one.to, [one.reason]);
}

function refusal_item({ node, at, data, times }) {
  return event_item(say("refused_account", { node, provider: data.provider || say("upstream") }), say("account", { name: data.auth_index }),
    { kind: "", text: [data.status_code, data.code].filter(Boolean).join(" ") || say("failed") }, at,
    [data.model, data.retryable ? say("retryable") : null, times > 1 ? say("times", { n: whole(times) }) : null]);
}

export function draw_events(state) {
  const all = [
    ...[...state.incompletes.values()].flat().map((one) => [one.closed_at ?? one.to, () => incomplete_item(one, state.grown.has(`${one.node} ${one.number}`))]),
    ...[...state.gaps.values()].flat().map((one) => [one.to, () => gap_item(one)]),
    ...state.refusals.map((one) => [one.at, () => refusal_item(one)]),
  ].sort(([a], [b]) => (a < b ? 1 : -1));
  by_id("event-list").replaceChildren(...all.slice(0, most_shown).map(([, item]) => item()));
  by_id("event-count").textContent = all.length ? whole(all.length) : "";
  empty("no-events", "no_events", "no_events_hint", state.known && all.length === 0 && state.incompletes.size >= state.nodes.size);
}
