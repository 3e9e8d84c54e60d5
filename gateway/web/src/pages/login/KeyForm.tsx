import { useState } from 'react';
import type { FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { Button, Input, Note } from '../../ui';
import { useSignIn } from './useSignIn';

export function KeyForm() {
  const { t } = useTranslation('login');
  const [key, setKey] = useState('');
  const { busy, fault, run } = useSignIn(() => api.post('/api/v1/session', { key: key.trim() }));
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    await run();
    setKey('');
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)}>
      {fault && <Note tone="bad">{fault}</Note>}
      <Input label={t('key')} hint={t('key_hint')} type="password" autoComplete="off" spellCheck={false} required value={key}
        onChange={(event) => setKey(event.target.value)} />
      <Button kind="main" type="submit" busy={busy}>{t('see_usage')}</Button>
    </form>
  );
}
