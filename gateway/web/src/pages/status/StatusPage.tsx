import { useMemo } from 'react';
import { useQueries } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api } from '../../api/client';
import { keyOf, useApi } from '../../api/hooks';
import { useSession } from '../../api/session';
import type { Schemas } from '../../api/types';
import { Ago, Badge, Card, Empty, Loaded, Moment, Note, Num, Page, Stat, Table } from '../../ui';
import type { Column } from '../../ui';
import { Accounts } from './Accounts';
import { NodeCard } from './NodeCard';
import { useRestore } from './words';

type Restart = Schemas['restart'];
type Gap = Schemas['gap'];
type Incomplete = Schemas['incomplete'];

/// The newest first, of all nodes together.
function useOfNodes<T>(path: '/api/v1/nodes/{node}/restarts' | '/api/v1/nodes/{node}/gaps' | '/api/v1/nodes/{node}/incompletes', nodes: readonly string[], time: (one: T) => string | null): T[] {
  const answers = useQueries({
    queries: nodes.map((node) => ({
      queryKey: keyOf(path, { path: { node }, query: { limit: 50 } }),
      queryFn: () => api.get(path, { path: { node }, query: { limit: 50 } }),
    })),
  });
  return answers
    .flatMap((one) => (one.data?.items ?? []) as T[])
    .sort((a, b) => (time(b) ?? '').localeCompare(time(a) ?? ''))
    .slice(0, 100);
}

/// How everything is, in words, for everybody who may see it.
export default function StatusPage() {
  const { t } = useTranslation('status');
  const summary = useApi('/api/v1/summary', undefined, { refetchInterval: 30_000 });
  return (
    <Page title={t('title')} note={t('note')}>
      <Loaded of={summary} rows={6}>{(data) => <Parts summary={data} />}</Loaded>
    </Page>
  );
}

function Parts({ summary }: { summary: Schemas['summary'] }) {
  const { t } = useTranslation('status');
  const { may } = useSession();
  const names = useMemo(() => summary.nodes.map((one) => one.node), [summary.nodes]);
  const restarts = useOfNodes<Restart>('/api/v1/nodes/{node}/restarts', names, (one) => one.noticed_at);
  const gaps = useOfNodes<Gap>('/api/v1/nodes/{node}/gaps', names, (one) => one.to);
  const incompletes = useOfNodes<Incomplete>('/api/v1/nodes/{node}/incompletes', names, (one) => one.from);
  const down = summary.nodes.filter((one) => one.condition.state !== 'up');
  const open = incompletes.filter((one) => !one.closed_at);
  const problems = summary.nodes.filter((one) => one.condition.problem);
  const fine = down.length === 0 && problems.length === 0 && open.length === 0 && summary.alarms.length === 0;
  return (
    <div className="stack">
      {summary.nodes.length > 0 && (
        <Note tone={fine ? 'good' : 'warn'}>
          {fine ? t('all_fine', { count: summary.nodes.length }) : down.length ? t('some_down', { names: down.map((one) => one.node).join(', ') }) : t('some_wrong')}
        </Note>
      )}
      {summary.alarms.map((alarm) => <Note key={alarm} tone="bad">{alarm}</Note>)}
      <div className="cards">
        <Stat label={t('nodes_up')} value={`${summary.nodes.length - down.length} / ${summary.nodes.length}`} tone={down.length ? 'warn' : undefined} />
        <Stat label={t('requests_today')} value={<Num value={summary.today.requests} short />} note={t('failed_today', { count: summary.today.failed })} />
        <Stat label={t('tokens_today')} value={<Num value={summary.today.tokens.total} short />} />
        <Stat label={t('nats')} value={<Badge dot tone={summary.publisher?.connected ? 'good' : 'warn'}>{summary.publisher?.connected ? t('nats_connected') : t('nats_apart')}</Badge>}
          note={summary.publisher?.connected ? t('nats_shipped', { count: summary.publisher.shipped }) : summary.publisher?.problem} />
      </div>
      {summary.nodes.length === 0 && (
        <Empty icon="nodes" title={t('no_nodes')} action={may('read.settings') ? <Link className="button" href="/setup">{t('set_up')}</Link> : undefined}>{t('no_nodes_text')}</Empty>
      )}
      <div className="halves">{summary.nodes.map((node) => <NodeCard key={node.node} node={node} />)}</div>
      {summary.nodes.length > 0 && may('own.accounts') && <Accounts />}
      {summary.nodes.length > 0 && <Restarts rows={restarts} />}
      {summary.nodes.length > 0 && <Losses gaps={gaps} incompletes={incompletes} />}
    </div>
  );
}

function Restarts({ rows }: { rows: readonly Restart[] }) {
  const { t } = useTranslation('status');
  const restored = useRestore();
  const columns = useMemo<Column<Restart>[]>(() => [
    { key: 'at', title: t('noticed'), cell: (one) => <Moment at={one.noticed_at} />, width: 180 },
    { key: 'node', title: t('node'), cell: (one) => one.node, width: 140 },
    { key: 'before', title: t('counted_before'), cell: (one) => <Num value={one.before.requests} />, number: true, width: 140 },
    { key: 'restored', title: t('put_back'), cell: (one) => <Num value={one.restore.imported} />, number: true, width: 120 },
    { key: 'lost', title: t('lost_at_most'), cell: (one) => <Num value={one.lost.expected_records} />, number: true, width: 130 },
    { key: 'state', title: t('outcome'), cell: (one) => <Badge tone={restored(one).tone}>{restored(one).text}</Badge> },
  ], [t, restored]);
  return (
    <Card title={t('restarts')} note={t('restarts_note')} flush>
      <Table label={t('restarts')} rows={rows} columns={columns} rowKey={(one) => `${one.node}/${one.number}`} empty={<Empty icon="check" title={t('no_restarts')}>{t('no_restarts_text')}</Empty>} />
    </Card>
  );
}

function Losses({ gaps, incompletes }: { gaps: readonly Gap[]; incompletes: readonly Incomplete[] }) {
  const { t } = useTranslation('status');
  const gapColumns = useMemo<Column<Gap>[]>(() => [
    { key: 'node', title: t('node'), cell: (one) => one.node, width: 140 },
    { key: 'from', title: t('from'), cell: (one) => <Moment at={one.from} />, width: 180 },
    { key: 'to', title: t('to'), cell: (one) => <Moment at={one.to} />, width: 180 },
    { key: 'records', title: t('lost_at_most'), cell: (one) => <Num value={one.expected_records} />, number: true, width: 130 },
    { key: 'reason', title: t('reason'), cell: (one) => one.reason },
  ], [t]);
  const incompleteColumns = useMemo<Column<Incomplete>[]>(() => [
    { key: 'node', title: t('node'), cell: (one) => one.node, width: 140 },
    { key: 'credential', title: t('account'), cell: (one) => <span className="mono wrap-any">{one.credential || '–'}</span> },
    { key: 'from', title: t('since'), cell: (one) => <Ago at={one.from} />, width: 140 },
    { key: 'missing', title: t('missing'), cell: (one) => <Num value={one.missing} />, number: true, width: 110 },
    { key: 'state', title: t('outcome'), cell: (one) => <Badge tone={one.closed_at ? 'plain' : 'warn'}>{one.closed_at ? t('closed') : t('open')}</Badge>, width: 110 },
  ], [t]);
  return (
    <>
      <Card title={t('gaps')} note={t('gaps_note')} flush>
        <Table label={t('gaps')} rows={gaps} columns={gapColumns} rowKey={(one) => `${one.node}/${one.number}`} empty={<Empty icon="check" title={t('no_gaps')}>{t('no_gaps_text')}</Empty>} />
      </Card>
      <Card title={t('incompletes')} note={t('incompletes_note')} flush>
        <Table label={t('incompletes')} rows={incompletes} columns={incompleteColumns} rowKey={(one) => `${one.node}/${one.number}`} empty={<Empty icon="check" title={t('no_incompletes')}>{t('no_incompletes_text')}</Empty>} />
      </Card>
    </>
  );
}
