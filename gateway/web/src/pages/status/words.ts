import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/types';
import type { Tone } from '../../ui';

interface Word { text: string; tone: Tone }

/// A node's state in a word.
export function useCondition(): (one: Schemas['condition']) => Word {
  const { t } = useTranslation('status');
  return useCallback((one) => {
    switch (one.state) {
      case 'up': return { text: t('state.up'), tone: 'good' };
      case 'starting': return { text: t('state.starting'), tone: 'info' };
      case 'refused': return { text: t('state.refused'), tone: 'bad' };
      default: return { text: t('state.down'), tone: 'bad' };
    }
  }, [t]);
}

/// How its usage is taken over.
export function useCollecting(): (one: Schemas['condition']) => string {
  const { t } = useTranslation('status');
  return useCallback((one) => {
    switch (one.collecting) {
      case 'usage': return t('collecting.usage');
      case 'subscribe': return t('collecting.subscribe');
      case 'resp_pop': return t('collecting.resp_pop');
      case 'http_pop': return t('collecting.http_pop');
      default: return t('collecting.off');
    }
  }, [t]);
}

/// What came of putting back a node's statistics.
export function useRestore(): (one: Schemas['restart']) => Word {
  const { t } = useTranslation('status');
  return useCallback((one) => {
    switch (one.restore.state) {
      case 'complete': return { text: t('restore.complete'), tone: 'good' };
      case 'pending': return { text: t('restore.pending'), tone: 'info' };
      case 'incomplete': return { text: t('restore.incomplete', { count: one.restore.still_lacking }), tone: 'warn' };
      default: return { text: t('restore.impossible'), tone: 'plain' };
    }
  }, [t]);
}
