import { useCallback, useEffect, useRef, useState } from 'react';
import { api } from '../../api/client';
import { useLive } from '../../api/live_provider';
import type { RecordRow, Names } from './columns';

const soonMs = 20;
const apartMs = 1000;
const most = 5000;

/// What is newer than the first row, as it comes. Paused it is only counted.
export function useTail(on: boolean, path: string, question: Record<string, unknown>, first: { position: number } | undefined) {
  const [taken, setTaken] = useState<RecordRow[]>([]);
  const [names, setNames] = useState<Names>({});
  const [paused, setPaused] = useState(false);
  const [held, setHeld] = useState<RecordRow[]>([]);
  const newest = useRef<number>(0);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  newest.current = Math.max(newest.current, first?.position ?? 0);
  const asked = useRef(-Infinity);
  const state = useRef({ on, paused, path, question });
  state.current = { on, paused, path, question };

  const look = useCallback(async () => {
    timer.current = null;
    asked.current = Date.now();
    const { on: wanted, paused: waits, path: where, question: what } = state.current;
    if (!wanted) return;
    const page = await api.get(where as '/api/v1/records', { query: { ...what, limit: 200 } as never }).catch(() => null);
    if (!page || state.current.question !== what) return;
    const fresh = (page.items as RecordRow[]).filter((one) => one.seq > newest.current);
    if (!fresh.length) return;
    newest.current = Math.max(...fresh.map((one) => one.seq)); // they stand in the order of their times
    setNames((old) => ({ ...old, ...page.names }));
    // More than a page came: those between are seen when the page is loaded anew, which `most` sees to.
    (waits ? setHeld : setTaken)((old) => [...fresh, ...old].slice(0, most));
  }, []);
  useLive((frame) => {
    if ((frame.type === 'usage_update' || frame.type === 'own_usage' || frame.type === 'overview') && state.current.on) timer.current ??= setTimeout(() => void look(), Math.max(soonMs, asked.current + apartMs - Date.now()));
  });
  useEffect(() => () => { if (timer.current) clearTimeout(timer.current); }, []);

  const toggle = useCallback(() => {
    setPaused((was) => !was);
    setHeld((some) => {
      if (some.length) setTaken((old) => [...some, ...old].slice(0, most));
      return [];
    });
  }, []);
  const clear = useCallback(() => { setTaken([]); setHeld([]); newest.current = 0; }, []);
  return { taken, names, paused, waiting: held.length, toggle, clear };
}

/// What came, among what is there: the newest first by their times, since what came last did not always begin last.
export function mergeNewest<T extends { timestamp: string; seq: number }>(fresh: readonly T[], rows: readonly T[]): T[] {
  const at = (one: T): number => Date.parse(one.timestamp); // they are written in the zones of their nodes
  const oldest = Math.min(...fresh.map(at));
  let end = 0;
  while (end < rows.length && at(rows[end]!) >= oldest) end += 1;
  const front = [...fresh, ...rows.slice(0, end)].sort((a, b) => at(b) - at(a) || b.seq - a.seq);
  return [...front, ...rows.slice(end)];
}
