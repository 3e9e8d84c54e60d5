import { describe, expect, it } from 'vitest';
import { localIn, momentIn, spanOf } from './time_range';

const now = Date.parse('2026-03-10T02:30:00Z');

describe('time ranges', () => {
  it('begin a day at midnight of the zone', () => {
    expect(spanOf('today', 'Asia/Shanghai', now)).toEqual({ from: '2026-03-09T16:00:00.000Z', to: '2026-03-10T02:30:00.000Z' });
    expect(spanOf('today', 'America/New_York', now).from).toBe('2026-03-09T04:00:00.000Z');
    expect(spanOf('yesterday', 'UTC', now)).toEqual({ from: '2026-03-09T00:00:00.000Z', to: '2026-03-10T00:00:00.000Z' });
  });

  it('know the day on which clocks change', () => {
    // On 2026-03-08 New York goes from -5 to -4: that day has 23 hours.
    const after = Date.parse('2026-03-09T12:00:00Z');
    const span = spanOf('yesterday', 'America/New_York', after);
    expect(Date.parse(span.to!) - Date.parse(span.from!)).toBe(23 * 3_600_000);
  });

  it('go back and forth between clocks and moments', () => {
    const at = momentIn('Asia/Kolkata', '2026-03-10T08:00');
    expect(new Date(at).toISOString()).toBe('2026-03-10T02:30:00.000Z');
    expect(localIn('Asia/Kolkata', at)).toBe('2026-03-10T08:00');
  });

  it('take the last day where one of their own makes no sense', () => {
    expect(spanOf('custom', 'UTC', now, 'x', 'y')).toEqual(spanOf('24h', 'UTC', now));
    expect(spanOf('custom', 'UTC', now, '2026-03-02T00:00:00Z', '2026-03-01T00:00:00Z')).toEqual(spanOf('24h', 'UTC', now));
    expect(spanOf('all', 'UTC', now)).toEqual({ from: null, to: null });
  });
});
