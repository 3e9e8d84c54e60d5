import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveClient, waitBefore } from './live';
import type { Wire } from './live';
import type { Frame } from './types';

class FakeWire implements Wire {
  onopen: Wire['onopen'] = null;
  onmessage: Wire['onmessage'] = null;
  onclose: Wire['onclose'] = null;
  closed = false;
  constructor(readonly url: URL) {}
  close(): void {
    this.closed = true;
  }
  say(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

let wires: FakeWire[];
let told: Frame[];
let client: LiveClient;
const event = (position: number) => ({ type: 'event', position, seq: position, kind: 'up', subject: '', node: '', at: '', data: null });

beforeEach(() => {
  vi.useFakeTimers();
  wires = [];
  told = [];
  client = new LiveClient({
    url: () => new URL('ws://portal.test/ws'),
    open: (url) => (wires.push(new FakeWire(url)), wires[wires.length - 1]!),
    random: () => 0.5,
  });
  client.listen((frame) => told.push(frame));
  client.start();
});
afterEach(() => {
  client.stop();
  vi.useRealTimers();
});

describe('the live client', () => {
  it('goes on behind the last position it was told', () => {
    expect(wires[0]!.url.searchParams.has('after')).toBe(false);
    wires[0]!.onopen?.();
    expect(client.state).toBe('live');
    wires[0]!.say({ type: 'overview', position: 10, nodes: [] });
    wires[0]!.say(event(12));
    wires[0]!.onclose?.({ code: 1006 });
    expect(client.state).toBe('lost');
    vi.advanceTimersByTime(400);
    expect(wires[1]!.url.searchParams.get('after')).toBe('12');
  });

  it('drops an event that it was told before', () => {
    wires[0]!.say(event(5));
    wires[0]!.say(event(5));
    wires[0]!.say(event(4));
    wires[0]!.say(event(6));
    expect(told.map((one) => 'position' in one && one.position)).toEqual([5, 6]);
  });

  it('still takes what was missed after `subscribed` named a later position', () => {
    wires[0]!.say(event(5));
    wires[0]!.onclose?.({ code: 1013 });
    vi.advanceTimersByTime(400);
    wires[1]!.say({ type: 'subscribed', topics: ['own'], position: 5 });
    wires[1]!.say(event(6));
    expect(told.filter((one) => one.type === 'event')).toHaveLength(2);
  });

  it('goes on behind a gap, also where the ledger was put back', () => {
    wires[0]!.say(event(50));
    wires[0]!.say({ type: 'gap', from: 51, to: 20, why: 'unknown' });
    wires[0]!.say(event(21));
    expect(client.lastPosition).toBe(21);
  });

  it('waits longer after each attempt, and never more than about 20 seconds', () => {
    expect(waitBefore(0, 0.5)).toBe(400);
    expect(waitBefore(3, 0.5)).toBeGreaterThan(waitBefore(2, 0.5));
    expect(waitBefore(100, 1)).toBeLessThanOrEqual(18_750);
  });

  it('does not ask again when the session has ended', () => {
    wires[0]!.onclose?.({ code: 1008 });
    vi.advanceTimersByTime(60_000);
    expect(wires).toHaveLength(1);
  });

  it('does not listen any more when stopped, and knows no position then', () => {
    wires[0]!.say(event(7));
    client.stop();
    wires[0]!.say(event(8));
    expect(wires[0]!.closed).toBe(true);
    expect(told).toHaveLength(1);
    expect(client.lastPosition).toBeNull();
  });

  it('passes over what is no frame', () => {
    wires[0]!.onmessage?.({ data: '{' });
    expect(told).toHaveLength(0);
  });
});
