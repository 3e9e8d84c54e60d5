import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, Redirect, useSearch } from 'wouter';
import { safeReturn } from '../../api/base';
import { useApi } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Bare } from '../../shell/Bare';
import { Note } from '../../ui';
import { CodeForm } from './CodeForm';
import { invitationOf, useRegistration } from './registration';
import { RegisterForm } from './RegisterForm';
import './register.css';

/// Registering: the form, the code that came by mail where the address is to be proven, and what comes after.
export default function RegisterPage() {
  const { t } = useTranslation('register');
  const { signedIn } = useSession();
  const given = new URLSearchParams(useSearch());
  const [invitation] = useState(() => invitationOf(location.hash));
  useEffect(() => {
    // An invitation is as good as a password: it does not stay in the address.
    if (location.hash) history.replaceState(history.state, '', location.pathname + location.search);
  }, []);
  const registration = useRegistration({
    email: given.get('email') ?? '',
    name: given.get('name') ?? '',
    external: given.get('external') === 'true',
    invitation,
  });
  const mode = useApi('/api/v1/sign-in').data?.registration;
  const goal = safeReturn(given.get('return_to'));
  const stage = given.get('state') === 'waits' ? 'waits' : registration.stage;
  const home = <Link href="/login">{t('to_sign_in')}</Link>;

  if (signedIn && stage !== 'waits') return <Redirect replace to={goal} />;
  if (stage === 'waits')
    return (
      <Bare title={t('waits.title')} foot={home}>
        <ol className="register-way">
          <li className="register-done">{t('waits.submitted')}</li>
          <li aria-current="step">{t('waits.now')}</li>
          <li>{t('waits.then')}</li>
        </ol>
      </Bare>
    );
  if (stage === 'done')
    return (
      <Bare title={t('done.title')}>
        <Note tone="good">{t('done.text')}</Note>
        <Link href="/login" className="button button-main">{t('to_sign_in')}</Link>
      </Bare>
    );
  if (stage === 'code')
    return (
      <Bare title={t('code.title')} note={t('code.note', { email: registration.values.email })} foot={home}>
        <CodeForm registration={registration} />
      </Bare>
    );
  return (
    <Bare title={t('title')} note={registration.values.external ? t('external_note') : undefined}
      foot={<>{t('known_here')} {home}</>}>
      {mode === 'closed' && <Note tone="warn">{t('mode.closed')}</Note>}
      {mode === 'domain' && <Note>{t('mode.domain')}</Note>}
      {mode === 'invitation' && !registration.values.invitation && <Note>{t('mode.invitation')}</Note>}
      {mode === 'approval' && <Note>{t('mode.approval')}</Note>}
      <RegisterForm registration={registration} mode={mode} />
    </Bare>
  );
}
