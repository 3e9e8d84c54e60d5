import { describe, expect, it } from 'vitest';
import { clients, snippetsOf } from './snippets';

const given = { base: 'https://proxy.test', key: "sk-it's-mine", model: '' };

describe('settings of clients', () => {
  it.each(clients.map((one) => one.key))('have the address and the key of the reader: %s', (client) => {
    for (const system of ['unix', 'windows'] as const) {
      const all = snippetsOf(client, { ...given, key: 'sk-mine' }, system).map((one) => one.text).join('\n');
      expect(all).toContain('https://proxy.test');
      expect(all).toContain('sk-mine');
    }
  });
  it('are files that can be read', () => {
    expect(JSON.parse(snippetsOf('claude-code', given, 'unix')[0]!.text).env.ANTHROPIC_AUTH_TOKEN).toBe(given.key);
    expect(JSON.parse(snippetsOf('opencode', { ...given, model: 'm"1' }, 'unix')[0]!.text).provider.team.models).toHaveProperty('m"1');
  });
  it('cannot break out of the shell they are pasted into', () => {
    expect(snippetsOf('gemini', given, 'unix')[0]!.text).toContain(`GEMINI_API_KEY='sk-it'\\''s-mine'`);
    expect(snippetsOf('gemini', given, 'windows')[0]!.text).toContain(`'sk-it''s-mine'`);
  });
});
