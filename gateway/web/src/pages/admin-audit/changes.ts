import type { Schemas } from '../../api/types';

export interface Changed { name: string; fields: { name: string; before: string; after: string }[] }

const shown = (value: unknown): string => (value === null || value === undefined || value === '' ? '–' : typeof value === 'object' ? (Array.isArray(value) && value.length === 0 ? '–' : JSON.stringify(value)) : String(value));

/// What an entry changed, thing by thing: the fields that differ.
export function changesOf(entry: Schemas['entry']): Changed[] {
  const all: Changed[] = [];
  for (const kind of ['users', 'keys', 'policies', 'prices'] as const)
    for (const one of entry[kind]) {
      const before = (one.before ?? {}) as Record<string, unknown>;
      const after = (one.after ?? {}) as Record<string, unknown>;
      const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => name !== 'changed_at' && shown(before[name]) !== shown(after[name]));
      const label = [after, before].map((some) => some.email ?? some.label ?? some.name ?? some.model).find((text) => typeof text === 'string' && text !== '');
      all.push({ name: label ? `${String(label)} (${one.id})` : one.id, fields: names.map((name) => ({ name, before: shown(before[name]), after: shown(after[name]) })) });
    }
  for (const one of entry.access) all.push({ name: `${one.kind} ${one.owner}`, fields: [{ name: one.kind, before: one.change === 'made' ? '–' : '•', after: one.change }] });
  return all;
}
