import type { Frame } from './types';

export type LiveState = 'waiting' | 'live' | 'lost';
type Listener = (frame: Frame) => void;

export interface Wire {
  onopen: (() => void) | null;
  onmessage: ((message: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  close: () => void;
}

export interface LiveOptions {
  open: (url: URL) => Wire;
  url: () => URL;
  topics?: readonly string[];
  /// From 0 to 1, so that not everybody comes back at the same moment.
  random?: () => number;
}

/// After a session has ended (1008) asking again would be answered the same: whoever begins the next session begins this too.
const sessionOver = 1008;

/// How long to wait before the attempt of that number, in milliseconds.
export function waitBefore(attempt: number, random: number): number {
  return Math.round(Math.min(15_000, 400 * 1.7 ** Math.min(attempt, 10)) * (0.75 + random / 2));
}

/// What happens, as it happens: keeps one connection, goes on where it broke off, drops what it was told twice.
export class LiveClient {
  private wire: Wire | null = null;
  private position: number | null = null;
  private attempts = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private stopped = true;
  private readonly listeners = new Set<Listener>();
  private readonly watchers = new Set<() => void>();
  private now: LiveState = 'waiting';

  constructor(private readonly options: LiveOptions) {}

  get state(): LiveState {
    return this.now;
  }
  get lastPosition(): number | null {
    return this.position;
  }

  /// Tells of every frame; the answer stops that.
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }
  /// Tells when `state` is another.
  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => void this.watchers.delete(watcher);
  }

  start(): void {
    this.stopped = false;
    this.connect();
  }
  stop(): void {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    const wire = this.wire;
    this.wire = null;
    wire?.close();
    this.position = null;
    this.attempts = 0;
    this.set('waiting');
  }
  /// At once instead of when its time has come: the network is back, or the page is seen again.
  hurry(): void {
    if (this.stopped || this.wire) return;
    this.attempts = 0;
    this.connect();
  }

  private set(state: LiveState): void {
    if (state === this.now) return;
    this.now = state;
    this.watchers.forEach((tell) => tell());
  }

  private connect(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const url = this.options.url();
    if (this.options.topics) url.searchParams.set('topics', this.options.topics.join(','));
    if (this.position !== null) url.searchParams.set('after', String(this.position));
    const wire = this.options.open(url);
    this.wire = wire;
    wire.onmessage = (message) => {
      if (wire === this.wire) this.take(message.data);
    };
    wire.onopen = () => {
      if (wire === this.wire) this.set('live');
    };
    wire.onclose = ({ code }) => {
      if (wire !== this.wire) return;
      this.wire = null;
      this.set('lost');
      if (this.stopped || code === sessionOver) return;
      this.timer = setTimeout(() => this.connect(), waitBefore(this.attempts, (this.options.random ?? Math.random)()));
      this.attempts += 1;
    };
  }

  private take(data: unknown): void {
    let frame: Frame;
    try {
      frame = JSON.parse(String(data)) as Frame;
    } catch {
      return;
    }
    this.attempts = 0;
    if (frame.type === 'event' && this.position !== null && frame.position <= this.position) return; // told before
    if (frame.type === 'gap') this.position = frame.to;
    else if (frame.type === 'subscribed') this.position ??= frame.position;
    else if ('position' in frame && frame.type !== 'own_usage')
      // Where the ledger was put back to an earlier state, an overview begins anew.
      this.position = frame.type === 'overview' ? frame.position : Math.max(this.position ?? 0, frame.position);
    this.listeners.forEach((tell) => tell(frame));
  }
}
