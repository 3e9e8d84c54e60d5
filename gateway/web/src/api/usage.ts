import { useCallback } from 'react';
import { keepPreviousData, useQueryClient } from '@tanstack/react-query';
import type { UseQueryResult } from '@tanstack/react-query';
import { api } from './client';
import type { ApiError } from './error';
import { keyOf, useApi } from './hooks';
import { useSession } from './session';
import type { Schemas } from './types';

type Sometimes = 'latency_percentiles' | 'ttft_percentiles' | 'per_minute' | 'buckets' | 'before';
/// With what was asked for: pages read only the metrics that they named, or all where they named none.
export type Amounts = Required<Omit<Schemas['usage_amounts'], Sometimes>> & Pick<Schemas['usage_amounts'], 'latency_percentiles' | 'ttft_percentiles'>;
export type Row = Required<Omit<Schemas['usage_row'], Sometimes>> & Pick<Schemas['usage_row'], 'latency_percentiles' | 'ttft_percentiles' | 'per_minute'>
  & { buckets?: Amounts[]; before?: Amounts };
export type Report = Omit<Schemas['usage_report'], 'total' | 'rows' | 'other'> & { total: Row; rows: Row[]; other: Row | null };
export type Step = Schemas['usage_step'];

export interface Asked {
  from: string | null;
  to: string | null;
  zone: string;
  step?: Step;
  /// Two at most.
  by?: readonly string[];
  /// What records have to be, by the names of filters.
  where?: Record<string, string | readonly string[]>;
  metrics?: readonly string[];
  top?: number;
  order?: string;
  percentiles?: boolean;
  compare?: boolean;
}

const hour = 3_600_000;
/// Before there was anything to count: the beginning of "all".
const theBeginning = '2020-01-01T00:00:00Z';

/// Steps in which a span is drawn: some dozens to some hundreds.
export function stepOf(from: string | null, to: string | null): Exclude<Step, 'none'> {
  if (!from || !to) return 'month';
  const span = Date.parse(to) - Date.parse(from);
  // Below an hour there are steps of the last two days only.
  if (span <= 3 * hour && Date.now() - Date.parse(from) < 47 * hour) return '10m';
  if (span <= 8 * 24 * hour) return 'hour';
  if (span <= 100 * 24 * hour) return 'day';
  return span <= 800 * 24 * hour ? 'week' : 'month';
}

const freshMs = 5_000;

function questionOf(asked: Asked): Record<string, unknown> {
  const list = (some?: readonly string[]): string | undefined => (some?.length ? some.join(',') : undefined);
  return {
    // To the minute: the same question within it is the same answer.
    from: asked.from ?? theBeginning, to: asked.to ?? undefined, zone: asked.zone, step: asked.step ?? 'none',
    by: list(asked.by), metrics: list(asked.metrics), top: asked.top, order: asked.order,
    percentiles: asked.percentiles || undefined, compare: (asked.compare && asked.from !== null) || undefined, ...asked.where,
  };
}

function useUsagePath(): '/api/v1/usage' {
  const { may } = useSession();
  return (may('read.usage') ? '/api/v1/usage' : '/api/v1/me/usage') as '/api/v1/usage';
}

/// Everybody's usage for whoever may see it, else one's own. What was there stays until the next answer comes.
export function useUsage(asked: Asked, enabled = true) {
  const query = questionOf(asked) as never;
  const answer = useApi(useUsagePath(), { query }, { enabled, placeholderData: keepPreviousData, staleTime: freshMs });
  return answer as unknown as UseQueryResult<Report, ApiError>;
}

/// Asks what is likely to be wanted next: it is there when it is.
export function useUsageAhead(): (...asked: Asked[]) => void {
  const queries = useQueryClient();
  const path = useUsagePath();
  return useCallback((...asked: Asked[]) => {
    for (const one of asked) {
      const query = questionOf(one) as never;
      void queries.prefetchQuery({
        queryKey: keyOf(path, { query }), queryFn: ({ signal }) => api.get(path, { query, signal }), staleTime: freshMs,
      });
    }
  }, [queries, path]);
}

/// The part of requests that went well, 0 to 1; null where there were none.
export function successRate(one: Amounts | Row): number | null {
  return one.requests > 0 ? one.ok / one.requests : null;
}

/// By how much something changed, 0.1 for a tenth more; null where nothing can be said.
export function changeOf(now: number | null | undefined, before: number | null | undefined): number | null {
  if (now === null || now === undefined || !before) return null;
  return (now - before) / before;
}

/// What people call it.
export function nameIn(report: { names: Record<string, string> } | undefined, id: string): string {
  return report?.names[id] || id || '–';
}

/// Where the buckets of a chart begin. The first one is of the time that was asked for only; it is drawn as wide as the others,
/// or all would become as narrow as it is.
export function evenStarts(starts: readonly string[]): string[] {
  const [first, second, third] = starts.map(Date.parse);
  if (first === undefined || second === undefined || third === undefined || second - first >= (third - second) * 0.9) return [...starts];
  return [new Date(second - (third - second)).toISOString(), ...starts.slice(1)];
}
