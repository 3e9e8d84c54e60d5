import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, onceKey } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useCommand } from '../../api/hooks';
import { day } from '../../api/key_words';
import type { Key } from '../../api/key_words';
import { Button, Confirm, Dialog, Input, Note, Select, TextArea, toast } from '../../ui';

const lists = ['/api/v1/me/keys', '/api/v1/me/keys/{name}'] as const;
interface Props { keyOf: Key; onClose: () => void }

export function Rename({ keyOf, onClose }: Props) {
  const { t } = useTranslation('my-keys');
  const [label, setLabel] = useState(keyOf.label);
  const rename = useCommand(() => api.patch('/api/v1/me/keys/{name}', { label }, { path: { name: keyOf.id } }), lists);
  const done = (): void => { toast(t('renamed')); onClose(); };
  return (
    <Dialog open title={t('rename')} onClose={onClose} actions={<Button kind="main" busy={rename.isPending} onClick={() => rename.mutate(undefined, { onSuccess: done })}>{t('save')}</Button>}>
      <div className="stack">
        <Input label={t('label')} hint={t('label_hint')} value={label} maxLength={100} autoFocus onChange={(event) => setLabel(event.target.value)} />
        {rename.error && <Note tone="bad">{sentenceOf(rename.error, t)}</Note>}
      </div>
    </Dialog>
  );
}

/// Renews at once where the policy lets people, else asks an admin.
export function Renew({ keyOf, onClose }: Props) {
  const { t } = useTranslation('my-keys');
  const [days, setDays] = useState('30');
  const [reason, setReason] = useState('');
  const [once] = useState(onceKey);
  const [mustAsk, setMustAsk] = useState(false);
  const path = { name: keyOf.id };
  const renew = useCommand(() => api.post('/api/v1/me/keys/{name}/renew', { lifetime_s: Number(days) * day }, { path, once }), lists);
  const ask = useCommand(() => api.post('/api/v1/me/keys/{name}/renewal', { lifetime_s: Number(days) * day, reason }, { path }), lists);
  const error = mustAsk ? ask.error : renew.error;
  const submit = (): void => {
    if (mustAsk) return ask.mutate(undefined, { onSuccess: () => { toast(t('renewal_asked')); onClose(); } });
    renew.mutate(undefined, {
      onSuccess: () => { toast(t('renewed')); onClose(); },
      onError: (failure) => { if (failure.code === 'renewal_refused') setMustAsk(true); },
    });
  };
  return (
    <Dialog open title={t('renew')} onClose={onClose} actions={<Button kind="main" busy={renew.isPending || ask.isPending} onClick={submit}>{mustAsk ? t('renew_ask') : t('renew_do')}</Button>}>
      <div className="stack">
        <p>{t('renew_text')}</p>
        <Select label={t('renew_days')} value={days} onChange={(event) => setDays(event.target.value)}>
          {['7', '30', '90', '180'].map((one) => <option key={one} value={one}>{t('days', { count: Number(one) })}</option>)}
        </Select>
        {mustAsk && <><Note>{t('renew_needs_admin')}</Note><TextArea label={t('reason')} hint={t('reason_hint')} value={reason} maxLength={500} autoFocus onChange={(event) => setReason(event.target.value)} /></>}
        {error && <Note tone="bad">{sentenceOf(error, t)}</Note>}
        {error && !mustAsk && <Button kind="quiet" onClick={() => setMustAsk(true)}>{t('renew_ask')}</Button>}
      </div>
    </Dialog>
  );
}

export function Rotate({ keyOf, onClose, onShown }: Props & { onShown: (text: string) => void }) {
  const { t } = useTranslation('my-keys');
  const [grace, setGrace] = useState('3600');
  const [once] = useState(onceKey);
  const rotate = useCommand(() => api.post('/api/v1/me/keys/{name}/rotate', { grace_s: Number(grace) }, { path: { name: keyOf.id }, once }), lists);
  return (
    <Dialog open title={t('rotate')} onClose={onClose} actions={
      <Button kind="main" busy={rotate.isPending} onClick={() => rotate.mutate(undefined, { onSuccess: (done) => { onClose(); onShown(done?.key ?? ''); } })}>{t('rotate_do')}</Button>
    }>
      <div className="stack">
        <p>{t('rotate_text')}</p>
        <Select label={t('grace')} value={grace} onChange={(event) => setGrace(event.target.value)}>
          <option value="0">{t('grace_none')}</option>
          <option value="3600">{t('grace_hour')}</option>
          <option value="86400">{t('grace_day')}</option>
        </Select>
        {rotate.error && <Note tone="bad">{sentenceOf(rotate.error, t)}</Note>}
      </div>
    </Dialog>
  );
}

export function Revoke({ keyOf, onClose }: Props) {
  const { t } = useTranslation('my-keys');
  const revoke = useCommand(() => api.post('/api/v1/me/keys/{name}/revoke', {}, { path: { name: keyOf.id } }), lists);
  return (
    <Confirm open title={t('revoke')} action={t('revoke_do')} danger typed={keyOf.label || keyOf.shown} busy={revoke.isPending}
      fault={revoke.error ? sentenceOf(revoke.error, t) : undefined} onClose={onClose}
      onConfirm={() => revoke.mutate(undefined, { onSuccess: () => { toast(t('revoked')); onClose(); } })}>
      <p>{t('revoke_text')}</p>
    </Confirm>
  );
}
