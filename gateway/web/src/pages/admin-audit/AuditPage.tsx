import { useMemo, useState } from 'react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import type { ApiError } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { usePeople } from '../../api/pages';
import type { Schemas } from '../../api/types';
import { Badge, Button, Card, Drawer, Empty, ErrorState, Input, Loading, Moment, Note, Page, Table, useUrlState } from '../../ui';
import type { Column } from '../../ui';
import { changesOf } from './changes';
import './audit.css';

type Entry = Schemas['entry'];
/// So many positions are looked through at a time, from the newest back.
const stretch = 500;

/// Who did what, the newest first. The log is read upward, so it is asked for in windows of positions from its end.
export default function AuditPage() {
  const { t } = useTranslation('admin-audit');
  const [values, change] = useUrlState({ what: '', about: '' });
  const [shown, setShown] = useState<Entry | null>(null);
  const people = usePeople();
  const pool = useApi('/api/v1/pool', undefined, { staleTime: Infinity });
  const last = pool.data?.position;
  const entries = useInfiniteQuery<{ items: Entry[]; from: number }, ApiError>({
    queryKey: ['/api/v1/audit', 'back', values, last],
    enabled: last !== undefined,
    initialPageParam: last ?? 0,
    queryFn: async ({ pageParam, signal }) => {
      const end = pageParam as number;
      const from = Math.max(0, end - stretch);
      const items: Entry[] = [];
      for (let after = from; after < end;) {
        const page = await api.get('/api/v1/audit', { query: { after, limit: 500, what: values.what || undefined, about: values.about || undefined } as never, signal });
        items.push(...page.items.filter((one) => one.position <= end));
        if (!page.more || page.next <= after) break;
        after = page.next;
      }
      return { items: items.reverse(), from };
    },
    getNextPageParam: (page) => (page.from > 0 ? page.from : undefined),
  });
  const verify = useCommand(() => api.get('/api/v1/audit/verify'));
  const rows = entries.data?.pages.flatMap((one) => one.items) ?? [];
  const who = (id: string): string => people.get(id)?.name ?? id;
  const columns = useMemo<Column<Entry>[]>(() => [
    { key: 'position', title: t('number'), number: true, width: 90, cell: (one) => one.position },
    { key: 'at', title: t('time'), width: 230, cell: (one) => <Moment at={one.at} /> },
    { key: 'who', title: t('who'), width: 170, cell: (one) => who(one.who) },
    { key: 'from', title: t('from'), width: 140, cell: (one) => <span className="faint">{one.from}</span> },
    { key: 'what', title: t('what'), width: 190, cell: (one) => <Badge>{one.what}</Badge> },
    { key: 'about', title: t('about'), width: 320, cell: (one) => <span className="soft">{changesOf(one).map((some) => some.name).slice(0, 3).join(', ')}{changesOf(one).length > 3 && ' …'}</span> },
  ], [t, people]); // eslint-disable-line
  return (
    <Page title={t('title')} note={t('note')} actions={<Button icon="check" busy={verify.isPending} onClick={() => verify.mutate(undefined)}>{t('verify')}</Button>}
      bar={
        <div className="row">
          <Input label={t('what')} hideLabel placeholder={t('what_hint')} defaultValue={values.what} onChange={(event) => change({ what: event.target.value.trim() })} />
          <Input label={t('about')} hideLabel placeholder={t('about_hint')} defaultValue={values.about} onChange={(event) => change({ about: event.target.value.trim() })} />
        </div>
      }>
      <div className="stack">
        {verify.data && <Note tone="good">{t('verified', { count: verify.data.position })} <code className="wrap-any">{verify.data.position}:{verify.data.hash}</code></Note>}
        {verify.error && <Note tone="bad">{sentenceOf(verify.error, t)}</Note>}
        {entries.error ? <ErrorState error={entries.error} onRetry={() => void entries.refetch()} /> : entries.isPending ? <Loading rows={10} /> : (
          <Card flush>
            <Table label={t('title')} rows={rows} columns={columns} rowKey={(one) => String(one.position)} onRow={setShown} chosen={shown ? String(shown.position) : null} virtual height="calc(100vh - 280px)"
              onEnd={() => { if (entries.hasNextPage && !entries.isFetchingNextPage) void entries.fetchNextPage(); }}
              empty={<Empty icon="audit" title={t('none')} action={entries.hasNextPage && <Button busy={entries.isFetchingNextPage} onClick={() => void entries.fetchNextPage()}>{t('look_back')}</Button>}>{entries.hasNextPage ? t('none_here', { from: entries.data.pages[entries.data.pages.length - 1]?.from ?? 0 }) : t('none_text')}</Empty>}
              foot={entries.hasNextPage && <Button size="small" busy={entries.isFetchingNextPage} onClick={() => void entries.fetchNextPage()}>{t('look_back')}</Button>} />
          </Card>
        )}
      </div>
      {shown && (
        <Drawer open title={`${shown.what} · ${shown.position}`} onClose={() => setShown(null)}>
          <div className="stack">
            <dl className="facts"><dt>{t('time')}</dt><dd><Moment at={shown.at} /></dd><dt>{t('who')}</dt><dd>{who(shown.who)}</dd><dt>{t('from')}</dt><dd>{shown.from}</dd>{shown.command && <><dt>{t('command')}</dt><dd className="mono wrap-any">{shown.command}</dd></>}</dl>
            {changesOf(shown).map((one, at) => (
              <section key={at} className="stack-small">
                <h3 className="wrap-any">{one.name}</h3>
                <table className="audit-diff"><thead><tr><th>{t('field')}</th><th>{t('before')}</th><th>{t('after')}</th></tr></thead>
                  <tbody>{one.fields.map((field) => <tr key={field.name}><th scope="row">{field.name}</th><td>{field.before}</td><td>{field.after}</td></tr>)}</tbody></table>
              </section>
            ))}
            <p className="faint mono wrap-any">{shown.hash}</p>
          </div>
        </Drawer>
      )}
    </Page>
  );
}
