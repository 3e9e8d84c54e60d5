import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { portalUrl } from '../../api/base';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useCommand } from '../../api/hooks';
import { day } from '../../api/key_words';
import { useSession } from '../../api/session';
import { Button, Dialog, Input, Note, Reveal, Select, toast } from '../../ui';
import { groupsOf } from './words';

type Role = 'user' | 'auditor' | 'admin';

export function AddUser({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation('admin-users');
  const { may } = useSession();
  const [email, setEmail] = useState('');
  const [name, setName] = useState('');
  const [groups, setGroups] = useState('');
  const [role, setRole] = useState<Role>('user');
  const add = useCommand(() => api.post('/api/v1/users', { email, name, groups: groupsOf(groups), role, active: true }), ['/api/v1/users']);
  return (
    <Dialog open title={t('add')} onClose={onClose} actions={<Button kind="main" busy={add.isPending} disabled={!email} onClick={() => add.mutate(undefined, { onSuccess: () => { toast(t('added')); onClose(); } })}>{t('add')}</Button>}>
      <div className="stack">
        <p className="soft">{t('add_text')}</p>
        <Input label={t('email')} type="email" required value={email} autoFocus onChange={(event) => setEmail(event.target.value)} />
        <Input label={t('name')} value={name} onChange={(event) => setName(event.target.value)} />
        <Input label={t('groups')} hint={t('groups_hint')} value={groups} onChange={(event) => setGroups(event.target.value)} />
        {may('write.roles') && <Select label={t('role')} value={role} onChange={(event) => setRole(event.target.value as Role)}>{(['user', 'auditor', 'admin'] as const).map((one) => <option key={one} value={one}>{t(`common:role.${one}`)}</option>)}</Select>}
        {add.error && <Note tone="bad">{sentenceOf(add.error, t)}</Note>}
      </div>
    </Dialog>
  );
}

export function Invite({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation('admin-users');
  const [email, setEmail] = useState('');
  const [uses, setUses] = useState('1');
  const [days, setDays] = useState('7');
  const invite = useCommand(() => api.post('/api/v1/invitations', { ...(email ? { email } : {}), uses: Number(uses), lifetime_s: Number(days) * day }), ['/api/v1/invitations']);
  const made = invite.data;
  return (
    <Dialog open title={t('invite')} onClose={onClose} actions={made ? <Button kind="main" onClick={onClose}>{t('close')}</Button> : <Button kind="main" busy={invite.isPending} onClick={() => invite.mutate(undefined)}>{t('invite_do')}</Button>}>
      <div className="stack">
        {made ? (
          <><Note tone="warn">{t('invite_text')}</Note><Reveal text={`${portalUrl('/register').href}#invitation=${encodeURIComponent(made.text)}`} label={t('invite_link')} /></>
        ) : (
          <>
            <Input label={t('invite_email')} hint={t('invite_email_hint')} type="email" value={email} onChange={(event) => setEmail(event.target.value)} />
            <Input label={t('invite_uses')} type="number" min={1} max={1000} value={uses} onChange={(event) => setUses(event.target.value)} />
            <Select label={t('invite_days')} value={days} onChange={(event) => setDays(event.target.value)}>{['1', '7', '30'].map((one) => <option key={one} value={one}>{t('days', { count: Number(one) })}</option>)}</Select>
            {invite.error && <Note tone="bad">{sentenceOf(invite.error, t)}</Note>}
          </>
        )}
      </div>
    </Dialog>
  );
}
