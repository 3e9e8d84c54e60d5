import { useRef, useState } from 'react';
import type { FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api } from '../../api/client';
import { Button, Input, Note } from '../../ui';
import { useSignIn } from './useSignIn';

export function PasswordForm() {
  const { t } = useTranslation('login');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const { busy, fault, run } = useSignIn(() => api.post('/api/v1/session', { email: email.trim(), password }));
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (await run()) return;
    setPassword('');
    field.current?.focus();
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)}>
      {fault && <Note tone="bad">{fault}</Note>}
      <Input label={t('email')} type="email" autoComplete="username" required autoFocus value={email}
        onChange={(event) => setEmail(event.target.value)} />
      <Input ref={field} label={t('password')} type="password" autoComplete="current-password" required value={password}
        onChange={(event) => setPassword(event.target.value)} />
      <Button kind="main" type="submit" busy={busy}>{t('sign_in')}</Button>
      <div className="bare-line"><Link href="/reset">{t('forgotten')}</Link></div>
    </form>
  );
}
