// Keys in what people paste: lines of "key, owner, label", user_keys.json or key_pool.json of the Python portal.
export interface Imported { text: string; owner: string; label: string; created_at?: string }
export interface Read { keys: Imported[]; faults: number }

const canBeKey = /^[!-~]{8,512}$/;

export function keysIn(given: string): Read {
  const text = given.trim();
  if (text === '') return { keys: [], faults: 0 };
  if (text.startsWith('{')) {
    try {
      return fromJson(JSON.parse(text) as Record<string, unknown>);
    } catch {
      return { keys: [], faults: 1 };
    }
  }
  const keys: Imported[] = [];
  let faults = 0;
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const [key = '', owner = '', ...label] = line.split(/[,;\t]/).map((one) => one.trim());
    if (canBeKey.test(key)) keys.push({ text: key, owner, label: label.join(', ') });
    else faults += 1;
  }
  return distinct(keys, faults);
}

function fromJson(file: Record<string, unknown>): Read {
  const keys: Imported[] = [];
  let faults = 0;
  const add = (text: unknown, owner: unknown, label: unknown = '', at?: unknown): void => {
    if (typeof text === 'string' && canBeKey.test(text))
      keys.push({ text, owner: typeof owner === 'string' ? owner : '', label: typeof label === 'string' ? label : '', ...(typeof at === 'string' && !Number.isNaN(Date.parse(at)) ? { created_at: new Date(at).toISOString() } : {}) });
    else faults += 1;
  };
  const table = (one: unknown): [string, unknown][] => (one && typeof one === 'object' && !Array.isArray(one) ? Object.entries(one) : []);
  for (const [text, one] of table(file.keys)) {
    const key = (one ?? {}) as Record<string, unknown>;
    add(text, key.email, key.label, key.created_at);
  }
  for (const [text, owner] of table(file.assigned)) add(text, owner);
  for (const text of Array.isArray(file.unused) ? (file.unused as unknown[]) : []) add(text, '');
  return distinct(keys, faults);
}

function distinct(keys: Imported[], faults: number): Read {
  return { keys: [...new Map(keys.map((one) => [one.text, one])).values()], faults };
}
