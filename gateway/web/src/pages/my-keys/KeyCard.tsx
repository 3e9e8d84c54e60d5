import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { useApi } from '../../api/hooks';
import { daysLeft, isAlive, useKeyStatus } from '../../api/key_words';
import type { Key } from '../../api/key_words';
import { useSession } from '../../api/session';
import type { Row } from '../../api/usage';
import { Budgets } from '../../parts/Budgets';
import { Ago, Badge, Card, Loaded, Menu, Moment, Money, Note, Num, Sparkline } from '../../ui';
import type { MenuItem } from '../../ui';
import { Rename, Renew, Revoke, Rotate } from './KeyDialogs';

type Doing = 'rename' | 'renew' | 'rotate' | 'revoke' | null;

/// One key: how long it lasts, what it used, what may be done with it.
export function KeyCard({ keyOf, usage, onShown }: { keyOf: Key; usage: Row | undefined; onShown: (text: string) => void }) {
  const { t } = useTranslation('my-keys');
  const { may } = useSession();
  const [doing, setDoing] = useState<Doing>(null);
  const status = useKeyStatus()(keyOf);
  const alive = isAlive(keyOf);
  const left = daysLeft(keyOf);
  const budgets = useApi('/api/v1/me/keys/{name}/budgets', { path: { name: keyOf.id } }, { enabled: alive });
  const items: MenuItem[] = [
    { key: 'rename', label: t('rename'), icon: 'edit', onPick: () => setDoing('rename') },
    { key: 'renew', label: t('renew'), icon: 'refresh', onPick: () => setDoing('renew') },
    { key: 'rotate', label: t('rotate'), icon: 'refresh', onPick: () => setDoing('rotate') },
    { key: 'revoke', label: t('revoke'), icon: 'trash', danger: true, onPick: () => setDoing('revoke') },
  ];
  return (
    <Card title={keyOf.label || t('no_label')} note={<span className="mono">{keyOf.shown}</span>} actions={
      <div className="row">
        <Badge dot tone={status.tone}>{status.text}</Badge>
        {alive && may('own.keys.write') && <Menu label={t('more')} icon="more" side="right" items={items} />}
      </div>
    }>
      <div className="stack">
        {alive && left !== null && left < 7 && !keyOf.renewal && <Note tone="warn">{t('ends_soon', { count: left })}</Note>}
        {keyOf.renewal && <Note>{t('renewal_waits')}</Note>}
        {keyOf.guessable && alive && <Note tone="warn">{t('guessable')}</Note>}
        {keyOf.state === 'suspended' && <Note tone="warn">{keyOf.why_suspended === 'budget' ? t('suspended_budget') : t('suspended_admin')}</Note>}
        <div className="my-keys-use">
          <dl className="facts grow">
            <dt>{t('left')}</dt><dd>{keyOf.expires_at ? <><strong className="nums">{t('days', { count: left ?? 0 })}</strong> <span className="faint">(<Moment at={keyOf.expires_at} />)</span></> : t('never_ends')}</dd>
            <dt>{t('taken')}</dt><dd><Ago at={keyOf.assigned_at} /></dd>
            <dt>{t('works_at')}</dt><dd>{keyOf.in_force.length ? keyOf.in_force.join(', ') : keyOf.state === 'live' ? t('works_soon') : t('works_nowhere')}</dd>
          </dl>
          <div className="my-keys-course">
            <Sparkline label={t('course')} values={usage?.buckets?.map((one) => one.requests) ?? []} height={36} />
            <p className="soft">{usage ? <><Num value={usage.requests} short /> {t('requests', { count: usage.requests })} · <Num value={usage.tokens.total} short /> {t('tokens')} · <Money value={usage.cost_usd} /></> : t('unused')}</p>
            <Link href={`/records?range=30d&key=${keyOf.id}`}>{t('see_records')}</Link>
          </div>
        </div>
        {alive && <Loaded of={budgets} rows={1}>{(data) => (data.items.length ? <Budgets uses={data.items} /> : null)}</Loaded>}
      </div>
      {doing === 'rename' && <Rename keyOf={keyOf} onClose={() => setDoing(null)} />}
      {doing === 'renew' && <Renew keyOf={keyOf} onClose={() => setDoing(null)} />}
      {doing === 'rotate' && <Rotate keyOf={keyOf} onClose={() => setDoing(null)} onShown={onShown} />}
      {doing === 'revoke' && <Revoke keyOf={keyOf} onClose={() => setDoing(null)} />}
    </Card>
  );
}
