import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import type { Tone } from '../../ui';

/// A person's state in a word.
export function useUserState(): (state: string) => { text: string; tone: Tone } {
  const { t } = useTranslation('admin-users');
  return useCallback((state) => {
    switch (state) {
      case 'active': return { text: t('active'), tone: 'good' };
      case 'pending': return { text: t('pending'), tone: 'info' };
      case 'suspended': return { text: t('suspended'), tone: 'warn' };
      default: return { text: t('deleted'), tone: 'plain' };
    }
  }, [t]);
}

/// "a, b" as names of groups.
export function groupsOf(text: string): string[] {
  return [...new Set(text.split(/[,\s]+/).filter(Boolean))];
}
