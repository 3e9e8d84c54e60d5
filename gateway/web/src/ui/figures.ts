// Figures as people read them. Languages are those of the page.

const kept = new Map<string, Intl.NumberFormat>();
function formatter(language: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const name = language + JSON.stringify(options);
  let one = kept.get(name);
  if (!one) kept.set(name, (one = new Intl.NumberFormat(language, options)));
  return one;
}

/// In full, with its groups: 1,284,331.
export function wholeText(value: number, language: string, digits = 2): string {
  return formatter(language, { maximumFractionDigits: digits }).format(value);
}

/// With three digits that count: 4.58M, 12.3K; 457.9万 in Chinese.
export function shortText(value: number, language: string): string {
  if (Math.abs(value) < 1000) return wholeText(value, language);
  return formatter(language, { notation: 'compact', maximumSignificantDigits: 4, minimumFractionDigits: 0 }).format(value);
}

/// Small amounts keep two digits that count, so that a tenth of a cent is not nothing.
export function moneyText(value: number, currency: string, language: string, exact = false): string {
  const digits = exact ? 6 : Math.abs(value) >= 1 || value === 0 ? 2 : Math.min(6, 1 - Math.floor(Math.log10(Math.abs(value))));
  return formatter(language, {
    style: 'currency',
    currency,
    currencyDisplay: 'narrowSymbol',
    minimumFractionDigits: 2,
    maximumFractionDigits: Math.max(2, digits),
  }).format(value);
}

export function percentText(part: number, language: string, digits = 1): string {
  return formatter(language, { style: 'percent', maximumFractionDigits: digits }).format(part);
}

export function bytesText(bytes: number, language: string): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let step = 0;
  while (Math.abs(bytes) >= 1000 && step < units.length - 1) [bytes, step] = [bytes / 1000, step + 1];
  return `${wholeText(bytes, language, bytes < 10 && step ? 2 : bytes < 100 && step ? 1 : 0)} ${units[step]}`;
}

function unitText(value: number, unit: string, language: string, digits = 0): string {
  return formatter(language, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: digits }).format(value);
}

export function durationText(ms: number, language: string): string {
  if (ms < 1000) return unitText(ms, 'millisecond', language);
  const seconds = ms / 1000;
  if (seconds < 60) return unitText(seconds, 'second', language, seconds < 10 ? 2 : 1);
  const parts: string[] = [];
  let rest = Math.round(seconds);
  for (const [unit, size] of [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]] as const) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(unitText(count, unit, language));
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

const steps = [
  ['year', 365 * 86400], ['month', 30 * 86400], ['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1],
] as const;

const relative = new Map<string, Intl.RelativeTimeFormat>();
export function agoText(at: string, now: number, language: string): string {
  const seconds = Math.round((Date.parse(at) - now) / 1000);
  if (!Number.isFinite(seconds)) return at;
  let format = relative.get(language);
  if (!format) relative.set(language, (format = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' })));
  if (Math.abs(seconds) < 10) return format.format(0, 'second');
  const [unit, size] = steps.find(([, one]) => Math.abs(seconds) >= one) ?? steps[5];
  return format.format(Math.trunc(seconds / size), unit);
}

// To make one takes longer than to write a hundred moments with it, and a page writes hundreds.
const moments = new Map<string, Intl.DateTimeFormat>();
export function momentText(at: string | number, language: string, zone?: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const name = `${language} ${zone ?? ''}`;
  let one = moments.get(name);
  if (!one) moments.set(name, (one = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium', timeZone: zone })));
  return one.format(date);
}
