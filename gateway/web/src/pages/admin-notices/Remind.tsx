import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, onceKey } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useCommand } from '../../api/hooks';
import { usePeople } from '../../api/pages';
import { Button, Dialog, Note, Select, TextArea, toast } from '../../ui';

type Kind = 'reminder.account' | 'reminder.renew';

/// Asks people by hand for an account, or to renew what they have; `to` is who stands in the field at first.
export function Remind({ to, onClose }: { to: string; onClose: () => void }) {
  const { t } = useTranslation('admin-notices');
  const people = usePeople();
  const [kind, setKind] = useState<Kind>('reminder.account');
  const [group, setGroup] = useState('');
  const [users, setUsers] = useState(to);
  const [text, setText] = useState('');
  const [once] = useState(() => onceKey());
  const groups = [...new Set([...people.values()].flatMap((one) => one.groups))].sort();
  const list = users.split(/[\s,;]+/).filter(Boolean);
  const send = useCommand(() => api.post('/api/v1/notices/reminders', { kind, ...(group ? { group } : { users: list }), ...(text && { text }) }, { once }), ['/api/v1/notices']);
  return (
    <Dialog open wide title={t('remind')} onClose={onClose} actions={<Button kind="main" busy={send.isPending} disabled={!group && list.length === 0} onClick={() => send.mutate(undefined, { onSuccess: (done) => { toast(t('reminded', { count: done.notices.length })); onClose(); } })}>{t('remind_send')}</Button>}>
      <div className="stack">
        <Select label={t('remind_what')} value={kind} onChange={(event) => setKind(event.target.value as Kind)}><option value="reminder.account">{t('remind_account')}</option><option value="reminder.renew">{t('remind_renew')}</option></Select>
        <Select label={t('group')} value={group} onChange={(event) => setGroup(event.target.value)}><option value="">{t('no_group')}</option>{groups.map((one) => <option key={one}>{one}</option>)}</Select>
        {!group && <TextArea label={t('people')} hint={t('people_hint')} rows={3} value={users} onChange={(event) => setUsers(event.target.value)} />}
        <TextArea label={t('own_words')} hint={t('own_words_hint')} rows={2} maxLength={1000} value={text} onChange={(event) => setText(event.target.value)} />
        {send.error && <Note tone="bad">{sentenceOf(send.error, t)}</Note>}
      </div>
    </Dialog>
  );
}
