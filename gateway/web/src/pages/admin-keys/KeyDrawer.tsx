import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api, onceKey } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { day, isAlive, useKeyStatus } from '../../api/key_words';
import type { Key } from '../../api/key_words';
import { useSession } from '../../api/session';
import type { Schemas } from '../../api/types';
import { BudgetFields } from '../../parts/BudgetFields';
import { Budgets } from '../../parts/Budgets';
import { Ago, Badge, Button, Confirm, Drawer, Input, Loaded, Moment, Note, Reveal, Select, TextArea, toast } from '../../ui';

type People = Map<string, Schemas['user']>;
const lists = ['/api/v1/keys', '/api/v1/keys/{name}', '/api/v1/keys/{name}/budgets', '/api/v1/pool', '/api/v1/audit'] as const;

/// One key with everything that is known of it.
export function KeyDrawer({ id, people, onClose }: { id: string; people: People; onClose: () => void }) {
  const { t } = useTranslation('admin-keys');
  const { may } = useSession();
  const key = useApi('/api/v1/keys/{name}', { path: { name: id } });
  const status = useKeyStatus();
  return (
    <Drawer open title={key.data ? key.data.label || key.data.shown : t('key')} onClose={onClose}>
      <Loaded of={key} rows={6}>
        {(one) => {
          const owner = people.get(one.owner);
          return (
            <div className="stack">
              <div className="row"><Badge dot tone={status(one).tone}>{status(one).text}</Badge><code>{one.shown}</code></div>
              {one.guessable && <Note tone="warn">{t('guessable_text')}</Note>}
              <dl className="facts">
                <dt>{t('owner')}</dt><dd>{one.owner ? <Link href={`/admin/users?user=${one.owner}`}>{owner ? `${owner.name} (${owner.email})` : one.owner}</Link> : '–'}</dd>
                <dt>{t('given')}</dt><dd><Ago at={one.assigned_at} /></dd>
                <dt>{t('ends')}</dt><dd>{one.expires_at ? <Moment at={one.expires_at} /> : t('never')}</dd>
                <dt>{t('where')}</dt><dd>{one.in_force.join(', ') || t('nowhere')}</dd>
                {one.retires_at && <><dt>{t('retires')}</dt><dd><Moment at={one.retires_at} /></dd></>}
                {one.successor && <><dt>{t('successor')}</dt><dd><Link href={`/admin/keys?key=${one.successor}`}>{one.successor}</Link></dd></>}
                {one.predecessor && <><dt>{t('predecessor')}</dt><dd><Link href={`/admin/keys?key=${one.predecessor}`}>{one.predecessor}</Link></dd></>}
              </dl>
              {one.renewal && <Renewal of={one} />}
              {may('write.keys') && <Actions key={`${one.id} ${one.state}`} of={one} />}
              {may('write.keys') && isAlive(one) && <Edit key={`edit ${one.changed_at}`} of={one} />}
              {one.owner && <BudgetsOf id={one.id} />}
              <Link href={`/records?range=30d&key=${one.id}`}>{t('see_records')}</Link>
              {may('read.audit') && <History id={one.id} people={people} />}
            </div>
          );
        }}
      </Loaded>
    </Drawer>
  );
}

function BudgetsOf({ id }: { id: string }) {
  const { t } = useTranslation('admin-keys');
  const budgets = useApi('/api/v1/keys/{name}/budgets', { path: { name: id } });
  return <section className="stack-small"><h3>{t('budgets_used')}</h3><Loaded of={budgets} rows={1}>{(data) => <Budgets uses={data.items} />}</Loaded></section>;
}

function Renewal({ of }: { of: Key }) {
  const { t } = useTranslation('admin-keys');
  const { may } = useSession();
  const [reason, setReason] = useState('');
  const answer = useCommand((approve: boolean) => api.post('/api/v1/keys/{name}/renewal/answer', { approve, ...(reason ? { reason } : {}) }, { path: { name: of.id } }), lists);
  const seconds = of.renewal!.lifetime_s;
  return (
    <Note>
      <div className="stack-small">
        <p><strong>{seconds ? t('renewal_asks', { count: Math.round(seconds / day) }) : t('renewal_asks_policy')}</strong> <Ago at={of.renewal!.asked_at} /></p>
        {of.renewal!.reason && <p>“{of.renewal!.reason}”</p>}
        {may('write.keys') && <>
          <TextArea label={t('answer')} rows={2} value={reason} onChange={(event) => setReason(event.target.value)} />
          <div className="row"><Button kind="main" size="small" busy={answer.isPending} onClick={() => answer.mutate(true, { onSuccess: () => toast(t('approved')) })}>{t('approve')}</Button><Button size="small" onClick={() => answer.mutate(false, { onSuccess: () => toast(t('refused')) })}>{t('refuse')}</Button></div>
          {answer.error && <p role="alert">{sentenceOf(answer.error, t)}</p>}
        </>}
      </div>
    </Note>
  );
}

type Doing = 'suspend' | 'revoke' | null;

function Actions({ of }: { of: Key }) {
  const { t } = useTranslation('admin-keys');
  const path = { name: of.id };
  const [days, setDays] = useState('30');
  const [grace, setGrace] = useState('3600');
  const [owner, setOwner] = useState('');
  const [doing, setDoing] = useState<Doing>(null);
  const [once] = useState(onceKey);
  const renew = useCommand(() => api.post('/api/v1/keys/{name}/renew', { lifetime_s: Number(days) * day }, { path }), lists);
  const rotate = useCommand(() => api.post('/api/v1/keys/{name}/rotate', { grace_s: Number(grace) }, { path, once }), lists);
  const suspend = useCommand(() => api.post('/api/v1/keys/{name}/suspend', {}, { path }), lists);
  const resume = useCommand(() => api.post('/api/v1/keys/{name}/resume', {}, { path }), lists);
  const revoke = useCommand(() => api.post('/api/v1/keys/{name}/revoke', {}, { path }), lists);
  const adopt = useCommand(() => api.post('/api/v1/keys/{name}/adopt', { owner }, { path }), lists);
  const failed = renew.error ?? rotate.error ?? resume.error ?? adopt.error;
  const told = { onSuccess: () => { toast(t('done')); setDoing(null); } };
  if (of.state === 'external')
    return (
      <section className="stack-small">
        <p>{t('external_text')}</p>
        <Input label={t('owner')} hint={t('owner_hint')} value={owner} onChange={(event) => setOwner(event.target.value.trim())} />
        {failed && <Note tone="bad">{sentenceOf(failed, t)}</Note>}
        <div className="row"><Button kind="main" size="small" busy={adopt.isPending} disabled={!owner} onClick={() => adopt.mutate(undefined, told)}>{t('adopt')}</Button><Button kind="danger" size="small" onClick={() => setDoing('revoke')}>{t('revoke')}</Button></div>
        {doing === 'revoke' && <Confirm open title={t('revoke')} action={t('revoke')} danger typed={of.shown} busy={revoke.isPending} fault={revoke.error ? sentenceOf(revoke.error, t) : undefined} onClose={() => setDoing(null)} onConfirm={() => revoke.mutate(undefined, told)}><p>{t('revoke_text')}</p></Confirm>}
      </section>
    );
  if (!isAlive(of)) return null;
  return (
    <section className="stack-small">
      <div className="row key-actions">
        <Select label={t('lifetime')} hideLabel value={days} onChange={(event) => setDays(event.target.value)}>{['7', '30', '90', '365'].map((one) => <option key={one} value={one}>{t('days', { count: Number(one) })}</option>)}</Select>
        <Button size="small" busy={renew.isPending} onClick={() => renew.mutate(undefined, told)}>{t('renew')}</Button>
      </div>
      <div className="row key-actions">
        <Select label={t('grace')} hideLabel value={grace} onChange={(event) => setGrace(event.target.value)}><option value="0">{t('grace_none')}</option><option value="3600">{t('grace_hour')}</option><option value="86400">{t('grace_day')}</option></Select>
        <Button size="small" busy={rotate.isPending} onClick={() => rotate.mutate(undefined)}>{t('rotate')}</Button>
      </div>
      {rotate.data?.key && <><Note tone="warn">{t('shown')}</Note><Reveal text={rotate.data.key} label={t('key')} /></>}
      <div className="row">
        {of.state === 'live' ? <Button size="small" onClick={() => setDoing('suspend')}>{t('suspend')}</Button> : <Button size="small" busy={resume.isPending} onClick={() => resume.mutate(undefined, told)}>{t('resume')}</Button>}
        <Button kind="danger" size="small" onClick={() => setDoing('revoke')}>{t('revoke')}</Button>
      </div>
      {failed && <Note tone="bad">{sentenceOf(failed, t)}</Note>}
      {doing === 'suspend' && <Confirm open title={t('suspend')} action={t('suspend')} busy={suspend.isPending} fault={suspend.error ? sentenceOf(suspend.error, t) : undefined} onClose={() => setDoing(null)} onConfirm={() => suspend.mutate(undefined, told)}><p>{t('suspend_text')}</p></Confirm>}
      {doing === 'revoke' && <Confirm open title={t('revoke')} action={t('revoke')} danger typed={of.label || of.shown} busy={revoke.isPending} fault={revoke.error ? sentenceOf(revoke.error, t) : undefined} onClose={() => setDoing(null)} onConfirm={() => revoke.mutate(undefined, told)}><p>{t('revoke_text')}</p></Confirm>}
    </section>
  );
}

function Edit({ of }: { of: Key }) {
  const { t } = useTranslation('admin-keys');
  const [label, setLabel] = useState(of.label);
  const [nodes, setNodes] = useState(of.nodes.join(', '));
  const [budgets, setBudgets] = useState(of.budgets);
  const save = useCommand(() => api.patch('/api/v1/keys/{name}', { label, budgets, nodes: nodes.split(/[,\s]+/).filter(Boolean) }, { path: { name: of.id } }), lists);
  return (
    <details>
      <summary className="key-edit">{t('edit')}</summary>
      <div className="stack">
        <Input label={t('label')} value={label} maxLength={100} onChange={(event) => setLabel(event.target.value)} />
        <Input label={t('nodes')} hint={t('nodes_hint')} value={nodes} onChange={(event) => setNodes(event.target.value)} />
        <BudgetFields label={t('budgets')} budgets={budgets} onChange={setBudgets} />
        {save.error && <Note tone="bad">{sentenceOf(save.error, t)}</Note>}
        <div className="row"><Button size="small" busy={save.isPending} onClick={() => save.mutate(undefined, { onSuccess: () => toast(t('done')) })}>{t('save')}</Button></div>
      </div>
    </details>
  );
}

function History({ id, people }: { id: string; people: People }) {
  const { t } = useTranslation('admin-keys');
  const entries = useApi('/api/v1/audit', { query: { about: id, limit: 100 } as never });
  return (
    <section className="stack-small">
      <h3>{t('history')}</h3>
      <Loaded of={entries} rows={2}>{(data) => <ul className="key-history">{[...data.items].reverse().map((one) => <li key={one.position}><span className="mono">{one.what}</span> <span className="soft">{people.get(one.who)?.name ?? one.who}</span> <span className="faint"><Ago at={one.at} /></span></li>)}</ul>}</Loaded>
    </section>
  );
}
