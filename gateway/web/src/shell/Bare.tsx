import { useEffect } from 'react';
import type { ReactNode } from 'react';
import { Brand } from './Brand';
import { LanguageMenu, ThemeMenu } from './Preferences';
import './Bare.css';

interface BareProps { title: string; note?: ReactNode; foot?: ReactNode; children: ReactNode }

/// What the pages of signing in are in: a card in the middle, without the menu.
export function Bare({ title, note, foot, children }: BareProps) {
  useEffect(() => {
    document.title = `${title} · Key Portal`;
  }, [title]);
  return (
    <div className="bare">
      <header className="bare-top"><Brand /><span className="grow" /><LanguageMenu /><ThemeMenu /></header>
      <main className="bare-main">
        <div className="bare-card">
          <h1>{title}</h1>
          {note && <p className="soft">{note}</p>}
          <div className="stack bare-content">{children}</div>
        </div>
        {foot && <p className="bare-foot">{foot}</p>}
      </main>
    </div>
  );
}
