import '@testing-library/jest-dom/vitest';
import { cleanup } from '@testing-library/react';
import { afterEach, beforeAll, vi } from 'vitest';

// What a browser has and the tests' window lacks.
window.matchMedia ??= ((query: string) => ({
  matches: false, media: query, addEventListener: () => undefined, removeEventListener: () => undefined,
})) as unknown as typeof window.matchMedia;
window.scrollTo = (() => undefined) as typeof window.scrollTo;
globalThis.ResizeObserver ??= class { observe() {} unobserve() {} disconnect() {} } as unknown as typeof ResizeObserver;

beforeAll(async () => {
  const { startTexts } = await import('../i18n');
  await startTexts('en');
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});
