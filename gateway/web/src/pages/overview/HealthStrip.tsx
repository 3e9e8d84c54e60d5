import { memo } from 'react';
import { useTranslation } from 'react-i18next';
import { successRate } from '../../api/usage';
import type { Report } from '../../api/usage';
import { momentText, percentText } from '../../ui';

/// How many cells at most: neighbours are taken together.
const cells = 60;

function levelOf(rate: number | null): 'none' | 'good' | 'fair' | 'poor' | 'bad' {
  if (rate === null) return 'none';
  return rate >= 0.99 ? 'good' : rate >= 0.95 ? 'fair' : rate >= 0.8 ? 'poor' : 'bad';
}

/// How many requests went well, cell by cell of time.
export const HealthStrip = memo(function HealthStrip({ report }: { report: Report }) {
  const { t, i18n } = useTranslation('overview');
  const buckets = report.total.buckets ?? [];
  const each = Math.max(1, Math.ceil(buckets.length / cells));
  const groups = Array.from({ length: Math.ceil(buckets.length / each) }, (_, at) => {
    const some = buckets.slice(at * each, (at + 1) * each);
    const sum = some.reduce((all, one) => ({ requests: all.requests + one.requests, ok: all.ok + one.ok }), { requests: 0, ok: 0 });
    return { start: report.starts[at * each] ?? '', ...sum };
  });
  const rate = successRate(report.total);
  return (
    <div className="stack-small">
      <ol className="health" aria-label={t('health')}>
        {groups.map((one) => {
          const part = one.requests ? one.ok / one.requests : null;
          const text = `${momentText(one.start, i18n.language, report.zone)}: ${part === null ? t('no_requests') : t('health_cell', { part: percentText(part, i18n.language), count: one.requests })}`;
          return <li key={one.start} className={`health-${levelOf(part)}`} title={text}><span className="visually-hidden">{text}</span></li>;
        })}
      </ol>
      <p className="soft">{rate === null ? t('no_requests') : t('health_total', { part: percentText(rate, i18n.language, 2) })}</p>
    </div>
  );
});
