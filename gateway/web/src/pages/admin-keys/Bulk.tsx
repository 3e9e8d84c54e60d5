import { useRef, useState } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { day } from '../../api/key_words';
import type { Key } from '../../api/key_words';
import { Badge, Button, Dialog, Input, Note, Select, Table } from '../../ui';
import type { Column } from '../../ui';

export type BulkKind = 'renew' | 'suspend' | 'resume' | 'revoke';
interface Plan { key: Key; does: boolean; why: string; result?: string; failed?: boolean }

/// What would become of each of them, before anything is done; then what became of each.
export function planOf(kind: BulkKind, keys: readonly Key[], words: Record<'not_live' | 'not_suspended' | 'ended', string>): Plan[] {
  return keys.map((key) => {
    const alive = key.state === 'live' || key.state === 'suspended';
    if (kind === 'suspend') return { key, does: key.state === 'live', why: key.state === 'live' ? '' : words.not_live };
    if (kind === 'resume') return { key, does: key.state === 'suspended', why: key.state === 'suspended' ? '' : words.not_suspended };
    return { key, does: alive || (kind === 'revoke' && key.state !== 'revoked' && key.state !== 'rotated' && key.state !== 'expired'), why: alive ? '' : words.ended };
  });
}

export function Bulk({ kind, keys, ownerText, onClose }: { kind: BulkKind; keys: readonly Key[]; ownerText: (key: Key) => string; onClose: (done: boolean) => void }) {
  const { t } = useTranslation('admin-keys');
  const queries = useQueryClient();
  const [days, setDays] = useState('30');
  const [typed, setTyped] = useState('');
  const [plan, setPlan] = useState<Plan[]>(() => planOf(kind, keys, { not_live: t('not_live'), not_suspended: t('not_suspended'), ended: t('ended_already') }));
  const [at, setAt] = useState<number | null>(null);
  const stop = useRef(false);
  const todo = plan.filter((one) => one.does);
  const over = at !== null && at >= todo.length;
  const title = kind === 'renew' ? t('renew') : kind === 'suspend' ? t('suspend') : kind === 'resume' ? t('resume') : t('revoke');
  const text = kind === 'renew' ? t('bulk_renew', { count: todo.length }) : kind === 'suspend' ? t('bulk_suspend', { count: todo.length }) : kind === 'resume' ? t('bulk_resume', { count: todo.length }) : t('bulk_revoke', { count: todo.length });
  const run = async (): Promise<void> => {
    for (let index = 0; index < todo.length && !stop.current; index += 1) {
      setAt(index);
      const { key } = todo[index]!;
      const path = { name: key.id };
      let result = t('done');
      let failed = false;
      try {
        if (kind === 'renew') await api.post('/api/v1/keys/{name}/renew', { lifetime_s: Number(days) * day }, { path });
        else if (kind === 'suspend') await api.post('/api/v1/keys/{name}/suspend', {}, { path });
        else if (kind === 'resume') await api.post('/api/v1/keys/{name}/resume', {}, { path });
        else await api.post('/api/v1/keys/{name}/revoke', {}, { path });
      } catch (error) {
        failed = true;
        result = sentenceOf(error, t);
      }
      setPlan((old) => old.map((one) => (one.key.id === key.id ? { ...one, result, failed } : one)));
    }
    setAt(todo.length);
    await Promise.all(['/api/v1/keys', '/api/v1/pool'].map((path) => queries.invalidateQueries({ queryKey: [path] })));
  };
  const columns: Column<Plan>[] = [
    { key: 'key', title: t('key'), cell: (one) => one.key.label || one.key.shown },
    { key: 'owner', title: t('owner'), cell: (one) => ownerText(one.key) },
    { key: 'what', title: t('becomes'), cell: (one) => (one.result ? <Badge tone={one.failed ? 'bad' : 'good'}>{one.result}</Badge> : one.does ? <Badge tone="info">{title}</Badge> : <span className="soft">{t('stays')}: {one.why}</span>) },
  ];
  const confirmed = kind !== 'revoke' || typed.trim() === String(todo.length);
  return (
    <Dialog open wide title={t('bulk_title', { what: title, count: keys.length })} onClose={() => { stop.current = true; onClose(at !== null); }} actions={
      over ? <Button kind="main" onClick={() => onClose(true)}>{t('close')}</Button>
        : <Button kind={kind === 'revoke' ? 'danger' : 'main'} busy={at !== null} disabled={todo.length === 0 || !confirmed} onClick={() => void run()}>{title}</Button>
    }>
      <div className="stack">
        <p>{text}</p>
        {kind === 'renew' && at === null && <Select label={t('lifetime')} value={days} onChange={(event) => setDays(event.target.value)}>{['7', '30', '90', '365'].map((one) => <option key={one} value={one}>{t('days', { count: Number(one) })}</option>)}</Select>}
        {at !== null && <Note tone={over ? 'good' : 'info'}><span role="status">{t('bulk_progress', { done: Math.min(at, todo.length), count: todo.length })}</span></Note>}
        <Table label={title} rows={plan} columns={columns} rowKey={(one) => one.key.id} virtual={plan.length > 100} height="40vh" />
        {kind === 'revoke' && at === null && <Input label={t('bulk_type', { count: todo.length })} inputMode="numeric" value={typed} onChange={(event) => setTyped(event.target.value)} />}
      </div>
    </Dialog>
  );
}
