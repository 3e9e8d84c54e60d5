import { describe, expect, it } from 'vitest';
import { mergeNewest } from './useTail';
import { filtersIn, withFilter, withoutFilter } from './filters';

describe('filters in the address', () => {
  it('are several texts with lines between them', () => {
    expect(filtersIn({ model: 'a,b|c', outcome: '', text: 'x' })).toEqual({ model: ['a,b', 'c'] });
  });
  it('take a text once and let it go', () => {
    const once = withFilter({ model: 'a' }, 'model', 'b');
    expect(once).toBe('a|b');
    expect(withFilter({ model: once }, 'model', 'a')).toBe('a|b');
    expect(withoutFilter({ model: once }, 'model', 'a')).toBe('b');
    expect(withoutFilter({ model: 'b' }, 'model', 'b')).toBe('');
  });
});

describe('what comes while one looks', () => {
  const row = (seq: number, timestamp: string) => ({ seq, timestamp });
  it('is put where its time belongs, in whatever zone that was written', () => {
    const rows = [row(4, '2026-01-01T00:00:09Z'), row(3, '2026-01-01T00:00:05Z'), row(1, '2026-01-01T00:00:01Z')];
    const fresh = [row(6, '2026-01-01T08:00:10+08:00'), row(5, '2026-01-01T08:00:06+08:00')];
    expect(mergeNewest(fresh, rows).map((one) => one.seq)).toEqual([6, 4, 5, 3, 1]);
  });
});
