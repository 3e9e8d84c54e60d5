import { createContext, useCallback, useContext, useEffect, useMemo } from 'react';
import type { ReactNode } from 'react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { QueryClient } from '@tanstack/react-query';
import { api, setCsrf, watchSession } from './client';
import type { ApiError } from './error';
import type { Session } from './types';

export type Right =
  | 'own.account' | 'own.accounts' | 'own.tokens' | 'own.usage' | 'own.keys.read' | 'own.keys.write'
  | 'read.usage' | 'read.people' | 'read.keys' | 'read.policies' | 'read.prices' | 'read.nodes' | 'read.settings'
  | 'read.audit' | 'read.secrets' | 'read.accounts' | 'write.accounts'
  | 'write.people' | 'write.roles' | 'write.keys' | 'write.policies' | 'write.prices' | 'write.nodes' | 'write.settings';

interface Known {
  session: Session | undefined;
  error: ApiError | null;
  /// Whether somebody is signed in, wholly: a second factor that is asked for is not given yet otherwise.
  signedIn: boolean;
  may: (right: Right) => boolean;
  /// Asks the server again; after signing in, for instance.
  refresh: () => Promise<Session>;
  signOut: () => Promise<void>;
}

const Context = createContext<Known | null>(null);
export const sessionKey = ['/api/v1/session'] as const;

async function fetchSession(): Promise<Session> {
  const session = await api.get('/api/v1/session');
  setCsrf(session.csrf);
  return session;
}

/// Asks who is signed in before anything is drawn. A failure is left to SessionProvider, which asks again.
export function askSession(queries: QueryClient): void {
  void queries.prefetchQuery({ queryKey: sessionKey, queryFn: fetchSession, staleTime: 60_000, retry: false });
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const { data: session, error } = useQuery<Session, ApiError>({
    queryKey: sessionKey,
    queryFn: fetchSession,
    staleTime: 60_000,
    refetchOnWindowFocus: true,
    retry: (_, failure) => failure.isOffline || failure.status >= 500,
    retryDelay: (attempt) => Math.min(10_000, 500 * 2 ** attempt),
  });

  const refresh = useCallback(
    () => queries.fetchQuery({ queryKey: sessionKey, queryFn: fetchSession, staleTime: 0 }),
    [queries],
  );
  const signOut = useCallback(async () => {
    try {
      await api.delete('/api/v1/session');
    } finally {
      await refresh();
      queries.removeQueries({ predicate: (one) => one.queryKey[0] !== sessionKey[0] });
    }
  }, [queries, refresh]);

  useEffect(() => {
    watchSession(
      // Wrong passwords are answered 401 as well: only somebody who was signed in can have lost it.
      () => void queries.invalidateQueries({ queryKey: sessionKey }),
      async () => void (await refresh()),
    );
  }, [queries, refresh]);

  const value = useMemo<Known>(
    () => ({
      session,
      error,
      signedIn: !!session && session.kind !== 'nobody' && !session.second_factor_needed,
      may: (right) => !!session?.rights.includes(right),
      refresh,
      signOut,
    }),
    [session, error, refresh, signOut],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useSession(): Known {
  const known = useContext(Context);
  if (!known) throw new Error('useSession needs a SessionProvider around it');
  return known;
}
