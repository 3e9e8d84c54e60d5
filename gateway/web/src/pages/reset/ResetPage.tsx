import { useState } from 'react';
import type { FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { Bare } from '../../shell/Bare';
import { Button, Input, Note } from '../../ui';

type Stage = 'ask' | 'set' | 'done';

/// A new password: asks for a code by mail, or takes one that an administrator gave, and sets it.
export default function ResetPage() {
  const { t } = useTranslation('reset');
  const [stage, setStage] = useState<Stage>('ask');
  const [asked, setAsked] = useState(false);
  const [email, setEmail] = useState('');
  const [code, setCode] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState('');

  const run = async (event: FormEvent, step: () => Promise<unknown>, next: Stage): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFault('');
    try {
      await step();
      setStage(next);
    } catch (error) {
      setFault(sentenceOf(error, t));
    } finally {
      setBusy(false);
    }
  };
  const ask = (event: FormEvent): Promise<void> => run(event, async () => {
    await api.post('/api/v1/password/reset', { email: email.trim() });
    setAsked(true);
  }, 'set');
  const set = (event: FormEvent): Promise<void> => run(event, async () => {
    await api.post('/api/v1/password/set', { email: email.trim(), code: code.replace(/\s/g, ''), password });
    setPassword('');
  }, 'done');

  const address = (
    <Input label={t('email')} type="email" autoComplete="username" required value={email} onChange={(event) => setEmail(event.target.value)} />
  );
  const foot = <Link href="/login">{t('to_sign_in')}</Link>;
  const wrong = fault && <Note tone="bad">{fault}</Note>;
  if (stage === 'done')
    return (
      <Bare title={t('done')}>
        <Note tone="good">{t('done_text')}</Note>
        <Link href="/login" className="button button-main">{t('to_sign_in')}</Link>
      </Bare>
    );
  if (stage === 'set')
    return (
      <Bare title={t('set_title')} note={asked ? t('asked') : undefined} foot={foot}>
        <form className="stack" onSubmit={(event) => void set(event)}>
          {wrong}
          {address}
          <Input label={t('code')} autoComplete="one-time-code" spellCheck={false} autoFocus required value={code}
            onChange={(event) => setCode(event.target.value)} />
          <Input label={t('new_password')} hint={t('password_hint')} type="password" autoComplete="new-password" required
            value={password} onChange={(event) => setPassword(event.target.value)} />
          <Button kind="main" type="submit" busy={busy}>{t('set')}</Button>
          <Button kind="quiet" onClick={() => { setFault(''); setStage('ask'); }}>{t('ask_again')}</Button>
        </form>
      </Bare>
    );
  return (
    <Bare title={t('title')} note={t('note')} foot={foot}>
      <form className="stack" onSubmit={(event) => void ask(event)}>
        {wrong}
        {address}
        <Button kind="main" type="submit" busy={busy}>{t('ask')}</Button>
        <Button kind="quiet" onClick={() => { setFault(''); setStage('set'); }}>{t('have_code')}</Button>
      </form>
    </Bare>
  );
}
