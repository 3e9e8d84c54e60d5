import { expect, test } from 'vitest';
import { clockText, fullness, goesOn, readMapping, secondsLeft, toneOf } from './words';
import type { Login } from './words';

test('what needs somebody stands out', () => {
  expect(toneOf('login_needed')).toBe('bad');
  expect(toneOf('resting')).toBe('warn');
  expect(toneOf('fine')).toBe('good');
  expect(toneOf('off')).toBe('plain');
});

test('a bar stays within its frame whatever a provider says', () => {
  expect(fullness(140)).toEqual({ percent: 100, tone: 'bad' });
  expect(fullness(-3)).toEqual({ percent: 0, tone: 'good' });
  expect(fullness(Number.NaN).percent).toBe(0);
  expect(fullness(80).tone).toBe('warn');
});

test('a login is asked again until it is over', () => {
  const at = (stage: Login['stage']) => ({ stage }) as Login;
  expect([at('waiting'), at('finishing'), at('testing')].every(goesOn)).toBe(true);
  expect([at('done'), at('failed'), at('cancelled'), undefined].some(goesOn)).toBe(false);
});

test('time left counts down to nothing', () => {
  expect(secondsLeft('2026-01-01T00:05:00Z', Date.parse('2026-01-01T00:00:01Z'))).toBe(299);
  expect(secondsLeft('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:05:00Z'))).toBe(0);
  expect(clockText(299)).toBe('4:59');
});

test('a mapping is a list of people, all of them', () => {
  expect(readMapping('{"users":[{"claude_email":"a@example.com","name":"A"}]}')?.users).toHaveLength(1);
  for (const wrong of ['', '[]', '{"users":[]}', '{"users":[{"name":"A"}]}', '{"users":"a"}', 'null']) expect(readMapping(wrong)).toBeNull();
});
