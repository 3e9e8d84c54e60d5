import { expect, it } from 'vitest';
import { changesOf } from './changes';

it('shows only what differs, and names things as people do', () => {
  const entry = { position: 1, at: '', who: '', from: '', what: 'key.renew', command: '', hash: '', users: [], policies: [], prices: [], access: [],
    keys: [{ id: 'k1', before: { label: 'laptop', state: 'live', expires_at: null, nodes: [], changed_at: 'a' }, after: { label: 'laptop', state: 'live', expires_at: '2026-01-01', nodes: [], changed_at: 'b' } }] };
  expect(changesOf(entry as never)).toEqual([{ name: 'laptop (k1)', fields: [{ name: 'expires_at', before: '–', after: '2026-01-01' }] }]);
});
