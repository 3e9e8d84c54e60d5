import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { classes } from './classes';
import { Icon } from './Icon';
import './Chip.css';

export type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'info';

/// A state in a word.
export function Badge({ tone = 'plain', dot, children }: { tone?: Tone; dot?: boolean; children: ReactNode }) {
  return <span className={classes('badge', `badge-${tone}`)}>{dot && <span className="badge-dot" />}{children}</span>;
}

interface ChipProps {
  chosen?: boolean;
  onClick?: () => void;
  /// It is pointed at or focused: what it brings may be fetched.
  onLikely?: () => void;
  onRemove?: () => void;
  children: ReactNode;
}

/// A choice that is on or off (`onClick`), or a filter that can be taken away (`onRemove`).
export function Chip({ chosen, onClick, onLikely, onRemove, children }: ChipProps) {
  const { t } = useTranslation();
  if (!onRemove)
    return (
      <button type="button" className="chip" aria-pressed={!!chosen} onClick={onClick}
        onPointerEnter={chosen ? undefined : onLikely} onFocus={chosen ? undefined : onLikely}>{children}</button>
    );
  return (
    <span className="chip chip-set">
      <span className="cut">{children}</span>
      <button type="button" aria-label={t('remove_filter')} title={t('remove_filter')} onClick={onRemove}><Icon name="close" size={12} /></button>
    </span>
  );
}
