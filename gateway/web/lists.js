// Draws the restarts and the snapshots.

import { ago, bytes, compact, moment, say, span, whole } from "./text.js";
import { empty, make } from "./view.js";

const most_shown = 12;
const by_id = (id) => document.getElementById(id);

const time = (text) => make("time", { textContent: ago(text), title: moment(text), dateTime: text ?? "", attributes: { "data-ago": text ?? "" } });

function newest_first(map, moment_of) {
  return [...map.values()].flat().sort((a, b) => (moment_of(a) < moment_of(b) ? 1 : -1));
}

function step(label, counters, kind) {
  return make("div", { className: `step ${kind}` },
    make("span", { className: "sub", textContent: say(label) }),
    make("strong", { textContent: counters ? whole(counters.requests) : "…" }),
    make("span", { className: "sub", textContent: counters ? `${compact(counters.tokens)} ${say("tokens_small")}` : "" }));
}

function restart_item(one) {
  const { restore, lost } = one;
  const done = restore.state !== "pending";
  const facts = [];
  if (done) facts.push(["good", restore.imported > 0 ? say("imported", { n: whole(restore.imported) }) : say("nothing_to_import")]);
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
      step("before", one.before, ""), make("i", { className: "arrow", attributes: { "aria-hidden": "true" } }),
      step("after", one.after, "low"), make("i", { className: "arrow", attributes: { "aria-hidden": "true" } }),
      step("put_back", done ? restore.counters : null, done ? "high" : "")),
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
