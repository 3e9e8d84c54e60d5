import { useCallback, useDeferredValue, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation } from 'wouter';
import { nameIn, stepOf, useUsage, useUsageAhead } from '../../api/usage';
import type { Asked, Row } from '../../api/usage';
import { useSession } from '../../api/session';
import { Button, Card, Chip, Empty, Loaded, Note, Page, Select, Table, TimeRange, useTimeRange, useUrlState } from '../../ui';
import type { Column, RangeName } from '../../ui';
import { filterNames, filtersIn } from '../records/filters';
import { useFilterTitles } from '../records/columns';
import { Heat } from './Heat';
import { Lines } from './Lines';
import { metrics, useMetricText } from './metrics';
import type { MetricKey } from './metrics';
import { Percentiles } from './Percentiles';
import { Views } from './Views';
import './analysis.css';

const groups = ['model', 'key', 'user', 'group', 'node', 'provider', 'account', 'endpoint', 'alias', 'outcome', 'status', 'weekday', 'hour'] as const;
const ownGroups = ['model', 'key', 'node', 'provider', 'endpoint', 'alias', 'outcome', 'status', 'weekday', 'hour'] as const;
const orders: Record<MetricKey, string> = { requests: 'requests', tokens: 'tokens', cost: 'cost', failed: 'failed', success: 'requests', latency: 'latency', ttft: 'requests', cache: 'cache_read' };
const normal = { metric: 'tokens', group: 'model', step: '', heat: 'key-model', ...Object.fromEntries(filterNames.map((name) => [name, ''])) } as Record<string, string>;

/// One explorer for what was used: a metric, what it is told apart by, a step, filters.
export default function AnalysisPage() {
  const { t, i18n } = useTranslation('analysis');
  const { may } = useSession();
  const [, navigate] = useLocation();
  const [chosen, setRange, rangeOf] = useTimeRange('7d');
  // A choice shows as chosen at once; what it changes below is drawn after that.
  const range = useDeferredValue(chosen);
  const [values, change] = useUrlState(normal);
  const everybody = may('read.usage');
  const metric = metrics.find((one) => one === values.metric) ?? 'tokens';
  const offered: readonly string[] = everybody ? groups : ownGroups;
  const group = offered.includes(values.group ?? '') ? values.group! : 'model';
  const best = stepOf(range.from, range.to);
  const step = (values.step || best) as typeof best;
  const where = useMemo(() => filtersIn(values), [values]);
  const asked = useMemo(() => ({ from: range.from, to: range.to, zone: range.zone, where }), [range, where]);
  const question = (span: Pick<Asked, 'from' | 'to' | 'zone'>, of: typeof best): Asked => ({
    from: span.from, to: span.to, zone: span.zone, where, by: [group], step: of, top: group === 'hour' || group === 'weekday' ? 24 : 12,
    order: orders[metric], percentiles: metric === 'latency' || metric === 'ttft', compare: true,
  });
  const rows = useUsage(question(asked, step));
  const ahead = useUsageAhead();
  const likely = (name: RangeName): void => {
    const span = rangeOf(name);
    ahead(question(span, (values.step || stepOf(span.from, span.to)) as typeof best));
  };
  const words = useMetricText();
  const titles = useFilterTitles();
  const groupTitle = (name: string): string => (name === 'weekday' ? t('weekday') : name === 'hour' ? t('hour') : titles(name as 'model'));
  const toRecords = (row: Row): void => {
    const some = new URLSearchParams({ range: range.name, zone: range.zone });
    if (range.name === 'custom' && range.from && range.to) { some.set('from', range.from); some.set('to', range.to); }
    for (const [name, texts] of Object.entries(where)) some.set(name, texts.join('|'));
    if (row.of[0] && group !== 'weekday' && group !== 'hour') some.set(group, row.of[0]);
    navigate(`/records?${some}`);
  };
  // The same as long as it says the same, or every chart would be drawn again.
  const name = useCallback((row: Row): string => {
    const id = row.of[0] ?? '';
    if (group === 'weekday')
      return new Intl.DateTimeFormat(i18n.language, { weekday: 'long', timeZone: 'UTC' }).format(Date.UTC(2024, 0, Number(id) || 1));
    return group === 'hour' ? `${id.padStart(2, '0')}:00` : nameIn(rows.data, id);
  }, [group, i18n.language, rows.data]);
  const most = Math.max(...(rows.data?.rows.map((one) => words.value(metric, one) ?? 0) ?? [0]), 1e-12);
  const columns: Column<Row>[] = [
    { key: 'name', title: groupTitle(group), width: 190, sort: name, cell: (one) => name(one) },
    { key: 'bar', title: t('share'), width: 120, cell: (one) => <div className="share"><div className="share-bar" style={{ width: `${((words.value(metric, one) ?? 0) / most) * 100}%` }} /></div> },
    ...metrics.map((key): Column<Row> => ({ key, title: words.title(key), number: true, width: 96, sort: (one) => words.value(key, one) ?? -1, cell: (one) => words.show(key, words.value(key, one)) })),
    { key: 'do', title: t('open'), width: 120, cell: (one) => <Button size="small" kind="quiet" icon="records" onClick={() => toRecords(one)}>{t('records')}</Button> },
  ];
  return (
    <Page title={t('title')} width="wide" actions={<Views />} bar={
      <div className="stack-small">
        <TimeRange range={chosen} onChange={setRange} onLikely={likely} />
        <div className="row analysis-choices">
          <Select label={t('metric')} value={metric} onChange={(event) => change({ metric: event.target.value })}>{metrics.map((one) => <option key={one} value={one}>{words.title(one)}</option>)}</Select>
          <Select label={t('by')} value={group} onChange={(event) => change({ group: event.target.value })}>{offered.map((one) => <option key={one} value={one}>{groupTitle(one)}</option>)}</Select>
          <Select label={t('step')} value={values.step} onChange={(event) => change({ step: event.target.value })}><option value="">{t('step_auto')}</option><option value="hour">{t('step_hour')}</option><option value="day">{t('step_day')}</option><option value="week">{t('step_week')}</option><option value="month">{t('step_month')}</option></Select>
          {filterNames.flatMap((one) => (values[one] ?? '').split('|').filter(Boolean).map((text) => <Chip key={`${one} ${text}`} chosen onRemove={() => change({ [one]: (values[one] ?? '').split('|').filter((other) => other !== text).join('|') })}>{titles(one)}: {nameIn(rows.data, text)}</Chip>))}
        </div>
      </div>
    }>
      <Loaded of={rows} rows={10}>
        {(report) => report.rows.length === 0 ? <Empty icon="analysis" title={t('none')}>{t('none_text')}</Empty> : (
          <div className="stack" aria-busy={chosen !== range || rows.isPlaceholderData}>
            {report.total.unpriced > 0 && metric === 'cost' && <Note tone="warn">{t('unpriced', { count: report.total.unpriced })}</Note>}
            <Card title={t('course', { what: words.title(metric) })}><Lines report={report} metric={metric} name={name} /></Card>
            {(metric === 'latency' || metric === 'ttft') && <Card title={t('percentiles')} note={t('percentiles_note')} flush><Percentiles rows={report.rows} metric={metric} name={name} /></Card>}
            <Card title={t('ranking')} note={t('ranking_note')} flush>
              <Table label={t('ranking')} rows={report.rows} columns={columns} rowKey={(one) => one.of.join(' ')} onRow={(row) => { if (row.of[0] && group !== 'weekday' && group !== 'hour') change({ [group]: row.of[0] }); }} />
            </Card>
            <Heat asked={asked} metric={metric} which={values.heat === 'weekday-hour' ? 'weekday-hour' : 'key-model'} onWhich={(heat) => change({ heat })} />
          </div>
        )}
      </Loaded>
    </Page>
  );
}
