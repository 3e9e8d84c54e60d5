import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Ago, Badge, Button, Chart, Confirm, Drawer, Moment, Note, Num, seriesColours, toast } from '../../ui';
import { Quota } from './Quota';
import { toneOf } from './words';
import type { Account } from './words';

const lists = ['/api/v1/accounts', '/api/v1/accounts/all'] as const;
const spans = ['1h', '5h', '24h', '7d'] as const;

/// All that is known of an account, and what can be done with it.
export function AccountDrawer({ account, title, onClose, onAgain }: { account: Account; title: string; onClose: () => void; onAgain: () => void }) {
  const { t } = useTranslation('accounts');
  const { may } = useSession();
  const [deleting, setDeleting] = useState(false);
  const path = { name: account.id };
  const toggle = useCommand(() => account.condition === 'off' ? api.post('/api/v1/accounts/{name}/enable', undefined, { path }) : api.post('/api/v1/accounts/{name}/disable', undefined, { path }), lists);
  const test = useCommand(() => api.post('/api/v1/accounts/{name}/test', undefined, { path }), lists);
  const remove = useCommand(() => api.delete('/api/v1/accounts/{name}', { path }), lists);
  const fault = toggle.error ?? test.error;
  const name = account.email || account.address || account.file || account.id;
  return (
    <Drawer open title={`${title} · ${name}`} onClose={onClose} actions={<>
      {account.condition !== 'gone' && <Button kind={account.condition === 'login_needed' || account.condition === 'not_renewed' ? 'main' : 'plain'} onClick={onAgain}>{t('sign_in_again')}</Button>}
      {may('write.accounts') && <>
        <Button busy={test.isPending} onClick={() => test.mutate(undefined, { onSuccess: (now) => toast(t(`condition.${now.condition}`), now.condition === 'fine' ? 'good' : 'info') })}>{t('test')}</Button>
        <Button busy={toggle.isPending} onClick={() => toggle.mutate(undefined, { onSuccess: () => toast(t('done')) })}>{account.condition === 'off' ? t('enable') : t('disable')}</Button>
        <Button kind="danger" onClick={() => setDeleting(true)}>{t('delete')}</Button>
      </>}
    </>}>
      <div className="stack">
        {fault && <Note tone="bad">{sentenceOf(fault, t)}</Note>}
        <div><Badge dot tone={toneOf(account.condition)}>{t(`condition.${account.condition}`)}</Badge> <p className="soft">{t(`meaning.${account.condition}`)}</p></div>
        <dl className="facts">
          <dt>{t('said')}</dt><dd>{account.why || '–'}</dd>
          {account.rests_until && <><dt>{t('rests_until')}</dt><dd><Moment at={account.rests_until} /></dd></>}
          <dt>{t('provider')}</dt><dd>{title}{account.plan && `, ${account.plan}`}</dd>
          <dt>{t('node')}</dt><dd>{account.node}</dd>
          <dt>{t('owner')}</dt><dd>{account.mine ? t('you') : account.owner_name || '–'}{account.owner_email && ` (${account.owner_email})`}</dd>
          <dt>{t('contributed')}</dt><dd>{account.contributed_at ? <Moment at={account.contributed_at} /> : '–'}</dd>
          <dt>{t('token_ends')}</dt><dd>{account.token_ends ? <Moment at={account.token_ends} /> : t('not_told')}</dd>
          <dt>{t('refreshed')}</dt><dd><Ago at={account.refreshed_at} /></dd>
          <dt>{t('seen')}</dt><dd><Ago at={account.seen_at} /></dd>
          {account.file && <><dt>{t('file')}</dt><dd className="mono wrap-any">{account.file}</dd></>}
          {account.last_error && <><dt>{t('last_error')}</dt><dd className="wrap-any">{account.last_error}</dd></>}
        </dl>
        <div>
          <h3>{t('use')}</h3>
          <table className="account-uses">
            <thead><tr><th scope="col">{t('span')}</th><th scope="col">{t('ok')}</th><th scope="col">{t('failed')}</th><th scope="col">{t('tokens')}</th></tr></thead>
            <tbody>{spans.map((span) => <tr key={span}><th scope="row">{span}</th><td><Num value={account.used[span].ok} /></td><td><Num value={account.used[span].failed} /></td><td><Num value={account.used[span].tokens} short /></td></tr>)}</tbody>
          </table>
        </div>
        <div>
          <h3>{t('quota')}</h3>
          {account.quota_problem && <Note tone="warn">{account.quota_problem}</Note>}
          {account.quota.length > 0 ? <Quota windows={account.quota} whole /> : !account.quota_problem && <p className="soft">{t('no_quota')}</p>}
        </div>
        {account.quota.length > 0 && <History id={account.id} />}
      </div>
      {deleting && <Confirm open title={t('delete')} action={t('delete')} danger typed={account.node} busy={remove.isPending} fault={remove.error ? sentenceOf(remove.error, t) : undefined}
        onClose={() => setDeleting(false)} onConfirm={() => remove.mutate(undefined, { onSuccess: () => { toast(t('deleted')); onClose(); } })}>
        <p>{t('delete_text', { name, node: account.node })}</p>
      </Confirm>}
    </Drawer>
  );
}

/// How full the present windows became, over time.
function History({ id }: { id: string }) {
  const { t } = useTranslation('accounts');
  const history = useApi('/api/v1/accounts/{name}/quota', { path: { name: id } });
  const option = useMemo(() => {
    const colours = seriesColours();
    return {
      xAxis: { type: 'time' as const },
      yAxis: { type: 'value' as const, min: 0, max: 100 },
      legend: {},
      series: (history.data?.items ?? []).map((one, at) => ({ type: 'line' as const, name: one.name, showSymbol: false, color: colours[at % colours.length], data: one.samples.map((sample) => [sample.at, sample.used]) })),
    };
  }, [history.data]);
  if (!history.data?.items.some((one) => one.samples.length > 1)) return null;
  return <div><h3>{t('history')}</h3><Chart label={t('history')} option={option} height={200} /></div>;
}
