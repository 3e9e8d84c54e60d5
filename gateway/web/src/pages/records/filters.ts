// Filters of single requests, as the address and the API name them.
export const filterNames = ['node', 'key', 'user', 'group', 'model', 'alias', 'provider', 'account', 'endpoint', 'outcome', 'status'] as const;
export type FilterName = (typeof filterNames)[number];
/// One's own requests are not told by account, and all are one's own.
export const ownFilterNames: readonly FilterName[] = ['node', 'key', 'model', 'alias', 'provider', 'endpoint', 'outcome', 'status'];

/// What is set of them; several texts of one filter stand with a line between them in the address, since names hold commas.
export function filtersIn(values: Record<string, string>): Record<string, string[]> {
  const out: Record<string, string[]> = {};
  for (const name of filterNames) {
    const some = (values[name] ?? '').split('|').filter((one) => one !== '');
    if (some.length) out[name] = some;
  }
  return out;
}

export function withFilter(values: Record<string, string>, name: FilterName, text: string): string {
  const some = (values[name] ?? '').split('|').filter((one) => one !== '');
  return some.includes(text) ? some.join('|') : [...some, text].join('|');
}

export function withoutFilter(values: Record<string, string>, name: FilterName, text: string): string {
  return (values[name] ?? '').split('|').filter((one) => one !== '' && one !== text).join('|');
}
