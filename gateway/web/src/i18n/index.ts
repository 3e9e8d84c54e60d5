import i18n from 'i18next';
import type { BackendModule } from 'i18next';
import { initReactI18next } from 'react-i18next';

export const languages = [
  { code: 'en', name: 'English' },
  { code: 'zh-CN', name: '简体中文' },
  { code: 'zh-TW', name: '繁體中文' },
] as const;
export type Language = (typeof languages)[number]['code'];

const stored = 'kp.language';

/// One of our languages for what a browser says it likes.
export function languageFor(wish: string): Language | undefined {
  const lower = wish.toLowerCase();
  if (/^zh\b.*(tw|hk|mo|hant)/.test(lower)) return 'zh-TW';
  if (/^zh\b/.test(lower)) return 'zh-CN';
  return /^en\b/.test(lower) ? 'en' : undefined;
}

function firstLanguage(): Language {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(stored);
  } catch {
    // A browser may refuse to keep anything; then it is asked each time.
  }
  for (const wish of [kept, ...navigator.languages]) {
    const found = wish ? languageFor(wish) : undefined;
    if (found) return found;
  }
  return 'en';
}

type Texts = { default: Record<string, unknown> };
const files = import.meta.glob<Texts>('./*/*.json');

// Each page's texts are a file of their own, fetched with the page.
const backend: BackendModule = {
  type: 'backend',
  init: () => undefined,
  read: (language, namespace, done) => {
    const load = files[`./${language}/${namespace}.json`];
    if (!load) return done(null, {});
    load().then((m) => done(null, m.default), (error: Error) => done(error, false));
  },
};

/// Has the texts of a page fetched in the language that is going to be shown, before anything is drawn.
export function fetchTexts(namespaces: string | string[], language: Language = firstLanguage()): void {
  for (const one of [namespaces].flat()) void files[`./${language}/${one}.json`]?.().catch(() => undefined);
}

export async function startTexts(language: Language = firstLanguage()): Promise<void> {
  i18n.on('languageChanged', (code) => {
    document.documentElement.lang = code;
  });
  await i18n
    .use(backend)
    .use(initReactI18next)
    .init({
      lng: language,
      fallbackLng: 'en',
      supportedLngs: languages.map((one) => one.code),
      load: 'currentOnly',
      ns: ['common', 'errors'],
      defaultNS: 'common',
      fallbackNS: 'common',
      interpolation: { escapeValue: false },
      returnNull: false,
    });
}

export async function setLanguage(code: Language): Promise<void> {
  try {
    localStorage.setItem(stored, code);
  } catch {
    // Not kept then; it still holds until the page is left.
  }
  await i18n.changeLanguage(code);
}

export { i18n };
