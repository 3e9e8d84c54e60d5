import { memo } from 'react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { changeOf, successRate } from '../../api/usage';
import type { Amounts, Report } from '../../api/usage';
import { Duration, Money, Num, percentText, Sparkline, Stat } from '../../ui';

interface Figure {
  key: string;
  label: string;
  value: ReactNode;
  note?: ReactNode;
  of: (one: Amounts) => number | null;
  /// More of it is worse.
  bad?: boolean;
}

const percent = (value: number | null, language: string): string => (value === null ? '–' : percentText(value, language));

/// The cards: a figure each, its course, and the change to the span before.
export const Figures = memo(function Figures({ report }: { report: Report }) {
  const { t, i18n } = useTranslation('overview');
  const { total } = report;
  const parts = total.token_parts;
  const perMinute = total.per_minute;
  const figures: Figure[] = [
    { key: 'requests', label: t('requests'), value: <Num value={total.requests} short />, note: t('ok_failed', { ok: total.ok, failed: total.failed }), of: (one) => one.requests },
    { key: 'success', label: t('success'), value: percent(successRate(total), i18n.language), note: t('failed', { count: total.failed }), of: successRate },
    { key: 'tokens', label: t('tokens'), value: <Num value={total.tokens.total} short />, of: (one) => one.tokens.total,
      note: <>{t('input')} <Num value={parts.uncached_input + parts.cache_read + parts.cache_write} short /> · {t('output')} <Num value={parts.output + parts.reasoning} short /></> },
    { key: 'cache', label: t('cache'), value: percent(total.cache_rate ?? null, i18n.language), note: <>{t('cache_read')} <Num value={parts.cache_read} short /></>, of: (one) => one.cache_rate ?? null },
    { key: 'cost', label: t('cost'), value: <Money value={total.cost_usd} />, note: total.unpriced ? t('unpriced', { count: total.unpriced }) : t('all_priced'), of: (one) => one.cost_usd, bad: true },
    { key: 'latency', label: t('latency'), value: <Duration ms={total.latency_percentiles?.p50 ?? total.latency_ms} />, of: (one) => one.latency_ms ?? null, bad: true,
      note: total.latency_percentiles ? <>p95 <Duration ms={total.latency_percentiles.p95} /> · p99 <Duration ms={total.latency_percentiles.p99} /></> : undefined },
    { key: 'rpm', label: t('rpm'), value: <Num value={perMinute?.requests} digits={1} />, note: t('per_minute_note'), of: (one) => one.requests },
    { key: 'tpm', label: t('tpm'), value: <Num value={perMinute?.tokens} short />, note: t('per_minute_note'), of: (one) => one.tokens.total },
  ];
  return (
    <div className="overview-cards">
      {figures.map((figure) => (
        <Stat key={figure.key} label={figure.label} value={figure.value} note={figure.note}>
          <div className="overview-course">
            <Sparkline label={t('course_of', { what: figure.label })} values={total.buckets?.map(figure.of) ?? []} />
            <Change now={figure.of(total)} before={total.before && figure.of(total.before)} bad={figure.bad} />
          </div>
        </Stat>
      ))}
    </div>
  );
});

function Change({ now, before, bad }: { now: number | null; before: number | null | undefined; bad?: boolean }) {
  const { t, i18n } = useTranslation('overview');
  const change = changeOf(now, before);
  if (change === null) return <span className="faint overview-change" title={t('no_change_known')}>–</span>;
  const text = `${change > 0 ? '+' : change < 0 ? '−' : '±'}${percentText(Math.abs(change), i18n.language, 0)}`;
  const tone = Math.abs(change) < 0.005 ? 'even' : change > 0 === !bad ? 'better' : 'worse';
  return <span className={`overview-change overview-${tone} nums`} title={t('change_note')}>{text}</span>;
}
