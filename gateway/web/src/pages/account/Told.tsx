import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import type { Schemas } from '../../api/types';
import { Button, Card, Checkbox, Input, Loaded, Note, Select, toast } from '../../ui';

type Wishes = Schemas['notice_preferences'];
/// What concerns oneself and is no alarm.
const kinds = ['key.expiring', 'key.expired', 'key.renewed', 'key.renewal_refused', 'key.rotated', 'key.resumed', 'key.budget', 'person.budget', 'account.contributed', 'account.expiring', 'account.failing', 'account.back', 'account.removed'] as const;

/// How one wants to be told of what concerns one.
export function Told() {
  const { t } = useTranslation('account');
  const wishes = useApi('/api/v1/me/notices');
  return <Card title={t('told')} note={t('told_note')}><Loaded of={wishes} rows={4}>{(data) => <Form of={data} />}</Loaded></Card>;
}

function Form({ of }: { of: Wishes }) {
  const { t } = useTranslation('account');
  const [value, setValue] = useState<Wishes>(of);
  const set = (some: Partial<Wishes>): void => setValue((old) => ({ ...old, ...some }));
  const save = useCommand(() => api.put('/api/v1/me/notices', value), ['/api/v1/me/notices']);
  const muted = value.muted ?? [];
  const nothing = value.channels?.length === 0;
  return (
    <form className="stack" onSubmit={(event) => { event.preventDefault(); save.mutate(undefined, { onSuccess: () => toast(t('told_saved')) }); }}>
      <Checkbox label={t('told_at_all')} checked={!nothing} onChange={(event) => set({ channels: event.target.checked ? null : [] })} />
      {!nothing && (
        <>
          <div className="halves">
            <Select label={t('told_language')} value={value.language ?? ''} onChange={(event) => set({ language: event.target.value })}><option value="">{t('told_as_set')}</option><option value="zh">中文</option><option value="en">English</option></Select>
            <Input label={t('told_digest')} hint={t('told_digest_hint')} type="time" value={value.digest_at ?? ''} onChange={(event) => set({ digest_at: event.target.value })} />
            <Input label={t('told_quiet_from')} hint={t('told_quiet_hint')} type="time" value={value.quiet_from ?? ''} onChange={(event) => set({ quiet_from: event.target.value })} />
            <Input label={t('told_quiet_to')} type="time" value={value.quiet_to ?? ''} onChange={(event) => set({ quiet_to: event.target.value })} />
            <Input label={t('told_open_id')} value={value.open_id ?? ''} maxLength={128} autoComplete="off" onChange={(event) => set({ open_id: event.target.value.trim() })} />
            <Input label={t('told_mobile')} type="tel" value={value.mobile ?? ''} maxLength={128} onChange={(event) => set({ mobile: event.target.value.trim() })} />
          </div>
          <fieldset className="stack-small"><legend>{t('told_what')}</legend>
            {kinds.map((one) => <Checkbox key={one} label={t(`told_kind.${one.replace('.', '_')}`)} checked={!muted.includes(one)} onChange={(event) => set({ muted: event.target.checked ? muted.filter((each) => each !== one) : [...muted, one] })} />)}
          </fieldset>
        </>
      )}
      {save.error && <Note tone="bad">{sentenceOf(save.error, t)}</Note>}
      <div className="row"><Button kind="main" type="submit" busy={save.isPending}>{t('told_save')}</Button></div>
    </form>
  );
}
