import { useEffect, useState } from 'react';
import { useLanguage } from '../i18n/language';
import { agoText, durationText, momentText, moneyText, shortText, wholeText } from './figures';

/// A number with its unit. `short`: 4.58 M, with the exact one in the title.
export function Num({ value, unit, short, digits }: { value: number | null | undefined; unit?: string; short?: boolean; digits?: number }) {
  const language = useLanguage();
  if (value === null || value === undefined || !Number.isFinite(value)) return <span className="faint">–</span>;
  const exact = wholeText(value, language, digits);
  const named = unit ? `${exact} ${unit}` : exact;
  return (
    <span className="nums" title={named}>
      {short ? shortText(value, language) : exact}
      {unit && <span className="num-unit"> {unit}</span>}
    </span>
  );
}

/// An amount of money; what is estimated is for whoever shows it to say.
export function Money({ value, currency = 'USD' }: { value: number | null | undefined; currency?: string }) {
  const language = useLanguage();
  if (value === null || value === undefined) return <span className="faint">–</span>;
  return (
    <span className="nums" title={moneyText(value, currency, language, true)}>
      {moneyText(value, currency, language)}
    </span>
  );
}

/// A span of time that is given in milliseconds.
export function Duration({ ms }: { ms: number | null | undefined }) {
  const language = useLanguage();
  if (ms === null || ms === undefined) return <span className="faint">–</span>;
  return <span className="nums" title={`${wholeText(ms, language)} ms`}>{durationText(ms, language)}</span>;
}

/// How long ago, or in how long; the moment itself is in the title.
export function Ago({ at }: { at: string | null | undefined }) {
  const language = useLanguage();
  const now = useNow(15_000);
  if (!at) return <span className="faint">–</span>;
  return <time className="nums" dateTime={at} title={momentText(at, language)}>{agoText(at, now, language)}</time>;
}

/// A moment in full, in the zone that is given or the browser's own.
export function Moment({ at, zone }: { at: string | null | undefined; zone?: string }) {
  const language = useLanguage();
  if (!at) return <span className="faint">–</span>;
  return <time className="nums" dateTime={at} title={at}>{momentText(at, language, zone)}</time>;
}

/// The moment of now, again after each `everyMs`.
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
