import { useState } from 'react';
import type { FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useCommand } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Button, Card, Input, Note, toast } from '../../ui';

export function Password({ has }: { has: boolean }) {
  const { t } = useTranslation('account');
  const { refresh } = useSession();
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [again, setAgain] = useState('');
  const change = useCommand(() => api.post('/api/v1/password', { old, new: fresh }), ['/api/v1/account', '/api/v1/sessions']);
  if (!has) return <Card title={t('password')}><p>{t('no_password')} <Link href="/reset">{t('set_password')}</Link></p></Card>;
  const differs = again !== '' && again !== fresh;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (differs || !again) return;
    change.mutate(undefined, { onSuccess: () => { void refresh(); setOld(''); setFresh(''); setAgain(''); toast(t('password_changed')); } });
  };
  return (
    <Card title={t('password')} note={t('password_note')}>
      <form className="stack" onSubmit={submit}>
        <Input label={t('old')} type="password" autoComplete="current-password" required value={old} onChange={(event) => setOld(event.target.value)} />
        <Input label={t('new')} type="password" autoComplete="new-password" required minLength={8} hint={t('new_hint')} value={fresh} onChange={(event) => setFresh(event.target.value)} />
        <Input label={t('again')} type="password" autoComplete="new-password" required value={again} fault={differs ? t('differs') : undefined} onChange={(event) => setAgain(event.target.value)} />
        {change.error && <Note tone="bad">{sentenceOf(change.error, t)}</Note>}
        <div className="row"><Button type="submit" busy={change.isPending}>{t('change_password')}</Button></div>
      </form>
    </Card>
  );
}
