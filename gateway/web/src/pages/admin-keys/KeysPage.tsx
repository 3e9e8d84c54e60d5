import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../../api/hooks';
import { daysLeft, useKeyStatus } from '../../api/key_words';
import type { Key } from '../../api/key_words';
import { usePages, usePeople } from '../../api/pages';
import { useSession } from '../../api/session';
import { Badge, Button, Card, Checkbox, Chip, Empty, ErrorState, Input, Loading, Menu, Page, Table, useUrlState } from '../../ui';
import type { Column } from '../../ui';
import { Bulk } from './Bulk';
import type { BulkKind } from './Bulk';
import { Find, Give, Import } from './KeyForms';
import { KeyDrawer } from './KeyDrawer';
import { Pool } from './Pool';
import './admin-keys.css';

const states = ['', 'live', 'suspended', 'expired', 'pooled', 'external', 'revoked', 'rotated'] as const;

/// All keys and the pool they come from.
export default function KeysPage() {
  const { t } = useTranslation('admin-keys');
  const { may } = useSession();
  const [values, change] = useUrlState({ text: '', state: '', waiting: '', owner: '', key: '' });
  const keys = usePages('/api/v1/keys', { text: values.text || undefined, state: values.state || undefined, waiting: values.waiting || undefined, owner: values.owner || undefined });
  const pool = useApi('/api/v1/pool');
  const people = usePeople();
  const status = useKeyStatus();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [doing, setDoing] = useState<'give' | 'find' | 'import' | null>(null);
  const [bulk, setBulk] = useState<BulkKind | null>(null);
  const write = may('write.keys');
  const ownerText = (key: Key): string => (key.owner ? people.get(key.owner)?.name || people.get(key.owner)?.email || key.owner : '–');
  const columns = useMemo<Column<Key>[]>(() => [
    ...(write ? [{ key: 'pick', title: t('pick'), width: 44, cell: (one: Key) => (
      <span className="key-pick" onClick={(event) => event.stopPropagation()}>
        <Checkbox label={<span className="visually-hidden">{t('pick_one', { name: one.label || one.shown })}</span>} checked={chosen.has(one.id)}
          onChange={(event) => setChosen((old) => { const next = new Set(old); if (event.target.checked) next.add(one.id); else next.delete(one.id); return next; })} />
      </span>) }] : []),
    { key: 'key', title: t('key'), cell: (one) => <><strong>{one.label || t('no_label')}</strong><br /><span className="mono faint">{one.shown}</span></> },
    { key: 'owner', title: t('owner'), sort: ownerText, cell: (one) => <>{ownerText(one)}{one.owner && people.get(one.owner) && <><br /><span className="faint wrap-any">{people.get(one.owner)!.email}</span></>}</> },
    { key: 'status', title: t('status'), width: 170, sort: (one) => one.status, cell: (one) => <span className="row"><Badge dot tone={status(one).tone}>{status(one).text}</Badge>{one.guessable && <Badge tone="warn">{t('guessable')}</Badge>}{one.renewal && <Badge tone="info">{t('asks')}</Badge>}</span> },
    { key: 'left', title: t('left'), width: 100, number: true, sort: (one) => daysLeft(one) ?? 1e9, cell: (one) => (one.state === 'live' || one.state === 'suspended' ? (one.expires_at ? t('days', { count: daysLeft(one) ?? 0 }) : t('never')) : '–') },
    { key: 'origin', title: t('origin'), width: 110, sort: (one) => one.origin, cell: (one) => (one.origin === 'made' ? t('made') : one.origin === 'imported' ? t('imported') : t('found')) },
    { key: 'where', title: t('where'), width: 150, cell: (one) => one.in_force.join(', ') || '–' },
  ], [t, write, chosen, people, status]); // eslint-disable-line
  const picked = keys.rows.filter((one) => chosen.has(one.id));
  return (
    <Page title={t('title')} actions={
      <div className="row">
        <Button icon="search" onClick={() => setDoing('find')}>{t('find')}</Button>
        {write && <Button icon="upload" onClick={() => setDoing('import')}>{t('import')}</Button>}
        {write && <Button kind="main" icon="plus" onClick={() => setDoing('give')}>{t('give')}</Button>}
      </div>
    } bar={
      <div className="row">
        <Input label={t('search')} hideLabel type="search" placeholder={t('search')} defaultValue={values.text} onChange={(event) => change({ text: event.target.value.trim() })} />
        {states.map((one) => <Chip key={one} chosen={values.state === one && !values.waiting} onClick={() => change({ state: one, waiting: '' })}>{one === '' ? t('all') : one === 'live' ? t('common:key_status.active') : t(`common:key_status.${one}`)}</Chip>)}
        {(pool.data?.renewals ?? 0) > 0 && <Chip chosen={values.waiting === 'renewal'} onClick={() => change({ waiting: 'renewal', state: '' })}>{t('renewals', { count: pool.data!.renewals })}</Chip>}
        {(pool.data?.by_hand ?? 0) > 0 && <Chip chosen={values.waiting === 'choice'} onClick={() => change({ waiting: 'choice', state: '' })}>{t('choices', { count: pool.data!.by_hand })}</Chip>}
        {values.owner && <Chip chosen onRemove={() => change({ owner: '' })}>{people.get(values.owner)?.name ?? values.owner}</Chip>}
      </div>
    }>
      <div className="stack">
        <Pool />
        {picked.length > 0 && (
          <div className="key-bulk row" role="status">
            <strong className="grow">{t('picked', { count: picked.length })}</strong>
            <Menu label={t('with_them')} text={t('with_them')} icon="down" side="right" items={[
              { key: 'renew', label: t('renew'), icon: 'refresh', onPick: () => setBulk('renew') },
              { key: 'suspend', label: t('suspend'), icon: 'pause', onPick: () => setBulk('suspend') },
              { key: 'resume', label: t('resume'), icon: 'play', onPick: () => setBulk('resume') },
              { key: 'revoke', label: t('revoke'), icon: 'trash', danger: true, onPick: () => setBulk('revoke') },
            ]} />
            <Button kind="quiet" onClick={() => setChosen(new Set())}>{t('pick_none')}</Button>
          </div>
        )}
        {keys.error && !keys.data ? <ErrorState error={keys.error} onRetry={() => void keys.refetch()} /> : keys.isPending ? <Loading rows={8} /> : (
          <Card flush>
            <Table label={t('title')} rows={keys.rows} columns={columns} rowKey={(one) => one.id} onRow={(one) => change({ key: one.id })} chosen={values.key || null}
              empty={<Empty icon="key" title={t('none')}>{t('none_text')}</Empty>}
              foot={keys.hasNextPage && <Button busy={keys.isFetchingNextPage} onClick={() => void keys.fetchNextPage()}>{t('load_more')}</Button>} />
          </Card>
        )}
      </div>
      {values.key && <KeyDrawer id={values.key} people={people} onClose={() => change({ key: '' })} />}
      {doing === 'give' && <Give onClose={() => setDoing(null)} people={people} />}
      {doing === 'find' && <Find onClose={() => setDoing(null)} onFound={(id) => { setDoing(null); change({ key: id }); }} />}
      {doing === 'import' && <Import onClose={() => setDoing(null)} />}
      {bulk && <Bulk kind={bulk} keys={picked} ownerText={ownerText} onClose={(done) => { setBulk(null); if (done) setChosen(new Set()); }} />}
    </Page>
  );
}
