import { useTranslation } from 'react-i18next';
import { Badge, Button, Copy, Drawer, Duration, Money, Moment, Num } from '../../ui';
import type { Names, RecordRow } from './columns';
import type { FilterName } from './filters';

interface Props {
  row: RecordRow | null;
  names: Names;
  zone: string;
  onClose: () => void;
  onFilter: (name: FilterName, value: string) => void;
}

/// Every field of one request.
export function RecordDrawer({ row, names, zone, onClose, onFilter }: Props) {
  const { t } = useTranslation('records');
  if (!row) return null;
  const named = (id: string) => names[id] || id || '–';
  const parts = row.token_parts;
  const link = (name: FilterName, value: string, text: string) =>
    value ? <Button kind="quiet" size="small" title={t('filter_this')} onClick={() => onFilter(name, value)}>{text}</Button> : '–';
  return (
    <Drawer open title={row.model || t('one')} onClose={onClose} actions={<Copy text={JSON.stringify(row, null, 2)} label={t('copy_json')} />}>
      <div className="stack">
        <div className="row"><Badge dot tone={row.failed ? 'bad' : 'good'}>{row.failed ? t('failed') : t('good')}</Badge>{row.status_code ? <Badge>{row.status_code}</Badge> : null}<span className="soft"><Moment at={row.timestamp} zone={zone} /></span></div>
        {row.error && <pre className="records-error wrap-any">{row.error}</pre>}
        <dl className="facts">
          <dt>{t('column.model')}</dt><dd>{link('model', row.model, row.model)}</dd>
          {row.alias && <><dt>{t('alias')}</dt><dd>{link('alias', row.alias, row.alias)}</dd></>}
          <dt>{t('column.key')}</dt><dd>{link('key', row.key_id, named(row.key_id))}</dd>
          <dt>{t('column.node')}</dt><dd>{link('node', row.node, row.node)}</dd>
          <dt>{t('column.provider')}</dt><dd>{link('provider', row.provider ?? '', row.provider ?? '')}</dd>
          <dt>{t('column.account')}</dt><dd className="wrap-any">{named(row.auth_index)}</dd>
          <dt>{t('column.endpoint')}</dt><dd>{row.endpoint || '–'}</dd>
          <dt>{t('column.latency')}</dt><dd><Duration ms={row.latency_ms} /></dd>
          <dt>{t('column.ttft')}</dt><dd><Duration ms={row.ttft_ms || null} /></dd>
          <dt>{t('column.cost')}</dt><dd>{row.cost_usd === null ? t('no_price') : <Money value={row.cost_usd} />}</dd>
          <dt>{t('tier')}</dt><dd>{row.service_tier || '–'}</dd>
        </dl>
        <h3>{t('tokens')}</h3>
        <dl className="facts records-tokens">
          <dt>{t('fresh_input')}</dt><dd><Num value={parts.uncached_input} /></dd>
          <dt>{t('cache_read')}</dt><dd><Num value={parts.cache_read} /></dd>
          <dt>{t('cache_write')}</dt><dd><Num value={parts.cache_write} /></dd>
          <dt>{t('column.output')}</dt><dd><Num value={parts.output} /></dd>
          <dt>{t('column.reasoning')}</dt><dd><Num value={parts.reasoning} /></dd>
          {parts.unclassified !== 0 && <><dt>{t('unclassified')}</dt><dd><Num value={parts.unclassified} /></dd></>}
          <dt>{t('column.total')}</dt><dd><strong><Num value={row.tokens.total} /></strong></dd>
        </dl>
        <p className="faint mono wrap-any">{t('identity', { id: row.id, seq: row.seq })}</p>
      </div>
    </Drawer>
  );
}
