import { describe, expect, it } from 'vitest';
import { keysIn } from './import_text';

describe('keys that are imported', () => {
  it('are read from lines, with owner and label', () => {
    expect(keysIn('# mine\nsk-one-0001, ann@example.com, laptop\r\nsk-two-0002\nshort\nsk-one-0001;bob@example.com')).toEqual({
      keys: [{ text: 'sk-one-0001', owner: 'bob@example.com', label: '' }, { text: 'sk-two-0002', owner: '', label: '' }],
      faults: 1,
    });
  });
  it('are read from user_keys.json', () => {
    const file = { version: '1.0', users: {}, keys: { 'usr_pool_0001_a1': { email: 'ann@example.com', label: 'CI', created_at: '2026-01-02T03:04:05' }, bad: {} } };
    const read = keysIn(JSON.stringify(file));
    expect(read.faults).toBe(1);
    expect(read.keys).toHaveLength(1);
    expect(read.keys[0]).toMatchObject({ text: 'usr_pool_0001_a1', owner: 'ann@example.com', label: 'CI' });
  });
  it('are read from key_pool.json', () => {
    expect(keysIn('{"unused":["usr_pool_0002_b2"],"assigned":{"usr_pool_0003_c3":"bob@example.com"},"total":2}').keys).toEqual([
      { text: 'usr_pool_0003_c3', owner: 'bob@example.com', label: '' }, { text: 'usr_pool_0002_b2', owner: '', label: '' }]);
  });
  it('are none in what is no list', () => {
    expect(keysIn('{"a":').faults).toBe(1);
    expect(keysIn('')).toEqual({ keys: [], faults: 0 });
  });
});
