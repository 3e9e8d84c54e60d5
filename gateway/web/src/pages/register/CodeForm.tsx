import { useTranslation } from 'react-i18next';
import { Button, Input, Note } from '../../ui';
import type { Registration } from './registration';

/// The code that came by mail.
export function CodeForm({ registration }: { registration: Registration }) {
  const { t } = useTranslation('register');
  const { values, set, busy, fault, faultAt, send, back } = registration;
  return (
    <form className="stack" onSubmit={(event) => { event.preventDefault(); void send(); }}>
      {fault && faultAt !== 'code' && <Note tone="bad">{fault}</Note>}
      <Input label={t('code.label')} hint={t('code.hint')} autoComplete="one-time-code" spellCheck={false} autoFocus required
        value={values.code} fault={faultAt === 'code' ? fault : undefined} onChange={(event) => set({ code: event.target.value })} />
      <Button kind="main" type="submit" busy={busy}>{t('code.confirm')}</Button>
      <Button kind="quiet" onClick={back}>{t('code.other')}</Button>
    </form>
  );
}
