import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, onceKey } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useCommand } from '../../api/hooks';
import { day } from '../../api/key_words';
import type { Schemas } from '../../api/types';
import { Button, Dialog, Field, Input, Note, Reveal, Select, TextArea, toast } from '../../ui';
import { keysIn } from './import_text';

type People = Map<string, Schemas['user']>;
const lists = ['/api/v1/keys', '/api/v1/pool'] as const;

export function Give({ onClose, people, owner = '' }: { onClose: () => void; people: People; owner?: string }) {
  const { t } = useTranslation('admin-keys');
  const [to, setTo] = useState(owner);
  const [label, setLabel] = useState('');
  const [days, setDays] = useState('');
  const [once] = useState(onceKey);
  const give = useCommand(() => api.post('/api/v1/keys', { owner: to, ...(label ? { label } : {}), ...(days ? { lifetime_s: Number(days) * day } : {}) }, { once }), lists);
  const text = give.data?.key ?? '';
  return (
    <Dialog open title={t('give')} onClose={onClose} actions={text ? <Button kind="main" onClick={onClose}>{t('close')}</Button> : <Button kind="main" busy={give.isPending} disabled={!to} onClick={() => give.mutate(undefined)}>{t('give')}</Button>}>
      {text ? <div className="stack"><Note tone="warn">{t('shown')}</Note><Reveal text={text} label={t('key')} /></div> : (
        <div className="stack">
          <Field label={t('owner')} hint={t('owner_hint')}>
            {(given) => <><input {...given} className="input" list="give-people" value={to} autoFocus onChange={(event) => setTo(event.target.value.trim())} /><datalist id="give-people">{[...people.values()].filter((one) => one.state === 'active').slice(0, 500).map((one) => <option key={one.id} value={one.email}>{one.name}</option>)}</datalist></>}
          </Field>
          <Input label={t('label')} value={label} maxLength={100} onChange={(event) => setLabel(event.target.value)} />
          <Select label={t('lifetime')} value={days} onChange={(event) => setDays(event.target.value)}><option value="">{t('by_policy')}</option>{['7', '30', '90', '365'].map((one) => <option key={one} value={one}>{t('days', { count: Number(one) })}</option>)}</Select>
          {give.error && <Note tone="bad">{sentenceOf(give.error, t)}</Note>}
        </div>
      )}
    </Dialog>
  );
}

/// Which key a text is. The text goes in a body and stays nowhere.
export function Find({ onClose, onFound }: { onClose: () => void; onFound: (id: string) => void }) {
  const { t } = useTranslation('admin-keys');
  const [text, setText] = useState('');
  const find = useCommand(() => api.post('/api/v1/keys/find', { text: text.trim() }));
  return (
    <Dialog open title={t('find')} onClose={onClose} actions={<Button kind="main" busy={find.isPending} disabled={!text.trim()} onClick={() => find.mutate(undefined, { onSuccess: (found) => onFound(found?.id ?? '') })}>{t('find')}</Button>}>
      <div className="stack"><p className="soft">{t('find_text')}</p><Input label={t('key')} type="password" autoComplete="off" value={text} autoFocus onChange={(event) => setText(event.target.value)} />{find.error && <Note tone="bad">{sentenceOf(find.error, t)}</Note>}</div>
    </Dialog>
  );
}

/// Keys of elsewhere: pasted lines, or a file of the Python portal.
export function Import({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation('admin-keys');
  const [text, setText] = useState('');
  const [done, setDone] = useState<{ added: number; skipped: number } | null>(null);
  const read = useMemo(() => keysIn(text), [text]);
  const send = useCommand(async () => {
    const sum = { added: 0, skipped: 0 };
    for (let at = 0; at < read.keys.length; at += 1000) {
      const some = await api.post('/api/v1/keys/import', { keys: read.keys.slice(at, at + 1000) } as never);
      sum.added += some.added;
      sum.skipped += some.skipped;
    }
    return sum;
  }, lists);
  return (
    <Dialog open wide title={t('import')} onClose={onClose} actions={done ? <Button kind="main" onClick={onClose}>{t('close')}</Button> : <Button kind="main" busy={send.isPending} disabled={read.keys.length === 0} onClick={() => send.mutate(undefined, { onSuccess: (sum) => { setDone(sum); toast(t('imported_count', { count: sum.added })); } })}>{t('import_do', { count: read.keys.length })}</Button>}>
      <div className="stack">
        {done ? <Note tone="good">{t('imported_count', { count: done.added })} {t('skipped_count', { count: done.skipped })}</Note> : (
          <>
            <p className="soft">{t('import_text')}</p>
            <input type="file" accept=".json,.txt,.csv" aria-label={t('import_file')} onChange={(event) => { const file = event.target.files?.[0]; if (file) void file.text().then(setText); }} />
            <TextArea label={t('import_lines')} hint={t('import_lines_hint')} rows={8} className="input mono" spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />
            {text && <Note tone={read.keys.length ? 'info' : 'warn'}>{t('import_preview', { count: read.keys.length, owned: read.keys.filter((one) => one.owner).length })}{read.faults > 0 && ` ${t('import_faults', { count: read.faults })}`}</Note>}
            {send.error && <Note tone="bad">{sentenceOf(send.error, t)}</Note>}
          </>
        )}
      </div>
    </Dialog>
  );
}
