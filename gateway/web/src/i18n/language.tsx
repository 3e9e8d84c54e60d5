import { createContext, useContext } from 'react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { i18n } from '.';

const Language = createContext('');

/// Tells everything below which language is read.
export function LanguageProvider({ children }: { children: ReactNode }) {
  const { i18n: now } = useTranslation();
  return <Language.Provider value={now.language}>{children}</Language.Provider>;
}

/// The language, for figures: there are hundreds on a page, and useTranslation keeps a subscription for each.
export function useLanguage(): string {
  return useContext(Language) || i18n.language;
}
