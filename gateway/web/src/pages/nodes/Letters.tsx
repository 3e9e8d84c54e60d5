import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, urlOf } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Ago, bytesText, Button, Card, Confirm, Loaded, Note, Table } from '../../ui';

const lists = ['/api/v1/deadletters', '/api/v1/summary'] as const;

/// What could not be decoded: nothing of it is lost until somebody gives it up.
export function Letters() {
  const { t, i18n } = useTranslation('nodes');
  const { may } = useSession();
  const letters = useApi('/api/v1/deadletters', { query: { limit: 200 } as never });
  const [dropping, setDropping] = useState<number | null>(null);
  const replay = useCommand(async (nodes: readonly string[]) => {
    const sum = { replayed: 0, added: 0, still_dead: 0 };
    for (const node of nodes) {
      const one = await api.post('/api/v1/nodes/{node}/deadletters/replay', undefined, { path: { node } });
      sum.replayed += one.replayed; sum.added += one.added; sum.still_dead += one.still_dead;
    }
    return sum;
  }, lists);
  const drop = useCommand((id: number) => api.delete('/api/v1/deadletters/{id}', { path: { id } }), lists);
  if (letters.data?.items.length === 0) return null;
  return (
    <Card title={t('letters')} note={t('letters_note')} actions={may('write.nodes') && <Button size="small" busy={replay.isPending} onClick={() => replay.mutate([...new Set(letters.data?.items.map((one) => one.node))])}>{t('replay')}</Button>} flush>
      {replay.data && <Note tone={replay.data.still_dead ? 'warn' : 'good'}>{t('replayed', { ...replay.data })}</Note>}
      {replay.error && <Note tone="bad">{sentenceOf(replay.error, t)}</Note>}
      <Loaded of={letters} rows={2}>{(data) => <Table label={t('letters')} rows={data.items} rowKey={(one) => String(one.number)} columns={[
        { key: 'number', title: t('number'), number: true, width: 80, cell: (one) => one.number },
        { key: 'node', title: t('node'), width: 140, cell: (one) => one.node },
        { key: 'at', title: t('came'), width: 130, cell: (one) => <Ago at={one.at} /> },
        { key: 'reason', title: t('reason'), cell: (one) => one.reason },
        { key: 'bytes', title: t('bytes'), number: true, width: 100, cell: (one) => bytesText(one.bytes, i18n.language) },
        { key: 'do', title: t('actions'), width: 190, cell: (one) => <span className="row">{may('read.secrets') && <a className="button button-small" href={urlOf('/api/v1/deadletters/{id}', { path: { id: one.number } }).href} download>{t('download')}</a>}{may('write.nodes') && <Button size="small" kind="danger" onClick={() => setDropping(one.number)}>{t('give_up')}</Button>}</span> },
      ]} />}</Loaded>
      {dropping !== null && <Confirm open title={t('give_up')} action={t('give_up')} danger typed={String(dropping)} busy={drop.isPending} fault={drop.error ? sentenceOf(drop.error, t) : undefined} onClose={() => setDropping(null)} onConfirm={() => drop.mutate(dropping, { onSuccess: () => setDropping(null) })}><p>{t('give_up_text')}</p></Confirm>}
    </Card>
  );
}
