import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Router } from 'wouter';
import { memoryLocation } from 'wouter/memory-location';
import { SessionProvider } from '../../api/session';
import { i18n } from '../../i18n';
import LoginPage from './LoginPage';

const nobody = { kind: 'nobody', user: null, key: null, rights: [], second_factor_needed: false, until: null, csrf: 'c1' };
let session: Record<string, unknown>;
let sent: { method: string; path: string; body: unknown }[];
let passwords: boolean;
let refuse: { status: number; code: string } | null;

beforeEach(async () => {
  await i18n.loadNamespaces('login');
  session = nobody;
  sent = [];
  passwords = true;
  refuse = null;
  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    if (init.method === 'POST') {
      sent.push({ method: init.method, path: url.pathname, body: JSON.parse(String(init.body)) });
      if (refuse) return new Response(JSON.stringify({ ...refuse, title: 'no' }), { status: refuse.status });
      session = url.pathname.endsWith('second-factor') || !('email' in (sent[0]!.body as object))
        ? { ...nobody, kind: 'session', rights: ['own.usage'] }
        : { ...nobody, kind: 'session', second_factor_needed: true };
      return new Response('{}', { status: 201 });
    }
    if (url.pathname.endsWith('/sign-in')) return new Response(JSON.stringify({ registration: 'closed', passwords }));
    if (url.pathname.endsWith('/providers')) return new Response('{"items":[{"name":"corp","title":"Corp"}]}');
    return new Response(JSON.stringify(session));
  });
});

function show(search = ''): ReturnType<typeof memoryLocation> {
  const place = memoryLocation({ path: '/login', searchPath: search, record: true });
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <Router hook={place.hook} searchHook={place.searchHook}><SessionProvider><LoginPage /></SessionProvider></Router>
    </QueryClientProvider>,
  );
  return place;
}

describe('signing in', () => {
  it('goes by password and second factor back to the page that was wanted', async () => {
    const place = show('return_to=%2Fmy-keys');
    await userEvent.type(await screen.findByLabelText('E-mail address'), 'a@b.test');
    await userEvent.type(screen.getByLabelText('Password', { selector: 'input' }), 'secret words');
    await userEvent.click(screen.getByRole('button', { name: 'Sign in' }));
    expect(sent[0]).toEqual({ method: 'POST', path: '/api/v1/session', body: { email: 'a@b.test', password: 'secret words' } });
    await userEvent.type(await screen.findByLabelText('Code'), '123 456');
    await userEvent.click(screen.getByRole('button', { name: 'Confirm' }));
    expect(sent[1]!.body).toEqual({ code: '123456' });
    await vi.waitFor(() => expect((place as unknown as { history: string[] }).history).toContain('/my-keys'));
  });

  it('says what is wrong and forgets the password', async () => {
    refuse = { status: 401, code: 'sign_in_refused' };
    show();
    await userEvent.type(await screen.findByLabelText('E-mail address'), 'a@b.test');
    await userEvent.type(screen.getByLabelText('Password', { selector: 'input' }), 'x');
    await userEvent.click(screen.getByRole('button', { name: 'Sign in' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('do not go together');
    expect(screen.getByLabelText('Password', { selector: 'input' })).toHaveValue('');
  });

  it('takes a client key alone', async () => {
    show();
    await userEvent.click(await screen.findByRole('tab', { name: 'Client key' }));
    await userEvent.type(screen.getByLabelText('Client key', { selector: 'input' }), ' sk-1 ');
    await userEvent.click(screen.getByRole('button', { name: 'See its usage' }));
    expect(sent[0]!.body).toEqual({ key: 'sk-1' });
  });

  it('offers other places, which come back to the page that was wanted', async () => {
    show('return_to=%2Fnodes');
    expect(await screen.findByRole('link', { name: 'Sign in with Corp' }))
      .toHaveAttribute('href', 'http://portal.test/sign-in/corp?return_to=%2Fnodes');
  });

  it('asks for no password where only administrators have one, unless somebody says to be one', async () => {
    passwords = false;
    show();
    const administrator = await screen.findByRole('button', { name: 'Administrators sign in with a password' });
    expect(screen.queryByLabelText('Password', { selector: 'input' })).toBeNull();
    expect(screen.queryByRole('tab')).toBeNull();
    expect(screen.getByLabelText('Client key', { selector: 'input' })).toBeVisible();
    await userEvent.click(administrator);
    expect(screen.getByLabelText('Password', { selector: 'input' })).toBeVisible();
  });
});
