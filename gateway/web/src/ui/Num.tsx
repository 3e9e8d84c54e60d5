import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { agoText, durationText, momentText, moneyText, shortText, wholeText } from './figures';

/// A number with its unit. `short`: 4.58 M, with the exact one in the title.
export function Num({ value, unit, short, digits }: { value: number | null | undefined; unit?: string; short?: boolean; digits?: number }) {
  const { i18n } = useTranslation();
  if (value === null || value === undefined || !Number.isFinite(value)) return <span className="faint">–</span>;
  const exact = wholeText(value, i18n.language, digits);
  const named = unit ? `${exact} ${unit}` : exact;
  return (
    <span className="nums" title={named}>
      {short ? shortText(value, i18n.language) : exact}
      {unit && <span className="num-unit"> {unit}</span>}
    </span>
  );
}

/// An amount of money; what is estimated is for whoever shows it to say.
export function Money({ value, currency = 'USD' }: { value: number | null | undefined; currency?: string }) {
  const { i18n } = useTranslation();
  if (value === null || value === undefined) return <span className="faint">–</span>;
  return (
    <span className="nums" title={moneyText(value, currency, i18n.language, true)}>
      {moneyText(value, currency, i18n.language)}
    </span>
  );
}

/// A span of time that is given in milliseconds.
export function Duration({ ms }: { ms: number | null | undefined }) {
  const { i18n } = useTranslation();
  if (ms === null || ms === undefined) return <span className="faint">–</span>;
  return <span className="nums" title={`${wholeText(ms, i18n.language)} ms`}>{durationText(ms, i18n.language)}</span>;
}

/// How long ago, or in how long; the moment itself is in the title.
export function Ago({ at }: { at: string | null | undefined }) {
  const { i18n } = useTranslation();
  const now = useNow(15_000);
  if (!at) return <span className="faint">–</span>;
  return <time className="nums" dateTime={at} title={momentText(at, i18n.language)}>{agoText(at, now, i18n.language)}</time>;
}

/// A moment in full, in the zone that is given or the browser's own.
export function Moment({ at, zone }: { at: string | null | undefined; zone?: string }) {
  const { i18n } = useTranslation();
  if (!at) return <span className="faint">–</span>;
  return <time className="nums" dateTime={at} title={at}>{momentText(at, i18n.language, zone)}</time>;
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
