import { ApiError, errorOf } from './error';
import { portalUrl } from './base';
import type { Answer, Body, Method, PathsWith, Query } from './types';

type Value = string | number | boolean | null | undefined;
export interface Options {
  /// Fills the {places} of the path.
  path?: Record<string, string | number>;
  query?: Record<string, Value | readonly Value[]>;
  signal?: AbortSignal;
  /// For commands that must be done once: give the same text again when the answer was lost.
  once?: string;
}
type Asked<P extends PathsWith<M>, M extends Method> = Omit<Options, 'query'> & {
  query?: Query<P, M> extends never ? Options['query'] : Partial<Query<P, M>>;
};

let csrf = '';
let onLost: ((error: ApiError) => void) | null = null;
let renew: (() => Promise<void>) | null = null;

/// The token of the session, for what changes something.
export function setCsrf(token: string): void {
  csrf = token;
}
/// Told when the server no longer knows the session; `again` fetches it anew.
export function watchSession(lost: (error: ApiError) => void, again: () => Promise<void>): void {
  onLost = lost;
  renew = again;
}

/// A text that is given once for a command and again with each repetition of it.
export function onceKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

export function urlOf(path: string, options: Options = {}): URL {
  const filled = path.replace(/{(\w+)}/g, (_, name: string) => {
    const value = options.path?.[name];
    if (value === undefined) throw new Error(`${path} needs ${name}`);
    return encodeURIComponent(String(value));
  });
  const url = portalUrl(filled);
  for (const [name, value] of Object.entries(options.query ?? {}))
    for (const one of Array.isArray(value) ? (value as Value[]) : [value as Value])
      if (one !== undefined && one !== null && one !== '') url.searchParams.append(name, String(one));
  return url;
}

/// The answer as it is; everything but 2xx is an ApiError. For JSON use `api`.
export async function send(method: string, path: string, body?: unknown, options: Options = {}): Promise<Response> {
  const ask = async (): Promise<Response> => {
    const headers: Record<string, string> = { Accept: 'application/json, application/problem+json' };
    if (method !== 'GET' && csrf) headers['X-CSRF-Token'] = csrf;
    if (options.once) headers['Idempotency-Key'] = options.once;
    let sent: BodyInit | undefined;
    if (body instanceof Blob || body instanceof ArrayBuffer) sent = body;
    else if (body !== undefined) {
      headers['Content-Type'] = 'application/json';
      sent = JSON.stringify(body);
    }
    try {
      return await fetch(urlOf(path, options), {
        method,
        headers,
        body: sent,
        signal: options.signal,
        credentials: 'same-origin',
        cache: 'no-store',
      });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') throw error;
      throw new ApiError('offline', 0, '');
    }
  };
  let answer = await ask();
  if (answer.ok) return answer;
  let error = await errorOf(answer);
  if (error.code === 'csrf_missing' && renew) {
    await renew(); // another tab may have signed in: its token is the one that counts
    answer = await ask();
    if (answer.ok) return answer;
    error = await errorOf(answer);
  }
  if (error.status === 401) onLost?.(error);
  throw error;
}

async function json(method: string, path: string, body?: unknown, options?: Options): Promise<unknown> {
  const answer = await send(method, path, body, options);
  if (answer.status === 204) return undefined;
  const text = await answer.text();
  return text === '' ? undefined : JSON.parse(text);
}

/// Asks the server. Paths, queries, bodies and answers are those of the contract.
export const api = {
  get: <P extends PathsWith<'get'>>(path: P, options?: Asked<P, 'get'>) =>
    json('GET', path, undefined, options as Options) as Promise<Answer<P, 'get'>>,
  post: <P extends PathsWith<'post'>>(path: P, body?: Body<P, 'post'>, options?: Asked<P, 'post'>) =>
    json('POST', path, body, options as Options) as Promise<Answer<P, 'post'>>,
  put: <P extends PathsWith<'put'>>(path: P, body?: Body<P, 'put'>, options?: Asked<P, 'put'>) =>
    json('PUT', path, body, options as Options) as Promise<Answer<P, 'put'>>,
  patch: <P extends PathsWith<'patch'>>(path: P, body?: Body<P, 'patch'>, options?: Asked<P, 'patch'>) =>
    json('PATCH', path, body, options as Options) as Promise<Answer<P, 'patch'>>,
  delete: <P extends PathsWith<'delete'>>(path: P, options?: Asked<P, 'delete'>) =>
    json('DELETE', path, undefined, options as Options) as Promise<Answer<P, 'delete'>>,
};
