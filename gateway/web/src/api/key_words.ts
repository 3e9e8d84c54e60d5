import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import type { Tone } from '../ui';
import type { Schemas } from './types';

export type Key = Schemas['key'];

/// A key's state in a word, as `status` says it: with whether the nodes follow already.
export function useKeyStatus(): (key: Key) => { text: string; tone: Tone } {
  const { t } = useTranslation();
  return useCallback((key) => {
    switch (key.status) {
      case 'active': return { text: t('key_status.active'), tone: 'good' };
      case 'live': return { text: t('key_status.active'), tone: 'good' };
      case 'activating': return { text: t('key_status.activating'), tone: 'info' };
      case 'suspended': return { text: key.why_suspended === 'budget' ? t('key_status.budget') : t('key_status.suspended'), tone: 'warn' };
      case 'suspending': return { text: t('key_status.suspending'), tone: 'warn' };
      case 'expired': return { text: t('key_status.expired'), tone: 'bad' };
      case 'rotated': return { text: t('key_status.rotated'), tone: 'plain' };
      case 'revoking': return { text: t('key_status.revoking'), tone: 'warn' };
      case 'revoked': return { text: t('key_status.revoked'), tone: 'plain' };
      case 'external': return { text: t('key_status.external'), tone: 'info' };
      default: return { text: t('key_status.pooled'), tone: 'plain' };
    }
  }, [t]);
}

export const day = 86_400;

/// Whole days until a key ends, less than one is 0; null where it never does.
export function daysLeft(key: Pick<Key, 'expires_at'>, now = Date.now()): number | null {
  return key.expires_at ? Math.max(0, Math.floor((Date.parse(key.expires_at) - now) / 86_400_000)) : null;
}

/// Whether it works, or will as soon as it is resumed.
export function isAlive(key: Key): boolean {
  return key.state === 'live' || key.state === 'suspended';
}

/// Amounts of budgets in words: money is in billionths of the unit.
export function useBudgetWords(): { unit: (unit: Schemas['budget']['unit']) => string; window: (window: Schemas['budget']['window']) => string } {
  const { t } = useTranslation();
  const unit = useCallback((one: Schemas['budget']['unit']) =>
    one === 'requests' ? t('budget.requests') : one === 'tokens' ? t('budget.tokens') : t('budget.cost'), [t]);
  const window = useCallback((one: Schemas['budget']['window']) => {
    switch (one) {
      case 'hour': return t('budget.hour');
      case 'day': return t('budget.day');
      case 'week': return t('budget.week');
      case 'month': return t('budget.month');
      default: return t('budget.lifetime');
    }
  }, [t]);
  return { unit, window };
}
