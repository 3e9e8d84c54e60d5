// Draws the numbers and the nodes. Everything from outside becomes text, never markup.

import { ago, bytes, compact, moment, say, whole } from "./text.js";

const by_id = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");

/// An element with properties, attributes (keys with a dash or in `attributes`) and children.
export function make(tag, { attributes = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// --- numbers that rise ------------------------------------------------------------

const shown = new WeakMap(); // element -> {from, to, began, write}

/// Lets the number of an element run to its new value.
function run_to(element, value, write = whole) {
  const now = performance.now();
  const old = shown.get(element);
  if (old && old.to === value && old.write === write) return;
  const from = old ? at(old, now) : value;
  const going = { from, to: value, began: now, write };
  shown.set(element, going);
  const step = (time) => {
    if (shown.get(element) !== going) return;
    element.textContent = write(Math.round(at(going, time)));
    if (time - going.began < run_ms && !still.matches) requestAnimationFrame(step);
  };
  step(still.matches || !old ? now + run_ms : now);
}

const run_ms = 900;
function at(going, time) {
  const part = Math.min(1, Math.max(0, (time - going.began) / run_ms));
  return going.from + (going.to - going.from) * (1 - (1 - part) ** 3);
}

// --- rates and their pictures ----------------------------------------------------------

const points_shown = 60;
const smooth = 5; // polls bring records every few seconds: a mean over some samples shows the flow

/// Tokens a minute at each sample, oldest first.
function rates(samples) {
  const out = [];
  for (let i = 1; i < samples.length; i += 1) {
    const from = samples[Math.max(0, i - smooth)];
    const minutes = (samples[i].at - from.at) / 60000;
    out.push(minutes > 0 ? Math.max(0, (samples[i].tokens - from.tokens) / minutes) : 0);
  }
  return out.slice(-points_shown);
}

const svg = (tag, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

/// A line over its area, as wide as its place; the newest value at the right edge. With few values it says little of
/// the span, so whoever shows one says that.
function spark(place, values, width, height) {
  let picture = place.firstElementChild;
  if (!picture) {
    picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    picture.append(svg("path", { class: "area" }), svg("path", { class: "line", "vector-effect": "non-scaling-stroke" }));
    place.append(picture);
  }
  const top = Math.max(...values, 1) * 1.12;
  const step = width / Math.max(1, values.length - 1); // all there is, over the whole width
  const line = values.map((value, i) => [
    (width - (values.length - 1 - i) * step).toFixed(1), (height - 2 - (value / top) * (height - 4)).toFixed(1)]);
  const [area, stroke] = picture.children;
  if (line.length < 2) {
    area.setAttribute("d", "");
    stroke.setAttribute("d", `M0 ${height - 2}H${width}`);
    return;
  }
  const path = `M${line.map((point) => point.join(" ")).join("L")}`;
  stroke.setAttribute("d", path);
  area.setAttribute("d", `${path}L${width} ${height}L${line[0][0]} ${height}Z`);
}

const sum = (lists) => {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  const out = new Array(longest).fill(0);
  for (const list of lists) list.forEach((value, i) => { out[longest - list.length + i] += value; });
  return out;
};

// --- the cards ---------------------------------------------------------------------------

/// When the oldest of the `count` newest samples was taken.
function one_sample(state, count) {
  for (const { samples } of state.nodes.values()) if (samples.length >= count && count > 1) return samples.at(-count).at;
  return null;
}

function draw_rate(state) {
  const all = sum([...state.nodes.values()].map((one) => rates(one.samples)));
  const now = all.at(-1) ?? 0;
  run_to(by_id("rate"), Math.round(now), compact);
  spark(by_id("chart"), all, 600, 120);
  by_id("chart").setAttribute("aria-label", say("chart", { n: compact(now) }));
  const samples = Math.max(0, ...[...state.nodes.values()].map((one) => one.samples.length));
  const seen = one_sample(state, Math.min(samples, points_shown));
  by_id("chart-begin").textContent = seen ? ago(new Date(seen).toISOString()) : "";
}

function draw_split(ok, failed) {
  const place = by_id("split");
  if (!place.firstElementChild) {
    const picture = svg("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" });
    picture.append(svg("rect", { class: "rest", width: 100, height: 6 }), svg("rect", { class: "part", height: 6 }));
    place.append(picture);
  }
  const all = ok + failed;
  place.firstElementChild.lastElementChild.setAttribute("width", all ? (100 * ok) / all : 0);
  place.classList.toggle("blank", all === 0);
  place.setAttribute("aria-label", say("split", { ok: whole(ok), all: whole(all) }));
}

function draw_survived(state) {
  let restarts = 0, lost = 0, missing = 0;
  for (const one of state.nodes.values()) restarts += one.overview.restarts;
  for (const one of state.nodes.values()) missing += one.overview.condition.missing ?? 0;
  for (const list of state.restarts.values()) for (const one of list) lost += one.lost.expected_records;
  by_id("survived").classList.toggle("warn", missing > 0);
  by_id("survived").textContent = missing > 0 ? say("missing_all", { n: whole(missing) }) : restarts === 0 ? say("survived_none")
    : lost > 0 ? say(restarts === 1 ? "survived_lost_one" : "survived_lost", { n: whole(restarts), lost: whole(lost) })
    : say(restarts === 1 ? "survived_one" : "survived_many", { n: whole(restarts) });
}

export function draw_numbers(state) {
  if (!state.known) return;
  const total = { tokens: 0, requests: 0, ok: 0, failed: 0, today_tokens: 0, today_requests: 0 };
  for (const { overview: { totals, today } } of state.nodes.values()) {
    total.tokens += totals.tokens.total;
    total.requests += totals.requests;
    total.ok += totals.ok;
    total.failed += totals.failed;
    total.today_tokens += today.tokens.total;
    total.today_requests += today.requests;
  }
  run_to(by_id("tokens"), total.tokens);
  run_to(by_id("requests"), total.requests);
  run_to(by_id("ok"), total.ok);
  run_to(by_id("failed"), total.failed);
  run_to(by_id("today-tokens"), total.today_tokens);
  run_to(by_id("today-requests"), total.today_requests);
  run_to(by_id("records"), total.requests);
  by_id("failed").classList.toggle("calm", total.failed === 0);
  draw_split(total.ok, total.failed);
  draw_rate(state);
  draw_survived(state);
  by_id("demo").hidden = !state.demo;
  const letters = state.ledger?.dead_letters ?? 0;
  by_id("letters").hidden = letters === 0;
  by_id("letters").textContent = say("letters", { n: whole(letters) });
  const link = state.publisher;
  if (link) run_to(by_id("shipped"), link.shipped);
  by_id("stream").textContent = say(link ? (link.connected ? "stream_up" : "stream_down") : "stream_none");
  by_id("stream").title = link ? [link.url, link.problem].filter(Boolean).join(" – ") : "";
}

// --- the nodes -----------------------------------------------------------------------------

const rows = new Map(); // node -> {row, parts}

function make_row(name) {
  const parts = {
    light: make("i", { className: "light", attributes: { role: "img" } }), url: make("span", { className: "sub" }),
    problem: make("span", { className: "problem" }), missing: make("span", { className: "problem warn" }),
    version: make("span"), collecting: make("span", { className: "sub" }),
    tokens: make("span"), requests: make("span"), failed: make("span", { className: "sub" }),
    today: make("span"), today_requests: make("span", { className: "sub" }),
    spark: make("span", { className: "spark" }), rate: make("span", { className: "sub" }),
    snapshot: make("span"), snapshot_size: make("span", { className: "sub" }),
  };
  const cell = (label, ...children) => make("td", { className: "right", attributes: { "data-label": label } }, ...children);
  parts.labels = [["tokens", parts.tokens], ["requests", parts.requests], ["today", parts.today], ["last_snapshot", parts.snapshot], ["version", parts.version]];
  const row = make("tr", {},
    make("th", { attributes: { scope: "row" } },
      make("div", { className: "name" }, parts.light, make("div", {}, make("span", { className: "title", textContent: name }), parts.url, parts.problem, parts.missing))),
    make("td", {}, parts.version, parts.collecting),
    cell("", parts.tokens), cell("", parts.requests, parts.failed), cell("", parts.today, parts.today_requests),
    make("td", { className: "live" }, parts.spark, parts.rate), cell("", parts.snapshot, parts.snapshot_size));
  return { row, parts };
}

function draw_node(name, { overview, samples }) {
  if (!rows.has(name)) rows.set(name, make_row(name));
  const { row, parts } = rows.get(name);
  const { condition, totals, today, last_snapshot } = overview;
  for (const [label, part] of parts.labels) part.parentElement.dataset.label = say(label);
  const since = condition.since ? say("state_since", { state: say(condition.state), when: moment(condition.since) }) : say(condition.state);
  parts.light.className = `light ${condition.state}`;
  parts.light.setAttribute("aria-label", since);
  parts.light.title = since;
  parts.url.textContent = condition.url;
  parts.problem.textContent = condition.problem;
  parts.problem.hidden = !condition.problem;
  parts.version.textContent = condition.version || say("no_version");
  parts.collecting.textContent = condition.collecting ? say(`collecting_${condition.collecting}`) : "";
  parts.collecting.title = condition.collecting ? say(`collecting_${condition.collecting}_hint`) : "";
  parts.missing.textContent = say("missing", { n: whole(condition.missing) });
  parts.missing.hidden = !condition.missing;
  run_to(parts.tokens, totals.tokens.total);
  run_to(parts.requests, totals.requests);
  parts.failed.textContent = `${whole(totals.failed)} ${say("failed")}`;
  parts.failed.classList.toggle("bad", totals.failed > 0);
  run_to(parts.today, today.tokens.total);
  parts.today_requests.textContent = `${whole(today.requests)} ${say("requests_small")}`;
  const flow = rates(samples);
  spark(parts.spark, flow, 120, 28);
  parts.rate.textContent = say("each_minute", { n: compact(Math.round(flow.at(-1) ?? 0)) });
  parts.snapshot.textContent = last_snapshot ? ago(last_snapshot.made_at) : say("none");
  parts.snapshot.title = last_snapshot ? moment(last_snapshot.made_at) : "";
  parts.snapshot_size.textContent = last_snapshot ? bytes(last_snapshot.json_bytes) : "";
  return row;
}

export function empty(id, title, hint, show) {
  const place = by_id(id);
  place.hidden = !show;
  place.replaceChildren(make("strong", { textContent: say(title) }), make("span", { textContent: say(hint) }));
}

export function draw_nodes(state) {
  if (!state.known) return;
  const wanted = [...state.nodes].map(([name, one]) => draw_node(name, one));
  const body = by_id("node-rows");
  if (wanted.length !== body.children.length || wanted.some((row, i) => body.children[i] !== row)) body.replaceChildren(...wanted);
  by_id("node-table").hidden = wanted.length === 0;
  by_id("node-count").textContent = wanted.length ? whole(wanted.length) : "";
  empty("no-nodes", "no_nodes", "no_nodes_hint", wanted.length === 0);
}

// --- the rest ------------------------------------------------------------------------------

export function draw_link(state) {
  by_id("link").className = `pill ${state.link}`;
  by_id("link-text").textContent = say(`link_${state.link}`);
  by_id("link").title = state.link === "lost" ? say("link_lost_hint", { when: moment(state.last_frame) }) : "";
  document.body.classList.toggle("stale", state.link === "lost");
}

export function draw_times(state) {
  for (const element of document.querySelectorAll("[data-ago]")) element.textContent = ago(element.dataset.ago);
  draw_nodes(state);
}

export function draw_all(state) {
  draw_link(state);
  draw_numbers(state);
  draw_nodes(state);
}

export function toast(text, mood) {
  const one = make("div", { className: `toast ${mood}`, textContent: text });
  by_id("toasts").append(one);
  while (by_id("toasts").children.length > 4) by_id("toasts").firstElementChild.remove();
  setTimeout(() => one.remove(), 8000);
}
