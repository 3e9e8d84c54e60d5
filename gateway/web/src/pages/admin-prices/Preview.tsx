import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useCommand } from '../../api/hooks';
import { Badge, Button, Dialog, Input, Money, Note, Select, Table, toast } from '../../ui';

/// A published list of prices: what it would change, before anything is.
export function Preview({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation('admin-prices');
  const [format, setFormat] = useState<'litellm' | 'models-dev'>('litellm');
  const [only, setOnly] = useState('');
  const [list, setList] = useState('');
  const look = useCommand(() => api.post('/api/v1/prices/preview', { format, list, ...(only ? { only } : {}) }));
  const put = useCommand(() => api.post('/api/v1/prices', { prices: look.data?.puts } as never), ['/api/v1/prices', '/api/v1/prices/unpriced']);
  const found = look.data;
  const rows = found ? [...found.new.map((one) => ({ id: one.id, model: one.model, what: 'new' as const, before: null, after: one })), ...found.changed.map((one) => ({ id: one.after.id, model: one.after.model, what: 'changed' as const, before: one.before, after: one.after }))] : [];
  const money = (value: number | undefined) => (value === undefined ? '–' : <Money value={value / 1e9} />);
  return (
    <Dialog open wide title={t('take_list')} onClose={onClose} actions={found ? <Button kind="main" busy={put.isPending} disabled={found.puts.length === 0} onClick={() => put.mutate(undefined, { onSuccess: () => { toast(t('saved')); onClose(); } })}>{t('apply', { count: found.puts.length })}</Button> : <Button kind="main" busy={look.isPending} disabled={!list} onClick={() => look.mutate(undefined)}>{t('look')}</Button>}>
      <div className="stack">
        {!found && (
          <>
            <p className="soft">{t('list_text')}</p>
            <Select label={t('format')} value={format} onChange={(event) => setFormat(event.target.value as typeof format)}><option value="litellm">LiteLLM (model_prices_and_context_window.json)</option><option value="models-dev">models.dev (api.json)</option></Select>
            <input type="file" accept=".json" aria-label={t('file')} onChange={(event) => { const file = event.target.files?.[0]; if (file) void file.text().then(setList); }} />
            <Input label={t('only')} hint={t('only_hint')} value={only} onChange={(event) => setOnly(event.target.value.trim())} />
          </>
        )}
        {found && (
          <>
            <p>{t('found', { fresh: found.new.length, changed: found.changed.length, same: found.same, kept: found.by_hand.length, left: found.not_understood + found.without_price })}</p>
            <Table label={t('prices')} rows={rows} rowKey={(one) => one.id} virtual={rows.length > 100} height="45vh" columns={[
              { key: 'model', title: t('model'), width: 300, cell: (one) => <>{one.model} <Badge tone={one.what === 'new' ? 'info' : 'warn'}>{one.what === 'new' ? t('new') : t('changed')}</Badge></> },
              { key: 'input', title: t('input'), number: true, width: 200, cell: (one) => <>{one.before && <><s className="faint">{money(one.before.rates.input)}</s> </>}{money(one.after.rates.input)}</> },
              { key: 'output', title: t('output'), number: true, width: 200, cell: (one) => <>{one.before && <><s className="faint">{money(one.before.rates.output)}</s> </>}{money(one.after.rates.output)}</> },
            ]} />
          </>
        )}
        {(look.error ?? put.error) && <Note tone="bad">{sentenceOf(look.error ?? put.error, t)}</Note>}
      </div>
    </Dialog>
  );
}
