import { useTranslation } from 'react-i18next';
import { Button, Input, Note, TextArea } from '../../ui';
import type { Registration, RegistrationMode, Values } from './registration';

/// `mode`: who may register here; not known while it is asked.
export function RegisterForm({ registration, mode }: { registration: Registration; mode?: RegistrationMode }) {
  const { t } = useTranslation('register');
  const { values, set, busy, fault, faultAt, send } = registration;
  const invited = values.invitation.trim() !== '';
  const invitationNeeded = mode === 'invitation' || mode === 'closed';
  const reasonNeeded = registration.reasonNeeded || (mode === 'approval' && !invited);
  const faultOf = (name: keyof Values): string | undefined => (faultAt === name ? fault : undefined);
  return (
    <form className="stack" onSubmit={(event) => { event.preventDefault(); void send(); }}>
      {fault && !faultAt && <Note tone="bad">{fault}</Note>}
      <Input label={t('email')} type="email" autoComplete="email" required readOnly={values.external && !!values.email}
        value={values.email} fault={faultOf('email')} onChange={(event) => set({ email: event.target.value })} />
      <Input label={t('name')} autoComplete="name" required maxLength={200} value={values.name} fault={faultOf('name')}
        onChange={(event) => set({ name: event.target.value })} />
      {!values.external && (
        <Input label={t('password')} hint={t('password_hint')} type="password" autoComplete="new-password" required
          value={values.password} fault={faultOf('password')} onChange={(event) => set({ password: event.target.value })} />
      )}
      <Input label={invitationNeeded ? t('invitation_needed') : t('invitation')} required={invitationNeeded} hint={t('invitation_hint')} autoComplete="off" spellCheck={false} type="password"
        value={values.invitation} fault={faultOf('invitation')} onChange={(event) => set({ invitation: event.target.value })} />
      {reasonNeeded && (
        <TextArea label={t('reason')} hint={t('reason_hint')} required maxLength={500}
          value={values.reason} fault={faultOf('reason')} onChange={(event) => set({ reason: event.target.value })} />
      )}
      <Button kind="main" type="submit" busy={busy}>{t('register')}</Button>
    </form>
  );
}
