import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, Redirect, useSearch } from 'wouter';
import { portalUrl, safeReturn } from '../../api/base';
import { ApiError, sentenceOf } from '../../api/error';
import { useApi } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Bare } from '../../shell/Bare';
import { Button, Loading, Note, Tabs } from '../../ui';
import { KeyForm } from './KeyForm';
import { PasswordForm } from './PasswordForm';
import { SecondFactorForm } from './SecondFactorForm';

type Way = 'password' | 'key';
const contributing = `/login?return_to=${encodeURIComponent('/accounts?contribute=1')}`;

export default function LoginPage() {
  const { t } = useTranslation('login');
  const { session, signedIn, signOut } = useSession();
  const given = new URLSearchParams(useSearch());
  const goal = safeReturn(given.get('return_to'));
  const failed = given.get('failed');
  const [picked, setPicked] = useState<Way | null>(null);
  const [administrator, setAdministrator] = useState(false);
  const providers = useApi('/api/v1/sign-in/providers');
  const ways = useApi('/api/v1/sign-in');
  // Where nobody but administrators has one, no password is asked for until somebody says to be one.
  const passwords = administrator || ways.isError || !!ways.data?.passwords;
  const way: Way = picked ?? (passwords ? 'password' : 'key');

  if (signedIn) return <Redirect replace to={goal} />;
  if (session?.second_factor_needed)
    return (
      <Bare title={t('second.title')} note={t('second.note')}
        foot={<Button kind="quiet" onClick={() => void signOut()}>{t('second.other')}</Button>}>
        <SecondFactorForm />
      </Bare>
    );
  const elsewhere = providers.data?.items ?? [];
  const search = goal === '/' ? '' : `?return_to=${encodeURIComponent(goal)}`;
  return (
    <Bare title={t('title')} foot={
      <>
        {t('new_here')} <Link href={`/register${search}`}>{t('register')}</Link> · <Link href={contributing}>{t('contribute')}</Link>
      </>
    }>
      {failed && <Note tone="bad">{sentenceOf(new ApiError(failed, 400, t('elsewhere_failed')), t)}</Note>}
      {given.has('return_to') && !failed && <Note>{t('needed')}</Note>}
      {elsewhere.length > 0 && (
        <>
          <div className="bare-ways">
            {elsewhere.map((one) => (
              <a key={one.name} className="button"
                href={portalUrl(`sign-in/${encodeURIComponent(one.name)}?return_to=${encodeURIComponent(goal)}`).href}>
                {t('with', { title: one.title })}
              </a>
            ))}
          </div>
          <div className="bare-or">{t('or')}</div>
        </>
      )}
      {ways.isPending ? <Loading rows={4} /> : passwords ? (
        <Tabs<Way> label={t('ways')} value={way} onChange={setPicked}
          tabs={[{ key: 'password', label: t('password_tab') }, { key: 'key', label: t('key_tab') }]}>
          {way === 'password' ? <PasswordForm /> : <KeyForm />}
        </Tabs>
      ) : (
        <>
          <KeyForm />
          <Button kind="quiet" onClick={() => { setAdministrator(true); setPicked('password'); }}>{t('administrator')}</Button>
        </>
      )}
    </Bare>
  );
}
