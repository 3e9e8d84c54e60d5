import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, send, urlOf } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { useSession } from '../../api/session';
import type { Schemas } from '../../api/types';
import { bytesText, Button, Checkbox, Confirm, Loaded, Moment, Note, Num, toast } from '../../ui';

type Snapshot = Schemas['snapshot'];
const lists = ['/api/v1/nodes/{node}/snapshots', '/api/v1/nodes/{node}'] as const;

/// Snapshots of a node: make, download, give a file back, put two side by side.
export function Snapshots({ node }: { node: string }) {
  const { t, i18n } = useTranslation('nodes');
  const { may } = useSession();
  const snapshots = useApi('/api/v1/nodes/{node}/snapshots', { path: { node } });
  const make = useCommand(() => api.post('/api/v1/nodes/{node}/snapshots', undefined, { path: { node } }), lists);
  const [file, setFile] = useState<File | null>(null);
  const [picked, setPicked] = useState<readonly number[]>([]);
  const take = useCommand(async () => (await (await send('POST', '/api/v1/nodes/{node}/import', file, { path: { node } })).json()) as Schemas['import_report'], lists);
  const two = (snapshots.data?.items ?? []).filter((one) => picked.includes(one.id)).sort((a, b) => a.id - b.id);
  const download = (id: number | 'now') => urlOf('/api/v1/nodes/{node}/snapshots/{id}/export', { path: { node, id } }).href;
  return (
    <div className="stack">
      <div className="row">
        {may('write.nodes') && <Button size="small" icon="plus" busy={make.isPending} onClick={() => make.mutate(undefined, { onSuccess: () => toast(t('snapshot_made')) })}>{t('snapshot_make')}</Button>}
        {may('read.secrets') && <a className="button button-small" href={download('now')} download>{t('download_now')}</a>}
        {may('write.nodes') && <label className="button button-small">{t('upload')}<input className="visually-hidden" type="file" accept=".json" onChange={(event) => { setFile(event.target.files?.[0] ?? null); event.target.value = ''; }} /></label>}
      </div>
      {(make.error ?? take.error) && <Note tone="bad">{sentenceOf(make.error ?? take.error, t)}</Note>}
      {take.data && <Note tone="good">{t('uploaded', { records: take.data.records, added: take.data.added, refused: take.data.refused })}</Note>}
      {two.length === 2 && <Compare older={two[0]!} newer={two[1]!} />}
      <Loaded of={snapshots} rows={5}>{(data) => data.items.length === 0 ? <p className="soft">{t('no_snapshots')}</p> : (
        <div className="stack-small">{data.items.map((one) => (
          <div key={one.id} className="row">
            <Checkbox label={<span className="visually-hidden">{t('compare_this', { id: one.id })}</span>} checked={picked.includes(one.id)} onChange={(event) => setPicked(event.target.checked ? [...picked.slice(-1), one.id] : picked.filter((id) => id !== one.id))} />
            <span className="grow"><strong>#{one.id}</strong> <Moment at={one.made_at} /> <span className="faint">{one.reason}</span><br /><span className="soft"><Num value={one.totals.requests} /> {t('requests')} · <Num value={one.totals.tokens.total} short /> {t('tokens')} · {bytesText(one.stored_bytes, i18n.language)}</span></span>
            {may('read.secrets') && <a className="button button-small" href={download(one.id)} download>{t('download')}</a>}
          </div>
        ))}</div>
      )}</Loaded>
      <p className="soft">{t('compare_hint')}</p>
      {file && <Confirm open title={t('upload')} action={t('upload_do')} busy={take.isPending} fault={take.error ? sentenceOf(take.error, t) : undefined} onClose={() => setFile(null)} onConfirm={() => take.mutate(undefined, { onSuccess: () => setFile(null) })}><p>{t('upload_text', { name: file.name, size: bytesText(file.size, i18n.language) })}</p></Confirm>}
    </div>
  );
}

function Compare({ older, newer }: { older: Snapshot; newer: Snapshot }) {
  const { t } = useTranslation('nodes');
  const line = (name: string, of: (one: Snapshot) => number) => <tr><th scope="row">{name}</th><td><Num value={of(older)} /></td><td><Num value={of(newer)} /></td><td><Num value={of(newer) - of(older)} /></td></tr>;
  return (
    <table className="table"><caption className="visually-hidden">{t('compare')}</caption>
      <thead><tr><th /><th>#{older.id}</th><th>#{newer.id}</th><th>{t('difference')}</th></tr></thead>
      <tbody>{line(t('requests'), (one) => one.totals.requests)}{line(t('failed'), (one) => one.totals.failed)}{line(t('tokens'), (one) => one.totals.tokens.total)}{line(t('bytes'), (one) => one.json_bytes)}</tbody>
    </table>
  );
}
