// Reads the schemas of the document: what a value is in words, its fields, and an example of it.

let document_ = null;
export function read_schemas_of(all) { document_ = all; }

/// Behind its reference, if it is one; `name` is that of the schema.
export function resolved(schema) {
  let name = null, out = schema ?? {};
  while (out.$ref) {
    const path = out.$ref.slice(2).split("/");
    name = path.at(-1);
    const { $ref, ...beside } = out;
    out = { ...path.reduce((value, part) => value[part], document_), ...beside };
  }
  return { name, schema: out };
}

const is_null = (schema) => schema.type === "null";

/// Without "or null", and whether it was there.
export function without_null(schema) {
  const { schema: own } = resolved(schema);
  if (own.anyOf?.some(is_null)) {
    const rest = own.anyOf.filter((one) => !is_null(one));
    return { schema: rest.length === 1 ? rest[0] : { anyOf: rest }, nullable: true };
  }
  if (Array.isArray(own.type) && own.type.includes("null"))
    return { schema: { ...own, type: own.type.length === 2 ? own.type.find((t) => t !== "null") : own.type.filter((t) => t !== "null") }, nullable: true };
  return { schema, nullable: false };
}

/// As in "list of text, at most 64 entries".
export function type_words(given, say) {
  const { schema: bare, nullable } = without_null(given);
  const { schema } = resolved(bare);
  const end = nullable ? ` ${say("or")} null` : "";
  if ("const" in schema) return JSON.stringify(schema.const) + end;
  if (schema.enum) return `${say("one_of")} ${schema.enum.map((one) => (one === "" ? '""' : String(one))).join(", ")}${end}`;
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices?.every((one) => "const" in one)) return "string" + end;
  if (choices) return choices.map((one) => type_words(one, say)).join(` ${say("or")} `) + end;
  const kinds = [schema.type ?? say("any")].flat();
  const told = kinds.map((kind) => (kind === "array" ? `${say("list_of")} ${type_words(schema.items ?? {}, say)}` : kind));
  return told.join(` ${say("or")} `) + [format_of(schema), limits_of(schema, say)].filter(Boolean).map((text) => `, ${text}`).join("") + end;
}

const format_of = (schema) => ({ "date-time": "RFC 3339", date: "2026-04-02" })[schema.format] ?? schema.format;

function limits_of(schema, say) {
  const { minimum: from, maximum: to } = schema;
  const out = [];
  if (from !== undefined && to !== undefined) out.push(say("from_to", { from, to }));
  else if (from !== undefined && from !== 0) out.push(say("at_least", { from }));
  else if (to !== undefined) out.push(say("at_most", { to }));
  if (schema.maxItems !== undefined) out.push(say("at_most_items", { to: schema.maxItems }));
  if (schema.maxLength !== undefined) out.push(say("at_most_letters", { to: schema.maxLength }));
  if (schema.default !== undefined) out.push(say("by_default", { value: JSON.stringify(schema.default) }));
  return out.join(", ");
}

/// The object whose fields are to be shown for a value: itself, or what is in its list. Null if there is none.
export function object_in(given) {
  const { schema: bare } = without_null(given);
  const { name, schema } = resolved(bare);
  if (schema.properties) return { name, schema };
  return schema.items ? object_in(schema.items) : null;
}

const samples = {
  "date-time": "2026-04-02T08:00:00.000Z", date: "2026-04-02", "^[a-z0-9-]{1,32}$": "default",
  "^([0-9a-f]{64})?$": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "^[0-9a-f]{64}$": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
};

/// A value that the schema takes.
export function example_of(given, depth = 0) {
  const { schema: bare } = without_null(given);
  const { schema } = resolved(bare);
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.length) return schema.examples[0];
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.default !== undefined) return schema.default;
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return example_of(choices[0], depth);
  const kind = [schema.type].flat()[0];
  if (kind === "object" || schema.properties) {
    const out = {};
    if (depth < 5) for (const [name, one] of Object.entries(schema.properties ?? {})) out[name] = example_of(one, depth + 1);
    return out;
  }
  if (kind === "array") return depth < 5 && schema.items ? [example_of(schema.items, depth + 1)] : [];
  if (kind === "integer" || kind === "number") return Math.max(schema.minimum ?? 0, 1);
  if (kind === "boolean") return false;
  return samples[schema.format] ?? samples[schema.pattern] ?? "…";
}
