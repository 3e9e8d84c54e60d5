import { createContext, useContext, useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import type { ReactNode } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { portalUrl } from './base';
import { LiveClient } from './live';
import type { LiveState, Wire } from './live';
import { LiveData } from './live_data';
import { useSession } from './session';
import type { Frame } from './types';

const Context = createContext<LiveClient | null>(null);

function liveUrl(): URL {
  const url = portalUrl('ws');
  url.protocol = url.protocol.replace('http', 'ws');
  return url;
}

/// Keeps one connection for whoever may listen to anything; it begins anew with each session.
export function LiveProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const { session, signedIn, may } = useSession();
  const client = useMemo(
    () => new LiveClient({ open: (url) => new WebSocket(url) as unknown as Wire, url: liveUrl }),
    [],
  );
  const listens = may('read.nodes') || may('own.usage') || may('read.settings');
  const who = `${session?.kind}/${session?.user?.id ?? session?.key ?? ''}/${signedIn}`;

  useEffect(() => {
    const data = new LiveData(queries);
    return client.listen((frame) => data.take(frame));
  }, [client, queries]);
  useEffect(() => {
    if (!listens) return;
    client.start();
    const soon = () => void (document.visibilityState === 'visible' && client.hurry());
    addEventListener('online', soon);
    document.addEventListener('visibilitychange', soon);
    return () => {
      removeEventListener('online', soon);
      document.removeEventListener('visibilitychange', soon);
      client.stop();
    };
  }, [client, listens, who]);

  return <Context.Provider value={client}>{children}</Context.Provider>;
}

/// Whether what is shown is told as it happens.
export function useLiveState(): LiveState {
  const client = useContext(Context);
  return useSyncExternalStore(
    (tell) => client?.watch(tell) ?? (() => undefined),
    () => client?.state ?? 'waiting',
  );
}

/// Calls `take` with each frame as long as the component is there.
export function useLive(take: (frame: Frame) => void): void {
  const client = useContext(Context);
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => client?.listen((frame) => latest.current(frame)), [client]);
}
