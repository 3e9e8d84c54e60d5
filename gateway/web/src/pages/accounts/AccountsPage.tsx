import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../../api/hooks';
import { useSession } from '../../api/session';
import { useUrlState } from '../../state/url';
import { Ago, Badge, Button, Card, Chip, Empty, Loaded, Num, Page, Select, Table } from '../../ui';
import type { Column } from '../../ui';
import { AccountDrawer } from './AccountDrawer';
import { Contribute } from './Contribute';
import { Mapping } from './Mapping';
import { Quota } from './Quota';
import './accounts.css';
import { conditions, toneOf } from './words';
import type { Account } from './words';

/// All accounts with providers, over all nodes, and the way to contribute one.
export default function AccountsPage() {
  const { t } = useTranslation('accounts');
  const { may } = useSession();
  const [chosen, choose] = useUrlState({ node: '', provider: '', condition: '', mine: '', account: '', contribute: '' });
  const [mapping, setMapping] = useState(false);
  const query = {
    limit: 1000,
    ...(chosen.node && { node: chosen.node }),
    ...(chosen.provider && { provider: chosen.provider }),
    ...(chosen.condition && { condition: chosen.condition }),
    ...(chosen.mine && { mine: 'true' }),
  };
  const path = may('read.accounts') ? '/api/v1/accounts/all' : '/api/v1/accounts';
  const accounts = useApi(path, { query }, { refetchInterval: 15_000, placeholderData: (old) => old });
  const offers = useApi('/api/v1/account-providers');
  const titles = useMemo(() => new Map((offers.data?.items ?? []).map((one) => [one.provider, one.title])), [offers.data]);
  const titleOf = (provider: string): string => titles.get(provider) ?? provider;
  const columns = useColumns(titleOf);
  return (
    <Page title={t('title')} note={t('note')} width="wide"
      actions={<>
        {may('write.accounts') && <Button icon="upload" onClick={() => setMapping(true)}>{t('mapping')}</Button>}
        <Button kind="main" icon="plus" onClick={() => choose({ contribute: '1' })}>{t('contribute')}</Button>
      </>}>
      <Loaded of={accounts} rows={6}>
        {(data) => (
          <div className="stack">
            <div className="row accounts-filters">
              <Chip chosen={!chosen.condition} onClick={() => choose({ condition: '' })}>{t('every_condition', { count: Object.values(data.conditions).reduce((a, b) => a + b, 0) })}</Chip>
              {conditions.filter((one) => data.conditions[one] || chosen.condition === one).map((one) => (
                <Chip key={one} chosen={chosen.condition === one} onClick={() => choose({ condition: chosen.condition === one ? '' : one })}>{t(`condition.${one}`)} {data.conditions[one] ?? 0}</Chip>
              ))}
              <Chip chosen={!!chosen.mine} onClick={() => choose({ mine: chosen.mine ? '' : '1' })}>{t('mine')}</Chip>
              <Select label={t('node')} hideLabel value={chosen.node} onChange={(event) => choose({ node: event.target.value })}>
                <option value="">{t('all_nodes')}</option>
                {data.nodes.map((one) => <option key={one.node} value={one.node}>{one.node}</option>)}
              </Select>
              <Select label={t('provider')} hideLabel value={chosen.provider} onChange={(event) => choose({ provider: event.target.value })}>
                <option value="">{t('all_providers')}</option>
                {[...titles].map(([name, title]) => <option key={name} value={name}>{title}</option>)}
              </Select>
            </div>
            <Card flush title={t('list')} note={t('count', { count: data.total })}>
              <Table label={t('list')} rows={data.items} columns={columns} rowKey={(one) => one.id} onRow={(one) => choose({ account: one.id })}
                empty={<Empty icon="accounts" title={t('none')} action={<Button kind="main" onClick={() => choose({ contribute: '1' })}>{t('contribute')}</Button>}>{t('none_text')}</Empty>} />
            </Card>
            <Shown id={chosen.account} of={data.items} titleOf={titleOf} onClose={() => choose({ account: '' })} onAgain={(one) => choose({ account: '', contribute: one.provider })} />
          </div>
        )}
      </Loaded>
      {chosen.contribute && <Contribute offers={offers.data?.items ?? []} provider={chosen.contribute === '1' ? '' : chosen.contribute} onClose={() => choose({ contribute: '' })} />}
      {mapping && <Mapping onClose={() => setMapping(false)} />}
    </Page>
  );
}

/// The account in the drawer; one that went meanwhile closes it.
function Shown({ id, of, titleOf, onClose, onAgain }: { id: string; of: readonly Account[]; titleOf: (provider: string) => string; onClose: () => void; onAgain: (one: Account) => void }) {
  const one = of.find((each) => each.id === id);
  const [last, setLast] = useState(one);
  useEffect(() => setLast((old) => one ?? old), [one]);
  if (!id) return null;
  const shown = one ?? (last?.id === id ? last : undefined);
  return shown ? <AccountDrawer account={shown} title={titleOf(shown.provider)} onClose={onClose} onAgain={() => onAgain(shown)} /> : null;
}

function useColumns(titleOf: (provider: string) => string): Column<Account>[] {
  const { t } = useTranslation('accounts');
  return useMemo<Column<Account>[]>(() => [
    { key: 'account', title: t('account'), sort: (one) => `${one.provider} ${one.address}`, width: 240, cell: (one) => <div className="account-name"><strong>{titleOf(one.provider)}</strong>{one.plan && <span className="soft"> {one.plan}</span>}<div className="soft cut">{one.email || one.address || one.file || '–'}</div></div> },
    { key: 'condition', title: t('state'), sort: (one) => conditions.indexOf(one.condition), width: 190, cell: (one) => <div><Badge dot tone={toneOf(one.condition)}>{t(`condition.${one.condition}`)}</Badge>{one.rests_until && <div className="soft">{t('until')} <Ago at={one.rests_until} /></div>}</div> },
    { key: 'quota', title: t('quota'), width: 220, cell: (one) => <Quota windows={one.quota} /> },
    { key: 'day', title: t('used_24h'), number: true, width: 130, sort: (one) => one.used['24h'].ok + one.used['24h'].failed, cell: (one) => <div><Num value={one.used['24h'].ok} short /> {one.used['24h'].failed > 0 && <span className="account-failed">+<Num value={one.used['24h'].failed} short /></span>}</div> },
    { key: 'tokens', title: t('tokens_24h'), number: true, width: 110, sort: (one) => one.used['24h'].tokens, cell: (one) => <Num value={one.used['24h'].tokens} short /> },
    { key: 'owner', title: t('owner'), sort: (one) => one.owner_name, width: 140, cell: (one) => one.mine ? t('you') : one.owner_name || '–' },
    { key: 'node', title: t('node'), sort: (one) => one.node, width: 120, cell: (one) => one.node },
    { key: 'seen', title: t('refreshed'), width: 120, cell: (one) => <Ago at={one.refreshed_at} /> },
  ], [t, titleOf]);
}
