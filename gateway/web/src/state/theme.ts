import { useSyncExternalStore } from 'react';

export type Theme = 'auto' | 'light' | 'dark';
const stored = 'kp.theme';
const watchers = new Set<() => void>();
const darkWished = matchMedia('(prefers-color-scheme: dark)');

function kept(): Theme {
  try {
    const theme = localStorage.getItem(stored);
    return theme === 'light' || theme === 'dark' ? theme : 'auto';
  } catch {
    return 'auto';
  }
}
let theme: Theme = kept();
const isDark = (): boolean => theme === 'dark' || (theme === 'auto' && darkWished.matches);

function show(): void {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
  watchers.forEach((tell) => tell());
}

export function startTheme(): void {
  show();
  darkWished.addEventListener('change', show);
}
export function setTheme(next: Theme): void {
  theme = next;
  try {
    if (next === 'auto') localStorage.removeItem(stored);
    else localStorage.setItem(stored, next);
  } catch {
    // Not kept then; it still holds until the page is left.
  }
  show();
}

const watch = (tell: () => void): (() => void) => {
  watchers.add(tell);
  return () => void watchers.delete(tell);
};
export function useTheme(): { theme: Theme; dark: boolean } {
  return { theme: useSyncExternalStore(watch, () => theme), dark: useSyncExternalStore(watch, isDark) };
}
