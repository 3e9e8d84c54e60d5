import { describe, expect, it } from 'vitest';
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
