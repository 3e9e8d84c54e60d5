import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { usePages } from '../../api/pages';
import { useSession } from '../../api/session';
import type { Schemas } from '../../api/types';
import { Badge, Button, Card, Confirm, Dialog, Empty, ErrorState, Input, Loaded, Loading, Money, Note, Num, Page, Table, toast, useUrlState } from '../../ui';
import type { Column } from '../../ui';
import { Preview } from './Preview';
import { Reprice } from './Reprice';

type Price = Schemas['price'];
const lists = ['/api/v1/prices', '/api/v1/prices/unpriced'] as const;

/// What models cost.
export default function PricesPage() {
  const { t } = useTranslation('admin-prices');
  const { may } = useSession();
  const write = may('write.prices');
  const [values, change] = useUrlState({ text: '' });
  const prices = usePages('/api/v1/prices', { text: values.text || undefined });
  const unpriced = useApi('/api/v1/prices/unpriced');
  const [editing, setEditing] = useState<Partial<Price> | null>(null);
  const [dropping, setDropping] = useState<Price | null>(null);
  const [previewing, setPreviewing] = useState(false);
  const drop = useCommand((id: string) => api.post('/api/v1/prices/drop', { ids: [id] }), lists);
  const columns = useMemo<Column<Price>[]>(() => {
    const rate = (value: number | undefined) => (value === undefined ? <span className="faint">–</span> : <Money value={value / 1e9} />);
    return [
      { key: 'model', title: t('model'), sort: (one) => one.model, cell: (one) => <><strong>{one.model}</strong>{one.provider && <span className="soft"> · {one.provider}</span>}{one.steps.length > 0 && <Badge>{t('steps', { count: one.steps.length })}</Badge>}</> },
      { key: 'input', title: t('input'), number: true, width: 110, sort: (one) => one.rates.input ?? 0, cell: (one) => rate(one.rates.input) },
      { key: 'output', title: t('output'), number: true, width: 110, sort: (one) => one.rates.output ?? 0, cell: (one) => rate(one.rates.output) },
      { key: 'read', title: t('cache_read'), number: true, width: 120, cell: (one) => rate(one.rates.cache_read) },
      { key: 'write', title: t('cache_write'), number: true, width: 120, cell: (one) => rate(one.rates.cache_write) },
      { key: 'source', title: t('source'), width: 120, sort: (one) => one.source, cell: (one) => <Badge tone={one.source === 'by_hand' ? 'info' : 'plain'}>{one.source === 'by_hand' ? t('by_hand') : one.source}</Badge> },
      ...(write ? [{ key: 'do', title: t('actions'), width: 150, cell: (one: Price) => <span className="row"><Button size="small" onClick={() => setEditing(one)}>{t('edit')}</Button><Button size="small" kind="danger" onClick={() => setDropping(one)}>{t('drop')}</Button></span> }] : []),
    ];
  }, [t, write]);
  return (
    <Page title={t('title')} note={t('note')} actions={write && <div className="row"><Button icon="upload" onClick={() => setPreviewing(true)}>{t('take_list')}</Button><Button kind="main" icon="plus" onClick={() => setEditing({})}>{t('set')}</Button></div>}
      bar={<Input label={t('search')} hideLabel type="search" placeholder={t('search')} defaultValue={values.text} onChange={(event) => change({ text: event.target.value.trim() })} />}>
      <div className="stack">
        <Loaded of={unpriced} rows={1}>{(data) => data.items.length === 0 ? <Note tone="good">{t('all_priced')}</Note> : (
          <Card title={t('unpriced')} note={t('unpriced_note')} flush>
            <Table label={t('unpriced')} rows={data.items} rowKey={(one) => `${one.model} ${one.provider}`} columns={[
              { key: 'model', title: t('model'), cell: (one) => <strong>{one.model}</strong> },
              { key: 'requests', title: t('requests'), number: true, width: 110, cell: (one) => <Num value={one.requests} /> },
              { key: 'tokens', title: t('tokens'), number: true, width: 110, cell: (one) => <Num value={one.tokens} short /> },
              { key: 'do', title: t('actions'), width: 150, cell: (one) => write && <Button size="small" onClick={() => setEditing({ model: one.model })}>{t('set')}</Button> },
            ]} />
          </Card>
        )}</Loaded>
        {prices.error && !prices.data ? <ErrorState error={prices.error} onRetry={() => void prices.refetch()} /> : prices.isPending ? <Loading rows={8} /> : (
          <Card title={t('prices')} note={t('per_million')} flush>
            <Table label={t('prices')} rows={prices.rows} columns={columns} rowKey={(one) => one.id} virtual={prices.rows.length > 200} empty={<Empty icon="prices" title={t('none')}>{t('none_text')}</Empty>}
              foot={prices.hasNextPage && <Button busy={prices.isFetchingNextPage} onClick={() => void prices.fetchNextPage()}>{t('load_more')}</Button>} />
          </Card>
        )}
        <Reprice />
      </div>
      {editing && <Edit of={editing} onClose={() => setEditing(null)} />}
      {previewing && <Preview onClose={() => setPreviewing(false)} />}
      {dropping && <Confirm open title={`${t('drop')}: ${dropping.model}`} action={t('drop')} danger busy={drop.isPending} fault={drop.error ? sentenceOf(drop.error, t) : undefined} onClose={() => setDropping(null)} onConfirm={() => drop.mutate(dropping.id, { onSuccess: () => { toast(t('dropped')); setDropping(null); } })}><p>{t('drop_text')}</p></Confirm>}
    </Page>
  );
}

const fields = ['input', 'output', 'cache_read', 'cache_write', 'reasoning', 'request'] as const;

function Edit({ of, onClose }: { of: Partial<Price>; onClose: () => void }) {
  const { t } = useTranslation('admin-prices');
  const [model, setModel] = useState(of.model ?? '');
  const [rates, setRates] = useState<Record<string, string>>(() => Object.fromEntries(fields.map((one) => [one, of.rates?.[one] === undefined ? '' : String(of.rates[one]! / 1e9)])));
  const save = useCommand(() => api.post('/api/v1/prices', { prices: [{
    ...(of.id ? { id: of.id, provider: of.provider, steps: of.steps } : {}), model, rates: Object.fromEntries(fields.filter((one) => rates[one] !== '').map((one) => [one, Math.round(Number(rates[one]) * 1e9)])),
  }] } as never), lists);
  const title = (one: (typeof fields)[number]): string => one === 'input' ? t('input') : one === 'output' ? t('output') : one === 'cache_read' ? t('cache_read') : one === 'cache_write' ? t('cache_write') : one === 'reasoning' ? t('reasoning') : t('request');
  return (
    <Dialog open title={of.id ? `${t('edit')}: ${of.model}` : t('set')} onClose={onClose} actions={<Button kind="main" busy={save.isPending} disabled={!model} onClick={() => save.mutate(undefined, { onSuccess: () => { toast(t('saved')); onClose(); } })}>{t('save')}</Button>}>
      <div className="stack">
        <Input label={t('model')} hint={t('model_hint')} value={model} disabled={!!of.id} autoFocus onChange={(event) => setModel(event.target.value.trim())} />
        <p className="soft">{t('per_million')}</p>
        <div className="halves">{fields.map((one) => <Input key={one} label={title(one)} type="number" min={0} step="any" value={rates[one]} onChange={(event) => setRates({ ...rates, [one]: event.target.value })} />)}</div>
        <Note>{t('edit_text')}</Note>
        {save.error && <Note tone="bad">{sentenceOf(save.error, t)}</Note>}
      </div>
    </Dialog>
  );
}
