import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, urlOf } from '../../api/client';
import { ApiError, errorOf, sentenceOf } from '../../api/error';
import { bytesText, Button, Dialog, Note, Select } from '../../ui';

interface Props {
  from: string;
  to: string | null;
  zone: string;
  where: Record<string, string[]>;
  text: string;
  onClose: () => void;
}
type Format = 'csv' | 'jsonl';
type State = { kind: 'choose' } | { kind: 'runs'; bytes: number; rows: number } | { kind: 'done'; bytes: number; rows: number };

/// Downloads what the filters leave, with how far it is; may be broken off.
export function Export({ from, to, zone, where, text, onClose }: Props) {
  const { t, i18n } = useTranslation('records');
  const [format, setFormat] = useState<Format>('csv');
  const [state, setState] = useState<State>({ kind: 'choose' });
  const [error, setError] = useState<ApiError | null>(null);
  const stop = useRef<AbortController | null>(null);
  const run = async (): Promise<void> => {
    setError(null);
    stop.current = new AbortController();
    setState({ kind: 'runs', bytes: 0, rows: 0 });
    try {
      const opened = await api.post('/api/v1/exports', { what: 'records', format, from, ...(to ? { to } : {}), zone, where, ...(text ? { text } : {}), ...(format === 'csv' ? { bom: true } : {}) } as never);
      const answer = await fetch(urlOf(opened.path), { signal: stop.current.signal, credentials: 'same-origin' });
      if (!answer.ok) throw await errorOf(answer);
      const pieces: BlobPart[] = [];
      let bytes = 0;
      let rows = 0;
      for (const reader = answer.body!.getReader(); ;) {
        const { done, value } = await reader.read();
        if (done) break;
        pieces.push(value as unknown as BlobPart);
        bytes += value.length;
        for (const byte of value) if (byte === 10) rows += 1;
        setState({ kind: 'runs', bytes, rows });
      }
      save(new Blob(pieces, { type: opened.content_type }), opened.file_name);
      setState({ kind: 'done', bytes, rows: Math.max(0, rows - (format === 'csv' ? 1 : 0)) });
    } catch (failure) {
      setState({ kind: 'choose' });
      if (!(failure instanceof DOMException && failure.name === 'AbortError')) setError(failure instanceof ApiError ? failure : new ApiError('offline', 0, ''));
    }
  };
  const close = (): void => { stop.current?.abort(); onClose(); };
  const size = (one: { bytes: number; rows: number }): string => t('export_size', { size: bytesText(one.bytes, i18n.language), count: one.rows });
  return (
    <Dialog open title={t('export')} onClose={close} actions={
      state.kind === 'runs' ? <Button onClick={() => stop.current?.abort()}>{t('export_stop')}</Button>
        : state.kind === 'done' ? <Button kind="main" onClick={close}>{t('close')}</Button>
          : <Button kind="main" icon="download" onClick={() => void run()}>{t('export_do')}</Button>
    }>
      <div className="stack">
        <p>{t('export_text')}</p>
        <Select label={t('export_format')} value={format} disabled={state.kind === 'runs'} onChange={(event) => setFormat(event.target.value as Format)}>
          <option value="csv">{t('export_csv')}</option>
          <option value="jsonl">{t('export_jsonl')}</option>
        </Select>
        {state.kind === 'runs' && <Note><span role="status" className="nums">{t('export_runs')} {size(state)}</span></Note>}
        {state.kind === 'done' && <Note tone="good"><span role="status">{t('export_done')} {size(state)}</span></Note>}
        {error && <Note tone="bad">{sentenceOf(error, t)}</Note>}
      </div>
    </Dialog>
  );
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
