/// Where the portal is reached, with a slash at its end: https://host/ or https://host/sub/.
/// The server says its path in a <meta>: a <base> would need a weaker content security policy.
export function portalUrl(path = ''): URL {
  const base = document.querySelector<HTMLMetaElement>('meta[name="base"]')?.content ?? '/';
  return new URL(path.replace(/^\//, ''), new URL(base, location.origin));
}

/// The part of the path that belongs to where the portal is, without a slash at its end: '' or '/sub'.
export function basePath(): string {
  return portalUrl().pathname.replace(/\/$/, '');
}

/// A path of ours to go to after signing in; anything else is the first page.
export function safeReturn(path: string | null | undefined): string {
  if (!path || !path.startsWith('/') || path.startsWith('//') || /[\\\u0000-\u001f]/.test(path)) return '/';
  const url = new URL(path, 'http://portal.invalid');
  return url.host === 'portal.invalid' ? url.pathname + url.search : '/';
}
