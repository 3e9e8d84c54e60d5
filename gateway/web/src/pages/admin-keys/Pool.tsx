import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, onceKey } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Button, Card, Dialog, Input, Loaded, Note, Num, toast } from '../../ui';

/// How many keys there are in which state, and filling the pool.
export function Pool() {
  const { t } = useTranslation('admin-keys');
  const { may } = useSession();
  const pool = useApi('/api/v1/pool');
  const [filling, setFilling] = useState(false);
  return (
    <Card title={t('pool')} actions={may('write.keys') && <Button size="small" icon="plus" onClick={() => setFilling(true)}>{t('fill')}</Button>}>
      <Loaded of={pool} rows={2}>
        {(data) => {
          const low = data.keys.pooled < data.low_water;
          const scale = Math.max(data.low_water * 2, data.keys.pooled, 1);
          return (
            <div className="stack-small">
              <div className={low ? 'pool pool-low' : 'pool'} role="meter" aria-label={t('pooled')} aria-valuenow={data.keys.pooled} aria-valuemin={0} aria-valuemax={scale}>
                <div className="pool-bar" style={{ width: `${(data.keys.pooled / scale) * 100}%` }} />
                <div className="pool-mark" style={{ left: `${(data.low_water / scale) * 100}%` }} title={t('low_water', { count: data.low_water })} />
              </div>
              <p className="row pool-counts"><strong>{t('pooled_count', { count: data.keys.pooled })}</strong>
                <span className="soft">{t('low_water', { count: data.low_water })}</span>
                <span className="soft">{t('live')} <Num value={data.keys.live} /> · {t('suspended')} <Num value={data.keys.suspended} /> · {t('expired')} <Num value={data.keys.expired} /> · {t('ended')} <Num value={data.keys.revoked + data.keys.rotated} /> · {t('external')} <Num value={data.keys.external} /></span></p>
              {low && <Note tone="warn">{t('pool_low')}</Note>}
              {data.changing > 0 && <Note>{t('changing', { count: data.changing })}</Note>}
            </div>
          );
        }}
      </Loaded>
      {filling && <Fill onClose={() => setFilling(false)} />}
    </Card>
  );
}

function Fill({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation('admin-keys');
  const [count, setCount] = useState('20');
  const [once] = useState(onceKey);
  const fill = useCommand(() => api.post('/api/v1/pool', { count: Number(count) }, { once }), ['/api/v1/pool', '/api/v1/keys']);
  return (
    <Dialog open title={t('fill')} onClose={onClose} actions={<Button kind="main" busy={fill.isPending} onClick={() => fill.mutate(undefined, { onSuccess: (done) => { toast(t('filled', { count: done?.made ?? 0 })); onClose(); } })}>{t('fill')}</Button>}>
      <div className="stack"><p className="soft">{t('fill_text')}</p><Input label={t('how_many')} type="number" min={1} max={1000} value={count} autoFocus onChange={(event) => setCount(event.target.value)} />{fill.error && <Note tone="bad">{sentenceOf(fill.error, t)}</Note>}</div>
    </Dialog>
  );
}
