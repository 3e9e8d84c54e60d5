import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api, onceKey } from '../../api/client';
import { useApi, useCommand } from '../../api/hooks';
import { isAlive } from '../../api/key_words';
import { sentenceOf } from '../../api/error';
import { useSession } from '../../api/session';
import { useUsage } from '../../api/usage';
import { Button, Card, Dialog, Empty, Input, Loaded, Money, Note, Num, Page, Stat, useNow } from '../../ui';
import { KeyCard } from './KeyCard';
import { ShownKey } from './ShownKey';
import './my-keys.css';

const lists = ['/api/v1/me/keys', '/api/v1/me/usage'] as const;

/// One's own keys, with all that may be done with them.
export default function MyKeysPage() {
  const { t } = useTranslation('my-keys');
  const { may, session } = useSession();
  const keys = useApi('/api/v1/me/keys', { query: { limit: 200 } });
  const [asking, setAsking] = useState(false);
  const [shown, setShown] = useState('');
  const now = useNow(600_000);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const from = useMemo(() => new Date(now - 30 * 86_400_000).toISOString(), [now]);
  const usage = useUsage({ from, to: new Date(now).toISOString(), zone, step: 'day', by: ['key'], top: 200, order: 'requests', where: ownOnly(may('read.usage'), session?.user?.id) });
  const rows = useMemo(() => new Map(usage.data?.rows.map((row) => [row.of[0] ?? '', row])), [usage.data]);
  const total = usage.data?.total;
  return (
    <Page title={t('title')} note={t('note')} actions={may('own.keys.write') && <Button kind="main" icon="plus" onClick={() => setAsking(true)}>{t('take')}</Button>}>
      <div className="stack">
        {total && total.requests > 0 && (
          <div className="cards">
            <Stat label={t('requests_30')} value={<Num value={total.requests} short />} note={t('failed', { count: total.failed })} />
            <Stat label={t('tokens_30')} value={<Num value={total.tokens.total} short />} />
            <Stat label={t('cost_30')} value={<Money value={total.cost_usd} />} note={<Link href="/records">{t('see_records')}</Link>} />
          </div>
        )}
        <Loaded of={keys} rows={4}>
          {({ items }) => {
            const alive = items.filter(isAlive);
            const over = items.filter((one) => !isAlive(one));
            if (items.length === 0)
              return <Empty icon="key" title={t('none')} action={may('own.keys.write') && <Button kind="main" onClick={() => setAsking(true)}>{t('take')}</Button>}>{t('none_text')}</Empty>;
            return (
              <>
                <div className="my-keys">{alive.map((one) => <KeyCard key={one.id} keyOf={one} usage={rows.get(one.id)} onShown={setShown} />)}</div>
                {alive.length === 0 && <Note>{t('none_alive')}</Note>}
                {over.length > 0 && (
                  <details className="my-keys-over">
                    <summary>{t('over', { count: over.length })}</summary>
                    <div className="my-keys">{over.map((one) => <KeyCard key={one.id} keyOf={one} usage={rows.get(one.id)} onShown={setShown} />)}</div>
                  </details>
                )}
              </>
            );
          }}
        </Loaded>
        <Card title={t('how')}><p>{t('how_text')} <Link href="/">{t('how_link')}</Link></p></Card>
      </div>
      {asking && <Take onClose={() => setAsking(false)} onTaken={(text) => { setAsking(false); setShown(text); }} />}
      <ShownKey text={shown} onClose={() => setShown('')} />
    </Page>
  );
}

/// Whoever may see everybody's usage asks for his own by his id.
function ownOnly(all: boolean, id: string | undefined): Record<string, string> | undefined {
  return all && id ? { user: id } : undefined;
}

function Take({ onClose, onTaken }: { onClose: () => void; onTaken: (text: string) => void }) {
  const { t } = useTranslation('my-keys');
  const [label, setLabel] = useState('');
  const [once] = useState(onceKey);
  const take = useCommand(() => api.post('/api/v1/me/keys', { label }, { once }), lists);
  return (
    <Dialog open title={t('take')} onClose={onClose} actions={
      <Button kind="main" busy={take.isPending} onClick={() => take.mutate(undefined, { onSuccess: (done) => onTaken(done?.key ?? '') })}>{t('take_do')}</Button>
    }>
      <div className="stack">
        <p>{t('take_text')}</p>
        <Input label={t('label')} hint={t('label_hint')} value={label} maxLength={100} autoFocus onChange={(event) => setLabel(event.target.value)} />
        {take.error && <Note tone="bad">{sentenceOf(take.error, t)}</Note>}
      </div>
    </Dialog>
  );
}
