import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useCommand } from '../../api/hooks';
import { Button, Dialog, Field, Note } from '../../ui';
import { readMapping } from './words';

/// Whose accounts are, from a file of the portal before this one.
export function Mapping({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation('accounts');
  const [rows, setRows] = useState<ReturnType<typeof readMapping>>(null);
  const [wrong, setWrong] = useState(false);
  const send = useCommand(() => api.post('/api/v1/accounts/mapping', rows ?? { users: [] }), ['/api/v1/accounts', '/api/v1/accounts/all']);
  const pick = async (file: File | undefined): Promise<void> => {
    const read = file ? readMapping(await file.text()) : null;
    setRows(read);
    setWrong(file !== undefined && read === null);
  };
  return (
    <Dialog open title={t('mapping')} onClose={onClose} actions={<Button kind="main" busy={send.isPending} disabled={!rows || send.isSuccess} onClick={() => send.mutate(undefined)}>{t('take_over')}</Button>}>
      <div className="stack">
        <p>{t('mapping_text')}</p>
        <Field label={t('mapping_file')}>{(given) => <input {...given} type="file" accept="application/json,.json" onChange={(event) => void pick(event.target.files?.[0])} />}</Field>
        {wrong && <Note tone="bad">{t('mapping_wrong')}</Note>}
        {rows && !send.data && <Note>{t('mapping_rows', { count: rows.users.length })}</Note>}
        {send.data && <Note tone="good">{t('mapping_done', { taken: send.data.taken, known: send.data.known, accounts: send.data.accounts })}</Note>}
        {send.error && <Note tone="bad">{sentenceOf(send.error, t)}</Note>}
      </div>
    </Dialog>
  );
}
