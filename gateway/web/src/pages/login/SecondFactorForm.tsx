import { useState } from 'react';
import type { FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { Button, Input, Note } from '../../ui';
import { useSignIn } from './useSignIn';

/// The code of an authenticator app, or a recovery code.
export function SecondFactorForm() {
  const { t } = useTranslation('login');
  const [code, setCode] = useState('');
  const { busy, fault, run } = useSignIn(() => api.post('/api/v1/session/second-factor', { code: code.replace(/\s/g, '') }));
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!(await run())) setCode('');
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)}>
      {fault && <Note tone="bad">{fault}</Note>}
      <Input label={t('second.code')} hint={t('second.hint')} autoComplete="one-time-code" autoCapitalize="none"
        spellCheck={false} required autoFocus value={code} onChange={(event) => setCode(event.target.value)} />
      <Button kind="main" type="submit" busy={busy}>{t('second.confirm')}</Button>
    </form>
  );
}
