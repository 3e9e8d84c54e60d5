import { useMemo } from 'react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { successRate } from '../../api/usage';
import type { Amounts, Row } from '../../api/usage';
import { Duration, durationText, Money, moneyText, Num, percentText, shortText } from '../../ui';

export const metrics = ['requests', 'tokens', 'cost', 'failed', 'success', 'latency', 'ttft', 'cache'] as const;
export type MetricKey = (typeof metrics)[number];

export function valueOf(metric: MetricKey, one: Amounts | Row): number | null {
  switch (metric) {
    case 'requests': return one.requests;
    case 'tokens': return one.tokens.total;
    case 'cost': return one.cost_usd;
    case 'failed': return one.failed;
    case 'success': return successRate(one);
    case 'latency': return one.latency_ms;
    case 'ttft': return one.ttft_ms;
    default: return one.cache_rate;
  }
}

/// Titles and texts of metrics.
export function useMetricText() {
  const { t, i18n } = useTranslation('analysis');
  return useMemo(() => {
    const title = (metric: MetricKey): string => {
      switch (metric) {
        case 'requests': return t('m_requests');
        case 'tokens': return t('m_tokens');
        case 'cost': return t('m_cost');
        case 'failed': return t('m_failed');
        case 'success': return t('m_success');
        case 'latency': return t('m_latency');
        case 'ttft': return t('m_ttft');
        default: return t('m_cache');
      }
    };
    const text = (metric: MetricKey, value: number | null): string => {
      if (value === null || value === undefined) return '–';
      if (metric === 'cost') return moneyText(value, 'USD', i18n.language);
      if (metric === 'success' || metric === 'cache') return percentText(value, i18n.language);
      return metric === 'latency' || metric === 'ttft' ? durationText(value, i18n.language) : shortText(value, i18n.language);
    };
    const show = (metric: MetricKey, value: number | null): ReactNode => {
      if (value === null || value === undefined) return '–';
      if (metric === 'cost') return <Money value={value} />;
      if (metric === 'success' || metric === 'cache') return percentText(value, i18n.language);
      return metric === 'latency' || metric === 'ttft' ? <Duration ms={value} /> : <Num value={value} short />;
    };
    return { title, text, show, value: valueOf };
  }, [t, i18n.language]);
}
