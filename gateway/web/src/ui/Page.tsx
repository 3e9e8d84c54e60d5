import { useEffect, useId } from 'react';
import type { ReactNode } from 'react';
import { classes } from './classes';
import './Page.css';

export interface PageProps {
  title: string;
  /// One sentence on what is seen here.
  note?: ReactNode;
  actions?: ReactNode;
  /// Filters and the time range: stays in sight below the top bar.
  bar?: ReactNode;
  /// `text` for forms and reading, `wide` for tables and charts.
  width?: 'text' | 'normal' | 'wide';
  children: ReactNode;
}

/// What every page is in: its title (also of the browser's tab), actions and content.
export function Page({ title, note, actions, bar, width = 'normal', children }: PageProps) {
  const id = useId();
  useEffect(() => {
    document.title = `${title} · Key Portal`;
  }, [title]);
  return (
    <div className={classes('page', `page-${width}`)} aria-labelledby={id} role="group">
      <header className="page-head">
        <div className="grow">
          <h1 id={id}>{title}</h1>
          {note && <p className="soft">{note}</p>}
        </div>
        {actions && <div className="row">{actions}</div>}
      </header>
      {bar && <div className="page-bar">{bar}</div>}
      <div className="page-body">{children}</div>
    </div>
  );
}
