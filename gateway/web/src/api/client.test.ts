import { beforeEach, describe, expect, it, vi } from 'vitest';
import { basePath, safeReturn } from './base';
import { api, setCsrf, urlOf, watchSession } from './client';
import { ApiError } from './error';

const problem = (status: number, code: string, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify({ type: `urn:keyportal:problem:${code}`, title: 'what happened', status, code }), {
    status, headers: { 'Content-Type': 'application/problem+json', ...headers },
  });

let asked: { url: string; init: RequestInit }[];
function answer(...answers: (Response | Error)[]): void {
  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    asked.push({ url: url.href, init });
    const next = answers.shift()!;
    if (next instanceof Error) throw next;
    return next;
  });
}
const header = (at: number, name: string): string | undefined => (asked[at]!.init.headers as Record<string, string>)[name];

beforeEach(() => {
  asked = [];
  setCsrf('token-1');
  watchSession(() => undefined, async () => undefined);
});

describe('the client', () => {
  it('fills the path and leaves out what is not given', () => {
    const url = urlOf('/api/v1/keys/{name}', { path: { name: 'a/b' }, query: { text: 'x y', after: undefined, state: ['a', 'b'] } });
    expect(url.href).toBe('http://portal.test/api/v1/keys/a%2Fb?text=x+y&state=a&state=b');
  });

  it('is below the path that the page names', () => {
    const base = document.createElement('meta');
    base.name = 'base';
    base.content = '/sub/';
    document.head.append(base);
    expect(urlOf('/api/v1/nodes').pathname).toBe('/sub/api/v1/nodes');
    expect(basePath()).toBe('/sub');
    base.remove();
    expect(basePath()).toBe('');
  });

  it('sends the CSRF token with what changes something, and only then', async () => {
    answer(new Response('{"items":[]}'), new Response(null, { status: 204 }));
    await api.get('/api/v1/nodes');
    await api.delete('/api/v1/session');
    expect(header(0, 'X-CSRF-Token')).toBeUndefined();
    expect(header(1, 'X-CSRF-Token')).toBe('token-1');
  });

  it('makes an ApiError of a problem', async () => {
    answer(problem(429, 'slow_down', { 'Retry-After': '7' }));
    const error = await api.post('/api/v1/session', { email: 'a', password: 'b' }).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: 'slow_down', status: 429, retryAfter: 7 });
  });

  it('asks once more with the new token where the old one is not taken', async () => {
    watchSession(() => undefined, async () => setCsrf('token-2'));
    answer(problem(403, 'csrf_missing'), new Response(null, { status: 204 }));
    await api.delete('/api/v1/session');
    expect(header(1, 'X-CSRF-Token')).toBe('token-2');
  });

  it('tells that the session is lost', async () => {
    const lost = vi.fn();
    watchSession(lost, async () => undefined);
    answer(problem(401, 'session_ended'));
    await api.get('/api/v1/account').catch(() => undefined);
    expect(lost).toHaveBeenCalledOnce();
  });

  it('says that the server was not reached', async () => {
    answer(new TypeError('failed'));
    await expect(api.get('/api/v1/nodes')).rejects.toMatchObject({ code: 'offline', status: 0 });
  });

  it('returns to paths of ours only', () => {
    expect(safeReturn('/my-keys?state=active')).toBe('/my-keys?state=active');
    for (const bad of ['//evil.test', 'https://evil.test', '/\\evil.test', '', null, 'x']) expect(safeReturn(bad)).toBe('/');
  });
});
