import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { useApi } from '../../api/hooks';
import { Ago, Badge, Card, Empty, Loaded, Num, Table } from '../../ui';
import type { Column } from '../../ui';
import { Quota } from '../accounts/Quota';
import '../accounts/accounts.css';
import { conditions, toneOf } from '../accounts/words';
import type { Account } from '../accounts/words';

/// How the accounts with providers are, for everybody: whose addresses they are is told by their beginning at most.
export function Accounts() {
  const { t } = useTranslation('accounts');
  const { t: s } = useTranslation('status');
  const accounts = useApi('/api/v1/accounts', { query: { limit: 1000 } }, { refetchInterval: 30_000 });
  const offers = useApi('/api/v1/account-providers');
  const titles = useMemo(() => new Map((offers.data?.items ?? []).map((one) => [one.provider, one.title])), [offers.data]);
  const columns = useMemo<Column<Account>[]>(() => [
    { key: 'account', title: t('account'), width: 220, sort: (one) => `${one.provider} ${one.address}`, cell: (one) => <><strong>{titles.get(one.provider) ?? one.provider}</strong>{one.plan && <span className="soft"> {one.plan}</span>}<div className="soft cut">{one.address || '–'}</div></> },
    { key: 'condition', title: t('state'), width: 180, sort: (one) => conditions.indexOf(one.condition), cell: (one) => <><Badge dot tone={toneOf(one.condition)}>{t(`condition.${one.condition}`)}</Badge>{one.rests_until && <div className="soft">{t('until')} <Ago at={one.rests_until} /></div>}</> },
    { key: 'quota', title: t('quota'), width: 220, cell: (one) => <Quota windows={one.quota} /> },
    { key: 'day', title: t('used_24h'), number: true, width: 130, sort: (one) => one.used['24h'].ok + one.used['24h'].failed, cell: (one) => <><Num value={one.used['24h'].ok} short />{one.used['24h'].failed > 0 && <span className="account-failed"> +<Num value={one.used['24h'].failed} short /></span>}</> },
    { key: 'owner', title: t('owner'), width: 140, sort: (one) => one.owner_name, cell: (one) => one.mine ? t('you') : one.owner_name || '–' },
    { key: 'node', title: s('node'), width: 120, sort: (one) => one.node, cell: (one) => one.node },
  ], [t, s, titles]);
  return (
    <Loaded of={accounts} rows={4}>
      {(data) => (
        <Card flush title={s('accounts_title')} note={conditions.filter((one) => data.conditions[one]).map((one) => `${t(`condition.${one}`)}: ${data.conditions[one]}`).join(' · ')}
          actions={<Link className="button" href="/accounts?contribute=1">{t('contribute')}</Link>}>
          <Table label={s('accounts_title')} rows={data.items} columns={columns} rowKey={(one) => one.id} empty={<Empty icon="accounts" title={t('none')}>{t('none_text')}</Empty>} />
        </Card>
      )}
    </Loaded>
  );
}
