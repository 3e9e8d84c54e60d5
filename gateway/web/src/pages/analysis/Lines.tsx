import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { evenStarts } from '../../api/usage';
import type { Report, Row } from '../../api/usage';
import { Chart } from '../../ui';
import type { ChartOption } from '../../ui';
import { useMetricText, valueOf } from './metrics';
import type { MetricKey } from './metrics';

/// The course of each row: what adds up is stacked, what does not is lines.
export function Lines({ report, metric, name }: { report: Report; metric: MetricKey; name: (row: Row) => string }) {
  const { t } = useTranslation('analysis');
  const words = useMetricText();
  const option = useMemo<ChartOption>(() => {
    const adds = metric === 'requests' || metric === 'tokens' || metric === 'cost' || metric === 'failed';
    const rows = report.other ? [...report.rows, report.other] : report.rows;
    const starts = evenStarts(report.starts);
    return {
      legend: { type: 'scroll' },
      grid: { top: 40, left: 8, right: 8, bottom: 8, containLabel: true },
      tooltip: { trigger: 'axis', valueFormatter: (value: unknown) => words.text(metric, value === null || value === undefined ? null : Number(value)) },
      xAxis: { type: 'time' },
      yAxis: { type: 'value', axisLabel: { formatter: (value: number) => words.text(metric, value) } },
      series: rows.map((row) => ({
        type: adds ? 'bar' : 'line', stack: adds ? 'all' : undefined, showSymbol: false, connectNulls: true, barMaxWidth: 28,
        name: row === report.other ? t('others', { count: report.others }) : name(row),
        data: (row.buckets ?? []).map((one, at) => [starts[at], valueOf(metric, one)]),
      })),
    };
  }, [report, metric, name, words, t]);
  return <Chart label={t('course', { what: words.title(metric) })} option={option} height={320} />;
}
