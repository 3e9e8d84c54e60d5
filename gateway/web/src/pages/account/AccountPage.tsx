import { useTranslation } from 'react-i18next';
import { useApi } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Badge, Card, Loaded, Page } from '../../ui';
import { Factor } from './Factor';
import { Identities } from './Identities';
import { Password } from './Password';
import { Sessions } from './Sessions';
import { Told } from './Told';
import { Tokens } from './Tokens';

/// How one signs in, where one is signed in, and one's tokens for programs.
export default function AccountPage() {
  const { t } = useTranslation('account');
  const { session, may } = useSession();
  const account = useApi('/api/v1/account', undefined, { enabled: may('own.account') });
  const me = session?.user;
  return (
    <Page title={t('title')} width="text">
      <div className="stack">
        {me && (
          <Card title={t('who')}>
            <dl className="facts">
              <dt>{t('name')}</dt><dd>{me.name}</dd>
              <dt>{t('email')}</dt><dd>{me.email}</dd>
              <dt>{t('role')}</dt><dd><Badge>{t(`common:role.${me.role}`)}</Badge></dd>
              <dt>{t('groups')}</dt><dd>{me.groups.length ? me.groups.join(', ') : t('no_groups')}</dd>
            </dl>
          </Card>
        )}
        {may('own.account') && (
          <Loaded of={account} rows={6}>
            {(data) => (
              <>
                <Password has={data.has_password} />
                <Factor account={data} />
                <Identities linked={data.identities} />
              </>
            )}
          </Loaded>
        )}
        {may('own.account') && <Told />}
        {may('own.account') && <Sessions />}
        {may('own.tokens') && <Tokens />}
      </div>
    </Page>
  );
}
