import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { nameIn, useUsage } from '../../api/usage';
import type { Asked } from '../../api/usage';
import { Card, Chart, Chip, Loaded } from '../../ui';
import type { ChartOption } from '../../ui';
import { useMetricText, valueOf } from './metrics';
import type { MetricKey } from './metrics';

/// Two things against each other: key × model, weekday × hour.
export function Heat({ asked, metric, which, onWhich }: { asked: Asked; metric: MetricKey; which: 'key-model' | 'weekday-hour'; onWhich: (which: string) => void }) {
  const { t, i18n } = useTranslation('analysis');
  const words = useMetricText();
  const by = which === 'key-model' ? ['key', 'model'] : ['weekday', 'hour'];
  const report = useUsage({ ...asked, by, top: which === 'key-model' ? 200 : 168, order: 'requests' });
  const option = useMemo<ChartOption | null>(() => {
    if (!report.data) return null;
    const rows = report.data.rows;
    const day = new Intl.DateTimeFormat(i18n.language, { weekday: 'short', timeZone: 'UTC' });
    const ys = which === 'weekday-hour' ? ['7', '6', '5', '4', '3', '2', '1'] : [...new Set(rows.map((one) => one.of[0] ?? ''))].slice(0, 20).reverse();
    const xs = which === 'weekday-hour' ? Array.from({ length: 24 }, (_, hour) => String(hour)) : [...new Set(rows.map((one) => one.of[1] ?? ''))].slice(0, 16);
    const data = rows.flatMap((one) => { const x = xs.indexOf(one.of[1] ?? ''); const y = ys.indexOf(one.of[0] ?? ''); const value = valueOf(metric, one); return x < 0 || y < 0 || value === null ? [] : [[x, y, value]]; });
    const shownY = ys.map((id) => (which === 'weekday-hour' ? day.format(Date.UTC(2024, 0, Number(id))) : nameIn(report.data, id)));
    return {
      grid: { top: 8, left: 8, right: 8, bottom: 60, containLabel: true },
      tooltip: { formatter: (point: { value: number[] }) => `${shownY[point.value[1]!]} · ${which === 'weekday-hour' ? `${xs[point.value[0]!]} h` : nameIn(report.data, xs[point.value[0]!] ?? '')}: ${words.text(metric, point.value[2]!)}` },
      xAxis: { type: 'category', data: which === 'weekday-hour' ? xs : xs.map((id) => nameIn(report.data, id)), axisLabel: { rotate: which === 'key-model' ? 30 : 0 } },
      yAxis: { type: 'category', data: shownY },
      visualMap: { min: 0, max: Math.max(1e-9, ...data.map((one) => one[2]!)), orient: 'horizontal', left: 'center', bottom: 0, calculable: false, formatter: (value: number) => words.text(metric, value) },
      series: [{ type: 'heatmap', data }],
    } as ChartOption;
  }, [report.data, which, metric, words, i18n.language]);
  return (
    <Card title={t('heat')} actions={<div className="row"><Chip chosen={which === 'key-model'} onClick={() => onWhich('key-model')}>{t('key_model')}</Chip><Chip chosen={which === 'weekday-hour'} onClick={() => onWhich('weekday-hour')}>{t('weekday_hour')}</Chip></div>}>
      <Loaded of={report} rows={6}>{() => option && <Chart key={which} label={t('heat')} option={option} height={which === 'key-model' ? 420 : 300} />}</Loaded>
    </Card>
  );
}
