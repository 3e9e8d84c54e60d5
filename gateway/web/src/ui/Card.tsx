import type { ReactNode } from 'react';
import { classes } from './classes';
import { Num } from './Num';
import './Card.css';

export interface CardProps {
  title?: ReactNode;
  /// One line below the title.
  note?: ReactNode;
  actions?: ReactNode;
  /// No room around the content: for tables.
  flush?: boolean;
  className?: string;
  children?: ReactNode;
}

export function Card({ title, note, actions, flush, className, children }: CardProps) {
  return (
    <section className={classes('card', flush && 'card-flush', className)}>
      {(title || actions) && (
        <header className="card-head">
          <div className="grow">
            {title && <h2>{title}</h2>}
            {note && <p className="soft">{note}</p>}
          </div>
          {actions && <div className="row">{actions}</div>}
        </header>
      )}
      <div className="card-body">{children}</div>
    </section>
  );
}

export interface StatProps {
  label: ReactNode;
  /// A number is written short with the exact one in its title.
  value: number | ReactNode;
  unit?: string;
  note?: ReactNode;
  tone?: 'good' | 'warn' | 'bad';
  /// A sparkline, mostly.
  children?: ReactNode;
}

/// One figure with its name.
export function Stat({ label, value, unit, note, tone, children }: StatProps) {
  return (
    <div className="card stat">
      <div className="stat-label">{label}</div>
      <div className={classes('stat-value nums', tone && `tone-${tone}`)}>
        {typeof value === 'number' ? <Num value={value} unit={unit} short /> : value}
      </div>
      {note && <div className="stat-note">{note}</div>}
      {children}
    </div>
  );
}
