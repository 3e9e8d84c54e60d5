// Spans of time that a page shows: what the address says, and the moments that it means.

export const rangeNames = ['today', 'yesterday', '24h', '7d', '30d', 'all', 'custom'] as const;
export type RangeName = (typeof rangeNames)[number];

export interface Span {
  /// RFC 3339 in UTC; null where it has no beginning (`all`).
  from: string | null;
  to: string | null;
}

/// How far a zone is from UTC at a moment, in milliseconds.
export function offsetAt(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric',
    hour: 'numeric', minute: 'numeric', second: 'numeric',
  }).formatToParts(at);
  const part = (type: string): number => Number(parts.find((one) => one.type === type)?.value);
  const there = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  return there - Math.floor(at / 1000) * 1000;
}

/// The moment at which clocks of a zone show that: '2026-03-01' or '2026-03-01T08:30'.
export function momentIn(zone: string, local: string): number {
  const [day = '', time = '00:00'] = local.split('T');
  const shown = Date.parse(`${day}T${time.length === 5 ? `${time}:00` : time}Z`);
  // Twice, since the offset before a change of clocks may not be the one after it.
  const first = shown - offsetAt(shown, zone);
  return shown - offsetAt(first, zone);
}

/// What clocks of a zone show at a moment, as inputs of type datetime-local take it.
export function localIn(zone: string, at: number): string {
  return new Date(at + offsetAt(at, zone)).toISOString().slice(0, 16);
}

function midnight(zone: string, at: number, days = 0): number {
  const [year, month, day] = localIn(zone, at).slice(0, 10).split('-').map(Number);
  return momentIn(zone, new Date(Date.UTC(year!, month! - 1, day! + days)).toISOString().slice(0, 10));
}

const hour = 3_600_000;

/// The moments that a range means now. `from` and `to` are moments themselves where it is `custom`.
export function spanOf(range: RangeName, zone: string, now: number, from?: string, to?: string): Span {
  const span = (begin: number, end: number): Span => ({ from: new Date(begin).toISOString(), to: new Date(end).toISOString() });
  switch (range) {
    case 'today': return span(midnight(zone, now), now);
    case 'yesterday': return span(midnight(zone, now, -1), midnight(zone, now));
    case '24h': return span(now - 24 * hour, now);
    case '7d': return span(now - 7 * 24 * hour, now);
    case '30d': return span(now - 30 * 24 * hour, now);
    case 'all': return { from: null, to: null };
    case 'custom': {
      const begin = Date.parse(from ?? '');
      const end = Date.parse(to ?? '');
      if (Number.isNaN(begin) || Number.isNaN(end) || begin >= end) return span(now - 24 * hour, now);
      return span(begin, end);
    }
  }
}

export function browserZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return name !== '';
  } catch {
    return false;
  }
}
export function zones(): string[] {
  const all = (Intl as unknown as { supportedValuesOf?: (what: string) => string[] }).supportedValuesOf?.('timeZone') ?? [];
  return [...new Set(['UTC', browserZone(), 'Asia/Shanghai', ...all])];
}
