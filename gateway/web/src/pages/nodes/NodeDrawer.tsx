import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Ago, Badge, Button, Confirm, Drawer, Duration, Loaded, Note, Num, Tabs, toast } from '../../ui';
import { useCollecting, useCondition, useRestore } from '../status/words';
import { Configs } from './Configs';
import { Snapshots } from './Snapshots';

/// One node: how it is, its snapshots, restarts and keys.
export function NodeDrawer({ node, tab, onTab, onClose }: { node: string; tab: string; onTab: (tab: string) => void; onClose: () => void }) {
  const { t } = useTranslation('nodes');
  const { may } = useSession();
  const tabs = [{ key: 'now', label: t('now') }, { key: 'snapshots', label: t('snapshots') }, { key: 'restarts', label: t('restarts') }, { key: 'keys', label: t('keys') }, ...(may('read.settings') ? [{ key: 'configs', label: t('configs') }] : [])];
  return (
    <Drawer open wide title={node} onClose={onClose}>
      <Tabs label={node} tabs={tabs} value={tab} onChange={onTab}>
        {tab === 'snapshots' ? <Snapshots node={node} /> : tab === 'restarts' ? <Restarts node={node} /> : tab === 'keys' ? <Keys node={node} /> : tab === 'configs' ? <Configs node={node} /> : <Now node={node} />}
      </Tabs>
    </Drawer>
  );
}

function Now({ node }: { node: string }) {
  const { t } = useTranslation('nodes');
  const state = useCondition();
  const collecting = useCollecting();
  const one = useApi('/api/v1/nodes/{node}', { path: { node } }, { refetchInterval: 10_000 });
  const queue = useApi('/api/v1/nodes/{node}/queue', { path: { node } });
  const incompletes = useApi('/api/v1/nodes/{node}/incompletes', { path: { node }, query: { limit: 50 } as never });
  return (
    <Loaded of={one} rows={6}>
      {(data) => (
        <div className="stack">
          <div className="row"><Badge dot tone={state(data.condition).tone}>{state(data.condition).text}</Badge><span className="soft wrap-any">{data.condition.url}</span></div>
          {data.condition.problem && <Note tone="bad">{data.condition.problem}</Note>}
          {queue.data?.problem && <Note tone="warn">{queue.data.problem}</Note>}
          <dl className="facts">
            <dt>{t('since')}</dt><dd><Ago at={data.condition.since} /></dd>
            <dt>{t('version')}</dt><dd>{data.condition.version || '–'}</dd>
            <dt>{t('mode')}</dt><dd>{collecting(data.condition)}</dd>
            {queue.data && queue.data.mode !== 'off' && <><dt>{t('queue')}</dt><dd>{queue.data.connected ? t('connected') : t('apart')} <Ago at={queue.data.connected_at} /> · {t('waiting', { count: queue.data.waiting })}</dd></>}
            <dt>{t('last_look')}</dt><dd><Ago at={data.condition.last_poll} /> (<Duration ms={data.condition.poll_ms} />)</dd>
            <dt>{t('counted')}</dt><dd><Num value={data.condition.counters.requests} /> {t('requests')} · <Num value={data.condition.counters.tokens} short /> {t('tokens')}</dd>
            <dt>{t('in_ledger')}</dt><dd><Num value={data.totals.requests} /> {t('requests')} · <Num value={data.totals.tokens.total} short /> {t('tokens')}</dd>
            <dt>{t('missing')}</dt><dd><Num value={data.condition.missing} /></dd>
          </dl>
          {(incompletes.data?.items.filter((some) => !some.closed_at).length ?? 0) > 0 && (
            <section className="stack-small"><h3>{t('incomplete')}</h3>
              {incompletes.data!.items.filter((some) => !some.closed_at).map((some) => <div key={some.number} className="row"><span className="mono grow wrap-any">{some.credential || '–'}</span><Badge tone="warn"><Num value={some.missing} /></Badge><Ago at={some.from} /></div>)}
            </section>
          )}
        </div>
      )}
    </Loaded>
  );
}

function Restarts({ node }: { node: string }) {
  const { t } = useTranslation('nodes');
  const { may } = useSession();
  const restored = useRestore();
  const restarts = useApi('/api/v1/nodes/{node}/restarts', { path: { node }, query: { limit: 100 } as never });
  const [asking, setAsking] = useState(false);
  const restore = useCommand(() => api.post('/api/v1/nodes/{node}/restore', undefined, { path: { node } }), ['/api/v1/nodes/{node}/restarts', '/api/v1/nodes/{node}']);
  return (
    <div className="stack">
      {may('write.nodes') && <div className="row"><Button size="small" icon="refresh" onClick={() => setAsking(true)}>{t('restore')}</Button></div>}
      {restore.data && <Note tone={restore.data.still_lacking ? 'warn' : 'good'}>{t('restored', { lacking: restore.data.lacking, imported: restore.data.imported, still: restore.data.still_lacking })}</Note>}
      <Loaded of={restarts} rows={4}>{(data) => data.items.length === 0 ? <p className="soft">{t('no_restarts')}</p> : (
        <div className="stack-small">{data.items.map((one) => (
          <div key={one.number} className="row"><span className="grow"><strong>#{one.number}</strong> <Ago at={one.noticed_at} /> <span className="faint">{one.evidence.join(', ')}</span><br /><span className="soft">{t('restart_line', { before: one.before.requests, after: one.after.requests, imported: one.restore.imported, lost: one.lost.expected_records })}</span></span><Badge tone={restored(one).tone}>{restored(one).text}</Badge></div>
        ))}</div>
      )}</Loaded>
      {asking && <Confirm open title={t('restore')} action={t('restore')} busy={restore.isPending} fault={restore.error ? sentenceOf(restore.error, t) : undefined} onClose={() => setAsking(false)} onConfirm={() => restore.mutate(undefined, { onSuccess: () => { toast(t('done')); setAsking(false); } })}><p>{t('restore_text')}</p></Confirm>}
    </div>
  );
}

function Keys({ node }: { node: string }) {
  const { t } = useTranslation('nodes');
  const keys = useApi('/api/v1/nodes/{node}/keys', { path: { node } }, { refetchInterval: 10_000 });
  return (
    <Loaded of={keys} rows={4}>{(data) => (
      <div className="stack">
        {data.open && <Note tone="bad">{t('open_node')}</Note>}
        {data.drift ? <Note tone="warn">{t('drift')}</Note> : <Note tone="good">{t('no_drift')}</Note>}
        {data.problem && <Note tone="bad">{data.problem}</Note>}
        <dl className="facts"><dt>{t('wanted')}</dt><dd><Num value={data.wanted} /></dd><dt>{t('changing')}</dt><dd><Num value={data.changing} /></dd><dt>{t('external')}</dt><dd><Num value={data.external} /></dd><dt>{t('taken_away')}</dt><dd><Num value={data.taken_away} /></dd><dt>{t('in_step')}</dt><dd><Ago at={data.in_step_at} /></dd></dl>
      </div>
    )}</Loaded>
  );
}
