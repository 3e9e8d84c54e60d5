import type { Schemas } from '../../api/types';
import type { Tone } from '../../ui/Chip';

export type NoticeState = Schemas['notice']['state'];
export const states: readonly NoticeState[] = ['waiting', 'sending', 'delivered', 'refused', 'given_up', 'gathered', 'unknown'];

export function toneOfState(state: NoticeState): Tone {
  if (state === 'delivered' || state === 'gathered') return 'good';
  if (state === 'refused' || state === 'given_up') return 'bad';
  return state === 'unknown' ? 'warn' : 'info';
}
