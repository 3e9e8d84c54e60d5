import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../../api/hooks';
import type { Node } from '../../api/types';
import { Ago, Badge, Card, Duration, Empty, Loaded, Num, Page, Table, useUrlState } from '../../ui';
import type { Column } from '../../ui';
import { useCollecting, useCondition } from '../status/words';
import { Letters } from './Letters';
import { NodeDrawer } from './NodeDrawer';

/// The nodes for whoever looks after them.
export default function NodesPage() {
  const { t } = useTranslation('nodes');
  const nodes = useApi('/api/v1/nodes', undefined, { refetchInterval: 15_000 });
  const [values, change] = useUrlState({ node: '', tab: 'now' });
  const state = useCondition();
  const collecting = useCollecting();
  const columns = useMemo<Column<Node>[]>(() => [
    { key: 'node', title: t('node'), width: 240, sort: (one) => one.node, cell: (one) => <><strong>{one.node}</strong><br /><span className="faint wrap-any">{one.condition.url}</span></> },
    { key: 'state', title: t('condition'), width: 150, cell: (one) => <Badge dot tone={state(one.condition).tone}>{state(one.condition).text}</Badge> },
    { key: 'version', title: t('version'), width: 100, cell: (one) => one.condition.version || '–' },
    { key: 'mode', title: t('mode'), width: 200, cell: (one) => collecting(one.condition) },
    { key: 'lag', title: t('last_look'), width: 130, cell: (one) => <><Ago at={one.condition.last_poll} /> <span className="faint"><Duration ms={one.condition.poll_ms} /></span></> },
    { key: 'missing', title: t('missing'), number: true, width: 100, cell: (one) => (one.condition.missing ? <Badge tone="warn"><Num value={one.condition.missing} /></Badge> : 0) },
    { key: 'restarts', title: t('restarts'), number: true, width: 100, cell: (one) => <Num value={one.restarts} /> },
    { key: 'today', title: t('today'), number: true, width: 120, cell: (one) => <Num value={one.today.requests} short /> },
  ], [t, state, collecting]);
  return (
    <Page title={t('title')}>
      <div className="stack">
        <Loaded of={nodes} rows={4}>
          {(data) => <Card flush><Table label={t('title')} rows={data.items} columns={columns} rowKey={(one) => one.node} onRow={(one) => change({ node: one.node })} chosen={values.node || null} empty={<Empty icon="nodes" title={t('none')}>{t('none_text')}</Empty>} /></Card>}
        </Loaded>
        <Letters />
      </div>
      {values.node && <NodeDrawer node={values.node} tab={values.tab} onTab={(tab) => change({ tab })} onClose={() => change({ node: '', tab: 'now' })} />}
    </Page>
  );
}
