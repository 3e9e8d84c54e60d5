import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { useKeyStatus } from '../../api/key_words';
import { useSession } from '../../api/session';
import type { Schemas } from '../../api/types';
import { BudgetFields } from '../../parts/BudgetFields';
import { Ago, Badge, Button, Confirm, Drawer, Input, Loaded, Note, Reveal, Select, TextArea, toast } from '../../ui';
import { groupsOf, useUserState } from './words';

type User = Schemas['user'];
const lists = ['/api/v1/users', '/api/v1/users/{name}', '/api/v1/keys'] as const;

/// One person: what may be changed, keys, sessions.
export function UserDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation('admin-users');
  const user = useApi('/api/v1/users/{name}', { path: { name: id } });
  return (
    <Drawer open title={user.data?.name || t('person')} onClose={onClose}>
      <Loaded of={user} rows={6}>{(data) => <div className="stack"><State user={data} /><Edit key={data.changed_at} user={data} /><Keys user={data} /><SignIn user={data} /></div>}</Loaded>
    </Drawer>
  );
}

/// Approve, refuse, suspend, resume, delete; asks twice where one would lose rights of one's own.
function State({ user }: { user: User }) {
  const { t } = useTranslation('admin-users');
  const { may } = useSession();
  const state = useUserState()(user.state);
  const [to, setTo] = useState<'active' | 'suspended' | 'deleted' | null>(null);
  const [reason, setReason] = useState('');
  const [twice, setTwice] = useState(false);
  const change = useCommand(() => api.post('/api/v1/users/{name}/state', { to: to!, ...(reason ? { reason } : {}) }, { path: { name: user.id }, query: twice ? { confirm: 'true' as const } : undefined }), lists);
  const texts = { active: user.state === 'pending' ? t('approve_text') : t('resume_text'), suspended: t('suspend_text'), deleted: user.state === 'pending' ? t('refuse_text') : t('delete_text') };
  const words = { active: user.state === 'pending' ? t('approve') : t('resume'), suspended: t('suspend'), deleted: user.state === 'pending' ? t('refuse') : t('delete') };
  const close = (): void => { setTo(null); setTwice(false); setReason(''); change.reset(); };
  return (
    <>
      <div className="row"><Badge dot tone={state.tone}>{state.text}</Badge><span className="soft wrap-any">{user.email}</span><span className="faint"><Ago at={user.created_at} /></span></div>
      {may('write.people') && user.state !== 'deleted' && (
        <div className="row">
          {user.state !== 'active' && <Button kind="main" size="small" onClick={() => setTo('active')}>{words.active}</Button>}
          {user.state === 'active' && <Button size="small" onClick={() => setTo('suspended')}>{words.suspended}</Button>}
          {user.state === 'active' && <Link className="button button-small" href={`/admin/notices?remind=${encodeURIComponent(user.email)}`}>{t('remind')}</Link>}
          <Button kind="danger" size="small" onClick={() => setTo('deleted')}>{words.deleted}</Button>
        </div>
      )}
      {to && (
        <Confirm open title={`${words[to]}: ${user.name}`} action={words[to]} danger={to !== 'active'} typed={to === 'deleted' && user.state !== 'pending' ? user.email : undefined} busy={change.isPending}
          fault={change.error ? sentenceOf(change.error, t) : undefined} onClose={close}
          onConfirm={() => change.mutate(undefined, { onSuccess: () => { toast(t('done')); close(); }, onError: (failure) => { if (failure.code === 'confirmation_needed') setTwice(true); } })}>
          <div className="stack"><p>{texts[to]}</p>{user.state === 'pending' && <TextArea label={t('reason')} value={reason} onChange={(event) => setReason(event.target.value)} />}{twice && <Note tone="warn">{t('twice')}</Note>}</div>
        </Confirm>
      )}
    </>
  );
}

function Edit({ user }: { user: User }) {
  const { t } = useTranslation('admin-users');
  const { may } = useSession();
  const [name, setName] = useState(user.name);
  const [email, setEmail] = useState(user.email);
  const [groups, setGroups] = useState(user.groups.join(', '));
  const [role, setRole] = useState(user.role);
  const [budgets, setBudgets] = useState(user.budgets);
  const [twice, setTwice] = useState(false);
  const save = useCommand(() => api.patch('/api/v1/users/{name}', {
    ...(name !== user.name ? { name } : {}), ...(email !== user.email ? { email } : {}), ...(role !== user.role ? { role } : {}),
    ...(groups !== user.groups.join(', ') ? { groups: groupsOf(groups) } : {}), ...(budgets !== user.budgets ? { budgets } : {}),
  }, { path: { name: user.id }, query: twice ? { confirm: 'true' as const } : undefined }), lists);
  if (!may('write.people') || user.state === 'deleted') return null;
  return (
    <div className="stack">
      <Input label={t('name')} value={name} onChange={(event) => setName(event.target.value)} />
      <Input label={t('email')} type="email" value={email} onChange={(event) => setEmail(event.target.value)} />
      <Input label={t('groups')} hint={t('groups_hint')} value={groups} onChange={(event) => setGroups(event.target.value)} />
      {may('write.roles') && <Select label={t('role')} value={role} onChange={(event) => setRole(event.target.value as User['role'])}>{(['user', 'auditor', 'admin'] as const).map((one) => <option key={one} value={one}>{t(`common:role.${one}`)}</option>)}</Select>}
      <BudgetFields label={t('budgets')} budgets={budgets} onChange={setBudgets} />
      {save.error && <Note tone={twice ? 'warn' : 'bad'}>{sentenceOf(save.error, t)}{twice && ` ${t('twice')}`}</Note>}
      <div className="row"><Button kind="main" busy={save.isPending} onClick={() => save.mutate(undefined, { onSuccess: () => toast(t('saved')), onError: (failure) => { if (failure.code === 'confirmation_needed') setTwice(true); } })}>{t('save')}</Button></div>
    </div>
  );
}

function Keys({ user }: { user: User }) {
  const { t } = useTranslation('admin-users');
  const status = useKeyStatus();
  const keys = useApi('/api/v1/keys', { query: { owner: user.id, limit: 100 } as never });
  return (
    <section className="stack-small">
      <h3>{t('keys')}</h3>
      <Loaded of={keys} rows={1}>{(data) => (data.items.length === 0 ? <p className="soft">{t('no_keys')}</p> : <>{data.items.map((one) => <div key={one.id} className="row"><Link className="grow" href={`/admin/keys?key=${one.id}`}>{one.label || one.shown}</Link><Badge tone={status(one).tone}>{status(one).text}</Badge></div>)}</>)}</Loaded>
      <Link href={`/records?range=30d&user=${user.id}`}>{t('see_records')}</Link>
    </section>
  );
}

/// Sessions, the second factor and a code for a new password.
function SignIn({ user }: { user: User }) {
  const { t } = useTranslation('admin-users');
  const { may } = useSession();
  const path = { name: user.id };
  const sessions = useApi('/api/v1/users/{name}/sessions', { path });
  const end = useCommand(() => api.delete('/api/v1/users/{name}/sessions', { path }), ['/api/v1/users/{name}/sessions']);
  const code = useCommand(() => api.post('/api/v1/users/{name}/password-code', {}, { path }));
  const drop = useCommand(() => api.delete('/api/v1/users/{name}/totp', { path }));
  const [dropping, setDropping] = useState(false);
  if (!may('write.people') || user.state === 'deleted') return null;
  const failed = end.error ?? code.error ?? drop.error;
  return (
    <section className="stack-small">
      <h3>{t('sign_in')}</h3>
      <p className="soft">{t('session_count', { count: sessions.data?.items.length ?? 0 })}</p>
      <div className="row">
        <Button size="small" busy={end.isPending} onClick={() => end.mutate(undefined, { onSuccess: () => toast(t('sessions_ended')) })}>{t('end_sessions')}</Button>
        <Button size="small" busy={code.isPending} onClick={() => code.mutate(undefined)}>{t('password_code')}</Button>
        <Button size="small" onClick={() => setDropping(true)}>{t('drop_factor')}</Button>
      </div>
      {code.data && <><Note tone="warn">{t('password_code_text')}</Note><Reveal text={code.data.code} label={t('code')} /></>}
      {failed && <Note tone="bad">{sentenceOf(failed, t)}</Note>}
      {dropping && <Confirm open title={t('drop_factor')} action={t('drop_factor')} danger busy={drop.isPending} onClose={() => setDropping(false)} onConfirm={() => drop.mutate(undefined, { onSuccess: () => { toast(t('done')); setDropping(false); } })}><p>{t('drop_factor_text')}</p></Confirm>}
    </section>
  );
}
