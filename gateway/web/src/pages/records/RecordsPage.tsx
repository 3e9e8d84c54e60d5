import { useEffect, useMemo, useState } from 'react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { useSession } from '../../api/session';
import type { ApiError } from '../../api/error';
import { Badge, Button, Card, Chip, Empty, ErrorState, Loading, Menu, Note, Page, Table, TimeRange, useTimeRange, useUrlState } from '../../ui';
import { allColumns, columnsOf, keptColumns, keepColumns, useColumnTitles } from './columns';
import { Export } from './Export';
import { Filters } from './Filters';
import { filterNames, filtersIn } from './filters';
import { RecordDrawer } from './RecordDrawer';
import type { RecordRow, Names } from './columns';
import { mergeNewest, useTail } from './useTail';
import './records.css';

interface RecordPage { items: RecordRow[]; next: string | null; names: Names; gaps: unknown[]; position: number }
const normal = { text: '', order: 'newest', ...Object.fromEntries(filterNames.map((name) => [name, ''])) } as Record<string, string>;

/// The single requests: filters, as many as there are, the newest as they come.
export default function RecordsPage() {
  const { t, i18n } = useTranslation('records');
  const { may } = useSession();
  const everybody = may('read.usage');
  const path = everybody ? '/api/v1/records' : '/api/v1/me/records';
  const [range, setRange] = useTimeRange('24h');
  const [values, change] = useUrlState(normal);
  const [shown, setShown] = useState<RecordRow | null>(null);
  const [visible, setVisible] = useState(() => keptColumns());
  const [exporting, setExporting] = useState(false);
  const where = useMemo(() => filtersIn(values), [values]);
  // The end stays where it was when the question was asked: the tail brings what is newer.
  const [until, setUntil] = useState(() => Date.now());
  const question = useMemo(
    () => ({ from: range.from ?? '2020-01-01T00:00:00Z', to: range.name === 'yesterday' || range.name === 'custom' ? range.to : undefined, zone: range.zone, order: values.order, text: everybody ? values.text : undefined, limit: 200, ...where }),
    [range.name, range.zone, range.name === 'custom' ? range.from : '', values.order, values.text, where, until, everybody], // eslint-disable-line
  );
  const pages = useInfiniteQuery<RecordPage, ApiError>({
    queryKey: ['records', path, question],
    queryFn: ({ pageParam, signal }) => api.get(path as '/api/v1/records', { query: { ...question, cursor: pageParam as string | undefined } as never, signal }) as unknown as Promise<RecordPage>,
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: (before) => before,
    staleTime: Infinity,
  });
  const rows = useMemo(() => pages.data?.pages.flatMap((one) => one.items) ?? [], [pages.data]);
  const names = useMemo<Names>(() => Object.assign({}, ...(pages.data?.pages.map((one) => one.names) ?? [])) as Names, [pages.data]);
  const live = values.order === 'newest' && range.name !== 'yesterday' && range.name !== 'custom';
  const tail = useTail(live, path, question, pages.data?.pages[0]);
  useEffect(() => tail.clear(), [question]); // eslint-disable-line
  const all = useMemo(() => {
    const there = new Set(rows.map((one) => one.id)); // what the tail brought may be in a page that was asked for since
    const fresh = values.order === 'newest' ? tail.taken.filter((one) => !there.has(one.id)) : [];
    return fresh.length ? mergeNewest(fresh, rows) : rows;
  }, [tail.taken, rows, values.order]);
  const titles = useColumnTitles();
  const columns = useMemo(() => columnsOf(titles, { ...names, ...tail.names }, range.zone, i18n.language), [titles, names, tail.names, range.zone, i18n.language]);
  const hidden = allColumns.filter((key) => !visible.includes(key));
  const toggle = (key: string): void => {
    const next = visible.includes(key) ? visible.filter((one) => one !== key) : allColumns.filter((one) => one === key || visible.includes(one));
    setVisible(next);
    keepColumns(next);
  };
  const next = (): void => { if (pages.hasNextPage && !pages.isFetchingNextPage) void pages.fetchNextPage(); };
  return (
    <Page title={everybody ? t('title') : t('title_own')} width="wide" actions={
      <div className="row">
        {live && (
          <Button icon={tail.paused ? 'play' : 'pause'} onClick={tail.toggle} title={t('tail_note')}>
            {tail.paused ? (tail.waiting ? t('tail_more', { count: tail.waiting }) : t('tail_go_on')) : t('tail_pause')}
          </Button>
        )}
        <Menu label={t('columns')} text={t('columns')} icon="columns" side="right"
          items={allColumns.map((key) => ({ key, label: titles(key), chosen: visible.includes(key), onPick: () => toggle(key) }))} />
        {everybody && <Button icon="download" onClick={() => setExporting(true)}>{t('export')}</Button>}
      </div>
    } bar={
      <div className="stack-small">
        <div className="row records-times">
          <TimeRange range={range} onChange={(some) => { setUntil(Date.now()); setRange(some); }} />
          <Chip chosen={values.order === 'oldest'} onClick={() => change({ order: values.order === 'oldest' ? 'newest' : 'oldest' })}>{t('oldest_first')}</Chip>
        </div>
        <Filters values={values} names={names} everybody={everybody} onChange={change} />
      </div>
    }>
      {pages.error && !pages.data ? <ErrorState error={pages.error} onRetry={() => void pages.refetch()} /> : pages.isPending ? <Loading rows={12} /> : (
        <>
          {(pages.data?.pages[0]?.gaps.length ?? 0) > 0 && <Note tone="warn">{t('gaps')}</Note>}
          <Card flush><Table<RecordRow> label={t('title')} rows={all} columns={columns} hidden={hidden} rowKey={(one) => one.id} virtual height="calc(100vh - 290px)"
            onRow={setShown} chosen={shown?.id ?? null} onEnd={next}
            empty={<Empty icon="records" title={t('none')}>{t('none_text')}</Empty>}
            foot={<span className="soft">{pages.isFetchingNextPage ? t('loading') : pages.hasNextPage ? t('loaded', { count: all.length }) : t('all_loaded', { count: all.length })}</span>} /></Card>
          {tail.paused && tail.waiting > 0 && <p className="visually-hidden" role="status"><Badge>{t('tail_more', { count: tail.waiting })}</Badge></p>}
        </>
      )}
      <RecordDrawer row={shown} names={{ ...names, ...tail.names }} zone={range.zone} onClose={() => setShown(null)} onFilter={(name, value) => { setShown(null); change({ [name]: value }); }} />
      {exporting && <Export from={question.from} to={question.to ?? null} zone={range.zone} where={where} text={values.text ?? ''} onClose={() => setExporting(false)} />}
    </Page>
  );
}
