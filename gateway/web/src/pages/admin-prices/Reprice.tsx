import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Button, Card, Confirm, Input, Loaded, Money, Note, Num, toast } from '../../ui';

/// Works out anew what records cost: tried first, then done.
export function Reprice() {
  const { t } = useTranslation('admin-prices');
  const { may } = useSession();
  const state = useApi('/api/v1/prices/reprice', undefined, { refetchInterval: (query) => (query.state.data?.running ? 1000 : 30_000) });
  const [days, setDays] = useState('30');
  const [sure, setSure] = useState(false);
  const run = useCommand((dry: boolean) => api.post('/api/v1/prices/reprice', { from: new Date(Date.now() - Number(days) * 86_400_000).toISOString(), dry_run: dry }), ['/api/v1/prices/reprice', '/api/v1/prices/unpriced']);
  return (
    <Card title={t('reprice')} note={t('reprice_note')} actions={may('write.prices') && <div className="row"><Button size="small" busy={run.isPending} onClick={() => run.mutate(true)}>{t('try')}</Button><Button size="small" onClick={() => setSure(true)}>{t('reprice_do')}</Button></div>}>
      <div className="stack-small">
        {may('write.prices') && <Input label={t('reprice_days')} type="number" min={1} max={3660} value={days} onChange={(event) => setDays(event.target.value)} />}
        <Loaded of={state} rows={1}>{(one) => (one.records === 0 && !one.running ? <p className="soft">{t('never_repriced')}</p> : (
          <Note tone={one.problem ? 'bad' : one.running ? 'info' : 'good'}>
            {one.problem || <>{one.running ? t('repricing') : one.dry_run ? t('would') : t('did')} <Num value={one.records} /> {t('records')}, <Num value={one.changed} /> {t('differ')}: <Money value={one.cost_before / 1e9} /> → <Money value={one.cost_after / 1e9} /></>}
          </Note>
        ))}</Loaded>
        {run.error && <Note tone="bad">{sentenceOf(run.error, t)}</Note>}
      </div>
      {sure && <Confirm open title={t('reprice')} action={t('reprice_do')} busy={run.isPending} onClose={() => setSure(false)} onConfirm={() => run.mutate(false, { onSuccess: () => { toast(t('begun')); setSure(false); } })}><p>{t('reprice_sure', { count: Number(days) })}</p></Confirm>}
    </Card>
  );
}
