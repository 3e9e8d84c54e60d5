import { expect, it } from 'vitest';
import { linesOf } from './SetupPage';

it('writes lines that cannot be broken out of, and never the key itself', () => {
  const file = linesOf('file', 'main', 'http://h"\n[x]');
  expect(file[0]!.text).toContain('url = "http://h\\"\\n[x]"');
  for (const way of ['file', 'environment', 'docker'] as const)
    for (const one of linesOf(way, 'main', 'http://h')) expect(one.text).toMatch(/management[._]key|http/);
});
