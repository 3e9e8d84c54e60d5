import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { usePages } from '../../api/pages';
import { useSession } from '../../api/session';
import type { Schemas } from '../../api/types';
import { Ago, Badge, Button, Card, Chip, Empty, ErrorState, Input, Loading, Page, Table, useUrlState } from '../../ui';
import type { Column, Tone } from '../../ui';
import { AddUser, Invite } from './AddUser';
import { UserDrawer } from './UserDrawer';
import { useUserState } from './words';

type User = Schemas['user'];
const states = ['', 'pending', 'active', 'suspended', 'deleted'] as const;

/// Everybody, and what may be done with them.
export default function UsersPage() {
  const { t } = useTranslation('admin-users');
  const { may } = useSession();
  const [values, change] = useUrlState({ text: '', state: '', user: '' });
  const [doing, setDoing] = useState<'add' | 'invite' | null>(null);
  const users = usePages('/api/v1/users', { text: values.text || undefined, state: values.state || undefined });
  const state = useUserState();
  const columns = useMemo<Column<User>[]>(() => [
    { key: 'name', title: t('name'), sort: (one) => one.name, cell: (one) => <><strong>{one.name}</strong>{one.label && <span className="soft"> · {one.label}</span>}</> },
    { key: 'email', title: t('email'), sort: (one) => one.email, cell: (one) => <span className="wrap-any">{one.email}</span> },
    { key: 'role', title: t('role'), sort: (one) => one.role, width: 120, cell: (one) => <Badge tone={one.role === 'admin' ? 'info' : 'plain'}>{t(`common:role.${one.role}`)}</Badge> },
    { key: 'groups', title: t('groups'), width: 150, cell: (one) => one.groups.join(', ') || '–' },
    { key: 'state', title: t('state'), sort: (one) => one.state, width: 140, cell: (one) => <Badge dot tone={state(one.state).tone as Tone}>{state(one.state).text}</Badge> },
    { key: 'since', title: t('since'), sort: (one) => one.created_at, width: 130, cell: (one) => <Ago at={one.created_at} /> },
  ], [t, state]);
  return (
    <Page title={t('title')} actions={may('write.people') && <div className="row"><Button icon="mail" onClick={() => setDoing('invite')}>{t('invite')}</Button><Button kind="main" icon="plus" onClick={() => setDoing('add')}>{t('add')}</Button></div>}
      bar={
        <div className="row">
          <Input label={t('search')} hideLabel type="search" placeholder={t('search')} defaultValue={values.text} onChange={(event) => change({ text: event.target.value.trim() })} />
          {states.map((one) => <Chip key={one} chosen={values.state === one} onClick={() => change({ state: one })}>{one === '' ? t('everybody') : state(one).text}</Chip>)}
        </div>
      }>
      {users.error && !users.data ? <ErrorState error={users.error} onRetry={() => void users.refetch()} /> : users.isPending ? <Loading rows={8} /> : (
        <Card flush>
          <Table label={t('title')} rows={users.rows} columns={columns} rowKey={(one) => one.id} onRow={(one) => change({ user: one.id })} chosen={values.user || null}
            virtual={users.rows.length > 300} empty={<Empty icon="users" title={t('none')}>{t('none_text')}</Empty>}
            foot={users.hasNextPage && <Button busy={users.isFetchingNextPage} onClick={() => void users.fetchNextPage()}>{t('load_more')}</Button>} />
        </Card>
      )}
      {values.user && <UserDrawer id={values.user} onClose={() => change({ user: '' })} />}
      {doing === 'add' && <AddUser onClose={() => setDoing(null)} />}
      {doing === 'invite' && <Invite onClose={() => setDoing(null)} />}
    </Page>
  );
}
