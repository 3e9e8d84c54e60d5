// Draws operations, schemas and errors. Everything of the document becomes text, never markup.

import { make } from "./view.js";
import { example_of, object_in, resolved, type_words, without_null } from "./api_schema.js";

/// Paragraphs with `code` and **strong** in them.
export function prose(text, name = "prose") {
  const out = make("div", { className: name });
  for (const paragraph of text.trim().split(/\n\s*\n/)) out.append(make("p", {}, ...inline(paragraph)));
  return out;
}

export function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) =>
    part.startsWith("`") && part.length > 2 ? make("code", { textContent: part.slice(1, -1) })
    : part.startsWith("**") ? make("strong", { textContent: part.slice(2, -2) }) : part);
}

export const verb = (method) => make("span", { className: `verb ${method}`, textContent: method.toUpperCase() });

/// A path whose places stand out.
export function address(path) {
  return make("code", { className: "path" }, ...path.split(/(\{\w+\})/).map((part) =>
    part.startsWith("{") ? make("var", { textContent: part }) : part));
}

/// Text that can be copied.
export function listing(text, say) {
  const button = make("button", { type: "button", className: "quiet copy", textContent: say("copy") });
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); } catch { return; }
    button.textContent = say("copied");
    setTimeout(() => { button.textContent = say("copy"); }, 1500);
  });
  return make("div", { className: "listing" }, make("pre", { tabIndex: 0 }, make("code", { textContent: text })), button);
}

const pretty = (value) => JSON.stringify(value, null, 2);
const title = (text) => make("h4", { textContent: text });

/// Opens to what `fill` makes, when it is opened first.
function fold(label, fill, is_open = false) {
  const out = make("details", { className: "fold" }, make("summary", {}, ...[label].flat()));
  const open = () => { if (out.open && out.children.length === 1) out.append(...[fill()].flat()); };
  out.addEventListener("toggle", open);
  out.open = is_open;
  if (is_open) open();
  return out;
}

/// The fields of an object, those of objects in it folded. Of what is asked, those that are needed are marked; of an answer,
/// those that may be missing.
export function fields(schema, say, asked = false, depth = 0) {
  const list = make("ul", { className: "fields" });
  const entries = Object.entries(schema.properties ?? {});
  for (const [name, one] of entries) {
    const { schema: own } = resolved(one);
    const inner = object_in(one);
    const is_needed = schema.required?.includes(name);
    const about = own.description ?? resolved(without_null(one).schema).schema.description;
    const row = make("li", {}, make("div", { className: "field" },
      make("code", { className: "term", textContent: name }), make("span", { className: "kind", textContent: inner ? kind_of(one, inner, say) : type_words(one, say) }),
      asked && is_needed ? make("span", { className: "must", textContent: say("required") }) : null,
      asked || is_needed ? null : make("span", { className: "maybe", textContent: say("optional") })));
    if (about) row.append(make("p", { className: "about" }, ...inline(about)));
    if (inner && depth < 6) row.append(fold(say("fields"), () => fields(inner.schema, say, asked, depth + 1)));
    list.append(row);
  }
  if (!entries.length) list.append(make("li", { className: "about", textContent: say("no_fields") }));
  return list;
}

function kind_of(one, inner, say) {
  const { schema, nullable } = without_null(one);
  const is_list = resolved(schema).schema.type === "array";
  return `${is_list ? `${say("list_of")} ` : ""}${inner.name ?? "object"}${nullable ? ` ${say("or")} null` : ""}`;
}

/// `shown`: names of objects whose fields are there already.
function content(of, say, asked, shown = new Set()) {
  const out = [];
  for (const [kind, { schema, example }] of Object.entries(of ?? {})) {
    const inner = object_in(schema ?? {});
    const is_list = resolved(schema ?? {}).schema.type === "array";
    const text = kind === "application/json" || kind === "application/problem+json" ? pretty(example ?? example_of(schema ?? {})) : null;
    out.push(make("p", { className: "media" }, make("code", { textContent: kind }), inner ? null : ` ${type_words(schema ?? {}, say)}`));
    if (inner && !is_list && shown.has(inner.name)) out.push(fold(say("fields"), () => fields(inner.schema, say, asked)));
    else if (inner && !is_list) out.push(fields(inner.schema, say, asked));
    if (inner?.name) shown.add(inner.name);
    if (text && text !== "{}") out.push(fold(say("example"), () => listing(text, say)));
  }
  return out;
}

function parameters(list, say) {
  const body = make("tbody");
  for (const given of list) {
    const { schema: one } = resolved(given);
    body.append(make("tr", {},
      make("th", { scope: "row" }, make("code", { className: "term", textContent: one.name }), one.required ? make("span", { className: "must", textContent: say("required") }) : null),
      make("td", { textContent: say(`in_${one.in}`) }), make("td", { className: "kind", textContent: type_words(one.schema ?? {}, say) }),
      make("td", {}, ...inline(one.description ?? ""))));
  }
  const head = make("tr", {}, ...["name", "where", "type", "meaning"].map((name) => make("th", { scope: "col", textContent: say(name) })));
  return make("div", { className: "wide" }, make("table", { className: "grid plain-rows" }, make("thead", {}, head), body));
}

export function errors(codes, all, say) {
  const body = make("tbody");
  for (const code of codes) {
    const [, status, sentence] = all.get(code)?.match(/^(\d+): ([^]*)$/) ?? [null, "", ""];
    body.append(make("tr", {}, make("th", { scope: "row" }, make("code", { className: "term", textContent: code })), make("td", { textContent: status }), make("td", {}, ...inline(sentence))));
  }
  const head = make("tr", {}, ...["code", "status", "meaning"].map((name) => make("th", { scope: "col", textContent: say(name) })));
  return make("div", { className: "wide" }, make("table", { className: "grid plain-rows" }, make("thead", {}, head), body));
}

/// A call that can be pasted into a shell.
function shell(one) {
  const path = one.path.replace(/\{(\w+)\}/g, (_, name) => {
    const found = one.parameters.map((p) => resolved(p).schema).find((p) => p.in === "path" && p.name === name);
    return encodeURIComponent(String(found?.example ?? example_of(found?.schema ?? {})));
  });
  const lines = [`curl ${one.method === "get" ? "" : `-X ${one.method.toUpperCase()} `}"$KEYPORTAL${path}"`];
  if (one.of.security) lines.push(`-H "Authorization: Bearer $(cat $DATA/control.token)"`);
  const body = one.of.requestBody?.content["application/json"];
  if (body && (one.of.requestBody.required || body.example)) lines.push(`-d '${JSON.stringify(body.example ?? example_of(body.schema)).replaceAll("'", "'\\''")}'`);
  return lines.join(" \\\n  ");
}

function answer(status, given, say, shown) {
  const { schema: one } = resolved(given);
  const row = make("div", { className: "answer" }, make("span", { className: `status s${status[0]}`, textContent: status }), make("div", { className: "told" }, make("p", {}, ...inline(one.description ?? ""))));
  const told = row.lastChild;
  const headers = Object.entries(one.headers ?? {}).map(([name, header]) => [name, resolved(header).schema]);
  if (headers.length) told.append(make("p", { className: "about" }, `${say("headers")}: `, ...headers.flatMap(([name, header], at) =>
    [at ? ", " : "", make("code", { textContent: name }), header.description ? ` (${header.description})` : ""])));
  if (status < "4") told.append(...content(one.content, say, false, shown));
  return row;
}

/// All of one operation.
export function operation(one, all_errors, say) {
  const out = [];
  if (one.of.description) out.push(prose(one.of.description));
  if (one.parameters.length) out.push(title(say("parameters")), parameters(one.parameters, say));
  const body = one.of.requestBody;
  if (body) {
    out.push(make("h4", {}, say("body"), body.required ? null : make("span", { className: "maybe", textContent: say("body_optional") })));
    if (body.description) out.push(make("p", { className: "about" }, ...inline(body.description)));
    out.push(...content(body.content, say, true));
  }
  if (one.path !== "/ws") out.push(title(say("command")), listing(shell(one), say));
  const shown = new Set();
  out.push(title(say("answers")), ...Object.entries(one.of.responses).map(([status, given]) => answer(status, given, say, shown)));
  if (one.of["x-errors"]) out.push(title(say("own_errors")), errors(one.of["x-errors"], all_errors, say));
  return out;
}
