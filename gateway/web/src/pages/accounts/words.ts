import type { Schemas } from '../../api/types';
import type { Tone } from '../../ui/Chip';

export type Account = Schemas['provider_account'];
export type Login = Schemas['account_login'];
export type Condition = Account['condition'];

export const conditions: readonly Condition[] = ['login_needed', 'not_renewed', 'resting', 'degraded', 'off', 'fine'];

export function toneOf(condition: Condition): Tone {
  if (condition === 'fine') return 'good';
  if (condition === 'login_needed') return 'bad';
  if (condition === 'not_renewed' || condition === 'resting' || condition === 'degraded') return 'warn';
  return 'plain';
}

/// How full a window of quota is, for its bar.
export function fullness(used: number): { percent: number; tone: Tone } {
  const percent = Math.min(100, Math.max(0, Number.isFinite(used) ? used : 0));
  return { percent, tone: percent >= 95 ? 'bad' : percent >= 80 ? 'warn' : 'good' };
}

/// Whether a login still goes on, so that it is to be asked again.
export function goesOn(login: Login | undefined): boolean {
  return login !== undefined && (login.stage === 'waiting' || login.stage === 'finishing' || login.stage === 'testing');
}

/// Whole seconds from now; never negative.
export function secondsLeft(until: string, now: number): number {
  return Math.max(0, Math.round((Date.parse(until) - now) / 1000));
}

export function clockText(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/// What a mapping file holds; null where it is none.
export function readMapping(text: string): { users: { claude_email: string; feishu_email?: string; name?: string }[] } | null {
  try {
    const all = JSON.parse(text) as { users?: unknown };
    if (!Array.isArray(all.users) || all.users.length === 0) return null;
    const users = all.users.filter((one): one is { claude_email: string } => typeof one === 'object' && one !== null && typeof (one as { claude_email?: unknown }).claude_email === 'string');
    return users.length === all.users.length ? { users } : null;
  } catch {
    return null;
  }
}
