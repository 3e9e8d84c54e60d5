// What is known of the service, kept up to date over one WebSocket. Drawing is in view.js and lists.js.

import { first_language, other_language, say, set_language, whole } from "./text.js";
import { draw_all, draw_link, draw_nodes, draw_numbers, draw_times, toast } from "./view.js";
import { draw_events, draw_restarts, draw_snapshots } from "./lists.js";

const sample_ms = 2000;
const samples_kept = 60;
const refusals_kept = 50;

const state = {
  link: "wait",
  last_frame: null,
  position: 0,
  known: false,
  nodes: new Map(), // name -> {overview, position, samples: [{at, tokens}]}
  publisher: null,
  ledger: null,
  demo: false,
  restarts: new Map(), // node -> list
  snapshots: new Map(),
  incompletes: new Map(),
  gaps: new Map(),
  grown: new Set(), // "node number" of incompletes that were seen to grow
  refusals: [], // of accounts, newest first; the service keeps no list of them
};

// --- what arrives --------------------------------------------------------------

function take_node(overview, position) {
  const one = state.nodes.get(overview.node) ?? { samples: [] };
  state.nodes.set(overview.node, Object.assign(one, { overview, position: Math.max(position, one.position ?? 0) }));
}

function take_overview(all) {
  if (state.known && all.position < state.position) return; // older than what is shown
  const before = new Set(state.nodes.keys());
  for (const node of all.nodes) {
    take_node(node, all.position);
    before.delete(node.node);
  }
  for (const gone of before) state.nodes.delete(gone);
  state.position = all.position;
  state.known = true;
  if ("publisher" in all) Object.assign(state, { publisher: all.publisher, ledger: all.ledger, demo: all.demo });
}

function take_usage(update) {
  const one = state.nodes.get(update.node);
  if (!one || update.position < one.position) return;
  one.position = update.position;
  one.overview.totals = update.totals;
  one.overview.today = update.today;
  state.position = Math.max(state.position, update.position);
}

const interesting = { restarted: "bad", restored: "good", down: "bad", up: "good" };

/// Records that a node counted and the ledger lacks: more of them, fewer, or all come late.
function take_incomplete({ node, data }) {
  const known = state.incompletes.get(node)?.find((one) => one.number === data.number);
  const change = data.closed_at ? "closed" : !known ? "opened" : data.missing > known.missing ? "grown" : "shrunk";
  const key = `${node} ${data.number}`;
  if (change === "grown") state.grown.add(key);
  else state.grown.delete(key);
  if (change !== "shrunk") toast(say(`toast_missing_${change}`, { node, n: whole(data.missing) }), change === "closed" ? "good" : "bad");
  const others = (state.incompletes.get(node) ?? []).filter((one) => one.number !== data.number);
  state.incompletes.set(node, [data, ...others]);
  draw_events(state);
  fetch_list(node, "incompletes");
}

/// An account that fails does so again and again: one entry as long as it is for the same reason.
function take_refusal({ node, at, data }) {
  const same = (one) => one.node === node && ["auth_index", "status_code", "code"].every((key) => one.data[key] === data[key]);
  const found = state.refusals.findIndex(same);
  const times = found < 0 ? 1 : state.refusals[found].times + 1;
  if (found >= 0) state.refusals.splice(found, 1);
  state.refusals.unshift({ node, at, data, times });
  state.refusals.length = Math.min(state.refusals.length, refusals_kept);
  draw_events(state);
}

function take_event(event) {
  if (event.kind in interesting) toast(say(`toast_${event.kind}`, { node: event.node }), interesting[event.kind]);
  if (event.kind === "incomplete") {
    if (event.data?.kind === "records") return take_incomplete(event);
    toast(say("toast_incomplete", { node: event.node }), "bad"); // a restore that was given up
  }
  if (event.kind === "account_failed" && event.data) return take_refusal(event);
  if (["restarted", "restored", "incomplete"].includes(event.kind)) fetch_list(event.node, "restarts");
  if (["snapshot", "gap"].includes(event.kind)) fetch_list(event.node, `${event.kind}s`);
}

function take(frame) {
  state.last_frame = new Date().toISOString();
  if (frame.type === "overview") {
    state.known = false; // a new service may count from elsewhere
    for (const one of state.nodes.values()) one.position = 0;
    take_overview(frame);
    draw_all(state);
    fetch_lists();
  } else if (frame.type === "usage_update") {
    take_usage(frame);
    later();
  } else if (frame.type === "node") {
    const known = state.nodes.get(frame.node)?.overview;
    take_node(frame, 0);
    if (known?.last_restart?.number !== frame.last_restart?.number ||
        known?.last_restart?.restore.state !== frame.last_restart?.restore.state) fetch_list(frame.node, "restarts");
    if (known?.last_snapshot?.id !== frame.last_snapshot?.id) fetch_list(frame.node, "snapshots");
    if (known?.condition.missing !== frame.condition.missing) fetch_list(frame.node, "incompletes");
    later();
  } else if (frame.type === "event") {
    take_event(frame);
  }
}

let planned = false;
/// Draws once per picture of the screen, however many frames come in between.
function later() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    draw_numbers(state);
    draw_nodes(state);
  });
}

// --- what is fetched -------------------------------------------------------------

async function fetch_json(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

const drawn_by = { restarts: draw_restarts, snapshots: draw_snapshots, incompletes: draw_events, gaps: draw_events };

async function fetch_list(node, name) {
  try {
    state[name].set(node, (await fetch_json(`api/v1/nodes/${encodeURIComponent(node)}/${name}?limit=20`)).items);
    drawn_by[name](state);
  } catch { /* the next event or connection tries again */ }
}

function draw_lists() {
  draw_restarts(state);
  draw_snapshots(state);
  draw_events(state);
}

function fetch_lists() {
  for (const name of Object.keys(drawn_by)) {
    for (const node of state[name].keys()) if (!state.nodes.has(node)) state[name].delete(node);
    for (const node of state.nodes.keys()) fetch_list(node, name);
  }
  draw_lists();
  fetch_summary();
}

let misses = 0;
async function fetch_summary() {
  try {
    take_overview(await fetch_json("api/v1/summary"));
    misses = 0;
    later();
  } catch {
    misses += 1;
    if (misses >= 3 && state.link === "live") socket?.close(); // the connection may be dead without saying so
  }
}

// --- the connection ----------------------------------------------------------------

let socket = null;
let attempts = 0;
let retry = null;

function set_link(link) {
  state.link = link;
  draw_link(state);
}

function connect() {
  clearTimeout(retry);
  socket = new WebSocket(new URL("ws", location.href.replace(/^http/, "ws").replace(/[?#].*$/, "")));
  const mine = socket;
  mine.onmessage = (message) => {
    if (mine !== socket) return;
    attempts = 0;
    if (state.link !== "live") set_link("live");
    let frame = null;
    try { frame = JSON.parse(message.data); } catch { return; }
    take(frame);
  };
  mine.onclose = () => {
    if (mine !== socket) return;
    set_link(state.known ? "lost" : "wait");
    attempts += 1;
    const wait = Math.min(10000, 400 * 1.7 ** Math.min(attempts, 10)) * (0.75 + Math.random() / 2);
    retry = setTimeout(connect, wait);
  };
}

function connect_soon() {
  if (state.link === "live" || socket?.readyState === WebSocket.CONNECTING) return;
  attempts = 0;
  connect();
}

// --- time ------------------------------------------------------------------------------

function sample() {
  if (state.link !== "live") return; // not seen is not nothing
  const at = Date.now();
  for (const one of state.nodes.values()) {
    one.samples.push({ at, tokens: one.overview.totals.tokens.total });
    if (one.samples.length > samples_kept + 8) one.samples.shift();
  }
  later();
}

function speak(name, keep) {
  set_language(name, keep);
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  const button = document.getElementById("language");
  button.textContent = say("other");
  button.setAttribute("aria-label", say("other_label"));
  button.lang = other_language();
  draw_all(state);
  draw_lists();
}

speak(first_language(), false);
document.getElementById("language").addEventListener("click", () => speak(other_language(), true));
addEventListener("online", connect_soon);
document.addEventListener("visibilitychange", () => { if (!document.hidden) connect_soon(); });
setInterval(sample, sample_ms);
setInterval(() => draw_times(state), 1000);
setInterval(() => { if (state.link === "live" && !document.hidden) fetch_summary(); }, 10000);
connect();
