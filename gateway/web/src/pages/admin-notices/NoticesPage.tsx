import { useMemo } from 'react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import type { ApiError } from '../../api/error';
import { keyOf, useApi } from '../../api/hooks';
import { usePeople } from '../../api/pages';
import { useSession } from '../../api/session';
import type { Schemas } from '../../api/types';
import { useUrlState } from '../../state/url';
import { Badge, Button, Card, Empty, Loaded, Moment, Page, Select, Table } from '../../ui';
import type { Column } from '../../ui';
import { Channels } from './Channels';
import { NoticeDrawer } from './NoticeDrawer';
import { Remind } from './Remind';
import { states, toneOfState } from './words';

type Notice = Schemas['notice'];
type NoticePage = { items: Notice[]; more: boolean; next?: string };

/// Who was told what, by which channel, and how the channels do.
export default function NoticesPage() {
  const { t } = useTranslation('admin-notices');
  const { may } = useSession();
  const people = usePeople();
  const [chosen, choose] = useUrlState({ state: '', kind: '', channel: '', notice: '', remind: '' });
  const channels = useApi('/api/v1/notice-channels', undefined, { enabled: may('read.settings'), refetchInterval: 15_000 });
  const query = { ...(chosen.state && { state: chosen.state }), ...(chosen.kind && { kind: chosen.kind }), ...(chosen.channel && { channel: chosen.channel }) };
  const notices = useInfiniteQuery<NoticePage, ApiError>({
    queryKey: keyOf('/api/v1/notices', { query }),
    queryFn: ({ pageParam, signal }) => api.get('/api/v1/notices', { query: { ...query, limit: 100, ...(pageParam ? { before: pageParam as string } : {}) } as never, signal }),
    initialPageParam: '',
    getNextPageParam: (last) => (last.more ? last.next : undefined),
    refetchInterval: 15_000,
    placeholderData: (old) => old,
  });
  const rows = useMemo(() => notices.data?.pages.flatMap((one) => one.items) ?? [], [notices.data]);
  const columns = useMemo<Column<Notice>[]>(() => [
    { key: 'at', title: t('when'), width: 180, cell: (one) => <Moment at={one.at} /> },
    { key: 'kind', title: t('kind'), width: 220, cell: (one) => <span className="mono">{one.kind}</span> },
    { key: 'to', title: t('to'), cell: (one) => people.get(one.recipient)?.email ?? (one.address || t('channel_itself')) },
    { key: 'channel', title: t('channel'), width: 130, cell: (one) => one.channel },
    { key: 'state', title: t('state'), width: 150, cell: (one) => <Badge dot tone={toneOfState(one.state)}>{t(`states.${one.state}`)}</Badge> },
    { key: 'tries', title: t('attempts'), width: 100, number: true, cell: (one) => one.attempts.filter((each) => each.outcome !== 'begun').length },
  ], [t, people]);
  const shown = rows.find((one) => one.id === chosen.notice);
  return (
    <Page title={t('title')} note={t('note')} width="wide" actions={may('write.people') && <Button kind="main" icon="mail" onClick={() => choose({ remind: '1' })}>{t('remind')}</Button>}>
      <div className="stack">
        {may('read.settings') && <Loaded of={channels} rows={2}>{(data) => <Channels state={data} />}</Loaded>}
        <div className="row">
          <Select label={t('state')} hideLabel value={chosen.state} onChange={(event) => choose({ state: event.target.value })}><option value="">{t('all_states')}</option>{states.map((one) => <option key={one} value={one}>{t(`states.${one}`)}</option>)}</Select>
          <Select label={t('kind')} hideLabel value={chosen.kind} onChange={(event) => choose({ kind: event.target.value })}><option value="">{t('all_kinds')}</option>{(channels.data?.kinds ?? []).map((one) => <option key={one}>{one}</option>)}</Select>
          <Select label={t('channel')} hideLabel value={chosen.channel} onChange={(event) => choose({ channel: event.target.value })}><option value="">{t('all_channels')}</option>{(channels.data?.channels ?? []).map((one) => <option key={one.name}>{one.name}</option>)}</Select>
        </div>
        <Loaded of={notices} rows={6}>
          {() => (
            <Card flush title={t('told')}>
              <Table label={t('told')} rows={rows} columns={columns} rowKey={(one) => one.id} onRow={(one) => choose({ notice: one.id })} onEnd={() => { if (notices.hasNextPage && !notices.isFetchingNextPage) void notices.fetchNextPage(); }}
                foot={notices.hasNextPage ? <Button busy={notices.isFetchingNextPage} onClick={() => void notices.fetchNextPage()}>{t('load_more')}</Button> : undefined}
                empty={<Empty icon="mail" title={t('none')}>{t('none_text')}</Empty>} />
            </Card>
          )}
        </Loaded>
      </div>
      {shown && <NoticeDrawer notice={shown} to={people.get(shown.recipient)?.email ?? shown.address} onClose={() => choose({ notice: '' })} />}
      {chosen.remind && may('write.people') && <Remind to={chosen.remind === '1' ? '' : chosen.remind} onClose={() => choose({ remind: '' })} />}
    </Page>
  );
}
