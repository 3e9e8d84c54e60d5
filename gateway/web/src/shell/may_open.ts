import type { Session } from '../api/types';
import type { RouteRow } from '../routes';

/// Whether somebody may see a page. What may be read without signing in is among the rights of nobody then.
export function mayOpen(row: Pick<RouteRow, 'right'>, session: Session): boolean {
  if (row.right === 'anyone') return true;
  if (row.right === 'signed-in') return session.kind !== 'nobody' && !session.second_factor_needed;
  return row.right.some((one) => session.rights.includes(one));
}
