import { memo, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { evenStarts } from '../../api/usage';
import type { Report } from '../../api/usage';
import { Chart, momentText, shortText, wholeText } from '../../ui';
import type { ChartOption } from '../../ui';

/// Tokens by kind, one upon the other, and requests as a line.
export const TokenChart = memo(function TokenChart({ report }: { report: Report }) {
  const { t, i18n } = useTranslation('overview');
  const buckets = report.total.buckets ?? [];
  const kinds = useMemo(() => [
    { name: t('fresh_input'), of: (one: (typeof buckets)[number]) => one.token_parts.uncached_input + one.token_parts.unclassified },
    { name: t('cache_read'), of: (one: (typeof buckets)[number]) => one.token_parts.cache_read },
    { name: t('cache_write'), of: (one: (typeof buckets)[number]) => one.token_parts.cache_write },
    { name: t('output'), of: (one: (typeof buckets)[number]) => one.token_parts.output },
    { name: t('reasoning'), of: (one: (typeof buckets)[number]) => one.token_parts.reasoning },
  ], [t]);
  const starts = useMemo(() => evenStarts(report.starts), [report.starts]);
  const option = useMemo<ChartOption>(() => ({
    legend: { type: 'scroll' },
    grid: { top: 40, left: 8, right: 8, bottom: 8, containLabel: true },
    tooltip: { trigger: 'axis', valueFormatter: (value: unknown) => wholeText(Number(value), i18n.language) },
    xAxis: { type: 'time' },
    yAxis: [
      { type: 'value', axisLabel: { formatter: (value: number) => shortText(value, i18n.language) } },
      { type: 'value', splitLine: { show: false }, axisLabel: { formatter: (value: number) => shortText(value, i18n.language) } },
    ],
    series: [
      ...kinds.map((kind) => ({ type: 'bar', name: kind.name, stack: 'tokens', barMaxWidth: 28, data: buckets.map((one, at) => [starts[at], kind.of(one)]) })),
      { type: 'line', name: t('requests'), yAxisIndex: 1, showSymbol: false, data: buckets.map((one, at) => [starts[at], one.requests]) },
    ],
  }), [kinds, buckets, starts, i18n.language, t]);
  return (
    <>
      <Chart label={t('tokens_and_requests')} option={option} height={300} />
      <div className="visually-hidden"><table>
        <caption>{t('tokens_and_requests')}</caption>
        <thead><tr><th>{t('time')}</th><th>{t('requests')}</th><th>{t('tokens')}</th></tr></thead>
        <tbody>
          {buckets.slice(-48).map((one, at) => {
            const start = report.starts[Math.max(0, buckets.length - 48) + at] ?? '';
            return <tr key={start}><td>{momentText(start, i18n.language, report.zone)}</td><td>{one.requests}</td><td>{one.tokens.total}</td></tr>;
          })}
        </tbody>
      </table></div>
    </>
  );
});
