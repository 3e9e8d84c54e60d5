// What is known of the service, kept up to date over one WebSocket. Drawing is in view.js and lists.js.

import { first_language, other_language, say, set_language } from "./text.js";
import { draw_all, draw_link, draw_nodes, draw_numbers, draw_times, toast } from "./view.js";
import { draw_restarts, draw_snapshots } from "./lists.js";

const sample_ms = 2000;
const samples_kept = 60;

const state = {
  link: "wait",
  last_frame: null,
  position: 0,
  known: false,
  nodes: new Map(), // name -> {overview, position, samples: [{at, tokens}]}
  publisher: null,
  demo: false,
  restarts: new Map(), // node -> list
  snapshots: new Map(),
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
  if ("publisher" in all) Object.assign(state, { publisher: all.publisher, demo: all.demo });
}

function take_usage(update) {
  const one = state.nodes.get(update.node);
  if (!one || update.position < one.position) return;
  one.position = update.position;
  one.overview.totals = update.totals;
  one.overview.today = update.today;
  state.position = Math.max(state.position, update.position);
}

const interesting = { restarted: "bad", restored: "good", down: "bad", up: "good", incomplete: "bad" };

function take_event(event) {
  if (event.kind in interesting) toast(say(`toast_${event.kind}`, { node: event.node }), interesting[event.kind]);
  if (["restarted", "restored", "incomplete"].includes(event.kind)) fetch_restarts(event.node);
  if (event.kind === "snapshot") fetch_snapshots(event.node);
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
        known?.last_restart?.restore.state !== frame.last_restart?.restore.state) fetch_restarts(frame.node);
    if (known?.last_snapshot?.id !== frame.last_snapshot?.id) fetch_snapshots(frame.node);
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

async function fetch_restarts(node) {
  try {
    state.restarts.set(node, (await fetch_json(`api/v1/nodes/${encodeURIComponent(node)}/restarts?limit=20`)).items);
    draw_restarts(state);
  } catch { /* the next event or connection tries again */ }
}

async function fetch_snapshots(node) {
  try {
    state.snapshots.set(node, (await fetch_json(`api/v1/nodes/${encodeURIComponent(node)}/snapshots`)).items);
    draw_snapshots(state);
  } catch { /* as above */ }
}

function fetch_lists() {
  for (const map of [state.restarts, state.snapshots])
    for (const node of map.keys()) if (!state.nodes.has(node)) map.delete(node);
  for (const node of state.nodes.keys()) {
    fetch_restarts(node);
    fetch_snapshots(node);
  }
  draw_restarts(state);
  draw_snapshots(state);
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
  draw_restarts(state);
  draw_snapshots(state);
}

speak(first_language(), false);
document.getElementById("language").addEventListener("click", () => speak(other_language(), true));
addEventListener("online", connect_soon);
document.addEventListener("visibilitychange", () => { if (!document.hidden) connect_soon(); });
setInterval(sample, sample_ms);
setInterval(() => draw_times(state), 1000);
setInterval(() => { if (state.link === "live" && !document.hidden) fetch_summary(); }, 10000);
connect();
