import type { Virtualizer } from '@tanstack/react-virtual';

/// Browsers draw nothing below some 17 million pixels (Firefox) or 33 million (Chromium).
const tallest = 15_000_000;

/// A list that is higher than a browser's page can be: its own heights, and how far one scrolls for them.
export interface Tall {
  /// As high as it is drawn.
  height: number;
  /// Pixels of the list for one of the page.
  scale: number;
}

export function tallOf(count: number, rowHeight: number, view: number): Tall {
  const whole = count * rowHeight;
  const height = Math.min(whole, tallest);
  return { height, scale: whole > height && height > view ? (whole - view) / (height - view) : 1 };
}

/// The room before and after the rows that are drawn, so that they are where the page was scrolled to.
export function roomAround(tall: Tall, scrolled: number, first: number, last: number): { before: number; after: number } {
  const before = tall.scale === 1 ? first : Math.max(0, first - scrolled * tall.scale + scrolled);
  return { before, after: Math.max(0, tall.height - before - (last - first)) };
}

/// For the virtualizer: where the page is scrolled to, in pixels of the list.
export function observeTall(tall: () => Tall) {
  return (virtualizer: Virtualizer<HTMLDivElement, Element>, tell: (offset: number, scrolling: boolean) => void): (() => void) | undefined => {
    const box = virtualizer.scrollElement;
    if (!box) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const now = (scrolling: boolean): void => tell(box.scrollTop * tall().scale, scrolling);
    const scrolled = (): void => {
      now(true);
      clearTimeout(timer);
      timer = setTimeout(() => now(false), 150);
    };
    now(false);
    box.addEventListener('scroll', scrolled, { passive: true });
    return () => {
      clearTimeout(timer);
      box.removeEventListener('scroll', scrolled);
    };
  };
}
