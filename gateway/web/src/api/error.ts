import type { TFunction } from 'i18next';

/// What the server refused, or that it could not be reached (code `offline`, status 0).
export class ApiError extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly title: string,
    readonly detail = '',
    readonly retryAfter: number | null = null,
  ) {
    super(title);
    this.name = 'ApiError';
  }
  get isOffline(): boolean {
    return this.status === 0;
  }
  get isForbidden(): boolean {
    return this.status === 403;
  }
}

/// As the server sends it (RFC 9457), or made of the status where something in between answered.
export async function errorOf(answer: Response): Promise<ApiError> {
  let body: Record<string, unknown> = {};
  try {
    body = (await answer.json()) as Record<string, unknown>;
  } catch {
    // No JSON: a proxy in between, maybe.
  }
  const text = (name: string): string => (typeof body[name] === 'string' ? (body[name] as string) : '');
  const wait = Number(answer.headers.get('Retry-After') ?? NaN);
  return new ApiError(
    text('code') || (answer.status === 502 || answer.status === 504 ? 'unreachable' : 'unexpected'),
    answer.status,
    text('title') || answer.statusText,
    text('detail'),
    Number.isFinite(wait) ? wait : null,
  );
}

/// A sentence for people: in their language where there is one, else the server's own.
export function sentenceOf(error: unknown, t: TFunction): string {
  if (!(error instanceof ApiError)) return t('errors:unexpected', { ns: 'errors' });
  const own = t(`errors:${error.code}`, { ns: 'errors', defaultValue: '', wait: error.retryAfter ?? 60 });
  if (own) return own;
  const title = error.title || t('errors:unexpected', { ns: 'errors' });
  return title.charAt(0).toUpperCase() + title.slice(1) + (/[.!?。]$/.test(title) ? '' : '.');
}
