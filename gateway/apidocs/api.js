// The page of documentation: reads /openapi.json and shows it. Drawing is in api_parts.js.

import { current_language, first_language, other_language, set_language } from "./text.js";
import { words_of } from "./api_text.js";
import { make } from "./view.js";
import { read_schemas_of, resolved } from "./api_schema.js";
import { address, errors, fields, inline, operation, prose, verb } from "./api_parts.js";

const by_id = (id) => document.getElementById(id);
const methods = ["get", "post", "put", "patch", "delete"];
let all = null; // the document
let say = words_of("en");

/// Every operation with its own and its path's parameters, in the order of the document.
function operations() {
  const out = [];
  for (const [path, of_path] of Object.entries(all.paths))
    for (const method of methods)
      if (of_path[method]) out.push({ path, method, of: of_path[method], id: of_path[method].operationId, parameters: [...(of_path.parameters ?? []), ...(of_path[method].parameters ?? [])] });
  return out;
}

function entry(one, all_errors) {
  const needs = one.of.security ? "token" : "open";
  const out = make("details", { className: "operation", id: one.id }, make("summary", {}, verb(one.method), address(one.path),
    make("span", { className: "says", textContent: one.of.summary }), make("span", { className: `needs ${needs}`, textContent: say(needs), title: say(`${needs}_hint`) })));
  const body = make("div", { className: "inside" });
  out.append(body);
  out.addEventListener("toggle", () => {
    if (!out.open || body.children.length) return;
    body.append(...operation(one, all_errors, say));
  });
  return out;
}

function section(id, name, about, ...children) {
  return make("section", { className: "part", id }, make("h2", { textContent: name }), about ? make("p", { className: "lead" }, ...inline(about)) : null, ...children);
}

const anchor = (text) => text.replaceAll(" ", "-");
const link = (href, ...children) => make("a", { href: `#${href}` }, ...children);

function draw() {
  const list = operations();
  const all_errors = new Map(all.components.schemas.error_code.oneOf.map((one) => [one.const, one.description]));
  const links = by_id("links"), content = by_id("content");
  by_id("version").textContent = `OpenAPI ${all.openapi}`;
  const note = say("language_note");
  const parts = [section("start", all.info.title, all.info.summary, note ? make("p", { className: "about", textContent: note }) : null, prose(all.info.description))];
  const menu = [make("div", { className: "group" }, link("start", say("start")))];
  for (const { name, description } of all.tags) {
    const mine = list.filter((one) => one.of.tags.includes(name));
    if (!mine.length) continue;
    parts.push(section(anchor(name), say(`tag ${name}`), description, ...mine.map((one) => entry(one, all_errors))));
    menu.push(make("div", { className: "group" }, link(anchor(name), say(`tag ${name}`)), make("ul", {}, ...mine.map((one) =>
      make("li", { attributes: { "data-words": `${one.method} ${one.path} ${one.id} ${one.of.summary}`.toLowerCase(), "data-id": one.id } }, link(one.id, verb(one.method), make("span", { textContent: one.of.summary })))))));
  }
  const frames = resolved(all.components.schemas.frame).schema.oneOf.map((one) => resolved(one));
  parts.push(section("frames", say("frames"), all.components.schemas.frame.description, ...frames.map(({ schema }) => {
    const out = make("details", { className: "operation" }, make("summary", {}, make("code", { className: "path", textContent: schema.properties.type.const }), make("span", { className: "says", textContent: schema.description ?? "" })));
    out.addEventListener("toggle", () => { if (out.open && out.children.length === 1) out.append(make("div", { className: "inside" }, fields(schema, say))); });
    return out;
  })));
  const common = ["refused", "failed"].flatMap((name) => all.components.responses[name]["x-errors"]);
  parts.push(section("errors", say("errors"), say("try_errors"), errors(common, all_errors, say), errors([...all_errors.keys()].filter((code) => !common.includes(code)), all_errors, say)));
  menu.push(make("div", { className: "group" }, link("frames", say("frames"))), make("div", { className: "group" }, link("errors", say("errors"))));
  links.replaceChildren(...menu);
  content.replaceChildren(...parts);
  filter();
  follow();
}

/// Shows only operations with these words in them.
function filter() {
  const text = by_id("search").value.trim().toLowerCase();
  let found = 0;
  for (const item of document.querySelectorAll("[data-words]")) {
    const fits = text.split(/\s+/).every((word) => item.dataset.words.includes(word));
    item.hidden = !fits;
    by_id(item.dataset.id).hidden = !fits;
    found += fits;
  }
  for (const group of document.querySelectorAll(".group")) group.hidden = text !== "" && !group.querySelector("li:not([hidden])");
  for (const part of document.querySelectorAll(".part")) part.hidden = text !== "" && !part.querySelector(".operation[id]:not([hidden])");
  by_id("nothing").hidden = found > 0;
  by_id("nothing").textContent = say("nothing", { text });
}

/// Opens what the address names.
function follow() {
  const wanted = by_id(decodeURIComponent(location.hash.slice(1)));
  if (!wanted) return;
  if (wanted.localName === "details") wanted.open = true;
  requestAnimationFrame(() => wanted.scrollIntoView());
}

function speak(name, keep = false) {
  set_language(name, keep);
  say = words_of(current_language());
  document.title = `Key Portal ${say("title")}`;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  const button = by_id("language");
  button.textContent = say("other");
  button.setAttribute("aria-label", say("other_label"));
  by_id("search").placeholder = say("search");
  by_id("search").setAttribute("aria-label", say("search"));
  if (all) draw();
}

by_id("language").addEventListener("click", () => speak(other_language(), true));
by_id("search").addEventListener("input", filter);
addEventListener("hashchange", follow);
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, textarea")) return;
  event.preventDefault();
  by_id("search").focus();
});
document.addEventListener("click", (event) => { // the same link again
  const there = event.target.closest?.('a[href^="#"]');
  if (there && there.hash === location.hash) follow();
});

speak(first_language());
try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  all = await answer.json();
  read_schemas_of(all);
  draw();
} catch (error) {
  by_id("content").replaceChildren(make("p", { className: "empty", textContent: say("failed", { why: error.message }) }));
}
