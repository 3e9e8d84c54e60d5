import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/types';
import { Badge, Duration, Money, Num } from '../../ui';
import type { Column } from '../../ui';
import type { FilterName } from './filters';

export type RecordRow = Schemas['record'];
export type Names = Record<string, string>;

export const allColumns = ['time', 'outcome', 'model', 'key', 'node', 'provider', 'account', 'endpoint', 'input', 'cached', 'output', 'reasoning', 'total', 'cost', 'latency', 'ttft', 'status', 'error'] as const;
export type ColumnKey = (typeof allColumns)[number];
const atFirst: readonly string[] = ['time', 'outcome', 'model', 'key', 'node', 'input', 'cached', 'output', 'total', 'cost', 'latency', 'ttft'];
const place = 'kp.records.columns';

export function keptColumns(): readonly string[] {
  try {
    const kept = JSON.parse(localStorage.getItem(place) ?? 'null') as unknown;
    if (Array.isArray(kept)) return allColumns.filter((one) => kept.includes(one));
  } catch { /* what cannot be read is as if nothing was kept */ }
  return atFirst;
}
export function keepColumns(some: readonly string[]): void {
  try { localStorage.setItem(place, JSON.stringify(some)); } catch { /* private windows keep nothing */ }
}

export function useColumnTitles(): (key: string) => string {
  const { t } = useTranslation('records');
  return useCallback((key) => {
    switch (key as ColumnKey) {
      case 'time': return t('column.time');
      case 'outcome': return t('column.outcome');
      case 'model': return t('column.model');
      case 'key': return t('column.key');
      case 'node': return t('column.node');
      case 'provider': return t('column.provider');
      case 'account': return t('column.account');
      case 'endpoint': return t('column.endpoint');
      case 'input': return t('column.input');
      case 'cached': return t('column.cached');
      case 'output': return t('column.output');
      case 'reasoning': return t('column.reasoning');
      case 'total': return t('column.total');
      case 'cost': return t('column.cost');
      case 'latency': return t('column.latency');
      case 'ttft': return t('column.ttft');
      case 'status': return t('column.status');
      default: return t('column.error');
    }
  }, [t]);
}

export function useFilterTitles(): (name: FilterName) => string {
  const { t } = useTranslation('records');
  const titles = useColumnTitles();
  return useCallback((name) => (name === 'user' ? t('person') : name === 'group' ? t('group') : name === 'alias' ? t('alias') : titles(name)), [t, titles]);
}

export function columnsOf(title: (key: string) => string, names: Names, zone: string, language: string): Column<RecordRow>[] {
  const time = new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZone: zone });
  const named = (id: string) => names[id] || id || '–';
  const of = (key: ColumnKey, width: number, cell: Column<RecordRow>['cell'], number = false): Column<RecordRow> => ({ key, title: title(key), cell, number, width });
  const cut = (text: string) => <span className="cut records-cut" title={text}>{text}</span>;
  return [
    of('time', 150, (one) => <span className="nums" title={one.timestamp}>{time.format(Date.parse(one.timestamp))}</span>),
    of('outcome', 84, (one) => <Badge dot tone={one.failed ? 'bad' : 'good'}>{one.failed ? one.status_code || '✕' : 'OK'}</Badge>),
    of('model', 180, (one) => cut(one.alias && one.alias !== one.model ? `${one.model} (${one.alias})` : one.model || '–')),
    of('key', 150, (one) => cut(named(one.key_id))),
    of('node', 110, (one) => cut(one.node)),
    of('provider', 100, (one) => cut(one.provider || '–')),
    of('account', 160, (one) => cut(named(one.auth_index))),
    of('endpoint', 170, (one) => cut(one.endpoint || '–')),
    of('input', 90, (one) => <Num value={one.tokens.input} />, true),
    of('cached', 90, (one) => <Num value={one.tokens.cached} />, true),
    of('output', 90, (one) => <Num value={one.tokens.output} />, true),
    of('reasoning', 100, (one) => <Num value={one.tokens.reasoning} />, true),
    of('total', 100, (one) => <Num value={one.tokens.total} />, true),
    of('cost', 100, (one) => <Money value={one.cost_usd} />, true),
    of('latency', 100, (one) => <Duration ms={one.latency_ms} />, true),
    of('ttft', 110, (one) => <Duration ms={one.ttft_ms || null} />, true),
    of('status', 80, (one) => one.status_code || '–', true),
    of('error', 220, (one) => cut(one.error || '–')),
  ];
}
