/// Which page goes on with what the server says in the fragment after signing in elsewhere.
export function goalOfFragment(hash: string): string | null {
  const text = hash.replace(/^#/, '');
  const failed = /^sign-in-failed=([a-z_]+)$/.exec(text);
  if (failed) return `/login?failed=${failed[1]}`;
  if (text === 'waits-for-approval') return '/register?state=waits';
  if (text === 'second-factor') return '/login';
  if (text.startsWith('register')) {
    const given = new URLSearchParams(text.slice(text.indexOf('?') + 1));
    const kept = new URLSearchParams({ external: 'true' });
    for (const name of ['email', 'name']) if (given.get(name)) kept.set(name, given.get(name)!);
    return `/register?${kept}`;
  }
  return null;
}
